/* Neighbor discovery: every byte of answers and advertisements, addresses left to the guest and
 * defended, when the router speaks and what it takes back. */
#include "proto/ndp.h"

#include <stdio.h>

#include "lib/fake_guest.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/guest_addr.h"
#include "wire/ndp.h"

#define RS 133
#define RA 134
#define NS 135
#define NA 136

#define ICMP_AT	   (ETH_HEADER_LEN + IP6_HEADER_LEN)
#define OPTIONS_AT (ICMP_AT + 16) /* of router advertisements */
#define SOURCE_MAC "01 01 02 00 00 00 00 05"

static struct fake_guest g;
static struct packet packet;

static void start(void)
{
	fake_guest_init(&g);
	g.env.ndp = ndp_new(&g.env);
}

static void finish(void)
{
	ndp_free(g.env.ndp);
	ck_assert_uint_eq(g.env.timers.n, 0);
	fake_guest_free(&g);
}

/* An ICMPv6 message from `src` ("::": none yet) to `dst`. */
static enum drop say(uint8_t type, const char *src, const char *dst, const char *hex)
{
	struct packet_ip6 ip = { addr_of(src), addr_of(dst), .hop_limit = 255,
				 .unspecified = true };
	struct icmp_hdr h = { .type = type };
	uint8_t body[256];

	packet_icmp6(&packet, &ip, &h, body, from_hex(hex, body, sizeof(body)));
	return demux_from_guest(&g.env, packet.frame, packet.len);
}

/* Asks for an address, with `options`. */
static void ask(const char *src, const char *target, const char *options)
{
	struct packet_ip6 ip = { .src = addr_of(src), .hop_limit = 255, .unspecified = true };
	struct icmp_hdr h = { .type = NS };
	struct addr a = addr_of(target);
	uint8_t body[64];

	ip.dst = ndp_solicited_node(&a);
	memcpy(body, a.b, 16);
	packet_icmp6(&packet, &ip, &h, body,
		     16 + from_hex(options, body + 16, sizeof(body) - 16));
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_NONE);
}

static void assert_frame(size_t i, const char *hex)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);

	assert_bytes(f->data, f->len, hex);
}

static uint8_t type_of(size_t i)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);

	ck_assert_uint_eq(get_be16(f->data + 12), ETHERTYPE_IP6);
	return f->data[ICMP_AT];
}

static unsigned router_lifetime(size_t i)
{
	ck_assert_uint_eq(type_of(i), RA);
	return get_be16(fake_guest_frame(&g, i)->data + ICMP_AT + 6);
}

/* The option of this type in router advertisement number `i`; NULL without one. */
static const uint8_t *option(size_t i, uint8_t type)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);

	for (size_t at = OPTIONS_AT; at < f->len; at += f->data[at + 1] * 8u) {
		ck_assert_uint_gt(f->data[at + 1], 0);
		if (f->data[at] == type)
			return f->data + at;
	}
	return NULL;
}

/* Neighbors */

START_TEST(neighbor_advertisement_is_exact)
{
	start();
	ask("2001:db8:2::f", "2001:db8:2::1", "");
	/* from what was asked for to who asked: router, solicited, override */
	assert_frame(0, "52 54 00 12 34 56  9a 55 9a 55 9a 55  86 dd"
			"60 00 00 00  00 20 3a ff"
			"20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 01"
			"20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 0f"
			"88 00 3d 60  e0 00 00 00"
			"20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 01"
			"02 01 9a 55 9a 55 9a 55");
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_eq(g.env.stats.ndp_neighbor_solicitations, 1);
	ck_assert_uint_eq(g.env.stats.ndp_neighbor_advertisements, 1);
	finish();
}
END_TEST

START_TEST(answers_go_to_the_link_layer_address_told)
{
	start();
	ask("fe80::f", "fe80::2", SOURCE_MAC);
	assert_bytes(fake_guest_frame(&g, 0)->data, 6, "02 00 00 00 00 05");
	ask("fe80::f", "fe80::2", "01 01 33 33 00 00 00 05");
	assert_bytes(fake_guest_frame(&g, 1)->data, 6, "52 54 00 12 34 56");
	say(RS, "fe80::f", "ff02::2", SOURCE_MAC);
	assert_bytes(fake_guest_frame(&g, 2)->data, 6, "02 00 00 00 00 05");
	finish();
}
END_TEST

