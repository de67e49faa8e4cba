/* The TCP relay against a model of a guest's stack, in virtual time.
 *
 * Each run is one seed and one connection: who opens it, how much each side writes and when,
 * how fast each reads, who ends first, options, windows of 256 bytes and more, how much room
 *the link has, how bad it is, and in some runs a side that breaks in the middle.  A run fails
 *when a byte is missing or wrong, when a side goes beyond the other's window, when the flow
 *stays open, when anybody sends again although nothing was lost, or when the relay breaks
 *another promise (lib/tcp_witness.h, lib/tcp_holds.h).
 *
 *	sim_tcp_guest [FIRST_SEED [COUNT]]
 */
#include <errno.h>
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
#include "lib/tcp_witness.h"
#include "proto/tcp/conn.h"

#define GUEST_PORT 40000
#define PEER	   0xc6336402 /* 198.51.100.2 */
#define PEER6	   "2001:db8:1::2"
#define PEER_PORT  80
#define BATCH_MAX  4096

enum failure { NO_FAILURE, GUEST_RESETS, HOST_BREAKS, OPERATOR_CLOSES, REFUSED, N_FAILURES };

/* One end's application. */
struct app {
	uint64_t to_write, write_size, read_size;
	uint64_t write_every_ns, read_every_ns, write_due_ns, read_due_ns;
	bool ends_last; /* when it has seen the other's end */
	bool ended;
};

static struct {
	struct rng rng;
	uint64_t began_ns, now_ns, connect_due_ns, fail_due_ns;
	enum failure failure;
	bool failed, owes_reset; /* to the host's peer */
	bool ip6;
	struct fake_guest g;
	struct fake_host h;
	struct model_guest m;
	struct tcp_witness w;
	struct sim_link up, down; /* to the relay, to the guest */
	size_t capacity;	  /* of the latter, in frames; 0: no limit */
	struct app host, guest;
	bool take_turns, guests_turn;
	uint64_t host_total, guest_total;
} sim;

static uint64_t rnd(uint64_t below)
{
	return rng_below(&sim.rng, below);
}

static bool chance(unsigned per_mille)
{
	return rng_chance(&sim.rng, per_mille);
}

/* With SIM_DEBUG: a line a segment, numbers from where each stream begins. */
static void trace(const char *dir, const struct tcp_hdr *h, size_t len, uint32_t from,
		  uint32_t to)
{
	if (log_get_level() >= LOG_LEVEL_DEBUG)
		fprintf(stderr, "%12.6f %s %s%s%s%s seq %u ack %u len %zu win %u sack %u\n",
			(double)(sim.now_ns - sim.began_ns) / NS_PER_SEC, dir,
			h->flags & TCP_SYN ? "S" : "", h->flags & TCP_FIN ? "F" : "",
			h->flags & TCP_RST ? "R" : "", h->flags & TCP_ACK ? "A" : "",
			h->seq - from, h->ack - to, len, h->window, h->n_sack);
}

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
	trace("guest", h, len, m->iss, m->irs);
	sim_link_send(&sim.up, sim.now_ns, p.frame, p.len);
}

static void collect(void)
{
	struct pkt p;

	for (size_t i = 0; i < sim.g.n_frames; i++) {
		const struct fake_frame *f = &sim.g.frames[i];

		must(pkt_decode(f->data, f->len, &p) == DROP_NONE);
		if (p.proto == IP_TCP)
			tcp_witness_to_guest(&sim.w, &sim.h, &p);
		sim_link_send(&sim.down, sim.now_ns, f->data, f->len);
	}
	fake_guest_clear(&sim.g);
}

/* The link takes as many frames as have left it; whoever waited goes on. */
static void make_room(void)
{
	if (!sim.capacity)
		return;
	sim.g.room = sim.down.n < sim.capacity ? (int)(sim.capacity - sim.down.n) : 0;
	if (sim.g.room > sim.g.reply_room)
		demux_room(&sim.g.env);
	collect();
}

/* What arrives at the relay at one moment is one batch; none while there is no room for
 * replies. */
