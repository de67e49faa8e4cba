/* What time does to connections: when states end, how seldom timers fire, ACKs that wait. */
#include <assert.h>

#include "lib/must.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"

#define A TCP_ACK
#define F TCP_FIN
#define P TCP_PSH
#define R TCP_RST

static void begin(enum tcp_state s)
{
	hand_begin(0xffffffd0, 0xffffffd0);
	hand.g.conf.timeouts.tcp_connect = 10;
	hand.g.conf.timeouts.tcp_idle = 1000;
	hand.g.conf.timeouts.tcp_closing = 500;
	hand_reach(s);
}

static void advance_ms(uint64_t ms)
{
	fake_guest_advance(&hand.g, ms * NS_PER_MS);
}

static const struct flow_closed *last_closed(void)
{
	const struct flow_table *t = &hand.g.env.flows;

	return &t->closed[(t->n_closed - 1) % FLOW_CLOSED_KEPT];
}

static enum flow_close_reason last_reason(void)
{
	return last_closed()->reason;
}

/* As it is told to those who ask. */
static uint64_t until_end(void)
{
	const struct flow *f = &hand_conn()->flow;

	return f->class->timeout(&hand.g.env, f);
}

static const struct {
	enum tcp_state state;
	unsigned seconds;
	enum flow_close_reason reason;
	bool reset; /* the guest and the host side are told */
	enum flow_end silent;
} ends[] = {
	{ TCP_CONNECTING, 10, FLOW_CLOSED_TIMED_OUT, true, FLOW_END_PEER },
	{ TCP_SYN_SENT, 60, FLOW_CLOSED_TIMED_OUT, true, FLOW_END_GUEST },
	{ TCP_SYN_RECEIVED, 60, FLOW_CLOSED_TIMED_OUT, true, FLOW_END_GUEST },
	{ TCP_ESTABLISHED, 1000, FLOW_CLOSED_IDLE, true, FLOW_END_NONE },
	{ TCP_FIN_WAIT_1, 500, FLOW_CLOSED_TIMED_OUT, true, FLOW_END_GUEST },
	{ TCP_FIN_WAIT_2, 500, FLOW_CLOSED_IDLE, true, FLOW_END_NONE },
	{ TCP_CLOSE_WAIT, 500, FLOW_CLOSED_IDLE, true, FLOW_END_NONE },
	{ TCP_CLOSING, 60, FLOW_CLOSED_TIMED_OUT, true, FLOW_END_GUEST },
	{ TCP_LAST_ACK, 60, FLOW_CLOSED_TIMED_OUT, true, FLOW_END_GUEST },
	{ TCP_TIME_WAIT, 1, FLOW_CLOSED_FINISHED, false, FLOW_END_NONE },
};
static_assert(sizeof(ends) / sizeof(ends[0]) == N_TCP_STATES, "each state ends");

START_TEST(each_state_ends)
{
	for (unsigned i = 0; i < N_TCP_STATES; i++) {
		struct pkt p, last = { 0 };

		begin(ends[i].state);
		ck_assert_uint_eq(until_end(), ends[i].seconds * NS_PER_SEC);
		advance_ms(ends[i].seconds * 1000 - 1);
		ck_assert_uint_eq(until_end(), NS_PER_MS);
		ck_assert_uint_eq(hand_conn()->state, ends[i].state);
		advance_ms(1);
		ck_assert_ptr_null(hand_conn());
		ck_assert_int_eq(last_reason(), ends[i].reason);
		ck_assert_int_eq(last_closed()->silent, ends[i].silent);
		ck_assert_int_eq(last_closed()->error, 0);
		ck_assert(hand.h.reset == ends[i].reset);
		while (hand_next(&p))
			last = p;
		ck_assert(!!(last.tcp.flags & R) == ends[i].reset);
		hand_end();
	}
}
END_TEST

