/* proto/tcp/conn.c: opening and ending connections, and the relay's entries. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flow/details.h"
#include "proto/host_error.h"
#include "proto/preempt.h"
#include "proto/tcp/conn.h"

/* Bytes of the guests' data that wait for host sockets, in all connections together. */
#define QUEUE_MEMORY (128u << 20)

static const struct flow_class tcp_flow_class;

static void settle(struct env *env, struct tcp_conn *c);

static void go_on_to_guest(struct env *env, struct shaper_place *place)
{
	settle(env, container_of(place, struct tcp_conn, to_guest));
}

static void go_on_to_host(struct env *env, struct shaper_place *place)
{
	settle(env, container_of(place, struct tcp_conn, to_host));
}

struct tcp *tcp_new(struct env *env, const struct tcp_dialer *dialer)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->dialer = dialer;
	hash_key_random(&t->isn_key);
	tcp_chunk_pool_init(&t->pool, QUEUE_MEMORY);
	list_init(&t->touched);
	list_init(&t->ready);
	list_init(&t->roomless);
	list_init(&t->resets);
	list_init(&t->delacks);
	t->delack_timer.fire = tcp_delack_timer_fired;
	env->to_guest.go_on = go_on_to_guest;
	env->to_host.go_on = go_on_to_host;
	env->tcp = t;
	return t;
}

void tcp_free(struct env *env)
{
	struct tcp *t = env->tcp;

	if (!t)
		return;
	timerq_cancel(&env->timers, &t->delack_timer);
	tcp_forget_owed_resets(t);
	tcp_chunk_pool_free(&t->pool);
	free(t);
	env->tcp = NULL;
}

void tcp_set_service(struct tcp *t, const struct tcp_service *service)
{
	t->service = service;
}

/* RFC 6528 3, with a clock of 4 microseconds. */
static uint32_t initial_sequence(const struct env *env, const struct flow_key *key)
{
	return (uint32_t)hash_bytes(&env->tcp->isn_key, key, sizeof(*key)) +
	       (uint32_t)(env->now_ns / (4 * NS_PER_US));
}

/* A new connection in the flow table, without a host side.  NULL and *err on failure. */
static struct tcp_conn *create(struct env *env, const struct flow_key *key, enum flow_dir dir,
			       enum tcp_state state, int *err)
{
	struct tcp_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		*err = -ENOMEM;
		return NULL;
	}
	c->flow.class = &tcp_flow_class;
	c->flow.key = *key;
	c->flow.dir = dir;
	c->flow.timer.fire = tcp_timer_fired;
	c->state = (uint8_t)state;
	c->first_piece = c->last_piece = -1;
	c->rto = TCP_RTO_INIT;
	c->rtx_deadline_ns = c->retry_due_ns = TIMERQ_NEVER;
	list_init(&c->batch);
	list_init(&c->turn);
	list_init(&c->delack);
	shaper_place_init(&c->to_guest);
	shaper_place_init(&c->to_host);
	*err = preempt_insert(env, &c->flow);
	if (*err) {
		free(c);
		return NULL;
	}
	c->iss = c->snd_una = c->snd_nxt = initial_sequence(env, key);
	return c;
}

/* Counts the bytes of the guest's stream that came in order since, in the lower half of the counter.
 * In SYN-SENT it is not known where the stream begins. */
static void count_bytes(const struct env *env, struct tcp_conn *c)
{
	uint32_t stream = c->rcv_nxt - c->fin_received - (c->irs + 1);

	if (c->state != TCP_SYN_SENT)
		flow_count(&c->flow, env->now_ns, stream - (uint32_t)c->flow.bytes_out, 0);
}

static void destroy(struct env *env, struct tcp_conn *c, enum flow_close_reason reason)
{
	if (!list_empty(&c->batch))
		env->tcp->n_touched--;
	list_remove(&c->batch);
	list_remove(&c->turn);
	list_remove(&c->delack);
	shaper_leave(&env->to_guest, &c->to_guest);
	shaper_leave(&env->to_host, &c->to_host);
	timerq_cancel(&env->timers, &c->flow.timer);
	tcp_window_forget(env, c);
	tcp_recvq_clear(&c->recvq, &env->tcp->pool);
	count_bytes(env, c);
	flow_table_remove(&env->flows, &c->flow, reason, env->now_ns);
	log_debug(TCP, "flow %llu: closed: %s", (unsigned long long)c->flow.id,
		  flow_close_reason_name(reason));
	free(c);
}

