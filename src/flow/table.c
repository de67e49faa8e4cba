/* flow/table.c: open addressing with linear probing and backward-shift deletion, so that the
 * table needs no tombstones and a lookup stays short however many flows have come and gone. */
#include "flow/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 256

static_assert(sizeof(struct flow_key) == 40, "the key is hashed and compared whole");

int flow_table_init(struct flow_table *t, size_t max)
{
	*t = (struct flow_table){ .max = max, .next_id = 1, .n_slots = SLOTS_MIN };
	hash_key_random(&t->key);
	list_init(&t->all);
	t->slots = calloc(t->n_slots, sizeof(*t->slots));
	return t->slots ? 0 : -ENOMEM;
}

void flow_table_free(struct flow_table *t)
{
	for (size_t i = 0; i < FLOW_CLOSED_KEPT; i++) {
		flow_name_put(&t->names, t->closed[i].name);
		t->closed[i].name = NULL;
	}
	free(t->slots);
	free(t->refs);
	t->slots = NULL;
	t->refs = NULL;
}

static size_t find(const struct flow_table *t, const struct flow_key *key, uint64_t hash)
{
	size_t mask = t->n_slots - 1, i = hash & mask;

	while (t->slots[i] &&
	       (t->slots[i]->hash != hash || memcmp(&t->slots[i]->key, key, sizeof(*key))))
		i = (i + 1) & mask;
	return i;
}

struct flow *flow_table_lookup(const struct flow_table *t, const struct flow_key *key)
{
	return t->slots[find(t, key, hash_bytes(&t->key, key, sizeof(*key)))];
}

/* Index of the first reference with an id of at least `id`; n_refs if there is none. */
static size_t find_ref(const struct flow_table *t, uint64_t id)
{
	size_t low = 0, high = t->n_refs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->refs[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t flow_table_label(const struct flow_table *t, const struct flow_key *key)
{
	return flow_label(hash_bytes(&t->key, key, sizeof(*key)));
}

struct flow *flow_table_by_id(const struct flow_table *t, uint64_t id)
{
	size_t i = find_ref(t, id);

	return i < t->n_refs && t->refs[i].id == id ? t->refs[i].flow : NULL;
}

struct flow *flow_table_next(const struct flow_table *t, uint64_t id)
{
	if (id == UINT64_MAX)
		return NULL;
	for (size_t i = find_ref(t, id + 1); i < t->n_refs; i++)
		if (t->refs[i].flow)
			return t->refs[i].flow;
	return NULL;
}

/* Makes room for one more reference: closes the holes when they are the better half, else
 * doubles the array, so that either is paid for by as many insertions. */
static int reserve_ref(struct flow_table *t)
{
	struct flow_ref *refs;
	size_t n = 0, cap = t->cap_refs ? t->cap_refs * 2 : SLOTS_MIN;

	if (t->n_refs < t->cap_refs)
		return 0;
	if (t->cap_refs && t->n <= t->cap_refs / 2) {
		for (size_t i = 0; i < t->n_refs; i++)
			if (t->refs[i].flow)
				t->refs[n++] = t->refs[i];
		t->n_refs = n;
		return 0;
	}
	refs = realloc(t->refs, cap * sizeof(*refs));
	if (!refs)
		return -ENOMEM;
	t->refs = refs;
	t->cap_refs = cap;
	return 0;
}

static int grow(struct flow_table *t)
{
	size_t n_old = t->n_slots;
	struct flow **old = t->slots, **slots = calloc(n_old * 2, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	t->slots = slots;
	t->n_slots = n_old * 2;
	for (size_t i = 0; i < n_old; i++)
		if (old[i])
			t->slots[find(t, &old[i]->key, old[i]->hash)] = old[i];
	free(old);
	return 0;
}

int flow_table_insert(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	size_t i;

	if (t->n >= t->max)
		return -ENOSPC;
	if (((t->n + 1) * 2 > t->n_slots && grow(t)) || reserve_ref(t))
		return -ENOMEM;
	f->hash = hash_bytes(&t->key, &f->key, sizeof(f->key));
	i = find(t, &f->key, f->hash);
	if (t->slots[i])
		return -EEXIST;
	t->slots[i] = f;
	f->id = t->next_id++;
	f->created_ns = f->used_ns = now_ns;
	list_append(&t->all, &f->all);
	t->refs[t->n_refs++] = (struct flow_ref){ f->id, f };
	t->n++;
	t->by_proto[f->key.proto]++;
	t->opened[f->key.proto]++;
	return 0;
}

/* Fills the hole at `hole` with later members of its run that may stand there. */
static void close_gap(struct flow_table *t, size_t hole)
{
	size_t mask = t->n_slots - 1;

	for (size_t i = (hole + 1) & mask; t->slots[i]; i = (i + 1) & mask) {
		size_t home = t->slots[i]->hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = NULL;
}

void flow_table_remove(struct flow_table *t, struct flow *f, enum flow_close_reason reason,
		       uint64_t now_ns)
{
	struct flow_closed *c = &t->closed[t->n_closed++ % FLOW_CLOSED_KEPT];

	assert(!timer_armed(&f->timer));
	close_gap(t, find(t, &f->key, f->hash));
	list_remove(&f->all);
	t->refs[find_ref(t, f->id)].flow = NULL;
	t->n--;
	t->by_proto[f->key.proto]--;
	t->by_reason[reason]++;
	t->by_proto_reason[f->key.proto][reason]++;
	flow_name_put(&t->names, c->name);
	*c = (struct flow_closed){ .id = f->id,
				   .key = f->key,
				   .dir = f->dir,
				   .host = f->host,
				   .peer = f->peer,
				   .name = f->name,
				   .forward = f->forward,
				   .state = f->class->state(f),
				   .created_ns = f->created_ns,
				   .closed_ns = now_ns,
				   .bytes_out = f->bytes_out,
				   .bytes_in = f->bytes_in,
				   .packets_out = f->packets_out,
				   .packets_in = f->packets_in,
				   .reason = reason,
				   .error = f->error,
				   .silent = f->silent };
	if (t->removed)
		t->removed(t->removed_ctx, f, c);
}
