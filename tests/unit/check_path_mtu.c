/* Narrow paths behind the guest: what is believed, for how long, and what becomes smaller. */
#include "proto/path_mtu.h"

#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"
#include "proto/icmp.h"
#include "proto/udp.h"
#include "wire/icmp6.h"

#define A      TCP_ACK
#define P      TCP_PSH
#define PEER   0xc6336402
#define ROUTER 0x0a000263 /* of the guest's side, on the way to it */

static struct fake_guest g;
static struct fake_udp host;
static struct packet packet;

/* The table */

static uint16_t known(const char *dst)
{
	struct addr a = addr_of(dst);

	return path_mtu(&g.env, &a);
}

static bool lower(const char *dst, uint32_t mtu)
{
	struct addr a = addr_of(dst);

	return path_mtu_lower(&g.env, &a, mtu);
}

START_TEST(only_smaller_ones_are_news)
{
	fake_guest_init(&g);
	ck_assert_uint_eq(known("10.9.9.9"), 1500);
	ck_assert(!lower("10.9.9.9", 1500));
	ck_assert(!lower("10.9.9.9", 65535));
	ck_assert(lower("10.9.9.9", 1400));
	ck_assert(!lower("10.9.9.9", 1400));
	ck_assert(!lower("10.9.9.9", 1401));
	ck_assert(lower("10.9.9.9", 1399));
	ck_assert_uint_eq(known("10.9.9.9"), 1399);
	ck_assert_uint_eq(known("10.9.9.8"), 1500);
	ck_assert_uint_eq(g.env.path_mtus.n, 1);
	g.net.mtu = 1300;
	ck_assert_uint_eq(known("10.9.9.9"), 1300);
	fake_guest_free(&g);
}
END_TEST

START_TEST(least_of_each_family)
{
	fake_guest_init(&g);
	ck_assert(!lower("2001:db8::9", 1279));
	ck_assert(!lower("2001:db8::9", 0));
	ck_assert_uint_eq(known("2001:db8::9"), 1500);
	ck_assert(!lower("2001:db8::9", 0x10000 + 1280));
	ck_assert(lower("2001:db8::9", 1280));
	ck_assert_uint_eq(known("2001:db8::9"), 1280);
	ck_assert(lower("10.9.9.9", 0)); /* a router older than RFC 1191 */
	ck_assert_uint_eq(known("10.9.9.9"), 576);
	ck_assert(lower("10.9.9.9", 68));
	ck_assert_uint_eq(known("10.9.9.9"), PATH_MTU_MIN4);
	ck_assert(!lower("10.9.9.9", 1));
	fake_guest_free(&g);
}
END_TEST

START_TEST(after_ten_minutes_more_is_tried)
{
	fake_guest_init(&g);
	ck_assert(lower("10.9.9.9", 1000));
	fake_guest_advance(&g, 300 * NS_PER_SEC);
	ck_assert(lower("10.9.9.9", 900));
	ck_assert(!lower("10.9.9.9", 1000));
	fake_guest_advance(&g, 600 * NS_PER_SEC - 1);
	ck_assert_uint_eq(known("10.9.9.9"), 900);
	fake_guest_advance(&g, 1);
	ck_assert_uint_eq(known("10.9.9.9"), 1500);
	ck_assert(lower("10.9.9.9", 1000));
	ck_assert_uint_eq(g.env.path_mtus.n, 1);
	fake_guest_free(&g);
}
END_TEST

START_TEST(the_oldest_gives_way)
{
	char dst[ADDR_STR_MAX];

	fake_guest_init(&g);
	for (int i = 0; i < PATH_MTU_PATHS + 1; i++) {
		snprintf(dst, sizeof(dst), "10.9.9.%d", i);
		ck_assert(lower(dst, 1000));
		fake_guest_advance(&g, 1);
	}
	ck_assert_uint_eq(g.env.path_mtus.n, PATH_MTU_PATHS);
	ck_assert_uint_eq(known("10.9.9.0"), 1500);
	ck_assert_uint_eq(known("10.9.9.1"), 1000);
	ck_assert_uint_eq(known(dst), 1000);
	ck_assert(lower("10.9.9.1", 900)); /* the first in the table is not always the oldest */
	ck_assert(lower("10.9.9.33", 1000));
	ck_assert(lower("10.9.9.34", 1000));
	ck_assert_uint_eq(known("10.9.9.1"), 900);
	ck_assert_uint_eq(known("10.9.9.3"), 1500);
	ck_assert_uint_eq(known("10.9.9.33"), 1000);
	demux_guest_down(&g.env);
	ck_assert_uint_eq(known(dst), 1500);
	fake_guest_free(&g);
}
END_TEST

