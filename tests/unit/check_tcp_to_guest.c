/* Data to the guest: its window, segments, what is lost, probes, the end. */
#include <errno.h>

#include "flow/details.h"
#include "lib/must.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"

#define A   TCP_ACK
#define F   TCP_FIN
#define P   TCP_PSH
#define MSS HAND_MSS

/* Across the wrap of both sides' numbers. */
static void begin(void)
{
	hand_begin(0xffffffd0, 0xfffffc00);
	hand_reach(TCP_ESTABLISHED);
}

static void host_writes(uint64_t n)
{
	fake_host_write(&hand.g.env, &hand.h, n, false);
}

static void expect_data(uint32_t offset, uint32_t len, bool push)
{
	hand_expect(push ? A | P : A, hand.ack + offset, hand.seq, len);
}

/* [from, to) in full segments, the last with PSH. */
static void expect_segments(uint32_t from, uint32_t to)
{
	for (uint32_t at = from; at < to; at += MSS)
		expect_data(at, to - at < MSS ? to - at : MSS, to - at <= MSS);
}

/* The guest acknowledges this much, with a window in bytes and up to one SACK block. */
static void ack(uint32_t offset, uint32_t window, uint32_t left, uint32_t right)
{
	hand.window = (uint16_t)(window >> HAND_WSCALE);
	hand.sack[0] = (struct tcp_sack_block){ hand.ack + left, hand.ack + right };
	hand.n_sack = right != 0;
	hand_send(A, hand.seq, hand.ack + offset, 0);
	hand_batch();
}

static void advance(uint64_t ms)
{
	fake_guest_advance(&hand.g, ms * NS_PER_MS);
}

START_TEST(segments)
{
	begin();
	host_writes(10 * MSS + 7);
	expect_segments(0, 10 * MSS + 7);
	hand_expect_nothing();
	ck_assert_uint_eq(hand.h.n_consumed, 0);
	ack(3 * MSS + 5, HAND_WINDOW, 0, 0);
	hand_expect_nothing();
	ck_assert_uint_eq(hand.h.n_consumed, 3 * MSS + 5);
	ack(10 * MSS + 7, HAND_WINDOW, 0, 0);
	ck_assert_uint_eq(hand.h.n_consumed, 10 * MSS + 7);
	advance(600000);
	hand_expect_nothing();
	hand_end();
}
END_TEST

START_TEST(window_of_the_guest)
{
	begin();
	host_writes(200000);
	expect_segments(0, HAND_WINDOW);
	hand_expect_nothing();
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	expect_segments(HAND_WINDOW, HAND_WINDOW + 2 * MSS);
	ack(2 * MSS, HAND_WINDOW + 1280, 0, 0); /* an update alone: too little to be used */
	hand_expect_nothing();
	ack(2 * MSS, HAND_WINDOW + 3840, 0, 0);
	expect_segments(HAND_WINDOW + 2 * MSS, HAND_WINDOW + 2 * MSS + 3840);
	hand_expect_nothing();
	hand_end();
}
END_TEST

START_TEST(small_window)
{
	hand_begin(0xffffffd0, 0xffffff80);
	hand.syn.window = 100;
	hand.syn.has_wscale = false;
	hand_reach(TCP_SYN_RECEIVED);
	hand.window = 100;
	hand_ack();
	host_writes(250);
	expect_data(0, 100, true);
	hand_expect_nothing();
	hand_send(A, hand.seq, hand.ack + 40,
		  0); /* half of the largest window that there was */
	hand_batch();
	hand_expect_nothing();
	hand_send(A, hand.seq, hand.ack + 50, 0);
	hand_batch();
	expect_data(100, 50, true);
	hand_send(A, hand.seq, hand.ack + 150, 0);
	hand_batch();
	expect_data(150, 100, true);
	hand_expect_nothing();
	hand_end();
}
END_TEST

