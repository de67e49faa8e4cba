/* lib/tcp_hand.h: one TCP connection of the guest, its segments written by hand.
 *
 *	hand_begin(0xfffffff0, 0x7ffffff0);       // initial sequence numbers: guest's, relay's
 *	hand_reach(TCP_ESTABLISHED);
 *	hand_send(TCP_ACK, hand.seq, hand.ack, 10);
 *	hand_batch();                             // the link's batch is over
 *	hand_expect(TCP_ACK, hand.ack, hand.seq + 10, 0);
 *	hand_end();
 *
 * The guest is 10.0.2.15:40000, the peer 198.51.100.2:80; over IPv6 they are 2001:db8:2::f and
 * 2001:db8:1::2.  What the guest sends as payload is
 * the stream that the fake host expects; payload of the relay is compared with the stream that
 * the fake host writes.
 */
#ifndef TESTS_LIB_TCP_HAND_H
#define TESTS_LIB_TCP_HAND_H

#include "lib/fake_guest.h"
#include "lib/fake_host.h"
#include "proto/tcp/conn.h"

#define HAND_MSS    1460
#define HAND_WINDOW 64000
#define HAND_WSCALE 7

struct hand {
	struct fake_guest g;
	struct fake_host h;
	bool ip6;
	struct tcp_hdr syn; /* options and window of the guest's SYN or SYN-ACK */
	uint16_t window;    /* of its other segments, as on the wire */
	struct tcp_sack_block sack[TCP_SACK_BLOCKS_MAX];
	uint8_t n_sack; /* of its next segment */
	uint32_t irs, iss;
	uint32_t seq;  /* the guest's next sequence number; hand_send() does not move it */
	uint32_t ack;  /* what the guest expects next; hand_next() does not move it */
	size_t n_seen; /* frames that hand_next() returned */
};

extern struct hand hand;

void hand_begin(uint32_t irs, uint32_t iss);

/* Likewise, over IPv6. */
void hand_begin6(uint32_t irs, uint32_t iss);

/* Closes what is left; fails the test if a timer, memory or a frame nobody looked at remains.
 */
void hand_end(void);

/* A fresh connection in this state; nothing is in flight but what the state itself means, and
 * hand.seq and hand.ack stand behind all that was sent. */
void hand_reach(enum tcp_state s);

/* The relay's connection, NULL when it has none. */
struct tcp_conn *hand_conn(void);

/* A segment of the guest; the link's batch goes on. */
void hand_send(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
void hand_batch(void);

/* Both, for a segment without payload at hand.seq that acknowledges hand.ack. */
void hand_ack(void);

/* The next frame that the relay has sent, with right addresses, checksums and payload; false
 * when there is none. */
bool hand_next(struct pkt *p);

/* Fails the test unless the next frame is this one. */
void hand_expect(uint8_t flags, uint32_t seq, uint32_t ack, size_t len);
void hand_expect_nothing(void);

/* Nothing yet; then, in time, the ACK that waited for an answer to ride on. */
void hand_expect_late_ack(uint32_t seq, uint32_t ack);

/* Looks no more at what was sent. */
void hand_forget(void);

#endif
