/* Two ends of the TCP relay against each other, over a link that drops, duplicates, reorders
 * and delays, and that has room for so many frames, in virtual time.
 *
 * Each run is one seed: how much each side writes and when, how fast each reads, how bad the
 * link is, and in some runs a side that breaks in the middle.  Both applications check every
 * byte.  A run fails when a byte is missing, when a flow stays open, when somebody waits for a
 * retransmission timer on a link that lost nothing, or when more is held than the window
 * promised.
 *
 *	sim_tcp [FIRST_SEED [COUNT]]
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/fake_host.h"
#include "lib/must.h"
#include "lib/sim_link.h"
#include "lib/suite.h"
#include "lib/tcp_holds.h"
#include "proto/tcp/conn.h"

#define BATCH_MAX 8192

struct side {
	struct fake_guest g;
	struct fake_host h;
	struct sim_link in; /* from the other side */
	struct side *other;
	uint64_t to_write;
	uint64_t read_due_ns, write_due_ns, break_due_ns;
	size_t read_size;
};

static struct {
	uint64_t seed, now_ns;
	struct rng rng;
	size_t capacity; /* of the link each way, in frames; 0: no limit */
	bool slow_reader, broken;
	struct side a, b;
} sim;

static uint64_t rnd(uint64_t below)
{
	return rng_below(&sim.rng, below);
}

static bool chance(unsigned per_mille)
{
	return rng_chance(&sim.rng, per_mille);
}

static unsigned n_hurt(void)
{
	return sim.a.in.n_hurt + sim.b.in.n_hurt;
}

/* Puts on the link what `from` has sent. */
static void collect(struct side *from)
{
	for (size_t i = 0; i < from->g.n_frames; i++)
		sim_link_send(&from->other->in, sim.now_ns, from->g.frames[i].data,
			      from->g.frames[i].len);
	fake_guest_clear(&from->g);
}

/* The link takes as many frames as have left it. */
static void make_room(struct side *s)
{
	size_t n = s->other->in.n;

	collect(s);
	if (!sim.capacity)
		return;
	s->g.room = n < sim.capacity ? (int)(sim.capacity - n) : 0;
	if (s->g.room > s->g.reply_room)
		demux_room(&s->g.env);
	collect(s);
}

/* Everything that arrives at one side at one moment is one batch; nothing is read while there
 * is no room for replies. */
static void arrive(struct side *s)
{
	struct sim_frame *kept[BATCH_MAX];
	size_t n = 0;

	while (n < BATCH_MAX && (kept[n] = sim_link_take(&s->in, sim.now_ns))) {
		demux_from_guest(&s->g.env, kept[n]->data, kept[n]->len);
		n++;
	}
	demux_batch_end(&s->g.env);
	while (n)
		free(kept[--n]);
}

static void check_promise(struct side *s)
{
	tcp_must_hold(&s->g.env, &s->h);
	must(n_hurt() || !s->g.env.stats.tcp_memory_pressure);
}

static void break_host(struct side *s)
{
	if (sim.broken || sim.now_ns < s->break_due_ns || !s->h.conn)
		return;
	sim.broken = true;
	s->h.error = ECONNRESET;
	tcp_from_host(&s->g.env, s->h.conn,
		      TCP_HOST_READ | TCP_HOST_WRITE | TCP_HOST_END | TCP_HOST_ERROR);
}

static bool reads(const struct side *s)
{
	return s->h.open && (s->h.wants_room || !s->h.room);
}

static bool writes(const struct side *s)
{
	return s->h.conn && !s->h.ended;
}

static void act(struct side *s)
{
	if (reads(s) && sim.now_ns >= s->read_due_ns) {
		fake_host_read(&s->g.env, &s->h, s->read_size);
		s->read_due_ns =
			sim.now_ns + (sim.slow_reader ? 20 * NS_PER_MS : 200 * NS_PER_US);
	}
	if (writes(s) && sim.now_ns >= s->write_due_ns) {
		uint64_t n = rnd(200000);

		n = n < s->to_write ? n : s->to_write;
		s->to_write -= n;
		fake_host_write(&s->g.env, &s->h, n, !s->to_write);
		s->write_due_ns = sim.now_ns + rnd(2 * NS_PER_MS);
	}
	break_host(s);
	while (demux_run_ready(&s->g.env))
		;
}

