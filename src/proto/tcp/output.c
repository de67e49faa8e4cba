/* proto/tcp/output.c: segments to the guest. */
#include <errno.h>

#include "base/checksum.h"
#include "proto/guest.h"
#include "proto/tcp/conn.h"

#define SEGMENTS_MAX 256	   /* of one peek */
#define TURN_BYTES   (256u << 10) /* then others have their turn */
#define ACK_SACK_MAX 4

/* A segment with an ACK was sent. */
static void acked(struct tcp_conn *c)
{
	c->ack_now = c->quick_ack = false;
	c->rcv_acked = c->rcv_nxt;
	list_remove(&c->delack);
}

static void write_ip(struct env *env, struct wr *w, const struct flow_key *key, uint32_t label,
		     size_t len)
{
	if (addr_is_ip4(&key->guest)) {
		guest_eth_encode(env, w, ETHERTYPE_IP4);
		ip4_encode(w, &(struct ip4_hdr){ .total_len = (uint16_t)(IP4_HEADER_LEN + len),
						 .dont_fragment = true,
						 .ttl = IP4_TTL_DEFAULT,
						 .proto = IP_TCP,
						 .src = key->peer,
						 .dst = key->guest });
		return;
	}
	guest_eth_encode(env, w, ETHERTYPE_IP6);
	ip6_encode(w, &(struct ip6_hdr){ .flow_label = label,
					 .payload_len = (uint16_t)len,
					 .next_header = IP_TCP,
					 .hop_limit = IP6_HOP_LIMIT_DEFAULT,
					 .src = key->peer,
					 .dst = key->guest });
}

/* Writes all headers of a segment whose payload already stands behind them. */
static size_t write_headers(struct env *env, const struct flow_key *key, uint32_t label,
			    uint8_t *frame, const struct tcp_hdr *h, size_t payload_len)
{
	size_t at = ETH_HEADER_LEN + tcp_ip_header_len(key), tcp_len;
	struct wr w = wr_init(frame, at + TCP_HEADER_MAX);
	uint64_t sum;

	w.p = frame + at;
	tcp_len = tcp_encode(&w, h);
	w.p = frame;
	write_ip(env, &w, key, label, tcp_len + payload_len);
	sum = checksum_add_pseudo(0, &key->peer, &key->guest, IP_TCP, (uint32_t)(tcp_len + payload_len));
	sum = checksum_add(sum, frame + at, tcp_len + payload_len);
	put_be16(frame + at + TCP_CHECKSUM_OFFSET, checksum_finish(sum));
	env->stats.tcp_segments_out++;
	return at + tcp_len + payload_len;
}

bool tcp_send_bare(struct env *env, const struct flow_key *key, uint32_t label,
		   const struct tcp_hdr *h)
{
	size_t max = ETH_HEADER_LEN + tcp_ip_header_len(key) + TCP_HEADER_MAX;
	uint8_t *frame;

	if (env->guest_ops->reserve(env->link, false, max, 1, &frame) < 1)
		return false;
	env->guest_ops->commit(env->link, 1, write_headers(env, key, label, frame, h, 0));
	return true;
}

static struct tcp_hdr header(struct env *env, struct tcp_conn *c, uint32_t seq, uint8_t flags)
{
	return (struct tcp_hdr){ .sport = c->flow.key.peer_port,
				 .dport = c->flow.key.guest_port,
				 .seq = seq,
				 .ack = flags & TCP_ACK ? c->rcv_nxt : 0,
				 .flags = flags,
				 .window = flags & TCP_SYN ? tcp_window_first(env, c)
							   : tcp_window_advertise(env, c) };
}

static void add_sack(const struct tcp_conn *c, struct tcp_hdr *h)
{
	struct tcp_range r[ACK_SACK_MAX];
	int n = c->sack_ok ? tcp_recvq_holes(&c->recvq, r, ACK_SACK_MAX) : 0;

	for (int i = 0; i < n; i++)
		h->sack[i] = (struct tcp_sack_block){ c->recvq.base + r[i].start, c->recvq.base + r[i].end };
	h->n_sack = (uint8_t)n;
}