static void close_host(struct tcp_conn *c, bool reset)
{
	if (c->host)
		c->host_ops->close(c->host, reset);
	c->host = NULL;
}

/* Whether the network said that there is no way, for which ICMP has words. */
static bool is_no_way(int err)
{
	return err == ENETUNREACH || err == ENETDOWN || err == EHOSTUNREACH || err == EHOSTDOWN ||
	       err == EACCES || err == EPERM;
}

/* Tells a guest whose SYN waits that there is no way: with the error that its own network would
 * have sent, then with the reset that every stack understands. */
static void refuse_connecting(struct env *env, struct tcp_conn *c)
{
	const struct flow_key *k = &c->flow.key;
	uint8_t syn[TCP_HEADER_LEN];
	struct wr w = wr_init(syn, sizeof(syn));

	if (is_no_way(c->flow.error)) {
		struct host_error e = host_error_from_errno(env->net, &k->guest, c->flow.error);

		tcp_encode(&w, &(struct tcp_hdr){ .sport = k->guest_port, .dport = k->peer_port,
						  .seq = c->irs, .flags = TCP_SYN });
		host_error_send(env, &e,
				&(struct host_error_packet){ .flow = &c->flow,
							     .proto = IP_TCP,
							     .ttl = IP4_TTL_DEFAULT,
							     .len = sizeof(syn),
							     .l4 = syn,
							     .l4_len = sizeof(syn) });
	}
	tcp_send_reset(env, k, 0, c->rcv_nxt, TCP_ACK);
}

void tcp_abort(struct env *env, struct tcp_conn *c, enum flow_close_reason reason)
{
	bool guest_knows = reason == FLOW_CLOSED_GUEST_RESET || reason == FLOW_CLOSED_GUEST_LEFT ||
			   (c->state == TCP_SYN_SENT && reason == FLOW_CLOSED_REFUSED) ||
			   c->state == TCP_TIME_WAIT;

	if (!guest_knows && c->state == TCP_CONNECTING)
		refuse_connecting(env, c);
	else if (!guest_knows)
		tcp_send_reset(env, &c->flow.key, c->snd_nxt, c->rcv_nxt,
			       c->state == TCP_SYN_SENT ? 0 : TCP_ACK);
	close_host(c, true);
	destroy(env, c, reason);
}

static enum flow_close_reason reason_of(int err)
{
	switch (err) {
	case ECONNRESET:
	case EPIPE:
		return FLOW_CLOSED_PEER_RESET;
	case ECONNREFUSED:
		return FLOW_CLOSED_REFUSED;
	case ETIMEDOUT:
		return FLOW_CLOSED_TIMED_OUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		return FLOW_CLOSED_UNREACHABLE;
	default:
		return FLOW_CLOSED_HOST_ERROR;
	}
}

void tcp_fail(struct env *env, struct tcp_conn *c, int err)
{
	enum flow_close_reason reason = reason_of(err);

	c->flow.error = (uint16_t)err;
	if (reason == FLOW_CLOSED_TIMED_OUT)
		c->flow.silent = FLOW_END_PEER;
	tcp_abort(env, c, reason);
}

void tcp_finish(struct env *env, struct tcp_conn *c, enum flow_close_reason reason)
{
	close_host(c, false);
	destroy(env, c, reason);
}

bool tcp_check_done(struct env *env, struct tcp_conn *c)
{
	if (!c->host_shut || !c->fin_sent || c->snd_una != c->snd_nxt)
		return true;
	if (c->state == TCP_LAST_ACK) {
		tcp_finish(env, c, FLOW_CLOSED_FINISHED);
		return false;
	}
	if (c->host) {
		close_host(c, false);
		tcp_set_state(env, c, TCP_TIME_WAIT); /* its time begins when all is delivered */
	}
	return true;
}

/* The pending connect is decided. */
static void host_connected(struct env *env, struct tcp_conn *c)
{
	int rc = c->host_ops->connected(c->host);

	if (rc == -EINPROGRESS)
		return;
	if (rc) {
		tcp_fail(env, c, -rc);
		return;
	}
	c->host_ops->local(c->host, &c->flow.host);
	tcp_set_state(env, c, TCP_SYN_RECEIVED);
	tcp_send_syn(env, c);
}

struct tcp_memory tcp_get_memory(const struct env *env)
{
	const struct tcp_chunk_pool *p = &env->tcp->pool;

	return (struct tcp_memory){ p->n_used * TCP_CHUNK_SIZE, p->n_max * TCP_CHUNK_SIZE,
				    p->n_spare * TCP_CHUNK_SIZE };
}

