/* The guest's groups: reports, what is listened to, time, bounds, what comes for them. */
#include "proto/multicast.h"

#include <errno.h>

#include "lib/fake_groups.h"
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "wire/membership.h"

static struct fake_guest g;
static struct fake_udp udp;
static struct fake_groups host;
static struct packet packet;

static void begin(void)
{
	fake_guest_init(&g);
	fake_udp_init(&udp);
	memset(&host, 0, sizeof(host));
	g.conf.multicast = g.conf.multicast_usual = true;
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &udp);
	g.env.multicast = multicast_new(&g.env, &fake_groups_ops, &host);
	ck_assert(g.env.udp && g.env.multicast);
}

static void end(void)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &g.env.flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(&g.env, f, FLOW_CLOSED_SHUTDOWN);
	}
	multicast_free(&g.env, g.env.multicast);
	ck_assert_uint_eq(host.n_open, 0);
	ck_assert_uint_eq(g.env.timers.n, 0);
	udp_free(g.env.udp);
	fake_udp_free(&udp);
	fake_guest_free(&g);
}

/* IGMP as a packet of the guest. */
static enum drop igmp(const void *message, size_t len)
{
	struct addr src = addr_of("10.0.2.15"), dst = addr_of("224.0.0.22");
	struct pkt p = {
		.src = src, .dst = dst, .proto = IP_IGMP, .ttl = 1, .l4 = message, .l4_len = len
	};

	return multicast_from_guest(&g.env, &p);
}

static enum drop igmp_of(uint8_t type, uint32_t group)
{
	uint8_t message[8] = { type };

	put_be32(message + 4, group);
	return igmp(message, sizeof(message));
}

static enum drop mld_from(const char *src, uint8_t hop_limit, uint8_t type, const char *group)
{
	struct addr a = addr_of(group);
	uint8_t message[24] = { type };
	struct pkt p = { .src = addr_of(src),
			 .dst = a,
			 .proto = IP_ICMP6,
			 .ttl = hop_limit,
			 .l4 = message,
			 .l4_len = sizeof(message) };

	memcpy(message + 8, a.b, 16);
	p.icmp.type = type;
	ck_assert(multicast_is_mld(&p));
	return multicast_from_guest(&g.env, &p);
}

static struct endpoint at(const char *addr, uint16_t port)
{
	return (struct endpoint){ addr_of(addr), port };
}

static void someone_says(const char *group, uint16_t port, const struct endpoint *from,
			 const char *text)
{
	struct fake_group_sock *s = fake_groups_find(&host, group, port);

	ck_assert_ptr_nonnull(s);
	fake_groups_say(&g.env, s, from, text, strlen(text));
}

START_TEST(joined_and_left)
{
	begin();
	ck_assert_int_eq(igmp_of(0x16, 0xe00000fb), DROP_NONE);
	ck_assert_ptr_nonnull(fake_groups_find(&host, "224.0.0.251", 5353));
	ck_assert_int_eq(igmp_of(0x16, 0xe00000fb), DROP_NONE); /* again */
	ck_assert_uint_eq(host.n_open, 1);
	ck_assert_int_eq(mld_from("fe80::1", 1, 131, "ff02::fb"), DROP_NONE);
	ck_assert_ptr_nonnull(fake_groups_find(&host, "ff02::fb", 5353));
	ck_assert_int_eq(igmp_of(0x17, 0xe00000fb), DROP_NONE);
	ck_assert_int_eq(igmp_of(0x17, 0xe00000fb), DROP_NONE);
	ck_assert_uint_eq(host.n_open, 1);
	ck_assert_int_eq(mld_from("fe80::1", 1, 132, "ff02::fb"), DROP_NONE);
	ck_assert_uint_eq(host.n_open, 0);
	ck_assert_uint_eq(g.env.stats.multicast_reports, 6);
	end();
}
END_TEST

START_TEST(what_is_dropped)
{
	begin();
	ck_assert_int_eq(igmp("\x16", 1), DROP_MULTICAST);
	ck_assert_int_eq(igmp_of(0x11, 0), DROP_MULTICAST); /* we are the router */
	ck_assert_int_eq(mld_from("fe80::1", 2, 131, "ff02::fb"), DROP_MULTICAST);
	ck_assert_int_eq(mld_from("2001:db8::1", 1, 131, "ff02::fb"), DROP_MULTICAST);
	ck_assert_int_eq(mld_from("::", 1, 131, "ff02::fb"), DROP_NONE);
	ck_assert_uint_eq(host.n_open, 1);
	/* groups of the link itself are none to join */
	ck_assert_int_eq(igmp_of(0x16, 0xe0000016), DROP_NONE);
	ck_assert_int_eq(mld_from("fe80::1", 1, 131, "ff02::1:ff00:2"), DROP_NONE);
	ck_assert_uint_eq(host.n_open, 1);
	end();
}
END_TEST

