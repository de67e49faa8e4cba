/* Data from the guest: batches, holes, overlaps, a slow host side, the window, the end. */
#include <errno.h>

#include "lib/must.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"

#define A TCP_ACK
#define F TCP_FIN

/* Across the wrap of both sides' numbers. */
static void begin(void)
{
	hand_begin(0xffffffd0, 0xffffffd0);
	hand_reach(TCP_ESTABLISHED);
}

/* `len` bytes that stand `offset` behind what the guest sent first. */
static void data(uint32_t offset, uint32_t len)
{
	hand_send(A, hand.seq + offset, hand.ack, len);
}

static void expect_ack(uint32_t offset)
{
	hand_expect(A, hand.ack, hand.seq + offset, 0);
}

/* The last frame, which must be an ACK of this much; returns the window that it tells. */
static uint32_t last_ack(uint32_t offset)
{
	struct pkt p, last = { 0 };
	bool any = false;

	while (hand_next(&p)) {
		last = p;
		any = true;
	}
	must(any && last.tcp.flags == A && last.tcp.ack == hand.seq + offset);
	return (uint32_t)last.tcp.window << (hand.syn.has_wscale ? TCP_WSCALE : 0);
}

START_TEST(one_ack_a_batch)
{
	begin();
	for (uint32_t i = 0; i < 700; i++) /* more than one sendmsg() takes */
		data(i, 1);
	hand_expect_nothing();
	ck_assert_uint_eq(hand.h.n_taken, 0);
	hand_batch();
	expect_ack(700);
	ck_assert_uint_eq(hand.h.n_taken, 700);
	ck_assert_uint_eq(hand_conn()->flow.bytes_out, 700);
	hand_end();
}
END_TEST

/* Each segment counts as a packet, and the bytes of the stream once, however often they come. */
START_TEST(flow_counts)
{
	const struct flow *f;

	begin();
	f = &hand_conn()->flow;
	ck_assert_uint_eq(f->packets_out, 2); /* of the handshake */
	data(0, 100);
	hand_batch();
	data(0, 100);
	hand_batch();
	ck_assert_uint_eq(f->bytes_out, 100);
	data(50, 100);
	hand_batch();
	ck_assert_uint_eq(f->bytes_out, 150);
	data(250, 10); /* behind a hole: not yet */
	hand_batch();
	ck_assert_uint_eq(f->bytes_out, 150);
	data(150, 100);
	hand_batch();
	ck_assert_uint_eq(f->bytes_out, 260);
	ck_assert_uint_eq(f->packets_out, 7);
	hand_send(A | F, hand.seq + 260, hand.ack, 10);
	hand_batch();
	ck_assert_uint_eq(f->bytes_out, 270);
	hand_send(A | F, hand.seq + 260, hand.ack, 10);
	hand_batch();
	ck_assert_uint_eq(f->bytes_out, 270);
	hand_forget();
	hand_end();

	begin(); /* what came last counts as well */
	data(0, 100);
	hand_send(TCP_RST, hand.seq + 100, 0, 0);
	ck_assert_ptr_null(hand_conn());
	ck_assert_uint_eq(hand.g.env.flows.closed[hand.g.env.flows.n_closed - 1].bytes_out, 100);
	hand_end();
}
END_TEST

