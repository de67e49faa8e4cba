/* IPv6: header, extension headers, fragments both ways, and the errors that they ask for. */
#include "wire/ip6.h"

#include <errno.h>

#include "base/checksum.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"
#include "proto/guest.h"
#include "proto/reassembly.h"
#include "wire/icmp6.h"

static struct fake_guest g;

static const struct addr *guest_addr(void)
{
	return &g.net.ip6.guest;
}

static struct addr peer(void)
{
	return addr_of("2001:db8:1::2");
}

/* An Ethernet frame with an IPv6 packet whose next header is `next` and whose rest is `body`. */
static size_t make(uint8_t *frame, size_t max, uint8_t next, const void *body, size_t len)
{
	struct wr w = wr_init(frame, max);

	eth_encode(&w, &(struct eth_hdr){ fake_gateway_mac, fake_guest_mac, ETHERTYPE_IP6 });
	ip6_encode(&w, &(struct ip6_hdr){ .payload_len = (uint16_t)len,
					  .next_header = next,
					  .hop_limit = 64,
					  .src = *guest_addr(),
					  .dst = peer() });
	wr_bytes(&w, body, len);
	ck_assert(!w.error);
	return wr_len(&w);
}

/* Hands such a frame to the relay. */
static enum drop send_bytes(uint8_t next, const void *body, size_t len)
{
	static uint8_t frame[ETH_FRAME_MAX];

	return demux_from_guest(&g.env, frame, make(frame, sizeof(frame), next, body, len));
}

static enum drop send_hex(uint8_t next, const char *hex)
{
	uint8_t body[2048];

	return send_bytes(next, body, from_hex(hex, body, sizeof(body)));
}

START_TEST(header_exactly)
{
	const char *hex = "6b 81 23 45  00 08  3a  ff  20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
			  "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02";
	uint8_t in[IP6_HEADER_LEN], out[IP6_HEADER_LEN];
	struct rd r = rd_init(in, from_hex(hex, in, sizeof(in)));
	struct wr w = wr_init(out, sizeof(out));
	struct addr src = addr_of("2001:db8:2::f"), dst = addr_of("fe80::2");
	struct ip6_hdr h;

	ck_assert_int_eq(ip6_decode(&r, &h), 0);
	ck_assert_uint_eq(h.traffic_class, 0xb8);
	ck_assert_uint_eq(h.flow_label, 0x12345);
	ck_assert_uint_eq(h.payload_len, 8);
	ck_assert_uint_eq(h.next_header, IP_ICMP6);
	ck_assert_uint_eq(h.hop_limit, 255);
	ck_assert(addr_eq(&h.src, &src));
	ck_assert(addr_eq(&h.dst, &dst));
	ip6_encode(&w, &h);
	assert_bytes(out, wr_len(&w), hex);
}
END_TEST

START_TEST(bad_headers)
{
	uint8_t frame[256];
	struct pkt p;
	size_t len;

	fake_guest_init(&g);
	len = make(frame, sizeof(frame), IP6_NO_NEXT_HEADER, "12345678", 8);
	ck_assert_int_eq(pkt_decode(frame, len, &p), DROP_NONE);
	ck_assert_uint_eq(p.ip_len, IP6_HEADER_LEN + 8);
	ck_assert_int_eq(pkt_decode(frame, len + 6, &p), DROP_NONE); /* padding */
	ck_assert_uint_eq(p.ip_len, IP6_HEADER_LEN + 8);
	ck_assert_int_eq(pkt_decode(frame, len - 1, &p), DROP_IP6_LENGTH);
	ck_assert_int_eq(pkt_decode(frame, ETH_HEADER_LEN + IP6_HEADER_LEN - 1, &p),
			 DROP_IP6_HEADER);
	frame[ETH_HEADER_LEN] = 0x45;
	ck_assert_int_eq(pkt_decode(frame, len, &p), DROP_IP6_HEADER);
	frame[ETH_HEADER_LEN] = 0x60;
	/* an IPv4-mapped address would be taken for IPv4 */
	memcpy(frame + ETH_HEADER_LEN + 24, addr_ip4(0xc6336402).b, 16);
	ck_assert_int_eq(pkt_decode(frame, len, &p), DROP_IP6_HEADER);
	fake_guest_free(&g);
}
END_TEST

