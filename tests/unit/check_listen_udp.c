/* Sockets of UDP forwards, for real: what the network says of the guest's answers. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "host/listen.h"
#include "host/sock.h"
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/own_net.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "loop/edge.h"
#include "proto/udp.h"
#include "wire/icmp6.h"

#define DEADLINE_NS (20 * NS_PER_SEC)
#define ROUTER4 "127.0.0.77"

static struct fake_guest g;
static struct fake_udp fake_udp;
static struct loop *loop;
static struct edge_set *edges;
static struct listen *listeners;
static struct timer timer;
static struct packet packet;
static unsigned n_wakeups;
static size_t n_awaited;

static void too_late(struct timer *t, void *ctx)
{
	ck_abort_msg("it did not happen in time");
}

static void enough(struct timer *t, void *ctx)
{
	loop_stop(loop);
}

static void on_wakeup(void *ctx, uint64_t now_ns)
{
	g.env.now_ns = now_ns;
	n_wakeups++;
}

static bool on_idle(void *ctx)
{
	if (g.n_frames >= n_awaited)
		loop_stop(loop);
	return false;
}

static void run(size_t n_frames, uint64_t ns, void (*fire)(struct timer *t, void *ctx))
{
	n_awaited = n_frames;
	timer.fire = fire;
	ck_assert_int_eq(timerq_set(&g.env.timers, &timer, loop_clock_ns() + ns), 0);
	loop_run(loop);
	timerq_cancel(&g.env.timers, &timer);
}

static void await_frames(size_t n)
{
	run(n, DEADLINE_NS, too_late);
	ck_assert_uint_eq(g.n_frames, n);
}

/* Nothing happens, and nothing wakes us up for it. */
static void assert_quiet(void)
{
	size_t n = g.n_frames;

	n_wakeups = 0;
	run(SIZE_MAX, 50 * NS_PER_MS, enough);
	ck_assert_uint_eq(g.n_frames, n);
	ck_assert_uint_lt(n_wakeups, 5);
}

static void setup(void)
{
	struct forward_ports ports;

	log_set_level(LOG_LEVEL_ERROR);
	own_net_ip("link set lo mtu 65536 up");
	fake_guest_init(&g);
	fake_udp_init(&fake_udp);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &fake_udp);
	loop = loop_new(&g.env.timers, &g.env);
	loop_set_wakeup(loop, on_wakeup, NULL);
	loop_set_idle(loop, on_idle, NULL);
	edges = edge_set_new(loop, &g.env);
	listeners = listen_new(&g.env, loop, edges);
	listen_read_ports(&ports);
	g.env.now_ns = loop_clock_ns();
	g.env.forwards = forwards_new(&g.env, &listen_ops, listeners, &ports);
}

static void teardown(void)
{
	forwards_free(g.env.forwards);
	listen_free(listeners);
	ck_assert_uint_eq(g.env.timers.n, 0);
	edge_set_free(edges);
	loop_free(loop);
	udp_free(g.env.udp);
	fake_udp_free(&fake_udp);
	fake_guest_free(&g);
}

/* Opens a forward to the guest's port 53; returns the host's. */
static uint16_t forward(const char *spec)
{
	char error[FORWARD_ERROR_MAX];
	uint64_t id;

	ck_assert_msg(forwards_add(g.env.forwards, FLOW_UDP, spec, &id, error) == 1, "%s", error);
	return forwards_next(g.env.forwards, id - 1)->rule.first;
}

struct client {
	int fd;
	struct endpoint own, server;
	struct addr shown; /* as the guest sees it */
	uint16_t shown_port;
};

/* A client that has sent a datagram, which the guest got. */
static struct client client_open(const char *addr, uint16_t port)
{
	struct client c = { .server = { addr_of(addr), port } };
	struct sockaddr_storage sa;
	unsigned len = endpoint_to_sockaddr(&c.server, (struct sockaddr *)&sa);
	struct timeval patience = { .tv_sec = DEADLINE_NS / NS_PER_SEC };
	const struct fake_frame *f;
	struct pkt p;

