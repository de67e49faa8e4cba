/* daemon/netconf_ip.c: which addresses the guest gets.
 *
 * Theory of operation: there are two layouts.  The mirrored one gives the guest the host's own
 * address and gateway, so that what the guest says of itself is true on the network.  The
 * private one is a network made up: in IPv4 the guest is .15, we are .2 and its resolver is .3;
 * in IPv6 likewise, but for our address as a router, which is link-local.  Flags replace single
 * values of either.  The gateway's address stands for the host's loopback, unless another one
 * does or none shall.
 *
 * IPv4 is there always, in the private layout if need be, so that a guest can boot and reach its
 * host.  A guest has IPv6 only where that leads somewhere, or on demand: it would go before IPv4.
 */
#include <stdio.h>

#include "netconf_priv.h"
#include "wire/ip6.h"

#define IP6_PREFIX_LEN 64 /* of an address that was given without */

bool netconf_mirrors_ip4(const struct conf *c, const struct netinfo_ip *host)
{
	return !c->ip4.private_net && (host->has_address || c->ip4.address_set) &&
	       (host->has_gateway || c->ip4.gateway_set);
}

bool netconf_mirrors_ip6(const struct conf *c, const struct netinfo_ip *host)
{
	return !c->ip6.private_net && (host->has_address || c->ip6.address_set) &&
	       (host->has_route || c->ip6.gateway_set);
}

/* How sockets of the family leave the host, for the guest and for queries to resolvers. */
static void make_sources(const struct conf_ip *c, struct net_ip *ip)
{
	ip->outbound_set = c->outbound_set;
	ip->outbound = c->outbound;
	if (c->outbound_interface)
		snprintf(ip->outbound_interface, sizeof(ip->outbound_interface), "%s",
			 c->outbound_interface);
}

static void make_mapping(const struct conf *c, const struct conf_ip *family,
			 const struct addr *loopback, struct net_ip *ip)
{
	ip->map_loopback_set = family->map_loopback_set || !c->no_map_gateway;
	ip->map_loopback = family->map_loopback_set ? family->map_loopback : *loopback;
	ip->map_guest_set = family->map_guest_set;
	ip->map_guest = family->map_guest;
}

struct addr netconf_private_addr(const struct conf_ip *c, uint8_t host_part)
{
	struct addr a = c->private_prefix;

	a.b[15] |= host_part;
	return a;
}

/* Networks were once told by their first bits (RFC 791 3.2): what a mask is guessed from. */
static uint8_t class_prefix_len(const struct addr *a)
{
	return a->b[12] < 128 ? 8 : a->b[12] < 192 ? 16 : 24;
}

/* An address in the network of `a` other than `a`: with this host part, or the next that is
 * free, in the last 256 addresses of larger networks.  A network of one address has none. */
static struct addr neighbour(const struct conf *c, const struct addr *a, uint8_t prefix_len,
			     uint8_t host_part)
{
	uint32_t mask = ip4_mask(prefix_len < 24 ? 24 : prefix_len), ip = addr_get_ip4(a);
	struct addr outside = netconf_private_addr(&c->ip4, host_part);

	if (prefix_len == 31)
		return addr_ip4(ip ^ 1);
	for (uint32_t i = 0; i <= ~mask; i++) {
		uint32_t host = (host_part + i) & ~mask;

		if (host && host != ~mask && ((ip & mask) | host) != ip)
			return addr_ip4((ip & mask) | host);
	}
	return addr_eq(a, &outside) ? netconf_private_addr(&c->ip4, (uint8_t)(host_part + 1)) : outside;
}

static uint8_t choose_prefix_len(const struct conf *c, const struct addr *guest)
{
	if (c->ip4.cidr_set)
		return c->ip4.cidr_len;
	if (c->netmask_set)
		return c->netmask_len;
	return class_prefix_len(guest);
}

static void make_private4(const struct conf *c, struct net_ip *ip)
{
	ip->guest = netconf_private_addr(&c->ip4, PRIVATE_GUEST);
	ip->prefix_len = c->ip4.private_prefix_len;
	ip->gateway = netconf_private_addr(&c->ip4, PRIVATE_GATEWAY);
	ip->address_source = NET_FROM_FALLBACK;
	if (c->ip4.private_net)
		ip->address_source = NET_FROM_FLAG;
}

static void make_mirrored4(const struct netinfo_ip *host, struct net_ip *ip)
{
	ip->guest = host->address;
	ip->prefix_len = host->prefix_len;
	ip->gateway = host->gateway;
	ip->address_source = NET_FROM_HOST;
	snprintf(ip->interface, sizeof(ip->interface), "%s", host->interface);
}

/* Puts the flags' values in place of the layout's; `gateway_known` tells whether the layout's
 * gateway is a real one. */
