/* proto/tcp/retransmit.c: what the guest lost comes again.
 *
 * The link loses nothing, but the guest's own stack may drop what it has no room for.  There
 * is no congestion window: the way to the guest is a memory copy, its window and the link's
 * room are the limits.  Recovery resends the holes, two segments an ACK, so that it speeds up
 * as the guest answers. */
#include <errno.h>

#include "proto/tcp/conn.h"

#define DUPACKS		3 /* RFC 5681 3.2 */
#define SEGMENTS_AN_ACK 2

static void recover_from(struct env *env, struct tcp_conn *c)
{
	c->recovering = true;
	c->recover = c->snd_nxt;
	c->rtx_nxt = c->snd_una;
	c->rtt_timed = false;
}

void tcp_rtx_acked(struct env *env, struct tcp_conn *c, uint32_t ack)
{
	uint32_t bytes = ack - c->snd_una;

	if (c->fin_sent && seq_gt(ack, c->snd_fin))
		bytes--;
	c->n_acked += bytes;
	c->snd_una = ack;
	c->dupacks = 0;
	tcp_sack_acked(&c->sack, ack);
	tcp_rto_acked(&c->rto);
	if (c->rtt_timed && seq_gt(ack, c->rtt_seq)) {
		tcp_rto_sampled(&c->rto, env->now_ns - c->rtt_start_ns);
		c->rtt_timed = false;
	}
	if (c->recovering && seq_ge(ack, c->recover)) {
		c->recovering = c->go_back = false;
	} else if (c->recovering) {
		/* a partial ACK without SACK names the next hole (RFC 6582 3.2) */
		c->rtx_nxt = c->sack.n || c->go_back ? seq_max(c->rtx_nxt, ack) : ack;
	}
	c->rtx_deadline_ns = TIMERQ_NEVER; /* set anew by tcp_rtx_arm() (RFC 6298 5.3) */
}

void tcp_rtx_duplicate(struct env *env, struct tcp_conn *c)
{
	if (c->dupacks < UINT8_MAX)
		c->dupacks++;
	if (c->recovering || (c->dupacks < DUPACKS && tcp_sack_bytes(&c->sack) <= 2u * c->mss))
		return;
	env->stats.tcp_fast_retransmits++;
	recover_from(env, c);
}

void tcp_rtx_reopened(struct env *env, struct tcp_conn *c)
{
	tcp_rto_restore(&c->rto);
	c->rtx_deadline_ns = TIMERQ_NEVER;
	if (c->snd_una == c->snd_nxt)
		return;
	c->go_back = true; /* it closed on data in flight, and dropped that */
	recover_from(env, c);
}

bool tcp_in_flight(const struct env *env, const struct flow_key *key, uint32_t seq)
{
	const struct tcp_conn *c = (struct tcp_conn *)flow_table_lookup(&env->flows, key);

	return c && c->state >= TCP_ESTABLISHED && seq_ge(seq, c->snd_una) && seq_lt(seq, c->snd_nxt);
}

void tcp_send_smaller(struct env *env, const struct flow_key *key, size_t len)
{
	struct tcp_conn *c;
	uint16_t before;

	if (env->tcp->n_touched == TCP_TOUCHED_MAX)
		tcp_batch_end(env);
	c = (struct tcp_conn *)flow_table_lookup(&env->flows, key);
	if (!c)
		return;
	before = c->mss;
	tcp_follow_path(env, c);
	/* once for all that is in flight (RFC 8201 5.4): each of them may be complained about */
	if (len <= tcp_ip_header_len(key) + TCP_HEADER_LEN + c->mss ||
	    (c->go_back && c->mss == before))
		return;
	c->go_back = true;
	recover_from(env, c);
	tcp_touch(env, c);
}