static void arrive_at_relay(void)
{
	struct sim_frame *kept[BATCH_MAX];
	struct pkt p;
	size_t n = 0;

	while (n < BATCH_MAX && sim.g.room && (kept[n] = sim_link_take(&sim.up, sim.now_ns))) {
		must(pkt_decode(kept[n]->data, kept[n]->len, &p) == DROP_NONE);
		tcp_witness_from_guest(&sim.w, &sim.h, &p);
		demux_from_guest(&sim.g.env, kept[n]->data, kept[n]->len);
		collect(); /* what it answers at once */
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
		must(pkt_decode(f->data, f->len, &p) == DROP_NONE);
		if (p.proto == IP_TCP) {
			trace("           relay", &p.tcp, p.payload_len, sim.m.irs, sim.m.iss);
			model_input(&sim.m, &p);
		}
		free(f);
	}
}

static bool due(uint64_t *at, uint64_t every_ns)
{
	if (sim.now_ns < *at)
		return false;
	*at = sim.now_ns + every_ns;
	return true;
}

static uint64_t next_write(struct app *a)
{
	uint64_t n = rnd(a->write_size + 1);

	n = n < a->to_write ? n : a->to_write;
	a->to_write -= n;
	return n;
}

static bool may_end(const struct app *a, bool other_ended)
{
	return !a->to_write && !a->ended && (!a->ends_last || other_ended);
}

/* Where questions and answers take turns, each side waits for all of the other's. */
static bool is_hosts_turn(void)
{
	return !sim.take_turns || !sim.guest.to_write ||
	       (!sim.guests_turn && sim.h.n_taken == sim.m.n_written);
}

static bool is_guests_turn(void)
{
	return !sim.take_turns || !sim.host.to_write ||
	       (sim.guests_turn && sim.m.n_read == sim.h.n_written);
}

static bool host_writes(void)
{
	return is_hosts_turn() && (sim.host.to_write || may_end(&sim.host, sim.h.shut));
}

static bool guest_writes(void)
{
	return is_guests_turn() &&
	       (sim.guest.to_write ||
		may_end(&sim.guest, sim.m.fin_received && !model_readable(&sim.m)));
}

static void host_acts(void)
{
	struct app *a = &sim.host;

	if (!sim.h.open)
		return;
	if ((sim.h.wants_room || !sim.h.room) && due(&a->read_due_ns, a->read_every_ns))
		fake_host_read(&sim.g.env, &sim.h, a->read_size);
	if (sim.h.open && !sim.connect_due_ns && host_writes() &&
	    due(&a->write_due_ns, a->write_every_ns)) {
		uint64_t n = next_write(a);

		sim.guests_turn = true;
		a->ended = !a->to_write && host_writes();
		fake_host_write(&sim.g.env, &sim.h, n, a->ended);
	}
}

static void guest_acts(void)
{
	struct app *a = &sim.guest;
	if (!sim.m.established || sim.m.reset)
		return;
	if (due(&a->read_due_ns, a->read_every_ns))
		model_read(&sim.m, a->read_size);
	if (guest_writes() && due(&a->write_due_ns, a->write_every_ns)) {
		uint64_t n = next_write(a);

		sim.guests_turn = false;
		a->ended = !a->to_write && guest_writes();
		if (sim.take_turns) /* in two parts, as is often done: a case for Nagle's
				       algorithm */
			model_write(&sim.m, n / 2, false);
		model_write(&sim.m, sim.take_turns ? n - n / 2 : n, a->ended);
	}
}

static void connect_decided(void)
{
	if (!sim.connect_due_ns || sim.now_ns < sim.connect_due_ns || !sim.h.conn)
		return;
	sim.connect_due_ns = 0;
	if (sim.failure == REFUSED) {
		sim.h.connect_error = chance(500) ? ECONNREFUSED : EHOSTUNREACH;
		sim.failed = true;
	}
	tcp_from_host(&sim.g.env, sim.h.conn, TCP_HOST_WRITE);
}