/* A guest that tells of little room with nothing in flight gets that little after a while. */
START_TEST(silly_window)
{
	begin();
	host_writes(MSS);
	advance(1);
	ack(MSS, 0, 0, 0);
	host_writes(10 * MSS);
	hand_forget();
	ack(MSS, 128, 0, 0);
	advance(199);
	hand_expect_nothing();
	advance(1);
	expect_data(MSS, 128, true);
	ack(MSS + 128, 128, 0, 0);
	hand_expect_nothing();
	ack(MSS + 128, HAND_WINDOW, 0, 0); /* at once */
	expect_segments(MSS + 128, 11 * MSS);
	advance(199);
	hand_expect_nothing();
	ack(11 * MSS, 128, 0, 0);
	host_writes(128); /* all there is */
	expect_data(11 * MSS, 128, true);
	ck_assert_uint_eq(hand.g.env.stats.tcp_timeouts, 0);
	hand_end();
}
END_TEST

START_TEST(window_of_older_segments)
{
	begin();
	hand_send(A, hand.seq, hand.ack, 10);
	hand_batch();
	hand_forget();
	hand.seq += 10;
	ack(0, 0, 0, 0);
	hand.window = 500;
	hand_send(A, hand.seq - 1, hand.ack, 1); /* sent before that (RFC 9293 3.10.7.4) */
	hand_batch();
	hand_forget();
	ck_assert_uint_eq(hand_conn()->snd_wnd, 0);
	hand.window = HAND_WINDOW >> HAND_WSCALE;
	hand_send(A, hand.seq + 10, hand.ack, 10); /* there is a hole before it */
	hand_batch();
	hand_forget();
	host_writes(100);
	expect_data(0, 100, true);
	hand.window = 0;
	hand_send(A, hand.seq, hand.ack, 5); /* sent before that, and late */
	hand_batch();
	hand_forget();
	ck_assert_uint_eq(hand_conn()->snd_wnd, HAND_WINDOW);
	hand_send(A, hand.seq, hand.ack + 100, 10); /* sent again, with news */
	hand_batch();
	hand_forget();
	host_writes(100);
	hand_expect_nothing();
	hand.window = 100;
	hand_send(A, hand.seq + 20, hand.ack + 50, 0); /* of long ago */
	hand_batch();
	ck_assert_uint_eq(hand_conn()->snd_wnd, 0);
	hand_end();
}
END_TEST

START_TEST(three_duplicates)
{
	begin();
	hand_conn()->sack_ok = false;
	host_writes(10 * MSS);
	hand_forget();
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	hand_expect_nothing();
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	expect_data(2 * MSS, MSS, true);
	hand_expect_nothing();
	ack(2 * MSS, HAND_WINDOW, 0, 0); /* more of them: nothing new is known */
	hand_expect_nothing();
	ack(5 * MSS, HAND_WINDOW, 0, 0); /* names the next hole (RFC 6582 3.2) */
	expect_data(5 * MSS, MSS, true);
	hand_expect_nothing();
	host_writes(MSS);
	hand_expect_nothing(); /* not before that is mended */
	ack(10 * MSS, HAND_WINDOW, 0, 0);
	expect_data(10 * MSS, MSS, true);
	ck_assert_uint_eq(hand.g.env.stats.tcp_fast_retransmits, 1);
	ck_assert_uint_eq(hand.g.env.stats.tcp_retransmits, 2);
	hand_end();
}
END_TEST

START_TEST(not_duplicates)
{
	begin();
	host_writes(10 * MSS);
	hand_forget();
	for (int i = 1; i <= 5; i++) { /* two for each of several ACKs */
		for (int n = 0; n < 3; n++)
			ack((uint32_t)i * MSS, HAND_WINDOW, 0, 0);
		hand_expect_nothing();
	}
	ck_assert_uint_eq(hand.g.env.stats.tcp_retransmits, 0);
	hand_end();

	begin();
	host_writes(10 * MSS);
	hand_forget();
	for (int i = 0; i < 10; i++) /* a window that moves */
		ack(0, 30000 + i * 1280, 0, 0);
	for (int i = 0; i < 10; i++) { /* data */
		hand_send(A, hand.seq++, hand.ack, 1);
		hand_batch();
	}
	ck_assert_uint_eq(hand.g.env.stats.tcp_retransmits, 0);
	hand_forget();
	ack(10 * MSS, HAND_WINDOW, 0, 0);
	for (int i = 0; i < 10; i++) /* nothing in flight */
		ack(10 * MSS, HAND_WINDOW, 0, 0);
	hand_expect_nothing();
	hand_end();
}
END_TEST

