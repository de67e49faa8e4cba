/* proto/net.h: the network as the guest sees it, and how its addresses map to the host's.
 *
 * Computed from the command line and the host's state; addresses follow the host's, resolvers
 * and search list resolv.conf.
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

/* A resolver of the host.  Link-local addresses are of one link each (RFC 4007 6): the same one on
 * another link is another resolver. */
struct upstream {
	struct addr addr;
	char link[CONF_INTERFACE_MAX]; /* the interface, by name or index; "": not told */
};

#define UPSTREAM_STR_MAX (ADDR_STR_MAX + CONF_INTERFACE_MAX)

/* One family of the guest's network. */
struct net_ip {
	bool on; /* the guest has this family */
	struct addr guest;  /* the address that DHCP or DHCPv6 gives */
	uint8_t prefix_len; /* of the network that `guest` lies in: 0..32, or 0..128 */
	/* Ours.  IPv4: DHCP server, source of our ICMP errors.  IPv6: link-local, source of
	 * router advertisements and all that a router says. */
	struct addr gateway;
	enum net_source address_source;
	char interface[CONF_INTERFACE_MAX]; /* host interface that served as template; "" without one */

	/* mapping: guest destination -> host */
	bool map_loopback_set, map_guest_set;
	struct addr map_loopback; /* reaches the host's loopback */
	struct addr map_guest;	  /* reaches the host's address that equals the guest's */

	bool outbound_set;
	struct addr outbound; /* source address of host sockets */
	char outbound_interface[CONF_INTERFACE_MAX];
};

struct net {
	struct net_ip ip4, ip6;
	struct mac mac;		/* ours */
	uint16_t mtu;		/* of the guest's interface */
	bool tell_mtu;		/* DHCP option 26, and in router advertisements */
	enum net_source dns_source, search_source, mtu_source;

	/* told to the guest; of both families */
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
	struct upstream upstreams[NET_UPSTREAMS_MAX]; /* the host's resolvers */
	unsigned n_upstreams;
};

/* The family of an address. */
static inline const struct net_ip *net_ip(const struct net *net, const struct addr *a)
{
	return addr_is_ip4(a) ? &net->ip4 : &net->ip6;
}

/* Whether the relay answers DNS at this address. */
bool net_is_dns(const struct net *net, const struct addr *a);

bool upstream_eq(const struct upstream *a, const struct upstream *b);

/* "192.0.2.53", or "fe80::1%eth0" (RFC 4007 11). */
const char *upstream_print(const struct upstream *u, char buf[static UPSTREAM_STR_MAX]);

/* The address on the host's network that the guest means by `dst`. */
struct addr net_to_host(const struct net *net, const struct addr *dst);

/* How a host-side source address appears to the guest: loopback becomes map_loopback (the
 * gateway when there is none), the guest's own address becomes map_guest, or the gateway. */
struct addr net_to_guest(const struct net *net, const struct addr *src);

/* Whether `a` is the limited broadcast address or the subnet's; IPv6 has none. */
bool net_is_broadcast(const struct net *net, const struct addr *a);

/* Whether datagrams to `a` are for several: a multicast group or a broadcast address. */
bool net_is_group(const struct net *net, const struct addr *a);

/* Whether a group is the business of the guest's own link: those by which hosts and routers know
 * each other (IANA's 224.0.0.1, .2 and .22, RFC 4291 2.7.1, RFC 3810, RFC 9915), the scopes below
 * a link's, and the broadcast address of a network that nobody else is in. */
bool net_stays_on_link(const struct net *net, const struct addr *group);

#endif