static bool is_scarce(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS;
}

/* The host side's open failed at once. */
static enum drop refuse_open(struct env *env, struct tcp_conn *c, int err)
{
	if (is_scarce(err))
		preempt_refused(env, FLOW_TCP);
	tcp_fail(env, c, err);
	return is_scarce(err) ? DROP_HOST_SOCKET : DROP_NONE;
}

enum drop tcp_open_from_guest(struct env *env, const struct pkt *p)
{
	struct tcp *t = env->tcp;
	struct flow_key key = { .guest = p->src, .peer = p->dst, .guest_port = p->tcp.sport,
				.peer_port = p->tcp.dport, .proto = FLOW_TCP };
	struct endpoint dst = { p->dst, p->tcp.dport };
	struct tcp_conn *c;
	bool service;
	int err = 0;

	if (env->conf->no_tcp) {
		tcp_reset_stray(env, p);
		return DROP_IP_PROTOCOL;
	}
	c = create(env, &key, FLOW_OUT, TCP_CONNECTING, &err);
	if (!c) {
		tcp_reset_stray(env, p);
		return err == -ENOSPC ? DROP_FLOW_LIMIT : DROP_MEMORY;
	}
	c->flow.packets_out++;
	tcp_take_syn(env, c, &p->tcp);
	service = t->service && t->service->serves(env, &dst);
	if (service) {
		c->flow.peer = dst;
		c->host_ops = t->service->ops;
		c->host = t->service->open(env, c);
		err = ENOMEM;
	} else {
		c->flow.peer = (struct endpoint){ net_to_host(env->net, &p->dst), p->tcp.dport };
		c->host_ops = t->dialer->ops;
		c->host = t->dialer->connect(env, c, &c->flow.peer, &err);
		if (!c->host && is_scarce(err) && preempt_descriptor(env))
			c->host = t->dialer->connect(env, c, &c->flow.peer, &err);
	}
	if (!c->host)
		return refuse_open(env, c, err);
	tcp_timer_update(env, c);
	if (service)
		host_connected(env, c); /* nobody tells of it */
	return DROP_NONE;
}

int tcp_open_to_guest(struct env *env, const struct tcp_host_ops *ops, void *host,
		      void (*set_conn)(void *host, struct tcp_conn *conn),
		      const struct endpoint *guest, const struct endpoint *client,
		      const struct endpoint *peer)
{
	struct flow_key key = { .guest = guest->addr, .peer = client->addr, .guest_port = guest->port,
				.peer_port = client->port, .proto = FLOW_TCP };
	int err;
	struct tcp_conn *c = create(env, &key, FLOW_IN, TCP_SYN_SENT, &err);

	if (!c) {
		ops->close(host, true);
		return err;
	}
	c->host_ops = ops;
	c->host = host;
	c->flow.peer = *peer;
	ops->local(host, &c->flow.host);
	set_conn(host, c);
	c->wscale_ok = c->sack_ok = true;
	c->mss = c->mss_guest = TCP_MSS_DEFAULT;
	tcp_send_syn(env, c);
	tcp_timer_update(env, c);
	return 0;
}

void tcp_touch(struct env *env, struct tcp_conn *c)
{
	if (list_linked(&c->batch))
		return;
	list_append(&env->tcp->touched, &c->batch);
	env->tcp->n_touched++;
}

enum drop tcp_from_guest(struct env *env, const struct pkt *p)
{
	struct tcp *t = env->tcp;
	struct flow_key key = { .guest = p->src, .peer = p->dst, .guest_port = p->tcp.sport,
				.peer_port = p->tcp.dport, .proto = FLOW_TCP };
	struct tcp_conn *c;
	struct flow *f;

	env->stats.tcp_segments_in++;
	if (t->n_pieces == TCP_PIECES_MAX || t->n_touched == TCP_TOUCHED_MAX)
		tcp_batch_end(env);
	f = flow_table_lookup(&env->flows, &key);
	if (!f) {
		if (tcp_is_syn(&p->tcp))
			return tcp_open_from_guest(env, p);
		tcp_reset_stray(env, p);
		return DROP_NONE;
	}
	c = (struct tcp_conn *)f;
	if (c->state != TCP_CONNECTING) /* a SYN sent again is no sign of the peer */
		f->used_ns = env->now_ns;
	f->packets_out++;
	return tcp_input(env, c, p);
}