START_TEST(selective)
{
	begin();
	host_writes(20 * MSS);
	hand_forget();
	ack(0, HAND_WINDOW, 2 * MSS, 3 * MSS);
	ack(0, HAND_WINDOW, 2 * MSS, 4 * MSS);
	hand_expect_nothing();
	ack(0, HAND_WINDOW, 2 * MSS, 5 * MSS); /* more than two segments beyond the hole */
	expect_data(0, MSS, true);
	expect_data(MSS, MSS, true);
	hand_expect_nothing();
	ack(0, HAND_WINDOW, 8 * MSS, 9 * MSS); /* another hole becomes known */
	expect_data(5 * MSS, MSS, true);
	expect_data(6 * MSS, MSS, true);
	hand_expect_nothing();
	ack(7 * MSS, HAND_WINDOW, 8 * MSS, 9 * MSS);
	expect_data(7 * MSS, MSS, true);
	hand_expect_nothing();
	ack(20 * MSS, HAND_WINDOW, 0, 0);
	hand_expect_nothing();
	ck_assert(!hand_conn()->recovering);
	hand_end();
}
END_TEST

/* The guest has everything but what it lacks, and says so once, in an ACK that is no duplicate.
 */
START_TEST(selective_with_progress)
{
	begin();
	host_writes(20 * MSS);
	hand_forget();
	ack(2 * MSS, HAND_WINDOW, 3 * MSS, 20 * MSS);
	expect_data(2 * MSS, MSS, true);
	hand_expect_nothing();
	hand_end();
}
END_TEST

START_TEST(timeout)
{
	begin();
	host_writes(10 * MSS);
	hand_forget();
	advance(999); /* no sample yet: 1 s (RFC 6298 2.1) */
	hand_expect_nothing();
	advance(1);
	expect_data(0, MSS, true);
	expect_data(MSS, MSS, true);
	hand_expect_nothing();
	advance(1999); /* 5.5 */
	hand_expect_nothing();
	advance(1);
	expect_data(0, MSS, true);
	expect_data(MSS, MSS, true);
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	expect_data(2 * MSS, MSS, true);
	expect_data(3 * MSS, MSS, true);
	hand_expect_nothing();
	ack(3 * MSS, HAND_WINDOW, 5 * MSS, 6 * MSS);
	expect_data(4 * MSS, MSS, true);
	expect_data(6 * MSS, MSS, true); /* not what it has */
	ack(10 * MSS, HAND_WINDOW, 0, 0);
	hand_expect_nothing();
	ck_assert_uint_eq(hand.g.env.stats.tcp_timeouts, 2);
	hand_end();
}
END_TEST

/* After a timeout a guest may have dropped what it had told of (RFC 2018 8). */
START_TEST(timeout_after_selective)
{
	begin();
	host_writes(4 * MSS);
	hand_forget();
	ack(0, HAND_WINDOW, MSS, 3 * MSS);
	hand_expect_nothing();
	advance(1000);
	expect_data(0, MSS, true);
	expect_data(MSS, MSS, true);
	hand_expect_nothing();
	hand_end();
}
END_TEST

START_TEST(round_trips_are_timed)
{
	begin();
	host_writes(10 * MSS);
	advance(100);
	ack(10 * MSS, HAND_WINDOW, 0, 0);
	ck_assert_uint_eq(hand_conn()->rto.srtt_ns, 100 * NS_PER_MS);
	ck_assert_uint_eq(hand_conn()->rto.rto_ns, 300 * NS_PER_MS);
	host_writes(MSS);
	hand_forget();
	advance(300);
	hand.ack += 10 * MSS;
	expect_data(0, MSS, true);
	advance(1);
	ack(MSS, HAND_WINDOW, 0, 0); /* of which of both is not known (Karn) */
	ck_assert_uint_eq(hand_conn()->rto.srtt_ns, 100 * NS_PER_MS);
	ck_assert_uint_eq(hand_conn()->rto.rto_ns, 600 * NS_PER_MS); /* until the next sample */
	host_writes(MSS);
	hand_forget();
	advance(100);
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	ck_assert_uint_eq(hand_conn()->rto.rto_ns, 250 * NS_PER_MS);
	hand_end();
}
END_TEST

