/* wire/ip4.h: IPv4 header (RFC 791). */
#ifndef WIRE_IP4_H
#define WIRE_IP4_H

#include "base/addr.h"
#include "base/cursor.h"

#define IP4_HEADER_LEN 20 /* without options */
#define IP4_LEN_MAX    65535
#define IP4_TTL_DEFAULT 64

enum ip_proto { IP_ICMP = 1, IP_IGMP = 2, IP_TCP = 6, IP_UDP = 17, IP_ICMP6 = 58 };

struct ip4_hdr {
	uint8_t header_len; /* bytes, with options */
	uint8_t tos;
	uint16_t total_len;
	uint16_t id;
	bool dont_fragment;
	bool more_fragments;
	uint16_t fragment_offset; /* bytes */
	uint8_t ttl;
	uint8_t proto;
	struct addr src, dst;
};

/* Reads a header and its options; the reader stands behind them.  0, or -EINVAL when
 * truncated, of another version, or with lengths that contradict each other.  The header
 * checksum is not verified: the link is memory. */
int ip4_decode(struct rd *r, struct ip4_hdr *h);

/* Writes 20 bytes with a right checksum; header_len is ignored. */
void ip4_encode(struct wr *w, const struct ip4_hdr *h);

#endif
