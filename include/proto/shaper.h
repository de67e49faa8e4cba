/* proto/shaper.h: keeps what passes in one direction to a rate.
 *
 * TCP waits: a connection that may not send gets in line, and each that is first sends a small
 * amount and gets in line again, so that all have equal parts.  Datagrams do not wait: they
 * pass or are lost.  Half of the rate is for those who have not waited, while others do:
 * datagrams, and connections that have little to say, which so are not held up by those with
 * much.  One that only pauses, until the other side has taken what it was sent, is none of
 * those: who has had its part passes nobody until the others have had theirs.
 */
#ifndef PROTO_SHAPER_H
#define PROTO_SHAPER_H

#include "base/bucket.h"
#include "base/list.h"
#include "base/timerq.h"
#include "proto/conf.h"

struct env;

/* Who may wait. */
struct shaper_place {
	struct list list; /* linked while it waits */
	uint64_t due_ns;  /* until then, others have to have their parts */
};

struct shaper {
	bool on; /* there is a rate; else none of the functions below may be called but shaper_set() */
	struct conf_rate rate;
	struct bucket all;
	struct bucket express; /* for those who pass others */
	uint32_t quantum;      /* bytes of a turn */
	struct list waiting;   /* who is in line, by their places */
	unsigned n_waiting;
	const struct shaper_place *turn; /* whose turn it is; NULL: nobody's */
	bool turn_taken;
	struct timer timer;
	/* It is the turn of who waits at `place`, which is out of the line again. */
	void (*go_on)(struct env *env, struct shaper_place *place);
};

static inline void shaper_place_init(struct shaper_place *place)
{
	list_init(&place->list);
	place->due_ns = 0;
}

static inline bool shaper_waits(const struct shaper_place *place)
{
	return list_linked(&place->list);
}

/* Takes over a rate, also none. */
void shaper_set(struct env *env, struct shaper *s, const struct conf_rate *rate);

/* How many of the `want` bytes may pass now.  0: none, and `place` is in line. */
uint32_t shaper_grant(struct env *env, struct shaper *s, struct shaper_place *place,
		      uint32_t want);

/* So many bytes of who has `place` passed. */
void shaper_take(struct env *env, struct shaper *s, struct shaper_place *place, uint32_t len);

/* A datagram: whether it passes. */
bool shaper_pass(struct env *env, struct shaper *s, uint32_t len);

/* Who had `place` is gone. */
void shaper_leave(struct shaper *s, struct shaper_place *place);

#endif
