/* proto/tcp/deliver.c: what the guest sent, to the host side. */
#include <errno.h>

#include "proto/event.h"
#include "proto/tcp/conn.h"

#define SEND_PIECES 512 /* in one send() */
/* A kernel tells of room in a socket when a third of its buffer is free.  Where the buffer is what
 * bounds the rate, on a long way, that third stays unused unless one asks before. */
#define RETRY_NS (20 * NS_PER_MS)

static void add_piece(struct tcp *t, struct tcp_conn *c, const uint8_t *data, uint32_t len)
{
	int i = t->n_pieces++;

	t->pieces[i] = (struct tcp_piece){ data, len, -1 };
	if (c->first_piece < 0)
		c->first_piece = i;
	else
		t->pieces[c->last_piece].next = i;
	c->last_piece = i;
}

/* Keeps bytes in the queue; without memory they count as not received. */
static void queue(struct env *env, struct tcp_conn *c, uint32_t seq, const uint8_t *data, uint32_t len)
{
	if (!tcp_recvq_put(&c->recvq, &env->tcp->pool, seq, data, len))
		return;
	env->stats.tcp_memory_pressure += len;
	event_limit_reached(env, LIMIT_TCP_MEMORY);
}

/* Nobody is there to take it, of which the reset will tell; until then the guest need not wait for
 * an ACK. */
static void discard(struct tcp_conn *c, uint32_t seq, uint32_t len)
{
	if (seq == c->rcv_nxt)
		c->rcv_nxt = c->recvq.base = seq + len;
}

bool tcp_deliver(struct env *env, struct tcp_conn *c, uint32_t seq, const uint8_t *data, uint32_t len)
{
	if (c->flow.error) {
		discard(c, seq, len);
		return true;
	}
	if (seq == c->rcv_nxt && tcp_recvq_empty(&c->recvq) && !c->host_blocked) {
		add_piece(env->tcp, c, data, len);
		c->rcv_nxt += len;
		return true;
	}
	/* pieces and queue never stand side by side: their order would be lost */
	if (c->first_piece >= 0 && !tcp_flush_to_host(env, c))
		return false;
	if (c->flow.error) {
		discard(c, seq, len);
		return true;
	}
	queue(env, c, seq, data, len);
	if (seq == c->rcv_nxt) {
		c->rcv_nxt = seq_max(c->rcv_nxt,
				     c->recvq.base + (uint32_t)tcp_recvq_ready(&c->recvq));
	} else {
		env->stats.tcp_out_of_order++;
		tcp_send_ack(env, c); /* at once, for fast retransmission (RFC 5681 4.2) */
	}
	return true;
}

/* How many bytes may go to the host side now; 0: it will be the connection's turn. */
static size_t allowance(struct env *env, struct tcp_conn *c)
{
	if (!env->to_host.on)
		return SIZE_MAX;
	return shaper_grant(env, &env->to_host, &c->to_host, UINT32_MAX);
}

static ssize_t send_to_host(struct env *env, struct tcp_conn *c, const struct iovec *iov, int n)
{
	ssize_t sent = c->host_ops->send(c->host, iov, n);

	if (env->to_host.on && sent > 0)
		shaper_take(env, &env->to_host, &c->to_host, (uint32_t)sent);
	return sent;
}

/* Sends the chain of pieces from *piece, of which *done bytes are gone already, as far as the rate
 * allows.  0, -EAGAIN when the host side took less, or another -errno. */
static int send_pieces(struct env *env, struct tcp_conn *c, int *piece, uint32_t *done)
{
	struct iovec iov[SEND_PIECES];
	struct tcp *t = env->tcp;
	size_t room;

	while (*piece >= 0 && (room = allowance(env, c))) {
		size_t total = 0;
		ssize_t sent;
		int n = 0;

		for (int i = *piece; i >= 0 && n < SEND_PIECES && total < room; i = t->pieces[i].next) {
			uint32_t skip = n ? 0 : *done;
			size_t len = t->pieces[i].len - skip;

			len = len < room - total ? len : room - total;
			iov[n++] = (struct iovec){ (void *)(t->pieces[i].data + skip), len };
			total += len;
		}
		sent = send_to_host(env, c, iov, n);
		if (sent < 0)
			return (int)sent;
		c->recvq.base += (uint32_t)sent;
		for (*done += (uint32_t)sent; *piece >= 0 && *done >= t->pieces[*piece].len;
		     *piece = t->pieces[*piece].next)
			*done -= t->pieces[*piece].len;
		if ((size_t)sent < total)
			return -EAGAIN;
	}
	return 0;
}