START_TEST(every_address_but_the_guests)
{
	start();
	ask("fe80::f", "2001:db8:ffff::1", "");
	ask("fe80::f", "fe80::99", "");
	ck_assert_uint_eq(g.n_frames, 2);
	ask("fe80::f", "2001:db8:2::f", ""); /* given to it */
	ask("fe80::f", "fe80::f", "");	     /* used by it */
	ck_assert_uint_eq(g.n_frames, 2);
	ck_assert_uint_eq(g.env.stats.ndp_neighbor_solicitations, 4);
	ck_assert_uint_eq(g.env.stats.ndp_neighbor_advertisements, 2);
	finish();
}
END_TEST

START_TEST(detection_of_duplicates_succeeds)
{
	struct addr a = addr_of("2001:db8:2::abcd");

	start();
	ask("::", "2001:db8:2::abcd", "");
	ask("::", "2001:db8:2::f", "0e 01 11 22 33 44 55 66");
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert(guest_addr_is_own(&g.env, &a));
	/* and it stays the guest's */
	ask("fe80::f", "2001:db8:2::abcd", "");
	ck_assert_uint_eq(g.n_frames, 0);
	finish();
}
END_TEST

START_TEST(what_means_us_is_defended)
{
	const char *const ours[] = { "fe80::2", "2001:db8:2::aa", "2001:db8:2::bb",
				     "2001:db8:2::cc" };

	start();
	g.net.ip6.map_loopback = addr_of(ours[1]);
	g.net.ip6.map_guest_set = true;
	g.net.ip6.map_guest = addr_of(ours[2]);
	g.net.dns_relay[0] = addr_ip4(0x0a000203);
	g.net.dns_relay[1] = addr_of(ours[3]);
	g.net.n_dns_relay = 2;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		struct addr a = addr_of(ours[i]);

		ask("::", ours[i], "");
		ck_assert_uint_eq(type_of(i), NA);
		ck_assert_mem_eq(fake_guest_frame(&g, i)->data + ICMP_AT + 8, a.b, 16);
		ck_assert(!guest_addr_is_own(&g.env, &a));
	}
	ck_assert_uint_eq(g.n_frames, 4);
	/* to all nodes: router, override, not solicited */
	assert_frame(0, "33 33 00 00 00 01  9a 55 9a 55 9a 55  86 dd"
			"60 00 00 00  00 20 3a ff"
			"fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"
			"ff 02 00 00 00 00 00 00  00 00 00 00 00 00 00 01"
			"88 00 0a 99  a0 00 00 00"
			"fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"
			"02 01 9a 55 9a 55 9a 55");
	finish();
}
END_TEST

START_TEST(only_what_is_set_is_defended)
{
	start();
	g.net.ip6.map_loopback_set = false;
	g.net.ip6.map_loopback = addr_of("2001:db8:2::aa");
	g.net.ip6.map_guest = addr_of("2001:db8:2::bb");
	g.net.dns_relay[0] = addr_of("2001:db8:2::f"); /* whoever says so: the guest has it */
	g.net.n_dns_relay = 1;
	ask("::", "2001:db8:2::aa", "");
	ask("::", "2001:db8:2::bb", "");
	ask("::", "2001:db8:2::f", "");
	ck_assert_uint_eq(g.n_frames, 0);
	finish();
}
END_TEST

/* A guest that used our address once still finds us. */
START_TEST(our_addresses_stay_ours)
{
	start();
	ask("fe80::2", "2001:db8:2::1", "");
	ask("fe80::f", "fe80::2", "");
	ck_assert_uint_eq(g.n_frames, 2);
	finish();
}
END_TEST

