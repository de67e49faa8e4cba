/* lib/rng.h: random numbers that a seed repeats (xorshift64). */
#ifndef TESTS_LIB_RNG_H
#define TESTS_LIB_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state; /* never 0 */
};

static inline struct rng rng_init(uint64_t seed)
{
	return (struct rng){ seed * 2654435769u + 88172645463325252u };
}

/* From 0 to below `below`; 0 for 0. */
static inline uint64_t rng_below(struct rng *r, uint64_t below)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return below ? r->state % below : 0;
}

static inline bool rng_chance(struct rng *r, unsigned per_mille)
{
	return rng_below(r, 1000) < per_mille;
}

#endif
