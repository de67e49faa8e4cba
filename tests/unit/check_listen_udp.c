/* Sockets of UDP forwards, for real: what the network says of the guest's answers. */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
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
	struct forward_error error;
	uint64_t id;

	ck_assert_msg(forwards_add(g.env.forwards, FLOW_UDP, spec, &id, &error) == 1, "%s",
		      error.text);
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

/* What the loopback interface carries from now on. */
static int wire_open(void)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex("lo") };
	struct timeval patience = { .tv_sec = DEADLINE_NS / NS_PER_SEC };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

enum form { WHOLE, WHOLE_DF, FIRST_FRAGMENT };

/* In which form the next packet leaves. */
static enum form wire_form(int fd)
{
	uint8_t data[70000];
	struct sockaddr_ll sa;
	socklen_t len;

	do {
		len = sizeof(sa);
		ck_assert_int_ge(recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&sa, &len),
				 IP4_HEADER_LEN);
	} while (sa.sll_pkttype != PACKET_OUTGOING);
	if (data[0] >> 4 == 6)
		return data[6] == IP_UDP ? WHOLE_DF : FIRST_FRAGMENT;
	if (get_be16(data + 6) & 0x2000)
		return FIRST_FRAGMENT;
	return get_be16(data + 6) & 0x4000 ? WHOLE_DF : WHOLE;
}

/* The guest's answer leaves so, and arrives. */
static void assert_leaves(const struct client *c, size_t len, bool dont_fragment, enum form form)
{
	static uint8_t in[65536];
	int wire = wire_open();

	answer(c, len, dont_fragment);
	ck_assert_int_eq(recv(c->fd, in, sizeof(in), 0), (ssize_t)len);
	ck_assert_int_eq(wire_form(wire), form);
	close(wire);
}

/* DF is the guest's, whatever the host knows of the path; what does not even fit the interface is cut
 * up all the same. */
static void check_dont_fragment(const char *spec, const char *addr)
{
	static const struct icmp_hdr too_big4 = { ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED, 0, 1280 },
				     too_big6 = { ICMP6_TYPE_PACKET_TOO_BIG, 0, 0, 1280 };
	struct client c, other;
	bool ip4 = addr_is_ip4(&(struct addr[]){ addr_of(addr) }[0]);
	const struct icmp_hdr *too_big = ip4 ? &too_big4 : &too_big6;
	uint16_t port;

	setup();
	ck_assert_int_eq(own_net_ip("link set lo mtu 1500"), 0);
	port = forward(spec);
	c = client_open(addr, port);
	other = client_open(addr, port);
	assert_leaves(&c, 1400, true, WHOLE_DF);
	if (ip4)
		assert_leaves(&c, 1000, false, WHOLE);
	assert_leaves(&c, 4000, false, FIRST_FRAGMENT);
	/* though the socket is set for none now */
	complain(&c, too_big);
	await_frames(3);
	assert_error(&c.shown, too_big->type, too_big->code, 1280);
	assert_leaves(&c, 1400, true, WHOLE_DF);
	assert_leaves(&c, 4000, true, FIRST_FRAGMENT);
	assert_leaves(&c, 4000, true, FIRST_FRAGMENT);
	assert_leaves(&c, 1400, true, WHOLE_DF);
	/* what is pending of one path says nothing of the interface */
	complain(&c, too_big);
	assert_leaves(&other, 1400, true, WHOLE_DF);
	assert_leaves(&other, 1400, true, WHOLE_DF);
	await_frames(4);
	assert_quiet();
	close(c.fd);
	close(other.fd);
	teardown();
}

START_TEST(dont_fragment)
{
	check_dont_fragment("0:53", "127.0.0.1");
	check_dont_fragment("127.0.0.1/0:53", "127.0.0.1");
	check_dont_fragment("0:53", "::1");
	check_dont_fragment("::1/0:53", "::1");
}
END_TEST

/* Answers of one length leave as one, each with the header that it would have alone. */
START_TEST(trains)
{
	static const char *const addrs[] = { "127.0.0.1", "::1" };
	struct client c;
	char in[2000];

	for (size_t k = 0; k < 2; k++) {
		setup();
		c = client_open(addrs[k], forward("0:53"));
		for (size_t i = 0; i < 100; i++) {
			static struct packet packets[100];
			struct packet_ip ip = { .dst = addr_get_ip4(&c.shown) };
			struct packet_ip6 ip6 = { .src = g.net.ip6.guest, .dst = c.shown };

			if (addr_is_ip4(&c.shown))
				packet_udp(&packets[i], &ip, 53, c.shown_port, NULL, i < 90 ? 1000 : i);
			else
				packet_udp6(&packets[i], &ip6, 53, c.shown_port, NULL, i < 90 ? 1000 : i);
			ck_assert_int_eq(udp_from_guest(&g.env, &packets[i].pkt), DROP_NONE);
		}
		udp_batch_end(&g.env);
		for (size_t i = 0; i < 100; i++)
			ck_assert_int_eq(recv(c.fd, in, sizeof(in), 0), (ssize_t)(i < 90 ? 1000 : i));
		close(c.fd);
		teardown();
	}
}
END_TEST

