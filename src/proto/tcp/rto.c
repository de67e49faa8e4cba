/* proto/tcp/rto.c: RFC 6298. */
#include "proto/tcp/rto.h"

static uint64_t bounded(uint64_t rto)
{
	return rto < TCP_RTO_MIN_NS ? TCP_RTO_MIN_NS : rto > TCP_RTO_MAX_NS ? TCP_RTO_MAX_NS : rto;
}

static uint64_t from_estimate(const struct tcp_rto *r)
{
	return r->srtt_ns ? bounded(r->srtt_ns + 4 * r->rttvar_ns) : TCP_RTO_INITIAL_NS;
}

void tcp_rto_sampled(struct tcp_rto *r, uint64_t rtt_ns)
{
	if (!rtt_ns)
		rtt_ns = 1;
	if (!r->srtt_ns) { /* 2.2 */
		r->srtt_ns = rtt_ns;
		r->rttvar_ns = rtt_ns / 2;
	} else { /* 2.3 */
		uint64_t delta = r->srtt_ns > rtt_ns ? r->srtt_ns - rtt_ns : rtt_ns - r->srtt_ns;

		r->rttvar_ns = r->rttvar_ns - r->rttvar_ns / 4 + delta / 4;
		r->srtt_ns = r->srtt_ns - r->srtt_ns / 8 + rtt_ns / 8;
	}
	r->rto_ns = from_estimate(r);
	r->backoff = 0;
}

void tcp_rto_expired(struct tcp_rto *r)
{
	r->rto_ns = bounded(r->rto_ns * 2);
	if (r->backoff < UINT8_MAX)
		r->backoff++;
}

void tcp_rto_acked(struct tcp_rto *r)
{
	uint64_t most = bounded(4 * from_estimate(r));

	r->backoff = 0;
	r->rto_ns = r->rto_ns < most ? r->rto_ns : most;
}

void tcp_rto_alive(struct tcp_rto *r)
{
	r->backoff = 0;
}

void tcp_rto_restore(struct tcp_rto *r)
{
	r->backoff = 0;
	r->rto_ns = from_estimate(r);
}
