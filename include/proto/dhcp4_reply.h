/* proto/dhcp4_reply.h: what a DHCPv4 reply says: options, in their order, within its size. */
#ifndef PROTO_DHCP4_REPLY_H
#define PROTO_DHCP4_REPLY_H

#include "proto/conf.h"
#include "proto/lease.h"
#include "proto/net.h"
#include "wire/dhcp4.h"

#define DHCP4_REPLY_MAX 1472 /* fills an Ethernet frame of 1500 bytes with IP and UDP */

/* Bits, so that a set of them tells which replies an option belongs to. */
enum dhcp4_reply_kind {
	DHCP4_REPLY_OFFER = 1,
	DHCP4_REPLY_ACK = 2,
	DHCP4_REPLY_INFORM = 4, /* ACK to an INFORM: settings without a lease */
	DHCP4_REPLY_NAK = 8,
	DHCP4_REPLY_BOOTP = 16
};

struct dhcp4_reply {
	enum dhcp4_reply_kind kind;
	const struct net *net;
	struct addr server; /* what the client shall know us as */
	const struct conf *conf;
	const struct dhcp4_msg *request;
	size_t request_len; /* bytes of the request as it came */
};

/* What a lease of so many seconds is: T1 and T2 of RFC 2131 4.4.5. */
struct lease_times dhcp4_times(uint32_t seconds);

/* Writes the reply to `request` with header `h` into `buf`, and returns its length.  When not all
 * options fit the size that the client takes, the more important ones have the room; how many
 * were left out goes to *n_left_out. */
size_t dhcp4_reply_encode(const struct dhcp4_reply *r, const struct dhcp4_hdr *h,
			  uint8_t buf[static DHCP4_REPLY_MAX], unsigned *n_left_out);

#endif
