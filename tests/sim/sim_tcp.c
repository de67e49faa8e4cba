/* Two ends of the TCP relay against each other, over a link that drops, duplicates, reorders
 * and delays, in virtual time.
 *
 * Each run is one seed: how much each side writes and when, how fast each reads, how bad the
 * link is.  Both applications check every byte.  A run fails when a byte is missing, when a
 * flow stays open, when somebody waits for a retransmission timer on a link that lost nothing,
 * or when more is held than the window promised.
 *
 *	sim_tcp [FIRST_SEED [COUNT]]
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/fake_host.h"
#include "lib/must.h"
#include "lib/suite.h"
#include "proto/tcp/conn.h"

#define MAX_FLIGHT 8192

struct flight {
	uint64_t due_ns;
	uint64_t order;
	struct fake_guest *to;
	uint8_t *data;
	size_t len;
};

struct side {
	struct fake_guest g;
	struct fake_host h;
	struct side *other;
	uint64_t to_write;
	uint64_t read_due_ns, write_due_ns;
	size_t read_size;
};

static struct {
	uint64_t seed, rng, now_ns, order;
	unsigned drop_pm, dup_pm, reorder_pm; /* per mille */
	uint64_t delay_ns;
	bool slow_reader;
	unsigned n_lost;
	struct flight flight[MAX_FLIGHT];
	size_t n_flight;
	struct side a, b;
} sim;

static uint64_t rnd(uint64_t below)
{
	sim.rng ^= sim.rng << 13;
	sim.rng ^= sim.rng >> 7;
	sim.rng ^= sim.rng << 17;
	return below ? sim.rng % below : 0;
}

static bool chance(unsigned per_mille)
{
	return rnd(1000) < per_mille;
}

static void fly(struct fake_guest *to, const struct fake_frame *f)
{
	struct flight *x = &sim.flight[sim.n_flight++];

	must(sim.n_flight < MAX_FLIGHT);
	*x = (struct flight){ sim.now_ns + sim.delay_ns, sim.order++, to, malloc(f->len), f->len };
	memcpy(x->data, f->data, f->len);
	if (chance(sim.reorder_pm)) {
		x->due_ns += rnd(3 * sim.delay_ns + NS_PER_MS);
		sim.n_lost++; /* may look like a loss to the receiver */
	}
}

/* Puts on the link what `from` has sent. */
static void collect(struct side *from)
{
	for (size_t i = 0; i < from->g.n_frames; i++) {
		if (chance(sim.drop_pm)) {
			sim.n_lost++;
			continue;
		}
		fly(&from->other->g, &from->g.frames[i]);
		if (chance(sim.dup_pm))
			fly(&from->other->g, &from->g.frames[i]);
	}
	fake_guest_clear(&from->g);
}

static struct flight *first_flight(void)
{
	struct flight *best = NULL;

	for (size_t i = 0; i < sim.n_flight; i++) {
		struct flight *x = &sim.flight[i];

		if (!best || x->due_ns < best->due_ns ||
		    (x->due_ns == best->due_ns && x->order < best->order))
			best = x;
	}
	return best;
}

/* Everything that arrives at one side at one moment is one batch. */
static void arrive(void)
{
	struct flight *x = first_flight();
	struct fake_guest *to = x->to;
	uint64_t due = x->due_ns;
	uint8_t *kept[MAX_FLIGHT];
	size_t n_kept = 0;

	to->env.now_ns = sim.now_ns;
	while (x && x->due_ns == due && x->to == to) {
		demux_from_guest(&to->env, x->data, x->len);
		kept[n_kept++] = x->data;
		*x = sim.flight[--sim.n_flight];
		x = first_flight();
	}
	demux_batch_end(&to->env);
	while (n_kept)
		free(kept[--n_kept]);
}

static void check_promise(struct side *s)
{
	struct tcp_conn *c = s->h.conn;

	if (c && c->state >= TCP_SYN_RECEIVED && !c->fin_received)
		must(c->rcv_adv - c->recvq.base <= TCP_RECVQ_MAX);
	must(sim.n_lost || !s->g.env.stats.tcp_memory_pressure);
}

static void act(struct side *s)
{
	s->g.env.now_ns = sim.now_ns;
	if (sim.now_ns >= s->read_due_ns) {
		fake_host_read(&s->g.env, &s->h, s->read_size);
		s->read_due_ns = sim.now_ns + (sim.slow_reader ? 20 * NS_PER_MS : 200 * NS_PER_US);
	}
	if (sim.now_ns >= s->write_due_ns && s->h.conn && !s->h.ended) {
		uint64_t n = rnd(200000);

		n = n < s->to_write ? n : s->to_write;
		s->to_write -= n;
		fake_host_write(&s->g.env, &s->h, n, !s->to_write);
		s->write_due_ns = sim.now_ns + rnd(2 * NS_PER_MS);
	}
	while (demux_run_ready(&s->g.env))
		;
}

