/* wire/pkt.h: one pass over a frame from the guest, Ethernet to transport header. */
#ifndef WIRE_PKT_H
#define WIRE_PKT_H

#include "wire/drop.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

struct pkt {
	struct eth_hdr eth;

	/* IP; valid for IP packets.  `ip` to `ip` + `ip_len` is the packet without the
	 * Ethernet header and without padding, as quoted by ICMP errors. */
	const uint8_t *ip;
	size_t ip_len;
	struct ip4_hdr ip4;
	struct addr src, dst;
	uint8_t proto; /* enum ip_proto */
	uint8_t ttl, tos;
	bool fragment; /* part of a datagram; no transport header was read */

	/* Transport: header and payload. */
	const uint8_t *l4;
	size_t l4_len;
	union {
		struct udp_hdr udp;
		struct tcp_hdr tcp;
		struct icmp_hdr icmp;
	};
	const uint8_t *payload;
	size_t payload_len;
};

/* Decodes a frame; views in `p` point into `frame`.  Ethernet payloads other than IP are left
 * at p->l4.  Checksums are not verified: a guest with checksum offload leaves them
 * unfinished. */
enum drop pkt_decode(const uint8_t *frame, size_t len, struct pkt *p);

/* Decodes the transport header at p->l4, as pkt_decode() does for what is not a fragment; for
 * datagrams put together from fragments. */
enum drop pkt_decode_l4(struct pkt *p);

#endif