/* What clients send together is told apart, also where the link gets full in the middle. */
START_TEST(segments)
{
	static const char *const addrs[] = { "127.0.0.1", "::1" };
	uint8_t out[3500];
	int segment = 1000;
	struct client c;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i / 500);
	for (size_t k = 0; k < 2; k++) {
		setup();
		c = client_open(addrs[k], forward("0:53"));
		fake_guest_clear(&g);
		ck_assert_int_eq(setsockopt(c.fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
		ck_assert_int_eq(send(c.fd, out, sizeof(out), 0), sizeof(out));
		g.room = 2;
		await_frames(2);
		g.room = -1;
		udp_room(&g.env);
		await_frames(4);
		for (size_t i = 0; i < 4; i++) {
			const struct fake_frame *f = fake_guest_frame(&g, i);
			struct pkt p;

			ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
			ck_assert_uint_eq(p.payload_len, i < 3 ? 1000 : 500);
			ck_assert(!memcmp(p.payload, out + i * 1000, p.payload_len));
		}
		close(c.fd);
		teardown();
	}
}
END_TEST

static void say(const struct client *c, const char *text)
{
	ck_assert_int_eq(send(c->fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void assert_got(size_t i, const char *text)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_uint_eq(p.payload_len, strlen(text));
	ck_assert(!memcmp(p.payload, text, p.payload_len));
}

/* What was read waits where it is, and what comes meanwhile, to whichever forward, in its socket. */
START_TEST(full_link)
{
	struct client one, other;

	setup();
	one = client_open("127.0.0.1", forward("0:53"));
	other = client_open("::1", forward("0:53"));
	fake_guest_clear(&g);
	g.room = 1;
	say(&one, "a");
	say(&one, "b");
	say(&one, "c");
	await_frames(1);
	say(&one, "d");
	say(&other, "e");
	assert_quiet();
	g.room = -1;
	udp_room(&g.env);
	await_frames(5);
	assert_got(0, "a");
	assert_got(1, "b");
	assert_got(2, "c");
	ck_assert_uint_eq(g.env.stats.forward_lost, 0);
	close(one.fd);
	close(other.fd);
	teardown();
}
END_TEST

/* Nothing of it reaches the guest any more, and others go on. */
START_TEST(forward_ends_while_its_datagrams_wait)
{
	struct client one, other;
	uint64_t id;

	setup();
	one = client_open("127.0.0.1", forward("0:53"));
	id = forwards_next(g.env.forwards, 0)->id;
	other = client_open("::1", forward("0:53"));
	fake_guest_clear(&g);
	g.room = 1;
	say(&one, "a");
	say(&one, "b");
	await_frames(1);
	say(&other, "c");
	assert_quiet();
	ck_assert_int_eq(forwards_remove(g.env.forwards, id), 0);
	g.room = -1;
	udp_room(&g.env);
	await_frames(2);
	assert_got(1, "c");
	assert_quiet();
	close(one.fd);
	close(other.fd);
	teardown();
}
END_TEST

#define CLIENT_ADDR 0xc0000209 /* 192.0.2.9 */
#define HOST_ADDR   0xc0000201

/* A link whose other end, `end`, belongs to the test, with a neighbor that does not tell where
 * it is: what is sent to it waits, as long as the room of the socket that it came from is
 * taken. */
static void link_without_answers(void)
{
	IP("link add dark mtu 1500 type veth peer name end");
	IP("addr add 192.0.2.1/24 dev dark");
	IP("link set dark up");
	IP("link set end up");
	ck_assert_int_eq(system("echo 1000000 >/proc/sys/net/ipv4/neigh/dark/unres_qlen_bytes"),
			 0);
}

/* A datagram of the client comes. */
static void dark_client_says(uint16_t port)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex("end") };
	static struct packet p;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	packet_udp(&p, &(struct packet_ip){ .src = CLIENT_ADDR, .dst = HOST_ADDR }, 4000, port,
		   "x", 1);
	memset(p.frame, 0xff, MAC_LEN); /* to all */
	put_be16(p.frame + ETH_HEADER_LEN + IP4_HEADER_LEN + 6, 0);
	ck_assert_int_eq(sendto(fd, p.frame, p.len, 0, (struct sockaddr *)&sa, sizeof(sa)),
			 (ssize_t)p.len);
	close(fd);
}

/* An error that is left where it is would wake us up for ever, while the socket has no room and
 * the guest's link has none. */
START_TEST(error_while_all_is_full)
{
	static const struct icmp_hdr too_big = { ICMP_TYPE_UNREACHABLE,
						 ICMP_CODE_FRAGMENTATION_NEEDED, 0, 1280 };
	struct client c = { .own = { addr_ip4(CLIENT_ADDR), 4000 },
			    .server = { addr_ip4(HOST_ADDR), 0 },
			    .shown = addr_ip4(CLIENT_ADDR),
			    .shown_port = 4000 };
	uint16_t port;

	setup();
	link_without_answers();
	c.server.port = port = forward("0:53");
	dark_client_says(port);
	await_frames(1);
	while (!g.env.stats.udp_queued)
		answer(&c, 60000, true);
	g.reply_room = g.room = 1;
	dark_client_says(port);
	assert_quiet();
	complain(&c, &too_big);
	await_frames(2);
	assert_error(&g.net.ip4.gateway, too_big.type, too_big.code, 1280);
	assert_quiet();
	ck_assert_uint_gt(g.env.stats.udp_queued, 0);
	IP("link del dark");
	teardown();
}
END_TEST

SUITE_MAIN_AFTER(own_net_enter, "listen_udp", error_while_all_is_full, full_link,
		 forward_ends_while_its_datagrams_wait, closed_port, others_go_on,
		 error_without_flow, kinds_of_ip4, kinds_of_ip6, dont_fragment, trains,
		 segments)
