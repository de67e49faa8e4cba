/* Clients of UDP forwards: what the guest sees of them, and how its answers find back. */
#include "proto/udp.h"

#include <errno.h>

#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/host_error.h"
#include "wire/icmp6.h"

#define GATEWAY 0x0a000202
#define CLIENT	0xc6336407 /* 198.51.100.7 */
#define OURS	0xcb007109 /* 203.0.113.9 */

/* The listening socket of a forward. */
struct listener {
	struct udp_client_sock sock;
	struct udp_client client; /* of the last datagram sent */
	struct host_ip ip;
	uint8_t ttl, tos; /* of what its clients send */
	char sent[64]; /* first bytes of each datagram sent */
	size_t n_sent;
	int send_error, send_error_once;
	struct host_error errors[8]; /* that came about what was sent to `erring` */
	struct endpoint erring;
	int n_errors;
	bool keep_failing; /* each send fails and brings another error */
	bool blocked, wants_write;
	unsigned n_room;
	const char *again; /* offered when there is room */
};

static struct fake_guest g;
static struct fake_udp host;
static struct packet packet;
static struct listener one, other;
static const struct endpoint guest = { .port = 80 };

static struct listener *listener_of(struct udp_client_sock *s)
{
	return container_of(s, struct listener, sock);
}

/* Nobody is at the port. */
static struct host_error refused_by(struct addr from)
{
	return (struct host_error){ .icmp = { ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0 },
				    .from = from,
				    .len = 1,
				    .quote = "b" };
}

static int listener_send(struct udp_client_sock *s, const struct udp_client *client,
			 struct udp_path *path, const struct host_ip *ip, const struct iovec *d, int n)
{
	struct listener *l = listener_of(s);

	int once = l->send_error_once;

	l->send_error_once = 0;
	if (once)
		return -once;
	if (l->keep_failing) {
		l->errors[l->n_errors++] = refused_by(l->erring.addr);
		return -ECONNREFUSED;
	}
	if (l->send_error)
		return -l->send_error;
	if (l->blocked)
		return -EAGAIN;
	l->client = *client;
	l->ip = *ip;
	for (int i = 0; i < n; i++) {
		ck_assert_uint_lt(l->n_sent, sizeof(l->sent) - 1);
		l->sent[l->n_sent++] = *(const char *)d[i].iov_base;
	}
	return n;
}

static void want_write(struct udp_client_sock *s, bool want)
{
	listener_of(s)->wants_write = want;
}

static int client_says(struct listener *l, uint32_t addr, uint16_t port, const char *text)
{
	struct udp_client client = { .addr = { addr_ip4(addr), port },
				     .local = addr_ip4(OURS),
				     .ttl = l->ttl,
				     .tos = l->tos };
	struct endpoint to = { addr_ip4(0x0a00020f), guest.port };
	struct addr shown = net_to_guest(&g.net, &client.addr.addr);

	return udp_from_client(&g.env, &l->sock, &client, &shown, &to, text, strlen(text));
}

static void room(struct udp_client_sock *s)
{
	struct listener *l = listener_of(s);

	l->n_room++;
	if (l->again && !client_says(l, CLIENT, 4000, l->again))
		l->again = NULL;
}

static int tell_error(struct listener *l, const struct udp_client *client, const char *shown,
		      const struct host_error *e)
{
	struct endpoint to = { addr_ip4(0x0a00020f), guest.port };
	struct addr as = shown ? addr_of(shown) : net_to_guest(&g.net, &client->addr.addr);

	return udp_client_error(&g.env, &l->sock, client, &as, &to, e);
}

static int read_errors(struct udp_client_sock *s)
{
	struct listener *l = listener_of(s);
	int n = l->n_errors;

	for (int i = 0; i < n; i++)
		tell_error(l, &(struct udp_client){ .addr = l->erring }, NULL, &l->errors[i]);
	l->n_errors = 0;
	return n;
}

static const struct udp_client_ops ops = { listener_send, want_write, room, read_errors };

static void begin(void)
{
	fake_guest_init(&g);
	fake_udp_init(&host);
	one = other = (struct listener){ 0 };
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &host);
	udp_client_sock_init(&one.sock, &ops, 8080);
	udp_client_sock_init(&other.sock, &ops, 8081);
}