/* What the guest says */

/* A packet of ours as it is quoted. */
struct quoted {
	struct addr src, dst;
	uint8_t proto;
	size_t len; /* of the whole packet */
	const char *l4;
	uint16_t fragment_offset; /* IPv4 */
};

static enum drop complain_of(const struct quoted *q, uint32_t mtu)
{
	bool ip4 = addr_is_ip4(&q->dst);
	uint8_t bytes[128];
	struct wr w = wr_init(bytes, sizeof(bytes));

	if (ip4)
		ip4_encode(&w, &(struct ip4_hdr){ .total_len = (uint16_t)q->len, .proto = q->proto,
						  .fragment_offset = q->fragment_offset,
						  .src = q->src, .dst = q->dst });
	else
		ip6_encode(&w, &(struct ip6_hdr){ .payload_len = (uint16_t)(q->len - IP6_HEADER_LEN),
						  .next_header = q->proto, .src = q->src, .dst = q->dst });
	w.p += from_hex(q->l4, w.p, wr_left(&w));
	if (ip4)
		packet_icmp(&packet, &(struct packet_ip){ .src = ROUTER },
			    &(struct icmp_hdr){ ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED,
						0, (uint16_t)mtu },
			    bytes, wr_len(&w));
	else
		packet_icmp6(&packet, &(struct packet_ip6){ .src = addr_of("fe80::99") },
			     &(struct icmp_hdr){ ICMP6_TYPE_PACKET_TOO_BIG, 0, (uint16_t)(mtu >> 16),
						 (uint16_t)mtu },
			     bytes, wr_len(&w));
	return demux_from_guest(&g.env, packet.frame, packet.len);
}

static void begin(void)
{
	fake_guest_init(&g);
	fake_udp_init(&host);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &host);
	packet_udp(&packet, &(struct packet_ip){ 0 }, 5000, 7, "a", 1);
	udp_from_guest(&g.env, &packet.pkt);
	packet_udp6(&packet, &(struct packet_ip6){ 0 }, 5000, 7, "a", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
}

static void end(void)
{
	demux_guest_down(&g.env);
	udp_free(g.env.udp);
	fake_udp_free(&host);
	fake_guest_free(&g);
}

/* The peer's datagram of `len` bytes, 0 to IPv4 and 1 to IPv6, becomes so many packets, none longer
 * than `max`. */
static void expect_packets(size_t sock, size_t len, size_t n, size_t max)
{
	static const uint8_t payload[4000];
	bool more = true;

	fake_guest_clear(&g);
	fake_udp_put(&host.socks[sock], payload, len);
	fake_udp_run(&g.env, &host);
	ck_assert_uint_eq(g.n_frames, n);
	for (size_t i = 0; i < n; i++) {
		const struct fake_frame *f = fake_guest_frame(&g, i);
		struct pkt p;

		ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
		ck_assert_uint_le(p.ip_len, max);
		ck_assert(!p.dont_fragment || !addr_is_ip4(&p.src));
		ck_assert(p.fragment == (n > 1));
		more = p.more_fragments;
	}
	ck_assert(!more);
}

static struct quoted datagram(bool ip6)
{
	struct quoted q = { addr_ip4(PEER), addr_ip4(0x0a00020f), IP_UDP, 1428,
			    "00 07 13 88 05 80 00 00", 0 };

	if (ip6) {
		q.src = addr_of("2001:db8:1::2");
		q.dst = addr_of("2001:db8:2::f");
	}
	return q;
}