/* A guest that asks again does not prolong an attempt to connect. */
START_TEST(connect_ends_whatever_the_guest_sends)
{
	begin(TCP_CONNECTING);
	for (int i = 0; i < 9; i++) {
		advance_ms(1000);
		hand_send(TCP_SYN, hand.irs, 0, 0);
		hand_batch();
		hand_expect_nothing();
	}
	advance_ms(999);
	hand_expect_nothing();
	advance_ms(1);
	hand_expect(R | A, 0, hand.irs + 1, 0);
	ck_assert_int_eq(last_reason(), FLOW_CLOSED_TIMED_OUT);
	hand_end();
}
END_TEST

static void assert_given_up(enum flow_end silent)
{
	for (unsigned s = 0; s < 3600 && hand_conn(); s++)
		advance_ms(1000);
	ck_assert_ptr_null(hand_conn());
	ck_assert_int_eq(last_reason(), FLOW_CLOSED_TIMED_OUT);
	ck_assert_int_eq(last_closed()->silent, silent);
	hand_forget();
	hand_end();
}

/* Data that is not acknowledged, a closed window about which no question is answered; and a
 * peer that does not take what came before the guest's end. */
START_TEST(who_is_silent)
{
	begin(TCP_ESTABLISHED);
	hand.g.conf.timeouts.tcp_idle = 7200;
	fake_host_write(&hand.g.env, &hand.h, 10, false);
	assert_given_up(FLOW_END_GUEST);

	begin(TCP_ESTABLISHED);
	hand.g.conf.timeouts.tcp_idle = 7200;
	hand.window = 0;
	hand_ack();
	fake_host_write(&hand.g.env, &hand.h, 10, false);
	ck_assert_uint_eq(hand_conn()->snd_nxt, hand_conn()->snd_una);
	assert_given_up(FLOW_END_GUEST);

	begin(TCP_ESTABLISHED);
	hand.g.conf.timeouts.tcp_idle = 1800;
	hand.h.room = 0;
	hand_send(A | F, hand.seq, hand.ack, 10);
	hand_batch();
	fake_host_write(&hand.g.env, &hand.h, 0, true);
	hand.seq += 11;
	hand.ack++;
	hand_ack();
	ck_assert_uint_eq(hand_conn()->state, TCP_LAST_ACK);
	assert_given_up(FLOW_END_PEER);
}
END_TEST

/* A deadline that passed is set once more, no busy waiting. */
START_TEST(timers_fire_seldom)
{
	for (unsigned i = 0; i < N_TCP_STATES; i++) {
		uint64_t until;
		unsigned n = 0;

		begin(ends[i].state);
		until = hand.g.env.now_ns + ends[i].seconds * NS_PER_SEC;
		while (timerq_next(&hand.g.env.timers) <= until) {
			hand.g.env.now_ns = timerq_next(&hand.g.env.timers);
			timerq_run(&hand.g.env.timers, hand.g.env.now_ns, 1, &hand.g.env);
			must(n++ < 20);
		}
		hand_forget();
		hand_end();
	}
}
END_TEST

START_TEST(traffic_keeps_alive)
{
	begin(TCP_ESTABLISHED);
	for (uint32_t i = 0; i < 3; i++) {
		advance_ms(999000); /* the guest sends */
		hand_send(A, hand.seq++, hand.ack, 1);
		hand_batch();
		advance_ms(999000); /* the host does */
		fake_host_write(&hand.g.env, &hand.h, 1, false);
		hand.ack++;
		hand_ack();
		advance_ms(999000); /* keep-alive of the guest */
		hand_send(A, hand.seq - 1, hand.ack, 0);
		hand_batch();
		ck_assert_ptr_nonnull(hand_conn());
	}
	hand_forget();
	hand_end();
}
END_TEST

/* The guest of a silent connection is asked whether it is there; times in half seconds. */
static const struct {
	enum tcp_state state;
	unsigned idle, first, every;
} asked[] = {
	{ TCP_ESTABLISHED, 2 * 7200, 2 * (7200 - 9 * 75), 2 * 75 },
	{ TCP_ESTABLISHED, 20, 11, 1 }, /* each twentieth of a short time */
	{ TCP_FIN_WAIT_2, 2 * 7200, 2 * (7200 - 9 * 75), 2 * 75 },
	{ TCP_CLOSE_WAIT, 2 * 7200, 2 * (7200 - 9 * 75), 2 * 75 },
};

