/* Neighbor discovery's codec: each rule of validity, each option's bytes, each bound. */
#include "wire/ndp.h"

#include <errno.h>
#include <stdio.h>

#include "lib/fake_guest.h"
#include "lib/packets.h"
#include "lib/suite.h"

#define TARGET	   "20 01 0d b8 00 02 00 00  00 00 00 00 00 01 23 45"
#define SOURCE_MAC "01 01 02 00 00 00 00 05"
#define TARGET_MAC "02 01 02 00 00 00 00 06"
#define NONCE	   "0e 01 11 22 33 44 55 66" /* RFC 7527: none of those that are asked for */

static struct packet packet;
static struct ndp_msg msg;
static uint8_t buf[NDP_RA_MAX + 1];

/* The message as it comes from the guest, from `src` ("::": none) to `dst`. */
static int decode(uint8_t type, const char *src, const char *dst, const char *hex)
{
	struct packet_ip6 ip = { addr_of(src), addr_of(dst), .hop_limit = 255,
				 .unspecified = true };
	struct icmp_hdr h = { .type = type };
	uint8_t body[256];

	packet_icmp6(&packet, &ip, &h, body, from_hex(hex, body, sizeof(body)));
	return ndp_decode(&packet.pkt, &msg);
}

static int decode_rs(const char *hex)
{
	return decode(ICMP6_TYPE_ROUTER_SOLICITATION, "fe80::f", "ff02::2", hex);
}

static int decode_ns(const char *hex)
{
	return decode(ICMP6_TYPE_NEIGHBOR_SOLICITATION, "fe80::f", "ff02::1:ff01:2345", hex);
}

START_TEST(solicitations_and_advertisements_are_read)
{
	const struct mac five = { { 2, 0, 0, 0, 0, 5 } }, six = { { 2, 0, 0, 0, 0, 6 } };
	struct addr target = addr_of("2001:db8:2::1:2345");

	ck_assert_int_eq(decode_rs(""), 0);
	ck_assert(!msg.has_mac);
	ck_assert_int_eq(decode_rs(SOURCE_MAC), 0);
	ck_assert(msg.has_mac && mac_eq(&msg.mac, &five));
	ck_assert_int_eq(decode_ns(TARGET), 0);
	ck_assert(!msg.has_mac && addr_eq(&msg.target, &target));
	ck_assert_int_eq(decode_ns(TARGET NONCE SOURCE_MAC NONCE), 0);
	ck_assert(msg.has_mac && mac_eq(&msg.mac, &five) && addr_eq(&msg.target, &target));
	ck_assert_int_eq(decode(136, "fe80::f", "fe80::2", TARGET SOURCE_MAC TARGET_MAC), 0);
	ck_assert(msg.has_mac && mac_eq(&msg.mac, &six) && addr_eq(&msg.target, &target));
	/* of a solicitation it would be somebody else's */
	ck_assert_int_eq(decode_rs(TARGET_MAC), 0);
	ck_assert(!msg.has_mac);
}
END_TEST

/* RFC 4861 4.6. */
START_TEST(options_must_be_whole)
{
	ck_assert_int_eq(decode_rs("0e 00 11 22 33 44 55 66"), -EINVAL);
	ck_assert_int_eq(decode_rs(SOURCE_MAC "0e 00 11 22 33 44 55 66"), -EINVAL);
	ck_assert_int_eq(decode_rs("01 00 02 00 00 00 00 05"), -EINVAL);
	ck_assert_int_eq(decode_rs("0e"), -EINVAL);
	ck_assert_int_eq(decode_rs("0e 01"), -EINVAL);
	ck_assert_int_eq(decode_rs("0e 01 11 22 33 44 55"), -EINVAL);
	ck_assert_int_eq(decode_rs("0e 02 11 22 33 44 55 66"), -EINVAL);
	ck_assert_int_eq(decode_rs("0e ff 11 22 33 44 55 66"), -EINVAL);
	ck_assert_int_eq(decode_rs("0e 02 11 22 33 44 55 66 77 88 99 aa bb cc dd ee"), 0);
	/* not an Ethernet address */
	ck_assert_int_eq(decode_rs("01 02 02 00 00 00 00 05 00 00 00 00 00 00 00 00"), -EINVAL);
	ck_assert_int_eq(decode_ns(TARGET "01 00"), -EINVAL);
	ck_assert_int_eq(decode(136, "fe80::f", "fe80::2", TARGET "02 00"), -EINVAL);
}
END_TEST