/* Where a walk ends, what it finds, and what it complains about. */
START_TEST(extension_headers)
{
	enum { UDP = IP_UDP, DST = IP6_DESTINATION_OPTIONS, HBH = IP6_HOP_BY_HOP };
	static const struct {
		uint8_t first;
		const char *hex;
		int rc;
		uint8_t proto;
		uint16_t len, proto_at;
		uint8_t problem_code;
		uint32_t problem_at;
	} cases[] = {
		{ UDP, "", 0, UDP, 40, 6, 0, 0 },
		{ DST, "11 00 01 04 00 00 00 00", 0, UDP, 48, 40, 0, 0 },
		{ DST, "11 00 00 00 00 00 00 00", 0, UDP, 48, 40, 0, 0 },
		{ HBH, "3c 00 05 02 00 00 01 00  11 01 01 0c 0000000000000000 00000000", 0, UDP,
		  64, 48, 0, 0 },
		/* padding that goes beyond its header */
		{ DST, "11 00 01 05 00 00 00 00", -EINVAL, 0, 0, 0, 0, 0 },
		{ DST, "11 01 01 04 00 00 00 00", -EINVAL, 0, 0, 0, 0, 0 },
		{ DST, "11", -EINVAL, 0, 0, 0, 0, 0 },
		/* unknown options: skip, discard, report, report */
		{ DST, "11 00 3e 04 00 00 00 00", 0, UDP, 48, 40, 0, 0 },
		{ DST, "11 00 7e 04 00 00 00 00", -ECANCELED, UDP, 48, 40, 0, 0 },
		{ DST, "11 00 01 00 be 02 00 00", -EPROTO, UDP, 48, 40, 2, 44 },
		{ HBH, "11 00 fe 04 00 00 00 00", -EPROTO, UDP, 48, 40, 2, 42 },
		/* hop-by-hop options anywhere but first */
		{ DST, "00 00 01 04 00 00 00 00  11 00 01 04 00 00 00 00", -EPROTO, HBH, 48, 40,
		  1, 40 },
		/* routing headers: at the end of the way, and not */
		{ IP6_ROUTING, "11 00 00 00 00 00 00 00", 0, UDP, 48, 40, 0, 0 },
		{ IP6_ROUTING, "11 00 00 01 00 00 00 00", -EPROTO, UDP, 48, 40, 0, 42 },
		/* an atomic fragment */
		{ IP6_FRAGMENT, "11 00 00 00 00 00 00 07", 0, UDP, 48, 40, 0, 0 },
		{ IP6_FRAGMENT, "11 00 00 00 00 00 00", -EINVAL, 0, 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t body[256];
		struct rd r = rd_init(body, from_hex(cases[i].hex, body, sizeof(body)));
		struct ip6_chain c;

		ck_assert_msg(ip6_walk(&r, cases[i].first, &c) == cases[i].rc, "case %zu", i);
		if (cases[i].rc == -EINVAL)
			continue;
		ck_assert_msg(c.proto == cases[i].proto && c.len == cases[i].len &&
				      c.proto_at == cases[i].proto_at && !c.fragment,
			      "case %zu: %u %u %u", i, c.proto, c.len, c.proto_at);
		ck_assert_msg(c.problem == (cases[i].rc == -EPROTO), "case %zu", i);
		if (c.problem)
			ck_assert_msg(c.problem_code == cases[i].problem_code &&
					      c.problem_at == cases[i].problem_at,
				      "case %zu: %u at %u", i, c.problem_code, c.problem_at);
	}
}
END_TEST

START_TEST(too_many_extension_headers)
{
	uint8_t body[1024];
	struct wr w = wr_init(body, sizeof(body));
	struct ip6_chain c;
	struct rd r;

	for (int i = 0; i < IP6_EXTENSIONS_MAX + 1; i++) {
		wr_u8(&w, i < IP6_EXTENSIONS_MAX ? IP6_DESTINATION_OPTIONS : IP_UDP);
		wr_u8(&w, 0);
		wr_bytes(&w, "\1\4\0\0\0\0", 6);
	}
	r = rd_init(body, wr_len(&w));
	ck_assert_int_eq(ip6_walk(&r, IP6_DESTINATION_OPTIONS, &c), -EINVAL);
	body[8 * (IP6_EXTENSIONS_MAX - 1)] = IP_UDP;
	r = rd_init(body, wr_len(&w));
	ck_assert_int_eq(ip6_walk(&r, IP6_DESTINATION_OPTIONS, &c), 0);
	/* one that is long by itself */
	memset(body, 0, sizeof(body));
	body[0] = IP_UDP;
	body[1] = IP6_EXTENSIONS_LEN / 8;
	r = rd_init(body, sizeof(body));
	ck_assert_int_eq(ip6_walk(&r, IP6_DESTINATION_OPTIONS, &c), -EINVAL);
	body[1]--;
	r = rd_init(body, sizeof(body));
	ck_assert_int_eq(ip6_walk(&r, IP6_DESTINATION_OPTIONS, &c), 0);
}
END_TEST

START_TEST(fragment_header)
{
	uint8_t body[64];
	struct rd r = rd_init(body, from_hex("2c 00 01 04 00 00 00 00  11 00 05 a9 de ad be ef", body,
					     sizeof(body)));
	struct ip6_chain c;

	ck_assert_int_eq(ip6_walk(&r, IP6_HOP_BY_HOP, &c), 0);
	ck_assert(c.fragment && c.more_fragments);
	ck_assert_uint_eq(c.fragment_offset, 0x5a8);
	ck_assert_uint_eq(c.fragment_id, 0xdeadbeef);
	ck_assert_uint_eq(c.unfragmented_len, 48);
	ck_assert_uint_eq(c.fragment_at, 40);
	ck_assert_uint_eq(c.proto, IP_UDP);
	ck_assert_uint_eq(c.len, 56);
}
END_TEST

START_TEST(nothing_without_ip6)
{
	fake_guest_init(&g);
	g.net.ip6.on = false;
	ck_assert_int_eq(send_hex(132, "00 01 02 03 04 05 06 07"), DROP_IP6);
	ck_assert_int_eq(send_hex(IP6_DESTINATION_OPTIONS, "11 00 fe 04 00 00 00 00"),
			 DROP_IP6_OPTION);
	ck_assert_uint_eq(g.n_frames, 0);
	fake_guest_free(&g);
}
END_TEST

/* SCTP behind destination options: the field that names it is at fault. */
START_TEST(unknown_protocol_exactly)
{
	const struct fake_frame *f;
	struct pkt p;

	fake_guest_init(&g);
	ck_assert_int_eq(send_hex(IP6_DESTINATION_OPTIONS,
				  "84 00 01 04 00 00 00 00  00 01 02 03 04 05 06 07"),
			 DROP_IP_PROTOCOL);
	f = fake_guest_frame(&g, 0);
	assert_bytes(f->data, f->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  86 dd"
		     "60 00 00 00  00 40  3a  40"
		     "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
		     "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
		     "04 01 46 24  00 00 00 28"
		     "60 00 00 00  00 10  3c  40"
		     "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
		     "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 02"
		     "84 00 01 04 00 00 00 00  00 01 02 03 04 05 06 07");
	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_uint_eq(checksum_finish(checksum_add(
				  checksum_add_pseudo(0, &p.src, &p.dst, IP_ICMP6,
						      (uint32_t)p.l4_len),
				  p.l4, p.l4_len)),
			  0);
	fake_guest_free(&g);
}
END_TEST

static void expect_error(size_t i, uint8_t type, uint8_t code, uint32_t rest)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_uint_eq(p.proto, IP_ICMP6);
	ck_assert_uint_eq(p.icmp.type, type);
	ck_assert_uint_eq(p.icmp.code, code);
	ck_assert_uint_eq((uint32_t)p.icmp.id << 16 | p.icmp.seq, rest);
}