static void end(void)
{
	udp_client_sock_end(&g.env, &one.sock);
	udp_client_sock_end(&g.env, &other.sock);
	ck_assert_uint_eq(g.env.flows.n, 0);
	ck_assert_uint_eq(g.env.timers.n, 0);
	udp_free(g.env.udp);
	fake_udp_free(&host);
	fake_guest_free(&g);
}

static enum drop guest_says(uint32_t dst, uint16_t dport, const char *text)
{
	enum drop reason;

	packet_udp(&packet, &(struct packet_ip){ .dst = dst }, guest.port, dport, text,
		   strlen(text));
	reason = udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	return reason;
}

static void assert_got(size_t i, uint32_t src, uint16_t sport, const char *text)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_uint_eq(addr_get_ip4(&p.src), src);
	ck_assert_uint_eq(p.udp.sport, sport);
	ck_assert_uint_eq(p.udp.dport, guest.port);
	ck_assert_uint_eq(p.payload_len, strlen(text));
	ck_assert(!memcmp(p.payload, text, strlen(text)));
}

START_TEST(client_keeps_its_address)
{
	struct flow *f;

	begin();
	ck_assert_int_eq(client_says(&one, CLIENT, 4000, "question"), 0);
	assert_got(0, CLIENT, 4000, "question");
	guest_says(CLIENT, 4000, "answer");
	ck_assert_str_eq(one.sent, "a");
	ck_assert_uint_eq(addr_get_ip4(&one.client.addr.addr), CLIENT);
	ck_assert_uint_eq(one.client.addr.port, 4000);
	ck_assert_uint_eq(addr_get_ip4(&one.client.local), OURS);
	/* which ends when the host loses that address */
	f = container_of(g.env.flows.all.next, struct flow, all);
	ck_assert_uint_eq(addr_get_ip4(&f->host.addr), OURS);
	ck_assert_uint_eq(f->host.port, one.sock.port);
	ck_assert_uint_eq(host.n_socks, 0);
	end();
}
END_TEST

