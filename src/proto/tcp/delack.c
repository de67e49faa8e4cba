/* proto/tcp/delack.c: ACKs that ride on answers.
 *
 * An ACK is sent at the end of the batch that it is for, unless the answer is likely to come at
 * once and to carry it: each frame to the guest costs a wake-up on either side.  So the ACK of a
 * single small segment is left out for DELAY_NS at most where questions and answers have taken
 * turns so far, which a new connection gets the benefit of, and so is that of the guest's FIN,
 * which the peer's FIN often follows.  A delay in vain, or a second question before the answer,
 * ends this until TURNS questions in a row had their answers.  A guest that sends on without
 * answers, or whose Nagle's algorithm holds data back, so waits for DELAY_NS once.
 */
#include "proto/tcp/conn.h"

#define TURNS	 8
#define DELAY_NS (10 * NS_PER_MS) /* RFC 9293 3.8.6.3 allows 500 ms */

void tcp_delack_question(struct tcp_conn *c)
{
	if (c->n_questions < UINT8_MAX)
		c->n_questions++;
}

void tcp_delack_answer(struct tcp_conn *c)
{
	if (c->n_questions > 1)
		c->turns_owed = TURNS;
	else if (c->n_questions == 1 && c->turns_owed)
		c->turns_owed--;
	c->n_questions = 0;
}

static bool may_delay(struct env *env, const struct tcp_conn *c)
{
	return !c->turns_owed && c->n_questions <= 1 && !c->quick_ack && tcp_sends(c) &&
	       tcp_recvq_empty(&c->recvq) && c->rcv_nxt - c->rcv_acked < c->mss &&
	       !tcp_window_opened(env, c);
}

void tcp_ack(struct env *env, struct tcp_conn *c)
{
	struct tcp *t = env->tcp;

	if (!may_delay(env, c)) {
		tcp_send_ack(env, c);
		return;
	}
	if (list_linked(&c->delack))
		return;
	c->delack_due_ns = env->now_ns + DELAY_NS;
	list_append(&t->delacks, &c->delack);
	timerq_set_earlier(&env->timers, &t->delack_timer, c->delack_due_ns);
}

void tcp_delack_timer_fired(struct timer *timer, void *ctx)
{
	struct env *env = ctx;
	struct tcp *t = env->tcp;

	while (!list_empty(&t->delacks)) {
		struct tcp_conn *c = container_of(t->delacks.next, struct tcp_conn, delack);

		if (c->delack_due_ns > env->now_ns) {
			timerq_set(&env->timers, timer, c->delack_due_ns);
			return;
		}
		c->turns_owed = TURNS;
		tcp_send_ack(env, c);
	}
}
