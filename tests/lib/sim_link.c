/* lib/sim_link.c: one direction of a link in virtual time. */
#include "lib/sim_link.h"

#include <stdlib.h>
#include <string.h>

#include "lib/must.h"

void sim_link_init(struct sim_link *l, struct rng *rng, uint64_t delay_ns)
{
	*l = (struct sim_link){ .rng = rng, .delay_ns = delay_ns };
	list_init(&l->frames);
}

void sim_link_free(struct sim_link *l)
{
	struct sim_frame *f;

	while ((f = sim_link_take(l, TIMERQ_NEVER)))
		free(f);
}

static void fly(struct sim_link *l, uint64_t now_ns, const void *data, size_t len)
{
	struct sim_frame *f = malloc(sizeof(*f) + len);
	struct list *behind = l->frames.prev;

	must(f);
	f->due_ns = now_ns + l->delay_ns;
	f->len = len;
	memcpy(f->data, data, len);
	if (rng_chance(l->rng, l->reorder_pm)) {
		f->due_ns += rng_below(l->rng, 3 * l->delay_ns + NS_PER_MS);
		l->n_hurt++;
	}
	while (behind != &l->frames &&
	       container_of(behind, struct sim_frame, list)->due_ns > f->due_ns)
		behind = behind->prev;
	list_append(behind->next, &f->list);
	l->n++;
}

void sim_link_send(struct sim_link *l, uint64_t now_ns, const void *data, size_t len)
{
	if (rng_chance(l->rng, l->drop_pm)) {
		l->n_hurt++;
		return;
	}
	fly(l, now_ns, data, len);
	if (rng_chance(l->rng, l->dup_pm)) {
		fly(l, now_ns, data, len);
		l->n_hurt++;
	}
}

uint64_t sim_link_next(const struct sim_link *l)
{
	if (list_empty(&l->frames))
		return TIMERQ_NEVER;
	return container_of(l->frames.next, struct sim_frame, list)->due_ns;
}

struct sim_frame *sim_link_take(struct sim_link *l, uint64_t now_ns)
{
	struct sim_frame *f;

	if (list_empty(&l->frames) || sim_link_next(l) > now_ns)
		return NULL;
	f = container_of(l->frames.next, struct sim_frame, list);
	list_remove(&f->list);
	l->n--;
	return f;
}
