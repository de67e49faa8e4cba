/* lib/model_guest.c: a guest's TCP, much simplified. */
#include "lib/model_guest.h"

#include "base/timerq.h"
#include "lib/fake_host.h"
#include "lib/must.h"
#include "proto/tcp/seq.h"

#define RTO_MIN_NS   (200 * NS_PER_MS)
#define RTO_MAX_NS   (120 * NS_PER_SEC)
#define SYN_RTO_NS   NS_PER_SEC
#define INITIAL_CWND 10

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t data_end(const struct model_guest *m)
{
	return m->iss + 1 + (uint32_t)m->n_written;
}

static uint64_t unread(const struct model_guest *m)
{
	uint32_t got = m->rcv_nxt - m->irs - 1 - m->fin_received;

	return (uint32_t)(got - (uint32_t)m->n_read);
}

uint64_t model_readable(const struct model_guest *m)
{
	return unread(m);
}

static uint64_t rto(const struct model_guest *m)
{
	uint64_t t = (m->srtt_ns ? m->srtt_ns + RTO_MIN_NS : SYN_RTO_NS) << m->backoff;

	return t < RTO_MAX_NS ? t : RTO_MAX_NS;
}

/* The window field of what leaves now. */
static uint16_t choose_window(struct model_guest *m)
{
	uint32_t used = (uint32_t)unread(m),
		 free = m->set.rcvbuf > used ? m->set.rcvbuf - used : 0;
	uint32_t edge, window, unit = 1u << m->rcv_wscale;

	if (free < m->set.mss && free < m->set.rcvbuf / 2)
		free = 0;
	edge = m->rcv_nxt + (m->window_shut ? 0 : free);
	if (!m->window_shut)
		edge = seq_max(edge, m->told);
	window = seq_gt(edge, m->rcv_nxt) ? edge - m->rcv_nxt : 0;
	if (seq_lt(m->rcv_nxt + window / unit * unit, m->told) && !m->window_shut)
		window += unit - 1; /* rather up than back */
	window = min32(window >> m->rcv_wscale, UINT16_MAX);
	m->told = m->rcv_nxt + (window << m->rcv_wscale);
	m->told_max = seq_max(m->told_max, m->told);
	return (uint16_t)window;
}

static void add_sack(const struct model_guest *m, struct tcp_hdr *h)
{
	const struct tcp_sack_block *r = m->ranges.ranges;

	if (!m->sack_ok)
		return;
	for (int recent = 1; recent >= 0; recent--)
		for (int i = 0; i < m->ranges.n && h->n_sack < TCP_SACK_BLOCKS_MAX; i++) {
			bool is = seq_le(r[i].left, m->last_out_of_order) &&
				  seq_lt(m->last_out_of_order, r[i].right);

			if (is == recent)
				h->sack[h->n_sack++] = r[i];
		}
}

static void emit(struct model_guest *m, uint8_t flags, uint32_t seq, uint32_t len)
{
	struct tcp_hdr h = {
		.sport = m->port, .dport = m->peer_port, .seq = seq, .flags = flags
	};

	if (flags & TCP_ACK)
		h.ack = m->rcv_nxt;
	h.window =
		flags & TCP_SYN ? (uint16_t)min32(m->set.rcvbuf, UINT16_MAX) : choose_window(m);
	if (flags & TCP_SYN) {
		h.mss = m->set.mss;
		h.has_wscale = m->set.has_wscale;
		h.wscale = m->set.wscale;
		h.sack_permitted = m->set.sack;
	} else if (!len) {
		add_sack(m, &h);
	}
	m->n_unacked = 0;
	m->ack_due_ns = 0;
	m->send(m, &h, seq - m->iss - 1, len);
}

static void ack_now(struct model_guest *m)
{
	emit(m, TCP_ACK, m->nxt, 0);
}

void model_connect(struct model_guest *m)
{
	m->syn_sent = true;
	m->una = m->iss;
	m->nxt = m->iss + 1;
	m->rtx_due_ns = m->now_ns + SYN_RTO_NS;
	emit(m, TCP_SYN, m->iss, 0);
}