START_TEST(targets_are_addresses_of_an_interface)
{
	ck_assert_int_eq(decode_ns(""), -EINVAL);
	ck_assert_int_eq(decode_ns("20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00"), -EINVAL);
	ck_assert_int_eq(decode_ns("ff 02 00 00 00 00 00 00  00 00 00 00 00 00 00 01"),
			 -EINVAL);
	ck_assert_int_eq(decode_ns("00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00"),
			 -EINVAL);
	ck_assert_int_eq(decode_ns("00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 01"),
			 -EINVAL);
	/* would be taken for IPv4 */
	ck_assert_int_eq(decode_ns("00 00 00 00 00 00 00 00  00 00 ff ff 0a 00 02 0f"),
			 -EINVAL);
	ck_assert_int_eq(decode(136, "fe80::f", "fe80::2",
				"ff 02 00 00 00 00 00 00  00 00 00 00 00 00 00 01"),
			 -EINVAL);
}
END_TEST

/* RFC 4861 6.1.1, 7.1.1: who has no address yet has no link-layer address to tell, and asks
 * those that have the one it wants. */
START_TEST(senders_without_address)
{
	ck_assert_int_eq(decode(133, "::", "ff02::2", ""), 0);
	ck_assert_int_eq(decode(133, "::", "ff02::2", SOURCE_MAC), -EINVAL);
	ck_assert_int_eq(decode(135, "::", "ff02::1:ff01:2345", TARGET), 0);
	ck_assert_int_eq(decode(135, "::", "ff02::1:ff01:2345", TARGET NONCE), 0);
	ck_assert_int_eq(decode(135, "::", "ff02::1:ff01:2345", TARGET SOURCE_MAC), -EINVAL);
	ck_assert_int_eq(decode(135, "::", "ff02::1:ff01:2346", TARGET), -EINVAL);
	ck_assert_int_eq(decode(135, "::", "fe80::2", TARGET), -EINVAL);
}
END_TEST

START_TEST(only_messages_of_this_link)
{
	ck_assert_int_eq(decode_rs(""), 0);
	packet.pkt.ttl = 254;
	ck_assert_int_eq(ndp_decode(&packet.pkt, &msg), -EINVAL);
	packet.pkt.ttl = 255;
	packet.pkt.icmp.code = 1;
	ck_assert_int_eq(ndp_decode(&packet.pkt, &msg), -EINVAL);
	packet.pkt.icmp.code = 0;
	packet.pkt.dont_fragment = false; /* was put together */
	ck_assert_int_eq(ndp_decode(&packet.pkt, &msg), -EINVAL);
	packet.pkt.dont_fragment = true;
	ck_assert_int_eq(ndp_decode(&packet.pkt, &msg), 0);
}
END_TEST

/* RFC 4861 7.1.2; what routers say is not for us. */
START_TEST(advertisements)
{
	struct packet_ip6 all = { .dst = addr_of("ff02::1"), .hop_limit = 255 },
			  us = { .dst = addr_of("fe80::2"), .hop_limit = 255 };
	struct icmp_hdr solicited = { .type = 136, .id = 0x4000 };
	uint8_t body[64];
	size_t len = from_hex(TARGET, body, sizeof(body));

	packet_icmp6(&packet, &us, &solicited, body, len);
	ck_assert_int_eq(ndp_decode(&packet.pkt, &msg), 0);
	packet_icmp6(&packet, &all, &solicited, body, len);
	ck_assert_int_eq(ndp_decode(&packet.pkt, &msg), -EINVAL);
	ck_assert_int_eq(decode(136, "fe80::f", "ff02::1", TARGET), 0);
	ck_assert_int_eq(decode(134, "fe80::f", "ff02::1", "00 00 00 00 00 00 00 00"), -EINVAL);
	ck_assert_int_eq(decode(137, "fe80::f", "fe80::2", TARGET TARGET), -EINVAL);
}
END_TEST