START_TEST(datagrams_come_in_fragments)
{
	struct quoted q;

	begin();
	expect_packets(0, 1400, 1, 1428);
	expect_packets(1, 1400, 1, 1448);
	q = datagram(false);
	ck_assert_int_eq(complain_of(&q, 1004), DROP_NONE);
	expect_packets(0, 1400, 2, 1004);
	expect_packets(0, 976, 1, 1004);
	expect_packets(1, 1400, 1, 1448);
	q = datagram(true);
	ck_assert_int_eq(complain_of(&q, 1280), DROP_NONE);
	expect_packets(1, 1400, 2, 1280);
	expect_packets(1, 1232, 1, 1280);
	ck_assert_uint_eq(g.env.stats.path_mtu_lowered, 2);
	ck_assert_int_eq(complain_of(&q, 1280), DROP_NONE);
	ck_assert_uint_eq(g.env.stats.path_mtu_lowered, 2);
	ck_assert_uint_eq(g.env.stats.path_mtu_ignored, 0);
	end();
}
END_TEST

START_TEST(a_fragment_is_quoted)
{
	begin();
	expect_packets(1, 1400, 1, 1448);
	ck_assert_int_eq(complain_of(&(struct quoted){ addr_of("2001:db8:1::2"), addr_of("2001:db8:2::f"),
						       IP6_FRAGMENT, 1496,
						       "11 00 00 01 00 00 00 01"
						       "00 07 13 88 0b b8 00 00", 0 },
				     1280),
			 DROP_NONE);
	expect_packets(1, 1400, 2, 1280);
	/* of a fragment other than the first, nobody can tell which flow it is of */
	ck_assert_int_eq(complain_of(&(struct quoted){ addr_of("2001:db8:1::2"), addr_of("2001:db8:2::f"),
						       IP6_FRAGMENT, 1496,
						       "11 00 05 a9 00 00 00 01"
						       "00 07 13 88 0b b8 00 00", 0 },
				     1280),
			 DROP_NONE);
	ck_assert_uint_eq(g.env.stats.path_mtu_ignored, 1);
	end();
}
END_TEST

/* Neither fills the table nor narrows a path. */
START_TEST(what_we_cannot_have_sent)
{
	static const char *const others[] = { "00 08 13 88 05 80 00 00", "00 07 13 89 05 80 00 00" };
	struct quoted q;

	begin();
	q = datagram(false);
	ck_assert_int_eq(complain_of(&q, 1000), DROP_NONE); /* nothing was sent yet */
	expect_packets(0, 1400, 1, 1428);
	for (size_t i = 0; i < 2; i++) {
		q = datagram(false);
		q.l4 = others[i];
		ck_assert_int_eq(complain_of(&q, 1000), DROP_NONE);
	}
	q = datagram(false);
	q.src = addr_ip4(PEER + 1);
	ck_assert_int_eq(complain_of(&q, 1000), DROP_NONE);
	q = datagram(false);
	q.dst = addr_ip4(0x0a000210);
	ck_assert_int_eq(complain_of(&q, 1000), DROP_NONE);
	q = datagram(false);
	q.proto = 132;
	ck_assert_int_eq(complain_of(&q, 1000), DROP_NONE);
	q = datagram(false);
	q.fragment_offset = 8;
	ck_assert_int_eq(complain_of(&q, 1000), DROP_NONE);
	q = datagram(false);
	ck_assert_int_eq(complain_of(&q, 1428), DROP_NONE); /* which it would fit */
	ck_assert_uint_eq(g.env.stats.path_mtu_ignored, 8);
	q.l4 = "00 07 13";
	ck_assert_int_eq(complain_of(&q, 1000), DROP_ICMP_HEADER);
	q.l4 = "";
	ck_assert_int_eq(complain_of(&q, 1000), DROP_ICMP_HEADER);
	ck_assert_uint_eq(g.env.stats.path_mtu_lowered, 0);
	ck_assert_uint_eq(g.env.path_mtus.n, 0);
	expect_packets(0, 1400, 1, 1428);
	end();
}
END_TEST

/* Who speaks one family tells nothing of the other. */
START_TEST(packets_of_the_other_family)
{
	uint8_t bytes[IP4_HEADER_LEN + UDP_HEADER_LEN];
	struct wr w = wr_init(bytes, sizeof(bytes));

	begin();
	expect_packets(0, 1400, 1, 1428);
	ip4_encode(&w, &(struct ip4_hdr){ .total_len = 1428, .proto = IP_UDP, .src = addr_ip4(PEER),
					  .dst = addr_ip4(0x0a00020f) });
	udp_encode(&w, &(struct udp_hdr){ .sport = 7, .dport = 5000, .len = 1408 });
	packet_icmp6(&packet, &(struct packet_ip6){ .src = addr_of("fe80::99") },
		     &(struct icmp_hdr){ ICMP6_TYPE_PACKET_TOO_BIG, 0, 0, 1280 }, bytes, wr_len(&w));
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_NONE);
	ck_assert_uint_eq(g.env.stats.path_mtu_ignored, 1);
	expect_packets(0, 1400, 1, 1428);
	end();
}
END_TEST