/* TTL, DSCP and ECN, both ways, and the guest's DF. */
START_TEST(ip_header)
{
	const struct fake_frame *f;
	struct pkt p;

	begin();
	one.ttl = 57;
	one.tos = 0xb9;
	client_says(&one, CLIENT, 4000, "question");
	f = fake_guest_frame(&g, 0);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_uint_eq(p.ttl, 57);
	ck_assert_uint_eq(p.tos, 0xb9);
	packet_udp(&packet, &(struct packet_ip){ .dst = CLIENT, .ttl = 9, .tos = 0x2e }, guest.port, 4000,
		   "a", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	ck_assert_uint_eq(one.ip.ttl, 9);
	ck_assert_uint_eq(one.ip.tos, 0x2e);
	ck_assert(!one.ip.dont_fragment);
	packet_udp(&packet, &(struct packet_ip){ .dst = CLIENT, .dont_fragment = true }, guest.port, 4000, "a", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	ck_assert(one.ip.dont_fragment);
	end();
}
END_TEST

START_TEST(loopback_client_is_the_gateway)
{
	begin();
	client_says(&one, 0x7f000001, 4000, "a");
	assert_got(0, GATEWAY, 4000, "a");
	guest_says(GATEWAY, 4000, "b");
	ck_assert_uint_eq(addr_get_ip4(&one.client.addr.addr), 0x7f000001);
	end();
}
END_TEST

/* Who looks like another to the guest gets another port, and keeps it. */
START_TEST(clients_that_look_alike)
{
	const uint16_t next = 49152 + 4001, last = 49152 + 4002;

	begin();
	client_says(&one, 0x7f000001, 4000, "a");
	client_says(&one, 0x7f000002, 4000, "b");
	client_says(&other, 0x7f000003, 4000, "c");
	client_says(&one, 0x7f000001, 4000, "d");
	client_says(&one, 0x7f000002, 4000, "e");
	assert_got(0, GATEWAY, 4000, "a");
	assert_got(1, GATEWAY, next, "b");
	assert_got(2, GATEWAY, last, "c");
	assert_got(3, GATEWAY, 4000, "d");
	assert_got(4, GATEWAY, next, "e");
	ck_assert_uint_eq(g.env.flows.n, 3);
	guest_says(GATEWAY, 4000, "x");
	ck_assert_uint_eq(addr_get_ip4(&one.client.addr.addr), 0x7f000001);
	guest_says(GATEWAY, next, "y");
	ck_assert_uint_eq(addr_get_ip4(&one.client.addr.addr), 0x7f000002);
	ck_assert_uint_eq(one.client.addr.port, 4000);
	guest_says(GATEWAY, last, "z");
	ck_assert_str_eq(one.sent, "xy");
	ck_assert_str_eq(other.sent, "z");
	ck_assert_uint_eq(addr_get_ip4(&other.client.addr.addr), 0x7f000003);
	end();
}
END_TEST

START_TEST(too_many_look_alike)
{
	begin();
	for (uint32_t i = 0; i < FLOW_PORT_CHOICES; i++)
		ck_assert_int_eq(client_says(&one, 0x7f000001 + i, 4000, "a"), 0);
	ck_assert_int_eq(client_says(&one, 0x7f000801, 4000, "a"), -EEXIST);
	ck_assert_int_eq(client_says(&one, 0x7f000001, 4000, "a"), 0);
	ck_assert_uint_eq(g.env.flows.n, FLOW_PORT_CHOICES);
	end();
}
END_TEST

static int link_local_says(unsigned link, const char *text)
{
	struct udp_client client = { { addr_of("fe80::77"), 4000 }, addr_of("fe80::1"), link };
	struct endpoint to = { addr_of("fe80::f"), guest.port };

	return udp_from_client(&g.env, &one.sock, &client, &client.addr.addr, &to, text,
			       strlen(text));
}

static void guest_says_to(const char *dst, uint16_t dport, const char *text)
{
	const struct packet_ip6 ip = { .src = addr_of("fe80::f"), .dst = addr_of(dst) };

	packet_udp6(&packet, &ip, guest.port, dport, text, strlen(text));
	ck_assert_int_eq(udp_from_guest(&g.env, &packet.pkt), DROP_NONE);
	udp_batch_end(&g.env);
}

/* One address on two links is two clients; answers find the link. */
START_TEST(link_local_clients)
{
	begin();
	ck_assert_int_eq(link_local_says(2, "a"), 0);
	ck_assert_int_eq(link_local_says(3, "b"), 0);
	ck_assert_uint_eq(g.env.flows.n, 2);
	guest_says_to("fe80::77", 4000, "x");
	ck_assert_uint_eq(one.client.link, 2);
	ck_assert(addr_eq(&one.client.local, &(struct addr[]){ addr_of("fe80::1") }[0]));
	guest_says_to("fe80::77", 49152 + 4001, "y");
	ck_assert_uint_eq(one.client.link, 3);
	end();
}
END_TEST

START_TEST(clients_and_forwards_do_not_mix)
{
	begin();
	client_says(&one, CLIENT, 4000, "a");
	client_says(&one, CLIENT, 4001, "b");
	client_says(&one, CLIENT + 1, 4000, "c");
	ck_assert_uint_eq(g.env.flows.n, 3);
	guest_says(CLIENT, 4001, "x");
	ck_assert_uint_eq(one.client.addr.port, 4001);
	client_says(&other, CLIENT, 4000, "d"); /* now through another port of ours */
	ck_assert_uint_eq(g.env.flows.n, 3);
	guest_says(CLIENT, 4000, "y");
	ck_assert_str_eq(one.sent, "x");
	ck_assert_str_eq(other.sent, "y");
	end();
}
END_TEST

START_TEST(answer_within_a_flow_of_the_guest)
{
	begin();
	guest_says(CLIENT, 4000, "a");
	ck_assert_int_eq(client_says(&one, CLIENT, 4000, "b"), 0);
	assert_got(0, CLIENT, 4000, "b");
	guest_says(CLIENT, 4000, "c");
	ck_assert_uint_eq(fake_udp_sock(&host, 0)->n_sent, 2);
	ck_assert_uint_eq(one.n_sent, 0);
	udp_refused_by_guest(&g.env, &(struct endpoint){ addr_ip4(0x0a00020f), guest.port },
			     &(struct endpoint){ addr_ip4(CLIENT), 4000 });
	end();
}
END_TEST

/* Nobody gets into a flow of the guest by looking like its peer. */
START_TEST(flows_of_the_guest_are_its_own)
{
	begin();
	guest_says(GATEWAY, 4000, "a");
	client_says(&one, 0x7f000002, 4000, "b");
	assert_got(0, GATEWAY, 49152 + 4001, "b");
	client_says(&one, 0x7f000001, 4000, "c");
	assert_got(1, GATEWAY, 4000, "c");
	ck_assert_uint_eq(g.env.flows.n, 2);
	udp_refused_by_guest(&g.env, &(struct endpoint){ addr_ip4(0x0a00020f), guest.port },
			     &(struct endpoint){ addr_ip4(GATEWAY), 4000 });
	end();
}
END_TEST

START_TEST(full_link_holds_the_listener)
{
	begin();
	g.room = 1;
	ck_assert_int_eq(client_says(&one, CLIENT, 4000, "a"), 0);
	ck_assert_int_eq(client_says(&one, CLIENT, 4000, "b"), -ENOBUFS);
	ck_assert_int_eq(client_says(&other, CLIENT, 4001, "c"), -ENOBUFS);
	one.again = "b";
	g.room = 0;
	udp_room(&g.env);
	ck_assert_uint_eq(one.n_room, 1);
	ck_assert_ptr_nonnull(one.again);
	g.room = -1;
	udp_room(&g.env);
	ck_assert_ptr_null(one.again);
	ck_assert_uint_eq(one.n_room, 2);
	ck_assert_uint_eq(other.n_room, 1);
	assert_got(1, CLIENT, 4000, "b");
	udp_room(&g.env);
	ck_assert_uint_eq(one.n_room, 2);
	end();
}
END_TEST

START_TEST(answers_wait_for_the_listener)
{
	begin();
	client_says(&one, CLIENT, 4000, "a");
	client_says(&one, CLIENT, 4001, "b");
	one.blocked = true;
	guest_says(CLIENT, 4000, "1");
	guest_says(CLIENT, 4000, "2");
	guest_says(CLIENT, 4001, "3");
	ck_assert_uint_eq(one.n_sent, 0);
	ck_assert(one.wants_write);
	one.blocked = false;
	udp_client_writable(&g.env, &one.sock);
	ck_assert_str_eq(one.sent, "123");
	ck_assert(!one.wants_write);
	/* flows that end leave nothing to be sent */
	one.blocked = true;
	guest_says(CLIENT, 4000, "4");
	ck_assert(one.wants_write);
	udp_client_sock_end(&g.env, &one.sock);
	ck_assert(!one.wants_write);
	end();
}
END_TEST

/* The frame is an ICMP error that quotes what the guest sent last. */
static void assert_error(size_t i, const char *from, uint8_t type, uint8_t code, uint32_t rest)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);
	char text[ADDR_STR_MAX];
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_str_eq(addr_print(&p.src, text), from);
	ck_assert_uint_eq(p.icmp.type, type);
	ck_assert_uint_eq(p.icmp.code, code);
	ck_assert_uint_eq((uint32_t)p.icmp.id << 16 | p.icmp.seq, rest);
	ck_assert_uint_eq(p.payload_len, packet.pkt.ip_len);
	ck_assert(!memcmp(p.payload + packet.pkt.ip_header_len, packet.pkt.l4, packet.pkt.l4_len));
}