/* What a batch brought for one connection is done with it. */
static void settle(struct env *env, struct tcp_conn *c)
{
	if (c->host && !tcp_flush_to_host(env, c))
		return;
	count_bytes(env, c);
	if (!tcp_output(env, c) || !tcp_check_done(env, c))
		return;
	if (c->ack_now)
		tcp_ack(env, c);
	else if (tcp_window_opened(env, c))
		tcp_send_ack(env, c);
}

void tcp_batch_end(struct env *env)
{
	struct tcp *t = env->tcp;

	while (!list_empty(&t->touched)) {
		struct tcp_conn *c = container_of(t->touched.next, struct tcp_conn, batch);

		list_remove(&c->batch);
		t->n_touched--;
		settle(env, c);
	}
	t->n_pieces = 0;
}

static void take_turn(struct env *env, struct tcp_conn *c)
{
	list_remove(&c->turn);
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		tcp_send_syn(env, c);
	else
		settle(env, c);
}

/* The connections that stand in `waiting` now have a turn each, until the link is full; others
 * that join meanwhile wait for the next round. */
static void run_turns(struct env *env, struct list *waiting)
{
	struct list now;

	env->tcp->room_failed = false;
	list_take(&now, waiting);
	while (!list_empty(&now) && !env->tcp->room_failed)
		take_turn(env, container_of(now.next, struct tcp_conn, turn));
	list_prepend_all(waiting, &now);
}

bool tcp_run_ready(struct env *env)
{
	run_turns(env, &env->tcp->ready);
	return !list_empty(&env->tcp->ready);
}

void tcp_room(struct env *env)
{
	tcp_send_owed_resets(env);
	run_turns(env, &env->tcp->roomless);
}

void tcp_from_host(struct env *env, struct tcp_conn *c, unsigned events)
{
	int err;

	c->host_readable |= !!(events & TCP_HOST_READ);
	c->host_end |= !!(events & TCP_HOST_END);
	if (events & TCP_HOST_WRITE)
		c->host_blocked = false;
	if (c->state == TCP_CONNECTING) {
		host_connected(env, c);
		return;
	}
	/* where nothing is peeked any more, an error would stay unseen */
	if (events & TCP_HOST_ERROR && !tcp_sends(c) && (err = c->host_ops->connected(c->host))) {
		tcp_fail(env, c, -err);
		return;
	}
	if (c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECEIVED)
		settle(env, c);
}

static const char *flow_state(const struct flow *f)
{
	return tcp_state_name(((const struct tcp_conn *)f)->state);
}

static void flow_close(struct env *env, struct flow *f, enum flow_close_reason reason)
{
	tcp_abort(env, (struct tcp_conn *)f, reason);
}

static uint64_t flow_timeout(const struct env *env, const struct flow *f)
{
	uint64_t deadline = tcp_state_deadline(env, (const struct tcp_conn *)f);

	return deadline != TIMERQ_NEVER && deadline > env->now_ns ? deadline - env->now_ns : 0;
}

static void flow_details(const struct flow *f, struct flow_details *d)
{
	const struct tcp_conn *c = (const struct tcp_conn *)f;
	uint32_t edge = c->snd_una + c->snd_wnd;

	d->tcp = c->state != TCP_CONNECTING && c->state != TCP_SYN_SENT;
	d->queue_out = tcp_recvq_ready(&c->recvq);
	d->unacked = c->snd_nxt - c->snd_una;
	d->window = seq_gt(c->rcv_adv, c->rcv_nxt) ? c->rcv_adv - c->rcv_nxt : 0;
	d->guest_window = seq_gt(edge, c->snd_nxt) ? edge - c->snd_nxt : 0;
	d->mss = c->mss;
	d->guest_rtt_us = c->rto.srtt_ns / NS_PER_US;
	d->guest_retransmits = c->n_retransmits;
	d->kernel = c->host && c->host_ops->info && c->host_ops->info(c->host, &d->peer);
}

/* The peer is told that the guest has finished, unless some of what that sent still waits; the
 * guest, once it has all, that the peer has. */
static void flow_finish(struct env *env, struct flow *f)
{
	struct tcp_conn *c = (struct tcp_conn *)f;

	if (!c->host || !c->host_ops->hang_up || c->state < TCP_ESTABLISHED) {
		tcp_abort(env, c, FLOW_CLOSED_BY_OPERATOR);
		return;
	}
	c->host_ops->hang_up(c->host);
	if (tcp_recvq_empty(&c->recvq))
		c->host_ops->shutdown(c->host);
}

static const struct flow_class tcp_flow_class = { "tcp",	flow_state,   flow_close,
						  flow_timeout, flow_details, flow_finish };
