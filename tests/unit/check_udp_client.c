/* Clients of UDP forwards: what the guest sees of them, and how its answers find back. */
#include "proto/udp.h"

#include <errno.h>

#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"

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
	int send_error;
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

static int listener_send(struct udp_client_sock *s, const struct udp_client *client,
			 const struct host_ip *ip, const struct iovec *d, int n)
{
	struct listener *l = listener_of(s);

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

static const struct udp_client_ops ops = { listener_send, want_write, room };

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
	begin();
	ck_assert_int_eq(client_says(&one, CLIENT, 4000, "question"), 0);
	assert_got(0, CLIENT, 4000, "question");
	guest_says(CLIENT, 4000, "answer");
	ck_assert_str_eq(one.sent, "a");
	ck_assert_uint_eq(addr_get_ip4(&one.client.addr.addr), CLIENT);
	ck_assert_uint_eq(one.client.addr.port, 4000);
	ck_assert_uint_eq(addr_get_ip4(&one.client.local), OURS);
	ck_assert_uint_eq(host.n_socks, 0);
	end();
}
END_TEST

/* TTL, DSCP and ECN, both ways. */
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

START_TEST(failed_answer_is_counted)
{
	begin();
	client_says(&one, CLIENT, 4000, "a");
	one.send_error = ENETUNREACH;
	guest_says(CLIENT, 4000, "1");
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 1);
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
	   failed_answer_is_counted, refusing_guest_ends_the_flow, no_guest_no_flow,
	   clients_time_out, too_long_for_the_guests_family)