/* A batch that fills what is kept for one is cut in two. */
START_TEST(batches_have_an_end)
{
	struct tcp *t;

	begin();
	t = hand.g.env.tcp;
	t->n_pieces = TCP_PIECES_MAX - 1;
	data(0, 10);
	ck_assert_uint_eq(hand.h.n_taken, 0);
	data(10, 10);
	ck_assert_uint_eq(hand.h.n_taken, 10);
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, 20);
	t->n_touched = TCP_TOUCHED_MAX - 1;
	data(20, 10);
	ck_assert_uint_eq(hand.h.n_taken, 20);
	data(30, 10);
	ck_assert_uint_eq(hand.h.n_taken, 30);
	t->n_touched -= TCP_TOUCHED_MAX - 1;
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, 40);
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(out_of_order)
{
	struct pkt p;

	begin();
	data(100, 100);
	ck_assert(hand_next(&p)); /* at once, not at the end of the batch */
	ck_assert_uint_eq(p.tcp.ack, hand.seq);
	ck_assert_uint_eq(p.tcp.n_sack, 1);
	ck_assert_uint_eq(p.tcp.sack[0].left, hand.seq + 100);
	ck_assert_uint_eq(p.tcp.sack[0].right, hand.seq + 200);
	data(300, 100);
	ck_assert(hand_next(&p));
	ck_assert_uint_eq(p.tcp.n_sack, 2);
	ck_assert_uint_eq(p.tcp.sack[0].left, hand.seq + 300);
	data(200, 100);
	ck_assert(hand_next(&p));
	ck_assert_uint_eq(p.tcp.n_sack, 1);
	ck_assert_uint_eq(p.tcp.sack[0].right, hand.seq + 400);
	data(0, 100);
	hand_expect_nothing();
	hand_batch();
	expect_ack(400);
	ck_assert_uint_eq(hand.h.n_taken, 400);
	ck_assert_uint_eq(hand.g.env.stats.tcp_out_of_order, 3);
	ck_assert_uint_eq(hand.g.env.tcp->pool.n_used, 0);
	hand_end();
}
END_TEST

START_TEST(no_sack_unless_permitted)
{
	struct pkt p;

	hand_begin(1, 1);
	hand.syn.sack_permitted = false;
	hand_reach(TCP_ESTABLISHED);
	data(100, 100);
	ck_assert(hand_next(&p));
	ck_assert_uint_eq(p.tcp.n_sack, 0);
	data(0, 100);
	hand_batch();
	expect_ack(200);
	hand_end();
}
END_TEST

START_TEST(overlaps)
{
	begin();
	data(0, 100);
	data(50, 100); /* half of it is new */
	data(0, 200);
	data(0, 200); /* nothing is: answered at once */
	expect_ack(200);
	data(150, 50);
	expect_ack(200);
	hand_batch();
	hand_expect_nothing();
	data(300, 100);
	data(250, 200);
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, 200);
	data(100, 300);
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, 450);
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(order_of_pieces_and_queue)
{
	begin();
	data(0, 10);  /* a piece of the batch */
	data(20, 10); /* queued: the piece goes first */
	data(10, 10); /* fills the hole */
	data(30, 10); /* behind the queue */
	data(50, 10);
	data(40, 10);
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, 60); /* the fake host checks the order */
	last_ack(60);
	hand_end();
}
END_TEST

START_TEST(host_takes_parts)
{
	begin();
	hand.h.room = 15;
	data(0, 10);
	data(10, 10);
	data(20, 10);
	hand_batch();
	expect_ack(30); /* accepted is accepted */
	ck_assert_uint_eq(hand.h.n_taken, 15);
	ck_assert_uint_eq(hand.g.env.stats.tcp_queued, 15);
	data(30, 10);
	hand_batch();
	expect_ack(40);
	ck_assert_uint_eq(hand.h.n_taken, 15); /* not asked again before it says so */
	fake_host_read(&hand.g.env, &hand.h, 10);
	ck_assert_uint_eq(hand.h.n_taken, 25);
	fake_host_read(&hand.g.env, &hand.h, 1000);
	ck_assert_uint_eq(hand.h.n_taken, 40);
	data(40, 10);
	hand_batch();
	expect_ack(50);
	ck_assert_uint_eq(hand.h.n_taken, 50);
	hand_end();
}
END_TEST

/* Fills the window to its end; returns how much it took. */
static uint32_t fill(uint32_t from)
{
	uint32_t at = from, window;

	data(at, 1000);
	hand_batch();
	at += 1000;
	while ((window = last_ack(at))) {
		uint32_t n = window < 1460 ? window : 1460;

		data(at, n);
		hand_batch();
		at += n;
	}
	return at;
}