bool tcp_rtx_timeout(struct env *env, struct tcp_conn *c)
{
	if (c->snd_una == c->snd_nxt && c->held_back) {
		c->override = true;
		return tcp_output(env, c);
	}
	if (c->snd_una == c->snd_nxt) { /* the guest's window is closed */
		if (tcp_send_control(env, c, c->snd_una - 1, TCP_ACK))
			env->stats.tcp_zero_window_probes++;
		else
			tcp_wait_for_room(env, c);
		tcp_rtx_arm(env, c);
		return true;
	}
	env->stats.tcp_timeouts++;
	c->sack.n = 0; /* the guest may have forgotten (RFC 2018 8) */
	c->dupacks = 0;
	c->go_back = true;
	recover_from(env, c);
	return tcp_output(env, c);
}

/* What counts as lost, from rtx_nxt on. */
static bool lost(const struct tcp_conn *c, struct tcp_sack_block *hole)
{
	uint32_t left = c->rtx_nxt;

	if (tcp_sack_hole(&c->sack, left, c->recover, hole))
		return true;
	if (c->sack.n)
		left = seq_max(left, c->sack.ranges[c->sack.n - 1].right);
	*hole = (struct tcp_sack_block){ left, c->recover };
	return seq_lt(left, c->recover) && (c->go_back || (!c->sack.n && left == c->snd_una));
}

/* The next hole to fill, if any: within the guest's window, but for the first of all, which asks
 * a guest that took its window back. */
static bool next_hole(const struct tcp_conn *c, struct tcp_sack_block *hole)
{
	uint32_t edge = c->snd_una + c->snd_wnd;

	if (!lost(c, hole))
		return false;
	if (seq_lt(hole->left, edge)) {
		hole->right = seq_min(hole->right, edge);
		return true;
	}
	return hole->left == c->snd_una;
}

static bool send_fin_again(struct env *env, struct tcp_conn *c)
{
	if (!tcp_send_control(env, c, c->snd_fin, TCP_FIN | TCP_ACK)) {
		tcp_wait_for_room(env, c);
		return true;
	}
	c->rtx_nxt = c->snd_fin + 1;
	c->n_retransmits++;
	env->stats.tcp_retransmits++;
	return true;
}

bool tcp_rtx_continue(struct env *env, struct tcp_conn *c)
{
	struct tcp_sack_block hole;
	bool drained;

	for (int i = 0; i < SEGMENTS_AN_ACK && next_hole(c, &hole); i++) {
		ssize_t n;

		if (c->fin_sent && hole.left == c->snd_fin)
			return send_fin_again(env, c);
		if (c->fin_sent)
			hole.right = seq_min(hole.right, c->snd_fin);
		n = hole.right - hole.left;
		n = tcp_send_data(env, c, hole.left, n < c->mss ? (uint32_t)n : c->mss, &drained);
		if (n == -ENOBUFS)
			break;
		if (n < 0 && n != -EAGAIN) {
			tcp_fail(env, c, (int)-n);
			return false;
		}
		if (n <= 0) { /* what was there before is not: nothing can mend this */
			tcp_abort(env, c, FLOW_CLOSED_HOST_ERROR);
			return false;
		}
		c->rtx_nxt = hole.left + (uint32_t)n;
		c->n_retransmits++;
		env->stats.tcp_retransmits++;
	}
	return true;
}

/* Data waits, nothing is in flight whose ACK could open the guest's window. */
static bool probing(const struct tcp_conn *c)
{
	return tcp_sends(c) && c->host_readable && (!c->snd_wnd || c->held_back);
}

void tcp_rtx_arm(struct env *env, struct tcp_conn *c)
{
	if (c->snd_una == c->snd_nxt && !probing(c)) {
		c->rtx_deadline_ns = TIMERQ_NEVER;
		return;
	}
	if (c->rtx_deadline_ns != TIMERQ_NEVER)
		return;
	c->rtx_deadline_ns = env->now_ns + c->rto.rto_ns;
	tcp_timer_update(env, c);
}