START_TEST(advertisements_of_the_guest_tell_its_addresses)
{
	struct addr a = addr_of("fe80::abcd"), ours = addr_of("fe80::2");

	start();
	ck_assert_int_eq(say(NA, "2001:db8:2::f", "ff02::1",
			     "fe 80 00 00 00 00 00 00  00 00 00 00 00 00 ab cd"),
			 DROP_NONE);
	ck_assert(guest_addr_is_own(&g.env, &a));
	ck_assert_int_eq(say(NA, "2001:db8:2::f", "ff02::1",
			     "fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"),
			 DROP_NDP);
	ck_assert(!guest_addr_is_own(&g.env, &ours));
	ck_assert_uint_eq(g.n_frames, 0);
	finish();
}
END_TEST

START_TEST(what_is_not_valid_is_dropped)
{
	/* Ethernet, IPv6 with a fragment header of the whole packet, router solicitation */
	static const char atomic[] = "33 33 00 00 00 02  52 54 00 12 34 56  86 dd"
				     "60 00 00 00  00 10 2c ff"
				     "fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 0f"
				     "ff 02 00 00 00 00 00 00  00 00 00 00 00 00 00 02"
				     "3a 00 00 00  00 00 00 01"
				     "85 00 00 00  00 00 00 00";
	uint8_t frame[128];
	size_t len = from_hex(atomic, frame, sizeof(frame));

	start();
	ck_assert_int_eq(say(RA, "fe80::f", "ff02::1", "00 00 00 00 00 00 00 00"), DROP_NDP);
	ck_assert_int_eq(say(137, "fe80::f", "fe80::2",
			     "20 01 0d b8 00 01 00 00  00 00 00 00 00 00 00 02"
			     "20 01 0d b8 00 01 00 00  00 00 00 00 00 00 00 02"),
			 DROP_NDP);
	ck_assert_int_eq(say(RS, "fe80::f", "ff02::2", "01 00"), DROP_NDP);
	ck_assert_int_eq(say(NS, "fe80::f", "fe80::2", ""), DROP_NDP);
	packet.frame[ETH_HEADER_LEN + 7] = 64; /* hop limit */
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_NDP);
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_NDP);
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_uint_eq(g.env.stats.drops[DROP_NDP], 6);
	finish();
}
END_TEST

/* The router: what it says */

#define RA_TO_ALL                                                                              \
	"33 33 00 00 00 01  9a 55 9a 55 9a 55  86 dd"                                          \
	"60 00 00 00  00 40 3a ff"                                                             \
	"fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"                                     \
	"ff 02 00 00 00 00 00 00  00 00 00 00 00 00 00 01"                                     \
	"86 00 20 27  40 c0 07 08  00 00 00 00  00 00 00 00"                                   \
	"01 01 9a 55 9a 55 9a 55"                                                              \
	"05 01 00 00  00 00 05 dc"                                                             \
	"03 04 40 c0  00 27 8d 00  00 09 3a 80  00 00 00 00"                                   \
	"20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 00"

START_TEST(router_advertisement_is_exact)
{
	start();
	g.net.dns[0] = addr_ip4(0x0a000203);
	g.net.dns[1] = addr_of("2001:db8:2::3");
	g.net.dns[2] = addr_of("fe80::2");
	g.net.n_dns = 3;
	snprintf(g.net.search[0], CONF_NAME_MAX, "example.org");
	snprintf(g.net.search[1], CONF_NAME_MAX, "eng.example.org");
	g.net.n_search = 2;
	ck_assert_int_eq(say(RS, "2001:db8:2::f", "ff02::2", ""), DROP_NONE);
	/* hop limit 64, managed and other, 1800 s; MTU 1500; 2001:db8:2::/64 on link and for
	 * autoconfiguration, 30 and 7 days; resolvers and domains for 1800 s */
	assert_frame(0, "52 54 00 12 34 56  9a 55 9a 55 9a 55  86 dd"
			"60 00 00 00  00 90 3a ff"
			"fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"
			"20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 0f"
			"86 00 70 01  40 c0 07 08  00 00 00 00  00 00 00 00"
			"01 01 9a 55 9a 55 9a 55"
			"05 01 00 00  00 00 05 dc"
			"03 04 40 c0  00 27 8d 00  00 09 3a 80  00 00 00 00"
			"20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 00"
			"19 05 00 00  00 00 07 08"
			"20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 03"
			"fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"
			"1f 05 00 00  00 00 07 08"
			"07 65 78 61 6d 70 6c 65  03 6f 72 67 00 03 65 6e"
			"67 07 65 78 61 6d 70 6c  65 03 6f 72 67 00 00 00");
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_eq(g.env.stats.ndp_router_solicitations, 1);
	ck_assert_uint_eq(g.env.stats.ndp_router_advertisements, 1);
	ck_assert_uint_eq(g.env.stats.ndp_left_out, 0);
	finish();
}
END_TEST