static void fire(struct side *s)
{
	s->g.env.now_ns = sim.now_ns;
	timerq_run(&s->g.env.timers, sim.now_ns, SIZE_MAX, &s->g.env);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_event(void)
{
	uint64_t t = earlier(timerq_next(&sim.a.g.env.timers), timerq_next(&sim.b.g.env.timers));
	struct flight *x = first_flight();

	if (x)
		t = earlier(t, x->due_ns);
	for (int i = 0; i < 2; i++) {
		struct side *s = i ? &sim.b : &sim.a;

		if (!s->h.open)
			continue;
		t = earlier(t, s->read_due_ns);
		if (!s->h.ended)
			t = earlier(t, s->write_due_ns);
	}
	return t > sim.now_ns ? t : sim.now_ns;
}

static void set_up(struct side *s, struct side *other, uint32_t seed, uint16_t mtu)
{
	fake_guest_init(&s->g);
	s->g.net.mtu = mtu;
	s->g.net.map_loopback_set = false;
	ck_assert_ptr_nonnull(tcp_new(&s->g.env, &fake_dialer));
	s->other = other;
	s->h = (struct fake_host){ .seed = seed, .peer_seed = ~seed };
	s->to_write = rnd(4) ? rnd(3000000) : rnd(3);
	s->read_size = 1 + rnd(sim.slow_reader ? 300000 : 100000);
	s->read_due_ns = s->write_due_ns = sim.now_ns;
}

static void start(void)
{
	struct endpoint guest = { addr_ip4(0x0a00020f), 80 }, client = { addr_ip4(0xc6336401), 50000 };
	uint16_t mtu = rnd(2) ? 1500 : 65520;

	sim.now_ns = 1000 * NS_PER_SEC;
	sim.delay_ns = rnd(4) ? rnd(500 * NS_PER_US) : rnd(50 * NS_PER_MS);
	sim.slow_reader = chance(300);
	if (sim.seed % 3) {
		sim.drop_pm = (unsigned)rnd(60);
		sim.dup_pm = (unsigned)rnd(60);
		sim.reorder_pm = (unsigned)rnd(100);
	} else {
		sim.drop_pm = sim.dup_pm = sim.reorder_pm = 0;
	}
	set_up(&sim.a, &sim.b, (uint32_t)sim.seed, mtu);
	set_up(&sim.b, &sim.a, ~(uint32_t)sim.seed, mtu);
	sim.b.g.net.guest = client.addr;
	/* also across the wrap of sequence numbers */
	sim.a.h.open = true;
	fake_dialer_next(&sim.b.h, 0);
	ck_assert_int_eq(tcp_open_to_guest(&sim.a.g.env, &fake_host_ops, &sim.a.h, fake_host_set_conn,
					   &guest, &client, &client),
			 0);
}

static void check_end(uint64_t want_a, uint64_t want_b)
{
	const struct stats *sa = &sim.a.g.env.stats, *sb = &sim.b.g.env.stats;

	ck_assert_uint_eq(sim.a.h.n_taken, want_b);
	ck_assert_uint_eq(sim.b.h.n_taken, want_a);
	ck_assert(!sim.a.h.reset && !sim.b.h.reset);
	ck_assert(sim.a.h.shut && sim.b.h.shut);
	if (!sim.n_lost && sim.delay_ns < 40 * NS_PER_MS)
		ck_assert_msg(!sa->tcp_retransmits && !sb->tcp_retransmits,
			      "retransmissions without loss: %" PRIu64 " %" PRIu64, sa->tcp_retransmits,
			      sb->tcp_retransmits);
	ck_assert_uint_eq(sim.a.g.env.tcp->pool.n_used + sim.b.g.env.tcp->pool.n_used, 0);
}

static void run(uint64_t seed)
{
	uint64_t limit, want_a, want_b, steps = 0;
	bool connected = false;

	sim.seed = seed;
	sim.rng = seed * 2654435769u + 88172645463325252u;
	sim.n_lost = 0;
	start();
	want_a = sim.a.to_write;
	want_b = sim.b.to_write;
	limit = sim.now_ns + 3600 * NS_PER_SEC;
	while (sim.a.g.env.flows.n || sim.b.g.env.flows.n) {
		must(sim.now_ns < limit && steps++ < 5000000);
		collect(&sim.a);
		collect(&sim.b);
		sim.now_ns = next_event();
		if (sim.n_flight && first_flight()->due_ns <= sim.now_ns)
			arrive();
		if (sim.b.h.conn && !connected) {
			connected = true;
			sim.b.g.env.now_ns = sim.now_ns;
			tcp_from_host(&sim.b.g.env, sim.b.h.conn, TCP_HOST_WRITE);
		}
		fire(&sim.a);
		fire(&sim.b);
		act(&sim.a);
		act(&sim.b);
		check_promise(&sim.a);
		check_promise(&sim.b);
	}
	check_end(want_a, want_b);
	while (sim.n_flight)
		free(sim.flight[--sim.n_flight].data);
	tcp_free(&sim.a.g.env);
	tcp_free(&sim.b.g.env);
	fake_guest_free(&sim.a.g);
	fake_guest_free(&sim.b.g);
}

static uint64_t first_seed = 1, n_seeds = 300, last_seed;

static void tell_seed(int signo)
{
	fprintf(stderr, "seed %" PRIu64 " failed; run it alone with: sim_tcp %" PRIu64 " 1\n", last_seed,
		last_seed);
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
