/* proto/dns_tcp.c: frames queries and answers; one endpoint a connection of the guest.
 *
 * The TCP relay calls the endpoint's operations; what these make ready is told to it by a timer
 * that fires at once, as it must not be told from within.
 */
#include "proto/dns_tcp.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/dns.h"
#include "proto/event.h"
#include "wire/dns.h"

#define LENGTH_LEN 2

/* An answer on its way to the client, behind its length. */
struct chunk {
	struct list list;
	size_t len;
	uint8_t data[];
};

struct dns_tcp {
	struct env *env;
	struct tcp_conn *conn;
	struct list all;    /* of `clients`, while counted there */
	struct timer timer; /* tells the relay of `events` */
	unsigned events;
	bool stalled;	  /* send() said -EAGAIN */
	bool ended;	  /* no more queries: the client's FIN came, or ours goes */
	unsigned pending; /* queries without answer */

	uint8_t length[LENGTH_LEN]; /* of the query being read */
	size_t n_read;		    /* bytes of it, with its length */
	uint8_t *query;

	struct list chunks;
	size_t unread;	 /* bytes of chunks that the guest did not acknowledge */
	size_t consumed; /* of the first chunk */
};

/* The clients that count: each may hold memory.  The one idle for longest comes first. */
static struct list clients = { &clients, &clients };
static unsigned n_clients;

static void tell(struct dns_tcp *t, unsigned events)
{
	t->events |= events;
	timerq_set(&t->env->timers, &t->timer, t->env->now_ns);
}

static void fire(struct timer *timer, void *ctx)
{
	struct dns_tcp *t = container_of(timer, struct dns_tcp, timer);
	unsigned events = t->events;

	t->events = 0;
	tcp_from_host(t->env, t->conn, events);
}

static bool takes_input(const struct dns_tcp *t)
{
	return t->pending < DNS_TCP_PENDING_MAX && t->unread < DNS_TCP_UNREAD_MAX;
}

/* Something made room, or brought the end nearer. */
static void update(struct dns_tcp *t)
{
	if (t->stalled && takes_input(t)) {
		t->stalled = false;
		tell(t, TCP_HOST_WRITE);
	}
	if (t->ended && !t->pending && !t->unread)
		tell(t, TCP_HOST_READ);
}

static void uncount(struct dns_tcp *t)
{
	if (!list_linked(&t->all))
		return;
	list_remove(&t->all);
	n_clients--;
}

static void end(struct dns_tcp *t)
{
	t->ended = true;
	free(t->query);
	t->query = NULL;
	update(t);
}

/* RFC 7766 6.2.3: under pressure idle connections end early. */
static bool end_idle(void)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &clients)
	{
		struct dns_tcp *t = container_of(pos, struct dns_tcp, all);

		if (t->pending || t->unread)
			continue;
		uncount(t);
		end(t);
		return true;
	}
	return false;
}

