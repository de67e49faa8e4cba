/* proto/dns_lookup.h: questions under way to the host's name servers.
 *
 * Clients that ask the same wait for the same lookup.  It asks one server after the other: the
 * next when one is silent for its time, refuses (SERVFAIL, REFUSED), or cannot be reached;
 * whoever answers first is heard, also those asked before.  Half way through a server's time
 * the datagram is sent again, as it may have been lost.  Each try has a socket and
 * an id of its own, so that a forger has to guess both (RFC 5452).
 */
#ifndef PROTO_DNS_LOOKUP_H
#define PROTO_DNS_LOOKUP_H

#include "base/hash.h"
#include "proto/dns.h"
#include "wire/dns_answer.h"

#define DNS_WAITERS_MAX 64 /* clients that wait for one lookup */

struct dns_lookup;

struct dns_try {
	struct dns_lookup *lookup;
	void *sock; /* NULL: closed */
	struct upstream server;
	uint16_t id;
	bool resent; /* UDP: once, half way */
	uint64_t sent_ns;
};

struct dns_waiter {
	struct list list;
	struct dns_client client;
	uint16_t id;
	uint8_t question[DNS_QUESTION_MAX]; /* in the client's upper and lower case */
};

struct dns_lookups {
	struct env *env;
	const struct dns_ops *ops;
	void *host;
	struct dns_servers *servers;
	/* The answer for all waiters, NULL: nobody gave any.  The lookup ends after this. */
	void (*done)(struct env *env, struct dns_lookup *k, const uint8_t *msg, size_t len);
	struct hash_key key;
	struct list *buckets; /* n_buckets, a power of two */
	size_t n_buckets;
	struct list all;
	size_t n_waiting, max; /* waiters of all lookups */
};

struct dns_lookup {
	struct dns_lookups *in;
	struct list all, bucket;
	struct list waiters;
	unsigned n_waiters;
	struct timer timer; /* of the last try */
	struct dns_query query;
	uint8_t question[DNS_QUESTION_MAX]; /* as sent; of the first client */
	bool tcp;
	struct upstream servers[NET_UPSTREAMS_MAX]; /* in the order in which they are asked */
	unsigned n_servers, n_tries;
	struct dns_try tries[NET_UPSTREAMS_MAX];
	uint8_t *refusal; /* a server's SERVFAIL or REFUSED, for when nobody knows better */
	size_t refusal_len;
	uint64_t hash;
	size_t len;
	uint8_t msg[]; /* the query with id 0 and its question in lower case */
};

/* Fills what follows `done`, which the caller sets as it does those before.  At most
 * `max` queries wait.  0 or -ENOMEM. */
int dns_lookups_init(struct dns_lookups *l, size_t max);
void dns_lookups_free(struct dns_lookups *l);

/* Waits for the answer to the query `q`, whose message is `msg`.  0, or: -ENOSPC (too many
 * wait), -ENOMEM, -ENETUNREACH (no server, or none can even be sent to). */
int dns_lookups_ask(struct dns_lookups *l, const struct dns_query *q, const uint8_t *msg,
		    size_t len, const struct dns_client *c);

/* Takes out the waiters whose client is this connection, NULL: all. */
void dns_lookups_forget(struct dns_lookups *l, const struct dns_tcp *conn);

void dns_try_answered(struct dns_try *try, const uint8_t *msg, size_t len);
void dns_try_failed(struct dns_try *try, int err);

#endif