/* Older Windows and lwIP: such ACKs are no losses, after the first of them. */
START_TEST(guest_delays_its_acks)
{
	begin();
	for (uint32_t i = 1; i <= 50; i++) {
		host_writes(10);
		advance(i < 10 ? 1 : 250);
		ack(i * 10, HAND_WINDOW, 0, 0);
	}
	ck_assert_uint_eq(hand.g.env.stats.tcp_timeouts, 1);
	ck_assert_uint_eq(hand.g.env.stats.tcp_retransmits, 1);
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(guest_is_silent)
{
	uint64_t began;

	begin();
	began = hand.g.env.now_ns;
	host_writes(10);
	hand_forget();
	while (hand_conn()) {
		advance(1000);
		must(hand.g.env.now_ns - began < 3600 * NS_PER_SEC);
	}
	ck_assert_uint_eq((hand.g.env.now_ns - began) / NS_PER_SEC,
			  1 + 2 + 4 + 8 + 16 + 32 + 64 + 9 * 120);
	ck_assert(hand.h.reset);
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(fin_is_lost)
{
	begin();
	fake_host_write(&hand.g.env, &hand.h, 10, true);
	expect_data(0, 10, true);
	hand_expect(F | A, hand.ack + 10, hand.seq, 0);
	ack(10, HAND_WINDOW, 0, 0);
	ck_assert_uint_eq(hand.h.n_consumed, 10);
	advance(200);
	hand_expect(F | A, hand.ack + 10, hand.seq, 0);
	ack(11, HAND_WINDOW, 0, 0);
	ck_assert_uint_eq(hand.h.n_consumed, 10);
	ck_assert_uint_eq(hand_conn()->state, TCP_FIN_WAIT_2);
	hand_expect_nothing();
	hand_end();
}
END_TEST

START_TEST(data_and_fin_are_lost)
{
	begin();
	fake_host_write(&hand.g.env, &hand.h, MSS + 10, true);
	hand_forget();
	advance(1000);
	expect_data(0, MSS, true);
	expect_data(MSS, 10, true);
	hand_expect_nothing();
	ack(MSS + 10, HAND_WINDOW, 0, 0);
	hand_expect(F | A, hand.ack + MSS + 10, hand.seq, 0);
	ack(MSS + 11, HAND_WINDOW, 0, 0);
	ck_assert_uint_eq(hand_conn()->state, TCP_FIN_WAIT_2);
	ck_assert_uint_eq(hand.h.n_consumed, MSS + 10);
	hand_end();
}
END_TEST

/* A guest that has no room is asked again and again, further and further apart. */
START_TEST(closed_window)
{
	uint64_t gap = 200;

	begin();
	host_writes(MSS);
	advance(1);
	ack(MSS, 0, 0, 0);
	host_writes(MSS);
	hand_forget();
	for (int i = 0; i < 40; i++) {
		advance(gap - 1);
		hand_expect_nothing();
		advance(1);
		hand_expect(A, hand.ack + MSS - 1, hand.seq, 0);
		hand_expect_nothing();
		ack(MSS, 0, 0, 0);
		gap = gap * 2 < 120000 ? gap * 2 : 120000;
	}
	ck_assert_uint_eq(hand.g.env.stats.tcp_zero_window_probes, 40);
	advance(119999); /* the next probe is close */
	ack(MSS, HAND_WINDOW, 0, 0);
	expect_data(MSS, MSS, true); /* at once */
	advance(100);
	hand_expect_nothing(); /* the probe's time is over */
	advance(100);
	expect_data(MSS, MSS, true); /* what is lost now does not wait for a minute */
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	hand_expect_nothing();
	ck_assert_uint_eq(hand.g.env.stats.tcp_timeouts, 1);
	hand_end();
}
END_TEST

/* A guest whose memory is gone drops what is in flight and takes its window back. */
START_TEST(window_taken_back)
{
	begin();
	host_writes(5 * MSS);
	hand_forget();
	advance(1);
	ack(MSS, 0, 0, 0);
	hand_expect_nothing();
	for (int gap = 200; gap <= 800; gap *= 2) {
		advance(gap);
		expect_data(MSS, MSS, true); /* dropped too */
		ack(MSS, 0, 0, 0);
		hand_expect_nothing();
	}
	advance(1590);
	ack(MSS, HAND_WINDOW, 0, 0); /* all that was dropped comes again, at once */
	expect_data(MSS, MSS, true);
	expect_data(2 * MSS, MSS, true);
	ack(3 * MSS, HAND_WINDOW, 0, 0);
	expect_data(3 * MSS, MSS, true);
	expect_data(4 * MSS, MSS, true);
	ack(5 * MSS, HAND_WINDOW, 0, 0);
	hand_expect_nothing();
	ck_assert_uint_eq(hand.h.n_consumed, 5 * MSS);
	hand_end();
}
END_TEST

START_TEST(window_taken_back_and_given_at_once)
{
	begin();
	host_writes(5 * MSS);
	hand_forget();
	ack(MSS, 0, 0, 0);
	ack(MSS, HAND_WINDOW, 0, 0);
	expect_data(MSS, MSS, true);
	expect_data(2 * MSS, MSS, true);
	hand_expect_nothing();
	hand_end();
}
END_TEST

START_TEST(closed_window_with_nothing_to_send)
{
	begin();
	ack(0, 0, 0, 0);
	advance(600000);
	hand_expect_nothing();
	hand_end();
}
END_TEST

/* A window that came back smaller than what was dropped: no more than it takes is sent again.
 */
START_TEST(window_taken_back_in_part)
{
	begin();
	host_writes(2 * MSS);
	hand_forget();
	advance(1);
	ack(0, 0, 0, 0);
	ack(0, 1280, 0, 0);
	expect_data(0, 1280, true);
	hand_expect_nothing();
	ack(1280, 1280, 0, 0);
	expect_data(1280, 1280, true);
	ack(2560, 1280, 0, 0);
	expect_data(2560, 2 * MSS - 2560, true);
	ack(2 * MSS, HAND_WINDOW, 0, 0);
	hand_expect_nothing();
	hand_end();
}
END_TEST

/* Most stacks drop a FIN for which they have no room. */
START_TEST(fin_waits_for_the_window)
{
	begin();
	host_writes(MSS);
	ack(MSS, 0, 0, 0);
	hand_forget();
	fake_host_write(&hand.g.env, &hand.h, 0, true);
	hand_expect_nothing();
	advance(200);
	hand_expect(A, hand.ack + MSS - 1, hand.seq, 0); /* a probe */
	ack(MSS, 1280, 0, 0);
	hand_expect(F | A, hand.ack + MSS, hand.seq, 0);
	ack(MSS + 1, 1280, 0, 0);
	ck_assert_uint_eq(hand_conn()->state, TCP_FIN_WAIT_2);
	hand_end();
}
END_TEST

START_TEST(ends_are_noticed)
{
	begin(); /* told with the last bytes */
	fake_host_write(&hand.g.env, &hand.h, 10, true);
	expect_data(0, 10, true);
	hand_expect(F | A, hand.ack + 10, hand.seq, 0);
	hand_end();

	begin(); /* told later, with nothing else to read */
	host_writes(10);
	expect_data(0, 10, true);
	fake_host_write(&hand.g.env, &hand.h, 0, true);
	hand_expect(F | A, hand.ack + 10, hand.seq, 0);
	hand_end();

	begin(); /* told while the window holds bytes back */
	fake_host_write(&hand.g.env, &hand.h, HAND_WINDOW + 10, true);
	hand_forget();
	ack(HAND_WINDOW, HAND_WINDOW, 0, 0);
	expect_data(HAND_WINDOW, 10, true);
	hand_expect(F | A, hand.ack + HAND_WINDOW + 10, hand.seq, 0);
	hand_end();
}
END_TEST

START_TEST(host_loses_what_it_had)
{
	begin();
	host_writes(10);
	hand_forget();
	hand.h.n_written = 0; /* what should not happen */
	hand.h.error = EIO;
	advance(1000);
	hand_expect(TCP_RST | A, hand.ack + 10, hand.seq, 0);
	ck_assert_ptr_null(hand_conn());
	hand.h.n_written = 10;
	hand_end();
}
END_TEST

/* A broken host side is told behind what came before it, as soon as the guest takes that. */
START_TEST(host_breaks_behind_a_full_window)
{
	begin();
	hand.h.n_written = HAND_WINDOW + 100;
	hand.h.error = ECONNRESET;
	tcp_from_host(&hand.g.env, hand_conn(),
		      TCP_HOST_READ | TCP_HOST_WRITE | TCP_HOST_END | TCP_HOST_ERROR);
	expect_segments(0, HAND_WINDOW);
	hand_expect_nothing();
	ack(HAND_WINDOW, HAND_WINDOW, 0, 0);
	expect_data(HAND_WINDOW, 100, true);
	hand_expect(TCP_RST | A, hand.ack + HAND_WINDOW + 100, hand.seq, 0);
	hand_end();
}
END_TEST

/* The same, found by sending: all that came before the error goes out, what the guest sends
 * meanwhile is acknowledged in vain. */
START_TEST(host_breaks_for_sending_behind_a_full_window)
{
	for (int ended = 0; ended < 2;
	     ended++) { /* what the host side shows behind the bytes */
		begin();
		host_writes(HAND_WINDOW + 10 * MSS);
		expect_segments(0, HAND_WINDOW);
		hand.h.error = EPIPE;
		hand.h.ended = ended;
		hand_send(A, hand.seq, hand.ack, 10);
		hand_send(A, hand.seq + 10, hand.ack, 10);
		hand_batch();
		hand_expect(A, hand.ack + HAND_WINDOW, hand.seq + 20, 0);
		hand_send(A | F, hand.seq + 20, hand.ack, 10);
		hand_batch();
		hand_expect(A, hand.ack + HAND_WINDOW, hand.seq + 31, 0);
		hand.seq += 31;
		advance(1000); /* what is in flight is lost */
		expect_data(0, MSS, true);
		expect_data(MSS, MSS, true);
		ack(HAND_WINDOW, 0, 0, 0);
		hand_expect_nothing();
		advance(4000);
		hand_expect(A, hand.ack + HAND_WINDOW - 1, hand.seq, 0); /* a probe */
		ack(HAND_WINDOW, HAND_WINDOW, 0, 0);
		expect_segments(HAND_WINDOW, HAND_WINDOW + 10 * MSS);
		hand_expect(TCP_RST | A, hand.ack + HAND_WINDOW + 10 * MSS, hand.seq, 0);
		ck_assert(hand.h.reset && !hand.h.shut);
		hand_end();
	}
}
END_TEST

static struct flow_details details(void)
{
	const struct flow *f = &hand_conn()->flow;
	struct flow_details d = { 0 };

	f->class->details(f, &d);
	return d;
}

/* What is told to those who ask: what is in flight, and what both windows leave room for. */
START_TEST(what_is_told)
{
	struct flow_details d;

	begin();
	d = details();
	ck_assert(d.tcp && !d.kernel);
	ck_assert_uint_eq(d.unacked + d.queue_out + d.guest_retransmits, 0);
	ck_assert_uint_eq(d.guest_window, HAND_WINDOW);
	ck_assert_uint_eq(d.window, hand_conn()->rcv_adv - hand.seq);
	ck_assert_uint_eq(d.mss, MSS);
	host_writes(3 * MSS);
	hand_forget();
	ck_assert_uint_eq(details().unacked, 3 * MSS);
	ck_assert_uint_eq(details().guest_window, HAND_WINDOW - 3 * MSS);
	advance(60000);
	hand_forget();
	ck_assert_uint_eq(details().guest_retransmits, hand.g.env.stats.tcp_retransmits);
	ck_assert_uint_gt(details().guest_retransmits, 1);
	ack(3 * MSS, 0, 0, 0);
	ck_assert_uint_eq(details().unacked + details().guest_window, 0);
	hand.h.room = 30;
	hand_send(A, hand.seq, hand.ack + 3 * MSS, 100);
	hand_batch();
	hand_forget();
	ck_assert_uint_eq(details().queue_out, 70);
	hand_end();
}
END_TEST

SUITE_MAIN("tcp_to_guest", what_is_told, segments, window_of_the_guest, small_window, silly_window,
	   window_of_older_segments, three_duplicates, not_duplicates, selective,
	   selective_with_progress, timeout, timeout_after_selective, round_trips_are_timed, guest_delays_its_acks,
	   guest_is_silent, fin_is_lost, data_and_fin_are_lost, closed_window,
	   window_taken_back, window_taken_back_and_given_at_once,
	   closed_window_with_nothing_to_send, window_taken_back_in_part, fin_waits_for_the_window,
	   ends_are_noticed, host_loses_what_it_had, host_breaks_behind_a_full_window,
	   host_breaks_for_sending_behind_a_full_window)
