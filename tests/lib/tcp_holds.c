/* lib/tcp_holds.c: what holds of a TCP connection between batches. */
#include "lib/tcp_holds.h"

#include "lib/fake_host.h"
#include "lib/must.h"
#include "proto/tcp/conn.h"

static void numbers_hold(const struct tcp_conn *c)
{
	uint32_t ready = (uint32_t)tcp_recvq_ready(&c->recvq);

	must(seq_le(c->snd_una, c->snd_nxt));
	must(seq_le(c->rcv_nxt, c->rcv_adv));
	must(c->rcv_adv - c->recvq.base <= TCP_RECVQ_MAX + 1);
	must(c->first_piece < 0 && list_empty(&c->batch) && !c->n_acked);
	if (!c->flow.error)
		must(c->rcv_nxt == c->recvq.base + ready + c->fin_received);
	must(!c->fin_sent || c->snd_nxt == c->snd_fin + 1);
	must(!c->recovering || seq_le(c->recover, c->snd_nxt));
	for (int i = 0; i < c->sack.n; i++)
		must(seq_ge(c->sack.ranges[i].left, c->snd_una) &&
		     seq_le(c->sack.ranges[i].right, c->snd_nxt));
}

static void timer_holds(const struct env *env, const struct tcp_conn *c)
{
	uint64_t state = tcp_state_deadline(env, c), first = c->rtx_deadline_ns;

	first = state < first ? state : first;
	first = c->retry_due_ns < first ? c->retry_due_ns : first;
	must(first == TIMERQ_NEVER ||
	     (timer_armed(&c->flow.timer) && c->flow.timer.deadline_ns <= first));
	if (c->snd_una != c->snd_nxt)
		must(c->rtx_deadline_ns != TIMERQ_NEVER);
}

/* Bytes or an end that nothing but the relay keeps from the guest. */
static void to_guest_holds(const struct tcp_conn *c, const struct fake_host *h)
{
	uint64_t sent = h->n_consumed + (c->snd_nxt - c->snd_una);
	bool more = h->n_written > sent || (h->ended && !h->error);
	uint32_t in_flight = c->snd_nxt - c->snd_una;

	if (!tcp_sends(c) || list_linked(&c->turn) || shaper_waits(&c->to_guest) || !more || c->recovering || c->flow.error)
		return;
	if (in_flight) {
		must(h->n_written == sent || c->snd_wnd < in_flight + c->mss);
		return;
	}
	must((!c->snd_wnd || c->held_back) && c->rtx_deadline_ns != TIMERQ_NEVER);
}

static void to_host_holds(const struct tcp_conn *c, const struct fake_host *h)
{
	if (tcp_recvq_ready(&c->recvq))
		must((c->host_blocked && h->wants_room) || shaper_waits(&c->to_host));
	else if (c->fin_received)
		must(c->host_shut || c->flow.error);
	must(!c->host_shut == !h->shut);
}

void tcp_must_hold(const struct env *env, const struct fake_host *h)
{
	const struct tcp_conn *c = h->conn;

	if (!c)
		return;
	must(h->open && c->host == h);
	must(c->state != TCP_TIME_WAIT || !c->host_shut);
	if (c->state == TCP_CONNECTING)
		return;
	timer_holds(env, c);
	if (c->state == TCP_SYN_SENT)
		return;
	numbers_hold(c);
	if (c->state == TCP_SYN_RECEIVED)
		return;
	to_guest_holds(c, h);
	to_host_holds(c, h);
}
