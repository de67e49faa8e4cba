/* A link without room, at each moment at which something has to be sent: nothing is lost, and
 * it goes on when there is room again. */
#include <errno.h>

#include "lib/must.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"

#define A   TCP_ACK
#define F   TCP_FIN
#define P   TCP_PSH
#define MSS HAND_MSS

static void begin(enum tcp_state s)
{
	hand_begin(0xffffffd0, 0xffffffd0);
	hand_reach(s);
	hand.g.room = 0;
}

/* Nothing was sent; then there is room for `n` frames, -1: for all. */
static void room(int n)
{
	hand_expect_nothing();
	hand.g.room = n;
	tcp_room(&hand.g.env);
	while (tcp_run_ready(&hand.g.env))
		;
}

static void host_event(unsigned events)
{
	tcp_from_host(&hand.g.env, hand.h.conn, events);
}

START_TEST(syn_ack)
{
	begin(TCP_CONNECTING);
	host_event(TCP_HOST_WRITE);
	room(0);
	fake_guest_advance(&hand.g, 10 * NS_PER_SEC);
	room(-1);
	hand_expect(TCP_SYN | A, hand.iss, hand.seq, 0);
	hand_end();
}
END_TEST

START_TEST(syn)
{
	struct endpoint guest, peer = { addr_ip4(0xc6336402), 80 };

	begin(TCP_SYN_SENT);
	fake_guest_advance(&hand.g, 3 * NS_PER_SEC);
	room(-1);
	hand_expect(TCP_SYN, hand.iss, 0, 0);
	hand_end();

	hand_begin(1, 1); /* the very first */
	hand.g.room = 0;
	guest = (struct endpoint){ hand.g.net.ip4.guest, 40000 };
	hand.h = (struct fake_host){ .open = true };
	ck_assert_int_eq(tcp_open_to_guest(&hand.g.env, &fake_host_ops, &hand.h,
					   fake_host_set_conn, &guest, &peer, &peer),
			 0);
	room(-1);
	hand_expect(TCP_SYN, hand_conn()->iss, 0, 0);
	hand_end();
}
END_TEST

START_TEST(ack)
{
	begin(TCP_ESTABLISHED);
	hand_send(A, hand.seq, hand.ack, 10);
	hand_batch();
	hand_send(A, hand.seq + 10, hand.ack, 10);
	hand_batch();
	room(-1);
	hand_expect(A, hand.ack, hand.seq + 20, 0);
	hand_end();
}
END_TEST

START_TEST(ack_with_sack)
{
	struct pkt p;

	begin(TCP_ESTABLISHED);
	hand_send(A, hand.seq + 10, hand.ack, 10);
	hand_batch();
	room(-1);
	ck_assert(hand_next(&p));
	ck_assert_uint_eq(p.tcp.n_sack, 1);
	hand_end();
}
END_TEST

START_TEST(challenge)
{
	begin(TCP_ESTABLISHED);
	hand_send(TCP_RST, hand.seq + 10, 0, 0);
	hand_batch();
	room(-1);
	hand_expect(A, hand.ack, hand.seq, 0);
	hand_end();
}
END_TEST

