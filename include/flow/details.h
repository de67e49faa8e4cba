/* flow/details.h: what is found out about a flow only when somebody asks. */
#ifndef FLOW_DETAILS_H
#define FLOW_DETAILS_H

#include <stdbool.h>
#include <stdint.h>

#define FLOW_CONGESTION_MAX 16 /* TCP_CA_NAME_MAX, with the terminating zero */

/* What the kernel knows of its connection with the peer (TCP_INFO, see tcp(7)). */
struct flow_kernel {
	uint64_t rtt_us, rttvar_us;
	uint64_t mss;	      /* of segments to the peer */
	uint64_t cwnd;	      /* in segments */
	uint64_t retransmits; /* segments sent again, ever */
	uint64_t unacked_retransmits; /* of these, those that nobody has acknowledged yet */
	uint64_t unanswered;  /* retransmissions in a row, now */
	uint64_t send_queue;  /* bytes that the peer has not acknowledged, sent or not */
	uint64_t recv_queue;  /* bytes that the guest has not acknowledged, sent to it or not */
	uint64_t peer_window; /* bytes the peer takes now */
	bool peer_window_known; /* since Linux 5.4 */
	char congestion[FLOW_CONGESTION_MAX]; /* "cubic", ... */
};

struct flow_details {
	uint64_t queue_out; /* bytes of the guest that wait for the host's socket */

	bool tcp; /* ... it is, and these are known */
	uint64_t unacked;      /* bytes sent to the guest that it has not acknowledged */
	uint64_t window;       /* bytes the guest may send */
	uint64_t guest_window; /* bytes the guest takes */
	uint64_t mss;	       /* of segments to the guest */
	uint64_t guest_rtt_us; /* 0: not known */
	uint64_t guest_retransmits; /* segments sent to the guest again */

	bool kernel; /* ... has a socket for it */
	struct flow_kernel peer;
};

#endif
