/* daemon/netconf.c: which addresses the guest gets, and which resolvers.
 *
 * Theory of operation: there are two layouts.  The mirrored one gives the guest the host's own
 * address and gateway, so that what the guest says of itself is true on the network.  The
 * private one is a network made up, in which the guest is .15, we are .2 and its resolver is
 * .3.  Flags replace single values of either.  The gateway's address stands for the host's
 * loopback, unless another one does or none shall.
 */
#include "daemon/netconf.h"

#include <stdio.h>

#include "host/netinfo.h"
#include "host/resolv_conf.h"

/* Host parts of the private layout. */
enum { PRIVATE_GATEWAY = 2, PRIVATE_DNS = 3, PRIVATE_GUEST = 15 };

static struct addr private_addr(const struct conf *c, uint32_t host_part)
{
	return addr_ip4(addr_get_ip4(&c->private_prefix) | host_part);
}

/* Networks were once told by their first bits (RFC 791 3.2): what a mask is guessed from. */
static uint8_t class_prefix_len(const struct addr *a)
{
	return a->b[12] < 128 ? 8 : a->b[12] < 192 ? 16 : 24;
}

/* An address in the network of `a` other than `a`: with this host part, or the next that is
 * free, in the last 256 addresses of larger networks.  A network of one address has none. */
static struct addr neighbour(const struct conf *c, const struct addr *a, uint8_t prefix_len,
			     uint32_t host_part)
{
	uint32_t mask = ip4_mask(prefix_len < 24 ? 24 : prefix_len), ip = addr_get_ip4(a);
	struct addr outside = private_addr(c, host_part);

	if (prefix_len == 31)
		return addr_ip4(ip ^ 1);
	for (uint32_t i = 0; i <= ~mask; i++) {
		uint32_t host = (host_part + i) & ~mask;

		if (host && host != ~mask && ((ip & mask) | host) != ip)
			return addr_ip4((ip & mask) | host);
	}
	return addr_eq(a, &outside) ? private_addr(c, host_part + 1) : outside;
}

static uint8_t choose_prefix_len(const struct conf *c, const struct addr *guest)
{
	if (c->cidr_set)
		return c->cidr_len;
	if (c->netmask_set)
		return c->netmask_len;
	return class_prefix_len(guest);
}

static void make_private(const struct conf *c, struct net *net)
{
	net->ip4.guest = private_addr(c, PRIVATE_GUEST);
	net->ip4.prefix_len = c->private_prefix_len;
	net->ip4.gateway = private_addr(c, PRIVATE_GATEWAY);
	net->ip4.address_source = NET_FROM_FALLBACK;
	if (c->private_net)
		net->ip4.address_source = NET_FROM_FLAG;
}

static void make_mirrored(const struct netinfo *host, struct net *net)
{
	net->ip4.guest = host->address;
	net->ip4.prefix_len = host->prefix_len;
	net->ip4.gateway = host->gateway;
	net->ip4.address_source = NET_FROM_HOST;
	snprintf(net->ip4.interface, sizeof(net->ip4.interface), "%s", host->interface);
}

/* Puts the flags' values in place of the layout's; `gateway_known` tells whether the layout's
 * gateway is a real one. */
static void override_addresses(const struct conf *c, struct net *net, bool gateway_known)
{
	bool in_layout =
		c->address_set && addr_in_prefix(&c->address, &net->ip4.guest, net->ip4.prefix_len);

	if (c->address_set) {
		net->ip4.guest = c->address;
		net->ip4.address_source = NET_FROM_FLAG;
		if (gateway_known || !in_layout || c->cidr_set || c->netmask_set)
			net->ip4.prefix_len = choose_prefix_len(c, &net->ip4.guest);
	} else if (c->netmask_set) {
		net->ip4.prefix_len = c->netmask_len;
	}
	if (c->gateway_set) {
		net->ip4.gateway = c->gateway;
		if (!c->address_set && !gateway_known &&
		    !addr_in_prefix(&net->ip4.gateway, &net->ip4.guest, net->ip4.prefix_len))
			net->ip4.guest =
				neighbour(c, &net->ip4.gateway, net->ip4.prefix_len, PRIVATE_GUEST);
	} else if (!gateway_known &&
		   !addr_in_prefix(&net->ip4.gateway, &net->ip4.guest, net->ip4.prefix_len)) {
		net->ip4.gateway = neighbour(c, &net->ip4.guest, net->ip4.prefix_len, PRIVATE_GATEWAY);
	}
	if (!addr_eq(&net->ip4.guest, &net->ip4.gateway))
		return;
	if (c->address_set)
		net->ip4.gateway = neighbour(c, &net->ip4.guest, net->ip4.prefix_len, PRIVATE_GATEWAY);
	else
		net->ip4.guest = neighbour(c, &net->ip4.gateway, net->ip4.prefix_len, PRIVATE_GUEST);
}

static void make_addresses(const struct conf *c, const struct netinfo *host, struct net *net)
{
	bool mirrored = !c->private_net && (host->has_address || c->address_set) &&
			(host->has_gateway || c->gateway_set);

	if (mirrored)
		make_mirrored(host, net);
	else
		make_private(c, net);
	override_addresses(c, net, mirrored);
}