START_TEST(window_update)
{
	struct pkt p;

	begin(TCP_ESTABLISHED);
	hand.g.room = -1;
	hand.h.room = 0;
	for (uint32_t i = 0; i < 8; i++) {
		hand_send(A, hand.seq + i * 65000, hand.ack, 65000);
		hand_batch();
	}
	hand_forget();
	hand.g.room = 0;
	fake_host_read(&hand.g.env, &hand.h, 300000);
	room(-1);
	ck_assert(hand_next(&p));
	ck_assert_uint_ge(p.tcp.window * 16u, 250000);
	fake_host_read(&hand.g.env, &hand.h, 1000000);
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(data_a_frame_at_a_time)
{
	begin(TCP_ESTABLISHED);
	fake_host_write(&hand.g.env, &hand.h, 5 * MSS + 7, true);
	for (uint32_t i = 0; i < 6; i++) {
		room(1);
		hand_expect(A | P, hand.ack + i * MSS, hand.seq, i < 5 ? MSS : 7);
	}
	room(1);
	hand_expect(F | A, hand.ack + 5 * MSS + 7, hand.seq, 0);
	ck_assert_uint_eq(hand_conn()->state, TCP_FIN_WAIT_1);
	ck_assert(list_empty(&hand.g.env.tcp->roomless));
	hand_end();
}
END_TEST

START_TEST(retransmission)
{
	begin(TCP_ESTABLISHED);
	hand.g.room = -1;
	fake_host_write(&hand.g.env, &hand.h, 2 * MSS, true);
	hand_forget();
	hand.g.room = 0;
	fake_guest_advance(&hand.g, NS_PER_SEC);
	for (uint32_t i = 0; i < 2; i++) {
		room(1);
		hand_expect(A | P, hand.ack + i * MSS, hand.seq, MSS);
	}
	room(1);
	hand_send(A, hand.seq, hand.ack + 2 * MSS, 0);
	hand_batch();
	hand_expect(F | A, hand.ack + 2 * MSS, hand.seq, 0);
	hand.g.room = 0;
	fake_guest_advance(&hand.g, 2 * NS_PER_SEC);
	room(1);
	hand_expect(F | A, hand.ack + 2 * MSS, hand.seq, 0);
	ck_assert_uint_eq(hand.g.env.stats.tcp_retransmits, 4);
	hand_end();
}
END_TEST

START_TEST(window_probe)
{
	begin(TCP_ESTABLISHED);
	hand.window = 0;
	hand_ack();
	fake_host_write(&hand.g.env, &hand.h, 10, false);
	fake_guest_advance(&hand.g, 3 * NS_PER_SEC);
	room(-1);
	fake_guest_advance(&hand.g, 60 * NS_PER_SEC);
	hand_expect(A, hand.ack - 1, hand.seq, 0);
	hand_forget();
	hand_end();
}
END_TEST

/* A guest that is stopped for hours: its link is full, which is no sign of loss. */
START_TEST(for_hours)
{
	begin(TCP_ESTABLISHED);
	hand.g.conf.timeouts.tcp_idle = 100000;
	hand.g.room = 3;
	fake_host_write(&hand.g.env, &hand.h, 5 * MSS, false);
	for (uint32_t i = 0; i < 3; i++)
		hand_expect(i < 2 ? A : A | P, hand.ack + i * MSS, hand.seq, MSS);
	fake_guest_advance(&hand.g, 20000 * NS_PER_SEC);
	ck_assert_uint_eq(hand.g.env.stats.tcp_timeouts, 0);
	room(-1);
	hand_expect(A, hand.ack + 3 * MSS, hand.seq, MSS);
	hand_expect(A | P, hand.ack + 4 * MSS, hand.seq, MSS);
	hand.ack += 5 * MSS;
	hand_ack();
	ck_assert_uint_eq(hand.h.n_consumed, 5 * MSS);
	hand_end();
}
END_TEST

START_TEST(resets)
{
	begin(TCP_CONNECTING);
	hand.h.connect_error = ECONNREFUSED;
	host_event(TCP_HOST_WRITE | TCP_HOST_ERROR);
	ck_assert_ptr_null(hand_conn());
	room(0);
	room(-1);
	hand_expect(TCP_RST | A, 0, hand.seq, 0);
	room(-1);
	hand_end();

	begin(TCP_ESTABLISHED);
	hand_conn()->flow.class->close(&hand.g.env, &hand_conn()->flow,
				       FLOW_CLOSED_BY_OPERATOR);
	room(-1);
	hand_expect(TCP_RST | A, hand.ack, hand.seq, 0);
	hand_end();
}
END_TEST

/* A reset that is still owed does not hit a new connection. */
START_TEST(reset_of_an_older_connection)
{
	begin(TCP_ESTABLISHED);
	hand_conn()->flow.class->close(&hand.g.env, &hand_conn()->flow,
				       FLOW_CLOSED_BY_OPERATOR);
	fake_dialer_next(&hand.h, 0);
	hand_send(TCP_SYN, hand.irs, 0, 0);
	hand_batch();
	room(-1);
	hand_expect_nothing();
	hand_end();
}
END_TEST

/* The next guest is not told of the connections of the one before. */
START_TEST(resets_of_a_guest_that_left)
{
	begin(TCP_ESTABLISHED);
	hand_send(A, hand.seq + 1000000, hand.ack, 0); /* and an ACK */
	hand_batch();
	hand_send(TCP_SYN | A, 1, 1, 0); /* nobody's */
	hand_conn()->flow.class->close(&hand.g.env, &hand_conn()->flow,
				       FLOW_CLOSED_BY_OPERATOR);
	ck_assert_uint_ne(hand.g.env.tcp->n_resets, 0);
	demux_guest_down(&hand.g.env);
	ck_assert_uint_eq(hand.g.env.tcp->n_resets, 0);
	hand.g.env.guest = (struct guest){ .connected = true, .mac_known = true,
					   .mac = fake_guest_mac };
	room(-1);
	hand_expect_nothing();
	hand_end();
}
END_TEST

START_TEST(owed_resets_are_bounded)
{
	hand_begin(1, 1);
	hand.g.room = 0;
	for (int i = 0; i < 3000; i++) {
		hand_send(A, 1, (uint32_t)i, 0);
		hand_batch();
	}
	ck_assert_uint_eq(hand.g.env.tcp->n_resets, 1024);
	hand.g.room = 10;
	tcp_room(&hand.g.env);
	ck_assert_uint_eq(hand.g.env.tcp->n_resets, 1014);
	for (uint32_t i = 0; i < 10; i++)
		hand_expect(TCP_RST, i, 0, 0);
	hand_end(); /* frees the others */

	hand_begin(1, 1);
	hand.g.env.guest.connected = false; /* nobody is there to be told */
	hand.g.room = 0;
	hand_send(A, 1, 1, 0);
	ck_assert_uint_eq(hand.g.env.tcp->n_resets, 0);
	hand_end();
}
END_TEST

/* What the host side sent before it broke leaves before the reset does. */
START_TEST(host_breaks)
{
	begin(TCP_ESTABLISHED);
	hand.h.n_written = 2 * MSS;
	hand.h.error = ECONNRESET;
	hand_send(A, hand.seq, hand.ack, 10); /* finds out by sending */
	hand_batch();
	hand_send(A, hand.seq + 10, hand.ack, 10);
	hand_batch();
	for (uint32_t i = 0; i < 2; i++) {
		room(1);
		hand_expect(A | P, hand.ack + i * MSS, hand.seq + 20, MSS);
	}
	room(1);
	hand_expect(TCP_RST | A, hand.ack + 2 * MSS, hand.seq + 20, 0);
	ck_assert_ptr_null(hand_conn());
	ck_assert(hand.h.reset);
	hand_end();
}
END_TEST

/* Many connections, a link that takes little at a time: all get on. */
START_TEST(everybody_gets_on)
{
	enum { N = 20 };
	static struct fake_host hosts[N];
	struct endpoint guest, client = { addr_ip4(0xc6336402), 0 };
	uint32_t ports = 0;

	hand_begin(1, 1);
	guest = (struct endpoint){ hand.g.net.ip4.guest, 40000 };
	for (uint16_t i = 0; i < N; i++) {
		hosts[i] = (struct fake_host){ .open = true };
		client.port = (uint16_t)(100 + i);
		ck_assert_int_eq(tcp_open_to_guest(&hand.g.env, &fake_host_ops, &hosts[i],
						   fake_host_set_conn, &guest, &client,
						   &client),
				 0);
		hosts[i].conn->snd_wnd = hosts[i].conn->snd_wnd_max = 1 << 30;
		tcp_set_state(&hand.g.env, hosts[i].conn, TCP_ESTABLISHED);
	}
	hand.g.room = 0;
	for (int i = 0; i < N; i++)
		fake_host_write(&hand.g.env, &hosts[i], 10000000, false);
	hand_forget();
	for (int i = 0; i < N; i++) {
		struct pkt p;
		const struct fake_frame *f;

		hand.g.room = 10;
		tcp_room(&hand.g.env);
		f = fake_guest_frame(&hand.g, 0);
		must(pkt_decode(f->data, f->len, &p) == DROP_NONE);
		ports |= 1u << (p.tcp.sport - 100);
		ck_assert_int_eq(hand.g.room, 0);
		hand_forget();
	}
	ck_assert_uint_eq(ports, (1u << N) - 1);
	for (int i = 0; i < N; i++)
		tcp_abort(&hand.g.env, hosts[i].conn, FLOW_CLOSED_GUEST_LEFT);
	hand_end();
}
END_TEST

SUITE_MAIN("tcp_room", syn_ack, syn, ack, ack_with_sack, challenge, window_update,
	   data_a_frame_at_a_time, retransmission, window_probe, for_hours, resets,
	   reset_of_an_older_connection, resets_of_a_guest_that_left, owed_resets_are_bounded, host_breaks,
	   everybody_gets_on)
