/* lib/tcp_witness.c: the relay's promises to the guest, from what is seen on the link. */
#include "lib/tcp_witness.h"

#include <stddef.h>
#include <string.h>

#include "lib/fake_host.h"
#include "lib/must.h"
#include "proto/tcp/conn.h"

#define DELAY_NS (10 * NS_PER_MS)
#define ROUNDING ((1u << TCP_WSCALE) - 1)

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* The least step of the right edge, and the least window when there is room. */
static uint32_t step(const struct tcp_witness *w)
{
	return least(w->mss, INT16_MAX) - ROUNDING;
}

void tcp_witness_init(struct tcp_witness *w)
{
	memset(w->came, 0, w->highest);
	memset(w, 0, offsetof(struct tcp_witness, came));
}

/* Whether the relay has to take the segment's payload (RFC 9293 3.10.7.4, fifth and seventh).
 */
static bool counts(const struct fake_host *h, const struct tcp_hdr *s)
{
	const struct tcp_conn *c = h->conn;

	if (!c || c->state < TCP_SYN_RECEIVED ||
	    (!tcp_receives(c) && c->state != TCP_SYN_RECEIVED) ||
	    (c->flow.error && seq_gt(s->seq, c->rcv_nxt)))
		return false;
	if ((s->flags & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK || seq_gt(s->ack, c->snd_nxt))
		return false;
	return c->state == TCP_SYN_RECEIVED ? s->ack == c->snd_nxt
					    : seq_ge(s->ack, c->snd_una - c->snd_wnd_max);
}

void tcp_witness_from_guest(struct tcp_witness *w, const struct fake_host *h,
			    const struct pkt *p)
{
	uint32_t from = p->tcp.seq - w->irs - 1, to = from + (uint32_t)p->payload_len;

	if (p->tcp.flags & TCP_SYN && !w->mss) {
		w->irs = p->tcp.seq;
		w->mss = p->tcp.mss;
		w->wscale = p->tcp.has_wscale ? TCP_WSCALE : 0;
		w->sack_ok = p->tcp.sack_permitted;
		return;
	}
	if (!counts(h, &p->tcp))
		return;
	if (seq_gt(w->n_came, from))
		from = w->n_came;
	if (seq_gt(to, w->told_edge))
		to = w->told_edge;
	if (seq_ge(from, to))
		return;
	must(to <= TCP_WITNESS_STREAM);
	memset(w->came + from, 1, to - from);
	w->highest = to > w->highest ? to : w->highest;
	w->recent = from;
	w->recent_untold = from > w->n_came;
	while (w->came[w->n_came])
		w->n_came++;
}

static void check_sack(struct tcp_witness *w, const struct tcp_hdr *s)
{
	must(w->sack_ok || !s->n_sack);
	for (int i = 0; i < s->n_sack; i++) {
		uint32_t left = s->sack[i].left - w->irs - 1,
			 right = s->sack[i].right - w->irs - 1;

		must(left < right && left > w->told_ack && right <= w->highest);
		must(!memchr(w->came + left, 0, right - left));
		if (!i && w->recent_untold && w->recent >= w->n_came)
			must(left <= w->recent && w->recent < right);
	}
	if (w->sack_ok && w->recent_untold && w->recent >= w->n_came)
		must(s->n_sack);
	w->recent_untold = false;
}

static void check_window(struct tcp_witness *w, uint32_t edge)
{
	must(edge + ROUNDING >= w->told_edge);
	if (edge <= w->told_edge)
		return;
	must(edge - w->told_edge <= ROUNDING || edge - w->told_edge >= step(w));
	w->told_edge = edge;
}

void tcp_witness_to_guest(struct tcp_witness *w, const struct fake_host *h, const struct pkt *p)
{
	const struct tcp_hdr *s = &p->tcp;
	uint32_t ack = s->ack - w->irs - 1, end;

	if (s->flags & TCP_RST)
		return;
	if (s->flags & TCP_SYN) {
		w->iss = s->seq;
		w->told_edge = s->window;
		return;
	}
	must(ack <= w->n_came + 1 && ack >= w->told_ack); /* a FIN may be the 1 */
	w->told_ack = ack;
	check_window(w, ack + ((uint32_t)s->window << w->wscale));
	if (!p->payload_len && !(s->flags & TCP_FIN) &&
	    !h->error) /* or nothing is kept any more */
		check_sack(w, s);
	must(p->payload_len <= w->mss);
	end = s->seq - w->iss - 1 + (uint32_t)p->payload_len;
	if (p->payload_len && seq_gt(end, w->sent))
		w->sent = end;
}

/* Acknowledged, but for what may wait for an answer. */
static void check_owed(struct tcp_witness *w, uint64_t now_ns, uint32_t got)
{
	if (w->told_ack == got) {
		w->owed_since_ns = 0;
		return;
	}
	must(got - w->told_ack < w->mss);
	if (!w->owed_since_ns)
		w->owed_since_ns = now_ns;
	must(now_ns - w->owed_since_ns <= DELAY_NS);
}

/* A burst is a segment, half the largest window, all there is, or alone. */
static void check_burst(const struct tcp_witness *w, const struct tcp_conn *c)
{
	uint32_t n = w->sent - w->sent_before, una = c->snd_una - w->iss - 1;

	if (n && w->available_before > w->sent && seq_gt(w->sent_before, una))
		must(n >= c->mss || n >= c->snd_wnd_max / 2);
}

void tcp_witness_settled(struct tcp_witness *w, const struct env *env,
			 const struct fake_host *h)
{
	const struct tcp_conn *c = h->conn;
	uint32_t held = w->n_came - (uint32_t)h->n_taken;

	if (!c || c->state <= TCP_SYN_RECEIVED || c->flow.error || h->error)
		return;
	must(c->rcv_nxt == w->irs + 1 + w->n_came + c->fin_received);
	must(env->tcp->pool.n_used <= (w->highest - (uint32_t)h->n_taken) / TCP_CHUNK_SIZE + 2);
	check_burst(w, c);
	w->sent_before = w->sent;
	w->available_before = h->n_written;
	if (list_linked(&c->turn)) {
		w->owed_since_ns = 0; /* the link is full */
		return;
	}
	check_owed(w, env->now_ns, w->n_came + c->fin_received);
	if (tcp_receives(c) && held < TCP_RECVQ_MAX / 2 && !w->owed_since_ns)
		must(w->told_edge >= w->n_came + step(w));
}
