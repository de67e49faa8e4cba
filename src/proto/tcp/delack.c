/* proto/tcp/delack.c: ACKs that ride on answers.
 *
 * An ACK is sent at the end of the batch that it is for, so that a guest whose Nagle's
 * algorithm holds data back never waits.  Where questions and answers of one small segment
 * each have taken turns for a while, the answer is about to come and carries the ACK: then it
 * is left out, for DELAY_NS at most.  A delay that was in vain, or a second question before
 * the answer, ends this, and the turns are counted anew.
 */
#include "proto/tcp/conn.h"

#define TURNS	 8
#define DELAY_NS (2 * NS_PER_MS) /* RFC 9293 3.8.6.3 allows 500 ms */

void tcp_delack_question(struct tcp_conn *c)
{
	if (c->n_questions < UINT8_MAX)
		c->n_questions++;
}

void tcp_delack_answer(struct tcp_conn *c)
{
	if (c->n_questions > 1)
		c->pingpong = 0;
	else if (c->n_questions == 1 && c->pingpong < TURNS)
		c->pingpong++;
	c->n_questions = 0;
}

static bool may_delay(const struct tcp_conn *c)
{
	return c->pingpong == TURNS && c->n_questions == 1 && !c->quick_ack &&
	       c->state == TCP_ESTABLISHED && tcp_recvq_empty(&c->recvq) &&
	       c->rcv_nxt - c->rcv_acked < c->mss;
}

void tcp_ack(struct env *env, struct tcp_conn *c)
{
	struct tcp *t = env->tcp;

	if (!may_delay(c)) {
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
		c->pingpong = 0;
		tcp_send_ack(env, c);
	}
}
