/* The TCP relay with rates, against models of guests' stacks, in virtual time.
 *
 * Each run is one seed: some connections, all of which have bytes to say both ways at any time,
 *and periods with another rate, or none, for each direction.  What passes in a period is
 *measured.  A run fails when it is not what the rate allows, too much or too little, when
 *connections have unequal parts, when a byte is missing or wrong, when anybody sends again
 *although nothing was lost, when all does not come to its end soon after the last period, or
 *when the relay breaks another promise (lib/tcp_holds.h).
 *
 *	sim_rate [FIRST_SEED [COUNT]]
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/fake_host.h"
#include "lib/model_guest.h"
#include "lib/must.h"
#include "lib/packets.h"
#include "lib/sim_link.h"
#include "lib/tcp_holds.h"
#include "proto/tcp/conn.h"

#define GUEST_PORT  40000
#define PEER	    0xc6336402 /* 198.51.100.2 */
#define PEER_PORT   80
#define CONNS_MAX   6
#define PERIODS_MAX 4
#define BATCH_MAX   4096
#define BACKLOG                                                                                \
	200000 /* bytes that each side has to say, at least: more than an ACK may wait for */
#define SETTLED_NS (300 * NS_PER_MS) /* bursts have passed, and what was under way */
#define MEASURED   400000	     /* bytes that pass at least while is measured, or so */

enum { IN, OUT, N_DIRECTIONS };

struct conn {
	struct model_guest m;
	struct fake_host h;
	uint64_t before[N_DIRECTIONS]; /* bytes that had passed when measuring began */
};

static struct {
	struct rng rng;
	uint64_t now_ns;
	bool ip6, ending;
	struct fake_guest g;
	struct sim_link up, down; /* to the relay, to the guest */
	size_t capacity;	  /* of the latter, in frames; 0: no limit */
	uint64_t resent_before;	  /* segments, before measuring began */
	unsigned n_conns;
	struct conn conns[CONNS_MAX];
} sim;

static uint64_t rnd(uint64_t below)
{
	return rng_below(&sim.rng, below);
}

static bool chance(unsigned per_mille)
{
	return rng_chance(&sim.rng, per_mille);
}

static uint64_t passed(const struct conn *c, int direction)
{
	return direction == OUT ? c->h.n_taken : c->m.n_read + model_readable(&c->m);
}

/* The link, both ways */

static void guest_sends(struct model_guest *m, const struct tcp_hdr *h, uint64_t at,
			uint32_t len)
{
	static struct packet p;
	static uint8_t payload[PACKET_MAX];

	for (uint32_t i = 0; i < len; i++)
		payload[i] = fake_host_byte(m->seed, at + i);
	if (sim.ip6)
		packet_tcp6(&p, &(struct packet_ip6){ .hop_limit = 64 }, h, payload, len);
	else
		packet_tcp(&p, &(struct packet_ip){ .dst = PEER }, h, payload, len);
	sim_link_send(&sim.up, sim.now_ns, p.frame, p.len);
}

static void collect(void)
{
	for (size_t i = 0; i < sim.g.n_frames; i++)
		sim_link_send(&sim.down, sim.now_ns, sim.g.frames[i].data, sim.g.frames[i].len);
	fake_guest_clear(&sim.g);
}

static void make_room(void)
{
	if (!sim.capacity)
		return;
	sim.g.room = sim.down.n < sim.capacity ? (int)(sim.capacity - sim.down.n) : 0;
	if (sim.g.room > sim.g.reply_room)
		demux_room(&sim.g.env);
	collect();
}

static void arrive_at_relay(void)
{
	struct sim_frame *kept[BATCH_MAX];
	size_t n = 0;

	while (n < BATCH_MAX && sim.g.room && (kept[n] = sim_link_take(&sim.up, sim.now_ns))) {
		demux_from_guest(&sim.g.env, kept[n]->data, kept[n]->len);
		collect();
		n++;
	}
	demux_batch_end(&sim.g.env);
	while (n)
		free(kept[--n]);
}