bool tcp_send_control(struct env *env, struct tcp_conn *c, uint32_t seq, uint8_t flags)
{
	struct tcp_hdr h = header(env, c, seq, flags);

	if (flags & TCP_SYN) {
		h.mss = tcp_mss(env->net->mtu, &c->flow.key);
		h.has_wscale = c->wscale_ok;
		h.wscale = TCP_WSCALE;
		h.sack_permitted = c->sack_ok;
	} else {
		add_sack(c, &h);
	}
	if (!tcp_send_bare(env, &c->flow.key, flow_label(c->flow.hash), &h))
		return false;
	c->flow.packets_in++;
	if (flags & TCP_ACK)
		acked(c);
	return true;
}

void tcp_send_ack(struct env *env, struct tcp_conn *c)
{
	c->ack_now = c->quick_ack = true;
	list_remove(&c->delack);
	if (!tcp_send_control(env, c, c->snd_nxt, TCP_ACK))
		tcp_wait_for_room(env, c);
}

void tcp_send_syn(struct env *env, struct tcp_conn *c)
{
	uint8_t flags = c->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;

	c->snd_nxt = c->iss + 1;
	if (!tcp_send_control(env, c, c->iss, flags))
		tcp_wait_for_room(env, c);
	tcp_rtx_arm(env, c);
}

void tcp_wait_for_room(struct env *env, struct tcp_conn *c)
{
	env->tcp->room_failed = true;
	if (!list_linked(&c->turn))
		list_append(&env->tcp->roomless, &c->turn);
}

void tcp_follow_path(const struct env *env, struct tcp_conn *c)
{
	uint16_t max = tcp_mss(path_mtu(env, &c->flow.key.guest), &c->flow.key);

	c->mss = c->mss_guest < max ? c->mss_guest : max;
}

static void send_segments(struct env *env, struct tcp_conn *c, uint32_t seq, uint8_t *frames[],
			  size_t len)
{
	struct tcp_hdr h = header(env, c, seq, TCP_ACK);
	uint32_t label = flow_label(c->flow.hash);
	int n = 0;

	while (len) {
		size_t part = len < c->mss ? len : c->mss, frame_len;

		len -= part;
		if (!len)
			h.flags |= TCP_PSH;
		frame_len = write_headers(env, &c->flow.key, label, frames[n++], &h, part);
		h.seq += (uint32_t)part;
		if (!len)
			env->guest_ops->commit(env->link, n, frame_len);
	}
	c->flow.packets_in += (unsigned)n;
	tcp_delack_answer(c);
	acked(c);
}

ssize_t tcp_send_data(struct env *env, struct tcp_conn *c, uint32_t seq, uint32_t len, bool *drained)
{
	uint8_t *frames[SEGMENTS_MAX];
	struct iovec iov[SEGMENTS_MAX];
	size_t headers_len = ETH_HEADER_LEN + tcp_ip_header_len(&c->flow.key) + TCP_HEADER_LEN;
	uint32_t offered = 0;
	ssize_t got;
	int n = (int)((len + c->mss - 1) / c->mss);

	n = env->guest_ops->reserve(env->link, true, headers_len + c->mss,
				    n < SEGMENTS_MAX ? n : SEGMENTS_MAX, frames);
	if (!n) {
		tcp_wait_for_room(env, c);
		return -ENOBUFS;
	}
	for (int i = 0; i < n; i++) {
		uint32_t part = len - offered < c->mss ? len - offered : c->mss;

		iov[i] = (struct iovec){ frames[i] + headers_len, part };
		offered += part;
	}
	got = c->host_ops->peek(c->host, iov, n, seq - c->snd_una + c->n_acked);
	*drained = got < (ssize_t)offered;
	if (got > 0)
		send_segments(env, c, seq, frames, (size_t)got);
	if (env->to_guest.on && got > 0)
		shaper_take(env, &env->to_guest, &c->to_guest, (uint32_t)got);
	return got;
}