/* Room that the host side has not told of is found, as long as there is some each time. */
START_TEST(blocked_host_is_asked)
{
	begin();
	hand.h.room = 0;
	data(0, 1000);
	hand_batch();
	expect_ack(1000);
	for (int i = 1; i <= 3; i++) {
		hand.h.room = 100;
		fake_guest_advance(&hand.g, 20 * NS_PER_MS);
		ck_assert_uint_eq(hand.h.n_taken, (uint64_t)i * 100);
	}
	fake_guest_advance(&hand.g, 20 * NS_PER_MS); /* in vain */
	hand.h.room = 100;
	fake_guest_advance(&hand.g, 10 * NS_PER_SEC);
	ck_assert_uint_eq(hand.h.n_taken, 300);
	fake_host_read(&hand.g.env, &hand.h, 1000);
	ck_assert_uint_eq(hand.h.n_taken, 1000);
	hand_end();
}
END_TEST

START_TEST(window_closes_and_opens)
{
	for (int scaled = 0; scaled < 2; scaled++) {
		uint32_t n, window;

		hand_begin(0xfffffff0, 5);
		hand.syn.has_wscale = scaled;
		hand_reach(TCP_ESTABLISHED);
		hand.h.room = 0;
		n = fill(0);
		ck_assert_uint_gt(n, 500000);
		ck_assert_uint_le(n, TCP_RECVQ_MAX);
		data(n, 10); /* not promised */
		hand_batch();
		ck_assert_uint_eq(last_ack(n), 0);
		ck_assert_uint_eq(hand.g.env.stats.tcp_memory_pressure, 0);
		data(n - 1, 0); /* what a guest probes with */
		hand_batch();
		ck_assert_uint_eq(last_ack(n), 0);
		fake_host_read(&hand.g.env, &hand.h, 1);
		hand_expect_nothing(); /* too little to tell */
		fake_host_read(&hand.g.env, &hand.h, 100000);
		window = last_ack(n);
		ck_assert_uint_gt(window, scaled ? 90000 : 60000);
		data(n, 1460);
		hand_batch();
		last_ack(n + 1460);
		fake_host_read(&hand.g.env, &hand.h, SIZE_MAX - 100001);
		ck_assert_uint_eq(hand.h.n_taken, n + 1460);
		hand_forget();
		hand_end();
	}
}
END_TEST

START_TEST(segment_across_the_edge)
{
	uint32_t edge;

	begin();
	edge = hand_conn()->rcv_adv - hand.seq;
	hand.h.room = 0;
	data(0, 60000);
	hand.g.env.tcp->n_active = UINT32_MAX; /* little memory: the edge stays where it is */
	data(60000, edge - 60000 + 100);
	hand_batch();
	expect_ack(edge);
	ck_assert(!hand_conn()->fin_seen);
	hand_send(A | F, hand.seq + 60000, hand.ack, edge - 60000 + 1); /* FIN beyond it */
	hand_batch();
	ck_assert(!hand_conn()->fin_seen);
	hand_forget();
	hand_end();
}
END_TEST

/* The FIN of a segment that the window cuts stands behind what was cut off. */
START_TEST(fin_across_the_edge)
{
	uint32_t edge;

	begin();
	edge = hand_conn()->rcv_adv - hand.seq;
	hand.h.room = 0;
	data(0, 60000);
	hand_send(A | F, hand.seq + 60000, hand.ack, edge - 60000 + 1);
	ck_assert(!hand_conn()->fin_seen);
	hand_batch();
	ck_assert_uint_eq(hand_conn()->state, TCP_ESTABLISHED);
	fake_host_read(&hand.g.env, &hand.h, SIZE_MAX);
	hand_send(A | F, hand.seq + edge, hand.ack, 1);
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, edge + 1);
	ck_assert(hand.h.shut);
	hand_forget();
	hand_end();
}
END_TEST

