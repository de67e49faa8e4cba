/* proto/dns_names.c: a hash table and a list in order of learning. */
#include "proto/dns_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/dns_answer.h"

struct entry {
	struct list bucket, used;
	struct addr addr;
	struct flow_name *name;
};

int dns_names_init(struct dns_names *names, struct flow_names *pool)
{
	*names = (struct dns_names){ .pool = pool };
	list_init(&names->used);
	hash_key_random(&names->key);
	names->buckets = calloc(DNS_NAMES_MAX, sizeof(*names->buckets));
	if (!names->buckets)
		return -ENOMEM;
	for (size_t i = 0; i < DNS_NAMES_MAX; i++)
		list_init(&names->buckets[i]);
	return 0;
}

static void forget(struct dns_names *names, struct entry *e)
{
	list_remove(&e->bucket);
	list_remove(&e->used);
	flow_name_put(names->pool, e->name);
	free(e);
	names->n--;
}

static void forget_oldest(struct dns_names *names)
{
	forget(names, container_of(names->used.next, struct entry, used));
}

void dns_names_clear(struct dns_names *names)
{
	while (names->n)
		forget_oldest(names);
}

void dns_names_free(struct dns_names *names)
{
	if (!names->buckets)
		return;
	dns_names_clear(names);
	free(names->buckets);
	names->buckets = NULL;
}

static struct list *bucket_of(const struct dns_names *names, const struct addr *addr)
{
	return &names->buckets[hash_bytes(&names->key, addr, sizeof(*addr)) % DNS_NAMES_MAX];
}

static struct entry *find(const struct dns_names *names, const struct addr *addr)
{
	struct list *bucket = bucket_of(names, addr), *pos, *tmp;

	list_for_each(pos, tmp, bucket)
	{
		struct entry *e = container_of(pos, struct entry, bucket);

		if (addr_eq(&e->addr, addr))
			return e;
	}
	return NULL;
}

static struct entry *add(struct dns_names *names, const struct addr *addr)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	if (names->n == DNS_NAMES_MAX)
		forget_oldest(names);
	e->addr = *addr;
	list_append(bucket_of(names, addr), &e->bucket);
	list_append(&names->used, &e->used);
	names->n++;
	return e;
}

static void learn(struct dns_names *names, const struct addr *addr, struct flow_name *name)
{
	struct entry *e = find(names, addr);

	if (!e)
		e = add(names, addr);
	if (!e)
		return;
	list_remove(&e->used);
	list_append(&names->used, &e->used);
	flow_name_get(name);
	flow_name_put(names->pool, e->name);
	e->name = name;
}

/* The name that the first of the addresses has already, if it is this one: usually they were told
 * before.  Else a new one, for which older ones may have to go. */
static struct flow_name *name_for(struct dns_names *names, const struct addr *first,
				  const char *text)
{
	struct entry *e = find(names, first);
	struct flow_name *name;

	if (e && !strcmp(e->name->text, text))
		return flow_name_get(e->name);
	while (!(name = flow_name_new(names->pool, text)) && names->n)
		forget_oldest(names);
	return name;
}

void dns_names_learn(struct dns_names *names, const struct dns_query *q, const uint8_t *msg,
		     size_t len)
{
	struct addr addrs[DNS_ANSWER_ADDRS_MAX];
	unsigned n = dns_answer_addresses(msg, len, q, addrs);
	char text[DNS_NAME_TEXT_MAX];
	struct flow_name *name;

	if (!n || dns_name_print(q->name, text))
		return;
	name = name_for(names, &addrs[0], text);
	if (!name)
		return;
	for (unsigned i = 0; i < n; i++)
		learn(names, &addrs[i], name);
	flow_name_put(names->pool, name);
}

struct flow_name *dns_names_find(const struct dns_names *names, const struct addr *addr)
{
	const struct entry *e = find(names, addr);

	return e ? e->name : NULL;
}