static void override_addresses4(const struct conf *c, struct net_ip *ip, bool gateway_known)
{
	bool in_layout =
		c->ip4.address_set && addr_in_prefix(&c->ip4.address, &ip->guest, ip->prefix_len);

	if (c->ip4.address_set) {
		ip->guest = c->ip4.address;
		ip->address_source = NET_FROM_FLAG;
		if (gateway_known || !in_layout || c->ip4.cidr_set || c->netmask_set)
			ip->prefix_len = choose_prefix_len(c, &ip->guest);
	} else if (c->netmask_set) {
		ip->prefix_len = c->netmask_len;
	}
	if (c->ip4.gateway_set) {
		ip->gateway = c->ip4.gateway;
		if (!c->ip4.address_set && !gateway_known &&
		    !addr_in_prefix(&ip->gateway, &ip->guest, ip->prefix_len))
			ip->guest =
				neighbour(c, &ip->gateway, ip->prefix_len, PRIVATE_GUEST);
	} else if (!gateway_known &&
		   !addr_in_prefix(&ip->gateway, &ip->guest, ip->prefix_len)) {
		ip->gateway = neighbour(c, &ip->guest, ip->prefix_len, PRIVATE_GATEWAY);
	}
	if (!addr_eq(&ip->guest, &ip->gateway))
		return;
	if (c->ip4.address_set)
		ip->gateway = neighbour(c, &ip->guest, ip->prefix_len, PRIVATE_GATEWAY);
	else
		ip->guest = neighbour(c, &ip->gateway, ip->prefix_len, PRIVATE_GUEST);
}

void netconf_make_ip4(const struct conf *c, const struct netinfo_ip *host, struct net_ip *ip)
{
	bool mirrored = netconf_mirrors_ip4(c, host);

	make_sources(&c->ip4, ip);
	ip->on = !c->ip4.off;
	if (!ip->on)
		return;
	if (mirrored)
		make_mirrored4(host, ip);
	else
		make_private4(c, ip);
	override_addresses4(c, ip, mirrored);
	make_mapping(c, &c->ip4, &ip->gateway, ip);
}

/* The router's address where the host's router has none that can stand in its place: made of our
 * hardware address (RFC 4291 appendix A). */
static struct addr link_local_of(const struct mac *m)
{
	return (struct addr){ .b = { 0xfe, 0x80, [8] = m->b[0] ^ 2, m->b[1], m->b[2], 0xff, 0xfe,
				     m->b[3], m->b[4], m->b[5] } };
}

static void make_private6(const struct conf *c, struct net_ip *ip)
{
	ip->guest = netconf_private_addr(&c->ip6, PRIVATE_GUEST6);
	ip->gateway = (struct addr){ .b = { 0xfe, 0x80, [15] = PRIVATE_GATEWAY } };
	ip->prefix_len = c->ip6.private_prefix_len;
	ip->address_source = c->ip6.private_net ? NET_FROM_FLAG : NET_FROM_FALLBACK;
}

static void make_mirrored6(const struct conf *c, const struct netinfo_ip *host, struct net_ip *ip)
{
	ip->guest = host->address;
	ip->prefix_len = host->prefix_len;
	ip->gateway = link_local_of(&c->mac);
	if (host->has_gateway && addr_is_link_local(&host->gateway))
		ip->gateway = host->gateway;
	ip->address_source = NET_FROM_HOST;
	snprintf(ip->interface, sizeof(ip->interface), "%s", host->interface);
}

/* What stands for the host's loopback unless a flag says otherwise: --gateway; in the private
 * network an address that can be told to others and needs no zone; or the router. */
static struct addr default_loopback6(const struct conf *c, const struct net_ip *ip)
{
	struct addr own = netconf_private_addr(&c->ip6, PRIVATE_GATEWAY);

	if (c->ip6.gateway_set && !addr_is_link_local(&c->ip6.gateway))
		return c->ip6.gateway;
	if (!ip->interface[0] && !addr_eq(&own, &ip->guest) &&
	    addr_in_prefix(&own, &ip->guest, c->ip6.private_prefix_len))
		return own;
	return ip->gateway;
}

bool netconf_wants_ip6(const struct conf *c, const struct netinfo_ip *host)
{
	return !c->ip6.off &&
	       (c->ip6.private_net || c->ip6.address_set || netconf_mirrors_ip6(c, host));
}

bool netconf_mtu_has_ip6(const struct conf *c)
{
	return !c->mtu || c->mtu >= IP6_MTU_MIN;
}

void netconf_make_ip6(const struct conf *c, const struct netinfo_ip *host, struct net_ip *ip)
{
	struct addr loopback;

	make_sources(&c->ip6, ip);
	ip->on = netconf_wants_ip6(c, host) && netconf_mtu_has_ip6(c);
	if (!ip->on)
		return;
	if (netconf_mirrors_ip6(c, host))
		make_mirrored6(c, host, ip);
	else
		make_private6(c, ip);
	if (c->ip6.address_set) {
		ip->guest = c->ip6.address;
		ip->prefix_len = c->ip6.cidr_set ? c->ip6.cidr_len : IP6_PREFIX_LEN;
		ip->address_source = NET_FROM_FLAG;
	}
	if (c->ip6.gateway_set && addr_is_link_local(&c->ip6.gateway))
		ip->gateway = c->ip6.gateway;
	loopback = default_loopback6(c, ip);
	make_mapping(c, &c->ip6, &loopback, ip);
}
