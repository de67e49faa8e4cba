/* proto/udp_send.c: the guest's datagrams on their way to the host.
 *
 * Those of one batch wait for its end, so that the datagrams of a flow leave in one system
 * call.  What a socket does not take is copied to the flow's queue, within bounds, and goes
 * when the socket turns writable; so a burst that is faster than the host's network is
 * smoothed rather than cut.
 */
#include <errno.h>
#include <stdlib.h>

#include "proto/host_error.h"
#include "proto/udp_flow.h"

#define QUEUE_FLOW_MAX (4u << 20)  /* bytes that wait for one socket */
#define QUEUE_ALL_MAX  (16u << 20) /* and for all of them */
#define RETRIES	       2

struct queued {
	struct list link;
	struct host_ip ip;
	size_t len;
	uint8_t data[];
};

static bool same_ip(const struct host_ip *a, const struct host_ip *b)
{
	return a->ttl == b->ttl && a->tos == b->tos && a->dont_fragment == b->dont_fragment;
}

static void set_ip(struct env *env, struct udp_flow *f, const struct host_ip *ip)
{
	if (same_ip(&f->ip_set, ip))
		return;
	f->ip_set = *ip;
	if (f->sock)
		env->udp->ops->set_ip(f->sock, ip);
}

/* The first of `n` datagrams cannot be sent: the guest shall know, unless it is for lack of
 * room, which passes, or was for a group (RFC 1122 3.2.2). */
static void refuse(struct env *env, struct udp_flow *f, int error, const struct iovec *d)
{
	uint8_t l4[UDP_HEADER_LEN + HOST_ERROR_QUOTE_MAX];
	struct wr w = wr_init(l4, sizeof(l4));
	struct host_error e = host_error_from_errno(env->net, &f->flow.key.guest, error);
	struct host_error_packet p = { .flow = &f->flow,
				       .proto = IP_UDP,
				       .ttl = f->ip.ttl,
				       .tos = f->ip.tos,
				       .dont_fragment = f->ip.dont_fragment,
				       .len = UDP_HEADER_LEN + d->iov_len,
				       .l4 = l4 };

	env_drop(env, DROP_HOST_SEND);
	if (error == ENOBUFS || error == ENOMEM || error == EMSGSIZE || f->group)
		return;
	udp_encode(&w, &(struct udp_hdr){ .sport = f->flow.key.guest_port,
					  .dport = f->flow.key.peer_port,
					  .len = (uint16_t)p.len,
					  .checksum = f->last_checksum });
	wr_bytes(&w, d->iov_base,
		 d->iov_len < HOST_ERROR_QUOTE_MAX ? d->iov_len : HOST_ERROR_QUOTE_MAX);
	p.l4_len = wr_len(&w);
	env->stats.udp_errors += host_error_send(env, &e, &p);
}

static int send_some(struct env *env, struct udp_flow *f, const struct iovec *d, int n)
{
	struct udp *u = env->udp;
	int sent;

	if (f->via)
		return f->via->ops->send(f->via, &f->client, &f->path, &f->ip_set, d, n);
	sent = u->ops->send(f->sock, d, n);
	for (int i = 0; f->group && i < sent; i++)
		udp_echo_sent(&u->echoes, env->now_ns, &f->flow.host, f->flow.peer.port,
			      d[i].iov_base, d[i].iov_len);
	return sent;
}

/* How many of the datagrams are done with, sent or refused; the others cannot be now. */
static int try_send(struct env *env, struct udp_flow *f, const struct iovec *d, int n)
{
	int done = 0, failed = 0, n_errors;

	while (done < n) {
		int rc = send_some(env, f, d + done, n - done);

		if (rc == -EAGAIN)
			break;
		if (rc > 0) {
			done += rc;
			failed = 0;
			continue;
		}
		/* an ICMP error that came for an earlier datagram, of a forward also to another
		 * client, fails the next call, once */
		n_errors = udp_read_errors(env, f);
		if (rc != -EPERM && failed++ < RETRIES)
			continue;
		if (n_errors) /* they keep coming: nothing tells which one this was */
			break;
		refuse(env, f, -rc, &d[done++]);
		failed = 0;
	}
	return done;
}