START_TEST(who_has_no_address_hears_it_with_all)
{
	start();
	ck_assert_int_eq(say(RS, "::", "ff02::2", ""), DROP_NONE);
	assert_frame(0, RA_TO_ALL);
	finish();
}
END_TEST

static const uint8_t *answer_to_rs(void)
{
	fake_guest_clear(&g);
	ck_assert_int_eq(say(RS, "fe80::f", "ff02::2", ""), DROP_NONE);
	ck_assert_uint_eq(router_lifetime(0), 1800);
	return fake_guest_frame(&g, 0)->data + ICMP_AT;
}

START_TEST(settings_decide_what_is_told)
{
	start();
	g.net.dns[0] = addr_of("2001:db8:2::3");
	g.net.n_dns = 1;
	snprintf(g.net.search[0], CONF_NAME_MAX, "example.org");
	g.net.n_search = 1;
	ck_assert_uint_eq(answer_to_rs()[5], 0xc0);
	ck_assert(option(0, 5) && option(0, 25) && option(0, 31));
	g.conf.no_dhcp6 = true;
	ck_assert_uint_eq(answer_to_rs()[5], 0);
	g.conf.no_dhcp_dns = true;
	answer_to_rs();
	ck_assert(!option(0, 25) && option(0, 31));
	g.conf.no_dhcp_search = true;
	answer_to_rs();
	ck_assert(!option(0, 31));
	g.net.mtu = 1280;
	answer_to_rs();
	ck_assert_uint_eq(get_be32(option(0, 5) + 4), 1280);
	g.net.mtu = 1279; /* IPv6 knows no such link */
	answer_to_rs();
	ck_assert(!option(0, 5));
	g.net.mtu = 1500;
	g.net.tell_mtu = false;
	answer_to_rs();
	ck_assert(!option(0, 5));
	finish();
}
END_TEST

START_TEST(addresses_are_made_of_prefixes_of_64_bits_alone)
{
	const uint8_t lengths[] = { 48, 63, 65, 128 };

	start();
	for (size_t i = 0; i < sizeof(lengths); i++) {
		g.net.ip6.prefix_len = lengths[i];
		answer_to_rs();
		ck_assert_uint_eq(option(g.n_frames - 1, 3)[2], lengths[i]);
		ck_assert_uint_eq(option(g.n_frames - 1, 3)[3], 0x80);
	}
	finish();
}
END_TEST

START_TEST(what_does_not_fit_is_counted)
{
	start();
	for (unsigned i = 0; i < CONF_SEARCH_MAX; i++) {
		memset(g.net.search[i], 'a', 253);
		g.net.search[i][63] = g.net.search[i][127] = g.net.search[i][191] = '.';
	}
	g.net.n_search = CONF_SEARCH_MAX;
	answer_to_rs();
	/* 1232 - 8 - 8 - 8 - 32 - 8 bytes for names of 255 */
	ck_assert_uint_eq(g.env.stats.ndp_left_out, 2);
	ck_assert_uint_le(fake_guest_frame(&g, 0)->len, ETH_HEADER_LEN + 1280);
	ck_assert_uint_eq(g.n_frames, 1);
	/* in one piece whatever the MTU, for fragments are not accepted (RFC 6980) */
	g.net.mtu = 600;
	answer_to_rs();
	ck_assert_uint_eq(g.n_frames, 1);
	finish();
}
END_TEST

