/* proto/dns_lookup.c: joins equal questions, asks server after server, verifies answers. */
#include "proto/dns_lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "proto/event.h"

int dns_lookups_init(struct dns_lookups *l, size_t max)
{
	list_init(&l->all);
	l->max = max;
	l->n_buckets = 1;
	while (l->n_buckets < max)
		l->n_buckets *= 2;
	l->buckets = calloc(l->n_buckets, sizeof(*l->buckets));
	if (!l->buckets)
		return -ENOMEM;
	for (size_t i = 0; i < l->n_buckets; i++)
		list_init(&l->buckets[i]);
	hash_key_random(&l->key);
	return 0;
}

static void close_try(struct dns_lookup *k, struct dns_try *try)
{
	if (try->sock)
		k->in->ops->close(try->sock);
	try->sock = NULL;
}

static void forget_waiter(struct dns_lookup *k, struct dns_waiter *w)
{
	list_remove(&w->list);
	k->n_waiters--;
	k->in->n_waiting--;
	free(w);
}

static void end(struct dns_lookup *k)
{
	while (!list_empty(&k->waiters))
		forget_waiter(k, container_of(k->waiters.next, struct dns_waiter, list));
	for (unsigned i = 0; i < k->n_tries; i++)
		close_try(k, &k->tries[i]);
	timerq_cancel(&k->in->env->timers, &k->timer);
	list_remove(&k->all);
	list_remove(&k->bucket);
	free(k->refusal);
	free(k);
}

void dns_lookups_free(struct dns_lookups *l)
{
	if (!l->buckets)
		return;
	dns_lookups_forget(l, NULL);
	free(l->buckets);
	l->buckets = NULL;
}

void dns_lookups_forget(struct dns_lookups *l, const struct dns_tcp *conn)
{
	struct list *pos, *tmp, *wait, *wait_tmp;

	list_for_each(pos, tmp, &l->all)
	{
		struct dns_lookup *k = container_of(pos, struct dns_lookup, all);

		list_for_each(wait, wait_tmp, &k->waiters)
		{
			struct dns_waiter *w = container_of(wait, struct dns_waiter, list);

			if (!conn || w->client.conn == conn)
				forget_waiter(k, w);
		}
		if (list_empty(&k->waiters))
			end(k);
	}
}

static void finish(struct dns_lookup *k, const uint8_t *msg, size_t len)
{
	k->in->done(k->in->env, k, msg, len);
	end(k);
}

/* The message for one server: with its id, and in the client's upper and lower case. */
static void make_message(const struct dns_lookup *k, const struct dns_try *try, uint8_t *msg)
{
	memcpy(msg, k->msg, k->len);
	dns_answer_patch(msg, k->len, try->id, k->question, k->query.question_len);
}

static void note_sent(const struct dns_try *try)
{
	struct dns_lookups *l = try->lookup->in;

	l->env->stats.dns_upstream_sent++;
	dns_server_sent(l->servers, &try->server);
}

/* Sends the query to the next server; 0 or -errno. */
static int open_try(struct dns_lookup *k)
{
	struct dns_lookups *l = k->in;
	struct dns_try *try = &k->tries[k->n_tries];
	uint8_t msg[DNS_QUERY_MAX];
	int err;

	k->n_tries++;
	*try = (struct dns_try){ .lookup = k,
				 .server = k->servers[k->n_tries - 1],
				 .sent_ns = l->env->now_ns };
	if (getrandom(&try->id, sizeof(try->id), GRND_NONBLOCK) != sizeof(try->id))
		return -EAGAIN;
	make_message(k, try, msg);
	err = l->ops->open(l->host, try, &try->server, k->tcp, msg, k->len, &try->sock);
	if (!err)
		note_sent(try);
	else
		event_no_descriptor(l->env, -err);
	return err;
}

static void note_failure(struct dns_try *try, const char *error)
{
	struct dns_lookups *l = try->lookup->in;

	l->env->stats.dns_upstream_failures++;
	dns_server_failed(l->servers, &try->server, l->env->now_ns, error);
}

static uint64_t patience_ns(const struct dns_lookup *k)
{
	return k->in->env->conf->timeouts.dns_query * NS_PER_SEC;
}

/* Asks the next server that can be sent to; false when none is left. */
static bool ask_next(struct dns_lookup *k)
{
	struct env *env = k->in->env;
	uint64_t first_ns = patience_ns(k) / (k->tcp ? 1 : 2);

	while (k->n_tries < k->n_servers) {
		int err = open_try(k);

		if (!err && !timerq_set(&env->timers, &k->timer, env->now_ns + first_ns))
			return true;
		note_failure(&k->tries[k->n_tries - 1], strerror(err ? -err : ENOMEM));
	}
	return false;
}

static void go_on(struct dns_lookup *k)
{
	if (!ask_next(k))
		finish(k, k->refusal, k->refusal_len);
}

/* The server of this try is of no use; those asked since are not hurried. */
static void give_up(struct dns_try *try)
{
	struct dns_lookup *k = try->lookup;

	close_try(k, try);
	if (try == &k->tries[k->n_tries - 1])
		go_on(k);
}

void dns_try_failed(struct dns_try *try, int err)
{
	note_failure(try, strerror(err));
	give_up(try);
}

/* The datagram, or its answer, may have been lost. */
static void send_again(struct dns_try *try)
{
	struct dns_lookup *k = try->lookup;
	uint8_t msg[DNS_QUERY_MAX];
	int err;

	try->resent = true;
	make_message(k, try, msg);
	err = k->in->ops->resend(try->sock, msg, k->len);
	if (!err)
		err = timerq_set(&k->in->env->timers, &k->timer, try->sent_ns + patience_ns(k));
	if (err)
		dns_try_failed(try, -err);
	else
		note_sent(try);
}

