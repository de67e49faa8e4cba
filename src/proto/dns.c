/* proto/dns.c: takes a query, finds who knows the answer, sends it to who asked. */
#include "proto/dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "proto/dns_cache.h"
#include "proto/dns_lookup.h"
#include "proto/dns_names.h"
#include "proto/dns_static.h"
#include "proto/event.h"
#include "proto/guest.h"

struct dns {
	struct env *env;
	struct dns_servers servers;
	struct dns_cache cache;
	struct dns_static names;
	struct dns_names told;
	struct dns_lookups lookups;
	uint8_t buf[DNS_MESSAGE_MAX]; /* the answer being made */
};

/* To one client; what is too large for a client over UDP becomes an invitation to use TCP. */
static void deliver(struct env *env, const struct dns_client *c, const struct dns_query *q,
		    const uint8_t *msg, size_t len)
{
	uint8_t truncated[DNS_REPLY_MAX];
	struct wr w = wr_init(truncated, sizeof(truncated));

	if (c->tcp || len <= q->udp_size) {
		dns_names_learn(&env->dns->told, q, msg, len);
		c->answer(env, c, msg, len);
		return;
	}
	env->stats.dns_truncated++;
	dns_truncated_encode(&w, q, dns_answer_flags(msg));
	c->answer(env, c, truncated, wr_len(&w));
}

static void reply(struct env *env, const struct dns_client *c, const struct dns_query *q,
		  unsigned rcode, const struct addr *addrs, unsigned n_addrs)
{
	uint8_t msg[DNS_REPLY_MAX];
	struct wr w = wr_init(msg, sizeof(msg));

	dns_reply_encode(&w, q, rcode, addrs, n_addrs, DNS_STATIC_TTL);
	if (rcode == DNS_SERVFAIL)
		env->stats.dns_servfail++;
	deliver(env, c, q, msg, wr_len(&w));
}

/* Keeps an answer for the next who asks. */
static void keep(struct env *env, const struct dns_query *q, const uint8_t *msg, size_t len)
{
	struct dns *d = env->dns;
	uint32_t ttl = q->shareable ? dns_answer_ttl(msg, len, q) : 0;
	uint8_t key[DNS_KEY_MAX];
	size_t stripped;

	if (!ttl)
		return;
	memcpy(d->buf, msg, len);
	stripped = dns_answer_strip(d->buf, len);
	if (stripped)
		dns_cache_put(&d->cache, key, dns_query_key(q, key), d->buf, stripped, ttl,
			      env->now_ns);
}

static void lookup_done(struct env *env, struct dns_lookup *k, const uint8_t *msg, size_t len)
{
	struct dns *d = env->dns;
	struct wr w = wr_init(d->buf, sizeof(d->buf));
	struct list *pos, *tmp;

	if (msg) {
		keep(env, &k->query, msg, len);
		wr_bytes(&w, msg, len);
	} else {
		dns_reply_encode(&w, &k->query, DNS_SERVFAIL, NULL, 0, 0);
		env->stats.dns_servfail += k->n_waiters;
	}
	list_for_each(pos, tmp, &k->waiters)
	{
		struct dns_waiter *waiter = container_of(pos, struct dns_waiter, list);
		struct dns_query q = k->query;

		q.id = waiter->id;
		q.question = waiter->question;
		dns_answer_patch(d->buf, wr_len(&w), q.id, q.question, q.question_len);
		deliver(env, &waiter->client, &q, d->buf, wr_len(&w));
	}
}

static bool answer_static(struct env *env, const struct dns_query *q,
			  const struct dns_client *c)
{
	struct addr addrs[DNS_STATIC_ADDRS_MAX];
	unsigned n;

	if (!dns_static_find(&env->dns->names, env->net, q, addrs, &n))
		return false;
	env->stats.dns_static++;
	reply(env, c, q, DNS_NOERROR, addrs, n);
	return true;
}

/* A resolver that wants signatures would not believe us (RFC 4035 5.4): it gets the truth. */
static bool filter_aaaa(struct env *env, const struct dns_query *q, const struct dns_client *c)
{
	enum conf_filter when = env->conf->dns_filter_aaaa;

	if (q->qtype != DNS_TYPE_AAAA || q->qclass != DNS_CLASS_IN || q->dnssec_ok ||
	    when == CONF_FILTER_OFF || (when == CONF_FILTER_AUTO && env->net->ip6.on))
		return false;
	env->stats.dns_aaaa_filtered++;
	reply(env, c, q, DNS_NOERROR, NULL, 0);
	return true;
}

static bool answer_cached(struct env *env, const struct dns_query *q,
			  const struct dns_client *c)
{
	struct dns *d = env->dns;
	struct wr w = wr_init(d->buf, sizeof(d->buf));
	uint8_t key[DNS_KEY_MAX];
	size_t len;

	if (!q->shareable)
		return false;
	len = dns_cache_get(&d->cache, key, dns_query_key(q, key), env->now_ns, d->buf);
	if (!len) {
		env->stats.dns_cache_misses++;
		return false;
	}
	wr_reserve(&w, len);
	dns_answer_patch(d->buf, len, q->id, q->question, q->question_len);
	if (q->edns)
		dns_opt_append(&w, q);
	if (w.error) /* no room for the OPT record behind the largest of answers */
		return false;
	env->stats.dns_cache_hits++;
	deliver(env, c, q, d->buf, wr_len(&w));
	return true;
}