void model_listen(struct model_guest *m)
{
	m->una = m->iss;
	m->nxt = m->iss;
}

static bool in_flight(const struct model_guest *m)
{
	return m->una != m->nxt;
}

/* Something waits that the peer's window has no room for, and nothing is in flight that would
 * bring news of it. */
static bool persists(const struct model_guest *m)
{
	return !in_flight(m) && m->established &&
	       (m->nxt != data_end(m) + m->fin_sent || (m->ended && !m->fin_sent));
}

static void arm(struct model_guest *m, bool anew)
{
	if (!in_flight(m) && !persists(m))
		m->rtx_due_ns = 0;
	else if (anew || !m->rtx_due_ns)
		m->rtx_due_ns = m->now_ns + rto(m);
}

/* The length of the next new segment; 0 when none may leave now. */
static uint32_t next_len(const struct model_guest *m)
{
	uint32_t left = data_end(m) - m->nxt, len = min32(left, min32(m->set.mss, m->peer_mss));
	uint32_t limit = m->una + min32(m->wnd, m->cwnd), room;

	room = seq_gt(limit, m->nxt) ? limit - m->nxt : 0;
	if (m->fin_sent || !len)
		return 0;
	if (room < len)
		return in_flight(m) || room < m->max_wnd / 2 ? 0 : room;
	if (len < m->set.mss && in_flight(m) && !m->set.nodelay && !m->ended)
		return 0; /* Nagle */
	return len;
}

static void send_fin(struct model_guest *m)
{
	m->fin_sent = true;
	emit(m, TCP_FIN | TCP_ACK, m->nxt++, 0);
}

static void output_new(struct model_guest *m)
{
	uint32_t len;

	while ((len = next_len(m))) {
		bool last = m->ended && m->nxt + len == data_end(m);

		if (!m->rtt_timed) {
			m->rtt_timed = true;
			m->rtt_seq = m->nxt;
			m->rtt_start_ns = m->now_ns;
		}
		m->fin_sent |= last;
		emit(m, (uint8_t)(TCP_ACK | TCP_PSH | (last ? TCP_FIN : 0)), m->nxt, len);
		m->nxt += len + last;
	}
	if (m->ended && !m->fin_sent && m->nxt == data_end(m) &&
	    (m->set.fin_at_once || seq_lt(m->nxt, m->una + m->wnd)))
		send_fin(m);
}

static void resend(struct model_guest *m, uint32_t left, uint32_t right)
{
	uint32_t len = min32(right - left, min32(m->set.mss, m->peer_mss));
	bool fin = m->fin_sent && left + len == m->nxt;

	m->n_retransmits++;
	m->rtt_timed = false;
	emit(m, (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)), left, len - fin);
	m->rtx_nxt = left + len;
}

/* Two segments an ACK. */
static void output_again(struct model_guest *m)
{
	for (int i = 0; i < 2 && seq_lt(m->rtx_nxt, m->recover); i++) {
		struct tcp_sack_block hole = { m->rtx_nxt, m->recover };

		if (!tcp_sack_hole(&m->sacked, m->rtx_nxt, m->recover, &hole) && !m->lost_all &&
		    (m->sacked.n || m->rtx_nxt != m->una))
			return;
		resend(m, hole.left, hole.right);
	}
}

static void output(struct model_guest *m)
{
	bool idle = !in_flight(m);

	if (!m->established || m->reset)
		return;
	if (m->recovering)
		output_again(m);
	else
		output_new(m);
	arm(m, idle && in_flight(m)); /* what was armed before was for a probe */
}

static void recover(struct model_guest *m)
{
	m->recovering = true;
	m->recover = m->nxt;
	m->rtx_nxt = m->una;
	m->ssthresh = m->cwnd / 2 > 2u * m->set.mss ? m->cwnd / 2 : 2u * m->set.mss;
	m->cwnd = m->ssthresh;
}