START_TEST(ports_of_the_list)
{
	begin();
	g.conf.multicast_usual = false;
	g.conf.multicast_at[0] = at("239.1.2.3", 4000);
	g.conf.multicast_at[1] = at("239.1.2.4", 4000);
	g.conf.multicast_at[2] = at("239.1.2.3", 4001);
	g.conf.n_multicast_at = 3;
	igmp_of(0x16, 0xef010203);
	ck_assert_ptr_nonnull(fake_groups_find(&host, "239.1.2.3", 4000));
	ck_assert_ptr_nonnull(fake_groups_find(&host, "239.1.2.3", 4001));
	igmp_of(0x16, 0xe00000fb);
	ck_assert_uint_eq(host.n_open, 2);
	end();
}
END_TEST

static void guest_says(uint32_t dst, uint16_t sport, uint16_t dport, const char *text)
{
	packet_udp(&packet, &(struct packet_ip){ .dst = dst, .ttl = 1 }, sport, dport, text,
		   strlen(text));
	ck_assert_int_eq(udp_from_guest(&g.env, &packet.pkt), DROP_NONE);
	udp_batch_end(&g.env);
}

START_TEST(ports_that_the_guest_sends_to)
{
	begin();
	guest_says(0xef010203, 40000, 4000, "x");
	ck_assert_uint_eq(host.n_open, 0);
	igmp_of(0x16, 0xef010203);
	ck_assert_uint_eq(host.n_open, 0);
	guest_says(0xef010203, 40000, 4000, "x");
	guest_says(0xef010203, 40001, 4000, "x");
	ck_assert_ptr_nonnull(fake_groups_find(&host, "239.1.2.3", 4000));
	ck_assert_uint_eq(host.n_open, 1);
	end();
}
END_TEST

START_TEST(datagrams_of_a_group_exactly)
{
	struct endpoint from = at("192.0.2.5", 5353), from6 = at("fe80::5", 5353);

	begin();
	igmp_of(0x16, 0xe00000fb);
	mld_from("fe80::1", 1, 131, "ff02::fb");
	host.ttl = 255;
	someone_says("224.0.0.251", 5353, &from, "hello!");
	someone_says("ff02::fb", 5353, &from6, "hello!");
	/* to 01:00:5e:00:00:fb; TTL 255, 192.0.2.5 to 224.0.0.251; UDP 5353 to 5353 */
	assert_bytes(fake_guest_frame(&g, 0)->data, fake_guest_frame(&g, 0)->len,
		     "01 00 5e 00 00 fb  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 22  00 00 00 00  ff 11 18 ca  c0 00 02 05  e0 00 00 fb"
		     "14 e9 14 e9  00 0e ef 0b  68 65 6c 6c 6f 21");
	assert_bytes(fake_guest_frame(&g, 1)->data, ETH_HEADER_LEN,
		     "33 33 00 00 00 fb  9a 55 9a 55 9a 55  86 dd");
	ck_assert_uint_eq(g.env.stats.multicast_datagrams, 2);
	end();
}
END_TEST

START_TEST(own_datagrams_are_not_heard)
{
	struct endpoint own = at("203.0.113.9", 5353);

	begin();
	igmp_of(0x16, 0xe00000fb);
	guest_says(0xe00000fb, 5353, 5353, "who?");
	someone_says("224.0.0.251", 5353, &own, "who?");
	ck_assert_uint_eq(g.n_frames, 0);
	someone_says("224.0.0.251", 5353, &own,
		     "I"); /* a service of the host, at the same port */
	ck_assert_uint_eq(g.n_frames, 1);
	end();
}
END_TEST

START_TEST(nothing_is_lost_to_a_full_link)
{
	struct endpoint from = at("192.0.2.5", 5353);
	struct fake_group_sock *other;

	begin();
	igmp_of(0x16, 0xe00000fb);
	igmp_of(0x16, 0xeffffffa);
	other = fake_groups_find(&host, "239.255.255.250", 1900);
	g.room = 0;
	someone_says("224.0.0.251", 5353, &from, "a");
	ck_assert(!other->watched);
	igmp_of(0x16, 0xe00000fc); /* joined meanwhile */
	ck_assert(!fake_groups_find(&host, "224.0.0.252", 5355)->watched);
	multicast_room(&g.env);
	ck_assert(!other->watched);
	g.room = -1;
	multicast_room(&g.env);
	ck_assert(other->watched);
	ck_assert(fake_groups_find(&host, "224.0.0.252", 5355)->watched);
	ck_assert_uint_eq(g.n_frames, 1);
	/* left while a datagram of it waits */
	g.room = 0;
	someone_says("224.0.0.251", 5353, &from, "b");
	igmp_of(0x17, 0xe00000fb);
	g.room = -1;
	multicast_room(&g.env);
	ck_assert(other->watched);
	ck_assert_uint_eq(g.n_frames, 1);
	end();
}
END_TEST