START_TEST(options_that_ask_for_errors)
{
	fake_guest_init(&g);
	ck_assert_int_eq(send_hex(IP6_DESTINATION_OPTIONS, "11 00 be 04 00 00 00 00  0001"),
			 DROP_IP6_OPTION);
	expect_error(0, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_OPTION, 42);
	ck_assert_int_eq(send_hex(IP6_DESTINATION_OPTIONS, "11 00 7e 04 00 00 00 00  0001"),
			 DROP_IP6_OPTION);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_int_eq(send_hex(IP6_ROUTING, "11 00 00 01 00 00 00 00"), DROP_IP6_OPTION);
	expect_error(1, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_FIELD, 42);
	/* never about an error: destination unreachable behind the option */
	send_hex(IP6_DESTINATION_OPTIONS, "3a 00 be 04 00 00 00 00  01 04 00 00 00 00 00 00");
	ck_assert_uint_eq(g.n_frames, 2);
	/* but about an echo request */
	send_hex(IP6_DESTINATION_OPTIONS, "3a 00 be 04 00 00 00 00  80 00 00 00 00 00 00 00");
	ck_assert_uint_eq(g.n_frames, 3);
	/* there is nothing to complain about behind which nothing follows */
	ck_assert_int_eq(send_hex(IP6_NO_NEXT_HEADER, "00"), DROP_IP_PROTOCOL);
	ck_assert_uint_eq(g.n_frames, 3);
	fake_guest_free(&g);
}
END_TEST

