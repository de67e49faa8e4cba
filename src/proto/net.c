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

struct addr net_to_host(const struct net *net, const struct addr *dst)
{
	if (net->map_loopback_set && addr_eq(dst, &net->map_loopback))
		return addr_ip4(IP4_LOOPBACK);
	if (net->map_guest_set && addr_eq(dst, &net->map_guest))
		return net->guest;
	return *dst;
}

struct addr net_to_guest(const struct net *net, const struct addr *src)
{
	if (addr_is_loopback(src))
		return net->map_loopback_set ? net->map_loopback : net->gateway;
	if (addr_eq(src, &net->guest))
		return net->map_guest_set ? net->map_guest : net->gateway;
	return *src;
}

bool net_is_broadcast(const struct net *net, const struct addr *a)
{
	uint32_t mask = ip4_mask(net->prefix_len), ip = addr_get_ip4(a);

	if (!addr_is_ip4(a))
		return false;
	if (ip == IP4_BROADCAST)
		return true;
	return net->prefix_len < 31 && ip == (addr_get_ip4(&net->guest) | ~mask);
}