START_TEST(failed_answer_is_told)
{
	begin();
	client_says(&one, CLIENT, 4000, "a");
	one.send_error = ENETUNREACH;
	guest_says(CLIENT, 4000, "1");
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 1);
	assert_error(1, "10.0.2.2", ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET, 0);
	one.send_error = ENOBUFS; /* that passes */
	guest_says(CLIENT, 4000, "1");
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 2);
	ck_assert_uint_eq(g.n_frames, 2);
	end();
}
END_TEST

START_TEST(error_exactly)
{
	const struct udp_client client = { .addr = { addr_ip4(CLIENT), 4000 } };
	const struct host_error refused = refused_by(client.addr.addr);
	const struct fake_frame *f;

	begin();
	client_says(&one, CLIENT, 4000, "a");
	packet_udp(&packet, &(struct packet_ip){ .dst = CLIENT, .ttl = 9, .tos = 4, .dont_fragment = true },
		   guest.port, 4000, "b", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	ck_assert_int_eq(tell_error(&one, &client, NULL, &refused), 0);
	f = fake_guest_frame(&g, 1);
	/* Ethernet; IPv4: 57 bytes, TTL 64, ICMP, 198.51.100.7 to 10.0.2.15
	 * ICMP: port unreachable
	 * quoted IPv4: 29 bytes, TOS 4, DF, TTL 9, UDP, 10.0.2.15 to 198.51.100.7
	 * quoted UDP: 80 to 4000, 9 bytes, checksum as the guest sent it; "b" */
	assert_bytes(f->data, f->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 39  00 01 00 00  40 01 44 7a  c6 33 64 07  0a 00 02 0f"
		     "03 03 cc 13  00 00 00 00"
		     "45 04 00 1d  00 00 40 00  09 11 3b 83  0a 00 02 0f  c6 33 64 07"
		     "00 50 0f a0  00 09 be ef  62");
	ck_assert_uint_eq(g.env.stats.udp_errors, 1);
	ck_assert_uint_eq(g.env.flows.n, 1);
	end();
}
END_TEST

/* Only of what the guest sent to that client, through that socket. */
START_TEST(errors_of_nothing_sent)
{
	const struct udp_client client = { .addr = { addr_ip4(CLIENT), 4000 } },
				stranger = { .addr = { addr_ip4(CLIENT), 4001 } };
	const struct host_error refused = refused_by(client.addr.addr);

	begin();
	client_says(&one, CLIENT, 4000, "a");
	ck_assert_int_eq(tell_error(&one, &client, NULL, &refused), -ENOENT);
	guest_says(CLIENT, 4000, "b");
	ck_assert_int_eq(tell_error(&one, &stranger, NULL, &refused), -ENOENT);
	ck_assert_int_eq(tell_error(&other, &client, NULL, &refused), -ENOENT);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_int_eq(tell_error(&one, &client, NULL, &refused), 0);
	end();
}
END_TEST

/* Each of those that look alike has errors of its own, also once the first of them left. */
START_TEST(errors_of_clients_that_look_alike)
{
	struct udp_client client = { .addr = { addr_ip4(0x7f000002), 4000 } };
	const struct host_error refused = refused_by(client.addr.addr);

	begin();
	client_says(&one, 0x7f000001, 4000, "a");
	client_says(&one, 0x7f000002, 4000, "b");
	guest_says(GATEWAY, 49152 + 4001, "b");
	udp_refused_by_guest(&g.env, &(struct endpoint){ addr_ip4(0x0a00020f), guest.port },
			     &(struct endpoint){ addr_ip4(GATEWAY), 4000 });
	ck_assert_int_eq(tell_error(&one, &client, NULL, &refused), 0);
	assert_error(2, "10.0.2.2", ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0);
	client.addr.addr = addr_ip4(0x7f000001);
	ck_assert_int_eq(tell_error(&one, &client, NULL, &refused), -ENOENT);
	end();
}
END_TEST

/* What is pending of one client fails what is sent to another, once. */
START_TEST(pending_error_loses_nothing)
{
	begin();
	client_says(&one, CLIENT, 4000, "a");
	client_says(&one, CLIENT + 1, 4001, "b");
	guest_says(CLIENT, 4000, "b");
	one.erring = (struct endpoint){ addr_ip4(CLIENT), 4000 };
	one.errors[one.n_errors++] = refused_by(one.erring.addr);
	one.send_error_once = ECONNREFUSED;
	guest_says(CLIENT + 1, 4001, "c");
	ck_assert_str_eq(one.sent, "bc");
	ck_assert_uint_eq(g.n_frames, 3);
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 0);
	end();
}
END_TEST

