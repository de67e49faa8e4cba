/* daemon/part_services.c: the handlers of protocols, with the host sockets they use. */
#include <errno.h>

#include "base/log.h"
#include "daemon_priv.h"
#include "proto/dhcp4.h"
#include "proto/reassembly.h"

int part_services_start(struct daemon *d)
{
	struct env *env = &d->env;

	d->udp_socks = (struct udp_socks){ d->loop, env };
	d->icmp_socks = (struct icmp_socks){ d->loop, env };
	d->dns_socks = (struct dns_sock_host){ env, d->loop };
	env->reassembly = reassembly_new(env);
	env->dhcp4 = dhcp4_new(env);
	env->udp = udp_new(env, &udp_sock_ops, &d->udp_socks);
	env->icmp = icmp_new(env, &icmp_sock_ops, &d->icmp_socks);
	env->dns = dns_new(env, &dns_sock_ops, &d->dns_socks);
	if (env->reassembly && env->dhcp4 && env->dns && env->udp && env->icmp)
		return 0;
	log_error(DAEMON, "out of memory");
	part_services_stop(d);
	return -ENOMEM;
}

void part_services_stop(struct daemon *d)
{
	dns_free(d->env.dns);
	icmp_free(d->env.icmp);
	udp_free(d->env.udp);
	dhcp4_free(d->env.dhcp4);
	if (d->env.reassembly)
		reassembly_reset(&d->env);
	reassembly_free(d->env.reassembly);
}
