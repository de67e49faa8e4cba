/* Reassembly of the guest's fragments: any order, overlaps, bounds, limits, time. */
#include "proto/reassembly.h"

#include "base/checksum.h"
#include "lib/fake_guest.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/guest.h"

static struct fake_guest g;
static struct packet packet;
static struct pkt whole;
static bool complete;
static uint8_t data[70000]; /* a UDP datagram: header, then a pattern */

static void begin(void)
{
	fake_guest_init(&g);
	g.env.reassembly = reassembly_new(&g.env);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(data, "\x13\x88\x00\x07", 4);
}

static void end(void)
{
	reassembly_reset(&g.env);
	ck_assert_uint_eq(g.env.timers.n, 0);
	reassembly_free(g.env.reassembly);
	fake_guest_free(&g);
}

/* Bytes [from, to) of the datagram with this id, of which there are `len`. */
static enum drop piece(uint16_t id, size_t from, size_t to, size_t len)
{
	put_be16(data + 4, (uint16_t)len);
	packet_fragment(&packet, &(struct packet_ip){ .ttl = 9 }, IP_UDP, id, (uint16_t)from,
			to < len, data + from, to - from);
	return reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete);
}

/* The datagram is whole, and its payload is that of the pattern. */
static void assert_whole(uint16_t id, size_t len)
{
	ck_assert(complete);
	ck_assert(!whole.fragment);
	ck_assert_uint_eq(whole.fragment_id, id);
	ck_assert_uint_eq(whole.udp.sport, 5000);
	ck_assert_uint_eq(whole.payload_len, len - UDP_HEADER_LEN);
	ck_assert(!memcmp(whole.payload, data + UDP_HEADER_LEN, len - UDP_HEADER_LEN));
	ck_assert_uint_eq(whole.ip_len, IP4_HEADER_LEN + len);
	ck_assert_ptr_eq(whole.l4, whole.ip + IP4_HEADER_LEN);
	ck_assert_int_eq(whole.ttl, 9);
}

START_TEST(in_order_and_not)
{
	begin();
	ck_assert_int_eq(piece(1, 0, 1480, 4000), DROP_NONE);
	ck_assert_int_eq(piece(1, 1480, 2960, 4000), DROP_NONE);
	ck_assert(!complete);
	ck_assert_int_eq(piece(1, 2960, 4000, 4000), DROP_NONE);
	assert_whole(1, 4000);
	piece(2, 2960, 4000, 4000);
	piece(2, 1480, 2960, 4000);
	ck_assert(!complete);
	piece(2, 0, 1480, 4000);
	assert_whole(2, 4000);
	ck_assert_uint_eq(g.env.stats.fragments_in, 6);
	ck_assert_uint_eq(g.env.stats.fragments_whole, 2);
	end();
}
END_TEST

START_TEST(header_of_the_whole)
{
	begin();
	piece(1, 8, 16, 16);
	piece(1, 0, 8, 16);
	/* IPv4: 36 bytes, id 1, no fragment, TTL 9, UDP, 10.0.2.15 to 198.51.100.2 */
	assert_bytes(whole.ip, 20,
		     "45 00 00 24  00 01 00 00  09 11 7b 84  0a 00 02 0f  c6 33 64 02");
	ck_assert_uint_eq(checksum_finish(checksum_add(0, whole.ip, 20)), 0);
	end();
}
END_TEST

START_TEST(options_of_the_first_fragment_stay)
{
	begin();
	piece(1, 8, 24, 24);
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_UDP, 1, 0, true, data, 8);
	/* four no-operation options between header and data, as a router would pass them */
	memmove(packet.frame + 38, packet.frame + 34, 8);
	memset(packet.frame + 34, 1, 4);
	packet.frame[14] = 0x46;
	put_be16(packet.frame + 16, 24 + 8);
	ck_assert_int_eq(pkt_decode(packet.frame, packet.len + 4, &packet.pkt), DROP_NONE);
	ck_assert_int_eq(reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete),
			 DROP_NONE);
	ck_assert(complete);
	ck_assert_uint_eq(whole.ip_len, 24 + 24);
	ck_assert_uint_eq(get_be16(whole.ip + 2), 48);
	ck_assert_uint_eq(checksum_finish(checksum_add(0, whole.ip, 24)), 0);
	ck_assert(!memcmp(whole.l4, data, 24));
	end();
}
END_TEST

START_TEST(largest_datagram)
{
	enum { LEN = IP4_LEN_MAX - IP4_HEADER_LEN };

	begin();
	for (size_t from = 0; from < LEN; from += 8) {
		ck_assert(!complete || !from);
		ck_assert_int_eq(piece(1, from, from + 8 < LEN ? from + 8 : LEN, LEN),
				 DROP_NONE);
	}
	assert_whole(1, LEN);
	end();
}
END_TEST