/* What one connection was promised is free for others when it ends. */
START_TEST(promise_ends_with_the_connection)
{
	begin();
	for (uint32_t at = 0; at < 200000; at += 50000) {
		data(at, 50000);
		hand_batch();
	}
	ck_assert_uint_gt(hand.g.env.tcp->promised, 100000);
	ck_assert_uint_eq(hand.g.env.tcp->n_active, 1);
	data(200000, 10); /* it ends in the middle of a batch */
	ck_assert_int_eq(hand.g.env.tcp->n_touched, 1);
	tcp_abort(&hand.g.env, hand_conn(), FLOW_CLOSED_BY_OPERATOR);
	ck_assert_uint_eq(hand.g.env.tcp->promised, 0);
	ck_assert_int_eq(hand.g.env.tcp->n_touched, 0);
	hand_forget();
	hand_end();
}
END_TEST

/* Stacks of the BSD family send a FIN that has no room in the window. */
START_TEST(fin_at_a_closed_window)
{
	uint32_t n;

	begin();
	hand.h.room = 0;
	n = fill(0);
	fake_host_write(&hand.g.env, &hand.h, 100, false);
	hand_forget();
	hand_send(A | F, hand.seq + n, hand.ack, 0);
	hand_batch();
	ck_assert_uint_eq(hand_conn()->state, TCP_CLOSE_WAIT);
	ck_assert_uint_eq(last_ack(n + 1), 0);
	hand_send(A, hand.seq + n + 1, hand.ack + 100, 0); /* its ACKs still count */
	hand_batch();
	hand_expect_nothing();
	ck_assert_uint_eq(hand.h.n_consumed, 100);
	fake_host_read(&hand.g.env, &hand.h, SIZE_MAX);
	ck_assert_uint_eq(hand.h.n_taken, n);
	ck_assert(hand.h.shut);
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(fin_with_data)
{
	begin();
	hand_send(A | F, hand.seq, hand.ack, 10);
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, 10);
	ck_assert(hand.h.shut);
	hand_expect_late_ack(hand.ack, hand.seq + 11);
	ck_assert_uint_eq(hand_conn()->state, TCP_CLOSE_WAIT);
	hand_send(A | F, hand.seq, hand.ack, 10); /* once more */
	hand_batch();
	expect_ack(11);
	hand_end();
}
END_TEST

START_TEST(fin_behind_a_hole)
{
	begin();
	hand_send(A | F, hand.seq + 10, hand.ack, 10);
	hand_batch();
	expect_ack(0);
	ck_assert_uint_eq(hand_conn()->state, TCP_ESTABLISHED);
	ck_assert(!hand.h.shut);
	data(0, 10);
	hand_batch();
	expect_ack(21);
	ck_assert_uint_eq(hand.h.n_taken, 20);
	ck_assert(hand.h.shut);
	ck_assert_uint_eq(hand_conn()->state, TCP_CLOSE_WAIT);
	hand_end();
}
END_TEST

START_TEST(fin_waits_for_a_slow_host)
{
	begin();
	hand.h.room = 5;
	hand_send(A | F, hand.seq, hand.ack, 10);
	hand_batch();
	expect_ack(11);
	ck_assert(!hand.h.shut);
	fake_host_read(&hand.g.env, &hand.h, 5);
	ck_assert(hand.h.shut);
	hand_end();
}
END_TEST