static void acked(struct model_guest *m, uint32_t ack)
{
	uint32_t n = ack - m->una;

	m->una = ack;
	m->dupacks = m->backoff = 0;
	tcp_sack_acked(&m->sacked, ack);
	if (m->rtt_timed && seq_gt(ack, m->rtt_seq)) {
		uint64_t rtt = m->now_ns - m->rtt_start_ns + 1;

		m->srtt_ns = m->srtt_ns ? m->srtt_ns - m->srtt_ns / 8 + rtt / 8 : rtt;
		m->rtt_timed = false;
	}
	if (m->recovering && seq_ge(ack, m->recover))
		m->recovering = m->lost_all = false;
	else if (m->recovering)
		m->rtx_nxt = m->sacked.n || m->lost_all ? seq_max(m->rtx_nxt, ack) : ack;
	else
		m->cwnd += m->cwnd < m->ssthresh ? n : min32(m->set.mss, n);
	m->rtx_due_ns = 0;
}

static void take_ack(struct model_guest *m, const struct pkt *p)
{
	const struct tcp_hdr *h = &p->tcp;
	uint32_t before = m->wnd;
	bool news = false;

	must(seq_le(h->ack, m->nxt));
	must(!seq_lt(h->ack, m->una) || seq_gt(m->una, m->iss));
	if (seq_lt(h->ack, m->una))
		return;
	if (!seq_gt(m->wl1, h->seq) && !(m->wl1 == h->seq && seq_gt(m->wl2, h->ack))) {
		uint32_t slack = (1u << m->snd_wscale) - 1;

		m->wnd = (uint32_t)h->window << m->snd_wscale;
		m->max_wnd = m->wnd > m->max_wnd ? m->wnd : m->max_wnd;
		m->wl1 = h->seq;
		m->wl2 = h->ack;
		must(!m->set.in_order || seq_ge(h->ack + m->wnd + slack, m->edge));
		m->edge = seq_max(m->edge, h->ack + m->wnd);
	}
	for (int i = 0; i < h->n_sack; i++)
		news |= tcp_sack_add(&m->sacked, h->sack[i], m->una, m->nxt);
	if (seq_gt(h->ack, m->una)) {
		acked(m, h->ack);
	} else if (in_flight(m) && (news || (!p->payload_len && m->wnd == before))) {
		if (++m->dupacks == 3 && !m->recovering)
			recover(m);
	}
	if (m->wnd && !before) {
		m->backoff = 0;
		if (!in_flight(m)) /* the time of a probe is not that of what leaves now */
			m->rtx_due_ns = 0;
	}
}

/* The relay's payload must be the stream. */
static void check_payload(const struct model_guest *m, const struct pkt *p)
{
	uint32_t at = p->tcp.seq - m->irs - 1;

	for (size_t i = 0; i < p->payload_len; i++)
		must(p->payload[i] == fake_host_byte(m->peer_seed, at + (uint32_t)i));
}

static bool is_known(const struct model_guest *m, uint32_t seq, uint32_t end)
{
	for (int i = 0; i < m->ranges.n; i++)
		if (seq_le(m->ranges.ranges[i].left, seq) &&
		    seq_ge(m->ranges.ranges[i].right, end))
			return true;
	return seq_le(end, m->rcv_nxt);
}

/* For want of memory. */
static bool is_dropped(struct model_guest *m, uint32_t end)
{
	bool again = seq_le(end, m->highest);

	m->highest = seq_max(m->highest, end);
	return !(m->set.drop_once && again) && rng_chance(m->rng, m->set.drop_pm);
}

static void accept_data(struct model_guest *m, uint32_t seq, uint32_t end)
{
	m->n_known += is_known(m, seq, end);
	if (seq_gt(seq, m->rcv_nxt)) {
		m->last_out_of_order = seq;
		tcp_sack_add(&m->ranges, (struct tcp_sack_block){ seq, end }, m->rcv_nxt,
			     m->told_max);
		return;
	}
	m->rcv_nxt = seq_max(m->rcv_nxt, end);
	while (m->ranges.n && seq_le(m->ranges.ranges[0].left, m->rcv_nxt)) {
		m->rcv_nxt = seq_max(m->rcv_nxt, m->ranges.ranges[0].right);
		tcp_sack_acked(&m->ranges, m->rcv_nxt);
	}
}