static void arrive_at_guest(void)
{
	struct sim_frame *f;
	struct pkt p;

	while ((f = sim_link_take(&sim.down, sim.now_ns))) {
		must(pkt_decode(f->data, f->len, &p) == DROP_NONE && p.proto == IP_TCP);
		must(p.tcp.dport >= GUEST_PORT && p.tcp.dport < GUEST_PORT + sim.n_conns);
		model_input(&sim.conns[p.tcp.dport - GUEST_PORT].m, &p);
		free(f);
	}
}

/* The applications: they read at once, and have always more to say. */

static void act(struct conn *c)
{
	if (!c->m.established || c->m.reset)
		return;
	model_read(&c->m, model_readable(&c->m));
	if (sim.ending)
		return;
	if (c->h.n_written - c->h.n_consumed < BACKLOG)
		fake_host_write(&sim.g.env, &c->h, BACKLOG, false);
	if (c->m.n_written - (c->m.una - c->m.iss - 1) < BACKLOG)
		model_write(&c->m, BACKLOG, false);
}

static void end_all(void)
{
	sim.ending = true;
	for (unsigned i = 0; i < sim.n_conns; i++) {
		fake_host_write(&sim.g.env, &sim.conns[i].h, 0, true);
		model_write(&sim.conns[i].m, 0, true);
	}
	collect();
}

/* Time */

static uint64_t next_event(void)
{
	uint64_t up = sim.g.room ? sim_link_next(&sim.up) : TIMERQ_NEVER;
	uint64_t t = timerq_next(&sim.g.env.timers), down = sim_link_next(&sim.down);

	t = up < t ? up : t;
	t = down < t ? down : t;
	for (unsigned i = 0; i < sim.n_conns; i++) {
		uint64_t model = model_next(&sim.conns[i].m);

		t = model < t ? model : t;
	}
	return t > sim.now_ns ? t : sim.now_ns;
}

static void set_clock(uint64_t now_ns)
{
	sim.now_ns = sim.g.env.now_ns = now_ns;
	for (unsigned i = 0; i < sim.n_conns; i++)
		sim.conns[i].m.now_ns = now_ns;
}

static void step(void)
{
	set_clock(next_event());
	if (sim.g.room && sim_link_next(&sim.up) <= sim.now_ns)
		arrive_at_relay();
	if (sim_link_next(&sim.down) <= sim.now_ns)
		arrive_at_guest();
	timerq_run(&sim.g.env.timers, sim.now_ns, SIZE_MAX, &sim.g.env);
	for (unsigned i = 0; i < sim.n_conns; i++) {
		model_tick(&sim.conns[i].m);
		act(&sim.conns[i]);
	}
	while (demux_run_ready(&sim.g.env))
		;
	for (unsigned i = 0; i < sim.n_conns; i++)
		tcp_must_hold(&sim.g.env, &sim.conns[i].h);
	collect();
	make_room();
}

static void run_until(uint64_t ns)
{
	while (next_event() < ns)
		step();
	set_clock(ns);
}

/* Periods */

static struct conf_rate choose_rate(void)
{
	static const uint64_t some[] = { 20000, 100000, 500000, 2000000, 5000000 };
	struct conf_rate r = { .bytes = some[rnd(5)] };

	r.bytes += rnd(r.bytes);
	r.burst = 1 + rnd(r.bytes / 10);
	return chance(150) ? (struct conf_rate){ 0 } : r;
}

/* How many bytes a rate allows for in this time. */
static double allowed(const struct conf_rate *r, uint64_t ns)
{
	return (double)r->bytes * (double)ns / NS_PER_SEC;
}

/* What a guest acknowledges together with a probe of our closed window is not heard (RFC
 * 9293 3.10.7.4), and then comes again. */
static unsigned n_probes(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sim.n_conns; i++)
		n += sim.conns[i].m.n_probes;
	return n;
}

static double sent_again(void)
{
	uint64_t n = sim.g.env.stats.tcp_retransmits;

	must(n <= n_probes());
	return (double)(n - sim.resent_before);
}

