/* proto/tcp/window.c: the window as a promise (RFC 9293 3.8.6).
 *
 * The right edge lies within what the receive queue can hold beyond the host side's place in
 * the stream, and never moves back.  The window scale rounds (RFC 7323 2.4): up, so that the
 * edge does not seem to move back, which makes it creep forward while the host side takes
 * nothing.  SLACK is kept for that; when it is used up the field is rounded down, and what was
 * promised is still accepted. */
#include "proto/tcp/conn.h"

#define SLACK	 4096u
#define SPAN_MAX (TCP_RECVQ_MAX - SLACK)
/* What every connection is promised, by our SYN already. It has room for any segment: a guest
 * that knew larger windows waits for that. */
#define SPAN_MIN (UINT16_MAX + 1u)
/* What all connections together may be promised beyond that; it is never more, since a promise
 * given stands, also to a connection that falls idle. */
#define SHARED_BYTES (32u << 20)
#define EPOCH_NS     (100 * NS_PER_MS)

void tcp_window_used(struct env *env, struct tcp_conn *c)
{
	struct tcp *t = env->tcp;

	if (env->now_ns >= t->epoch_end_ns) {
		t->n_active_before = env->now_ns < t->epoch_end_ns + EPOCH_NS ? t->n_active : 0;
		t->n_active = 0;
		t->epoch++;
		t->epoch_end_ns = env->now_ns + EPOCH_NS;
	}
	if (c->epoch == t->epoch)
		return;
	c->epoch = t->epoch;
	t->n_active++;
}

/* How far beyond the host's place the edge may lie: the connection's share of what is not
 * promised to others; but what brought little needs little. */
static uint32_t span(const struct env *env, const struct tcp_conn *c)
{
	const struct tcp *t = env->tcp;
	uint32_t n = t->n_active > t->n_active_before ? t->n_active : t->n_active_before;
	uint64_t others = t->promised - c->promised,
		 share = others < SHARED_BYTES ? (SHARED_BYTES - others) / (n ? n : 1) : 0,
		 brought = 2 * c->flow.bytes_out;

	share = SPAN_MIN + (share < brought ? share : brought);
	return share < SPAN_MAX ? (uint32_t)share : SPAN_MAX;
}

/* Counts what the connection is promised now; until the next segment it only becomes less. */
static void promise(struct env *env, struct tcp_conn *c)
{
	uint32_t bytes = (c->fin_received ? c->rcv_nxt : c->rcv_adv) - c->recvq.base,
		 before = c->promised;

	c->promised = bytes > SPAN_MIN ? bytes - SPAN_MIN : 0;
	env->tcp->promised += c->promised - (uint64_t)before;
}

void tcp_window_forget(struct env *env, const struct tcp_conn *c)
{
	env->tcp->promised -= c->promised;
}

/* The right edge that we could promise now, as far as the window field reaches. */
static uint32_t edge(const struct env *env, const struct tcp_conn *c)
{
	uint32_t reach = c->rcv_nxt + ((uint32_t)UINT16_MAX << c->rcv_wscale);

	return seq_max(seq_min(c->recvq.base + span(env, c), reach), c->rcv_adv);
}

/* Receiver's silly window avoidance: RFC 9293 3.8.6.2.2. */
static uint32_t step(const struct env *env, const struct tcp_conn *c)
{
	uint32_t half = c->rcv_wscale ? span(env, c) / 2 : UINT16_MAX / 2;

	return c->mss < half ? c->mss : half;
}

uint16_t tcp_window_advertise(struct env *env, struct tcp_conn *c)
{
	uint32_t right = edge(env, c), window, unit = 1u << c->rcv_wscale;

	if (right - c->rcv_adv < step(env, c))
		right = c->rcv_adv;
	window = (right - c->rcv_nxt) >> c->rcv_wscale;
	if (seq_lt(c->rcv_nxt + (window << c->rcv_wscale), right) &&
	    right + unit - c->recvq.base <= TCP_RECVQ_MAX)
		window += window < UINT16_MAX;
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + (window << c->rcv_wscale));
	promise(env, c);
	return (uint16_t)window;
}

uint16_t tcp_window_first(struct env *env, struct tcp_conn *c)
{
	c->rcv_adv = c->rcv_nxt + UINT16_MAX;
	return UINT16_MAX;
}

bool tcp_window_opened(struct env *env, const struct tcp_conn *c)
{
	uint32_t half = span(env, c) / 2, much = half > UINT16_MAX ? UINT16_MAX
						 : half > c->mss   ? half
								   : c->mss;

	if (!tcp_receives(c) || c->fin_received)
		return false;
	/* what has room for any segment keeps the guest busy: the ACK of that will tell */
	return c->rcv_adv - c->rcv_nxt < much && edge(env, c) - c->rcv_adv >= step(env, c);
}