/* It is about more than echo. */
START_TEST(also_without_icmp)
{
	struct quoted q;

	begin();
	g.conf.no_icmp = true;
	expect_packets(0, 1400, 1, 1428);
	q = datagram(false);
	ck_assert_int_eq(complain_of(&q, 1004), DROP_NONE);
	expect_packets(0, 1400, 2, 1004);
	end();
}
END_TEST

/* TCP */

static uint16_t full_segment(void)
{
	return (uint16_t)(hand.ip6 ? 1440 : HAND_MSS);
}

/* The guest tells that a full segment from hand.ack + `offset` on does not fit. */
static void complain(uint32_t offset, uint16_t mtu)
{
	const struct flow_key *k = &hand_conn()->flow.key;
	uint8_t bytes[IP6_HEADER_LEN + TCP_HEADER_LEN];
	struct wr w = wr_init(bytes, sizeof(bytes));

	if (hand.ip6)
		ip6_encode(&w, &(struct ip6_hdr){ .payload_len = 1460, .next_header = IP_TCP,
						  .src = k->peer, .dst = k->guest });
	else
		ip4_encode(&w, &(struct ip4_hdr){ .total_len = 1500, .dont_fragment = true,
						  .proto = IP_TCP, .src = k->peer, .dst = k->guest });
	tcp_encode(&w, &(struct tcp_hdr){ .sport = k->peer_port, .dport = k->guest_port,
					  .seq = hand.ack + offset, .flags = TCP_ACK });
	if (hand.ip6)
		packet_icmp6(&packet, &(struct packet_ip6){ 0 },
			     &(struct icmp_hdr){ ICMP6_TYPE_PACKET_TOO_BIG, 0, 0, mtu }, bytes, wr_len(&w));
	else
		packet_icmp(&packet, &(struct packet_ip){ 0 },
			    &(struct icmp_hdr){ ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED, 0,
						mtu },
			    bytes, wr_len(&w));
	ck_assert_int_eq(demux_from_guest(&hand.g.env, packet.frame, packet.len), DROP_NONE);
	hand_batch();
}

static void begin_tcp(bool ip6)
{
	(ip6 ? hand_begin6 : hand_begin)(0xffffffd0, 0xfffffc00);
	hand_reach(TCP_ESTABLISHED);
}

static void ack(uint32_t offset)
{
	hand_send(A, hand.seq, hand.ack + offset, 0);
	hand_batch();
}

/* Segments of `mss` bytes from hand.ack + `from` to `to`, which is where a peek ends. */
static void expect_segments(uint32_t from, uint32_t to, uint32_t mss)
{
	for (; from < to; from += mss) {
		uint32_t len = to - from < mss ? to - from : mss;

		hand_expect(from + len == to ? A | P : A, hand.ack + from, hand.seq, len);
	}
}

START_TEST(segments_are_sent_again_smaller)
{
	for (int ip6 = 0; ip6 < 2; ip6++) {
		uint32_t full, mss;

		begin_tcp(ip6);
		full = full_segment();
		mss = ip6 ? 1220 : 1240;
		fake_host_write(&hand.g.env, &hand.h, 6 * full, false);
		expect_segments(0, 6 * full, full);
		complain(0, 1280);
		expect_segments(0, mss, mss);
		expect_segments(mss, 2 * mss, mss);
		/* the others of the same flight change nothing */
		complain(full, 1280);
		complain(5 * full, 1280);
		hand_expect_nothing();
		ack(2 * mss);
		expect_segments(2 * mss, 3 * mss, mss);
		expect_segments(3 * mss, 4 * mss, mss);
		/* another network on the way is narrower still: but not by IPv6 */
		complain(4 * full, 1270);
		if (!ip6) {
			mss = 1230;
			expect_segments(2480, 2480 + mss, mss);
			expect_segments(2480 + mss, 2480 + 2 * mss, mss);
		}
		ck_assert_uint_eq(hand_conn()->mss, mss);
		hand_forget();
		ack(6 * full);
		hand.ack += 6 * full;
		ck_assert_uint_eq(hand.h.n_consumed, 6 * full);
		fake_host_write(&hand.g.env, &hand.h, 2 * full, false);
		expect_segments(0, 2 * full, mss);
		ck_assert_uint_eq(hand.g.env.stats.path_mtu_lowered, ip6 ? 1 : 2);
		hand_end();
	}
}
END_TEST

