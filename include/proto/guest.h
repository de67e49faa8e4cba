/* proto/guest.h: IP packets to the guest, for all but the TCP fast path. */
#ifndef PROTO_GUEST_H
#define PROTO_GUEST_H

#include <sys/uio.h>

#include "proto/env.h"

/* Addressing of a packet to the guest; the addresses choose the family. */
struct guest_out {
	struct addr src, dst;
	uint8_t proto;	   /* enum ip_proto */
	uint8_t ttl;	   /* 0: 64 */
	uint8_t tos;
	uint32_t flow_label; /* IPv6 */
	bool dont_fragment; /* sent in one piece whatever the MTU of its path */
	bool bulk;	   /* may wait in a host socket instead: refused when the link is full */
	bool has_mac;	   /* send to `mac` rather than to the guest's learned address */
	struct mac mac;
};

/* What a packet of the guest ran into, for both families. */
enum guest_error {
	GUEST_ERROR_NET,	/* there is no way to the destination */
	GUEST_ERROR_HOST,	/* the destination does not answer */
	GUEST_ERROR_PROTOCOL,	/* ... does not know the protocol */
	GUEST_ERROR_PORT,	/* ... has nobody at the port */
	GUEST_ERROR_PROHIBITED, /* somebody does not allow it */
	GUEST_ERROR_TTL,	/* it may go no further */
	GUEST_ERROR_REASSEMBLY, /* fragments are missing */
	N_GUEST_ERRORS
};

/* Writes an Ethernet header to the guest (learned MAC, broadcast until known). */
void guest_eth_encode(const struct env *env, struct wr *w, uint16_t type);

/* Sends one IP packet whose transport part is `n` pieces, in fragments (RFC 791 2.3, RFC 8200 4.5)
 * where it is larger than the MTU of its path.  0; -ENOBUFS when the link has no room (nothing was
 * sent); -EMSGSIZE beyond 65,535 bytes. */
int guest_send(struct env *env, const struct guest_out *o, const struct iovec *l4, int n);

/* Sends a UDP datagram with the right checksum; o->proto is ignored.  Errors as guest_send(). */
int guest_send_udp(struct env *env, const struct guest_out *o, uint16_t sport, uint16_t dport,
		   const void *payload, size_t len);

/* Sends an ICMP message of the family of o->src with the right checksum; o->proto is ignored. Errors as
 * guest_send(). */
int guest_send_icmp(struct env *env, const struct guest_out *o, const struct icmp_hdr *h,
		    const void *payload, size_t len);

/* An ICMP error of one family. */
struct icmp_error {
	uint8_t type, code;
	uint32_t rest; /* IPv4: next-hop MTU of fragmentation needed; IPv6: MTU or pointer */
};

/* The form that `e` has for the packets of `p`. */
struct icmp_error guest_error_of(enum guest_error e, const struct pkt *p);

/* Answers a packet of the guest with an ICMP error that quotes it (RFC 792, RFC 1812 4.3.2, RFC
 * 4443 2.4: never for errors, fragments of IPv4 other than the first, broadcasts and multicasts, and
 * not too often).  `from` is the router or host that complains.  Whether it was sent. */
bool guest_send_icmp_error(struct env *env, const struct pkt *p, const struct addr *from,
			   const struct icmp_error *e);

/* The same from the guest's gateway. */
void guest_send_error(struct env *env, const struct pkt *p, enum guest_error e);

#endif
