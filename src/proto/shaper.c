/* proto/shaper.c: see proto/shaper.h. */
#include "proto/shaper.h"

#include "proto/env.h"

#define TURNS_A_WAKEUP 64
#define PAUSE_NS       (NS_PER_MS / 2) /* between wake-ups; a bucket makes up for it */
#define TURNS_A_SECOND 128	       /* of all together */
#define QUANTUM_MIN    1460
#define QUANTUM_MAX    65536

static void arm(struct env *env, struct shaper *s)
{
	uint64_t soon = env->now_ns + PAUSE_NS, opens = bucket_opens_ns(&s->all);

	if (s->n_waiting)
		timerq_set(&env->timers, &s->timer, opens > soon ? opens : soon);
}

static struct shaper_place *next_in_line(struct shaper *s)
{
	struct shaper_place *place = container_of(s->waiting.next, struct shaper_place, list);

	shaper_leave(s, place);
	return place;
}

static void turns_due(struct timer *t, void *ctx)
{
	struct shaper *s = container_of(t, struct shaper, timer);
	struct env *env = ctx;

	for (int i = 0; i < TURNS_A_WAKEUP && s->n_waiting && bucket_is_open(&s->all, env->now_ns);
	     i++) {
		struct shaper_place *place = next_in_line(s);

		s->turn = place;
		s->turn_taken = false;
		s->go_on(env, place);
		s->turn = NULL;
	}
	arm(env, s);
}

/* Nobody has to wait any more. */
static void dissolve(struct env *env, struct shaper *s)
{
	timerq_cancel(&env->timers, &s->timer);
	while (s->n_waiting)
		s->go_on(env, next_in_line(s));
}

void shaper_set(struct env *env, struct shaper *s, const struct conf_rate *rate)
{
	uint64_t quantum = rate->bytes / TURNS_A_SECOND;

	s->on = rate->bytes;
	s->rate = *rate;
	s->timer.fire = turns_due;
	if (!s->waiting.next)
		list_init(&s->waiting);
	if (!s->on) {
		dissolve(env, s);
		return;
	}
	s->all = bucket_init(rate->bytes, rate->burst);
	s->express = bucket_init((rate->bytes + 1) / 2, rate->burst / 2);
	s->quantum = quantum < QUANTUM_MIN   ? QUANTUM_MIN
		     : quantum > QUANTUM_MAX ? QUANTUM_MAX
					     : (uint32_t)quantum;
	arm(env, s);
}

static struct bucket *bucket_of(struct shaper *s)
{
	return s->n_waiting && !s->turn ? &s->express : &s->all;
}

static void get_in_line(struct env *env, struct shaper *s, struct shaper_place *place)
{
	list_append(&s->waiting, &place->list);
	s->n_waiting++;
	if (!timer_armed(&s->timer))
		arm(env, s);
}

/* Whether who is not in line may pass now. */
static bool may_pass(const struct env *env, struct shaper *s, const struct shaper_place *place)
{
	return bucket_is_open(bucket_of(s), env->now_ns) &&
	       (!s->n_waiting || place->due_ns <= env->now_ns);
}

uint32_t shaper_grant(struct env *env, struct shaper *s, struct shaper_place *place,
		      uint32_t want)
{
	if (shaper_waits(place))
		return 0;
	if (s->turn == place ? s->turn_taken : !may_pass(env, s, place)) {
		get_in_line(env, s, place);
		return 0;
	}
	return want < s->quantum ? want : s->quantum;
}

static void charge(struct env *env, struct shaper *s, uint32_t len)
{
	if (bucket_of(s) == &s->express)
		bucket_take(&s->express, len, env->now_ns);
	bucket_take(&s->all, len, env->now_ns);
}

/* As much for each of the others takes so long. */
void shaper_take(struct env *env, struct shaper *s, struct shaper_place *place, uint32_t len)
{
	charge(env, s, len);
	s->turn_taken = true;
	place->due_ns = env->now_ns + (uint64_t)len * s->n_waiting * NS_PER_SEC / s->rate.bytes;
}

bool shaper_pass(struct env *env, struct shaper *s, uint32_t len)
{
	if (!bucket_is_open(bucket_of(s), env->now_ns))
		return false;
	charge(env, s, len);
	return true;
}

void shaper_leave(struct shaper *s, struct shaper_place *place)
{
	if (!shaper_waits(place))
		return;
	list_remove(&place->list);
	s->n_waiting--;
}
