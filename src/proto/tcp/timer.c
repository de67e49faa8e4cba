/* proto/tcp/timer.c: one timer a connection, for the earliest of its deadlines.
 *
 * Deadlines move later with nearly every segment; the timer is left alone then, and finds
 * when it fires that it has to wait on. */
#include "proto/tcp/conn.h"

#define RETRIES_MAX 15 /* timeouts in a row: a quarter of an hour, as with Linux (tcp_retries2) */

/* Before a silent connection ends, the guest is asked this often whether it is there (RFC 9293
 * 3.8.4), as Linux asks: with each answer the silence begins anew. */
#define KEEPALIVES	   9
#define KEEPALIVE_EVERY_NS (75 * NS_PER_SEC)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A connection that may be silent for long, and from which no other answer is awaited. */
static bool may_be_silent(const struct tcp_conn *c)
{
	return (tcp_receives(c) || tcp_sends(c)) && c->snd_una == c->snd_nxt &&
	       c->rtx_deadline_ns == TIMERQ_NEVER;
}

static uint64_t keepalive_interval(const struct env *env, const struct tcp_conn *c)
{
	return least((tcp_state_deadline(env, c) - c->flow.used_ns) / 20, KEEPALIVE_EVERY_NS);
}

/* When the guest is asked first.  This and the other times follow from when the silence began,
 * so that nothing has to be remembered. */
static uint64_t first_keepalive(const struct env *env, const struct tcp_conn *c)
{
	return may_be_silent(c)
		       ? tcp_state_deadline(env, c) - KEEPALIVES * keepalive_interval(env, c)
		       : TIMERQ_NEVER;
}

static uint64_t next_keepalive(const struct env *env, const struct tcp_conn *c)
{
	uint64_t first = first_keepalive(env, c), interval = keepalive_interval(env, c);

	if (env->now_ns < first)
		return first;
	return first + ((env->now_ns - first) / interval + 1) * interval;
}

static uint64_t earliest(const struct env *env, const struct tcp_conn *c)
{
	uint64_t own = least(c->rtx_deadline_ns, c->retry_due_ns);

	return least(least(own, next_keepalive(env, c)), tcp_state_deadline(env, c));
}

void tcp_timer_update(struct env *env, struct tcp_conn *c)
{
	uint64_t deadline = earliest(env, c);

	if (deadline != TIMERQ_NEVER)
		timerq_set_earlier(&env->timers, &c->flow.timer, deadline);
}

static void give_up(struct env *env, struct tcp_conn *c, enum flow_end silent)
{
	c->flow.silent = (uint8_t)silent;
	tcp_abort(env, c, FLOW_CLOSED_TIMED_OUT);
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
	default: /* a guest that has nothing to acknowledge is not waited for */
		give_up(env, c, c->snd_una != c->snd_nxt ? FLOW_END_GUEST : FLOW_END_PEER);
		break;
	}
}

/* A retransmission timer ran out.  False when the connection is gone. */
static bool rtx_expired(struct env *env, struct tcp_conn *c)
{
	c->rtx_deadline_ns = TIMERQ_NEVER;
	/* the link is full: not a sign of loss, and no place to send */
	if (list_linked(&c->turn)) {
		tcp_rtx_arm(env, c);
		return true;
	}
	if (c->rto.backoff >= RETRIES_MAX) {
		give_up(env, c, FLOW_END_GUEST);
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
	if (env->now_ns >= first_keepalive(env, c) &&
	    tcp_send_control(env, c, c->snd_nxt - 1, TCP_ACK))
		env->stats.tcp_keepalives++;
	retry = c->retry_due_ns <= env->now_ns;
	if (retry)
		c->retry_due_ns = TIMERQ_NEVER;
	tcp_timer_update(env, c);
	if (retry && c->host_blocked)
		tcp_from_host(env, c, TCP_HOST_WRITE);
}