/* A guest that contradicts itself hurts nobody but itself, and not for ever. */
START_TEST(data_behind_the_fin)
{
	begin();
	data(20, 10); /* waits in the queue when the FIN turns up before it */
	hand_send(A | F, hand.seq + 10, hand.ack, 0);
	data(10, 20);
	data(0, 10);
	hand_batch();
	ck_assert_uint_eq(hand_conn()->state, TCP_CLOSE_WAIT);
	ck_assert(hand.h.shut);
	hand_forget();
	hand_end();

	begin();
	hand_send(A | F, hand.seq + 10, hand.ack, 0);
	data(10, 20);
	data(0, 30);
	hand_batch();
	ck_assert_uint_eq(hand_conn()->state, TCP_CLOSE_WAIT);
	ck_assert_uint_eq(hand.h.n_taken, 10);
	ck_assert(hand.h.shut);
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(two_fins)
{
	begin();
	hand_send(A | F, hand.seq + 10, hand.ack, 0);
	hand_send(A | F, hand.seq + 20, hand.ack, 0);
	hand_send(A | F, hand.seq + 5, hand.ack, 0);
	data(0, 10);
	hand_batch();
	expect_ack(11);
	ck_assert_uint_eq(hand.h.n_taken, 10);
	hand_end();
}
END_TEST

START_TEST(host_breaks_while_sending)
{
	begin();
	data(0, 10);
	hand.h.error = EPIPE;
	hand_batch();
	hand_expect(TCP_RST | A, hand.ack, hand.seq + 10, 0);
	ck_assert_ptr_null(hand_conn());
	hand_end();

	begin(); /* in the middle of a batch, with more behind */
	data(0, 10);
	hand.h.error = EPIPE;
	data(20, 10);
	data(10, 10);
	hand_expect_nothing();
	hand_batch();
	hand_expect(TCP_RST | A, hand.ack, hand.seq + 20, 0);
	hand_end();

	begin(); /* while the queue is flushed */
	hand.h.room = 0;
	data(0, 10);
	hand_batch();
	hand_forget();
	hand.h.error = ECONNRESET;
	fake_host_read(&hand.g.env, &hand.h, 10);
	hand_expect(TCP_RST | A, hand.ack, hand.seq + 10, 0);
	hand_end();
}
END_TEST

/* Data, FIN and reset in one batch are what they are in three. */
START_TEST(reset_behind_an_end)
{
	for (int batches = 0; batches < 2; batches++) {
		begin();
		fake_host_write(&hand.g.env, &hand.h, 0, true);
		hand.ack++;
		hand_forget();
		data(0, 10);
		if (batches)
			hand_batch();
		hand_send(A | F, hand.seq + 10, hand.ack - 1, 0);
		if (batches)
			hand_batch();
		hand_send(TCP_RST, hand.seq + 11, 0, 0);
		hand_batch();
		ck_assert_ptr_null(hand_conn());
		ck_assert_uint_eq(hand.h.n_taken, 10);
		ck_assert(hand.h.shut && !hand.h.open && !hand.h.reset);
		hand_forget();
		hand_end();
	}
}
END_TEST

START_TEST(memory_runs_out)
{
	struct pkt p;

	begin();
	hand.g.env.tcp->pool.n_used = hand.g.env.tcp->pool.n_max;
	data(100, 100); /* out of order: not kept, and not told of */
	ck_assert(hand_next(&p));
	ck_assert_uint_eq(p.tcp.n_sack, 0);
	hand.h.room = 5;
	data(0, 10);
	hand_batch();
	expect_ack(5); /* what the host side did not take was not received */
	ck_assert_uint_eq(hand.g.env.stats.tcp_memory_pressure, 105);
	hand.g.env.tcp->pool.n_used = 0;
	data(5, 100);
	hand_batch();
	expect_ack(105);
	fake_host_read(&hand.g.env, &hand.h, 1000);
	ck_assert_uint_eq(hand.h.n_taken, 105);
	hand_end();
}
END_TEST

SUITE_MAIN("tcp_to_host", one_ack_a_batch, flow_counts, batches_have_an_end, out_of_order, no_sack_unless_permitted, overlaps,
	   order_of_pieces_and_queue, host_takes_parts, blocked_host_is_asked, window_closes_and_opens,
	   segment_across_the_edge, fin_across_the_edge, promise_ends_with_the_connection,
	   fin_at_a_closed_window, fin_with_data, fin_behind_a_hole,
	   fin_waits_for_a_slow_host, data_behind_the_fin, two_fins, host_breaks_while_sending,
	   reset_behind_an_end, memory_runs_out)