	c.fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(c.fd, 0);
	setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ck_assert_int_eq(connect(c.fd, (struct sockaddr *)&sa, len), 0);
	sock_local(c.fd, &c.own);
	ck_assert_int_eq(send(c.fd, "question", 8, 0), 8);
	await_frames(g.n_frames + 1);
	f = fake_guest_frame(&g, g.n_frames - 1);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	c.shown = p.src;
	c.shown_port = p.udp.sport;
	return c;
}

/* The guest answers with `len` bytes. */
static void answer(const struct client *c, size_t len, bool dont_fragment)
{
	struct packet_ip ip = { .dont_fragment = dont_fragment };
	struct packet_ip6 ip6 = { .src = g.net.ip6.guest, .dst = c->shown };

	if (addr_is_ip4(&c->shown)) {
		ip.dst = addr_get_ip4(&c->shown);
		packet_udp(&packet, &ip, 53, c->shown_port, NULL, len);
	} else {
		packet_udp6(&packet, &ip6, 53, c->shown_port, NULL, len);
		packet.pkt.dont_fragment = dont_fragment;
	}
	ck_assert_int_eq(udp_from_guest(&g.env, &packet.pkt), DROP_NONE);
	udp_batch_end(&g.env);
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 0);
}

/* The guest got an ICMP error last, about what it sent last. */
static void assert_error(const struct addr *from, uint8_t type, uint8_t code, uint32_t rest)
{
	const struct fake_frame *f = fake_guest_frame(&g, g.n_frames - 1);
	char got[ADDR_STR_MAX], want[ADDR_STR_MAX];
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_str_eq(addr_print(&p.src, got), addr_print(from, want));
	ck_assert_uint_eq(p.icmp.type, type);
	ck_assert_uint_eq(p.icmp.code, code);
	ck_assert_uint_eq((uint32_t)p.icmp.id << 16 | p.icmp.seq, rest);
	ck_assert(!memcmp(p.payload + packet.pkt.ip_header_len, packet.pkt.l4, UDP_HEADER_LEN));
}

static void check_closed_port(const char *spec, const char *addr)
{
	struct client c;

	setup();
	c = client_open(addr, forward(spec));
	close(c.fd);
	answer(&c, 6, false);
	await_frames(2);
	if (addr_is_ip4(&c.own.addr))
		assert_error(&c.shown, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0);
	else
		assert_error(&c.shown, ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_PORT, 0);
	assert_quiet();
	ck_assert_uint_eq(g.env.stats.udp_errors, 1);
	ck_assert_uint_eq(g.env.stats.forward_errors_lost, 0);
	teardown();
}

START_TEST(closed_port)
{
	check_closed_port("0:53", "127.0.0.9");
	check_closed_port("0.0.0.0/0:53", "127.0.0.1");
	check_closed_port("0:53", "::1");
	check_closed_port("::1/0:53", "::1");
}
END_TEST

/* What is pending of one client loses no datagram of another, either way. */
START_TEST(others_go_on)
{
	struct client gone, there;
	uint16_t port;
	char in[64];

	setup();
	port = forward("0:53");
	there = client_open("127.0.0.1", port);
	gone = client_open("::1", port);
	close(gone.fd);
	for (size_t i = 1; i <= 20; i++) {
		answer(&gone, 1, false);
		answer(&there, i, false);
		ck_assert_int_eq(recv(there.fd, in, sizeof(in), 0), (ssize_t)i);
	}
	/* the next thing the socket knows is an error */
	answer(&gone, 1, false);
	fake_guest_clear(&g);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(send(there.fd, "more", 4, 0), 4);
	await_frames(41);
	assert_quiet();
	close(there.fd);
	teardown();
}
END_TEST

/* Who left has no flow: its error is counted. */
START_TEST(error_without_flow)
{
	struct client c;

	setup();
	c = client_open("127.0.0.1", forward("0:53"));
	close(c.fd);
	answer(&c, 6, false);
	udp_preempt(&g.env);
	fake_guest_clear(&g);
	assert_quiet();
	ck_assert_uint_eq(g.env.stats.forward_errors_lost, 1);
	teardown();
}
END_TEST