static void measure_rate(const struct shaper *s, int direction, uint64_t ns)
{
	double want = allowed(&s->rate, ns), turn = s->quantum, got = 0, each, part;

	for (unsigned i = 0; i < sim.n_conns; i++)
		got += (double)(passed(&sim.conns[i], direction) -
				sim.conns[i].before[direction]);
	log_debug(TCP,
		  "%s the guest at %" PRIu64 "/%" PRIu64
		  ": %.0f bytes where %.0f may pass, %.0f segments again",
		  direction == IN ? "to" : "from", s->rate.bytes, s->rate.burst, got, want,
		  sent_again());
	must(got <= want * 1.03 + 4 * turn);
	must(got + (direction == IN ? 2 * turn * sent_again() : 0) >= want * 0.97 - 4 * turn);
	each = got / sim.n_conns;
	for (unsigned i = 0; i < sim.n_conns; i++) {
		part = (double)(passed(&sim.conns[i], direction) -
				sim.conns[i].before[direction]);
		must(part <= each * 1.3 + 4 * turn && part >= each * 0.7 - 4 * turn);
	}
}

static void begin_to_measure(void)
{
	sim.resent_before = sim.g.env.stats.tcp_retransmits;
	for (unsigned i = 0; i < sim.n_conns; i++)
		for (int k = 0; k < N_DIRECTIONS; k++)
			sim.conns[i].before[k] = passed(&sim.conns[i], k);
}

static void set_rates(struct conf_rate in, struct conf_rate out)
{
	sim.g.conf.rate_in = in;
	sim.g.conf.rate_out = out;
	env_set_rates(&sim.g.env);
	collect();
	must(in.bytes || !sim.g.env.to_guest.n_waiting);
	must(out.bytes || !sim.g.env.to_host.n_waiting);
}

/* Without a rate, as much passes as windows allow: for a moment. */
static void period(void)
{
	struct conf_rate in = choose_rate(), out = choose_rate();
	uint64_t slowest = in.bytes < out.bytes ? in.bytes : out.bytes, ns;

	set_rates(in, out);
	if (!slowest) {
		run_until(sim.now_ns + 2 * NS_PER_MS);
		return;
	}
	run_until(sim.now_ns + SETTLED_NS);
	begin_to_measure();
	ns = NS_PER_SEC + MEASURED * NS_PER_SEC / slowest;
	ns = ns < 10 * NS_PER_SEC ? ns : 10 * NS_PER_SEC;
	run_until(sim.now_ns + ns);
	measure_rate(&sim.g.env.to_guest, IN, ns);
	measure_rate(&sim.g.env.to_host, OUT, ns);
}

/* Connections */

static void connect(struct conn *c, uint16_t port)
{
	static const uint32_t buffers[] = { 65535, 200000, 1000000 };

	c->h = (struct fake_host){ .seed = port,
				   .peer_seed = ~(uint32_t)port,
				   .room = SIZE_MAX / 2 };
	c->m = (struct model_guest){ .rng = &sim.rng,
				     .port = port,
				     .peer_port = PEER_PORT,
				     .send = guest_sends,
				     .seed = ~(uint32_t)port,
				     .peer_seed = port,
				     .iss = (uint32_t)rnd(UINT32_MAX),
				     .now_ns = sim.now_ns };
	c->m.set =
		(struct model_settings){ .mss = (uint16_t)(sim.g.net.mtu - (sim.ip6 ? 60 : 40)),
					 .has_wscale = true,
					 .wscale = 7,
					 .sack = chance(700),
					 .nodelay = chance(500),
					 .ack_delay_ns = 40 * NS_PER_MS,
					 .rcvbuf = buffers[rnd(3)],
					 .in_order = true };
	fake_dialer_next(&c->h, 0);
	model_connect(&c->m);
	while (!c->h.conn)
		step();
	tcp_from_host(&sim.g.env, c->h.conn, TCP_HOST_WRITE);
	collect();
	while (!c->m.established)
		step();
}