START_TEST(bounds)
{
	begin();
	/* ends behind 65,535 */
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_UDP, 1, 65528, false, data, 8);
	ck_assert_int_eq(reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete),
			 DROP_FRAGMENT_BOUNDS);
	/* not the last one, and not a multiple of eight bytes */
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_UDP, 1, 0, true, data, 12);
	ck_assert_int_eq(reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete),
			 DROP_FRAGMENT_BOUNDS);
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_UDP, 1, 8, false, data, 0);
	ck_assert_int_eq(reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete),
			 DROP_FRAGMENT_BOUNDS);
	/* fits by itself, but not behind a first fragment with 40 bytes of options */
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_UDP, 1, 8, true, data, 65496);
	reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete);
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_UDP, 1, 65504, false, data, 8);
	ck_assert_int_eq(reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete),
			 DROP_NONE);
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_UDP, 1, 0, true, data, 8);
	memmove(packet.frame + 74, packet.frame + 34, 8);
	memset(packet.frame + 34, 1, 40);
	packet.frame[14] = 0x4f;
	put_be16(packet.frame + 16, 60 + 8);
	ck_assert_int_eq(pkt_decode(packet.frame, packet.len + 40, &packet.pkt), DROP_NONE);
	ck_assert_int_eq(reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete),
			 DROP_FRAGMENT_BOUNDS);
	ck_assert(!complete);
	end();
}
END_TEST

START_TEST(duplicates_and_overlaps)
{
	begin();
	piece(1, 0, 1480, 4000);
	ck_assert_int_eq(piece(1, 0, 1480, 4000), DROP_NONE);	/* again */
	ck_assert_int_eq(piece(1, 800, 2400, 4000), DROP_NONE); /* same bytes, other cut */
	ck_assert_int_eq(piece(1, 2400, 4000, 4000), DROP_NONE);
	assert_whole(1, 4000);
	piece(2, 0, 1480, 4000);
	data[1000] ^= 1;
	ck_assert_int_eq(piece(2, 800, 2400, 4000), DROP_FRAGMENT_OVERLAP);
	piece(2, 1480, 4000, 4000);
	ck_assert(!complete); /* the first part is gone with it */
	end();
}
END_TEST

START_TEST(contradicting_ends)
{
	begin();
	piece(1, 2960, 4000, 4000);
	ck_assert_int_eq(piece(1, 2960, 4008, 4008), DROP_FRAGMENT_OVERLAP);
	piece(2, 0, 1480, 1488);
	piece(2, 1480, 2960, 4000);
	ck_assert_int_eq(piece(2, 1480, 1488, 1488), DROP_FRAGMENT_OVERLAP);
	ck_assert(!complete);
	end();
}
END_TEST

START_TEST(datagrams_do_not_mix)
{
	static const uint32_t dsts[] = { 0xc6336402, 0xcb006402 };

	begin();
	for (int i = 0; i < 2; i++) {
		packet_fragment(&packet, &(struct packet_ip){ .dst = dsts[i] }, IP_UDP, 1, 0,
				true, data, 8);
		reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete);
	}
	packet_fragment(&packet, &(struct packet_ip){ .dst = dsts[0] }, IP_ICMP, 1, 8, false,
			data, 8);
	reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete);
	ck_assert(!complete);
	packet_fragment(&packet, &(struct packet_ip){ .dst = dsts[1] }, IP_UDP, 1, 8, false,
			data, 8);
	reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete);
	ck_assert(complete);
	ck_assert_uint_eq(addr_get_ip4(&whole.dst), dsts[1]);
	end();
}
END_TEST

START_TEST(oldest_gives_way)
{
	begin();
	for (uint16_t id = 0; id < 65; id++)
		ck_assert_int_eq(piece(id, 0, 1480, 4000), DROP_NONE);
	ck_assert_uint_eq(g.env.stats.drops[DROP_FRAGMENT_LIMIT], 1);
	piece(64, 1480, 4000, 4000);
	assert_whole(64, 4000);
	piece(1, 1480, 4000, 4000);
	assert_whole(1, 4000);
	piece(0, 1480, 4000, 4000);
	ck_assert(!complete);
	end();
}
END_TEST