static void break_it(void)
{
	if (sim.failed || sim.now_ns < sim.fail_due_ns || !sim.h.conn || sim.connect_due_ns)
		return;
	sim.failed = true;
	sim.owes_reset = sim.m.set.in_order && !sim.host.ended && !sim.m.fin_sent;
	switch (sim.failure) {
	case GUEST_RESETS:
		model_abort(&sim.m);
		break;
	case HOST_BREAKS:
		sim.h.error = ECONNRESET;
		tcp_from_host(&sim.g.env, sim.h.conn,
			      TCP_HOST_READ | TCP_HOST_WRITE | TCP_HOST_END | TCP_HOST_ERROR);
		break;
	case OPERATOR_CLOSES:
		((struct flow *)sim.h.conn)
			->class->close(&sim.g.env, (struct flow *)sim.h.conn,
				       FLOW_CLOSED_BY_OPERATOR);
		break;
	default:
		sim.failed = sim.owes_reset = false;
		sim.fail_due_ns = TIMERQ_NEVER;
		break;
	}
}

static void earlier(uint64_t *t, uint64_t other)
{
	*t = other < *t ? other : *t;
}

static uint64_t next_event(void)
{
	uint64_t t = timerq_next(&sim.g.env.timers);

	earlier(&t, sim_link_next(&sim.down));
	if (sim.g.room)
		earlier(&t, sim_link_next(&sim.up));
	earlier(&t, model_next(&sim.m));
	if (sim.connect_due_ns && sim.h.conn)
		earlier(&t, sim.connect_due_ns);
	if (sim.h.conn && !sim.failed)
		earlier(&t, sim.fail_due_ns > sim.connect_due_ns ? sim.fail_due_ns
								 : sim.connect_due_ns);
	if (sim.h.open) {
		if (sim.h.wants_room || !sim.h.room)
			earlier(&t, sim.host.read_due_ns);
		if (host_writes() && !sim.connect_due_ns)
			earlier(&t, sim.host.write_due_ns);
	}
	if (sim.m.established && !sim.m.reset) {
		if (model_readable(&sim.m) || sim.m.window_shut)
			earlier(&t, sim.guest.read_due_ns);
		if (guest_writes())
			earlier(&t, sim.guest.write_due_ns);
	}
	return t > sim.now_ns ? t : sim.now_ns;
}

static void set_up_app(struct app *a)
{
	a->to_write = chance(200) ? rnd(4) : rnd(chance(100) ? 600000 : 40000);
	a->write_size = chance(200) ? 1 + rnd(100) : 1 + rnd(chance(100) ? 600000 : 60000);
	if (a->to_write / a->write_size > 300)
		a->write_size = a->to_write / 300 + 1;
	a->read_size = chance(200) ? 100 + rnd(3000) : 1 + rnd(200000);
	a->write_every_ns = chance(500) ? rnd(300 * NS_PER_US) : rnd(20 * NS_PER_MS);
	a->read_every_ns =
		100 * NS_PER_US + (chance(500) ? rnd(300 * NS_PER_US) : rnd(20 * NS_PER_MS));
	a->write_due_ns = a->read_due_ns = sim.now_ns;
}

static void set_up_guest(void)
{
	static const uint32_t buffers[] = { 256, 2000, 10000, 65535, 200000, 1000000 };
	struct model_settings *s = &sim.m.set;

	sim.m = (struct model_guest){ .rng = &sim.rng,
				      .port = GUEST_PORT,
				      .peer_port = PEER_PORT,
				      .send = guest_sends,
				      .seed = 22,
				      .peer_seed = 11,
				      .now_ns = sim.now_ns };
	sim.ip6 = chance(300);
	sim.g.net.mtu = chance(500) ? 1500 : 65520;
	*s = (struct model_settings){ .mss = (uint16_t)(sim.g.net.mtu - (sim.ip6 ? 60 : 40)),
				      .has_wscale = chance(700),
				      .wscale = (uint8_t)rnd(15),
				      .sack = chance(700),
				      .nodelay = chance(500),
				      .fin_at_once = chance(300),
				      .ack_delay_ns = chance(700) ? 40 * NS_PER_MS
								  : rnd(150 * NS_PER_MS),
				      .rcvbuf = buffers[rnd(6)] };
	if (!s->has_wscale && s->rcvbuf > 65535)
		s->rcvbuf = 65535;
	if (s->has_wscale && s->rcvbuf >> s->wscale < 16)
		s->wscale = 0; /* or the window could not be told */
	if (chance(200))
		s->mss = (uint16_t)(100 + rnd(436));
	sim.m.iss = chance(500) ? (uint32_t)rnd(UINT32_MAX) : (uint32_t)(0u - rnd(40000));
}