START_TEST(asked_and_forgotten)
{
	begin();
	multicast_guest_up(&g.env);
	ck_assert_uint_eq(g.n_frames, 2);
	assert_bytes(fake_guest_frame(&g, 0)->data, ETH_HEADER_LEN,
		     "01 00 5e 00 00 01  9a 55 9a 55 9a 55  08 00");
	assert_bytes(fake_guest_frame(&g, 1)->data, ETH_HEADER_LEN,
		     "33 33 00 00 00 01  9a 55 9a 55 9a 55  86 dd");
	igmp_of(0x16, 0xe00000fb);
	igmp_of(0x16, 0xeffffffa);
	fake_guest_advance(&g, 125 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.stats.multicast_queries, 4);
	igmp_of(0x16, 0xe00000fb);
	fake_guest_advance(&g, 134 * NS_PER_SEC);
	ck_assert_uint_eq(host.n_open, 2);
	fake_guest_advance(&g, NS_PER_SEC); /* 260 s after the only report of one */
	ck_assert_uint_eq(host.n_open, 1);
	ck_assert_ptr_nonnull(fake_groups_find(&host, "224.0.0.251", 5353));
	fake_guest_advance(&g, 125 * NS_PER_SEC);
	ck_assert_uint_eq(host.n_open, 0);
	end();
}
END_TEST

START_TEST(queries_wait_for_room)
{
	begin();
	g.room = 0;
	multicast_guest_up(&g.env);
	ck_assert_uint_eq(g.env.stats.multicast_queries, 0);
	g.room = -1;
	fake_guest_advance(&g, NS_PER_SEC);
	ck_assert_uint_eq(g.env.stats.multicast_queries, 2);
	g.net.ip6.on = false;
	fake_guest_advance(&g, 125 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.stats.multicast_queries, 3);
	end();
}
END_TEST

START_TEST(forgotten_with_the_guest)
{
	begin();
	multicast_guest_up(&g.env);
	igmp_of(0x16, 0xe00000fb);
	multicast_guest_down(&g.env);
	ck_assert_uint_eq(host.n_open, 0);
	ck_assert_uint_eq(g.env.timers.n, 0);
	multicast_guest_up(&g.env);
	ck_assert_uint_eq(g.env.stats.multicast_queries, 4);
	end();
}
END_TEST

START_TEST(bounds)
{
	static uint8_t report[8 + 300 * 8] = { 0x22, [6] = 300 >> 8, [7] = 300 & 0xff };

	begin();
	for (uint32_t i = 0; i < MULTICAST_GROUPS_MAX; i++)
		igmp_of(0x16, 0xef000000 + i);
	ck_assert_uint_eq(g.env.stats.multicast_refused, 0);
	igmp_of(0x16, 0xe00000fb);
	ck_assert_uint_eq(g.env.stats.multicast_refused, 1);
	ck_assert_uint_eq(host.n_open, 0);
	igmp_of(0x17, 0xef000003);
	igmp_of(0x16, 0xe00000fb);
	ck_assert_uint_eq(host.n_open, 1);
	for (uint16_t port = 1; port <= MULTICAST_LISTENERS_MAX; port++)
		guest_says(0xe00000fb, 1, port, "x");
	ck_assert_uint_eq(host.n_open, MULTICAST_LISTENERS_MAX);
	ck_assert_uint_eq(g.env.stats.multicast_refused, 2);
	/* of 300 records, 256 are looked at */
	for (int i = 0; i < 300; i++) {
		report[8 + i * 8] = 4;
		put_be32(report + 12 + i * 8, 0xef000000);
	}
	ck_assert_int_eq(igmp(report, sizeof(report)), DROP_NONE);
	ck_assert_uint_eq(g.env.stats.multicast_refused, 2 + 300 - MULTICAST_RECORDS_MAX);
	end();
}
END_TEST

/* What the host does not allow is tried again with the next report, and when the network
 * changes. */
START_TEST(refused_by_the_host)
{
	begin();
	host.open_error = EACCES;
	igmp_of(0x16, 0xe00000fb);
	ck_assert_uint_eq(g.env.stats.multicast_refused, 1);
	ck_assert_uint_eq(g.env.limits_reached[LIMIT_OPEN_FILES], 0);
	guest_says(0xe00000fb, 5353, 5353, "x"); /* not with each datagram */
	igmp_of(0x16, 0xe00000fb);		 /* nor report */
	ck_assert_uint_eq(g.env.stats.multicast_refused, 1);
	host.open_error = 0;
	fake_guest_advance(&g, NS_PER_SEC);
	igmp_of(0x16, 0xe00000fb);
	ck_assert_uint_eq(host.n_open, 1);
	multicast_network_changed(&g.env);
	ck_assert_uint_eq(host.n_open, 1);
	ck_assert_uint_eq(host.n_socks, 2);
	end();
}
END_TEST

SUITE_MAIN("multicast", joined_and_left, what_is_dropped, ports_of_the_list,
	   ports_that_the_guest_sends_to, datagrams_of_a_group_exactly,
	   own_datagrams_are_not_heard, nothing_is_lost_to_a_full_link, asked_and_forgotten,
	   queries_wait_for_room, forgotten_with_the_guest, bounds, refused_by_the_host)