static void take_data(struct model_guest *m, const struct pkt *p)
{
	uint32_t seq = p->tcp.seq, end = seq + (uint32_t)p->payload_len;
	bool fin = p->tcp.flags & TCP_FIN, quick;

	if (!p->payload_len && !fin)
		return;
	check_payload(m, p);
	must(p->payload_len <= m->set.mss);
	must(seq_le(end + fin, m->told_max)); /* within the window */
	if (is_dropped(m, end) || (m->window_shut && p->payload_len) ||
	    (seq_gt(end, m->told) && p->payload_len)) {
		m->n_dropped++;
		m->window_shut |= m->set.shrinks;
		ack_now(m);
		return;
	}
	quick = fin || seq != m->rcv_nxt || m->ranges.n;
	if (p->payload_len)
		accept_data(m, seq, end);
	if (fin) {
		m->fin_seen = true;
		m->fin_seq = end;
	}
	if (m->fin_seen && !m->fin_received && m->rcv_nxt == m->fin_seq) {
		m->fin_received = true;
		m->rcv_nxt++;
	}
	m->n_unacked += (uint32_t)p->payload_len;
	if (quick || m->n_unacked >= 2u * m->set.mss || m->n_unacked > m->set.rcvbuf / 2)
		ack_now(m);
	else if (!m->ack_due_ns)
		m->ack_due_ns = m->now_ns + m->set.ack_delay_ns;
}

static void take_syn(struct model_guest *m, const struct pkt *p)
{
	const struct tcp_hdr *h = &p->tcp;

	m->irs = h->seq;
	m->rcv_nxt = m->highest = h->seq + 1;
	m->told = m->told_max = m->rcv_nxt + min32(m->set.rcvbuf, UINT16_MAX);
	m->peer_mss = h->mss ? h->mss : 536;
	must(!h->has_wscale || !m->syn_sent || m->set.has_wscale); /* not offered unasked */
	must(!h->sack_permitted || !m->syn_sent || m->set.sack);
	if (h->has_wscale && m->set.has_wscale) {
		m->snd_wscale = h->wscale;
		m->rcv_wscale = m->set.wscale;
	}
	m->sack_ok = h->sack_permitted && m->set.sack;
	m->wnd = m->max_wnd = h->window;
	m->wl1 = h->seq;
	m->wl2 = h->ack;
	m->cwnd = INITIAL_CWND * (uint32_t)m->set.mss;
	m->ssthresh = UINT32_MAX;
}

static void established(struct model_guest *m, uint32_t ack)
{
	must(ack == m->iss + 1);
	m->una = m->nxt = ack;
	m->edge = ack + m->wnd;
	m->established = true;
	m->rtx_due_ns = 0;
	m->backoff = 0;
}