static void begin_silence(unsigned i)
{
	begin(asked[i].state);
	hand.g.conf.timeouts.tcp_idle = hand.g.conf.timeouts.tcp_closing = asked[i].idle / 2;
	advance_ms(10); /* the timer was set for others, and the ACK of a FIN may wait */
	hand_forget();
	hand_ack();
	tcp_timer_update(&hand.g.env, hand_conn());
}

START_TEST(silent_guest_is_asked)
{
	for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		begin_silence(i);
		advance_ms(asked[i].first * 500 - 1);
		hand_expect_nothing();
		advance_ms(1);
		for (int n = 0; n < 9; n++) {
			hand_expect(A, hand.ack - 1, hand.seq, 0);
			advance_ms(asked[i].every * 500 - 1);
			hand_expect_nothing();
			ck_assert_ptr_nonnull(hand_conn());
			advance_ms(1);
		}
		hand_expect(R | A, hand.ack, hand.seq, 0);
		ck_assert_ptr_null(hand_conn());
		ck_assert_int_eq(last_reason(), FLOW_CLOSED_IDLE);
		ck_assert(hand.h.reset);
		ck_assert_uint_eq(hand.g.env.stats.tcp_keepalives, 9);
		hand_end();
	}
}
END_TEST

/* One that answers, if late, is left alone for as long as before. */
START_TEST(answer_to_a_keepalive)
{
	for (unsigned i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		begin_silence(i);
		for (int n = 0; n < 50; n++) {
			advance_ms(asked[i].first * 500 + asked[i].every * 500 * (n % 9));
			for (int k = 0; k < 1 + n % 9; k++)
				hand_expect(A, hand.ack - 1, hand.seq, 0);
			hand_expect_nothing();
			hand_ack();
			hand_forget();
		}
		ck_assert_uint_eq(hand_conn()->state, asked[i].state);
		hand_end();
	}
}
END_TEST

/* No room in the link: the next one is sent when its time comes. */
START_TEST(keepalive_without_room)
{
	begin_silence(0);
	hand.g.room = 0;
	advance_ms(asked[0].first * 500 + 74999);
	hand.g.room = -1;
	tcp_room(&hand.g.env);
	hand_expect_nothing();
	advance_ms(1);
	hand_expect(A, hand.ack - 1, hand.seq, 0);
	ck_assert_uint_eq(hand.g.env.stats.tcp_keepalives, 1);
	hand_end();
}
END_TEST

/* Where an answer is awaited anyhow, the retransmission timer asks. */
START_TEST(no_keepalive_while_data_is_in_flight)
{
	begin(TCP_ESTABLISHED);
	hand.g.conf.timeouts.tcp_idle = 20;
	fake_host_write(&hand.g.env, &hand.h, 1, false);
	while (hand_conn())
		advance_ms(100);
	ck_assert_uint_gt(hand.g.env.stats.tcp_retransmits, 2);
	ck_assert_uint_eq(hand.g.env.stats.tcp_keepalives, 0);
	hand_forget();
	hand_end();
}
END_TEST

/* A host side that takes a little now and then is not idle. */
START_TEST(slow_host_keeps_alive)
{
	begin(TCP_ESTABLISHED);
	hand.h.room = 0;
	hand_send(A | F, hand.seq, hand.ack, 10);
	hand_batch();
	hand_forget();
	for (int i = 0; i < 9; i++) {
		advance_ms(999000);
		fake_host_read(&hand.g.env, &hand.h, 1);
		ck_assert_ptr_nonnull(hand_conn());
		hand_forget(); /* keep-alives, which the guest does not answer */
	}
	hand_end();
}
END_TEST

