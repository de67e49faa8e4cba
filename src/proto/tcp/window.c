/* proto/tcp/window.c: the window as a promise (RFC 9293 3.8.6).
 *
 * The right edge lies within what the receive queue can hold beyond the host side's place in
 * the stream, and never moves back.  The window scale rounds (RFC 7323 2.4): up, so that the
 * edge does not seem to move back, which makes it creep forward while the host side takes
 * nothing.  SLACK is kept for that; when it is used up the field is rounded down, and what was
 * promised is still accepted. */
#include "proto/tcp/conn.h"

#define SLACK	 4096u
#define SPAN_MIN 16384u
#define SPAN_MAX (TCP_RECVQ_MAX - SLACK)
/* What active connections may hold together; a promise given stands when others join, so that
 * in the worst case about three times as much is held. */
#define SHARED_BYTES (16u << 20)
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

/* How far beyond the host's place the edge may lie: the connection's share of the memory. */
static uint32_t span(const struct env *env)
{
	const struct tcp *t = env->tcp;
	uint32_t n = t->n_active > t->n_active_before ? t->n_active : t->n_active_before,
		 share = SHARED_BYTES / (n ? n : 1);

	return share < SPAN_MIN ? SPAN_MIN : share > SPAN_MAX ? SPAN_MAX : share;
}

/* The right edge that we could promise now, as far as the window field reaches. */
static uint32_t edge(const struct env *env, const struct tcp_conn *c)
{
	uint32_t reach = c->rcv_nxt + ((uint32_t)UINT16_MAX << c->rcv_wscale);

	return seq_max(seq_min(c->recvq.base + span(env), reach), c->rcv_adv);
}

/* Receiver's silly window avoidance: RFC 9293 3.8.6.2.2. */
static uint32_t step(const struct env *env, const struct tcp_conn *c)
{
	uint32_t half = c->rcv_wscale ? span(env) / 2 : UINT16_MAX / 2;

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
	return (uint16_t)window;
}

uint16_t tcp_window_first(struct env *env, struct tcp_conn *c)
{
	c->rcv_adv = c->rcv_nxt + UINT16_MAX;
	return UINT16_MAX;
}

bool tcp_window_opened(struct env *env, const struct tcp_conn *c)
{
	uint32_t half = span(env) / 2, much = half < UINT16_MAX ? half : UINT16_MAX;

	if (!tcp_receives(c) || c->fin_received)
		return false;
	/* what has room for any segment keeps the guest busy: the ACK of that will tell */
	return c->rcv_adv - c->rcv_nxt < much && edge(env, c) - c->rcv_adv >= step(env, c);
}
