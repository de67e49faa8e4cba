/* wire/icmp.h: ICMP for IPv4 (RFC 792, RFC 1191), and the header that ICMPv6 shares. */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include "base/cursor.h"

#define ICMP_HEADER_LEN 8

enum icmp_type {
	ICMP_TYPE_ECHO_REPLY = 0,
	ICMP_TYPE_UNREACHABLE = 3,
	ICMP_TYPE_ECHO = 8,
	ICMP_TYPE_TIME_EXCEEDED = 11,
	ICMP_TYPE_PARAMETER_PROBLEM = 12
};

enum icmp_unreachable_code {
	ICMP_CODE_NET = 0,
	ICMP_CODE_HOST = 1,
	ICMP_CODE_PROTOCOL = 2,
	ICMP_CODE_PORT = 3,
	ICMP_CODE_FRAGMENTATION_NEEDED = 4,
	ICMP_CODE_NET_PROHIBITED = 9,
	ICMP_CODE_HOST_PROHIBITED = 10,
	ICMP_CODE_ADMIN_PROHIBITED = 13
};

/* of time exceeded, in both families */
#define ICMP_CODE_TRANSIT    0
#define ICMP_CODE_REASSEMBLY 1

struct icmp_hdr {
	uint8_t type, code;
	uint16_t id;	 /* echo: identifier; else the upper half of the rest */
	uint16_t seq;	 /* echo: sequence number; else the lower half: an MTU, for instance */
};

/* Reads the first eight bytes, checksum skipped. */
void icmp_decode(struct rd *r, struct icmp_hdr *h);

/* Writes eight bytes, with a checksum of zero. */
void icmp_encode(struct wr *w, const struct icmp_hdr *h);

#define ICMP_CHECKSUM_OFFSET 2

#endif
