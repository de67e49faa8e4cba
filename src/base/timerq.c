/* base/timerq.c: binary heap of timers, each of which knows its place. */
#include "base/timerq.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct timerq *q, size_t i, struct timer *t)
{
	q->heap[i] = t;
	t->slot = i + 1;
}

static void sift_up(struct timerq *q, size_t i)
{
	struct timer *t = q->heap[i];

	while (i > 0) {
		size_t up = (i - 1) / 2;

		if (q->heap[up]->deadline_ns <= t->deadline_ns)
			break;
		place(q, i, q->heap[up]);
		i = up;
	}
	place(q, i, t);
}

static void sift_down(struct timerq *q, size_t i)
{
	struct timer *t = q->heap[i];

	for (;;) {
		size_t down = 2 * i + 1;

		if (down >= q->n)
			break;
		if (down + 1 < q->n && q->heap[down + 1]->deadline_ns < q->heap[down]->deadline_ns)
			down++;
		if (t->deadline_ns <= q->heap[down]->deadline_ns)
			break;
		place(q, i, q->heap[down]);
		i = down;
	}
	place(q, i, t);
}

void timerq_free(struct timerq *q)
{
	for (size_t i = 0; i < q->n; i++)
		q->heap[i]->slot = 0;
	free(q->heap);
	*q = (struct timerq){ 0 };
}

static int grow(struct timerq *q)
{
	size_t cap = q->cap ? q->cap * 2 : 64;
	struct timer **heap = realloc(q->heap, cap * sizeof(*heap));

	if (!heap)
		return -ENOMEM;
	q->heap = heap;
	q->cap = cap;
	return 0;
}

int timerq_set(struct timerq *q, struct timer *t, uint64_t deadline_ns)
{
	if (!timer_armed(t)) {
		if (q->n == q->cap && grow(q))
			return -ENOMEM;
		t->deadline_ns = deadline_ns;
		place(q, q->n++, t);
		sift_up(q, t->slot - 1);
		return 0;
	}
	t->deadline_ns = deadline_ns;
	sift_up(q, t->slot - 1);
	sift_down(q, t->slot - 1);
	return 0;
}

int timerq_set_earlier(struct timerq *q, struct timer *t, uint64_t deadline_ns)
{
	if (timer_armed(t) && t->deadline_ns <= deadline_ns)
		return 0;
	return timerq_set(q, t, deadline_ns);
}

void timerq_cancel(struct timerq *q, struct timer *t)
{
	size_t i = t->slot - 1;
	struct timer *last;

	if (!timer_armed(t))
		return;
	t->slot = 0;
	last = q->heap[--q->n];
	if (last == t)
		return;
	place(q, i, last);
	sift_up(q, i);
	sift_down(q, last->slot - 1);
}

uint64_t timerq_next(const struct timerq *q)
{
	return q->n ? q->heap[0]->deadline_ns : TIMERQ_NEVER;
}

size_t timerq_run(struct timerq *q, uint64_t now_ns, size_t budget, void *ctx)
{
	size_t fired = 0;

	while (fired < budget && q->n && q->heap[0]->deadline_ns <= now_ns) {
		struct timer *t = q->heap[0];

		timerq_cancel(q, t);
		t->fire(t, ctx);
		fired++;
	}
	return fired;
}