START_TEST(neighbor_advertisement_is_exact)
{
	struct wr w = wr_init(buf, NDP_NA_LEN);
	struct ndp_na na = { .target = addr_of("2001:db8:2::1"), .mac = fake_gateway_mac };
	struct icmp_hdr h;

	ndp_na_encode(&w, &h, &na);
	ck_assert(!w.error);
	assert_bytes(buf, wr_len(&w),
		     "20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 01"
		     "02 01 9a 55 9a 55 9a 55");
	ck_assert_uint_eq(h.type, 136);
	ck_assert_uint_eq(h.code, 0);
	ck_assert_uint_eq(h.id, 0x2000);
	ck_assert_uint_eq(h.seq, 0);
	na.router = true;
	w = wr_init(buf, NDP_NA_LEN);
	ndp_na_encode(&w, &h, &na);
	ck_assert_uint_eq(h.id, 0xa000);
	na.solicited = true;
	w = wr_init(buf, NDP_NA_LEN);
	ndp_na_encode(&w, &h, &na);
	ck_assert_uint_eq(h.id, 0xe000);
}
END_TEST

/* Encodes into `room` bytes; `left_out` must be left out.  Returns the length. */
static size_t encode(const struct ndp_ra *ra, size_t room, unsigned left_out,
		     struct icmp_hdr *h)
{
	struct wr w = wr_init(buf, room);

	ck_assert_uint_eq(ndp_ra_encode(&w, h, ra), left_out);
	ck_assert(!w.error);
	return wr_len(&w);
}

START_TEST(router_advertisement_is_exact)
{
	const struct addr dns[] = { addr_of("2001:db8:2::3"), addr_of("fe80::2") };
	const char search[][NDP_NAME_MAX] = { "example.org", "eng.example.org" };
	const struct ndp_prefix prefix = { .prefix = addr_of("2001:db8:2:0:1234::f"),
					   .len = 64,
					   .on_link = true,
					   .autonomous = true,
					   .valid = 86400,
					   .preferred = 14400 };
	struct ndp_ra ra = { .hop_limit = 64,
			     .managed = true,
			     .router_lifetime = 1800,
			     .mac = fake_gateway_mac,
			     .mtu = 65520,
			     .prefix = &prefix,
			     .dns_lifetime = 1200,
			     .dns = dns,
			     .n_dns = 2,
			     .search = search,
			     .n_search = 2 };
	struct icmp_hdr h;
	size_t len = encode(&ra, NDP_RA_MAX, 0, &h);

	ck_assert_uint_eq(h.type, 134);
	ck_assert_uint_eq(h.code, 0);
	ck_assert_uint_eq(h.id, 64 << 8 | 0x80);
	ck_assert_uint_eq(h.seq, 1800);
	assert_bytes(buf, len,
		     "00 00 00 00  00 00 00 00" /* reachable, retransmission */
		     "01 01 9a 55 9a 55 9a 55"	/* source link-layer address */
		     "05 01 00 00  00 00 ff f0" /* MTU */
		     "03 04 40 c0  00 01 51 80  00 00 38 40  00 00 00 00" /* prefix */
		     "20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 00"
		     "19 05 00 00  00 00 04 b0" /* RDNSS */
		     "20 01 0d b8 00 02 00 00  00 00 00 00 00 00 00 03"
		     "fe 80 00 00 00 00 00 00  00 00 00 00 00 00 00 02"
		     "1f 05 00 00  00 00 04 b0" /* DNSSL, padded with three */
		     "07 65 78 61 6d 70 6c 65  03 6f 72 67 00"
		     "03 65 6e 67 07 65 78 61  6d 70 6c 65 03 6f 72 67  00 00 00");
	ra = (struct ndp_ra){ .other = true, .mac = fake_gateway_mac };
	len = encode(&ra, NDP_RA_MAX, 0, &h);
	assert_bytes(buf, len, "00 00 00 00  00 00 00 00  01 01 9a 55 9a 55 9a 55");
	ck_assert_uint_eq(h.id, 0x40);
	ck_assert_uint_eq(h.seq, 0);
}
END_TEST