static void timer_fired(struct timer *t, void *ctx)
{
	struct dns_lookup *k = container_of(t, struct dns_lookup, timer);
	struct dns_try *try = &k->tries[k->n_tries - 1];
	struct dns_lookups *l = k->in;

	if (!k->tcp && !try->resent) {
		send_again(try);
		return;
	}
	l->env->stats.dns_upstream_timeouts++;
	dns_server_timed_out(l->servers, &try->server, try->sent_ns, l->env->now_ns, k->tcp);
	go_on(k); /* the silent server's socket stays open: its answer may yet come */
}

static void keep_refusal(struct dns_lookup *k, const uint8_t *msg, size_t len)
{
	if (k->refusal || len > DNS_QUERY_MAX)
		return;
	k->refusal = malloc(len);
	if (!k->refusal)
		return;
	memcpy(k->refusal, msg, len);
	k->refusal_len = len;
}

static void note_forgery(struct dns_try *try)
{
	static struct log_limit limit;
	struct env *env = try->lookup->in->env;
	char text[UPSTREAM_STR_MAX];

	env->stats.dns_upstream_mismatches++;
	log_warn_limited(&limit, env->now_ns, DNS,
			 "message from name server %s ignored: not the answer to our query",
			 upstream_print(&try->server, text));
}

void dns_try_answered(struct dns_try *try, const uint8_t *msg, size_t len)
{
	struct dns_lookup *k = try->lookup;
	unsigned rcode;

	if (!dns_answer_matches(msg, len, try->id, &k->query)) {
		note_forgery(try);
		return;
	}
	k->in->env->stats.dns_upstream_answers++;
	dns_server_answered(k->in->servers, &try->server, k->in->env->now_ns);
	rcode = DNS_RCODE(dns_answer_flags(msg));
	if (rcode != DNS_SERVFAIL && rcode != DNS_REFUSED) {
		finish(k, msg, len);
		return;
	}
	note_failure(try, rcode == DNS_SERVFAIL ? "SERVFAIL" : "REFUSED");
	keep_refusal(k, msg, len);
	give_up(try);
}

/* The message without what differs between clients: id, and case of the question. */
static void make_canonical(uint8_t *msg, const struct dns_query *q)
{
	put_be16(msg, 0);
	memcpy(msg + DNS_HEADER_LEN, q->name, q->name_len);
}

static struct dns_lookup *find(const struct dns_lookups *l, uint64_t hash, const uint8_t *msg,
			       size_t len, bool tcp)
{
	struct list *bucket = &l->buckets[hash & (l->n_buckets - 1)], *pos, *tmp;

	list_for_each(pos, tmp, bucket)
	{
		struct dns_lookup *k = container_of(pos, struct dns_lookup, bucket);

		if (k->hash == hash && k->tcp == tcp && k->len == len &&
		    !memcmp(k->msg, msg, len))
			return k;
	}
	return NULL;
}

static struct dns_lookup *begin(struct dns_lookups *l, const struct dns_query *q,
				const uint8_t *msg, size_t len, bool tcp, uint64_t hash)
{
	struct dns_lookup *k = calloc(1, sizeof(*k) + len);

	if (!k)
		return NULL;
	k->in = l;
	k->timer.fire = timer_fired;
	k->query = *q;
	memcpy(k->question, q->question, q->question_len);
	k->query.question = k->question;
	k->tcp = tcp;
	k->hash = hash;
	k->len = len;
	memcpy(k->msg, msg, len);
	k->n_servers = dns_servers_order(l->servers, l->env->now_ns, k->servers);
	list_init(&k->waiters);
	list_append(&l->all, &k->all);
	list_append(&l->buckets[hash & (l->n_buckets - 1)], &k->bucket);
	return k;
}

static bool is_same_client(const struct dns_client *a, const struct dns_client *b)
{
	return !a->tcp && !b->tcp && endpoint_eq(&a->guest, &b->guest) &&
	       addr_eq(&a->relay, &b->relay);
}

/* Whether this is a retransmission of a query that waits already. */
static bool waits(const struct dns_lookup *k, uint16_t id, const struct dns_client *c)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &k->waiters)
	{
		struct dns_waiter *w = container_of(pos, struct dns_waiter, list);

		if (w->id == id && is_same_client(&w->client, c))
			return true;
	}
	return false;
}

static int wait_for(struct dns_lookup *k, const struct dns_query *q, const struct dns_client *c)
{
	struct dns_waiter *w;

	if (k->n_waiters == DNS_WAITERS_MAX || k->in->n_waiting >= k->in->max)
		return -ENOSPC;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->client = *c;
	w->id = q->id;
	memcpy(w->question, q->question, q->question_len);
	list_append(&k->waiters, &w->list);
	k->n_waiters++;
	k->in->n_waiting++;
	return 0;
}

int dns_lookups_ask(struct dns_lookups *l, const struct dns_query *q, const uint8_t *msg,
		    size_t len, const struct dns_client *c)
{
	uint8_t canonical[DNS_QUERY_MAX];
	struct dns_lookup *k;
	uint64_t hash;
	int err;

	memcpy(canonical, msg, len);
	make_canonical(canonical, q);
	hash = hash_bytes(&l->key, canonical, len);
	k = find(l, hash, canonical, len, c->tcp);
	if (k) {
		l->env->stats.dns_joined++;
		return waits(k, q->id, c) ? 0 : wait_for(k, q, c);
	}
	if (l->n_waiting >= l->max)
		return -ENOSPC;
	k = begin(l, q, canonical, len, c->tcp, hash);
	if (!k)
		return -ENOMEM;
	err = wait_for(k, q, c);
	if (!err && !ask_next(k))
		err = -ENETUNREACH;
	if (err)
		end(k);
	return err;
}