/* While they keep coming, what the guest sends waits. */
START_TEST(errors_that_keep_coming)
{
	begin();
	client_says(&one, CLIENT, 4000, "a");
	client_says(&one, CLIENT + 1, 4001, "b");
	one.erring = (struct endpoint){ addr_ip4(CLIENT), 4000 };
	one.keep_failing = true;
	guest_says(CLIENT + 1, 4001, "c");
	ck_assert(one.wants_write);
	udp_client_writable(&g.env, &one.sock);
	ck_assert_uint_eq(one.n_sent, 0);
	one.keep_failing = false;
	udp_client_writable(&g.env, &one.sock);
	ck_assert_str_eq(one.sent, "c");
	ck_assert(!one.wants_write);
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 0);
	end();
}
END_TEST

/* A guest reached over IPv4 by a client of IPv6. */
START_TEST(errors_in_ip4)
{
	static const struct {
		struct icmp_error e;
		uint8_t type, code;
		uint32_t rest;
	} rows[] = {
		{ { ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_NO_ROUTE, 0 }, ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET, 0 },
		{ { ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_ADMIN_PROHIBITED, 0 }, ICMP_TYPE_UNREACHABLE,
		  ICMP_CODE_ADMIN_PROHIBITED, 0 },
		{ { ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_ADDRESS, 0 }, ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST, 0 },
		{ { ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_PORT, 0 }, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0 },
		{ { ICMP6_TYPE_PACKET_TOO_BIG, 0, 1400 }, ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED,
		  1380 },
		{ { ICMP6_TYPE_PACKET_TOO_BIG, 0, 3 }, ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED,
		  1260 },
		{ { ICMP6_TYPE_PACKET_TOO_BIG, 0, UINT32_MAX }, ICMP_TYPE_UNREACHABLE,
		  ICMP_CODE_FRAGMENTATION_NEEDED, 65515 },
		{ { ICMP6_TYPE_TIME_EXCEEDED, ICMP_CODE_REASSEMBLY, 0 }, ICMP_TYPE_TIME_EXCEEDED,
		  ICMP_CODE_REASSEMBLY, 0 },
	};
	const struct udp_client client = { .addr = { addr_of("2001:db8:9::7"), 4000 } };
	const struct endpoint to = { addr_ip4(0x0a00020f), guest.port };
	const struct addr shown = addr_ip4(GATEWAY);

	begin();
	udp_from_client(&g.env, &one.sock, &client, &shown, &to, "a", 1);
	guest_says(GATEWAY, 4000, "b");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host_error e = { rows[i].e, addr_of("2001:db8:9::1"), 1, "b" };

		ck_assert_int_eq(tell_error(&one, &client, "10.0.2.2", &e), 0);
		assert_error(1 + i, "10.0.2.2", rows[i].type, rows[i].code, rows[i].rest);
		fake_guest_advance(&g, NS_PER_SEC);
	}
	fake_guest_clear(&g);
	tell_error(&one, &client, "10.0.2.2",
		   &(struct host_error){ { ICMP6_TYPE_PARAMETER_PROBLEM, 0, 4 }, addr_of("2001:db8:9::1"), 0, "" });
	ck_assert_uint_eq(g.n_frames, 0);
	end();
}
END_TEST

