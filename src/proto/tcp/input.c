/* proto/tcp/input.c: a segment of the guest, step by step as RFC 9293 3.10.7 has them. */
#include "proto/tcp/conn.h"

/* Pure ACKs are answered at most this often, so that two ends that disagree do not talk for
 * ever (RFC 5961 7); but for probes of the guest, for a keep-alive or a closed window. */
#define ACK_LIMIT_NS (10 * NS_PER_MS)

/* A segment cut to what lies in the window. */
struct arrival {
	const struct tcp_hdr *h;
	uint32_t seq, len; /* payload within the window */
	const uint8_t *data;
	bool fin;	   /* FIN, right behind the payload */
};

static void challenge(struct env *env, struct tcp_conn *c, bool limited)
{
	if (limited && env->now_ns < c->ack_limit_ns)
		return;
	c->ack_limit_ns = env->now_ns + ACK_LIMIT_NS;
	if (c->first_piece >= 0 && !tcp_flush_to_host(env, c))
		return;
	tcp_send_ack(env, c);
}

bool tcp_is_syn(const struct tcp_hdr *h)
{
	return (h->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* First: whether any of the segment lies in the window.  A segment without length may also stand
 * at the right edge: a guest that filled the window acknowledges from there. */
static bool acceptable(const struct tcp_conn *c, const struct tcp_hdr *h, uint32_t len)
{
	uint32_t end = h->seq + len + !!(h->flags & TCP_SYN) + !!(h->flags & TCP_FIN);

	if (end == h->seq)
		return seq_ge(h->seq, c->rcv_nxt) && seq_le(h->seq, c->rcv_adv);
	if (c->rcv_adv == c->rcv_nxt) /* closed: ACK, RST and the like are still looked at */
		return h->seq == c->rcv_nxt;
	return seq_gt(end, c->rcv_nxt) && seq_lt(h->seq, c->rcv_adv);
}

static struct arrival cut_to_window(const struct tcp_conn *c, const struct pkt *p)
{
	struct arrival a = { .h = &p->tcp, .seq = p->tcp.seq, .len = (uint32_t)p->payload_len,
			     .data = p->payload, .fin = p->tcp.flags & TCP_FIN };
	uint32_t cut, edge = c->fin_seen ? seq_min(c->fin_seq, c->rcv_adv) : c->rcv_adv;

	if (seq_lt(a.seq, c->rcv_nxt)) {
		cut = c->rcv_nxt - a.seq < a.len ? c->rcv_nxt - a.seq : a.len;
		a.seq += cut;
		a.data += cut;
		a.len -= cut;
	}
	if (seq_gt(a.seq + a.len, edge)) {
		a.len = seq_gt(a.seq, edge) ? 0 : edge - a.seq;
		a.fin = false;
	}
	return a;
}

static void not_acceptable(struct env *env, struct tcp_conn *c, const struct pkt *p)
{
	bool old = seq_lt(p->tcp.seq, c->rcv_nxt);

	if (p->tcp.flags & TCP_RST)
		return;
	if (p->payload_len && old)
		env->stats.tcp_duplicates++;
	else if (!old)
		env->stats.tcp_outside_window++;
	challenge(env, c, !p->payload_len && p->tcp.seq != c->rcv_nxt - 1);
}

/* Options and window of the guest's SYN. */
void tcp_take_syn(struct env *env, struct tcp_conn *c, const struct tcp_hdr *h)
{
	bool ip4 = addr_is_ip4(&c->flow.key.guest);
	uint16_t mss = h->mss ? h->mss : ip4 ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT6;

	c->irs = h->seq;
	c->rcv_nxt = c->rcv_adv = c->recvq.base = h->seq + 1;
	c->mss_guest = mss < TCP_MSS_MIN ? TCP_MSS_MIN : mss;
	tcp_follow_path(env, c);
	c->wscale_ok = h->has_wscale;
	c->snd_wscale = h->has_wscale ? h->wscale : 0;
	c->rcv_wscale = h->has_wscale ? TCP_WSCALE : 0;
	c->sack_ok = h->sack_permitted;
	c->snd_wnd = c->snd_wnd_max = h->window; /* never scaled here (RFC 7323 2.2) */
	c->snd_wl1 = h->seq;
	c->snd_wl2 = h->ack;
}

/* The window counts from the ACK that it comes with: one that acknowledges more always tells it,
 * also in a segment that is sent again; of others the latest does. */
static void take_window(struct tcp_conn *c, const struct tcp_hdr *h)
{
	uint32_t window = (uint32_t)h->window << c->snd_wscale;
	bool later = seq_lt(c->snd_wl1, h->seq) ||
		     (c->snd_wl1 == h->seq && seq_le(c->snd_wl2, h->ack));

	if (seq_lt(h->ack, c->snd_una) || (!later && h->ack == c->snd_una))
		return;
	c->snd_wnd = window;
	if (window > c->snd_wnd_max)
		c->snd_wnd_max = window;
	c->snd_wl1 = h->seq;
	c->snd_wl2 = h->ack;
}

static void established(struct env *env, struct tcp_conn *c, const struct tcp_hdr *h)
{
	c->snd_una = h->ack;
	c->rtx_deadline_ns = TIMERQ_NEVER;
	c->rto = (struct tcp_rto){ .rto_ns = c->rto.backoff ? TCP_RTO_AFTER_SYN_NS : TCP_RTO_INITIAL_NS };
	tcp_set_state(env, c, TCP_ESTABLISHED);
	tcp_touch(env, c);
}

/* 3.10.7.3 */
static void in_syn_sent(struct env *env, struct tcp_conn *c, const struct tcp_hdr *h)
{
	bool ack = h->flags & TCP_ACK;

	if (ack && h->ack != c->snd_nxt) {
		if (!(h->flags & TCP_RST))
			tcp_send_reset(env, &c->flow.key, h->ack, 0, 0);
		return;
	}
	if (h->flags & TCP_RST) {
		if (ack)
			tcp_abort(env, c, FLOW_CLOSED_REFUSED);
		return;
	}
	if (!(h->flags & TCP_SYN))
		return;
	tcp_take_syn(env, c, h);
	c->rcv_adv = c->rcv_nxt + UINT16_MAX; /* as our SYN said */
	if (ack) {
		c->ack_now = c->quick_ack = true; /* the guest's server may speak first */
		established(env, c, h);
	} else { /* simultaneous open */
		tcp_set_state(env, c, TCP_SYN_RECEIVED);
		tcp_send_syn(env, c);
	}
}

void tcp_refused_by_guest(struct env *env, const struct endpoint *guest,
			  const struct endpoint *peer, uint32_t seq)
{
	struct flow_key key = { .guest = guest->addr, .peer = peer->addr, .guest_port = guest->port,
				.peer_port = peer->port, .proto = FLOW_TCP };
	struct tcp_conn *c = (struct tcp_conn *)flow_table_lookup(&env->flows, &key);

	if (c && c->state == TCP_SYN_SENT && seq == c->iss)
		tcp_abort(env, c, FLOW_CLOSED_REFUSED);
}

/* The host side is not connected yet: only a change of mind matters. */
static enum drop in_connecting(struct env *env, struct tcp_conn *c, const struct pkt *p)
{
	const struct tcp_hdr *h = &p->tcp;

	if (h->flags & TCP_RST) {
		if (h->seq == c->rcv_nxt)
			tcp_abort(env, c, FLOW_CLOSED_GUEST_RESET);
	} else if (tcp_is_syn(h) && h->seq != c->irs) {
		tcp_abort(env, c, FLOW_CLOSED_GUEST_RESET);
		return tcp_open_from_guest(env, p);
	}
	return DROP_NONE;
}

/* Whether the ACK field may be believed (RFC 5961 5.2); else it is answered. */
static bool ack_acceptable(struct env *env, struct tcp_conn *c, uint32_t ack)
{
	if (seq_le(ack, c->snd_nxt) && seq_ge(ack, c->snd_una - c->snd_wnd_max))
		return true;
	env->stats.tcp_challenge_acks++;
	challenge(env, c, true);
	return false;
}

/* What an ACK of our FIN changes. */
static void fin_acked(struct env *env, struct tcp_conn *c)
{
	if (c->state == TCP_FIN_WAIT_1)
		tcp_set_state(env, c, TCP_FIN_WAIT_2);
	else if (c->state == TCP_CLOSING)
		tcp_set_state(env, c, TCP_TIME_WAIT);
}

/* Fifth: the ACK field. */
static void take_ack(struct env *env, struct tcp_conn *c, const struct arrival *a)
{
	const struct tcp_hdr *h = a->h;
	uint32_t window_before = c->snd_wnd;
	bool news = false, progress = seq_gt(h->ack, c->snd_una);

	take_window(c, h);
	tcp_rto_alive(&c->rto);
	if (c->sack_ok)
		for (int i = 0; i < h->n_sack; i++)
			news |= tcp_sack_add(&c->sack, h->sack[i], c->snd_una, c->snd_nxt);
	if (progress)
		tcp_rtx_acked(env, c, h->ack);
	if (c->snd_wnd && !window_before)
		tcp_rtx_reopened(env, c);
	if (h->ack == c->snd_una && c->snd_una != c->snd_nxt &&
	    (news || (!progress && !a->len && !a->fin && c->snd_wnd == window_before)))
		tcp_rtx_duplicate(env, c);
	if (c->fin_sent && seq_gt(h->ack, c->snd_fin))
		fin_acked(env, c);
}

/* Fourth: SYN in a synchronised state. */
static enum drop in_window_syn(struct env *env, struct tcp_conn *c, const struct pkt *p)
{
	/* once the host side has got all of the old one */
	if (c->state == TCP_TIME_WAIT && !c->host && tcp_is_syn(&p->tcp) &&
	    seq_gt(p->tcp.seq, c->rcv_nxt)) {
		tcp_finish(env, c, FLOW_CLOSED_FINISHED);
		return tcp_open_from_guest(env, p);
	}
	env->stats.tcp_challenge_acks++;
	challenge(env, c, true);
	return DROP_NONE;
}

/* The guest has forgotten a connection that both sides have ended, which counts as an ACK of
 * all.  What it sent before still goes to the host. */
static void forgotten(struct env *env, struct tcp_conn *c)
{
	if (c->snd_una != c->snd_nxt)
		tcp_rtx_acked(env, c, c->snd_nxt);
	tcp_set_state(env, c, TCP_LAST_ACK);
	tcp_touch(env, c);
}

/* Second: RST (RFC 5961 3.2). */
static void in_window_rst(struct env *env, struct tcp_conn *c, const struct tcp_hdr *h)
{
	/* what stands before it in the same batch comes first, also a FIN */
	if (c->host && !tcp_flush_to_host(env, c))
		return;
	if (h->seq != c->rcv_nxt) {
		env->stats.tcp_challenge_acks++;
		challenge(env, c, true);
		return;
	}
	if (c->fin_sent && c->fin_received)
		forgotten(env, c);
	else
		tcp_abort(env, c, FLOW_CLOSED_GUEST_RESET);
}

/* In SYN-RECEIVED the ACK must be for our SYN; false when the segment ends here. */
static bool finish_handshake(struct env *env, struct tcp_conn *c, const struct tcp_hdr *h)
{
	if (h->ack != c->snd_nxt) {
		tcp_send_reset(env, &c->flow.key, h->ack, 0, 0);
		return false;
	}
	established(env, c, h);
	return true;
}

enum drop tcp_input(struct env *env, struct tcp_conn *c, const struct pkt *p)
{
	const struct tcp_hdr *h = &p->tcp;
	struct arrival a;

	if (c->state == TCP_CONNECTING)
		return in_connecting(env, c, p);
	if (c->state == TCP_SYN_SENT) {
		in_syn_sent(env, c, h);
		return DROP_NONE;
	}
	if (tcp_is_syn(h) && c->state == TCP_SYN_RECEIVED && h->seq == c->irs) {
		tcp_send_syn(env, c); /* our SYN-ACK was lost, or is late */
		return DROP_NONE;
	}
	if (h->flags & TCP_SYN && !(h->flags & TCP_RST))
		return in_window_syn(env, c, p);
	if (!acceptable(c, h, (uint32_t)p->payload_len)) {
		not_acceptable(env, c, p);
		return DROP_NONE;
	}
	a = cut_to_window(c, p);
	if (h->flags & TCP_RST) {
		in_window_rst(env, c, h);
		return DROP_NONE;
	}
	if (!(h->flags & TCP_ACK))
		return DROP_TCP_FLAGS;
	if (c->state == TCP_SYN_RECEIVED && !finish_handshake(env, c, h))
		return DROP_NONE;
	if (!ack_acceptable(env, c, h->ack))
		return DROP_NONE;
	take_ack(env, c, &a);
	tcp_touch(env, c);
	if (p->payload_len || h->flags & TCP_FIN)
		c->ack_now = true;
	/* something came in vain or behind a hole: the guest may wait for this one */
	c->quick_ack |= p->payload_len != a.len ||
			(h->flags & TCP_FIN && (c->fin_seen || a.seq != c->rcv_nxt));
	if (a.fin && !c->fin_seen && tcp_receives(c)) {
		c->fin_seen = true;
		c->fin_seq = a.seq + a.len;
	}
	if (!a.len || !tcp_receives(c) || c->fin_received)
		return DROP_NONE;
	tcp_window_used(env, c);
	tcp_delack_question(c);
	tcp_deliver(env, c, a.seq, a.data, a.len);
	return DROP_NONE;
}
