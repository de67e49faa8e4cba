/* proto/net.c: address mapping between the guest's view and the host's network; pure. */
#include "proto/net.h"

#include <stdio.h>

#define IP4_BROADCAST 0xffffffffu
#define IP4_LOOPBACK  0x7f000001u
#define IP4_ALL_HOSTS	0xe0000001u
#define IP4_ALL_ROUTERS 0xe0000002u
#define IP4_IGMP	0xe0000016u
#define SCOPE_LINK	2 /* of an IPv6 group, in the lower half of its second byte (RFC 4291 2.7) */

bool net_is_dns(const struct net *net, const struct addr *a)
{
	for (unsigned i = 0; i < net->n_dns_relay; i++)
		if (addr_eq(&net->dns_relay[i], a))
			return true;
	return false;
}

bool upstream_eq(const struct upstream *a, const struct upstream *b)
{
	return addr_eq(&a->addr, &b->addr) && !strcmp(a->link, b->link);
}

const char *upstream_print(const struct upstream *u, char buf[static UPSTREAM_STR_MAX])
{
	char addr[ADDR_STR_MAX];

	snprintf(buf, UPSTREAM_STR_MAX, "%s%s%s", addr_print(&u->addr, addr), u->link[0] ? "%" : "",
		 u->link);
	return buf;
}

struct addr net_to_host(const struct net *net, const struct addr *dst)
{
	const struct net_ip *ip = net_ip(net, dst);

	if (ip->map_loopback_set && addr_eq(dst, &ip->map_loopback))
		return addr_is_ip4(dst) ? addr_ip4(IP4_LOOPBACK) : ADDR_LOOPBACK6;
	if (ip->map_guest_set && addr_eq(dst, &ip->map_guest))
		return ip->guest;
	return *dst;
}

struct addr net_to_guest(const struct net *net, const struct addr *src)
{
	const struct net_ip *ip = net_ip(net, src);

	if (addr_is_loopback(src))
		return ip->map_loopback_set ? ip->map_loopback : ip->gateway;
	if (addr_eq(src, &ip->guest))
		return ip->map_guest_set ? ip->map_guest : ip->gateway;
	return *src;
}

bool net_is_broadcast(const struct net *net, const struct addr *a)
{
	uint32_t mask = ip4_mask(net->ip4.prefix_len), ip = addr_get_ip4(a);

	if (!addr_is_ip4(a))
		return false;
	if (ip == IP4_BROADCAST)
		return true;
	return net->ip4.prefix_len < 31 && ip == (addr_get_ip4(&net->ip4.guest) | ~mask);
}

bool net_is_group(const struct net *net, const struct addr *a)
{
	return addr_is_multicast(a) || net_is_broadcast(net, a);
}

static bool is_link_group6(const struct addr *group)
{
	/* all nodes, all routers, MLDv2 routers, DHCPv6 servers, and a node's neighbors */
	static const uint32_t ids[] = { 0x1, 0x2, 0x16, 0x10002 };
	static const uint8_t solicited[13] = { 0xff, 2, [11] = 1, 0xff };
	static const uint8_t well_known[12] = { 0xff, 2 };
	uint32_t id = addr_get_ip4(group); /* the last four bytes */

	if ((group->b[1] & 0xf) < SCOPE_LINK || !memcmp(group->b, solicited, sizeof(solicited)))
		return true;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (id == ids[i] && !memcmp(group->b, well_known, sizeof(well_known)))
			return true;
	return false;
}

bool net_stays_on_link(const struct net *net, const struct addr *group)
{
	uint32_t ip = addr_get_ip4(group);

	if (!addr_is_ip4(group))
		return is_link_group6(group);
	if (addr_is_multicast(group))
		return ip == IP4_ALL_HOSTS || ip == IP4_ALL_ROUTERS || ip == IP4_IGMP;
	return ip != IP4_BROADCAST && net->ip4.address_source != NET_FROM_HOST;
}
