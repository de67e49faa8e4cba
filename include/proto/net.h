/* proto/net.h: the network as the guest sees it, and how its addresses map to the host's.
 *
 * Computed from the command line and the host's state at the start; resolvers and search list
 * follow resolv.conf.
 */
#ifndef PROTO_NET_H
#define PROTO_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "proto/conf.h"

#define NET_MTU_MAX	65520
#define NET_MTU_UNTOLD	1500 /* what a guest takes when it is told none */
#define NET_UPSTREAMS_MAX 8
#define NET_DNS_RELAY_MAX 32

/* Where a value came from, for people. */
enum net_source { NET_FROM_FLAG, NET_FROM_HOST, NET_FROM_FALLBACK };

struct net {
	struct addr guest;	/* the address that DHCP gives */
	uint8_t prefix_len;	/* 0..32 */
	struct addr gateway;	/* ours: DHCP server, source of our ICMP errors */
	struct mac mac;		/* ours */
	uint16_t mtu;		/* of the guest's interface */
	bool tell_mtu;		/* DHCP option 26 */
	enum net_source address_source, dns_source, mtu_source;
	char interface[16];	/* host interface that served as template; "" without one */

	/* told to the guest */
	struct addr dns[CONF_DNS_MAX];
	unsigned n_dns;
	char search[CONF_SEARCH_MAX][CONF_NAME_MAX];
	unsigned n_search;
	struct addr ntp[CONF_NTP_MAX];
	unsigned n_ntp;
	char hostname[CONF_NAME_MAX]; /* "": none; likewise the others */
	char fqdn[CONF_NAME_MAX];

	/* the relay answers at port 53 of these: --dns-forward, dns[] above, and what dns[] was
	 * before resolv.conf changed, for the guest keeps that until its lease is renewed */
	struct addr dns_relay[NET_DNS_RELAY_MAX];
	unsigned n_dns_relay;
	struct addr upstreams[NET_UPSTREAMS_MAX]; /* the host's resolvers */
	unsigned n_upstreams;

	/* mapping: guest destination -> host */
	bool map_loopback_set, map_guest_set;
	struct addr map_loopback; /* reaches the host's loopback */
	struct addr map_guest;	  /* reaches the host's address that equals the guest's */
	bool outbound_set;
	struct addr outbound;	  /* source address of host sockets */
	char outbound_interface[16];
};

/* Whether the relay answers DNS at this address. */
bool net_is_dns(const struct net *net, const struct addr *a);

/* The address on the host's network that the guest means by `dst`. */
struct addr net_to_host(const struct net *net, const struct addr *dst);

/* How a host-side source address appears to the guest: loopback becomes map_loopback (the
 * gateway when there is none), the guest's own address becomes map_guest, or the gateway. */
struct addr net_to_guest(const struct net *net, const struct addr *src);

/* Whether `a` is the limited broadcast address or the subnet's. */
bool net_is_broadcast(const struct net *net, const struct addr *a);

#endif
