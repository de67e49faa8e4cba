/* loop/loop.h: the event loop; the only unit that knows libev. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timerq.h"

enum loop_event { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop;
struct watch;
typedef void watch_fn(struct watch *w, unsigned events);

/* A watched descriptor; embedded in what it belongs to.  Level-triggered. */
struct watch {
	_Alignas(8) unsigned char ev[64]; /* the library's own watcher */
	struct loop *loop;
	watch_fn *fn;
	int fd;
	unsigned events; /* wanted: enum loop_event bits */
};

/* How long turns of the loop took, from a wake-up to the next wait: counts of those of up to 4^i
 * microseconds that took more than the one before, and of longer ones at the end. */
#define LOOP_TURN_BOUNDS 11 /* the last is a good second */

struct loop_turns {
	uint64_t n[LOOP_TURN_BOUNDS + 1];
	uint64_t sum_ns;
};

void loop_turns_add(struct loop_turns *t, uint64_t ns);

/* Exactly one loop exists in the daemon.  NULL when the kernel gives none. */
struct loop *loop_new(struct timerq *timers, void *timer_ctx);
void loop_free(struct loop *l);

/* Called before each wait, after all events of a wake-up: flushes batches.  Returns whether work
 * is left that waits for nothing: then the loop polls instead of waiting. */
void loop_set_idle(struct loop *l, bool (*fn)(void *ctx), void *ctx);

/* Called once a wake-up before anything else, with the clock just read. */
void loop_set_wakeup(struct loop *l, void (*fn)(void *ctx, uint64_t now_ns), void *ctx);

/* Calls `fn` from the loop when the signal arrives. */
void loop_on_signal(struct loop *l, int signo, void (*fn)(void *ctx, int signo), void *ctx);

/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Of this loop, as long as it exists. */
const struct loop_turns *loop_get_turns(const struct loop *l);

/* CLOCK_MONOTONIC, in nanoseconds. */
uint64_t loop_clock_ns(void);

/* Prepares `w` for `fd`, watching nothing yet.  Does not own the descriptor. */
void watch_init(struct watch *w, struct loop *l, int fd, watch_fn *fn);

/* Watches for exactly these events from now on; 0 stops. */
void watch_set(struct watch *w, unsigned events);

/* Stops watching; needed before the descriptor is closed. */
static inline void watch_stop(struct watch *w)
{
	watch_set(w, 0);
}

#endif
