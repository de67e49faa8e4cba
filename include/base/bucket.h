/* base/bucket.h: a token bucket that keeps one time: when all that passed will have been paid for.
 *
 * It is open while that lies no further ahead than the burst is worth, and what passes an open
 * bucket may be more than it holds: then it is closed for longer, so that the rate is kept.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_BURST_MAX 10000000000ull

struct bucket {
	uint64_t rate;	   /* units a second; 0: there is no limit, and nobody may ask */
	uint64_t burst_ns; /* what may pass at once, as time */
	uint64_t paid_ns;
};

/* A full one; `burst` to BUCKET_BURST_MAX units. */
struct bucket bucket_init(uint64_t rate, uint64_t burst);

static inline bool bucket_is_open(const struct bucket *b, uint64_t now_ns)
{
	return b->paid_ns <= now_ns + b->burst_ns;
}

/* When it is open again; a time in the past if it is open. */
static inline uint64_t bucket_opens_ns(const struct bucket *b)
{
	return b->paid_ns > b->burst_ns ? b->paid_ns - b->burst_ns : 0;
}

/* So many units, to 2^32, pass. */
void bucket_take(struct bucket *b, uint64_t units, uint64_t now_ns);

/* How much of the burst is used now, in units; more than the burst while it is closed. */
uint64_t bucket_used(const struct bucket *b, uint64_t now_ns);

#endif
