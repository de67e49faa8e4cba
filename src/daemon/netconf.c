/* daemon/netconf.c: the guest's network as a whole: its two families, resolvers and names. */
#include "daemon/netconf.h"

#include <stdio.h>

#include "host/resolv_conf.h"
#include "netconf_priv.h"

/* Appends an address that is not in the list yet. */
static void add_once(struct addr *list, unsigned *n, unsigned max, const struct addr *a)
{
	for (unsigned i = 0; i < *n; i++)
		if (addr_eq(&list[i], a))
			return;
	if (*n < max)
		list[(*n)++] = *a;
}

static void tell_dns(struct net *net, const struct addr *a)
{
	add_once(net->dns, &net->n_dns, CONF_DNS_MAX, a);
}

/* Where the guest finds what only the host can reach; false when there is no such place. */
static bool reach_through_us(const struct conf *c, const struct conf_ip *family,
			     const struct net_ip *ip, struct addr *a)
{
	if (family->dns_forward_set)
		*a = family->dns_forward;
	else if (ip->map_loopback_set)
		*a = ip->map_loopback;
	else
		*a = ip->gateway;
	return family->dns_forward_set || ip->map_loopback_set || !c->no_dns_relay;
}

/* The guest cannot ask a loopback address, one that means something else to it, or one of a link
 * that is not its own. */
static bool guest_can_ask(const struct net_ip *ip, const struct addr *server)
{
	return !addr_is_loopback(server) &&
	       !(ip->map_loopback_set && addr_eq(server, &ip->map_loopback)) &&
	       !addr_eq(server, &ip->guest) &&
	       (addr_is_ip4(server) || !addr_is_link_local(server));
}

/* The private layout has a resolver's address of its own, which only the relay answers. */
static bool has_private_dns(const struct conf *c, const struct conf_ip *family,
			    const struct net_ip *ip, struct addr *dns)
{
	*dns = netconf_private_addr(family, PRIVATE_DNS);
	return !c->no_dns_relay && !ip->interface[0] &&
	       addr_in_prefix(&ip->guest, &family->private_prefix, family->private_prefix_len) &&
	       !addr_eq(dns, &ip->guest) && !addr_eq(dns, &ip->gateway);
}

/* The host's resolvers of one family.  Where there are none, the relay stands in: they may come,
 * those of the other family serve as well, and it knows names of its own. */
static void tell_hosts_dns(const struct conf *c, const struct resolv_conf *rc,
			   const struct conf_ip *family, const struct net_ip *ip, struct net *net)
{
	/* IPv4 comes first and leaves a place for IPv6, which a guest may be without the other */
	unsigned n_before = net->n_dns, max = CONF_DNS_MAX - (ip == &net->ip4 && net->ip6.on);
	struct addr through_us;

	for (unsigned i = 0; i < rc->n_servers && net->n_dns < max; i++) {
		const struct addr *server = &rc->servers[i].addr;

		if (net_ip(net, server) != ip)
			continue;
		if (guest_can_ask(ip, server))
			tell_dns(net, server);
		else if (reach_through_us(c, family, ip, &through_us))
			tell_dns(net, &through_us);
	}
	if (net->n_dns == n_before && !c->no_dns_relay &&
	    reach_through_us(c, family, ip, &through_us))
		tell_dns(net, &through_us);
}

static void tell_family(const struct conf *c, const struct resolv_conf *rc,
			const struct conf_ip *family, const struct net_ip *ip, struct net *net)
{
	struct addr own;

	if (!ip->on)
		return;
	if (has_private_dns(c, family, ip, &own)) {
		tell_dns(net, &own);
		net->dns_source = ip->address_source;
	} else {
		tell_hosts_dns(c, rc, family, ip, net);
	}
}

static void make_dns(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	net->n_dns = 0;
	net->dns_source = rc->n_servers ? NET_FROM_HOST : NET_FROM_FALLBACK;
	if (!c->dns_set) {
		tell_family(c, rc, &c->ip4, &net->ip4, net);
		tell_family(c, rc, &c->ip6, &net->ip6, net);
		return;
	}
	for (unsigned i = 0; i < c->n_dns; i++)
		tell_dns(net, &c->dns[i]);
	net->dns_source = NET_FROM_FLAG;
}

static void relay_at(struct net *net, const struct addr *a)
{
	add_once(net->dns_relay, &net->n_dns_relay, NET_DNS_RELAY_MAX, a);
}

/* What the relay answers at: newest first, so that it is the oldest that finds no place. */
static void make_relay(const struct conf *c, struct net *net)
{
	struct addr old[NET_DNS_RELAY_MAX];
	unsigned n_old = net->n_dns_relay;

	memcpy(old, net->dns_relay, sizeof(old));
	net->n_dns_relay = 0;
	if (c->no_dns_relay)
		return;
	if (c->ip4.dns_forward_set)
		relay_at(net, &c->ip4.dns_forward);
	if (c->ip6.dns_forward_set)
		relay_at(net, &c->ip6.dns_forward);
	for (unsigned i = 0; i < net->n_dns; i++)
		relay_at(net, &net->dns[i]);
	for (unsigned i = 0; i < n_old; i++)
		relay_at(net, &old[i]);
}

/* Whether a resolver that the command line tells the guest is one that exists on the network,
 * rather than a name for ourselves. */