START_TEST(switched_off)
{
	start();
	g.conf.no_icmp = true; /* that is something else */
	ask("fe80::f", "fe80::2", "");
	ck_assert_uint_eq(g.n_frames, 1);
	fake_guest_clear(&g);
	g.conf.no_ra = true;
	ck_assert_int_eq(say(RS, "fe80::f", "ff02::2", ""), DROP_NONE);
	ck_assert_uint_eq(g.n_frames, 0);
	ask("fe80::f", "fe80::2", "");
	ck_assert_uint_eq(fake_guest_frame(&g, 0)->data[ICMP_AT + 4], 0x60); /* no router */
	fake_guest_clear(&g);
	ndp_announce(&g.env);
	fake_guest_advance(&g, 3600 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_eq(type_of(0), NA);
	fake_guest_clear(&g);
	g.conf.no_ndp = true;
	ndp_announce(&g.env);
	ck_assert_int_eq(say(NS, "fe80::f", "fe80::2",
			     "fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"),
			 DROP_NDP);
	ck_assert_uint_eq(g.n_frames, 0);
	finish();
}
END_TEST

/* RFC 4861 6.2.5, RFC 8106 5.1: the guest lets go of its router, and of the names that it told,
 * at once. */
START_TEST(switched_off_and_on_again)
{
	start();
	g.net.dns[0] = addr_of("2001:db8:2::3");
	g.net.n_dns = 1;
	snprintf(g.net.search[0], CONF_NAME_MAX, "example.org");
	g.net.n_search = 1;
	ndp_announce(&g.env);
	fake_guest_clear(&g);
	g.conf.no_ra = true;
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 2);
	ck_assert_uint_eq(type_of(0), NA);
	ck_assert_uint_eq(fake_guest_frame(&g, 0)->data[ICMP_AT + 4], 0x20); /* no router */
	ck_assert_uint_eq(router_lifetime(1), 0);
	ck_assert_uint_eq(get_be32(option(1, 25) + 4), 0);
	ck_assert_uint_eq(get_be32(option(1, 31) + 4), 0);
	ck_assert(!option(1, 3)); /* its addresses stay what they are */
	fake_guest_clear(&g);
	fake_guest_advance(&g, 3600 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 0);
	g.conf.no_ra = false;
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 2);
	ck_assert_uint_eq(router_lifetime(1), 1800);
	ck_assert(option(1, 3) && option(1, 25) && option(1, 31));
	fake_guest_clear(&g);
	g.conf.no_ndp = true;
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_eq(router_lifetime(0), 0);
	fake_guest_clear(&g);
	fake_guest_advance(&g, 3600 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 0);
	finish();
}
END_TEST

