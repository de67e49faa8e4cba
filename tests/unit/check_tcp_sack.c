/* The scoreboard of what the guest has: merging, bounds, holes, the wrap, and a model. */
#include "proto/tcp/sack.h"

#include <string.h>

#include "lib/must.h"
#include "lib/rng.h"
#include "lib/suite.h"

static struct tcp_sack s;
static uint32_t base; /* the cumulative ACK; numbers below are relative to it */

/* Everything is tried here: across the wrap. */
static void begin(void)
{
	s = (struct tcp_sack){ 0 };
	base = 0xffffff00;
}

static bool add(uint32_t left, uint32_t right)
{
	return tcp_sack_add(&s, (struct tcp_sack_block){ base + left, base + right }, base,
			    base + 100000);
}

static void assert_range(unsigned i, uint32_t left, uint32_t right)
{
	ck_assert_uint_lt(i, s.n);
	ck_assert_uint_eq(s.ranges[i].left - base, left);
	ck_assert_uint_eq(s.ranges[i].right - base, right);
}

START_TEST(kept_sorted_and_merged)
{
	begin();
	ck_assert(add(500, 600));
	ck_assert(add(100, 200));
	ck_assert(add(300, 400));
	ck_assert_uint_eq(s.n, 3);
	ck_assert_uint_eq(tcp_sack_bytes(&s), 300);
	assert_range(0, 100, 200);
	assert_range(1, 300, 400); /* across the wrap */
	assert_range(2, 500, 600);
	ck_assert(add(200, 300)); /* touches both */
	ck_assert_uint_eq(s.n, 2);
	assert_range(0, 100, 400);
	ck_assert(add(50, 700)); /* covers all */
	ck_assert_uint_eq(s.n, 1);
	assert_range(0, 50, 700);
	ck_assert(!add(50, 700)); /* nothing new */
	ck_assert(!add(300, 310));
	ck_assert(add(699, 701)); /* grows to the right */
	ck_assert(add(49, 60));	  /* ... and the left */
	assert_range(0, 49, 701);
}
END_TEST

START_TEST(impossible_blocks_ignored)
{
	begin();
	ck_assert(!add(10, 10));
	ck_assert(!add(20, 10));
	ck_assert(!add(0, 10));	   /* begins at the cumulative ACK */
	ck_assert(!add(-10u, 10)); /* a duplicate was reported (RFC 2883) */
	ck_assert(!add(-20u, -10u));
	ck_assert(!add(10, 100001));	  /* never sent */
	ck_assert(!add(10, 0x80000000u)); /* neither before nor behind */
	/* both ends seem to be in order, half way round */
	ck_assert(!tcp_sack_add(&s,
				(struct tcp_sack_block){ base + 0x7ffffff0, base + 0x80000010 },
				base, base));
	ck_assert(!add(0x7ffffff0, 0x80000010));
	ck_assert_uint_eq(s.n, 0);
	ck_assert(add(1, 100000)); /* all that may be */
}
END_TEST

START_TEST(full)
{
	begin();
	for (uint32_t i = 1; i <= TCP_SACK_RANGES; i++)
		ck_assert(add(i * 1000, i * 1000 + 10));
	ck_assert(!add(50000, 50010)); /* the highest is not kept */
	ck_assert_uint_eq(s.n, TCP_SACK_RANGES);
	assert_range(TCP_SACK_RANGES - 1, TCP_SACK_RANGES * 1000, TCP_SACK_RANGES * 1000 + 10);
	ck_assert(add(500, 510)); /* pushes the highest out */
	ck_assert_uint_eq(s.n, TCP_SACK_RANGES);
	assert_range(0, 500, 510);
	assert_range(TCP_SACK_RANGES - 1, (TCP_SACK_RANGES - 1) * 1000,
		     (TCP_SACK_RANGES - 1) * 1000 + 10);
	ck_assert(!add(7500, 7510)); /* the highest itself now */
	assert_range(TCP_SACK_RANGES - 1, 7000, 7010);
}
END_TEST

