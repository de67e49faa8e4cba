/* proto/host_error.h: errors of the host's network, told to the guest as ICMP.
 *
 * A host socket learns why a datagram did not arrive in two ways: a call fails, or the kernel
 * queues the ICMP error that came for it.  Either way the guest gets an ICMP error that
 * quotes its own packet, with the addresses and ports that it used.
 */
#ifndef PROTO_HOST_ERROR_H
#define PROTO_HOST_ERROR_H

#include "proto/env.h"

#define HOST_ERROR_QUOTE_MAX                                                                   \
	520 /* RFC 1812 4.3.2.3: 576 bytes less two IP headers and one ICMP */

/* An ICMP error that a socket received. */
struct host_error {
	uint8_t type, code;
	uint16_t mtu;	  /* of the next hop, with ICMP_CODE_FRAGMENTATION_NEEDED */
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

/* The ICMP error for a socket call that failed with `error` (an errno): always "destination
 * unreachable"; the code says why. */
struct host_error host_error_from_errno(const struct net *net, int error);

/* Sends `e` to the guest, quoting `p`; types other than unreachable, time exceeded and
 * parameter problem are ignored.  The address of the sender is mapped as the guest knows it. */
void host_error_send(struct env *env, const struct host_error *e,
		     const struct host_error_packet *p);

#endif