static bool is_real_server(const struct conf *c, const struct net *net, const struct addr *a)
{
	const struct conf_ip *family = addr_is_ip4(a) ? &c->ip4 : &c->ip6;
	const struct net_ip *ip = net_ip(net, a);

	if (family->dns_forward_set && addr_eq(a, &family->dns_forward))
		return false;
	return ip->interface[0] || !addr_in_prefix(a, &ip->guest, ip->prefix_len) ||
	       (ip->map_loopback_set && addr_eq(a, &ip->map_loopback));
}

static void ask_upstream(struct net *net, const struct upstream *u)
{
	for (unsigned i = 0; i < net->n_upstreams; i++)
		if (upstream_eq(&net->upstreams[i], u))
			return;
	if (net->n_upstreams < NET_UPSTREAMS_MAX)
		net->upstreams[net->n_upstreams++] = *u;
}

/* Who is asked: --dns-host; else the servers that the guest was told by --dns, for that is whom
 * it means to ask; else resolv.conf's. */
static void make_upstreams(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	net->n_upstreams = 0;
	if (c->dns_host_set) {
		ask_upstream(net, &(struct upstream){ .addr = c->dns_host });
		return;
	}
	for (unsigned i = 0; i < c->n_dns; i++) {
		struct upstream u = { .addr = net_to_host(net, &c->dns[i]) };

		if (is_real_server(c, net, &c->dns[i]))
			ask_upstream(net, &u);
	}
	if (net->n_upstreams)
		return;
	for (unsigned i = 0; i < rc->n_servers; i++)
		ask_upstream(net, &rc->servers[i]);
}

static void make_search(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	const char(*list)[CONF_NAME_MAX] = c->search_set ? c->search : rc->search;

	net->n_search = c->search_set ? c->n_search : rc->n_search;
	memcpy(net->search, list, sizeof(net->search));
	if (c->search_set)
		net->search_source = NET_FROM_FLAG;
	else
		net->search_source = net->n_search ? NET_FROM_HOST : NET_FROM_FALLBACK;
}

void netconf_update_dns(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	make_dns(c, rc, net);
	make_relay(c, net);
	make_upstreams(c, rc, net);
	make_search(c, rc, net);
}

static bool is_same_ip(const struct net_ip *a, const struct net_ip *b)
{
	return a->on == b->on && addr_eq(&a->guest, &b->guest) && a->prefix_len == b->prefix_len &&
	       addr_eq(&a->gateway, &b->gateway) && a->address_source == b->address_source &&
	       !strcmp(a->interface, b->interface) && addr_eq(&a->map_loopback, &b->map_loopback);
}

bool netconf_update(const struct conf *c, const struct netinfo *host, const struct resolv_conf *rc,
		    struct net *net)
{
	struct net now;

	netconf_make(c, host, rc, &now);
	if (is_same_ip(&now.ip4, &net->ip4) && is_same_ip(&now.ip6, &net->ip6))
		return false;
	net->ip4 = now.ip4;
	net->ip6 = now.ip6;
	netconf_update_dns(c, rc, net);
	return true;
}

static bool is_model(const struct conf_ip *c, const struct netinfo_ip *host, bool has_way)
{
	return host->interface[0] && (host->has_address || c->address_set) &&
	       (has_way || c->gateway_set);
}

bool netconf_hold(const struct conf *c, const struct netinfo *last, struct netinfo *now)
{
	bool ip4 = is_model(&c->ip4, &now->ip4, now->ip4.has_gateway);
	bool ip6 = is_model(&c->ip6, &now->ip6, now->ip6.has_route);
	bool hold4 = !ip4 && is_model(&c->ip4, &last->ip4, last->ip4.has_gateway);
	bool hold6 = !ip4 && !ip6 && is_model(&c->ip6, &last->ip6, last->ip6.has_route);

	if (hold4)
		now->ip4 = last->ip4;
	if (hold6)
		now->ip6 = last->ip6;
	return hold4 || hold6;
}

void netconf_make(const struct conf *c, const struct netinfo *host,
		  const struct resolv_conf *rc, struct net *net)
{
	memset(net, 0, sizeof(*net));
	net->n_ntp = c->n_ntp;
	memcpy(net->ntp, c->ntp, sizeof(net->ntp));
	netconf_make_ip4(c, &host->ip4, &net->ip4);
	netconf_make_ip6(c, &host->ip6, &net->ip6);
	net->mac = c->mac;
	net->tell_mtu = c->mtu;
	net->mtu = c->mtu ? c->mtu : NET_MTU_UNTOLD;
	net->mtu_source = c->mtu_set ? NET_FROM_FLAG : NET_FROM_FALLBACK;
	if (c->hostname)
		snprintf(net->hostname, sizeof(net->hostname), "%s", c->hostname);
	if (c->fqdn)
		snprintf(net->fqdn, sizeof(net->fqdn), "%s", c->fqdn);
	netconf_update_dns(c, rc, net);
}

bool netconf_reconfigure(const struct conf *c, const struct netinfo *host,
			 const struct resolv_conf *rc, struct net *net)
{
	struct net before = *net;

	netconf_make(c, host, rc, net);
	memcpy(net->dns_relay, before.dns_relay, sizeof(net->dns_relay));
	net->n_dns_relay = before.n_dns_relay;
	netconf_update_dns(c, rc, net);
	return memcmp(&before, net, sizeof(before)) != 0;
}