/* Before the connection stands; whether the segment still counts. */
static bool shake_hands(struct model_guest *m, const struct pkt *p)
{
	uint8_t flags = p->tcp.flags;

	if (flags & TCP_RST) {
		m->reset |= m->syn_sent ? flags & TCP_ACK && p->tcp.ack == m->nxt
					: m->nxt != m->iss && p->tcp.seq == m->rcv_nxt;
		return false;
	}
	if (m->syn_sent && (flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
		take_syn(m, p);
		established(m, p->tcp.ack);
		ack_now(m);
		output(m);
		return false;
	}
	if (!m->syn_sent && (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		take_syn(m, p);
		m->nxt = m->iss + 1;
		m->rtx_due_ns = m->now_ns + SYN_RTO_NS;
		emit(m, TCP_SYN | TCP_ACK, m->iss, 0);
		return false;
	}
	if (m->syn_sent || !(flags & TCP_ACK) || p->tcp.ack != m->nxt)
		return false;
	established(m, p->tcp.ack);
	return true;
}

static bool acceptable(const struct model_guest *m, const struct pkt *p)
{
	uint32_t seq = p->tcp.seq,
		 end = seq + (uint32_t)p->payload_len + !!(p->tcp.flags & TCP_FIN);

	if (end == seq)
		return seq_ge(seq, m->rcv_nxt) && seq_le(seq, m->told_max);
	return seq_gt(end, m->rcv_nxt) && seq_le(seq, m->told_max);
}

/* There is no connection any more (RFC 9293 3.10.7.1). */
static void refuse(struct model_guest *m, const struct pkt *p)
{
	bool ack = p->tcp.flags & TCP_ACK;
	struct tcp_hdr h = { .sport = m->port, .dport = m->peer_port, .flags = TCP_RST };

	if (p->tcp.flags & TCP_RST)
		return;
	h.seq = ack ? p->tcp.ack : 0;
	h.flags |= ack ? 0 : TCP_ACK;
	h.ack = ack ? 0 : p->tcp.seq + (uint32_t)p->payload_len + 1;
	m->send(m, &h, 0, 0);
}

void model_input(struct model_guest *m, const struct pkt *p)
{
	if (m->reset) {
		refuse(m, p);
		return;
	}
	if (!m->established && !shake_hands(m, p))
		return;
	if (p->tcp.flags & TCP_SYN || !acceptable(m, p)) {
		if (!(p->tcp.flags & TCP_RST))
			ack_now(m);
		return;
	}
	if (p->tcp.flags & TCP_RST) {
		if (model_done(m))
			return; /* the other side has forgotten already */
		m->reset = p->tcp.seq == m->rcv_nxt;
		if (!m->reset)
			ack_now(m);
		return;
	}
	must(p->tcp.flags & TCP_ACK);
	take_ack(m, p);
	take_data(m, p);
	output(m);
}

uint64_t model_next(const struct model_guest *m)
{
	uint64_t a = m->rtx_due_ns ? m->rtx_due_ns : TIMERQ_NEVER,
		 b = m->ack_due_ns ? m->ack_due_ns : TIMERQ_NEVER;

	return m->reset ? TIMERQ_NEVER : a < b ? a : b;
}

static void timed_out(struct model_guest *m)
{
	m->backoff += m->backoff < 10;
	m->rtx_due_ns = m->now_ns + rto(m);
	if (!m->established) {
		emit(m, m->syn_sent ? TCP_SYN : TCP_SYN | TCP_ACK, m->iss, 0);
		m->n_timeouts++;
	} else if (in_flight(m)) {
		m->n_timeouts++;
		m->sacked.n = 0;
		recover(m);
		m->cwnd = m->set.mss;
		m->lost_all = true;
		output_again(m);
	} else if (m->wnd && m->nxt != data_end(m)) {
		uint32_t n = min32(min32(m->wnd, m->set.mss), data_end(m) - m->nxt);

		m->n_probes++;
		emit(m, TCP_ACK | TCP_PSH, m->nxt, n);
		m->nxt += n;
	} else {
		m->n_probes++;
		emit(m, TCP_ACK, m->una - 1, 0);
	}
}

void model_tick(struct model_guest *m)
{
	if (m->reset)
		return;
	if (m->ack_due_ns && m->ack_due_ns <= m->now_ns)
		ack_now(m);
	if (m->rtx_due_ns && m->rtx_due_ns <= m->now_ns)
		timed_out(m);
}

void model_write(struct model_guest *m, uint64_t n, bool end)
{
	must(!m->ended);
	m->n_written += n;
	m->ended = end;
	output(m);
}

void model_read(struct model_guest *m, uint64_t n)
{
	uint32_t window, before = seq_gt(m->told, m->rcv_nxt) ? m->told - m->rcv_nxt : 0;
	uint64_t left = unread(m);

	if (!m->established || m->reset)
		return;
	m->n_read += n < left ? n : left;
	if (unread(m) == 0)
		m->window_shut = false;
	window = min32(m->set.rcvbuf - (uint32_t)unread(m),
		       (uint32_t)UINT16_MAX << m->rcv_wscale);
	if (!m->fin_received && window >= 2 * before &&
	    (window >= m->set.mss || window >= m->set.rcvbuf / 2) && window > before)
		ack_now(m);
}

void model_abort(struct model_guest *m)
{
	if (m->established)
		emit(m, TCP_RST | TCP_ACK, m->nxt, 0);
	m->reset = true;
}

bool model_done(const struct model_guest *m)
{
	return m->reset || (m->fin_received && m->fin_sent && !in_flight(m));
}
