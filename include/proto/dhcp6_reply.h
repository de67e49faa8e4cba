/* proto/dhcp6_reply.h: what a DHCPv6 reply says: identifiers, IAs, settings, within its size.
 */
#ifndef PROTO_DHCP6_REPLY_H
#define PROTO_DHCP6_REPLY_H

#include "proto/conf.h"
#include "proto/lease.h"
#include "proto/net.h"
#include "wire/dhcp6.h"
#include "wire/ip6.h"
#include "wire/udp.h"

/* Fits the least MTU of IPv6, so that no reply comes in fragments. */
#define DHCP6_REPLY_MAX	      (IP6_MTU_MIN - IP6_HEADER_LEN - UDP_HEADER_LEN)
#define DHCP6_SERVER_DUID_LEN 10

enum dhcp6_reply_kind {
	DHCP6_REPLY_ADVERTISE,
	DHCP6_REPLY_LEASE,    /* Reply with what becomes of the IAs, and settings */
	DHCP6_REPLY_SETTINGS, /* ... to an Information-request */
	DHCP6_REPLY_STATUS,   /* ... with a status and nothing else */
	DHCP6_REPLY_RELEASE   /* ... with a status, and the IAs that hold no lease */
};

struct dhcp6_reply {
	enum dhcp6_reply_kind kind;
	const struct net *net;
	const struct conf *conf;
	const struct dhcp6_msg *request;
	/* the one of the request that the address goes to, or comes back from; code 0: none */
	struct dhcp6_ia ia;
	enum dhcp6_status status;
};

/* Our identifier: DUID-LL (RFC 8415 11.4). */
void dhcp6_server_duid(const struct net *net, uint8_t duid[static DHCP6_SERVER_DUID_LEN]);

/* T1, T2 and the valid lifetime of an address that is leased for so many seconds: T1 and T2 are
 * parts of its preferred lifetime (RFC 8415 21.4), which ends before it. */
struct lease_times dhcp6_times(uint32_t seconds);

/* Whether the IA names an address, and all or some of those are not of the guest's link. */
bool dhcp6_is_off_link(const struct net *net, const struct dhcp6_ia *ia);

/* Writes the reply into `buf`, and returns its length.  What finds no room is left out; how
 * much that was goes to *n_left_out.  There always is for `r->ia`. */
size_t dhcp6_reply_encode(const struct dhcp6_reply *r, uint8_t buf[static DHCP6_REPLY_MAX],
			  unsigned *n_left_out);

#endif