static void queue_started(struct env *env, struct udp_flow *f)
{
	if (f->via && !f->via->n_queued++)
		f->via->ops->want_write(f->via, true);
	udp_flow_watch(env, f);
}

static void queue_ended(struct env *env, struct udp_flow *f)
{
	if (f->via && !--f->via->n_queued)
		f->via->ops->want_write(f->via, false);
	udp_flow_watch(env, f);
}

static void enqueue(struct env *env, struct udp_flow *f, const struct iovec *d)
{
	struct udp *u = env->udp;
	struct queued *q;
	/* short datagrams count as much as they occupy */
	size_t cost = sizeof(*q) + d->iov_len;

	if (f->queued + cost > QUEUE_FLOW_MAX || u->queued + cost > QUEUE_ALL_MAX) {
		env_drop(env, DROP_HOST_QUEUE);
		return;
	}
	q = malloc(cost);
	if (!q) {
		env_drop(env, DROP_MEMORY);
		return;
	}
	q->ip = f->ip;
	q->len = d->iov_len;
	memcpy(q->data, d->iov_base, d->iov_len);
	f->queued += cost;
	u->queued += cost;
	env->stats.udp_queued++;
	list_append(&f->queue, &q->link);
	if (f->queue.next == &q->link)
		queue_started(env, f);
}

static void dequeue(struct env *env, struct udp_flow *f, struct queued *q)
{
	size_t cost = sizeof(*q) + q->len;

	list_remove(&q->link);
	f->queued -= cost;
	env->udp->queued -= cost;
	free(q);
	if (list_empty(&f->queue))
		queue_ended(env, f);
}

void udp_send_queued(struct env *env, struct udp_flow *f)
{
	/* one that waits wakes us up as often as it is left, though nothing can be sent */
	if (f->sock)
		udp_read_errors(env, f);
	while (!list_empty(&f->queue)) {
		struct queued *q = container_of(f->queue.next, struct queued, link);

		set_ip(env, f, &q->ip);
		if (!try_send(env, f, &(struct iovec){ q->data, q->len }, 1))
			return;
		dequeue(env, f, q);
	}
}

void udp_send_forget(struct env *env, struct udp_flow *f)
{
	while (!list_empty(&f->queue))
		dequeue(env, f, container_of(f->queue.next, struct queued, link));
}

void udp_send_flush(struct env *env, struct udp_flow *f)
{
	struct udp *u = env->udp;
	struct iovec d[UDP_BATCH];
	unsigned at = f->batch_first;
	int n = f->n_batch, done = 0;

	for (int i = 0; i < n; i++) {
		d[i] = u->batch[at].payload;
		at = u->batch[at].next;
	}
	f->n_batch = 0;
	list_remove(&f->dirty);
	if (n && list_empty(&f->queue)) {
		set_ip(env, f, &f->ip);
		done = try_send(env, f, d, n);
	}
	for (; done < n; done++)
		enqueue(env, f, &d[done]);
}

void udp_batch_end(struct env *env)
{
	struct udp *u = env->udp;

	while (!list_empty(&u->dirty))
		udp_send_flush(env, container_of(u->dirty.next, struct udp_flow, dirty));
	u->n_batch = 0;
}

void udp_send(struct env *env, struct udp_flow *f, const struct pkt *p)
{
	struct udp *u = env->udp;
	struct host_ip ip = { p->ttl, p->tos, p->dont_fragment };
	uint16_t at;

	if (env->to_host.on && !shaper_pass(env, &env->to_host, (uint32_t)p->payload_len)) {
		env->stats.udp_over_rate_out++;
		return;
	}
	if (f->n_batch && !same_ip(&f->ip, &ip))
		udp_send_flush(env, f);
	if (u->n_batch == UDP_BATCH)
		udp_batch_end(env);
	f->ip = ip;
	f->last_len = p->udp.len;
	f->last_checksum = p->udp.checksum;
	at = (uint16_t)u->n_batch++;
	u->batch[at].payload = (struct iovec){ (void *)p->payload, p->payload_len };
	if (f->n_batch)
		u->batch[f->batch_last].next = at;
	else
		f->batch_first = at;
	f->batch_last = at;
	if (!f->n_batch++)
		list_append(&u->dirty, &f->dirty);
}
