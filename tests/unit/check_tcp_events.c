/* What answers segments that are not acceptable (RFC 5961), and how often; what the
 * retransmission timer and room in the host side do in each state. */
#include "lib/must.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"

#define A TCP_ACK
#define F TCP_FIN
#define R TCP_RST
#define S TCP_SYN

static void begin(enum tcp_state s)
{
	hand_begin(0xffffffd0, 0xffffffd0);
	hand_reach(s);
}

static void advance_ms(uint64_t ms)
{
	fake_guest_advance(&hand.g, ms * NS_PER_MS);
}

static void send(uint8_t flags, uint32_t offset, uint32_t ack, uint32_t len)
{
	hand_send(flags, hand.seq + offset, hand.ack + ack, len);
	hand_batch();
}

static unsigned count_acks(void)
{
	unsigned n = 0;
	struct pkt p;

	for (; hand_next(&p); n++)
		must(p.tcp.flags == A && p.tcp.seq == hand.ack && p.tcp.ack == hand.seq);
	return n;
}

/* One a connection in 10 ms, however many ask for it (RFC 5961 7). */
START_TEST(limited)
{
	static const struct {
		uint8_t flags;
		uint32_t offset, ack;
	} kinds[] = { { S, 5, 0 },	 { S | A, 5, 0 },   { R, 5, 0 },   { A, 0, 1 },
		      { A, 0, -64001u }, { A, 2000000, 0 }, { A, -2u, 0 }, { A, -100u, 0 } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		begin(TCP_ESTABLISHED);
		for (int ms = 0; ms < 100; ms++) {
			for (int n = 0; n < 10; n++)
				send(kinds[i].flags, kinds[i].offset, kinds[i].ack, 0);
			advance_ms(1);
		}
		ck_assert_uint_eq(count_acks(), 10);
		hand_end();
	}
}
END_TEST

/* Probes of the guest (keep-alive, closed window) and data are no part of a war of ACKs: each
 * is answered, or the guest would have to ask again. */
START_TEST(not_limited)
{
	static const struct {
		uint32_t offset, len;
	} kinds[] = { { -1u, 0 }, { -1u, 1 }, { -5u, 5 }, { 2000000, 5 } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		begin(TCP_ESTABLISHED);
		for (int n = 0; n < 10; n++)
			send(A, kinds[i].offset, 0, kinds[i].len);
		ck_assert_uint_eq(count_acks(), 10);
		hand_end();
	}
}
END_TEST

/* The limit of one connection is not that of another, nor does it delay other ACKs. */
START_TEST(limit_of_challenges_alone)
{
	begin(TCP_ESTABLISHED);
	send(R, 5, 0, 0);
	ck_assert_uint_eq(count_acks(), 1);
	hand_send(A, hand.seq + 10, hand.ack, 10); /* behind a hole: a duplicate ACK */
	hand_batch();
	ck_assert_uint_eq(count_acks(), 1);
	hand_end();
}
END_TEST

static const struct {
	enum tcp_state state;
	uint8_t flags; /* of what is in flight, 0: nothing is */
	uint32_t len;
} in_flight[] = {
	{ TCP_CONNECTING, 0, 0 },
	{ TCP_SYN_SENT, S, 0 },
	{ TCP_SYN_RECEIVED, S | A, 0 },
	{ TCP_ESTABLISHED, A | TCP_PSH, 10 },
	{ TCP_FIN_WAIT_1, F | A, 0 },
	{ TCP_FIN_WAIT_2, 0, 0 },
	{ TCP_CLOSE_WAIT, A | TCP_PSH, 10 },
	{ TCP_CLOSING, F | A, 0 },
	{ TCP_LAST_ACK, F | A, 0 },
	{ TCP_TIME_WAIT, 0, 0 },
};

START_TEST(retransmission_in_each_state)
{
	for (unsigned i = 0; i < N_TCP_STATES; i++) {
		uint32_t seq;

		begin(in_flight[i].state);
		if (in_flight[i].len)
			fake_host_write(&hand.g.env, &hand.h, in_flight[i].len, false);
		hand_forget();
		seq = hand_conn()->snd_una;
		for (unsigned ms = 1000; in_flight[i].flags && ms < 16000; ms *= 2) {
			advance_ms(ms - 1);
			hand_expect_nothing();
			advance_ms(1);
			hand_expect(in_flight[i].flags, seq, hand.seq, in_flight[i].len);
		}
		if (!in_flight[i].flags)
			advance_ms(in_flight[i].state == TCP_TIME_WAIT ? 999 : 100000);
		hand_expect_nothing();
		ck_assert_uint_eq(hand_conn()->state, in_flight[i].state);
		hand_end();
	}
}
END_TEST

/* Room in the host side where nothing waits for it. */
START_TEST(host_writable_in_each_state)
{
	for (unsigned s = TCP_SYN_SENT; s < TCP_TIME_WAIT; s++) {
		begin(s);
		tcp_from_host(&hand.g.env, hand.h.conn, TCP_HOST_WRITE);
		hand_expect_nothing();
		ck_assert_uint_eq(hand_conn()->state, s);
		hand_end();
	}
}
END_TEST

SUITE_MAIN("tcp_events", limited, not_limited, limit_of_challenges_alone,
	   retransmission_in_each_state, host_writable_in_each_state)