START_TEST(prefixes_are_masked)
{
	const struct {
		uint8_t len;
		const char *hex;
	} cases[] = {
		{ 0, "03 04 00 00  00 00 00 00  00 00 00 00  00 00 00 00"
		     "00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00" },
		{ 61, "03 04 3d 00  00 00 00 00  00 00 00 00  00 00 00 00"
		      "ff ff ff ff ff ff ff f8  00 00 00 00 00 00 00 00" },
		{ 64, "03 04 40 00  00 00 00 00  00 00 00 00  00 00 00 00"
		      "ff ff ff ff ff ff ff ff  00 00 00 00 00 00 00 00" },
		{ 65, "03 04 41 00  00 00 00 00  00 00 00 00  00 00 00 00"
		      "ff ff ff ff ff ff ff ff  80 00 00 00 00 00 00 00" },
		{ 128, "03 04 80 00  00 00 00 00  00 00 00 00  00 00 00 00"
		       "ff ff ff ff ff ff ff ff  ff ff ff ff ff ff ff ff" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ndp_prefix prefix = { .len = cases[i].len };
		struct ndp_ra ra = { .prefix = &prefix };
		struct icmp_hdr h;

		memset(&prefix.prefix, 0xff, sizeof(prefix.prefix));
		ck_assert_uint_eq(encode(&ra, NDP_RA_MAX, 0, &h), 48);
		assert_bytes(buf + 16, 32, cases[i].hex);
	}
}
END_TEST

/* Names of 7, 8 and 9 bytes as they stand in the message. */
START_TEST(search_list_is_padded_to_whole_units)
{
	const struct {
		const char *name, *hex;
	} cases[] = {
		{ "abcde", "1f 02 00 00  00 00 00 3c  05 61 62 63 64 65 00 00" },
		{ "abcdef", "1f 02 00 00  00 00 00 3c  06 61 62 63 64 65 66 00" },
		{ "abcdefg", "1f 03 00 00  00 00 00 3c  07 61 62 63 64 65 66 67"
			     "00 00 00 00  00 00 00 00" },
	};
	char search[1][NDP_NAME_MAX];
	struct ndp_ra ra = { .search = (const char(*)[NDP_NAME_MAX])search,
			     .n_search = 1,
			     .dns_lifetime = 60 };
	struct icmp_hdr h;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;

		memset(buf, 0xee, sizeof(buf));
		snprintf(search[0], sizeof(search[0]), "%s", cases[i].name);
		len = encode(&ra, NDP_RA_MAX, 0, &h);
		assert_bytes(buf + 16, len - 16, cases[i].hex);
		ck_assert_uint_eq(buf[len], 0xee);
	}
}
END_TEST

START_TEST(no_option_without_names)
{
	const char search[][NDP_NAME_MAX] = { "", ".", "not..a.name" };
	struct ndp_ra ra = { .search = search, .n_search = 3 };
	struct icmp_hdr h;

	ck_assert_uint_eq(encode(&ra, NDP_RA_MAX, 3, &h), 16);
	ra.n_search = 0;
	ck_assert_uint_eq(encode(&ra, NDP_RA_MAX, 0, &h), 16);
}
END_TEST

/* A domain of 253 characters, 255 bytes in the message. */
static void longest_name(char name[static NDP_NAME_MAX], char c)
{
	memset(name, c, 253);
	name[63] = name[127] = name[191] = '.';
	name[253] = '\0';
}