START_TEST(cumulative_ack)
{
	begin();
	add(100, 200);
	add(300, 400);
	tcp_sack_acked(&s, base + 50);
	ck_assert_uint_eq(s.n, 2);
	tcp_sack_acked(&s, base + 150); /* within a range: a guest may do that */
	assert_range(0, 150, 200);
	tcp_sack_acked(&s, base + 200);
	ck_assert_uint_eq(s.n, 1);
	assert_range(0, 300, 400);
	tcp_sack_acked(&s, base + 500);
	ck_assert_uint_eq(s.n, 0);
	ck_assert_uint_eq(tcp_sack_bytes(&s), 0);
}
END_TEST

static bool hole(uint32_t from, uint32_t max, uint32_t *left, uint32_t *right)
{
	struct tcp_sack_block h = { 0 };
	bool found = tcp_sack_hole(&s, base + from, base + max, &h);

	*left = h.left - base;
	*right = h.right - base;
	return found;
}

START_TEST(holes)
{
	uint32_t l, r;

	begin();
	ck_assert(!hole(0, 1000, &l, &r)); /* nothing known, no hole either */
	add(100, 200);
	add(300, 400);
	ck_assert(hole(0, 1000, &l, &r) && l == 0 && r == 100);
	ck_assert(hole(50, 1000, &l, &r) && l == 50 && r == 100);
	ck_assert(hole(100, 1000, &l, &r) && l == 200 && r == 300);
	ck_assert(hole(150, 1000, &l, &r) && l == 200 && r == 300);
	ck_assert(hole(200, 1000, &l, &r) && l == 200 && r == 300);
	ck_assert(hole(299, 1000, &l, &r) && l == 299 && r == 300);
	ck_assert(!hole(300, 1000, &l, &r)); /* behind the highest: not known to be lost */
	ck_assert(!hole(400, 1000, &l, &r));
	ck_assert(hole(0, 40, &l, &r) && l == 0 && r == 40);
	ck_assert(!hole(40, 40, &l, &r));
	ck_assert(!hole(150, 200, &l, &r));
}
END_TEST

#define SPACE 4000

/* What the guest has, byte by byte. */
static struct {
	bool has[SPACE];
	uint32_t una;
} model;

static void compare(void)
{
	uint32_t bytes = 0, at = 0;

	must(s.n <= TCP_SACK_RANGES);
	for (unsigned i = 0; i < s.n; i++) {
		uint32_t l = s.ranges[i].left - base, r = s.ranges[i].right - base;

		must(l < r && r <= SPACE && l >= model.una && (!i || l > at));
		for (uint32_t b = l; b < r; b++)
			must(model.has[b]); /* it may forget, and never invent */
		bytes += r - l;
		at = r;
	}
	must(tcp_sack_bytes(&s) == bytes);
}

static void run(uint64_t seed)
{
	struct rng rng = rng_init(seed);

	s = (struct tcp_sack){ 0 };
	memset(&model, 0, sizeof(model));
	base = (uint32_t)(0u - rng_below(&rng, SPACE));
	for (int i = 0; i < 200; i++) {
		uint32_t l = (uint32_t)rng_below(&rng, SPACE),
			 n = (uint32_t)rng_below(&rng, 100);

		if (rng_chance(&rng, 50)) {
			model.una += (uint32_t)rng_below(&rng, 200);
			if (model.una > SPACE)
				model.una = SPACE;
			tcp_sack_acked(&s, base + model.una);
		} else if (tcp_sack_add(&s, (struct tcp_sack_block){ base + l, base + l + n },
					base + model.una, base + SPACE)) {
			memset(model.has + l, true, n);
		}
		compare();
	}
}

START_TEST(as_a_plain_map)
{
	for (uint64_t seed = 1; seed <= 3000; seed++)
		run(seed);
}
END_TEST

SUITE_MAIN("tcp_sack", kept_sorted_and_merged, impossible_blocks_ignored, full, cumulative_ack,
	   holes, as_a_plain_map)
