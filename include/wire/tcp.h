/* wire/tcp.h: TCP segment header and options (RFC 9293 3.1, RFC 7323, RFC 2018). */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include "base/cursor.h"

#define TCP_HEADER_LEN	   20
#define TCP_HEADER_MAX	   60
#define TCP_SACK_BLOCKS_MAX 4
#define TCP_WSCALE_MAX	   14 /* RFC 7323 2.3 */

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80
};

struct tcp_sack_block {
	uint32_t left, right; /* [left, right) in sequence space */
};

struct tcp_hdr {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t header_len; /* bytes, with options */
	uint8_t flags;	    /* enum tcp_flag */
	uint16_t window;    /* as on the wire, unscaled */
	/* options */
	uint16_t mss;	    /* 0: absent */
	bool has_wscale;
	uint8_t wscale;	    /* at most TCP_WSCALE_MAX */
	bool sack_permitted;
	uint8_t n_sack;
	struct tcp_sack_block sack[TCP_SACK_BLOCKS_MAX];
};

/* Reads header and options; the reader stands at the payload.  0, or -EINVAL when the header
 * is truncated or its length wrong.  A malformed option ends the options (RFC 9293 3.1:
 * others are ignored), it does not fail the segment. */
int tcp_decode(struct rd *r, struct tcp_hdr *h);

/* Writes header and options (MSS, SACK-permitted, window scale, SACK blocks, as set) with a
 * checksum of zero; header_len is computed.  Returns the header's length; 0 when it did not
 * fit. */
size_t tcp_encode(struct wr *w, const struct tcp_hdr *h);

#define TCP_CHECKSUM_OFFSET 16

#endif