/* And over IPv6 by one of IPv4. */
START_TEST(errors_in_ip6)
{
	static const struct {
		struct icmp_error e;
		uint8_t type, code;
		uint32_t rest;
	} rows[] = {
		{ { ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET, 0 }, ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_NO_ROUTE, 0 },
		{ { ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST, 0 }, ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_ADDRESS, 0 },
		{ { ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0 }, ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_PORT, 0 },
		{ { ICMP_TYPE_UNREACHABLE, ICMP_CODE_PROTOCOL, 0 }, ICMP6_TYPE_PARAMETER_PROBLEM,
		  ICMP6_CODE_NEXT_HEADER, 6 },
		{ { ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET_PROHIBITED, 0 }, ICMP6_TYPE_UNREACHABLE,
		  ICMP6_CODE_ADMIN_PROHIBITED, 0 },
		{ { ICMP_TYPE_UNREACHABLE, ICMP_CODE_ADMIN_PROHIBITED, 0 }, ICMP6_TYPE_UNREACHABLE,
		  ICMP6_CODE_ADMIN_PROHIBITED, 0 },
		{ { ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED, 1400 }, ICMP6_TYPE_PACKET_TOO_BIG, 0,
		  1420 },
		{ { ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED, 0 }, ICMP6_TYPE_PACKET_TOO_BIG, 0,
		  1280 },
		{ { ICMP_TYPE_TIME_EXCEEDED, 0, 0 }, ICMP6_TYPE_TIME_EXCEEDED, 0, 0 },
	};
	const struct udp_client client = { .addr = { addr_ip4(CLIENT), 4000 } };
	const struct endpoint to = { addr_of("2001:db8:2::f"), guest.port };
	const struct addr shown = addr_of("fe80::2");

	begin();
	udp_from_client(&g.env, &one.sock, &client, &shown, &to, "a", 1);
	packet_udp6(&packet, &(struct packet_ip6){ .dst = shown }, guest.port, 4000, "b", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host_error e = { rows[i].e, addr_ip4(OURS), 1, "b" };

		ck_assert_int_eq(udp_client_error(&g.env, &one.sock, &client, &shown, &to, &e), 0);
		assert_error(1 + i, "fe80::2", rows[i].type, rows[i].code, rows[i].rest);
		fake_guest_advance(&g, NS_PER_SEC);
	}
	end();
}
END_TEST

