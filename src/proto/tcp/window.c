/* proto/tcp/window.c: the window as a promise (RFC 9293 3.8.6).
 *
 * The right edge lies within what the receive queue can hold beyond the host side's place in
 * the stream, and never moves back.  The window scale rounds (RFC 7323 2.4): up, so that the
 * edge does not seem to move back, which makes it creep forward while the host side takes
 * nothing.  SLACK is kept for that; when it is used up the field is rounded down, and what was
 * promised is still accepted. */
#include "proto/tcp/conn.h"

#define WINDOW_MIN 65536u
#define SLACK	   4096u

/* How far beyond the host's place the edge may lie: less when memory gets scarce. */
static uint32_t span(const struct env *env, const struct tcp_conn *c)
{
	const struct tcp_chunk_pool *pool = &env->tcp->pool;
	uint32_t max = TCP_RECVQ_MAX - SLACK;
	size_t spare = (pool->n_max - pool->n_used) * TCP_CHUNK_SIZE / 8;

	if (spare < max)
		max = spare > WINDOW_MIN ? (uint32_t)spare : WINDOW_MIN;
	return max;
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
	return (uint16_t)window;
}

uint16_t tcp_window_first(struct env *env, struct tcp_conn *c)
{
	c->rcv_adv = c->rcv_nxt + UINT16_MAX;
	return UINT16_MAX;
}

bool tcp_window_opened(struct env *env, const struct tcp_conn *c)
{
	if (!tcp_receives(c) || c->fin_received)
		return false;
	return c->rcv_adv - c->rcv_nxt < span(env, c) / 2 &&
	       edge(env, c) - c->rcv_adv >= step(env, c);
}
