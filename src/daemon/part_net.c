/* daemon/part_net.c: asks the host for its network and makes the guest's. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon_priv.h"
#include "daemon/netconf.h"
#include "host/netinfo.h"
#include "wire/ip6.h"

static int read_family(const struct conf *c, bool ip6, struct netinfo_ip *host)
{
	const char *outbound = ip6 ? c->ip6.outbound_interface : c->ip4.outbound_interface;
	const char *interface = c->interface ? c->interface : outbound;
	int rc = netinfo_read(ip6, interface, host);

	if (rc == -ENODEV)
		log_error(HOST, "there is no interface '%s'", interface);
	if (rc == -ENODEV || !rc)
		return rc;
	log_warn(HOST, "the host's %s network cannot be read: %s", ip6 ? "IPv6" : "IPv4",
		 strerror(-rc));
	memset(host, 0, sizeof(*host));
	return 0;
}

static int read_host(const struct conf *c, struct netinfo *host)
{
	int rc = read_family(c, false, &host->ip4);

	return rc ? rc : read_family(c, true, &host->ip6);
}

/* "192.0.2.1, 192.0.2.2", or "none". */
static const char *print_list(const struct addr *list, unsigned n, char *text, size_t max)
{
	char one[ADDR_STR_MAX];
	size_t len = 0;

	snprintf(text, max, "none");
	for (unsigned i = 0; i < n && len < max; i++)
		len += (size_t)snprintf(text + len, max - len, "%s%s", i ? ", " : "",
					addr_print(&list[i], one));
	return text;
}

static void tell_family(const struct net_ip *ip)
{
	char guest[ADDR_STR_MAX], gateway[ADDR_STR_MAX], loopback[ADDR_STR_MAX];

	if (!ip->on)
		return;
	addr_print(&ip->guest, guest);
	addr_print(&ip->gateway, gateway);
	if (ip->interface[0])
		log_info(HOST, "guest: %s/%u, gateway %s, after interface %s", guest,
			 ip->prefix_len, gateway, ip->interface);
	else
		log_info(HOST, "guest: %s/%u, gateway %s, in a network of its own%s", guest,
			 ip->prefix_len, gateway,
			 ip->address_source == NET_FROM_FALLBACK
				 ? ": the host has no address or no gateway"
				 : "");
	if (ip->map_loopback_set)
		log_info(HOST, "host's loopback: at %s for the guest",
			 addr_print(&ip->map_loopback, loopback));
}

static void tell_addresses(const struct net *net)
{
	tell_family(&net->ip4);
	tell_family(&net->ip6);
	if (!net->ip6.on)
		log_info(HOST, "guest: no IPv6");
}

static void tell_dns(const struct net *net)
{
	char told[256], asked[256];

	log_info(DNS, "resolvers: %s, relayed to %s",
		 print_list(net->dns, net->n_dns, told, sizeof(told)),
		 net->n_dns_relay
			 ? print_list(net->upstreams, net->n_upstreams, asked, sizeof(asked))
			 : "none");
}

static void resolvers_changed(void *ctx, const struct resolv_conf *rc)
{
	struct daemon *d = ctx;

	netconf_update_dns(&d->conf, rc, &d->net);
	tell_dns(&d->net);
}

int part_net_start(struct daemon *d)
{
	struct netinfo host;
	int rc = read_host(&d->conf, &host);

	if (rc)
		return rc;
	resolv_watch_init(&d->resolvers, d->loop, &d->env.timers, RESOLV_CONF_PATH,
			  resolvers_changed, d);
	if (netconf_wants_ip6(&d->conf, &host.ip6) && !netconf_mtu_has_ip6(&d->conf))
		log_warn(HOST, "no IPv6 for the guest: it needs an MTU of %u, not %u", IP6_MTU_MIN,
			 d->conf.mtu);
	netconf_make(&d->conf, &host, &d->resolvers.last, &d->net);
	d->env.net = &d->net;
	tell_addresses(&d->net);
	tell_dns(&d->net);
	return 0;
}

void part_net_stop(struct daemon *d)
{
	resolv_watch_end(&d->resolvers);
}
