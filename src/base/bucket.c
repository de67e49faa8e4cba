/* base/bucket.c: see base/bucket.h. */
#include "base/bucket.h"

#define NS_PER_SECOND 1000000000ull

struct bucket bucket_init(uint64_t rate, uint64_t burst)
{
	return (struct bucket){ .rate = rate, .burst_ns = burst * NS_PER_SECOND / rate };
}

void bucket_take(struct bucket *b, uint64_t units, uint64_t now_ns)
{
	if (b->paid_ns < now_ns)
		b->paid_ns = now_ns;
	b->paid_ns += units * NS_PER_SECOND / b->rate;
}

uint64_t bucket_used(const struct bucket *b, uint64_t now_ns)
{
	if (b->paid_ns <= now_ns)
		return 0;
	return (uint64_t)((double)(b->paid_ns - now_ns) * (double)b->rate / NS_PER_SECOND);
}
