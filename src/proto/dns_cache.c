/* proto/dns_cache.c: a hash table and a list in order of use. */
#include "proto/dns_cache.h"

#include <errno.h>
#include <stdlib.h>

#include "base/timerq.h"

#define BYTES_PER_ANSWER 1024 /* on average, at most */

struct answer {
	struct list bucket, used;
	uint64_t stored_ns, expires_ns;
	size_t key_len, len;
	uint8_t data[]; /* key, message */
};

int dns_cache_init(struct dns_cache *c, size_t max)
{
	*c = (struct dns_cache){ .max = max,
				 .bytes_max = max * BYTES_PER_ANSWER,
				 .n_buckets = 1 };
	list_init(&c->used);
	while (c->n_buckets < max)
		c->n_buckets *= 2;
	c->buckets = calloc(c->n_buckets, sizeof(*c->buckets));
	if (!c->buckets)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_buckets; i++)
		list_init(&c->buckets[i]);
	hash_key_random(&c->key);
	return 0;
}

static size_t answer_size(const struct answer *a)
{
	return sizeof(*a) + a->key_len + a->len;
}

static void forget(struct dns_cache *c, struct answer *a)
{
	list_remove(&a->bucket);
	list_remove(&a->used);
	c->n--;
	c->bytes -= answer_size(a);
	free(a);
}

void dns_cache_clear(struct dns_cache *c)
{
	while (!list_empty(&c->used))
		forget(c, container_of(c->used.next, struct answer, used));
}

void dns_cache_free(struct dns_cache *c)
{
	if (!c->buckets)
		return;
	dns_cache_clear(c);
	free(c->buckets);
	c->buckets = NULL;
}

int dns_cache_resize(struct dns_cache *c, size_t max)
{
	struct dns_cache fresh;
	int rc = dns_cache_init(&fresh, max);

	if (rc)
		return rc;
	dns_cache_free(c);
	*c = fresh;
	list_init(&c->used);
	return 0;
}

static struct list *bucket_of(const struct dns_cache *c, const uint8_t *key, size_t key_len)
{
	return &c->buckets[hash_bytes(&c->key, key, key_len) & (c->n_buckets - 1)];
}

static struct answer *find(const struct dns_cache *c, const uint8_t *key, size_t key_len)
{
	struct list *bucket = bucket_of(c, key, key_len), *pos, *tmp;

	list_for_each(pos, tmp, bucket)
	{
		struct answer *a = container_of(pos, struct answer, bucket);

		if (a->key_len == key_len && !memcmp(a->data, key, key_len))
			return a;
	}
	return NULL;
}

static void make_room(struct dns_cache *c, size_t size, uint64_t now_ns)
{
	while (c->n + 1 > c->max || c->bytes + size > c->bytes_max) {
		struct answer *a = container_of(c->used.next, struct answer, used);

		if (a->expires_ns > now_ns)
			c->evicted++;
		forget(c, a);
	}
}

void dns_cache_put(struct dns_cache *c, const uint8_t *key, size_t key_len, const uint8_t *msg,
		   size_t len, uint32_t ttl, uint64_t now_ns)
{
	struct answer *a = find(c, key, key_len);
	size_t size = sizeof(*a) + key_len + len;

	if (a)
		forget(c, a);
	if (!ttl || !c->max || size > c->bytes_max)
		return;
	make_room(c, size, now_ns);
	a = malloc(size);
	if (!a)
		return; /* not kept, asked again next time */
	*a = (struct answer){ .stored_ns = now_ns,
			      .expires_ns = now_ns + ttl * NS_PER_SEC,
			      .key_len = key_len,
			      .len = len };
	memcpy(a->data, key, key_len);
	memcpy(a->data + key_len, msg, len);
	list_append(bucket_of(c, key, key_len), &a->bucket);
	list_append(&c->used, &a->used);
	c->n++;
	c->bytes += size;
}

size_t dns_cache_get(struct dns_cache *c, const uint8_t *key, size_t key_len, uint64_t now_ns,
		     uint8_t *buf)
{
	struct answer *a = find(c, key, key_len);

	if (!a)
		return 0;
	if (now_ns >= a->expires_ns) {
		forget(c, a);
		return 0;
	}
	list_remove(&a->used);
	list_append(&c->used, &a->used);
	memcpy(buf, a->data + a->key_len, a->len);
	dns_answer_age(buf, a->len, (uint32_t)((now_ns - a->stored_ns) / NS_PER_SEC));
	return a->len;
}