/* What takes it back comes, sooner or later. */
START_TEST(switched_off_while_the_link_is_full)
{
	start();
	ndp_announce(&g.env);
	fake_guest_clear(&g);
	g.room = 0;
	g.conf.no_ra = true;
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 0);
	g.room = -1;
	fake_guest_advance(&g, 16 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_eq(router_lifetime(0), 0);
	fake_guest_advance(&g, 3600 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	finish();
}
END_TEST

/* The router: when it speaks */

START_TEST(a_guest_that_comes_is_told)
{
	start();
	demux_guest_up(&g.env);
	ck_assert_uint_eq(g.n_frames, 3); /* the first is ARP's */
	assert_frame(1, "33 33 00 00 00 01  9a 55 9a 55 9a 55  86 dd"
			"60 00 00 00  00 20 3a ff"
			"fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"
			"ff 02 00 00 00 00 00 00  00 00 00 00 00 00 00 01"
			"88 00 0a 99  a0 00 00 00"
			"fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"
			"02 01 9a 55 9a 55 9a 55");
	assert_frame(2, RA_TO_ALL);
	finish();
}
END_TEST

/* Seconds until the next advertisement. */
static uint64_t next_in(void)
{
	uint64_t was_ns = g.env.now_ns;

	fake_guest_clear(&g);
	ck_assert_uint_ne(timerq_next(&g.env.timers), TIMERQ_NEVER);
	fake_guest_advance(&g, timerq_next(&g.env.timers) - g.env.now_ns);
	ck_assert_uint_eq(g.n_frames, 1);
	assert_frame(0, RA_TO_ALL);
	return (g.env.now_ns - was_ns) / NS_PER_SEC;
}

START_TEST(three_come_soon_and_others_now_and_then)
{
	uint64_t least = UINT64_MAX, most = 0;

	start();
	for (int round = 0; round < 2; round++) {
		ndp_announce(&g.env);
		ck_assert_uint_eq(next_in(), 16);
		ck_assert_uint_eq(next_in(), 16);
		for (int i = 0; i < 300; i++) {
			uint64_t s = next_in();

			ck_assert_uint_ge(s, 200);
			ck_assert_uint_lt(s, 600);
			least = s < least ? s : least;
			most = s > most ? s : most;
		}
	}
	ck_assert_uint_lt(least, 230);
	ck_assert_uint_gt(most, 570);
	finish();
}
END_TEST

START_TEST(nobody_is_told_nothing)
{
	start();
	g.env.guest.connected = false;
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	demux_guest_up(&g.env);
	demux_guest_down(&g.env);
	fake_guest_clear(&g);
	fake_guest_advance(&g, 3600 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	g.net.ip6.on = false; /* the guest is given no IPv6 */
	g.env.guest.connected = true;
	ndp_free(g.env.ndp);
	g.env.ndp = ndp_new(&g.env);
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	finish();
}
END_TEST

/* From fe80::2, for no time, the prefix deprecated and valid for two hours. */
#define FINAL_RA                                                                               \
	"33 33 00 00 00 01  9a 55 9a 55 9a 55  86 dd"                                          \
	"60 00 00 00  00 38 3a ff"                                                             \
	"fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"                                     \
	"ff 02 00 00 00 00 00 00  00 00 00 00 00 00 00 01"                                     \
	"86 00 de 64  40 00 00 00  00 00 00 00  00 00 00 00"                                   \
	"01 01 9a 55 9a 55 9a 55"                                                              \
	"03 04 40 c0  00 00 1c 20  00 00 00 00  00 00 00 00"                                   \
	"20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 00"

START_TEST(ip6_switched_off_is_told_once)
{
	start();
	ndp_announce(&g.env);
	fake_guest_clear(&g);
	g.net.ip6 = (struct net_ip){ .on = false };
	ndp_announce(&g.env);
	assert_frame(0, FINAL_RA);
	ndp_announce(&g.env);
	fake_guest_advance(&g, 3600 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	finish();
}
END_TEST

/* The guest was told by an answer alone, and is away when it changes. */
START_TEST(ip6_switched_off_while_the_guest_is_away)
{
	start();
	say(RS, "fe80::f", "ff02::2", "");
	demux_guest_down(&g.env);
	fake_guest_clear(&g);
	g.net.ip6 = (struct net_ip){ .on = false };
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 0);
	demux_guest_up(&g.env);
	ck_assert_uint_eq(g.n_frames, 2); /* the first is ARP's */
	assert_frame(1, FINAL_RA);
	finish();
}
END_TEST

START_TEST(another_prefix_replaces_the_first)
{
	start();
	ndp_announce(&g.env);
	fake_guest_clear(&g);
	g.net.ip6.guest = addr_of("2001:db8:2::1234"); /* of the same prefix */
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 2);
	assert_frame(1, RA_TO_ALL);
	fake_guest_clear(&g);
	g.net.ip6.guest = addr_of("2001:db8:3::1234");
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 3);
	/* the router stays all the time */
	ck_assert_uint_eq(router_lifetime(1), 1800);
	assert_bytes(option(1, 3), 32,
		     "03 04 40 c0  00 00 1c 20  00 00 00 00  00 00 00 00"
		     "20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 00");
	ck_assert_uint_eq(router_lifetime(2), 1800);
	assert_bytes(option(2, 3), 32,
		     "03 04 40 c0  00 27 8d 00  00 09 3a 80  00 00 00 00"
		     "20 01 0d b8 00 03 00 00  00 00 00 00 00 00 00 00");
	fake_guest_clear(&g);
	fake_guest_advance(&g, 16 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	finish();
}
END_TEST

START_TEST(another_length_is_another_prefix)
{
	start();
	ndp_announce(&g.env);
	fake_guest_clear(&g);
	g.net.ip6.prefix_len = 48;
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 3);
	ck_assert_uint_eq(option(1, 3)[2], 64);
	ck_assert_uint_eq(get_be32(option(1, 3) + 8), 0);
	ck_assert_uint_eq(option(2, 3)[2], 48);
	finish();
}
END_TEST