START_TEST(refusing_guest_ends_the_flow)
{
	begin();
	client_says(&one, CLIENT, 4000, "a");
	udp_refused_by_guest(&g.env, &(struct endpoint){ addr_ip4(0x0a00020f), guest.port },
			     &(struct endpoint){ addr_ip4(CLIENT), 4001 });
	ck_assert_uint_eq(g.env.flows.n, 1);
	udp_refused_by_guest(&g.env, &(struct endpoint){ addr_ip4(0x0a00020f), guest.port },
			     &(struct endpoint){ addr_ip4(CLIENT), 4000 });
	ck_assert_uint_eq(g.env.flows.n, 0);
	ck_assert_uint_eq(g.env.flows.by_reason[FLOW_CLOSED_REFUSED], 1);
	end();
}
END_TEST

/* IPv6 carries more than a guest reached over IPv4 can be given. */
START_TEST(too_long_for_the_guests_family)
{
	static char data[UDP_PAYLOAD_MAX6];
	struct udp_client client = { .addr = { addr_of("2001:db8::9"), 4000 } };
	struct endpoint to = { addr_ip4(0x0a00020f), guest.port };
	struct addr shown = addr_ip4(0x0a000202);

	begin();
	ck_assert_int_eq(udp_from_client(&g.env, &one.sock, &client, &shown, &to, data, UDP_PAYLOAD_MAX), 0);
	ck_assert_int_eq(udp_from_client(&g.env, &one.sock, &client, &shown, &to, data, UDP_PAYLOAD_MAX + 1),
			 -EMSGSIZE);
	end();
}
END_TEST

START_TEST(no_guest_no_flow)
{
	begin();
	g.env.guest.connected = false;
	ck_assert_int_eq(client_says(&one, CLIENT, 4000, "a"), -ENETDOWN);
	ck_assert_uint_eq(g.env.flows.n, 0);
	g.env.guest.connected = true;
	g.env.flows.max = 0;
	ck_assert_int_eq(client_says(&one, CLIENT, 4000, "a"), -ENOSPC);
	end();
}
END_TEST

START_TEST(clients_time_out)
{
	begin();
	client_says(&one, CLIENT, 4000, "a");
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 0);
	end();
}
END_TEST

SUITE_MAIN("udp_client", client_keeps_its_address, ip_header, loopback_client_is_the_gateway,
	   clients_that_look_alike, too_many_look_alike, link_local_clients,
	   clients_and_forwards_do_not_mix, answer_within_a_flow_of_the_guest,
	   flows_of_the_guest_are_its_own,
	   full_link_holds_the_listener, answers_wait_for_the_listener,
	   failed_answer_is_told, error_exactly, errors_of_nothing_sent, errors_of_clients_that_look_alike,
	   pending_error_loses_nothing, errors_that_keep_coming, errors_in_ip4, errors_in_ip6, refusing_guest_ends_the_flow, no_guest_no_flow,
	   clients_time_out, too_long_for_the_guests_family)
