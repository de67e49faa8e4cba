/* proto/dns_cache.h: answers of name servers, kept for as long as their TTLs allow.
 *
 * Bounded by number and by bytes; the least recently used goes first.  Knows keys, messages
 * and times, nothing of clients and servers.
 */
#ifndef PROTO_DNS_CACHE_H
#define PROTO_DNS_CACHE_H

#include "base/hash.h"
#include "base/list.h"
#include "wire/dns_answer.h"

struct dns_cache {
	struct hash_key key;
	struct list *buckets; /* n_buckets, a power of two */
	size_t n_buckets;
	struct list used; /* least recently first */
	size_t n, max;	  /* answers */
	size_t bytes, bytes_max;
	uint64_t evicted; /* answers that made room before their time */
};

/* For `max` answers; 0: keeps none.  0 or -ENOMEM. */
int dns_cache_init(struct dns_cache *c, size_t max);
void dns_cache_free(struct dns_cache *c);

/* For `max` answers from now on, and empty.  0, or -ENOMEM and all is as it was. */
int dns_cache_resize(struct dns_cache *c, size_t max);

/* Keeps an answer (without OPT record, see dns_answer_strip()) for `ttl` seconds in place of
 * what was there under this key. */
void dns_cache_put(struct dns_cache *c, const uint8_t *key, size_t key_len, const uint8_t *msg,
		   size_t len, uint32_t ttl, uint64_t now_ns);

/* Copies the answer, its TTLs aged, to `buf` (DNS_MESSAGE_MAX bytes) and returns its length; 0
 * when there is none. */
size_t dns_cache_get(struct dns_cache *c, const uint8_t *key, size_t key_len, uint64_t now_ns,
		     uint8_t *buf);

/* Forgets everything. */
void dns_cache_clear(struct dns_cache *c);

#endif