START_TEST(larger_segments_after_a_while)
{
	begin_tcp(false);
	fake_host_write(&hand.g.env, &hand.h, HAND_MSS, false);
	expect_segments(0, HAND_MSS, HAND_MSS);
	complain(0, 1000);
	expect_segments(0, 960, 960);
	hand_expect(A | P, hand.ack + 960, hand.seq, 500);
	ack(HAND_MSS);
	hand.ack += HAND_MSS;
	fake_guest_advance(&hand.g, 600 * NS_PER_SEC);
	fake_host_write(&hand.g.env, &hand.h, HAND_MSS, false);
	expect_segments(0, HAND_MSS, HAND_MSS);
	hand_end();
}
END_TEST

/* A connection that the guest opens later begins with what the path takes; what we tell it to send
 * is another matter. */
START_TEST(later_connections)
{
	struct pkt p;

	begin_tcp(false);
	path_mtu_lower(&hand.g.env, &hand.g.net.ip4.guest, 1000);
	fake_host_write(&hand.g.env, &hand.h, 2000, false);
	expect_segments(0, 2000, 960);
	tcp_abort(&hand.g.env, hand_conn(), FLOW_CLOSED_GUEST_LEFT);
	fake_dialer_next(&hand.h, 0);
	hand.h = (struct fake_host){ .seed = 11, .peer_seed = 22, .room = SIZE_MAX };
	hand_send(TCP_SYN, hand.irs, 0, 0);
	hand_batch();
	tcp_from_host(&hand.g.env, hand.h.conn, TCP_HOST_WRITE);
	ck_assert(hand_next(&p));
	ck_assert_uint_eq(p.tcp.mss, HAND_MSS);
	ck_assert_uint_eq(hand_conn()->mss, 960);
	hand_end();
}
END_TEST

/* A number that is not in flight is guessed. */
START_TEST(what_is_not_in_flight)
{
	begin_tcp(false);
	complain(0, 1000);
	fake_host_write(&hand.g.env, &hand.h, 2 * HAND_MSS, false);
	expect_segments(0, 2 * HAND_MSS, HAND_MSS);
	complain((uint32_t)-1, 1000);
	complain(2 * HAND_MSS, 1000);
	ack(HAND_MSS);
	complain(0, 1000);
	hand_expect_nothing();
	ck_assert_uint_eq(hand.g.env.stats.path_mtu_ignored, 4);
	ck_assert_uint_eq(hand.g.env.path_mtus.n, 0);
	complain(HAND_MSS, 1000);
	expect_segments(HAND_MSS, HAND_MSS + 960, 960);
	hand_expect(A | P, hand.ack + HAND_MSS + 960, hand.seq, 500);
	hand_end();
}
END_TEST

START_TEST(not_before_the_handshake_is_over)
{
	static const enum tcp_state states[] = { TCP_CONNECTING, TCP_SYN_SENT, TCP_SYN_RECEIVED };

	for (size_t i = 0; i < 3; i++) {
		hand_begin(0xffffffd0, 0xfffffc00);
		hand_reach(states[i]);
		hand.ack = hand_conn()->iss;
		complain(0, 1000);
		hand_expect_nothing();
		ck_assert_uint_eq(hand.g.env.path_mtus.n, 0);
		hand_end();
	}
}
END_TEST

SUITE_MAIN("path mtu", only_smaller_ones_are_news, least_of_each_family,
	   after_ten_minutes_more_is_tried, the_oldest_gives_way, datagrams_come_in_fragments,
	   a_fragment_is_quoted, what_we_cannot_have_sent, packets_of_the_other_family, also_without_icmp,
	   segments_are_sent_again_smaller, larger_segments_after_a_while, later_connections,
	   what_is_not_in_flight, not_before_the_handshake_is_over)
