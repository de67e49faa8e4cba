/* wire/pkt.h: one pass over a frame from the guest, Ethernet to transport header. */
#ifndef WIRE_PKT_H
#define WIRE_PKT_H

#include "wire/drop.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip4.h"
#include "wire/ip6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

struct pkt {
	struct eth_hdr eth;

	/* IP of either family; valid for IP packets.  `ip` to `ip` + `ip_len` is the packet without
	 * the Ethernet header and without padding, as quoted by ICMP errors. */
	const uint8_t *ip;
	size_t ip_len;
	size_t ip_header_len; /* with options or extension headers */
	struct addr src, dst; /* of the same family */
	uint8_t proto; /* enum ip_proto */
	uint8_t ttl, tos; /* IPv6: hop limit, traffic class */
	bool dont_fragment; /* IPv6: always, but for what came in fragments */

	/* Part of a datagram, of which no transport header was read. */
	bool fragment, more_fragments;
	uint16_t fragment_offset; /* bytes */
	uint32_t fragment_id;
	struct ip6_chain chain; /* IPv6 alone */

	/* Transport: header and payload. */
	const uint8_t *l4;
	size_t l4_len;
	union {
		struct udp_hdr udp;
		struct tcp_hdr tcp;
		struct icmp_hdr icmp; /* and ICMPv6 */
	};
	const uint8_t *payload;
	size_t payload_len;
};

/* Decodes a frame; views in `p` point into `frame`.  Ethernet payloads other than IP are left
 * at p->l4.  Checksums are not verified: a guest with checksum offload leaves them
 * unfinished. */
enum drop pkt_decode(const uint8_t *frame, size_t len, struct pkt *p);

/* Decodes an IP packet, as pkt_decode() does behind the Ethernet header, which stays as it is in
 * `p`. */
enum drop pkt_decode_ip(const uint8_t *ip, size_t len, struct pkt *p);

/* Decodes the IP packet that an ICMP error quotes, whose end may be missing: as far as p->l4, where
 * the transport header begins. */
enum drop pkt_decode_quote(const uint8_t *ip, size_t len, struct pkt *p);

#endif
