/* Rates: the bucket on a clock of our own, and what the relays do when it is closed. */
#include "proto/shaper.h"

#include <errno.h>

#include "lib/packets.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"
#include "proto/event.h"
#include "proto/preempt.h"

#define RATE 1000000

START_TEST(bucket_keeps_the_rate)
{
	struct bucket b = bucket_init(RATE, 50000);
	uint64_t now = 77 * NS_PER_SEC, passed = 0;

	while (bucket_is_open(&b, now)) { /* the burst at once */
		bucket_take(&b, 1000, now);
		passed += 1000;
	}
	ck_assert_uint_ge(passed, 50000);
	ck_assert_uint_le(passed, 51000);
	ck_assert_uint_ge(bucket_used(&b, now), 50000);
	for (int ms = 0; ms < 10000; ms++, now += NS_PER_MS)
		while (bucket_is_open(&b, now)) {
			bucket_take(&b, 65000, now); /* more than it holds: it pays later */
			passed += 65000;
		}
	ck_assert_uint_ge(passed, 10 * RATE);
	ck_assert_uint_le(passed, 10 * RATE + 50000 + 65000);
	now += 60 * NS_PER_SEC; /* a pause is worth the burst, no more */
	ck_assert_uint_eq(bucket_used(&b, now), 0);
	passed = 0;
	for (; bucket_is_open(&b, now); passed += 1000)
		bucket_take(&b, 1000, now);
	ck_assert_uint_le(passed, 51000);
	ck_assert_uint_gt(bucket_opens_ns(&b), now);
}
END_TEST

/* A rate of which nothing comes at once but a byte. */
static void begin(bool in, uint64_t burst)
{
	hand_begin(1000, 2000);
	hand_reach(TCP_ESTABLISHED);
	*(in ? &hand.g.conf.rate_in : &hand.g.conf.rate_out) = (struct conf_rate){ RATE, burst };
	env_set_rates(&hand.g.env);
}

static void advance_ms(unsigned ms)
{
	for (unsigned i = 0; i < ms; i++)
		fake_guest_advance(&hand.g, NS_PER_MS);
}

/* Sends all of a window to the host in no time; it comes there at the rate. */
START_TEST(tcp_to_host_is_slowed)
{
	begin(false, 1);
	for (uint32_t sent = 0; sent < 40000; sent += 1000)
		hand_send(TCP_ACK, hand.seq + sent, hand.ack, 1000);
	hand_batch();
	ck_assert_uint_le(hand.h.n_taken, 8000);
	advance_ms(20);
	ck_assert_uint_ge(hand.h.n_taken, 16000);
	ck_assert_uint_le(hand.h.n_taken, 30000);
	ck_assert_uint_eq(hand.g.env.to_host.n_waiting, 1);
	advance_ms(30);
	ck_assert_uint_eq(hand.h.n_taken, 40000); /* all that was acknowledged */
	ck_assert_uint_eq(hand.g.env.to_host.n_waiting, 0);
	hand_forget();
	hand_end();
}
END_TEST