static void make_mapping(const struct conf *c, struct net *net)
{
	net->ip4.map_loopback_set = c->map_loopback_set || !c->no_map_gateway;
	net->ip4.map_loopback = c->map_loopback_set ? c->map_loopback : net->ip4.gateway;
	net->ip4.map_guest_set = c->map_guest_set;
	net->ip4.map_guest = c->map_guest;
	net->ip4.outbound_set = c->outbound_set;
	net->ip4.outbound = c->outbound;
	if (c->outbound_interface)
		snprintf(net->ip4.outbound_interface, sizeof(net->ip4.outbound_interface), "%s",
			 c->outbound_interface);
}

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
static bool reach_through_us(const struct conf *c, const struct net *net, struct addr *a)
{
	if (c->dns_forward_set)
		*a = c->dns_forward;
	else if (net->ip4.map_loopback_set)
		*a = net->ip4.map_loopback;
	else
		*a = net->ip4.gateway;
	return c->dns_forward_set || net->ip4.map_loopback_set || !c->no_dns_relay;
}

/* The guest cannot ask a loopback address, one that means something else to it, or IPv6. */
static bool guest_can_ask(const struct net *net, const struct addr *server)
{
	return addr_is_ip4(server) && !addr_is_loopback(server) &&
	       !(net->ip4.map_loopback_set && addr_eq(server, &net->ip4.map_loopback)) &&
	       !addr_eq(server, &net->ip4.guest);
}

static void tell_hosts_dns(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	struct addr through_us;

	for (unsigned i = 0; i < rc->n_servers; i++) {
		if (guest_can_ask(net, &rc->servers[i]))
			tell_dns(net, &rc->servers[i]);
		else if (reach_through_us(c, net, &through_us))
			tell_dns(net, &through_us);
	}
	/* none yet: they may come, and the relay knows names of its own */
	if (!rc->n_servers && !c->no_dns_relay && reach_through_us(c, net, &through_us))
		tell_dns(net, &through_us);
	net->dns_source = rc->n_servers ? NET_FROM_HOST : NET_FROM_FALLBACK;
}

/* The private layout has a resolver's address of its own, which only the relay answers. */
static bool has_private_dns(const struct conf *c, const struct net *net, struct addr *dns)
{
	*dns = private_addr(c, PRIVATE_DNS);
	return !c->no_dns_relay && !net->ip4.interface[0] &&
	       addr_in_prefix(&net->ip4.guest, &c->private_prefix, c->private_prefix_len) &&
	       !addr_eq(dns, &net->ip4.guest) && !addr_eq(dns, &net->ip4.gateway);
}

static void make_dns(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	struct addr own;

	net->n_dns = 0;
	if (c->dns_set) {
		for (unsigned i = 0; i < c->n_dns; i++)
			tell_dns(net, &c->dns[i]);
		net->dns_source = NET_FROM_FLAG;
	} else if (has_private_dns(c, net, &own)) {
		tell_dns(net, &own);
		net->dns_source = net->ip4.address_source;
	} else {
		tell_hosts_dns(c, rc, net);
	}
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
	if (c->dns_forward_set)
		add_once(net->dns_relay, &net->n_dns_relay, NET_DNS_RELAY_MAX, &c->dns_forward);
	for (unsigned i = 0; i < net->n_dns; i++)
		add_once(net->dns_relay, &net->n_dns_relay, NET_DNS_RELAY_MAX, &net->dns[i]);
	for (unsigned i = 0; i < n_old; i++)
		add_once(net->dns_relay, &net->n_dns_relay, NET_DNS_RELAY_MAX, &old[i]);
}

/* Whether a resolver that the command line tells the guest is one that exists on the network,
 * rather than a name for ourselves. */
static bool is_real_server(const struct conf *c, const struct net *net, const struct addr *a)
{
	if (c->dns_forward_set && addr_eq(a, &c->dns_forward))
		return false;
	return net->ip4.interface[0] || !addr_in_prefix(a, &net->ip4.guest, net->ip4.prefix_len) ||
	       (net->ip4.map_loopback_set && addr_eq(a, &net->ip4.map_loopback));
}

/* Who is asked: --dns-host; else the servers that the guest was told by --dns, for that is whom
 * it means to ask; else resolv.conf's. */
static void make_upstreams(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	net->n_upstreams = 0;
	if (c->dns_host_set) {
		net->upstreams[net->n_upstreams++] = c->dns_host;
		return;
	}
	for (unsigned i = 0; i < c->n_dns; i++) {
		struct addr server = net_to_host(net, &c->dns[i]);

		if (is_real_server(c, net, &c->dns[i]))
			add_once(net->upstreams, &net->n_upstreams, NET_UPSTREAMS_MAX, &server);
	}
	if (net->n_upstreams)
		return;
	for (unsigned i = 0; i < rc->n_servers; i++)
		add_once(net->upstreams, &net->n_upstreams, NET_UPSTREAMS_MAX, &rc->servers[i]);
}

static void make_search(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	const char(*list)[CONF_NAME_MAX] = c->search_set ? c->search : rc->search;

	net->n_search = c->search_set ? c->n_search : rc->n_search;
	memcpy(net->search, list, sizeof(net->search));
}

void netconf_update_dns(const struct conf *c, const struct resolv_conf *rc, struct net *net)
{
	make_dns(c, rc, net);
	make_relay(c, net);
	make_upstreams(c, rc, net);
	make_search(c, rc, net);
}

void netconf_make(const struct conf *c, const struct netinfo *host,
		  const struct resolv_conf *rc, struct net *net)
{
	memset(net, 0, sizeof(*net));
	net->n_ntp = c->n_ntp;
	memcpy(net->ntp, c->ntp, sizeof(net->ntp));
	net->ip4.on = true;
	make_addresses(c, host, net);
	make_mapping(c, net);
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
