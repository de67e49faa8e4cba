/* proto/tcp/rto.h: round-trip estimate and retransmission timeout (RFC 6298). */
#ifndef PROTO_TCP_RTO_H
#define PROTO_TCP_RTO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timerq.h"

#define TCP_RTO_INITIAL_NS NS_PER_SEC /* RFC 6298 2.1 */
#define TCP_RTO_AFTER_SYN_NS (3 * NS_PER_SEC) /* 5.7: a SYN was sent again, the way may be slow */
/* RFC 6298 2.4 asks for 1 s and allows less; the guest is a memory copy away, and its own
 * stack's least delay for an ACK is 40 ms. */
#define TCP_RTO_MIN_NS	   (200 * NS_PER_MS)
#define TCP_RTO_MAX_NS	   (120 * NS_PER_SEC) /* Linux's; 2.5 asks for 60 s at least */

struct tcp_rto {
	uint64_t srtt_ns, rttvar_ns; /* 0: no sample yet */
	uint64_t rto_ns;	     /* with back-off */
	uint8_t backoff;	     /* timeouts in a row */
};

#define TCP_RTO_INIT ((struct tcp_rto){ .rto_ns = TCP_RTO_INITIAL_NS })

/* A segment that was sent once was acknowledged after `rtt_ns` (Karn's algorithm is the
 * caller's). */
void tcp_rto_sampled(struct tcp_rto *r, uint64_t rtt_ns);

/* The timer expired: doubles the timeout (5.5). */
void tcp_rto_expired(struct tcp_rto *r);

/* New data was acknowledged that was not timed: of the back-off, two doublings stay until the next
 * sample (Karn's algorithm), or a peer whose ACKs are delayed by more than the timeout would be
 * sent everything twice for ever; more would make a lossy way slow. */
void tcp_rto_acked(struct tcp_rto *r);

/* The peer answered without acknowledging anything (a closed window): the count of timeouts in a
 * row begins anew, their distance stays. */
void tcp_rto_alive(struct tcp_rto *r);

/* What the timeout was doubled for is over (a closed window): it is the estimate's again. */
void tcp_rto_restore(struct tcp_rto *r);

#endif