static void start(uint64_t seed)
{
	uint64_t delay;
	unsigned n;

	sim.rng = rng_init(seed);
	fake_guest_init(&sim.g);
	must(tcp_new(&sim.g.env, &fake_dialer));
	sim.now_ns = sim.g.env.now_ns;
	sim.ip6 = chance(300);
	sim.ending = false;
	sim.g.net.mtu = chance(500) ? 1500 : 65520;
	delay = 100 * NS_PER_US + rnd(NS_PER_MS);
	sim_link_init(&sim.up, &sim.rng, delay);
	sim_link_init(&sim.down, &sim.rng, delay);
	sim.capacity = chance(300) ? 100 + rnd(200) : 0;
	if (sim.capacity) {
		sim.g.room = (int)sim.capacity;
		sim.g.reply_room = 2;
	}
	set_rates(choose_rate(), choose_rate());
	sim.n_conns = 0;
	for (n = 1 + (unsigned)rnd(CONNS_MAX); sim.n_conns < n;) {
		uint16_t port = (uint16_t)(GUEST_PORT + sim.n_conns);

		connect(&sim.conns[sim.n_conns++], port);
	}
}

/* A run */

static double seconds_for(double bytes, const struct conf_rate *r)
{
	return r->bytes ? bytes / (double)r->bytes : 0;
}

/* What both sides still have to say, and a while for connections to end. */
static uint64_t time_for_the_rest(void)
{
	double in = 0, out = 0;

	for (unsigned i = 0; i < sim.n_conns; i++) {
		in += (double)(sim.conns[i].h.n_written - passed(&sim.conns[i], IN));
		out += (double)(sim.conns[i].m.n_written - passed(&sim.conns[i], OUT));
	}
	in = seconds_for(in, &sim.g.conf.rate_in);
	out = seconds_for(out, &sim.g.conf.rate_out);
	return (uint64_t)((in > out ? in : out) * 1.1 * NS_PER_SEC) + 3 * NS_PER_SEC;
}

static bool over(void)
{
	bool quiet = !sim.g.env.flows.n && !sim.up.n && !sim.down.n;

	for (unsigned i = 0; i < sim.n_conns; i++)
		quiet = quiet && model_done(&sim.conns[i].m) &&
			!model_readable(&sim.conns[i].m);
	return quiet;
}

static void check_end(void)
{
	const struct stats *s = &sim.g.env.stats;

	must(s->tcp_retransmits <= n_probes() && sim.g.env.tcp->pool.n_used == 0);
	must(!sim.g.env.to_guest.n_waiting && !sim.g.env.to_host.n_waiting);
	for (unsigned i = 0; i < sim.n_conns; i++) {
		const struct conn *c = &sim.conns[i];

		must(!c->h.open && !c->h.reset && c->h.shut && !c->m.reset);
		must(c->h.n_taken == c->m.n_written && c->m.n_read == c->h.n_written);
		must(!c->m.n_timeouts && !c->m.n_retransmits);
	}
}

static void finish(void)
{
	sim_link_free(&sim.up);
	sim_link_free(&sim.down);
	shaper_set(&sim.g.env, &sim.g.env.to_guest, &(struct conf_rate){ 0 });
	shaper_set(&sim.g.env, &sim.g.env.to_host, &(struct conf_rate){ 0 });
	tcp_free(&sim.g.env);
	fake_guest_free(&sim.g);
}

static uint64_t first_seed = 1, n_seeds = 60, last_seed;

static void run(uint64_t seed)
{
	uint64_t limit;

	last_seed = seed;
	start(seed);
	for (unsigned n = 1 + (unsigned)rnd(PERIODS_MAX); n; n--)
		period();
	end_all();
	limit = sim.now_ns + time_for_the_rest();
	while (!over()) {
		must(sim.now_ns < limit);
		step();
	}
	check_end();
	finish();
}

static void tell_seed(int signo)
{
	fprintf(stderr, "seed %" PRIu64 " failed; run it alone with: sim_rate %" PRIu64 " 1\n",
		last_seed, last_seed);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		n_seeds = strtoull(argv[2], NULL, 0);
	log_set_level(getenv("SIM_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	signal(SIGABRT, tell_seed);
	for (uint64_t s = first_seed; s < first_seed + n_seeds; s++)
		run(s);
	printf("%" PRIu64 " runs\n", n_seeds);
	return 0;
}
