/* The window as a promise: the field, the edge that never moves back, when an update is due. */
#include "proto/tcp/conn.h"

#include "lib/fake_guest.h"
#include "lib/fake_host.h"
#include "lib/must.h"
#include "lib/rng.h"
#include "lib/suite.h"

static struct fake_guest g;
static struct tcp_conn c;

/* What the guest makes of it: the edge as the segments told it. */
static uint32_t told;

static void begin(uint32_t rcv_nxt, uint8_t wscale)
{
	fake_guest_init(&g);
	must(tcp_new(&g.env, &fake_dialer));
	c = (struct tcp_conn){ .state = TCP_ESTABLISHED, .mss = 1460, .rcv_wscale = wscale };
	c.flow.bytes_out = 1 << 20;
	c.rcv_nxt = c.rcv_adv = c.recvq.base = told = rcv_nxt;
}

static void end(void)
{
	tcp_recvq_clear(&c.recvq, &g.env.tcp->pool);
	tcp_free(&g.env);
	fake_guest_free(&g);
}

/* A segment leaves; returns the window that it tells, in bytes. */
static uint32_t advertise(void)
{
	uint32_t window = (uint32_t)tcp_window_advertise(&g.env, &c) << c.rcv_wscale;

	told = c.rcv_nxt + window;
	must(seq_le(told, c.rcv_adv));
	return window;
}

/* The guest sends `n` bytes, of which the host side takes `taken`. */
static void receive(uint32_t n, uint32_t taken)
{
	must(taken <= n + (c.rcv_nxt - c.recvq.base));
	c.rcv_nxt += n;
	c.recvq.base += taken;
}

START_TEST(of_a_syn)
{
	begin(0xfffffffe, 4);
	ck_assert_uint_eq(tcp_window_first(&g.env, &c), 65535);
	ck_assert_uint_eq(c.rcv_adv, 65533); /* no scaling here (RFC 7323 2.2) */
	end();
}
END_TEST

START_TEST(scaled)
{
	uint32_t window;

	begin(0xffffff00, 4);
	window = advertise();
	ck_assert_uint_gt(window, 500000);
	ck_assert_uint_le(window, TCP_RECVQ_MAX);
	ck_assert_uint_eq(c.rcv_adv - c.rcv_nxt, window);
	end();
}
END_TEST

START_TEST(unscaled)
{
	begin(0xffffff00, 0);
	ck_assert_uint_eq(advertise(), 65535);
	receive(1, 1); /* a window that grows by less than a segment is not told */
	ck_assert_uint_eq(advertise(), 65534);
	receive(1458, 1458);
	ck_assert_uint_eq(advertise(), 64076);
	receive(1, 1);
	ck_assert_uint_eq(advertise(), 65535);
	end();
}
END_TEST

START_TEST(host_takes_nothing)
{
	uint32_t edge, first;

	begin(1000, 4);
	first = advertise();
	edge = told;
	while (c.rcv_adv - c.rcv_nxt > 2000) {
		receive(1460, 0);
		advertise();
		must(seq_ge(told, edge - 15)); /* as the window scale rounds */
		must(c.rcv_adv - c.recvq.base <= TCP_RECVQ_MAX);
		edge = seq_max(edge, told);
	}
	ck_assert(!tcp_window_opened(&g.env, &c)); /* nothing came back */
	receive(c.rcv_adv - c.rcv_nxt, 0);
	ck_assert_uint_eq(advertise(), 0);
	ck_assert_uint_ge(c.rcv_nxt - c.recvq.base, first);
	receive(0, 1459);
	ck_assert(!tcp_window_opened(&g.env, &c)); /* silly (RFC 9293 3.8.6.2.2) */
	ck_assert_uint_eq(advertise(), 0);
	receive(0, 5000); /* the slack for rounding comes first */
	ck_assert(tcp_window_opened(&g.env, &c));
	ck_assert_uint_gt(advertise(), 0);
	ck_assert(!tcp_window_opened(&g.env, &c));
	end();
}
END_TEST

/* The edge creeps forward with each ACK of a small segment, but not beyond the queue: then the
 * field is rounded down, and what was promised stands. */