START_TEST(time_wait_begins_again)
{
	begin(TCP_TIME_WAIT);
	advance_ms(900);
	hand_send(A | F, hand.seq - 1, hand.ack, 0); /* our ACK was lost */
	hand_batch();
	hand_expect(A, hand.ack, hand.seq, 0);
	advance_ms(999);
	ck_assert_ptr_nonnull(hand_conn());
	advance_ms(1);
	ck_assert_ptr_null(hand_conn());
	hand_end();
}
END_TEST

START_TEST(time_wait_as_configured)
{
	begin(TCP_FIN_WAIT_2);
	hand.g.conf.timeouts.tcp_time_wait = 5;
	hand_send(A | F, hand.seq, hand.ack, 0);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq + 1, 0);
	advance_ms(4999);
	ck_assert_ptr_nonnull(hand_conn());
	advance_ms(1);
	ck_assert_ptr_null(hand_conn());
	hand_end();
}
END_TEST

/* Both sides have ended, the host side takes nothing: its peer must not believe that it has
 * all. */
START_TEST(time_wait_undelivered)
{
	for (int taken = 0; taken < 2; taken++) {
		begin(TCP_FIN_WAIT_2);
		hand.h.room = 0;
		hand_send(A | F, hand.seq, hand.ack, 10);
		hand_batch();
		hand_forget();
		ck_assert_uint_eq(hand_conn()->state, TCP_TIME_WAIT);
		advance_ms(999000);
		if (taken)
			fake_host_read(&hand.g.env, &hand.h, 10);
		advance_ms(1000);
		ck_assert_ptr_null(hand_conn());
		ck_assert(hand.h.shut == taken);
		ck_assert(hand.h.reset == !taken);
		hand_end();
	}
}
END_TEST

/* TIME-WAIT is as short where the host side was slow, once that has all. */
START_TEST(time_wait_delivered_late)
{
	begin(TCP_FIN_WAIT_2);
	hand.h.room = 0;
	hand_send(A | F, hand.seq, hand.ack, 10);
	hand_batch();
	hand_forget();
	advance_ms(10000);
	fake_host_read(&hand.g.env, &hand.h, 10);
	advance_ms(999);
	ck_assert_ptr_nonnull(hand_conn());
	advance_ms(1);
	ck_assert_ptr_null(hand_conn());
	hand_end();
}
END_TEST

START_TEST(syn_again)
{
	static const unsigned at[] = { 1, 3, 7, 15, 31 };
	uint64_t began;

	begin(TCP_SYN_SENT);
	began = hand.g.env.now_ns;
	for (int i = 0; i < 5; i++) {
		advance_ms(at[i] * 1000 - (hand.g.env.now_ns - began) / NS_PER_MS - 1);
		hand_expect_nothing();
		advance_ms(1);
		hand_expect(TCP_SYN, hand.iss, 0, 0);
	}
	hand_send(TCP_SYN | A, hand.irs, hand.ack, 0);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq, 0);
	ck_assert_uint_eq(hand_conn()->rto.rto_ns, 3 * NS_PER_SEC); /* RFC 6298 5.7 */
	advance_ms(500000);
	hand_expect_nothing();
	hand_end();
}
END_TEST

/* A question of a byte, whose ACK comes at once or rides on the answer. */
static void turn(bool at_once)
{
	hand_send(A, hand.seq++, hand.ack, 1);
	hand_batch();
	if (at_once)
		hand_expect(A, hand.ack, hand.seq, 0);
	hand_expect_nothing();
	fake_host_write(&hand.g.env, &hand.h, 1, false);
	hand_expect(A | P, hand.ack++, hand.seq, 1);
	hand_expect_nothing();
}

/* After an answer: so many more must follow their questions before an ACK may wait again. */
static void expect_turns_anew(int n)
{
	while (n--)
		turn(true);
	turn(false);
}

START_TEST(ack_rides_on_the_answer)
{
	begin(TCP_ESTABLISHED);
	for (int i = 0; i < 8; i++)
		turn(false);
	hand_send(A, hand.seq++, hand.ack, 1); /* no answer comes */
	hand_batch();
	advance_ms(9);
	hand_expect_nothing();
	advance_ms(1);
	hand_expect(A, hand.ack, hand.seq, 0);
	advance_ms(100);
	hand_expect_nothing();
	fake_host_write(&hand.g.env, &hand.h, 1, false); /* too late */
	hand_expect(A | P, hand.ack++, hand.seq, 1);
	expect_turns_anew(7);
	hand_end();
}
END_TEST