START_TEST(another_gateway_replaces_the_first)
{
	start();
	ndp_announce(&g.env);
	fake_guest_clear(&g);
	g.net.ip6.gateway = addr_of("fe80::3");
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 3);
	ck_assert_uint_eq(router_lifetime(1), 0);
	ck_assert_uint_eq(fake_guest_frame(&g, 1)->data[ETH_HEADER_LEN + 8 + 15], 2);
	ck_assert(!option(1, 3)); /* the prefix is as it was */
	ck_assert_uint_eq(router_lifetime(2), 1800);
	ck_assert_uint_eq(fake_guest_frame(&g, 2)->data[ETH_HEADER_LEN + 8 + 15], 3);
	finish();
}
END_TEST

START_TEST(a_full_link_is_tried_again_soon)
{
	start();
	ndp_announce(&g.env);
	fake_guest_clear(&g);
	g.net.ip6 = (struct net_ip){ .on = false };
	g.room = 0;
	ndp_announce(&g.env);
	fake_guest_advance(&g, 100 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 0);
	g.room = -1;
	fake_guest_advance(&g, 16 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	assert_frame(0, FINAL_RA);
	finish();
	/* and long after the first three */
	start();
	ndp_announce(&g.env);
	fake_guest_advance(&g, 32 * NS_PER_SEC);
	fake_guest_clear(&g);
	g.room = 0;
	fake_guest_advance(&g, 600 * NS_PER_SEC);
	g.room = -1;
	fake_guest_advance(&g, 16 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	finish();
}
END_TEST

/* What is to be taken back is not forgotten for an answer that tells the new. */
START_TEST(an_answer_goes_before_what_the_link_has_no_room_for)
{
	start();
	ndp_announce(&g.env);
	fake_guest_clear(&g);
	g.net.ip6.guest = addr_of("2001:db8:3::f");
	g.room = g.reply_room = 10;
	ndp_announce(&g.env);
	ck_assert_uint_eq(g.n_frames, 0);
	say(RS, "fe80::f", "ff02::2", "");
	ck_assert_uint_eq(g.n_frames, 1);
	g.room = -1;
	fake_guest_advance(&g, 16 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 3);
	ck_assert_uint_eq(get_be32(option(1, 3) + 8), 0); /* preferred: no more */
	ck_assert_uint_eq(get_be32(option(2, 3) + 8), 604800);
	finish();
}
END_TEST

START_TEST(a_flood_costs_an_answer_each)
{
	start();
	for (int i = 0; i < 1000; i++)
		say(RS, "::", "ff02::2", "");
	ck_assert_uint_eq(g.n_frames, 1000);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	finish();
}
END_TEST

SUITE_MAIN("ndp", neighbor_advertisement_is_exact, answers_go_to_the_link_layer_address_told,
	   every_address_but_the_guests, detection_of_duplicates_succeeds,
	   what_means_us_is_defended, only_what_is_set_is_defended, our_addresses_stay_ours,
	   advertisements_of_the_guest_tell_its_addresses, what_is_not_valid_is_dropped,
	   router_advertisement_is_exact, who_has_no_address_hears_it_with_all,
	   settings_decide_what_is_told, addresses_are_made_of_prefixes_of_64_bits_alone,
	   what_does_not_fit_is_counted, switched_off, switched_off_and_on_again,
	   switched_off_while_the_link_is_full, a_guest_that_comes_is_told,
	   three_come_soon_and_others_now_and_then, nobody_is_told_nothing,
	   ip6_switched_off_is_told_once, ip6_switched_off_while_the_guest_is_away,
	   another_prefix_replaces_the_first, another_length_is_another_prefix,
	   another_gateway_replaces_the_first, a_full_link_is_tried_again_soon,
	   an_answer_goes_before_what_the_link_has_no_room_for, a_flood_costs_an_answer_each)