/* The host side takes no more now.  It is asked again in a while, as long as that yields bytes;
 * else it will tell. */
static void blocked(struct env *env, struct tcp_conn *c, bool retry)
{
	c->host_blocked = true;
	c->retry_due_ns = retry ? env->now_ns + RETRY_NS : TIMERQ_NEVER;
	tcp_timer_update(env, c);
}

static int flush_pieces(struct env *env, struct tcp_conn *c)
{
	struct tcp *t = env->tcp;
	int piece = c->first_piece, rc;
	uint32_t done = 0, seq;

	c->first_piece = c->last_piece = -1;
	rc = send_pieces(env, c, &piece, &done);
	if (rc == -EAGAIN)
		blocked(env, c, true);
	else if (rc || piece < 0)
		return rc;
	seq = c->recvq.base;
	for (; piece >= 0; piece = t->pieces[piece].next, done = 0) {
		uint32_t len = t->pieces[piece].len - done;

		env->stats.tcp_queued += len;
		queue(env, c, seq, t->pieces[piece].data + done, len);
		seq += len;
	}
	/* what found no memory was not received */
	c->rcv_nxt = c->recvq.base + (uint32_t)tcp_recvq_ready(&c->recvq);
	return 0;
}

/* Takes what is beyond `len` bytes off the pieces; how many are left. */
static int cut(struct iovec *iov, int n, size_t len)
{
	int i = 0;

	for (; i < n && len; i++) {
		if (iov[i].iov_len > len)
			iov[i].iov_len = len;
		len -= iov[i].iov_len;
	}
	return i;
}

static int flush_queue(struct env *env, struct tcp_conn *c)
{
	struct iovec iov[TCP_RECVQ_CHUNKS + 1];
	size_t ready, room;

	while ((ready = tcp_recvq_ready(&c->recvq)) && (room = allowance(env, c))) {
		int n = tcp_recvq_iov(&c->recvq, iov, TCP_RECVQ_CHUNKS + 1);
		size_t offered = ready < room ? ready : room;
		ssize_t sent = send_to_host(env, c, iov, cut(iov, n, offered));

		if (sent < 0 && sent != -EAGAIN)
			return (int)sent;
		if (sent > 0) {
			tcp_recvq_consume(&c->recvq, &env->tcp->pool, (size_t)sent);
			c->flow.used_ns = env->now_ns;
		}
		if (sent < (ssize_t)offered) {
			blocked(env, c, sent > 0);
			break;
		}
	}
	return 0;
}

/* The guest's FIN, once everything before it has come (RFC 9293 3.10.7.4, eighth). */
static void take_fin(struct env *env, struct tcp_conn *c)
{
	c->fin_received = true;
	c->rcv_nxt++;
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt); /* some send it into a closed window */
	c->ack_now = true;
	c->quick_ack |= !tcp_sends(c); /* no FIN of ours will carry it */
	switch ((enum tcp_state)c->state) {
	case TCP_ESTABLISHED:
		tcp_set_state(env, c, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1:
		tcp_set_state(env, c, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT_2:
		tcp_set_state(env, c, TCP_TIME_WAIT);
		break;
	default:
		break;
	}
}

/* send() found the host side broken: what that sent before still goes to the guest, as its window
 * opens, and what stands behind it is the error again, then a reset.  False when the connection is
 * gone. */
static bool host_failed(struct env *env, struct tcp_conn *c, int err)
{
	if (!tcp_sends(c)) {
		tcp_fail(env, c, err);
		return false;
	}
	c->flow.error = (uint16_t)err;
	c->host_readable = true; /* an event that tells of it may be under way */
	c->host_blocked = false;
	tcp_recvq_clear(&c->recvq, &env->tcp->pool);
	c->recvq.base = c->rcv_nxt - c->fin_received;
	return true;
}

bool tcp_flush_to_host(struct env *env, struct tcp_conn *c)
{
	int rc = 0;

	if (c->first_piece >= 0)
		rc = flush_pieces(env, c);
	else if (!c->host_blocked && !tcp_recvq_empty(&c->recvq))
		rc = flush_queue(env, c);
	if (rc && !host_failed(env, c, -rc))
		return false;
	if (c->fin_seen && !c->fin_received && seq_ge(c->rcv_nxt, c->fin_seq))
		take_fin(env, c);
	if (c->fin_received && !c->host_shut && !c->flow.error && !tcp_recvq_ready(&c->recvq)) {
		tcp_recvq_clear(&c->recvq, &env->tcp->pool); /* of what was sent behind the FIN */
		c->host_shut = true;
		c->host_ops->shutdown(c->host);
	}
	return true;
}