/* What stands behind the data that waits does not pass it. */
START_TEST(fin_waits_its_turn)
{
	begin(false, 1);
	for (uint32_t sent = 0; sent < 20000; sent += 1000)
		hand_send(TCP_ACK, hand.seq + sent, hand.ack, 1000);
	hand_send(TCP_ACK | TCP_FIN, hand.seq + 20000, hand.ack, 0);
	hand_batch();
	ck_assert(!hand.h.shut);
	advance_ms(40);
	ck_assert_uint_eq(hand.h.n_taken, 20000);
	ck_assert(hand.h.shut);
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(tcp_to_guest_is_slowed)
{
	struct pkt p;
	size_t got = 0;

	begin(true, 1);
	fake_host_write(&hand.g.env, &hand.h, 40000, false);
	advance_ms(20);
	while (hand_next(&p))
		got += p.payload_len;
	ck_assert_uint_ge(got, 16000);
	ck_assert_uint_le(got, 30000);
	advance_ms(30);
	while (hand_next(&p))
		got += p.payload_len;
	ck_assert_uint_eq(got, 40000);
	hand_forget();
	hand_end();
}
END_TEST

/* No rate any more: what waited goes at once.  A connection that ends leaves the line. */
START_TEST(rate_is_taken_back)
{
	begin(false, 1);
	for (uint32_t sent = 0; sent < 40000; sent += 1000)
		hand_send(TCP_ACK, hand.seq + sent, hand.ack, 1000);
	hand_batch();
	hand.g.conf.rate_out = (struct conf_rate){ 0 };
	env_set_rates(&hand.g.env);
	ck_assert_uint_eq(hand.h.n_taken, 40000);
	hand_forget();
	hand_end();
	begin(false, 1);
	for (uint32_t sent = 0; sent < 40000; sent += 1000)
		hand_send(TCP_ACK, hand.seq + sent, hand.ack, 1000);
	hand_batch();
	ck_assert_uint_eq(hand.g.env.to_host.n_waiting, 1);
	hand_send(TCP_RST, hand.seq + 40000, 0, 0);
	hand_batch();
	ck_assert_uint_eq(hand.g.env.to_host.n_waiting, 0);
	advance_ms(40); /* the line has a timer until then */
	hand_forget();
	hand_end();
}
END_TEST

static struct shaper_place places[4];
static unsigned n_turns[4];
static uint64_t n_paused; /* bytes of who pauses */

/* Both always have more. */
static void hungry(struct env *env, struct shaper_place *place)
{
	uint32_t got = shaper_grant(env, &env->to_guest, place, 100000);

	ck_assert_uint_ne(got, 0);
	n_turns[place - places]++;
	shaper_take(env, &env->to_guest, place, got);
	ck_assert_uint_eq(shaper_grant(env, &env->to_guest, place, 100000), 0);
}

/* Those in line have equal parts; who has not waited passes them, but not with more than half. */
START_TEST(parts_of_the_rate)
{
	struct fake_guest g;
	struct shaper *s = &g.env.to_guest;
	uint64_t passed = 0;

	fake_guest_init(&g);
	s->go_on = hungry;
	n_turns[0] = n_turns[1] = 0;
	shaper_set(&g.env, s, &(struct conf_rate){ RATE, 20000 });
	for (int i = 0; i < 2; i++) {
		shaper_place_init(&places[i]);
		while (shaper_grant(&g.env, s, &places[i], 1000))
			shaper_take(&g.env, s, &places[i], 1000);
	}
	for (int i = 0; i < 2000; i++) {
		fake_guest_advance(&g, NS_PER_MS);
		for (int k = 0; k < 10; k++)
			passed += shaper_pass(&g.env, s, 1000) ? 1000 : 0;
	}
	ck_assert_uint_ge(passed, RATE * 9 / 10); /* of two seconds half */
	ck_assert_uint_le(passed, RATE * 11 / 10);
	ck_assert_uint_le(n_turns[0] - n_turns[1] + 1, 2);
	ck_assert_uint_ge((uint64_t)(n_turns[0] + n_turns[1]) * s->quantum, RATE * 8 / 10);
	for (int i = 0; i < 2; i++)
		shaper_leave(s, &places[i]);
	timerq_cancel(&g.env.timers, &s->timer);
	fake_guest_free(&g);
}
END_TEST

/* The last one takes what it may, and asks again a little later, as who waits for an ACK. */
static void take_and_pause(struct env *env, struct shaper_place *place)
{
	uint32_t got = shaper_grant(env, &env->to_guest, place, 100000);

	if (!got)
		return;
	shaper_take(env, &env->to_guest, place, got);
	n_paused += got;
}

static void one_pauses(struct env *env, struct shaper_place *place)
{
	(place == &places[3] ? take_and_pause : hungry)(env, place);
}

/* Who pauses after each part has no more than those who wait in line. */
START_TEST(pauses_earn_nothing)
{
	struct fake_guest g;
	struct shaper *s = &g.env.to_guest;

	fake_guest_init(&g);
	s->go_on = one_pauses;
	n_paused = 0;
	shaper_set(&g.env, s, &(struct conf_rate){ RATE, 20000 });
	for (int i = 0; i < 4; i++)
		shaper_place_init(&places[i]);
	for (int i = 0; i < 3; i++)
		while (shaper_grant(&g.env, s, &places[i], 1000))
			shaper_take(&g.env, s, &places[i], 1000);
	for (int i = 0; i < 2000; i++) {
		fake_guest_advance(&g, NS_PER_MS);
		if (!shaper_waits(&places[3]))
			take_and_pause(&g.env, &places[3]);
	}
	ck_assert_uint_ge(n_paused, 2 * RATE / 5);
	ck_assert_uint_le(n_paused, 2 * RATE / 3);
	for (int i = 0; i < 4; i++)
		shaper_leave(s, &places[i]);
	timerq_cancel(&g.env.timers, &s->timer);
	fake_guest_free(&g);
}
END_TEST

START_TEST(new_flows)
{
	hand_begin(1000, 2000);
	hand.g.conf.limits.new_flows = 1;
	env_set_rates(&hand.g.env);
	hand_reach(TCP_ESTABLISHED);
	hand.g.env.new_flows.paid_ns = hand.g.env.now_ns + 3 * NS_PER_SEC;
	ck_assert_int_eq(preempt_insert(&hand.g.env, &(struct flow){ .key.proto = FLOW_TCP }), -ENOSPC);
	ck_assert_uint_eq(hand.g.env.stats.flow_over_rate, 1);
	ck_assert_uint_eq(hand.g.env.stats.flow_refused, 1);
	hand_forget();
	hand_end();
}
END_TEST

SUITE_MAIN("shaper", bucket_keeps_the_rate, tcp_to_host_is_slowed, fin_waits_its_turn,
	   tcp_to_guest_is_slowed, rate_is_taken_back, parts_of_the_rate, pauses_earn_nothing,
	   new_flows)