/* A hundred at once, then as many a second, about one flow; ten times as many about all. */
START_TEST(errors_are_limited)
{
	fake_guest_init(&g);
	g.env.flows.key = (struct hash_key){ { 1, 2 } }; /* these flows share no bucket */
	for (int i = 0; i < 150; i++)
		send_hex(132, "00 01 02 03");
	ck_assert_uint_eq(g.n_frames, 100);
	ck_assert_uint_eq(g.env.stats.icmp_errors_limited, 50);
	fake_guest_advance(&g, 95 * NS_PER_MS);
	for (int i = 0; i < 20; i++)
		send_hex(132, "00 01 02 03");
	ck_assert_uint_eq(g.n_frames, 109);
	send_hex(142, "00 01 02 03"); /* another flow does not suffer from that */
	ck_assert_uint_eq(g.n_frames, 110);
	fake_guest_clear(&g);
	fake_guest_advance(&g, NS_PER_SEC);
	for (int i = 0; i < 150 * 20; i++)
		send_hex((uint8_t)(142 + i % 20), "00 01 02 03");
	ck_assert_uint_eq(g.n_frames, 1000);
	fake_guest_advance(&g, 10 * NS_PER_MS);
	for (int i = 0; i < 20; i++)
		send_hex((uint8_t)(142 + i), "00 01 02 03");
	ck_assert_uint_eq(g.n_frames, 1010);
	fake_guest_advance(&g, 3600 * NS_PER_SEC);
	for (int i = 0; i < 150; i++)
		send_hex(132, "00 01 02 03");
	ck_assert_uint_eq(g.n_frames, 1110);
	fake_guest_free(&g);
}
END_TEST

START_TEST(errors_quote_as_much_as_fits)
{
	static const uint8_t body[3000];

	fake_guest_init(&g);
	send_bytes(132, body, sizeof(body));
	ck_assert_uint_eq(fake_guest_frame(&g, 0)->len, ETH_HEADER_LEN + IP6_MTU_MIN);
	fake_guest_free(&g);
}
END_TEST

