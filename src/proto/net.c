/* proto/net.c: address mapping between the guest's view and the host's network; pure. */
#include "proto/net.h"

#define IP4_BROADCAST 0xffffffffu
#define IP4_LOOPBACK  0x7f000001u

bool net_is_dns(const struct net *net, const struct addr *a)
{
	for (unsigned i = 0; i < net->n_dns_relay; i++)
		if (addr_eq(&net->dns_relay[i], a))
			return true;
	return false;
}

const char *net_upstream_link(const struct net *net, const struct addr *a)
{
	for (unsigned i = 0; i < net->n_upstreams; i++)
		if (addr_eq(&net->upstreams[i], a))
			return net->upstream_links[i];
	return "";
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