static void *open_client(struct env *env, struct tcp_conn *conn)
{
	struct dns_tcp *t;

	if (n_clients >= DNS_TCP_CLIENTS_MAX && !end_idle()) {
		env->stats.dns_limit++;
		event_limit_reached(env, LIMIT_DNS_QUERIES);
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->env = env;
	t->conn = conn;
	t->timer.fire = fire;
	list_init(&t->chunks);
	list_append(&clients, &t->all);
	n_clients++;
	env->stats.dns_tcp_clients++;
	return t;
}

static int connected(void *host)
{
	return 0;
}

static void answer(struct env *env, const struct dns_client *c, const uint8_t *msg, size_t len)
{
	struct dns_tcp *t = c->conn;
	struct chunk *chunk = malloc(sizeof(*chunk) + LENGTH_LEN + len);

	t->pending--;
	if (chunk) {
		chunk->len = LENGTH_LEN + len;
		put_be16(chunk->data, (uint16_t)len);
		memcpy(chunk->data + LENGTH_LEN, msg, len);
		list_append(&t->chunks, &chunk->list);
		t->unread += chunk->len;
		tell(t, TCP_HOST_READ);
	}
	update(t);
}

static void ask(struct dns_tcp *t, const uint8_t *msg, size_t len)
{
	struct dns_client client = { .answer = answer, .tcp = true, .conn = t };
	unsigned pending = t->pending++; /* the answer may come at once */
	enum drop reason;

	list_remove(&t->all);
	list_append(&clients, &t->all);
	reason = dns_ask(t->env, msg, len, &client);
	if (reason == DROP_NONE)
		return;
	env_drop(t->env, reason);
	t->pending = pending; /* refused at once, or not answered at all */
}

/* Takes bytes of the query's length; how many, or -errno. */
static ssize_t read_length(struct dns_tcp *t, const uint8_t *p, size_t len)
{
	if (len > LENGTH_LEN - t->n_read)
		len = LENGTH_LEN - t->n_read;
	memcpy(t->length + t->n_read, p, len);
	t->n_read += len;
	if (t->n_read < LENGTH_LEN)
		return (ssize_t)len;
	if (get_be16(t->length) > DNS_QUERY_MAX)
		return -EMSGSIZE;
	t->query = malloc(get_be16(t->length) + 1u);
	return t->query ? (ssize_t)len : -ENOMEM;
}

/* Takes bytes of the query; how many. */
static ssize_t read_query(struct dns_tcp *t, const uint8_t *p, size_t len)
{
	size_t want = LENGTH_LEN + get_be16(t->length) - t->n_read;

	if (len > want)
		len = want;
	memcpy(t->query + t->n_read - LENGTH_LEN, p, len);
	t->n_read += len;
	return (ssize_t)len;
}

static bool has_query(const struct dns_tcp *t)
{
	return t->query && t->n_read == LENGTH_LEN + (size_t)get_be16(t->length);
}

/* Takes bytes up to the end of the query's length, or of the query; how many, or -errno. */
static ssize_t read_some(struct dns_tcp *t, const uint8_t *p, size_t len)
{
	ssize_t n = t->n_read < LENGTH_LEN ? read_length(t, p, len) : read_query(t, p, len);

	if (has_query(t)) {
		ask(t, t->query, get_be16(t->length));
		free(t->query);
		t->query = NULL;
		t->n_read = 0;
	}
	return n;
}

static ssize_t send_to_relay(void *host, const struct iovec *iov, int n)
{
	struct dns_tcp *t = host;
	ssize_t taken = 0;

	if (t->ended)
		return -EPIPE;
	for (int i = 0; i < n; i++) {
		const uint8_t *p = iov[i].iov_base;
		size_t left = iov[i].iov_len;

		while (left) {
			ssize_t part;

			if (!takes_input(t)) {
				t->stalled = true;
				return taken ? taken : -EAGAIN;
			}
			part = read_some(t, p, left);
			if (part < 0) {
				t->ended = true;
				return part;
			}
			p += part;
			left -= (size_t)part;
			taken += part;
		}
	}
	return taken;
}

/* Copies from one chunk, from `offset` in it, across the pieces. */
static size_t copy_out(const struct iovec *iov, int n, size_t done, const uint8_t *p,
		       size_t len)
{
	size_t copied = 0;

	for (int i = 0; i < n && copied < len; i++) {
		size_t part;

		if (done >= iov[i].iov_len) {
			done -= iov[i].iov_len;
			continue;
		}
		part = iov[i].iov_len - done;
		if (part > len - copied)
			part = len - copied;
		memcpy((uint8_t *)iov[i].iov_base + done, p + copied, part);
		copied += part;
		done = 0;
	}
	return copied;
}

static ssize_t peek(void *host, const struct iovec *iov, int n, size_t offset)
{
	struct dns_tcp *t = host;
	struct list *pos, *tmp;
	size_t done = 0;

	if (offset >= t->unread)
		return t->ended && !t->pending ? 0 : -EAGAIN;
	offset += t->consumed;
	list_for_each(pos, tmp, &t->chunks)
	{
		const struct chunk *c = container_of(pos, struct chunk, list);
		size_t part;

		if (offset >= c->len) {
			offset -= c->len;
			continue;
		}
		part = copy_out(iov, n, done, c->data + offset, c->len - offset);
		done += part;
		if (part < c->len - offset)
			break;
		offset = 0;
	}
	return (ssize_t)done;
}

static int consume(void *host, size_t len)
{
	struct dns_tcp *t = host;

	if (len > t->unread)
		return -EINVAL;
	t->unread -= len;
	t->consumed += len;
	while (!list_empty(&t->chunks)) {
		struct chunk *c = container_of(t->chunks.next, struct chunk, list);

		if (t->consumed < c->len)
			break;
		t->consumed -= c->len;
		list_remove(&c->list);
		free(c);
	}
	update(t);
	return 0;
}

static void shutdown_by_guest(void *host)
{
	end(host);
}

static void close_client(void *host, bool reset)
{
	struct dns_tcp *t = host;

	if (t->pending)
		dns_forget(t->env, t);
	uncount(t);
	free(t->query);
	timerq_cancel(&t->env->timers, &t->timer);
	while (!list_empty(&t->chunks)) {
		struct chunk *c = container_of(t->chunks.next, struct chunk, list);

		list_remove(&c->list);
		free(c);
	}
	free(t);
}

static void local(void *host, struct endpoint *e)
{
	*e = (struct endpoint){ .port = 0 };
}

static const struct tcp_host_ops ops = { .connected = connected,
					 .send = send_to_relay,
					 .peek = peek,
					 .consume = consume,
					 .shutdown = shutdown_by_guest,
					 .close = close_client,
					 .local = local };

const struct tcp_service dns_tcp_service = { .ops = &ops,
					     .serves = dns_serves,
					     .open = open_client };