/* To the guest: fragments of 1,448 bytes at MTU 1500, and their header. */
START_TEST(fragments_to_the_guest)
{
	static uint8_t payload[3000 - UDP_HEADER_LEN];
	struct guest_out out = { .src = peer(), .flow_label = 0xabcde, .tos = 0x2e };
	const struct fake_frame *f;
	size_t lens[3] = { 1448, 1448, 104 };

	fake_guest_init(&g);
	out.dst = *guest_addr();
	g.env.next_ip_id = 0x01020304;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(guest_send_udp(&g.env, &out, 53, 5000, payload, sizeof(payload)), 0);
	ck_assert_uint_eq(g.n_frames, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(fake_guest_frame(&g, i)->len, 14 + 40 + 8 + lens[i]);
	f = fake_guest_frame(&g, 1);
	assert_bytes(f->data, 14 + 40 + 8,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  86 dd"
		     "62 ea bc de  05 b0  2c  40"
		     "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 02"
		     "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
		     "11 00 05 a9 01 02 03 04");
	f = fake_guest_frame(&g, 2);
	assert_bytes(f->data + 14 + 40, 8, "11 00 0b 50 01 02 03 04");
	ck_assert(!memcmp(f->data + 14 + 48, payload + 2896 - UDP_HEADER_LEN, 104));
	fake_guest_free(&g);
}
END_TEST

START_TEST(as_much_as_the_mtu_takes_is_whole)
{
	static const uint8_t payload[1500];
	struct guest_out out = { .src = peer() };

	fake_guest_init(&g);
	out.dst = *guest_addr();
	ck_assert_int_eq(guest_send_udp(&g.env, &out, 53, 5000, payload, 1500 - 48), 0);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_int_eq(guest_send_udp(&g.env, &out, 53, 5000, payload, 1500 - 47), 0);
	ck_assert_uint_eq(g.n_frames, 3);
	fake_guest_free(&g);
}
END_TEST

/* Fragments of the guest. */

static uint8_t datagram[4096];
static struct pkt whole;
static bool complete;

static void begin_reassembly(void)
{
	fake_guest_init(&g);
	g.conf.limits.fragments = 4;
	g.env.reassembly = reassembly_new(&g.env);
	for (size_t i = 0; i < sizeof(datagram); i++)
		datagram[i] = (uint8_t)(i * 31 + i / 256);
	from_hex("13 88 00 35 10 00 00 00", datagram, 8); /* UDP 5000 to 53, 4,096 bytes */
}

static void end_reassembly(void)
{
	reassembly_reset(&g.env);
	reassembly_free(g.env.reassembly);
	fake_guest_free(&g);
}

/* Bytes [from, to) behind `before`, a chain of extension headers that ends in a fragment header
 * without its last seven bytes. */
static enum drop piece_behind(uint8_t first, const char *before, uint32_t id, size_t from, size_t to)
{
	static uint8_t frame[8192];
	uint8_t body[8192];
	size_t len = from_hex(before, body, sizeof(body));
	struct pkt p;

	body[len++] = 0;
	put_be16(body + len, (uint16_t)(from | (to < sizeof(datagram))));
	put_be32(body + len + 2, id);
	memcpy(body + len + 6, datagram + from, to - from);
	len += 6 + to - from;
	ck_assert_int_eq(pkt_decode(frame, make(frame, sizeof(frame), first, body, len), &p),
			 DROP_NONE);
	ck_assert(p.fragment);
	return reassembly_from_guest(&g.env, &p, &whole, &complete);
}

static enum drop piece(uint32_t id, size_t from, size_t to)
{
	return piece_behind(IP6_FRAGMENT, "11", id, from, to);
}

static void assert_whole(size_t headers)
{
	ck_assert(complete && !whole.fragment && !whole.dont_fragment);
	ck_assert_uint_eq(whole.proto, IP_UDP);
	ck_assert_uint_eq(whole.udp.sport, 5000);
	ck_assert_uint_eq(whole.payload_len, sizeof(datagram) - UDP_HEADER_LEN);
	ck_assert(!memcmp(whole.payload, datagram + UDP_HEADER_LEN, whole.payload_len));
	ck_assert_uint_eq(whole.ip_len, IP6_HEADER_LEN + headers + sizeof(datagram));
}

START_TEST(in_any_order)
{
	begin_reassembly();
	ck_assert_int_eq(piece(1, 1448, 2896), DROP_NONE);
	ck_assert_int_eq(piece(2, 0, 1448), DROP_NONE);
	ck_assert_int_eq(piece(1, 2896, 4096), DROP_NONE);
	ck_assert(!complete);
	ck_assert_int_eq(piece(1, 0, 1448), DROP_NONE);
	assert_whole(0);
	ck_assert_int_eq(piece(2, 2896, 4096), DROP_NONE);
	ck_assert_int_eq(piece(2, 1448, 2896), DROP_NONE);
	assert_whole(0);
	end_reassembly();
}
END_TEST

/* Headers before the fragment header stay; that one goes. */
START_TEST(with_other_headers)
{
	const char *before = "2c 00 01 04 00 00 00 00  11";

	begin_reassembly();
	ck_assert_int_eq(piece_behind(IP6_HOP_BY_HOP, before, 7, 2048, 4096), DROP_NONE);
	ck_assert_int_eq(piece_behind(IP6_HOP_BY_HOP, before, 7, 0, 2048), DROP_NONE);
	assert_whole(8);
	assert_bytes(whole.ip, 8, "60 00 00 00 10 08 00 40");
	assert_bytes(whole.ip + 40, 8, "11 00 01 04 00 00 00 00");
	end_reassembly();
}
END_TEST

/* What the fragments carry is itself a fragment: nobody means well who sends that. */
START_TEST(fragments_of_fragments)
{
	begin_reassembly();
	from_hex("11 00 00 01 00 00 00 09", datagram, 8);
	ck_assert_int_eq(piece_behind(IP6_FRAGMENT, "2c", 1, 0, 2048), DROP_NONE);
	ck_assert_int_eq(piece_behind(IP6_FRAGMENT, "2c", 1, 2048, 4096), DROP_FRAGMENT_BOUNDS);
	end_reassembly();
}
END_TEST

/* Behind the fragment header only the whole tells what an option asks for. */
START_TEST(options_in_fragments_that_ask_for_errors)
{
	begin_reassembly();
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "3c 00 00 01 00 00 00 09  11 00 be 04 00 00 00 00  13 88 00 35 00 10 00 00"),
			 DROP_NONE);
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "3c 00 00 10 00 00 00 09  61 62 63 64 65 66 67 68"),
			 DROP_IP6_OPTION);
	expect_error(0, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_OPTION, 42);
	end_reassembly();
}
END_TEST

