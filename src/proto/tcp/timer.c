/* proto/tcp/timer.c: one timer a connection, for the earliest of its deadlines.
 *
 * Deadlines move later with nearly every segment; the timer is left alone then, and finds
 * when it fires that it has to wait on. */
#include "proto/tcp/conn.h"

#define RETRIES_MAX 15 /* timeouts in a row: more than ten minutes */

static uint64_t earliest(const struct env *env, const struct tcp_conn *c)
{
	uint64_t state = tcp_state_deadline(env, c),
		 own = c->rtx_deadline_ns < c->retry_due_ns ? c->rtx_deadline_ns : c->retry_due_ns;

	return own < state ? own : state;
}

void tcp_timer_update(struct env *env, struct tcp_conn *c)
{
	uint64_t deadline = earliest(env, c);

	if (deadline != TIMERQ_NEVER)
		timerq_set_earlier(&env->timers, &c->flow.timer, deadline);
}

static void state_expired(struct env *env, struct tcp_conn *c)
{
	switch ((enum tcp_state)c->state) {
	case TCP_TIME_WAIT:
		if (c->host) /* which never took the rest */
			tcp_abort(env, c, FLOW_CLOSED_IDLE);
		else
			tcp_finish(env, c, FLOW_CLOSED_FINISHED);
		break;
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT_2:
	case TCP_CLOSE_WAIT:
		tcp_abort(env, c, FLOW_CLOSED_IDLE);
		break;
	default:
		tcp_abort(env, c, FLOW_CLOSED_TIMED_OUT);
		break;
	}
}

/* A retransmission timer ran out.  False when the connection is gone. */
static bool rtx_expired(struct env *env, struct tcp_conn *c)
{
	c->rtx_deadline_ns = TIMERQ_NEVER;
	if (list_linked(&c->turn)) { /* the link is full: not a sign of loss, and no place to send */
		tcp_rtx_arm(env, c);
		return true;
	}
	if (c->rto.backoff >= RETRIES_MAX) {
		tcp_abort(env, c, FLOW_CLOSED_TIMED_OUT);
		return false;
	}
	tcp_rto_expired(&c->rto);
	c->rtt_timed = false; /* Karn: what is sent again is not timed */
	switch ((enum tcp_state)c->state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECEIVED:
		tcp_send_syn(env, c);
		return true;
	default:
		return tcp_rtx_timeout(env, c);
	}
}

void tcp_timer_fired(struct timer *t, void *ctx)
{
	struct env *env = ctx;
	struct tcp_conn *c = container_of(t, struct tcp_conn, flow.timer);
	bool retry;

	if (c->rtx_deadline_ns <= env->now_ns && !rtx_expired(env, c))
		return;
	if (tcp_state_deadline(env, c) <= env->now_ns) {
		state_expired(env, c);
		return;
	}
	retry = c->retry_due_ns <= env->now_ns;
	if (retry)
		c->retry_due_ns = TIMERQ_NEVER;
	tcp_timer_update(env, c);
	if (retry && c->host_blocked)
		tcp_from_host(env, c, TCP_HOST_WRITE);
}