/* What is under way goes on, and nothing new comes until that is below the limit. */
START_TEST(lower_limit)
{
	begin();
	for (uint16_t id = 0; id < 4; id++)
		piece(id, 0, 1480, 4000);
	g.conf.limits.fragments = 2;
	reassembly_trim(&g.env);
	ck_assert_int_eq(piece(4, 0, 1480, 4000), DROP_FRAGMENT_LIMIT);
	ck_assert_uint_eq(reassembly_count(&g.env), 4);
	piece(0, 1480, 4000, 4000);
	assert_whole(0, 4000);
	ck_assert_int_eq(piece(5, 0, 1480, 4000), DROP_FRAGMENT_LIMIT);
	piece(1, 1480, 4000, 4000);
	assert_whole(1, 4000);
	ck_assert_int_eq(piece(6, 0, 1480, 4000), DROP_NONE); /* 2 gives way */
	ck_assert_uint_eq(reassembly_count(&g.env), 2);
	piece(3, 1480, 4000, 4000);
	assert_whole(3, 4000);
	g.conf.limits.fragments = 8;
	for (uint16_t id = 10; id < 17; id++)
		ck_assert_int_eq(piece(id, 0, 1480, 4000), DROP_NONE);
	ck_assert_uint_eq(reassembly_count(&g.env), 8);
	ck_assert_uint_eq(g.env.stats.drops[DROP_FRAGMENT_LIMIT],
			  1); /* that of 2: the others are the caller's */
	end();
}
END_TEST

START_TEST(none_allowed)
{
	fake_guest_init(&g);
	g.conf.limits.fragments = 0;
	g.env.reassembly = reassembly_new(&g.env);
	ck_assert_int_eq(piece(1, 0, 1480, 4000), DROP_FRAGMENT_LIMIT);
	end();
}
END_TEST

START_TEST(late_fragments_are_told)
{
	const struct fake_frame *f;

	begin();
	piece(1, 0, 16, 4000);
	fake_guest_advance(&g, 10 * NS_PER_SEC);
	piece(2, 8, 16, 4000); /* without its first fragment nothing can be quoted */
	fake_guest_advance(&g, 19 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 0);
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	f = fake_guest_frame(&g, 0);
	/* Ethernet; IPv4: 64 bytes, ICMP, 10.0.2.2 to 10.0.2.15
	 * ICMP: time exceeded, fragment reassembly
	 * quoted IPv4: 36 bytes, id 1, more fragments, TTL 9, UDP, 10.0.2.15 to 198.51.100.2
	 * quoted UDP: 5000 to 7, 4000 bytes, and the eight bytes behind it */
	assert_bytes(f->data, f->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 40  00 00 00 00  40 01 62 ad  0a 00 02 02  0a 00 02 0f"
		     "0b 01 72 4d  00 00 00 00"
		     "45 00 00 24  00 01 20 00  09 11 5b 84  0a 00 02 0f  c6 33 64 02"
		     "13 88 00 07  0f a0 2a 31  38 3f 46 4d  54 5b 62 69");
	ck_assert_uint_eq(g.env.stats.drops[DROP_FRAGMENT_TIMEOUT], 1);
	fake_guest_advance(&g, 10 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_eq(g.env.stats.drops[DROP_FRAGMENT_TIMEOUT], 2);
	ck_assert_uint_eq(g.env.timers.n, 0);
	piece(1, 1480, 4000, 4000);
	ck_assert(!complete);
	end();
}
END_TEST

START_TEST(late_echo_is_told_late_error_is_not)
{
	static const uint8_t echo[16] = { ICMP_TYPE_ECHO },
			     error[16] = { ICMP_TYPE_UNREACHABLE };

	begin();
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_ICMP, 1, 0, true, error, 16);
	reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete);
	packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_ICMP, 2, 0, true, echo, 16);
	reassembly_from_guest(&g.env, &packet.pkt, &whole, &complete);
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 1);
	end();
}
END_TEST

/* RFC 1122 3.2.2: errors are about the first fragment alone. */
START_TEST(no_errors_about_later_fragments)
{
	begin();
	for (uint16_t offset = 0; offset <= 8; offset += 8) {
		packet_fragment(&packet, &(struct packet_ip){ 0 }, IP_UDP, 1, offset, !offset, data, 8);
		guest_send_error(&g.env, &packet.pkt, GUEST_ERROR_HOST);
	}
	ck_assert_uint_eq(g.n_frames, 1);
	end();
}
END_TEST

SUITE_MAIN("reassembly", in_order_and_not, header_of_the_whole,
	   options_of_the_first_fragment_stay, largest_datagram, bounds,
	   duplicates_and_overlaps, contradicting_ends, datagrams_do_not_mix, oldest_gives_way,
	   lower_limit, none_allowed, late_fragments_are_told,
	   late_echo_is_told_late_error_is_not, no_errors_about_later_fragments)
