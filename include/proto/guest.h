/* proto/guest.h: IP packets to the guest, for all but the TCP fast path. */
#ifndef PROTO_GUEST_H
#define PROTO_GUEST_H

#include <sys/uio.h>

#include "proto/env.h"

/* Addressing of a packet to the guest. */
struct guest_out {
	struct addr src, dst;
	uint8_t proto;	   /* enum ip_proto */
	uint8_t ttl;	   /* 0: IP4_TTL_DEFAULT */
	uint8_t tos;
	bool dont_fragment; /* sent in one piece whatever the guest's MTU */
	bool bulk;	   /* may wait in a host socket instead: refused when the link is full */
	bool has_mac;	   /* send to `mac` rather than to the guest's learned address */
	struct mac mac;
};

/* Writes an Ethernet header to the guest (learned MAC, broadcast until known). */
void guest_eth_encode(const struct env *env, struct wr *w, uint16_t type);

/* Sends one IPv4 packet whose transport part is `n` pieces, in fragments (RFC 791 2.3) where it
 * is larger than the guest's MTU.  0; -ENOBUFS when the link has no room (nothing was sent);
 * -EMSGSIZE beyond 65,535 bytes. */
int guest_send(struct env *env, const struct guest_out *o, const struct iovec *l4, int n);

/* Sends a UDP datagram with the right checksum; o->proto is ignored.  Errors as guest_send(). */
int guest_send_udp(struct env *env, const struct guest_out *o, uint16_t sport, uint16_t dport,
		   const void *payload, size_t len);

/* Answers a packet of the guest with an ICMP error that quotes it (RFC 792, RFC 1812 4.3.2:
 * never for errors, fragments other than the first, broadcasts and multicasts).  `mtu` is for
 * fragmentation needed.  `from` is the router or host that complains. */
void guest_send_icmp_error(struct env *env, const struct pkt *p, const struct addr *from,
			   uint8_t type, uint8_t code, uint16_t mtu);

#endif