/* RFC 7112: the first fragment has all headers, with that of the transport. */
START_TEST(first_fragments_without_all_headers)
{
	begin_reassembly();
	/* the options of the destination, whose rest would come next; the same before half of UDP's header */
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "3c 00 00 01 00 00 00 07  11 01 01 04 00 00 00 00"),
			 DROP_FRAGMENT_BOUNDS);
	expect_error(0, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_FIRST_FRAGMENT, 0);
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "3c 00 00 01 00 00 00 08  11 00 01 04 00 00 00 00"),
			 DROP_FRAGMENT_BOUNDS);
	expect_error(1, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_FIRST_FRAGMENT, 0);
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "06 00 00 01 00 00 00 09  1388 0050 00000000  00000000 50020000"),
			 DROP_FRAGMENT_BOUNDS);
	expect_error(2, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_FIRST_FRAGMENT, 0);
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "3c 00 00 01 00 00 00 0a  11 00 01 04 00 00 00 00  1388 0035 0010 0000"),
			 DROP_NONE);
	ck_assert_uint_eq(g.n_frames, 3);
	end_reassembly();
}
END_TEST

/* RFC 8200 4.5: the sender is told of the field that is wrong, about any fragment of a datagram. */
START_TEST(malformed_fragments)
{
	static uint8_t frame[2048], body[1288];
	size_t len;

	begin_reassembly();
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "11 00 00 01 00 00 00 07  13 88 00 35 00 09 00 00 61"),
			 DROP_FRAGMENT_BOUNDS);
	expect_error(0, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_FIELD, 4);
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "11 00 01 01 00 00 00 07  61"), DROP_FRAGMENT_BOUNDS);
	expect_error(1, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_FIELD, 4);
	/* 64,280 and 1,256 are one byte too many; the same behind other headers, which count */
	from_hex("11 00 fb 18 00 00 00 07", body, sizeof(body));
	len = make(frame, sizeof(frame), IP6_FRAGMENT, body, 8 + 1256);
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_FRAGMENT_BOUNDS);
	expect_error(2, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_FIELD, 42);
	len = make(frame, sizeof(frame), IP6_FRAGMENT, body, 8 + 1255);
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_NONE);
	from_hex("2c 00 01 04 00 00 00 00  11 00 fb 18 00 00 00 08", body, sizeof(body));
	len = make(frame, sizeof(frame), IP6_DESTINATION_OPTIONS, body, 16 + 1248);
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_FRAGMENT_BOUNDS);
	expect_error(3, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_FIELD, 50);
	len = make(frame, sizeof(frame), IP6_DESTINATION_OPTIONS, body, 16 + 1247);
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_NONE);
	/* of the rest of an ICMP message nobody knows whether it is an error */
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "3a 00 01 01 00 00 00 07  80"), DROP_FRAGMENT_BOUNDS);
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "3a 00 00 01 00 00 00 07  01 04 00 00 00 00 00 00 61"),
			 DROP_FRAGMENT_BOUNDS);
	/* and an empty one is nothing to be told of */
	ck_assert_int_eq(send_hex(IP6_FRAGMENT, "11 00 00 01 00 00 00 07"), DROP_FRAGMENT_BOUNDS);
	ck_assert_uint_eq(g.n_frames, 4);
	end_reassembly();
}
END_TEST

