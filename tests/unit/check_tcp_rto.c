/* Round-trip estimate and retransmission timeout: RFC 6298. */
#include "proto/tcp/rto.h"

#include "lib/suite.h"

#define MS NS_PER_MS

START_TEST(one_second_before_any_sample)
{
	struct tcp_rto r = TCP_RTO_INIT;

	ck_assert_uint_eq(r.rto_ns, NS_PER_SEC);
	tcp_rto_acked(&r); /* of a segment that could not be timed */
	ck_assert_uint_eq(r.rto_ns, NS_PER_SEC);
	tcp_rto_restore(&r);
	ck_assert_uint_eq(r.rto_ns, NS_PER_SEC);
}
END_TEST

START_TEST(first_sample)
{
	struct tcp_rto r = TCP_RTO_INIT;

	tcp_rto_sampled(&r, 400 * MS); /* 2.2: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR */
	ck_assert_uint_eq(r.srtt_ns, 400 * MS);
	ck_assert_uint_eq(r.rttvar_ns, 200 * MS);
	ck_assert_uint_eq(r.rto_ns, 1200 * MS);
}
END_TEST

START_TEST(next_samples)
{
	struct tcp_rto r = TCP_RTO_INIT;

	tcp_rto_sampled(&r, 400 * MS);
	tcp_rto_sampled(&r, 800 * MS); /* 2.3: RTTVAR from the old SRTT, then SRTT */
	ck_assert_uint_eq(r.rttvar_ns, 150 * MS + 100 * MS);
	ck_assert_uint_eq(r.srtt_ns, 350 * MS + 100 * MS);
	ck_assert_uint_eq(r.rto_ns, 450 * MS + 1000 * MS);
	tcp_rto_sampled(&r, 50 * MS);
	ck_assert_uint_eq(r.rttvar_ns, 187500000 + 100 * MS);
	ck_assert_uint_eq(r.srtt_ns, 393750000 + 6250000);
}
END_TEST

START_TEST(bounds)
{
	struct tcp_rto r = TCP_RTO_INIT;

	tcp_rto_sampled(&r, 0); /* less than the clock can tell still is a sample */
	ck_assert_uint_gt(r.srtt_ns, 0);
	ck_assert_uint_eq(r.rto_ns, TCP_RTO_MIN_NS);
	for (int i = 0; i < 100; i++)
		tcp_rto_sampled(&r, 0);
	ck_assert_uint_gt(r.srtt_ns, 0);
	tcp_rto_sampled(&r, 3600 * NS_PER_SEC);
	ck_assert_uint_eq(r.rto_ns, TCP_RTO_MAX_NS);
}
END_TEST

START_TEST(backs_off_and_recovers)
{
	struct tcp_rto r = TCP_RTO_INIT;
	uint64_t want = 300 * MS;

	tcp_rto_sampled(&r, 100 * MS);
	ck_assert_uint_eq(r.rto_ns, want);
	for (int i = 1; i <= 300; i++) {
		tcp_rto_expired(&r);
		want = want * 2 < TCP_RTO_MAX_NS ? want * 2 : TCP_RTO_MAX_NS;
		ck_assert_uint_eq(r.rto_ns, want);
		ck_assert_uint_eq(r.backoff, i < UINT8_MAX ? i : UINT8_MAX);
	}
	tcp_rto_alive(&r);
	ck_assert_uint_eq(r.backoff, 0);
	ck_assert_uint_eq(r.rto_ns, TCP_RTO_MAX_NS);
	tcp_rto_expired(&r);
	ck_assert_uint_eq(r.backoff, 1);
	tcp_rto_acked(&r);
	ck_assert_uint_eq(r.backoff, 0);
	ck_assert_uint_eq(r.rto_ns, 4 * 300 * MS);
	tcp_rto_restore(&r);
	ck_assert_uint_eq(r.rto_ns, 300 * MS);
	tcp_rto_expired(&r);
	tcp_rto_sampled(&r, 100 * MS);
	ck_assert_uint_eq(r.backoff, 0);
	ck_assert_uint_le(r.rto_ns, 300 * MS);
}
END_TEST

SUITE_MAIN("tcp_rto", one_second_before_any_sample, first_sample, next_samples, bounds,
	   backs_off_and_recovers)