START_TEST(ack_rides_on_the_fin)
{
	begin(TCP_ESTABLISHED);
	hand_send(A | F, hand.seq++, hand.ack, 0);
	hand_batch();
	hand_expect_nothing();
	fake_host_write(&hand.g.env, &hand.h, 0, true);
	hand_expect(A | F, hand.ack, hand.seq, 0);
	advance_ms(100);
	hand_expect_nothing();
	hand_end();

	begin(TCP_ESTABLISHED); /* the peer has more to say */
	hand_send(A | F, hand.seq++, hand.ack, 0);
	hand_batch();
	hand_expect_late_ack(hand.ack, hand.seq);
	hand_end();
}
END_TEST

START_TEST(ack_does_not_wait)
{
	begin(TCP_ESTABLISHED); /* for a second question */
	hand_send(A, hand.seq++, hand.ack, 1);
	hand_batch();
	hand_expect_nothing();
	hand_send(A, hand.seq++, hand.ack, 1);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq, 0);
	advance_ms(100);
	hand_expect_nothing();
	fake_host_write(&hand.g.env, &hand.h, 1, false);
	hand_expect(A | P, hand.ack++, hand.seq, 1);
	expect_turns_anew(8);
	hand_end();

	begin(TCP_ESTABLISHED); /* for what fills a segment: more may be held back behind it */
	hand_send(A, hand.seq, hand.ack, HAND_MSS);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq + HAND_MSS, 0);
	hand_end();

	begin(TCP_ESTABLISHED); /* for much of the window: the guest waits for room for a segment */
	hand_conn()->mss = 65480;
	hand_send(A, hand.seq, hand.ack, 34000);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq + 34000, 0);
	hand_end();

	begin(TCP_FIN_WAIT_2); /* where no answer will come */
	hand_send(A | F, hand.seq, hand.ack, 1);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq + 2, 0);
	hand_end();

	begin(TCP_ESTABLISHED); /* for what was known, or is behind a hole */
	hand_send(A, hand.seq - 1, hand.ack, 1);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq, 0);
	hand_send(A, hand.seq + 1, hand.ack, 1);
	hand_expect(A, hand.ack, hand.seq, 0);
	hand_batch();
	hand_expect_nothing();
	hand_end();

	begin(TCP_ESTABLISHED); /* for a host side that is slow */
	hand.h.room = 0;
	hand_send(A, hand.seq++, hand.ack, 1);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq, 0);
	hand_end();
}
END_TEST

/* The connection ends while its ACK waits; so does the relay. */
START_TEST(end_with_an_ack_that_waits)
{
	begin(TCP_ESTABLISHED);
	hand_send(A, hand.seq++, hand.ack, 1);
	hand_batch();
	hand_send(R, hand.seq, 0, 0);
	hand_batch();
	ck_assert_ptr_null(hand_conn());
	advance_ms(100);
	hand_expect_nothing();
	hand_end();

	begin(TCP_ESTABLISHED);
	hand_send(A, hand.seq++, hand.ack, 1);
	hand_batch();
	hand_end();
}
END_TEST

SUITE_MAIN("tcp_timers", each_state_ends, who_is_silent, connect_ends_whatever_the_guest_sends,
	   timers_fire_seldom, traffic_keeps_alive, silent_guest_is_asked,
	   answer_to_a_keepalive, keepalive_without_room, no_keepalive_while_data_is_in_flight,
	   slow_host_keeps_alive, time_wait_begins_again, time_wait_as_configured,
	   time_wait_undelivered, time_wait_delivered_late, syn_again, ack_rides_on_the_answer,
	   ack_rides_on_the_fin, ack_does_not_wait, end_with_an_ack_that_waits)