/* Sends what a router would say of a datagram from the forward's port to the client. */
static void complain(const struct client *c, const struct icmp_hdr *h)
{
	bool ip4 = addr_is_ip4(&c->own.addr);
	struct endpoint from = { ip4 ? addr_of(ROUTER4) : ADDR_LOOPBACK6, 0 }, to = { c->server.addr, 0 };
	int fd = socket(ip4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, ip4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	uint8_t quote[100], message[200];
	struct wr w = wr_init(quote, sizeof(quote)), icmp = wr_init(message, sizeof(message));
	struct sockaddr_storage sa;
	unsigned len;

	if (ip4)
		ip4_encode(&w, &(struct ip4_hdr){ .total_len = IP4_HEADER_LEN + UDP_HEADER_LEN + 6, .ttl = 1,
						  .proto = IP_UDP, .src = c->server.addr, .dst = c->own.addr });
	else
		ip6_encode(&w, &(struct ip6_hdr){ .payload_len = UDP_HEADER_LEN + 6, .next_header = IP_UDP,
						  .hop_limit = 1, .src = c->server.addr, .dst = c->own.addr });
	udp_encode(&w, &(struct udp_hdr){ c->server.port, c->own.port, UDP_HEADER_LEN + 6, 0 });
	wr_zero(&w, 6);
	write_icmp(&icmp, h, quote, wr_len(&w)); /* the kernel sums up that of IPv6 */
	len = endpoint_to_sockaddr(&from, (struct sockaddr *)&sa);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	len = endpoint_to_sockaddr(&to, (struct sockaddr *)&sa);
	ck_assert_int_eq(sendto(fd, message, wr_len(&icmp), 0, (struct sockaddr *)&sa, len),
			 (ssize_t)wr_len(&icmp));
	close(fd);
}

/* Of each kind, through a socket of both families or of one. */
static void check_kinds(const char *spec, const char *addr, const struct icmp_hdr *kinds, size_t n)
{
	struct client c;

	setup();
	c = client_open(addr, forward(spec));
	answer(&c, 6, true);
	for (size_t i = 0; i < n; i++) {
		const struct icmp_hdr *h = &kinds[i];

		complain(&c, h);
		await_frames(2 + i);
		/* both are on the host's loopback */
		assert_error(&c.shown, h->type, h->code, (uint32_t)h->id << 16 | h->seq);
	}
	assert_quiet();
	close(c.fd);
	teardown();
}

START_TEST(kinds_of_ip4)
{
	static const struct icmp_hdr kinds[] = {
		{ ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET, 0, 0 },
		{ ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST, 0, 0 },
		{ ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0, 0 },
		{ ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED, 0, 1280 },
		{ ICMP_TYPE_UNREACHABLE, ICMP_CODE_ADMIN_PROHIBITED, 0, 0 },
		{ ICMP_TYPE_TIME_EXCEEDED, 0, 0, 0 },
	};

	check_kinds("0:53", "127.0.0.1", kinds, sizeof(kinds) / sizeof(kinds[0]));
	check_kinds("127.0.0.1/0:53", "127.0.0.1", kinds, sizeof(kinds) / sizeof(kinds[0]));
}
END_TEST

START_TEST(kinds_of_ip6)
{
	static const struct icmp_hdr kinds[] = {
		{ ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_NO_ROUTE, 0, 0 },
		{ ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_ADMIN_PROHIBITED, 0, 0 },
		{ ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_ADDRESS, 0, 0 },
		{ ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_PORT, 0, 0 },
		{ ICMP6_TYPE_PACKET_TOO_BIG, 0, 0, 1400 },
		{ ICMP6_TYPE_TIME_EXCEEDED, 0, 0, 0 },
	};

	check_kinds("0:53", "::1", kinds, sizeof(kinds) / sizeof(kinds[0]));
	check_kinds("::1/0:53", "::1", kinds, sizeof(kinds) / sizeof(kinds[0]));
}
END_TEST

SUITE_MAIN_AFTER(own_net_enter, "listen_udp", closed_port, others_go_on, error_without_flow, kinds_of_ip4,
		 kinds_of_ip6)
