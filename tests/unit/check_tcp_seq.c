/* Comparison of sequence numbers, also across the wrap. */
#include "proto/tcp/seq.h"

#include "lib/suite.h"

static const uint32_t places[] = { 0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff };

#define N_PLACES (sizeof(places) / sizeof(places[0]))

START_TEST(equal)
{
	for (size_t i = 0; i < N_PLACES; i++) {
		uint32_t a = places[i];

		ck_assert(seq_le(a, a) && seq_ge(a, a));
		ck_assert(!seq_lt(a, a) && !seq_gt(a, a));
		ck_assert_uint_eq(seq_min(a, a), a);
		ck_assert_uint_eq(seq_max(a, a), a);
	}
}
END_TEST

START_TEST(ordered_up_to_half_the_space)
{
	static const uint32_t steps[] = { 1, 2, 65535, 0x40000000, 0x7fffffff };

	for (size_t i = 0; i < N_PLACES; i++)
		for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
			uint32_t a = places[i], b = a + steps[k];

			ck_assert(seq_lt(a, b) && seq_le(a, b));
			ck_assert(!seq_gt(a, b) && !seq_ge(a, b));
			ck_assert(seq_gt(b, a) && seq_ge(b, a));
			ck_assert(!seq_lt(b, a) && !seq_le(b, a));
			ck_assert_uint_eq(seq_max(a, b), b);
			ck_assert_uint_eq(seq_max(b, a), b);
			ck_assert_uint_eq(seq_min(a, b), a);
			ck_assert_uint_eq(seq_min(b, a), a);
		}
}
END_TEST

SUITE_MAIN("tcp_seq", equal, ordered_up_to_half_the_space)
