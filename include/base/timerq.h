/* base/timerq.h: a heap of deadlines; it owns no clock and no descriptor.
 *
 * The loop asks timerq_next() and arms one timer of its own.  Timers are embedded in
 * what they belong to.  Times are nanoseconds of the caller's monotonic clock.
 */
#ifndef BASE_TIMERQ_H
#define BASE_TIMERQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US  1000ull
#define NS_PER_MS  1000000ull
#define NS_PER_SEC 1000000000ull
#define TIMERQ_NEVER UINT64_MAX

struct timer;
typedef void timer_fn(struct timer *t, void *ctx);

struct timer {
	uint64_t deadline_ns;
	size_t slot; /* place in the heap, plus one; 0: not armed */
	timer_fn *fire;
};

struct timerq {
	struct timer **heap;
	size_t n, cap;
};

/* All zeroes is an empty queue. */
void timerq_free(struct timerq *q);

/* Arms or moves `t`; t->fire must be set.  -ENOMEM leaves it as it was. */
int timerq_set(struct timerq *q, struct timer *t, uint64_t deadline_ns);

/* As timerq_set(), but only if that makes `t` fire earlier.  For deadlines that usually move
 * later: let the timer fire, look at the true deadline then, and set it again. */
int timerq_set_earlier(struct timerq *q, struct timer *t, uint64_t deadline_ns);

/* No-op when not armed. */
void timerq_cancel(struct timerq *q, struct timer *t);

static inline bool timer_armed(const struct timer *t)
{
	return t->slot != 0;
}

/* The earliest deadline, TIMERQ_NEVER if there is none. */
uint64_t timerq_next(const struct timerq *q);

/* Fires what is due at `now_ns`, at most `budget` timers, each disarmed before its call.
 * `ctx` is handed to each.  Returns how many fired. */
size_t timerq_run(struct timerq *q, uint64_t now_ns, size_t budget, void *ctx);

#endif