static void ask_servers(struct env *env, const struct dns_query *q, const uint8_t *msg,
			size_t len, const struct dns_client *c)
{
	static struct log_limit limit;
	int err = dns_lookups_ask(&env->dns->lookups, q, msg, len, c);

	if (!err)
		return;
	if (err == -ENOSPC) {
		env->stats.dns_limit++;
		event_limit_reached(env, LIMIT_DNS_QUERIES);
		log_warn_limited(&limit, env->now_ns, DNS, "too many DNS queries under way");
	}
	reply(env, c, q, DNS_SERVFAIL, NULL, 0);
}

/* Answers of other servers are not those of these: resolv.conf changes with the network. */
static void follow_servers(struct env *env)
{
	if (dns_servers_follow(&env->dns->servers, env->net))
		dns_cache_clear(&env->dns->cache);
}

enum drop dns_ask(struct env *env, const uint8_t *msg, size_t len, const struct dns_client *c)
{
	struct dns_query q;
	int refusal = dns_query_decode(msg, len, &q);

	if (refusal < 0)
		return DROP_DNS;
	env->stats.dns_queries++;
	env->stats.dns_queries_tcp += c->tcp;
	follow_servers(env);
	if (refusal)
		reply(env, c, &q, (unsigned)refusal, NULL, 0);
	else if (!answer_static(env, &q, c) && !filter_aaaa(env, &q, c) &&
		 !answer_cached(env, &q, c))
		ask_servers(env, &q, msg, len, c);
	return refusal == DNS_FORMERR ? DROP_DNS : DROP_NONE;
}

bool dns_serves(struct env *env, const struct endpoint *dst)
{
	return env->dns && dst->port == DNS_PORT && net_is_dns(env->net, &dst->addr);
}

static void answer_udp(struct env *env, const struct dns_client *c, const uint8_t *msg,
		       size_t len)
{
	if (guest_send_udp(env, &(struct guest_out){ .src = c->relay, .dst = c->guest.addr },
			   DNS_PORT, c->guest.port, msg, len))
		env->stats.dns_undelivered++;
}

enum drop dns_from_guest(struct env *env, const struct pkt *p)
{
	return dns_ask(env, p->payload, p->payload_len,
		       &(struct dns_client){ .answer = answer_udp,
					     .guest = { p->src, p->udp.sport },
					     .relay = p->dst });
}

void dns_from_host(struct env *env, struct dns_try *try, int err, const uint8_t *msg,
		   size_t len)
{
	if (err)
		dns_try_failed(try, err);
	else
		dns_try_answered(try, msg, len);
}

void dns_guest_down(struct env *env)
{
	dns_lookups_forget(&env->dns->lookups, NULL);
	dns_names_clear(&env->dns->told); /* the next one asked for none of them */
}

struct flow_name *dns_name_of(const struct env *env, const struct addr *addr)
{
	return env->dns ? dns_names_find(&env->dns->told, addr) : NULL;
}

void dns_forget(struct env *env, const struct dns_tcp *conn)
{
	dns_lookups_forget(&env->dns->lookups, conn);
}

struct dns *dns_new(struct env *env, const struct dns_ops *ops, void *host)
{
	struct dns *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return NULL;
	d->env = env;
	d->lookups = (struct dns_lookups){ .env = env,
					   .ops = ops,
					   .host = host,
					   .servers = &d->servers,
					   .done = lookup_done };
	err = dns_static_init(&d->names, env->conf);
	if (!err)
		err = dns_cache_init(&d->cache, env->conf->limits.dns_cache);
	if (!err)
		err = dns_names_init(&d->told, &env->flows.names);
	if (!err)
		err = dns_lookups_init(&d->lookups, env->conf->limits.dns_pending);
	if (!err)
		return d;
	log_error(DNS, "cannot start the DNS relay: %s",
		  err == -EINVAL ? "a static record's name is no domain name" : strerror(-err));
	dns_free(d);
	return NULL;
}

int dns_configure(struct env *env, const struct conf *c)
{
	struct dns *d = env->dns;
	struct dns_static names;
	int err = dns_static_init(&names, c);

	if (!err && c->limits.dns_cache != d->cache.max)
		err = dns_cache_resize(&d->cache, c->limits.dns_cache);
	if (err) {
		dns_static_free(&names);
		return err;
	}
	dns_static_free(&d->names);
	d->names = names;
	d->lookups.max = c->limits.dns_pending;
	return 0;
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	dns_lookups_free(&d->lookups);
	dns_cache_free(&d->cache);
	dns_static_free(&d->names);
	dns_names_free(&d->told);
	free(d);
}

static void add_record(struct dns_status *s, const char *name, const struct addr *addr)
{
	struct dns_status_record *r = &s->records[s->n_records++];

	snprintf(r->name, sizeof(r->name), "%s", name);
	r->addr = *addr;
}

void dns_get_status(const struct env *env, struct dns_status *s)
{
	const struct dns *d = env->dns;
	struct dns_static_own own[DNS_STATIC_OWN];

	*s = (struct dns_status){ .source = env->net->dns_source,
				  .servers = d->servers,
				  .cache_entries = d->cache.n,
				  .cache_entries_max = d->cache.max,
				  .cache_bytes = d->cache.bytes,
				  .cache_bytes_max = d->cache.bytes_max,
				  .pending = d->lookups.n_waiting,
				  .pending_max = d->lookups.max };
	dns_servers_follow(&s->servers, env->net); /* as the next query will */
	for (unsigned i = 0; i < env->conf->n_records; i++)
		add_record(s, env->conf->records[i].name, &env->conf->records[i].addr);
	dns_static_own(env->net, own);
	for (int i = 0; i < DNS_STATIC_OWN; i++)
		for (unsigned k = 0; k < own[i].n; k++)
			add_record(s, own[i].name, &own[i].addrs[k]);
}
