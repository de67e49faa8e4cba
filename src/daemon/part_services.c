/* daemon/part_services.c: the handlers of protocols, with the host sockets they use. */
#include <errno.h>

#include "base/log.h"
#include "daemon_priv.h"
#include "host/tcp_sock.h"
#include "proto/dhcp4.h"
#include "proto/dhcp6.h"
#include "proto/dns_tcp.h"
#include "proto/ndp.h"
#include "proto/reassembly.h"
#include "proto/tcp/tcp.h"
#include "wire/dns.h"

bool part_services_want_multicast(const struct conf *c)
{
	return c->multicast && !c->no_udp;
}

struct multicast *part_services_make_multicast(struct daemon *d)
{
	return multicast_new(&d->env, &multicast_sock_ops, &d->multicast_socks);
}

int part_services_start(struct daemon *d)
{
	struct env *env = &d->env;

	udp_socks_init(&d->udp_socks, d->loop, env);
	d->icmp_socks = (struct icmp_socks){ d->loop, env };
	d->multicast_socks = (struct multicast_socks){ d->loop, env };
	d->dns_socks = (struct dns_sock_host){ env, d->loop, DNS_PORT };
	env->reassembly = reassembly_new(env);
	env->ndp = ndp_new(env);
	env->dhcp4 = dhcp4_new(env);
	env->dhcp6 = dhcp6_new(env);
	env->udp = udp_new(env, &udp_sock_ops, &d->udp_socks);
	env->icmp = icmp_new(env, &icmp_sock_ops, &d->icmp_socks);
	if (part_services_want_multicast(&d->conf))
		env->multicast = part_services_make_multicast(d);
	env->dns = dns_new(env, &dns_sock_ops, &d->dns_socks);
	tcp_sock_init(d->edges);
	env->tcp = tcp_new(env, &tcp_sock_dialer);
	if (env->tcp)
		tcp_set_service(env->tcp, &dns_tcp_service);
	if (env->reassembly && env->ndp && env->dhcp4 && env->dhcp6 && env->dns && env->udp &&
	    env->icmp && env->tcp &&
	    (env->multicast || !part_services_want_multicast(&d->conf))) {
		env_set_rates(env);
		return 0;
	}
	log_error(DAEMON, "out of memory");
	part_services_stop(d);
	return -ENOMEM;
}

void part_services_stop(struct daemon *d)
{
	tcp_free(&d->env);
	dns_free(d->env.dns);
	icmp_free(d->env.icmp);
	multicast_free(&d->env, d->env.multicast);
	udp_free(d->env.udp);
	dhcp6_free(d->env.dhcp6);
	dhcp4_free(d->env.dhcp4);
	ndp_free(d->env.ndp);
	if (d->env.reassembly)
		reassembly_reset(&d->env);
	reassembly_free(d->env.reassembly);
}
