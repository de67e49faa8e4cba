/* proto/tcp/sack.h: what the guest has of the data in flight (RFC 2018, RFC 6675). */
#ifndef PROTO_TCP_SACK_H
#define PROTO_TCP_SACK_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/tcp.h"

#define TCP_SACK_RANGES 8

/* Sorted ranges of sequence numbers, without overlap, all above the cumulative ACK. */
struct tcp_sack {
	uint8_t n;
	struct tcp_sack_block ranges[TCP_SACK_RANGES];
};

/* Adds a block that lies within (una, max]; others are ignored.  With too many ranges the
 * highest is forgotten, which costs a retransmission and no more.  Whether anything new was
 * learned. */
bool tcp_sack_add(struct tcp_sack *s, struct tcp_sack_block b, uint32_t una, uint32_t max);

/* The cumulative ACK moved to `una`. */
void tcp_sack_acked(struct tcp_sack *s, uint32_t una);

/* The first hole at or behind `from`: its bounds, `right` at most `max`.  False when there is no
 * hole below the highest range. */
bool tcp_sack_hole(const struct tcp_sack *s, uint32_t from, uint32_t max, struct tcp_sack_block *hole);

/* Bytes in all ranges. */
uint32_t tcp_sack_bytes(const struct tcp_sack *s);

#endif
