/* proto/host_error.h: errors of the host's network, told to the guest as ICMP.
 *
 * A host socket learns why a datagram did not arrive in two ways: a call fails, or the kernel
 * queues the ICMP error that came for it.  Either way the guest gets an ICMP error that
 * quotes its own packet, with the addresses and ports that it used.
 */
#ifndef PROTO_HOST_ERROR_H
#define PROTO_HOST_ERROR_H

#include "proto/guest.h"

/* RFC 4443 2.4: 1,280 bytes less two IP headers and one ICMP; with IPv4 it is less. */
#define HOST_ERROR_QUOTE_MAX (IP6_MTU_MIN - 2 * IP6_HEADER_LEN - ICMP_HEADER_LEN)

/* An ICMP error that a socket received; of the family of `from`. */
struct host_error {
	struct icmp_error icmp;
	struct addr from; /* the router or host that sent it */
	/* What it quotes, from behind the UDP header or from the ICMP header on. */
	size_t len;
	uint8_t quote[HOST_ERROR_QUOTE_MAX];
};

/* The packet of the guest that an error is about; `l4` starts with the transport header. */
struct host_error_packet {
	const struct flow *flow;
	uint8_t proto, ttl, tos;
	bool dont_fragment;
	size_t len; /* of the transport part as sent; at least l4_len */
	const uint8_t *l4;
	size_t l4_len;
};

/* The ICMP error for a socket call that failed with `error` (an errno), for packets of the guest's
 * address `guest`. */
struct host_error host_error_from_errno(const struct net *net, const struct addr *guest, int error);

/* Sends `e` to the guest, quoting `p`; types other than unreachable, packet too big, time exceeded and
 * parameter problem are ignored.  The address of the sender is mapped as the guest knows it.  Where the
 * guest talks to the peer in the other family, so does the error (RFC 7915 4.2, 5.2), from the guest's
 * gateway.  Whether it was sent. */
bool host_error_send(struct env *env, const struct host_error *e,
		     const struct host_error_packet *p);

#endif