static void send_fin(struct env *env, struct tcp_conn *c)
{
	c->snd_fin = c->snd_nxt;
	if (!tcp_send_control(env, c, c->snd_fin, TCP_FIN | TCP_ACK)) {
		tcp_wait_for_room(env, c);
		return;
	}
	c->fin_sent = true;
	c->snd_nxt++;
	tcp_set_state(env, c, c->state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT_1);
}

static bool silly(const struct tcp_conn *c, uint32_t len)
{
	return len < c->mss && len < c->snd_wnd_max / 2;
}

/* How much of the guest's window may be filled now.  RFC 9293 3.8.6.2.1: no silly segments
 * while an ACK is to come that will open the window further. */
static uint32_t usable_window(const struct tcp_conn *c)
{
	uint32_t right = c->snd_una + c->snd_wnd, usable;

	if (seq_le(right, c->snd_nxt))
		return 0;
	usable = right - c->snd_nxt;
	return silly(c, usable) && c->snd_una != c->snd_nxt ? 0 : usable;
}

/* With nothing in flight, a silly segment that would be one of many waits for a larger window,
 * but not for ever (the override timeout of RFC 9293 3.8.6.2.1); one that is all there is leaves. */
static bool hold_back(struct tcp_conn *c, uint32_t usable)
{
	static uint8_t unused[UINT16_MAX];
	struct iovec iov = { unused, usable + 1 };
	bool before = c->held_back;

	c->held_back = silly(c, usable) && !c->override &&
		       c->host_ops->peek(c->host, &iov, 1, c->n_acked) > (ssize_t)usable;
	if (before && !c->held_back)
		c->rtx_deadline_ns = TIMERQ_NEVER; /* which was that of the override */
	return c->held_back;
}

/* False when the connection is gone. */
static bool send_new(struct env *env, struct tcp_conn *c)
{
	uint32_t budget = TURN_BYTES, window, len;

	while (c->host_readable && (window = usable_window(c))) {
		bool drained;
		ssize_t n;

		if (c->snd_una == c->snd_nxt && hold_back(c, window))
			break;

		if (!budget) {
			if (!list_linked(&c->turn))
				list_append(&env->tcp->ready, &c->turn);
			break;
		}
		len = window < budget ? window : budget;
		if (env->to_guest.on)
			len = shaper_grant(env, &env->to_guest, &c->to_guest, len);
		if (!len)
			break;
		n = tcp_send_data(env, c, c->snd_nxt, len, &drained);
		if (n == -ENOBUFS)
			break;
		if ((n < 0 && n != -EAGAIN) || (n <= 0 && c->flow.error)) {
			tcp_fail(env, c, c->flow.error ? c->flow.error : (int)-n);
			return false;
		}
		if (n <= 0 || (drained && !c->host_end && !c->flow.error))
			c->host_readable = false;
		if (!n)
			c->host_eof = true;
		if (n > 0) {
			c->override = false;
			if (!c->rtt_timed) {
				c->rtt_timed = true;
				c->rtt_seq = c->snd_nxt;
				c->rtt_start_ns = env->now_ns;
			}
			c->snd_nxt += (uint32_t)n;
			flow_count(&c->flow, env->now_ns, 0, (uint64_t)n);
			c->flow.used_ns = env->now_ns;
			budget -= (uint32_t)n;
		}
	}
	return true;
}

bool tcp_output(struct env *env, struct tcp_conn *c)
{
	tcp_follow_path(env, c);
	if (c->n_acked && c->host) {
		c->host_ops->consume(c->host, c->n_acked);
		c->n_acked = 0;
	}
	if (c->recovering && !tcp_rtx_continue(env, c))
		return false;
	if (tcp_sends(c) && !c->recovering) {
		if (!send_new(env, c))
			return false;
		if (c->host_eof)
			send_fin(env, c);
	}
	tcp_rtx_arm(env, c);
	return true;
}
