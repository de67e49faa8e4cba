/* daemon/part_net.c: asks the host for its network and makes the guest's. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon_priv.h"
#include "daemon/netconf.h"
#include "host/sock.h"
#include "proto/event.h"
#include "proto/forward.h"
#include "wire/ip6.h"

/* The interface to be the model for a family; NULL: that of its default route. */
static const char *model_interface(const struct conf *c, bool ip6)
{
	const char *outbound = ip6 ? c->ip6.outbound_interface : c->ip4.outbound_interface;

	return c->interface ? c->interface : outbound;
}

static int read_family(const struct conf *c, bool ip6, struct netinfo_ip *host)
{
	int rc = netinfo_read(ip6, model_interface(c, ip6), host);

	if (rc == -ENODEV || !rc)
		return rc;
	log_warn(HOST, "the host's %s network cannot be read: %s", ip6 ? "IPv6" : "IPv4",
		 strerror(-rc));
	memset(host, 0, sizeof(*host));
	return 0;
}

/* The interface that the command line names and that is not there; NULL: none is missing. */
static const char *read_host(const struct conf *c, struct netinfo *host)
{
	const char *missing = NULL;

	if (read_family(c, true, &host->ip6))
		missing = model_interface(c, true);
	if (read_family(c, false, &host->ip4))
		missing = model_interface(c, false);
	return missing;
}

/* Makes "192.0.2.1, 192.0.2.2", one by one, as far as there is room. */
static void add_to_list(char *list, size_t max, const char *one)
{
	size_t len = strlen(list);

	snprintf(list + len, max - len, "%s%s", len ? ", " : "", one);
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
	char told[256] = "", asked[256] = "", one[UPSTREAM_STR_MAX];

	for (unsigned i = 0; i < net->n_dns; i++)
		add_to_list(told, sizeof(told), addr_print(&net->dns[i], one));
	for (unsigned i = 0; net->n_dns_relay && i < net->n_upstreams; i++)
		add_to_list(asked, sizeof(asked), upstream_print(&net->upstreams[i], one));
	log_info(DNS, "resolvers: %s, relayed to %s", told[0] ? told : "none",
		 asked[0] ? asked : "none");
}

static void resolvers_changed(void *ctx, const struct resolv_conf *rc)
{
	struct daemon *d = ctx;

	netconf_update_dns(&d->conf, rc, &d->net);
	tell_dns(&d->net);
	event_tell(&d->env, &(struct event){ .kind = EVENT_RESOLVERS_CHANGED });
	demux_network_changed(&d->env); /* routers advertise resolvers */
}

#define KNOWN_MAX 16

/* What was found out about addresses; flows share few of them. */
struct known {
	struct addr addr;
	bool lost;
};

static bool is_lost(struct known known[static KNOWN_MAX], unsigned *n, const struct addr *a)
{
	for (unsigned i = 0; i < *n; i++)
		if (addr_eq(&known[i].addr, a))
			return known[i].lost;
	if (*n == KNOWN_MAX)
		*n = 0;
	known[*n] = (struct known){ *a, !sock_has_addr(a) };
	return known[(*n)++].lost;
}

/* Whether a flow that the guest opened left through a link that is gone: each has link-local
 * addresses of its own. */
static bool is_link_lost(const struct flow *f, bool moved)
{
	return moved && f->dir == FLOW_OUT && !addr_is_ip4(&f->host.addr) &&
	       addr_is_link_local(&f->host.addr);
}

/* Ends the flows whose own end is at an address that the host has lost: they would hang until
 * they time out.  `moved`: IPv6 has another interface now. */
static void end_stranded_flows(struct env *env, bool moved)
{
	struct known known[KNOWN_MAX];
	struct list *pos, *tmp;
	unsigned n = 0;

	list_for_each(pos, tmp, &env->flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);
		const struct addr *own = &f->host.addr;

		if (addr_is_unspecified(own) || addr_is_loopback(own))
			continue;
		if (is_link_lost(f, moved) || is_lost(known, &n, own))
			f->class->close(env, f, FLOW_CLOSED_ADDRESS_GONE);
	}
}

static void host_changed(void *ctx)
{
	struct daemon *d = ctx;
	struct netinfo now;
	bool lost, moved4, moved6;

	read_host(&d->conf, &now); /* what is not there is not there */
	lost = netconf_hold(&d->conf, &d->host, &now);
	if (lost && !d->host_lost)
		log_info(HOST, "the host has lost its network: the guest keeps its addresses");
	d->host_lost = lost;
	moved4 = now.ip4.index != d->host.ip4.index;
	moved6 = now.ip6.index != d->host.ip6.index;
	d->host = now;
	if (netconf_update(&d->conf, &d->host, &d->resolvers.last, &d->net)) {
		log_info(HOST, "the host's network has changed");
		tell_addresses(&d->net);
		tell_dns(&d->net);
		event_tell(&d->env, &(struct event){ .kind = EVENT_NETWORK_CHANGED });
		demux_network_changed(&d->env);
	} else if (moved4 || moved6) {
		demux_network_changed(&d->env); /* groups were joined on what is gone */
	}
	end_stranded_flows(&d->env, moved6);
	forwards_network_changed(d->env.forwards);
}

/* Watched before they are read: what changes meanwhile is noticed. */
int part_net_start(struct daemon *d)
{
	const struct conf *c = &d->conf;
	const char *missing;

	net_watch_init(&d->net_watch, d->loop, &d->env.timers, host_changed, d);
	missing = read_host(c, &d->host);
	if (missing) {
		log_error(HOST, "there is no interface '%s'", missing);
		net_watch_end(&d->net_watch);
		return -ENODEV;
	}
	resolv_watch_init(&d->resolvers, d->loop, &d->env.timers, RESOLV_CONF_PATH,
			  resolvers_changed, d);
	if (netconf_wants_ip6(c, &d->host.ip6) && !netconf_mtu_has_ip6(c))
		log_warn(HOST, "no IPv6 for the guest: it needs an MTU of %u, not %u", IP6_MTU_MIN,
			 c->mtu);
	netconf_make(c, &d->host, &d->resolvers.last, &d->net);
	d->env.net = &d->net;
	tell_addresses(&d->net);
	tell_dns(&d->net);
	return 0;
}

void part_net_stop(struct daemon *d)
{
	resolv_watch_end(&d->resolvers);
	net_watch_end(&d->net_watch);
}