static void fire(struct side *s)
{
	timerq_run(&s->g.env.timers, sim.now_ns, SIZE_MAX, &s->g.env);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_of(const struct side *s)
{
	uint64_t t = timerq_next(&s->g.env.timers);

	t = earlier(t, sim_link_next(&s->in));
	if (reads(s))
		t = earlier(t, s->read_due_ns);
	if (writes(s))
		t = earlier(t, s->write_due_ns);
	if (s->h.conn && !sim.broken)
		t = earlier(t, s->break_due_ns);
	return t;
}

static uint64_t next_event(void)
{
	uint64_t t = earlier(next_of(&sim.a), next_of(&sim.b));

	return t > sim.now_ns ? t : sim.now_ns;
}

static void set_up(struct side *s, struct side *other, uint32_t seed, uint16_t mtu)
{
	fake_guest_init(&s->g);
	s->g.conf.timeouts.tcp_idle = s->g.conf.timeouts.tcp_closing = 600;
	s->g.net.mtu = mtu;
	s->g.net.ip4.map_loopback_set = s->g.net.ip6.map_loopback_set = false;
	ck_assert_ptr_nonnull(tcp_new(&s->g.env, &fake_dialer));
	s->other = other;
	s->h = (struct fake_host){ .seed = seed, .peer_seed = ~seed };
	s->to_write = chance(250) ? rnd(3) : rnd(chance(100) ? 3000000 : 60000);
	s->read_size = 1 + rnd(sim.slow_reader ? 300000 : 100000);
	s->read_due_ns = s->write_due_ns = sim.now_ns;
	s->break_due_ns = TIMERQ_NEVER;
	if (sim.capacity) {
		s->g.room = (int)sim.capacity;
		s->g.reply_room = 3;
	}
}

static void set_up_links(void)
{
	uint64_t delay = rnd(4) ? rnd(500 * NS_PER_US) : rnd(50 * NS_PER_MS);

	sim_link_init(&sim.a.in, &sim.rng, delay);
	sim_link_init(&sim.b.in, &sim.rng, delay);
	if (sim.seed % 3 == 0)
		return;
	sim.a.in.drop_pm = sim.b.in.drop_pm = (unsigned)rnd(60);
	sim.a.in.dup_pm = sim.b.in.dup_pm = (unsigned)rnd(60);
	sim.a.in.reorder_pm = sim.b.in.reorder_pm = (unsigned)rnd(100);
}

static void start(void)
{
	bool ip6 = chance(300);
	struct endpoint guest = { ip6 ? addr_of("2001:db8:2::f") : addr_ip4(0x0a00020f), 80 },
			client = { ip6 ? addr_of("2001:db8:1::2") : addr_ip4(0xc6336401), 50000 };
	uint16_t mtu = rnd(2) ? 1500 : 65520;

	sim.now_ns = 1000 * NS_PER_SEC;
	sim.slow_reader = chance(300);
	sim.capacity = chance(400) ? 4 + rnd(100) : 0;
	sim.broken = false;
	set_up_links();
	set_up(&sim.a, &sim.b, (uint32_t)sim.seed, mtu);
	set_up(&sim.b, &sim.a, ~(uint32_t)sim.seed, mtu);
	*(ip6 ? &sim.b.g.net.ip6 : &sim.b.g.net.ip4) = (struct net_ip){ .on = true, .guest = client.addr };
	if (chance(150))
		(chance(500) ? &sim.a : &sim.b)->break_due_ns =
			sim.now_ns + rnd(100 * NS_PER_MS);
	sim.a.h.open = true;
	fake_dialer_next(&sim.b.h, 0);
	ck_assert_int_eq(tcp_open_to_guest(&sim.a.g.env, &fake_host_ops, &sim.a.h,
					   fake_host_set_conn, &guest, &client, &client),
			 0);
}

static void check_end(uint64_t want_a, uint64_t want_b)
{
	const struct stats *sa = &sim.a.g.env.stats, *sb = &sim.b.g.env.stats;

	must(!sim.a.h.open && !sim.b.h.open);
	if (!sim.broken) {
		must(sim.a.h.n_taken == want_b && sim.b.h.n_taken == want_a);
		must(!sim.a.h.reset && !sim.b.h.reset);
		must(sim.a.h.shut && sim.b.h.shut);
	}
	if (!n_hurt() && sim.a.in.delay_ns < 40 * NS_PER_MS)
		must(!sa->tcp_retransmits && !sb->tcp_retransmits);
	must(sim.a.g.env.tcp->pool.n_used + sim.b.g.env.tcp->pool.n_used == 0);
}

/* The far side's socket is connected as soon as it is asked for. */
static void connect_far_side(void)
{
	struct tcp_conn *c = sim.b.h.conn;

	if (c && c->state == TCP_CONNECTING)
		tcp_from_host(&sim.b.g.env, c, TCP_HOST_WRITE);
}

static void step(void)
{
	struct side *const sides[] = { &sim.a, &sim.b };

	sim.now_ns = next_event();
	sim.a.g.env.now_ns = sim.b.g.env.now_ns = sim.now_ns;
	for (int i = 0; i < 2; i++)
		if (sim_link_next(&sides[i]->in) <= sim.now_ns)
			arrive(sides[i]);
	connect_far_side();
	for (int i = 0; i < 2; i++) {
		fire(sides[i]);
		act(sides[i]);
		check_promise(sides[i]);
		make_room(sides[i]);
	}
}

static void finish(struct side *s)
{
	sim_link_free(&s->in);
	tcp_free(&s->g.env);
	fake_guest_free(&s->g);
}

static void run(uint64_t seed)
{
	uint64_t limit, want_a, want_b, steps = 0;

	sim.seed = seed;
	sim.rng = rng_init(seed);
	start();
	want_a = sim.a.to_write;
	want_b = sim.b.to_write;
	limit = sim.now_ns + 3600 * NS_PER_SEC;
	collect(&sim.a);
	while (sim.a.g.env.flows.n || sim.b.g.env.flows.n) {
		must(sim.now_ns < limit && steps++ < 500000);
		step();
	}
	check_end(want_a, want_b);
	finish(&sim.a);
	finish(&sim.b);
}

static uint64_t first_seed = 1, n_seeds = 2000, last_seed;

static void tell_seed(int signo)
{
	fprintf(stderr, "seed %" PRIu64 " failed; run it alone with: sim_tcp %" PRIu64 " 1\n",
		last_seed, last_seed);
}

START_TEST(every_byte_arrives)
{
	for (uint64_t s = first_seed; s < first_seed + n_seeds; s++) {
		last_seed = s;
		run(s);
	}
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("sim_tcp");
	TCase *c = tcase_create("sim_tcp");
	SRunner *r = srunner_create(s);
	int failed;

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		n_seeds = strtoull(argv[2], NULL, 0);
	log_set_level(getenv("SIM_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	signal(SIGABRT, tell_seed);
	tcase_set_timeout(c, 600);
	tcase_add_test(c, every_byte_arrives);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	if (failed)
		tell_seed(0);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
