/* UDP of the guest to groups and broadcast addresses: who may answer, and what stays here. */
#include <errno.h>

#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/udp_echo.h"

#define HOST	  0xcb007109 /* 203.0.113.9, from which fake sockets send */
#define RESPONDER 0xc0000205 /* 192.0.2.5 */
#define MDNS	  0xe00000fb
#define BROADCAST 0xffffffff

static struct fake_guest g;
static struct fake_udp host;
static struct packet packet;

static void begin(void)
{
	fake_guest_init(&g);
	fake_udp_init(&host);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &host);
	ck_assert_ptr_nonnull(g.env.udp);
}

static void end(void)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &g.env.flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(&g.env, f, FLOW_CLOSED_SHUTDOWN);
	}
	udp_free(g.env.udp);
	fake_udp_free(&host);
	fake_guest_free(&g);
}

static enum drop guest_says(uint32_t dst, uint16_t sport, uint16_t dport, const char *text)
{
	enum drop reason;

	packet_udp(&packet, &(struct packet_ip){ .dst = dst, .ttl = 1 }, sport, dport, text,
		   strlen(text));
	reason = udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	return reason;
}

static enum drop guest_says6(const char *dst, uint16_t sport, uint16_t dport, const char *text)
{
	enum drop reason;

	packet_udp6(&packet, &(struct packet_ip6){ .dst = addr_of(dst), .hop_limit = 1 }, sport,
		    dport, text, strlen(text));
	reason = udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	return reason;
}

/* Somebody answers the group's socket. */
static void answer(struct fake_udp_sock *s, const char *from, uint16_t port, bool to_all,
		   const char *text)
{
	s->from = (struct endpoint){ addr_of(from), port };
	s->to_all = to_all;
	fake_udp_put(s, text, strlen(text));
	fake_udp_run(&g.env, &host);
}

static const struct flow *only_flow(void)
{
	ck_assert_uint_eq(g.env.flows.n, 1);
	return container_of(g.env.flows.all.next, struct flow, all);
}

START_TEST(anybody_answers_a_group)
{
	struct fake_udp_sock *s;

	begin();
	ck_assert_int_eq(guest_says(MDNS, 40000, 5353, "who?"), DROP_NONE);
	s = fake_udp_sock(&host, 0);
	ck_assert(s->group);
	ck_assert_uint_eq(addr_get_ip4(&s->peer.addr), MDNS);
	ck_assert_uint_eq(s->port, 40000);
	ck_assert_uint_eq(s->sent[0].ip.ttl, 1);
	s->reply_ttl = 255;
	answer(s, "192.0.2.5", 5353, false, "I");
	/* IPv4: 29 bytes, TTL 255, 192.0.2.5 to 10.0.2.15; UDP 5353 to 40000; "I" */
	assert_bytes(fake_guest_frame(&g, 0)->data, fake_guest_frame(&g, 0)->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 1d  00 00 00 00  ff 11 ed bb  c0 00 02 05  0a 00 02 0f"
		     "14 e9 9c 40  00 09 37 9e  49");
	answer(s, "192.0.2.6", 999, false, "me too");
	ck_assert_uint_eq(g.n_frames, 2);
	ck_assert_uint_eq(only_flow()->packets_in, 2);
	ck_assert_uint_eq(only_flow()->packets_out, 1);
	end();
}
END_TEST

START_TEST(anybody_answers_a_group_of_ip6)
{
	struct addr responder = addr_of("fe80::5"), guest = addr_of("2001:db8:2::f");
	struct fake_udp_sock *s;
	struct pkt p;

	begin();
	ck_assert_int_eq(guest_says6("ff02::fb", 40000, 5353, "who?"), DROP_NONE);
	s = fake_udp_sock(&host, 0);
	ck_assert(s->group);
	answer(s, "fe80::5", 5353, false, "I");
	ck_assert_int_eq(
		pkt_decode(fake_guest_frame(&g, 0)->data, fake_guest_frame(&g, 0)->len, &p),
		DROP_NONE);
	ck_assert(addr_eq(&p.src, &responder));
	ck_assert(addr_eq(&p.dst, &guest));
	ck_assert_uint_eq(p.udp.sport, 5353);
	ck_assert_uint_eq(p.udp.dport, 40000);
	end();
}
END_TEST

/* The host's own services answer from an address that the guest may have as well. */
START_TEST(the_host_answers_as_the_gateway)
{
	struct pkt p;

	begin();
	guest_says(MDNS, 40000, 5353, "who?");
	answer(fake_udp_sock(&host, 0), "10.0.2.15", 5353, false, "I");
	ck_assert_int_eq(
		pkt_decode(fake_guest_frame(&g, 0)->data, fake_guest_frame(&g, 0)->len, &p),
		DROP_NONE);
	ck_assert_uint_eq(addr_get_ip4(&p.src), 0x0a000202);
	end();
}
END_TEST

START_TEST(broadcasts_and_their_answers)
{
	struct fake_udp_sock *s;

	begin();
	ck_assert_int_eq(guest_says(BROADCAST, 6000, 7000, "anybody?"), DROP_NONE);
	s = fake_udp_sock(&host, 0);
	ck_assert(s->group);
	ck_assert_uint_eq(addr_get_ip4(&s->peer.addr), BROADCAST);
	answer(s, "192.0.2.5", 7001, false, "to you");
	answer(s, "192.0.2.5", 7001, true, "not from the port that was asked");
	answer(s, "192.0.2.5", 7000, true, "to all");
	ck_assert_uint_eq(g.n_frames, 2);
	/* to ff:ff:ff:ff:ff:ff; 192.0.2.5 to 255.255.255.255; UDP 7000 to 6000 */
	assert_bytes(fake_guest_frame(&g, 1)->data, fake_guest_frame(&g, 1)->len,
		     "ff ff ff ff ff ff  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 22  00 01 00 00  40 11 b8 c5  c0 00 02 05  ff ff ff ff"
		     "1b 58 17 70  00 0e 09 c8  74 6f 20 61 6c 6c");
	end();
}
END_TEST

