/* wire/udp.h: UDP header (RFC 768). */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include "base/cursor.h"

#define UDP_HEADER_LEN 8

struct udp_hdr {
	uint16_t sport, dport;
	uint16_t len; /* header and payload */
	uint16_t checksum;
};

void udp_decode(struct rd *r, struct udp_hdr *h);
void udp_encode(struct wr *w, const struct udp_hdr *h);

#endif
