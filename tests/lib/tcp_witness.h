/* lib/tcp_witness.h: watches one connection where the guest's link is, sees what comes and
 *goes, and fails the test when the relay breaks a promise to the guest:
 *
 *	what comes within the window is kept, in order or not;
 *	nothing is acknowledged, in order or by SACK, that did not come;
 *	the SACK block of what came last stands first (RFC 2018 4);
 *	an ACK is sent at once, or after 10 ms if it is for less than a segment;
 *	the right edge never moves back, and not by silly steps (RFC 9293 3.8.6);
 *	room that returns is told;
 *	no silly segments are sent;
 *	no more memory is held than bytes wait.
 */
#ifndef TESTS_LIB_TCP_WITNESS_H
#define TESTS_LIB_TCP_WITNESS_H

#include "wire/pkt.h"

#define TCP_WITNESS_STREAM (1u << 20) /* bytes of the guest, at most */

struct env;
struct fake_host;

struct tcp_witness {
	uint32_t irs, mss;
	uint8_t wscale;
	bool sack_ok;

	/* offsets in the guest's stream; its first byte is 0 */
	uint32_t n_came;  /* without a hole */
	uint32_t highest; /* that came, plus one */
	uint32_t recent;  /* where what came last out of order begins */
	bool recent_untold;
	uint32_t told_ack, told_edge;
	uint64_t owed_since_ns; /* 0: no ACK is owed */

	/* offsets in the relay's stream */
	uint32_t iss, sent, sent_before;
	uint64_t available_before;

	uint8_t came[TCP_WITNESS_STREAM];
};

void tcp_witness_init(struct tcp_witness *w);

/* A segment that is about to come to the relay; one that the relay sent. */
void tcp_witness_from_guest(struct tcp_witness *w, const struct fake_host *h,
			    const struct pkt *p);
void tcp_witness_to_guest(struct tcp_witness *w, const struct fake_host *h,
			  const struct pkt *p);

/* Nothing more happens at this moment. */
void tcp_witness_settled(struct tcp_witness *w, const struct env *env,
			 const struct fake_host *h);

#endif