START_TEST(what_finds_no_room_is_left_out_whole)
{
	static char search[6][NDP_NAME_MAX];
	struct ndp_ra ra = { .search = (const char(*)[NDP_NAME_MAX])search, .n_search = 6 };
	struct icmp_hdr h;

	for (unsigned i = 0; i < 5; i++)
		longest_name(search[i], (char)('a' + i));
	snprintf(search[5], sizeof(search[5]), "short.example");
	/* 1232 - 16 - 8 = 1208: four of the long ones (1020), and the short one (15) */
	ck_assert_uint_eq(encode(&ra, NDP_RA_MAX, 1, &h), 16 + 8 + 1040);
	ck_assert_uint_eq(buf[16], 31);
	ck_assert_uint_eq(buf[17], 131);
	/* exactly as large as one name asks for, with its padding, and a byte less */
	ra.n_search = 1;
	ck_assert_uint_eq(encode(&ra, 16 + 8 + 256, 0, &h), 16 + 8 + 256);
	ck_assert_uint_eq(encode(&ra, 16 + 8 + 255, 1, &h), 16);
}
END_TEST

START_TEST(resolvers_that_find_no_room)
{
	static struct addr dns[200];
	struct ndp_ra ra = { .dns = dns, .n_dns = 200 };
	struct icmp_hdr h;

	ck_assert_uint_eq(encode(&ra, NDP_RA_MAX, 200 - 75, &h), 16 + 8 + 75 * 16);
	ck_assert_uint_eq(buf[17], 151);
	ra.n_dns = 2;
	ck_assert_uint_eq(encode(&ra, 16 + 8 + 32, 0, &h), 16 + 8 + 32);
	ck_assert_uint_eq(encode(&ra, 16 + 8 + 31, 1, &h), 16 + 8 + 16);
	ck_assert_uint_eq(encode(&ra, 16 + 8 + 15, 2, &h), 16);
}
END_TEST

/* However little room there is, options are whole and nothing is written behind it. */
START_TEST(any_room_holds_whole_options)
{
	static char search[3][NDP_NAME_MAX];
	struct addr dns[8] = { addr_of("2001:db8::1") };
	struct ndp_prefix prefix = { .len = 64 };
	struct ndp_ra ra = { .mtu = 1500,
			     .prefix = &prefix,
			     .dns = dns,
			     .n_dns = 8,
			     .search = (const char(*)[NDP_NAME_MAX])search,
			     .n_search = 3 };

	for (unsigned i = 0; i < 3; i++)
		longest_name(search[i], 'x');
	for (size_t room = 8; room <= NDP_RA_MAX; room++) {
		struct wr w = wr_init(buf, room);
		struct icmp_hdr h;
		unsigned left_out;
		struct rd r;

		memset(buf, 0xee, sizeof(buf));
		left_out = ndp_ra_encode(&w, &h, &ra);
		ck_assert(!w.error);
		ck_assert_uint_eq(left_out == 0, room >= 16 + 8 + 32 + 136 + 8 + 768);
		ck_assert_uint_eq(buf[room], 0xee);
		r = rd_init(buf, wr_len(&w));
		rd_skip(&r, 8);
		while (rd_left(&r)) {
			size_t units;

			rd_skip(&r, 1);
			units = rd_u8(&r);
			ck_assert_uint_ge(units, 1);
			rd_skip(&r, units * 8 - 2);
		}
		ck_assert(!r.error);
	}
}
END_TEST

START_TEST(multicast_addresses)
{
	struct addr a = addr_of("2001:db8::1234:56ff:fe78:9abc"),
		    group = ndp_solicited_node(&a);
	struct addr want = addr_of("ff02::1:ff78:9abc");
	struct mac mac = mac_of_multicast6(&group);

	ck_assert(addr_eq(&group, &want));
	assert_bytes(mac.b, MAC_LEN, "33 33 ff 78 9a bc");
	mac = mac_of_multicast6(&ADDR_ALL_NODES6);
	assert_bytes(mac.b, MAC_LEN, "33 33 00 00 00 01");
}
END_TEST

SUITE_MAIN("ndp_wire", solicitations_and_advertisements_are_read, options_must_be_whole,
	   targets_are_addresses_of_an_interface, senders_without_address,
	   only_messages_of_this_link, advertisements, neighbor_advertisement_is_exact,
	   router_advertisement_is_exact, prefixes_are_masked,
	   search_list_is_padded_to_whole_units, no_option_without_names,
	   what_finds_no_room_is_left_out_whole, resolvers_that_find_no_room,
	   any_room_holds_whole_options, multicast_addresses)