START_TEST(rounding_has_an_end)
{
	uint32_t n = 0;

	begin(1000, 4);
	advertise();
	while (c.rcv_adv - c.rcv_nxt > 100) {
		uint32_t edge = c.rcv_adv;

		receive(97, 0);
		advertise();
		must(seq_ge(c.rcv_adv, edge) && c.rcv_adv - told < 16);
		must(c.rcv_adv - c.recvq.base <= TCP_RECVQ_MAX);
		n += c.rcv_adv != told;
	}
	ck_assert_uint_gt(n, 100);
	end();
}
END_TEST

START_TEST(no_update_while_much_is_open)
{
	begin(1000, 4);
	advertise();
	receive(told - c.rcv_nxt - 65535, 0);
	receive(0, 100000);
	ck_assert(!tcp_window_opened(&g.env, &c)); /* the ACK for any segment will tell */
	receive(1, 0);
	ck_assert(tcp_window_opened(&g.env, &c));
	c.fin_received = true; /* nothing comes any more */
	ck_assert(!tcp_window_opened(&g.env, &c));
	c.fin_received = false;
	c.state = TCP_CLOSE_WAIT;
	ck_assert(!tcp_window_opened(&g.env, &c));
	end();
}
END_TEST

START_TEST(large_segments_step)
{
	uint32_t n;

	begin(1000, 0);
	c.mss = 65480; /* half of the largest window is a step already */
	while ((n = advertise()))
		receive(n, 0);
	receive(0, 32766);
	ck_assert(!tcp_window_opened(&g.env, &c));
	receive(0, 1);
	ck_assert(tcp_window_opened(&g.env, &c));
	ck_assert_uint_ge(advertise(), 32767);
	end();
}
END_TEST

/* What the window may be beyond the least, when `n` connections are active. */
static uint32_t more_than_least(unsigned n)
{
	g.env.tcp->n_active = n;
	receive(told - c.rcv_nxt, told - c.rcv_nxt);
	return advertise() - 65536;
}

/* Each of many active connections has a share, and always a segment; old promises stand. */
START_TEST(shared_memory)
{
	uint32_t edge;

	begin(1000, 4);
	c.mss = 65480;
	advertise();
	edge = c.rcv_adv;
	g.env.tcp->n_active = 1000;
	receive(400000, 0);
	advertise();
	ck_assert_uint_eq(c.rcv_adv, edge);
	receive(0, 400000);
	advertise();
	ck_assert_uint_eq(c.rcv_adv, edge);
	ck_assert_uint_eq(more_than_least(1000),
			  (32 << 20) / 1000 / 16 * 16 + 16); /* rounded up */
	ck_assert_uint_eq(more_than_least(UINT32_MAX), 0);
	receive(65536 - 65479, 65536 - 65479); /* no room for a segment */
	ck_assert(!tcp_window_opened(&g.env, &c));
	receive(40000, 40000);
	ck_assert(tcp_window_opened(&g.env, &c));
	g.env.tcp->n_active_before = 128;
	ck_assert_uint_eq(more_than_least(0), (32 << 20) / 128);
	g.env.tcp->n_active_before = 0;
	ck_assert_uint_gt(more_than_least(0), 400000);
	end();
}
END_TEST

/* What others were promised, active or not, is not promised again. */
START_TEST(promised_memory)
{
	begin(1000, 4);
	advertise();
	g.env.tcp->promised += (32 << 20) - 160000;
	ck_assert_uint_eq(more_than_least(1), 160000);
	ck_assert_uint_eq(more_than_least(2), 80000);
	g.env.tcp->promised += 1 << 20;
	ck_assert_uint_eq(more_than_least(1), 0); /* but not less */
	ck_assert_uint_eq(c.promised, 0);
	tcp_window_forget(&g.env, &c);
	ck_assert_uint_eq(g.env.tcp->promised, (33 << 20) - 160000);
	end();
}
END_TEST