START_TEST(own_broadcasts_are_not_heard)
{
	struct fake_udp_sock *s;

	begin();
	guest_says(BROADCAST, 7000, 7000, "ping");
	guest_says(BROADCAST, 7000, 7000, "ping");
	s = fake_udp_sock(&host, 0);
	answer(s, "203.0.113.9", 7000, true, "ping");
	answer(s, "203.0.113.9", 7000, true, "ping");
	ck_assert_uint_eq(g.n_frames, 0);
	answer(s, "203.0.113.9", 7000, true, "pong"); /* a service of the host */
	answer(s, "192.0.2.5", 7000, true, "ping");   /* somebody who says the same */
	ck_assert_uint_eq(g.n_frames, 2);
	end();
}
END_TEST

START_TEST(what_stays_on_the_link)
{
	static const char *const groups6[] = { "ff02::1",   "ff02::2",	      "ff02::16",
					       "ff02::1:2", "ff02::1:ff00:1", "ff01::fb",
					       "ff00::fb" };

	begin();
	ck_assert_int_eq(guest_says(0xe0000001, 1, 2, "x"), DROP_IP_DESTINATION);
	ck_assert_int_eq(guest_says(0xe0000002, 1, 2, "x"), DROP_IP_DESTINATION);
	ck_assert_int_eq(guest_says(0xe0000016, 1, 2, "x"), DROP_IP_DESTINATION);
	ck_assert_int_eq(guest_says(BROADCAST, 68, 67, "x"), DROP_IP_DESTINATION);
	/* a network that only the guest is in */
	ck_assert_int_eq(guest_says(0x0a0002ff, 1, 2, "x"), DROP_IP_DESTINATION);
	for (size_t i = 0; i < sizeof(groups6) / sizeof(groups6[0]); i++)
		ck_assert_int_eq(guest_says6(groups6[i], 1, 2, "x"), DROP_IP_DESTINATION);
	ck_assert_uint_eq(host.n_socks, 0);
	ck_assert_uint_eq(g.n_frames, 0);
	/* the host's network */
	g.net.ip4.address_source = NET_FROM_HOST;
	ck_assert_int_eq(guest_says(0x0a0002ff, 1, 2, "x"), DROP_NONE);
	ck_assert(fake_udp_sock(&host, 0)->group);
	ck_assert_int_eq(guest_says(0xe00000fc, 1, 5355, "x"), DROP_NONE);
	ck_assert_int_eq(guest_says6("ff02::1:3", 1, 5355, "x"), DROP_NONE);
	ck_assert_int_eq(guest_says6("ff05::2", 1, 2, "x"), DROP_NONE);
	end();
}
END_TEST

/* RFC 1122 3.2.2: no ICMP errors about groups. */
START_TEST(failures_are_counted_not_told)
{
	begin();
	host.open_error = ENETUNREACH;
	ck_assert_int_eq(guest_says(MDNS, 1, 5353, "x"), DROP_HOST_SOCKET);
	host.open_error = 0;
	ck_assert_int_eq(guest_says(MDNS, 1, 5353, "x"), DROP_NONE);
	fake_udp_sock(&host, 0)->send_error = EPERM;
	ck_assert_int_eq(guest_says(MDNS, 1, 5353, "x"), DROP_NONE);
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 1);
	ck_assert_uint_eq(g.env.stats.udp_errors, 0);
	ck_assert_uint_eq(g.n_frames, 0);
	end();
}
END_TEST

START_TEST(echoes_by_source_port_and_time)
{
	struct endpoint own = { addr_ip4(HOST), 7000 }, other = { addr_ip4(RESPONDER), 7000 };
	static struct udp_echoes e;

	udp_echo_init(&e);
	ck_assert(!udp_echo_came(&e, 1, &own, 5353, "x", 1));
	udp_echo_sent(&e, 1, &own, 5353, "x", 1);
	ck_assert(!udp_echo_came(&e, 1, &own, 5354, "x", 1));
	ck_assert(!udp_echo_came(&e, 1, &other, 5353, "x", 1));
	ck_assert(!udp_echo_came(&e, 1, &own, 5353, "y", 1));
	ck_assert(udp_echo_came(&e, 1, &own, 5353, "x", 1));
	ck_assert(!udp_echo_came(&e, 1, &own, 5353, "x", 1));
	udp_echo_sent(&e, 1, &own, 5353, "x", 1);
	ck_assert(!udp_echo_came(&e, 1 + NS_PER_SEC, &own, 5353, "x", 1));
	for (int i = 0; i < UDP_ECHOES; i++)
		udp_echo_sent(&e, 1, &own, 5353, &i, sizeof(i));
	for (int i = 0; i < UDP_ECHOES; i++)
		ck_assert(udp_echo_came(&e, 1, &own, 5353, &i, sizeof(i)));
}
END_TEST

SUITE_MAIN("udp_group", anybody_answers_a_group, anybody_answers_a_group_of_ip6,
	   the_host_answers_as_the_gateway, broadcasts_and_their_answers,
	   own_broadcasts_are_not_heard, what_stays_on_the_link, failures_are_counted_not_told,
	   echoes_by_source_port_and_time)