static void set_up_link(uint64_t seed)
{
	uint64_t delay = chance(800) ? rnd(300 * NS_PER_US) : rnd(25 * NS_PER_MS);

	sim.capacity = 0;
	sim_link_init(&sim.up, &sim.rng, delay);
	sim_link_init(&sim.down, &sim.rng, delay);
	if (chance(400)) {
		sim.capacity = 3 + rnd(60);
		sim.g.room = (int)sim.capacity;
		sim.g.reply_room = 2;
	}
	sim.m.set.in_order = seed % 3;
	sim.m.set.drop_once = seed % 3 == 1 && sim.m.set.sack && chance(300);
	if (sim.m.set.drop_once)
		sim.m.set.drop_pm = 1 + (unsigned)rnd(100);
	if (sim.m.set.in_order)
		return;
	sim.up.drop_pm = (unsigned)rnd(50);
	sim.down.drop_pm = (unsigned)rnd(50);
	sim.up.dup_pm = sim.down.dup_pm = (unsigned)rnd(50);
	sim.up.reorder_pm = sim.down.reorder_pm = (unsigned)rnd(50);
	if (chance(300)) {
		sim.m.set.drop_pm = (unsigned)rnd(50);
		sim.m.set.shrinks = chance(500);
	}
}

static struct addr guest_addr(void)
{
	return sim.ip6 ? sim.g.net.ip6.guest : sim.g.net.ip4.guest;
}

static struct addr peer_addr(void)
{
	return sim.ip6 ? addr_of(PEER6) : addr_ip4(PEER);
}

static void open_to_guest(struct fake_host *h)
{
	struct endpoint guest = { guest_addr(), GUEST_PORT }, peer = { peer_addr(), PEER_PORT };

	*h = (struct fake_host){ .seed = 11, .peer_seed = 22, .open = true };
	must(!tcp_open_to_guest(&sim.g.env, &fake_host_ops, h, fake_host_set_conn, &guest,
				&peer, &peer));
}

/* The relay's initial sequence number follows the clock: turns it to where a wrap is near. */
static void turn_clock(uint32_t iss)
{
	struct fake_host h;
	uint32_t first;

	open_to_guest(&h);
	first = h.conn->iss;
	tcp_abort(&sim.g.env, h.conn, FLOW_CLOSED_GUEST_LEFT);
	fake_guest_clear(&sim.g);
	sim.g.env.now_ns += (uint64_t)(iss - first) * 4 * NS_PER_US;
}

static void start(uint64_t seed)
{
	sim.rng = rng_init(seed);
	fake_guest_init(&sim.g);
	sim.g.conf.timeouts.tcp_idle = sim.g.conf.timeouts.tcp_closing = 600;
	must(tcp_new(&sim.g.env, &fake_dialer));
	turn_clock(chance(500) ? (uint32_t)rnd(UINT32_MAX) : (uint32_t)(0u - rnd(40000)));
	sim.now_ns = sim.began_ns = sim.g.env.now_ns;
	sim.connect_due_ns = 0;
	sim.failed = sim.owes_reset = false;
	sim.failure = chance(250) ? 1 + rnd(N_FAILURES - 1) : NO_FAILURE;
	tcp_witness_init(&sim.w);
	set_up_guest();
	set_up_link(seed);
	set_up_app(&sim.host);
	set_up_app(&sim.guest);
	if (sim.host.to_write > 50 * sim.m.set.rcvbuf)
		sim.host.to_write = 50 * sim.m.set.rcvbuf;
	sim.host.ends_last = chance(300);
	sim.guest.ends_last = !sim.host.ends_last && chance(400);
	sim.host.ended = sim.guest.ended = false;
	sim.take_turns = chance(200);
	sim.guests_turn = chance(500);
	sim.host_total = sim.host.to_write;
	sim.guest_total = sim.guest.to_write;
	if (chance(500)) {
		sim.h = (struct fake_host){ .seed = 11, .peer_seed = 22 };
		fake_dialer_next(&sim.h, 0);
		sim.connect_due_ns = sim.now_ns + 1 + rnd(50 * NS_PER_MS);
		model_connect(&sim.m);
	} else {
		if (sim.failure == REFUSED)
			sim.failure = GUEST_RESETS;
		model_listen(&sim.m);
		open_to_guest(&sim.h);
	}
	sim.fail_due_ns =
		sim.failure == NO_FAILURE ? TIMERQ_NEVER : sim.now_ns + rnd(300 * NS_PER_MS);
}