/* An end of the guest's data ends what was promised beyond what has come. */
START_TEST(promise_ends_with_the_data)
{
	begin(1000, 4);
	advertise();
	ck_assert_uint_gt(g.env.tcp->promised, 400000);
	receive(100000, 0);
	c.fin_received = true;
	advertise();
	ck_assert_uint_eq(g.env.tcp->promised, 100000 - 65536);
	receive(0, 100000);
	advertise();
	ck_assert_uint_eq(g.env.tcp->promised, 0);
	end();
}
END_TEST

/* A connection that brought little is promised little more than the least. */
START_TEST(grows_with_use)
{
	begin(1000, 4);
	c.flow.bytes_out = 0;
	ck_assert_uint_eq(more_than_least(1), 0);
	c.flow.bytes_out = 50000;
	ck_assert_uint_eq(more_than_least(1), 100000);
	c.flow.bytes_out = 1000000;
	ck_assert_uint_gt(more_than_least(1), 400000);
	end();
}
END_TEST

START_TEST(activity_counts_in_epochs)
{
	static struct tcp_conn others[9];
	struct tcp *t;

	begin(1000, 4);
	memset(others, 0, sizeof(others));
	t = g.env.tcp;
	for (int i = 0; i < 9; i++) {
		tcp_window_used(&g.env, &others[i]);
		tcp_window_used(&g.env, &others[i]);
	}
	ck_assert_uint_eq(t->n_active, 9);
	g.env.now_ns += 100 * NS_PER_MS;
	tcp_window_used(&g.env, &others[0]);
	ck_assert_uint_eq(t->n_active, 1);
	ck_assert_uint_eq(t->n_active_before, 9); /* still counts */
	g.env.now_ns += 100 * NS_PER_MS;
	tcp_window_used(&g.env, &others[0]);
	ck_assert_uint_eq(t->n_active_before, 1);
	g.env.now_ns += NS_PER_SEC; /* a silence is not the epoch before */
	tcp_window_used(&g.env, &others[0]);
	ck_assert_uint_eq(t->n_active, 1);
	ck_assert_uint_eq(t->n_active_before, 0);
	end();
}
END_TEST

/* A guest that fills the window, a host side that takes what it likes. */
static void run(uint64_t seed)
{
	struct rng rng = rng_init(seed);
	uint32_t edge;

	begin((uint32_t)(0u - rng_below(&rng, 3000000)), rng_chance(&rng, 500) ? 4 : 0);
	c.mss = (uint16_t)(88 + rng_below(&rng, 65400));
	advertise();
	edge = c.rcv_adv;
	for (int i = 0; i < 3000; i++) {
		uint32_t room = seq_gt(told, c.rcv_nxt) ? told - c.rcv_nxt : 0;

		receive((uint32_t)rng_below(&rng, room + 1), 0);
		receive(0, (uint32_t)rng_below(&rng, c.rcv_nxt - c.recvq.base + 1));
		g.env.tcp->n_active = (uint32_t)rng_below(&rng, 2000);
		if (rng_chance(&rng, 500) || tcp_window_opened(&g.env, &c))
			advertise();
		must(seq_ge(c.rcv_adv, edge) && seq_ge(c.rcv_adv, c.rcv_nxt));
		must(c.rcv_adv - c.recvq.base <= TCP_RECVQ_MAX);
		must(c.rcv_adv - c.recvq.base <= 65536 + g.env.tcp->promised);
		edge = c.rcv_adv;
	}
	receive(0, c.rcv_nxt - c.recvq.base);
	g.env.tcp->n_active = 0;
	if (tcp_window_opened(&g.env, &c))
		advertise();
	must(told - c.rcv_nxt >= c.mss / 2 || told - c.rcv_nxt >= 30000); /* never stuck */
	end();
}

START_TEST(promise_is_kept)
{
	for (uint64_t seed = 1; seed <= 300; seed++)
		run(seed);
}
END_TEST

SUITE_MAIN("tcp_window", of_a_syn, scaled, unscaled, host_takes_nothing, rounding_has_an_end,
	   no_update_while_much_is_open, large_segments_step, shared_memory, promised_memory,
	   promise_ends_with_the_data, grows_with_use, activity_counts_in_epochs,
	   promise_is_kept)