START_TEST(overlaps_end_a_datagram)
{
	begin_reassembly();
	ck_assert_int_eq(piece(1, 0, 1448), DROP_NONE);
	datagram[1440]++;
	ck_assert_int_eq(piece(1, 1440, 2896), DROP_FRAGMENT_OVERLAP);
	ck_assert_int_eq(piece(1, 2896, 4096), DROP_NONE);
	ck_assert(!complete);
	end_reassembly();
}
END_TEST

START_TEST(time_exceeded)
{
	const struct fake_frame *f;
	struct pkt p;

	begin_reassembly();
	ck_assert_int_eq(piece(1, 1448, 2896), DROP_NONE);
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	ck_assert_uint_eq(g.n_frames, 0); /* the first is not there to be quoted */
	ck_assert_int_eq(piece(2, 0, 1448), DROP_NONE);
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	expect_error(0, ICMP6_TYPE_TIME_EXCEEDED, ICMP_CODE_REASSEMBLY, 0);
	f = fake_guest_frame(&g, 0);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert(addr_eq(&p.dst, guest_addr()));
	assert_bytes(p.payload + 6, 2, "11 40"); /* the quoted header tells of UDP */
	ck_assert_uint_eq(g.env.stats.drops[DROP_FRAGMENT_TIMEOUT], 2);
	end_reassembly();
}
END_TEST

/* An option may ask for an answer wherever its packet went (RFC 8200 4.2: types that begin with 10). */
START_TEST(options_to_groups)
{
	static const uint8_t options[] = { 0x11, 0, 0xbe, 4, 0, 0, 0, 0, 0x13, 0x88, 0, 7, 0, 8, 0, 0 };
	uint8_t frame[128], body[sizeof(options)];
	size_t len;

	fake_guest_init(&g);
	memcpy(body, options, sizeof(body));
	len = make(frame, sizeof(frame), IP6_DESTINATION_OPTIONS, body, sizeof(body));
	from_hex("ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 fb", frame + 38, 16);
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_IP6_OPTION);
	expect_error(0, ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_OPTION, 42);
	frame[14 + 42] = 0xfe; /* 11: but not if it went to a group */
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_IP6_OPTION);
	ck_assert_uint_eq(g.n_frames, 1);
	fake_guest_free(&g);
}
END_TEST

SUITE_MAIN("ip6", header_exactly, bad_headers, extension_headers, too_many_extension_headers,
	   fragment_header, nothing_without_ip6, unknown_protocol_exactly,
	   options_that_ask_for_errors, errors_are_limited, errors_quote_as_much_as_fits,
	   fragments_to_the_guest, as_much_as_the_mtu_takes_is_whole, in_any_order,
	   with_other_headers, fragments_of_fragments, options_in_fragments_that_ask_for_errors,
	   first_fragments_without_all_headers, malformed_fragments, overlaps_end_a_datagram, time_exceeded, options_to_groups)