static void check_promise(void)
{
	tcp_must_hold(&sim.g.env, &sim.h);
	must(!sim.g.env.stats.tcp_memory_pressure || sim.up.n_hurt);
}

/* A guest that drops a segment, with more behind it, gets that again, and it alone, at once. */
static void check_recovery(uint64_t timeouts_before)
{
	const struct stats *s = &sim.g.env.stats;

	if (!sim.m.set.drop_once || sim.up.n_hurt || sim.down.n_hurt)
		return;
	if (s->tcp_timeouts != timeouts_before)
		must(tcp_sack_bytes(&sim.m.ranges) <= 2u * sim.m.set.mss);
	must(s->tcp_timeouts || !sim.m.n_known);
}

static void step(void)
{
	uint64_t timeouts = sim.g.env.stats.tcp_timeouts;

	sim.now_ns = next_event();
	sim.g.env.now_ns = sim.m.now_ns = sim.now_ns;
	if (sim.g.room && sim_link_next(&sim.up) <= sim.now_ns)
		arrive_at_relay();
	if (sim_link_next(&sim.down) <= sim.now_ns)
		arrive_at_guest();
	connect_decided();
	timerq_run(&sim.g.env.timers, sim.now_ns, SIZE_MAX, &sim.g.env);
	model_tick(&sim.m);
	break_it();
	host_acts();
	guest_acts();
	while (demux_run_ready(&sim.g.env))
		;
	check_promise();
	collect();
	make_room();
	check_recovery(timeouts);
	tcp_witness_settled(&sim.w, &sim.g.env, &sim.h);
}

static void check_end(void)
{
	const struct stats *s = &sim.g.env.stats;
	unsigned hurt = sim.up.n_hurt + sim.down.n_hurt + sim.m.n_dropped;

	must(!sim.h.open && sim.g.env.tcp->pool.n_used == 0);
	must(!sim.owes_reset || sim.h.reset);
	if (!sim.failed) {
		must(!sim.h.reset && sim.h.shut);
		must(sim.h.n_taken == sim.guest_total && sim.m.n_read == sim.host_total);
	}
	if (!hurt) {
		must(model_done(&sim.m) && (sim.failed || !sim.m.reset));
		must(!sim.m.n_timeouts && !s->tcp_timeouts);
		must(!sim.m.n_retransmits && !s->tcp_retransmits);
	}
}

static bool over(void)
{
	bool quiet = !sim.g.env.flows.n && !sim.up.n && !sim.down.n;

	return quiet && (sim.failed || (model_done(&sim.m) && !model_readable(&sim.m)));
}

static void finish(void)
{
	sim_link_free(&sim.up);
	sim_link_free(&sim.down);
	tcp_free(&sim.g.env);
	fake_guest_free(&sim.g);
}

static uint64_t first_seed = 1, n_seeds = 6000, last_seed;

static void run(uint64_t seed)
{
	uint64_t limit, steps = 0;

	last_seed = seed;
	start(seed);
	collect();
	limit = sim.now_ns + 3600 * NS_PER_SEC;
	while (!over()) {
		must(sim.now_ns < limit && steps++ < 200000);
		step();
	}
	check_end();
	finish();
}

static void tell_seed(int signo)
{
	fprintf(stderr,
		"seed %" PRIu64 " failed; run it alone with: sim_tcp_guest %" PRIu64 " 1\n",
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
