/* Frames of the TCP relay byte by byte: options, resets, data, the ICMP error beside a reset.
 */
#include <errno.h>

#include "lib/must.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"
#include "wire/icmp6.h"

/* Ethernet: to 52:54:00:12:34:56 from 9a:55:9a:55:9a:55, IPv4 */
#define ETH "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00 "
/* IPv4 up to the length, and what follows the checksum: 198.51.100.2 to 10.0.2.15 */
#define IP(len, checksum)                                                                      \
	"45 00 " len " 00 00 40 00  40 06 " checksum " c6 33 64 02  0a 00 02 0f "
/* ports 80 and 40000 */
#define PORTS "00 50 9c 40 "

static void begin(void)
{
	hand_begin(0x01020304, 0x0a0b0c0d);
}

static void assert_frame(size_t i, const char *hex)
{
	const struct fake_frame *f = fake_guest_frame(&hand.g, i);

	assert_bytes(f->data, f->len, hex);
	hand.n_seen = i + 1;
}

/* To the SYN-ACK, with the options of the guest's SYN as set before. */
static void shake_hands(void)
{
	hand_reach(TCP_SYN_RECEIVED);
	hand_send(TCP_SYN, hand.irs, 0, 0);
	hand_batch();
}

START_TEST(syn_ack)
{
	begin();
	shake_hands();
	/* seq 0x0a0b0c0d, ack 0x01020305, 32 bytes of header, SYN and ACK, window 65535;
	 * MSS 1460, SACK permitted, window scale 4 */
	assert_frame(0, ETH IP("00 34", "04 80") PORTS
		     "0a 0b 0c 0d  01 02 03 05  80 12 ff ff  82 10 00 00"
		     "02 04 05 b4  01 01 04 02  01 03 03 04");
	hand_end();
}
END_TEST

START_TEST(syn_ack_without_options)
{
	begin();
	hand.syn = (struct tcp_hdr){ .window = 1000 };
	shake_hands();
	/* MSS alone: nothing is offered that was not asked for (RFC 7323 2.2, RFC 2018 2) */
	assert_frame(0, ETH IP("00 2c", "04 88") PORTS
		     "0a 0b 0c 0d  01 02 03 05  60 12 ff ff  ab 22 00 00"
		     "02 04 05 b4");
	ck_assert_uint_eq(hand_conn()->mss, 536); /* RFC 9293 3.7.1 */
	ck_assert_uint_eq(hand_conn()->snd_wnd, 1000);
	hand_end();
}
END_TEST

START_TEST(syn_ack_without_scale)
{
	begin();
	hand.syn.has_wscale = false;
	shake_hands();
	assert_frame(0, ETH IP("00 30", "04 84") PORTS
		     "0a 0b 0c 0d  01 02 03 05  70 12 ff ff  96 1b 00 00"
		     "02 04 05 b4  01 01 04 02");
	hand_end();
}
END_TEST

START_TEST(syn_of_a_forward)
{
	begin();
	hand_reach(TCP_SYN_SENT);
	fake_guest_advance(&hand.g, NS_PER_SEC); /* it comes again */
	assert_frame(0, ETH IP("00 34", "04 80") PORTS
		     "0a 0b 0c 0d  00 00 00 00  80 02 ff ff  86 27 00 00"
		     "02 04 05 b4  01 01 04 02  01 03 03 04");
	hand_end();
}
END_TEST

/* The flow label is the flow's, and the same in each segment. */
START_TEST(over_ip6)
{
	const struct fake_frame *f;
	uint32_t label;

	hand_begin6(0x01020304, 0x0a0b0c0d);
	shake_hands();
	f = fake_guest_frame(&hand.g, 0);
	label = get_be32(f->data + 14);
	ck_assert_uint_eq(label >> 20, 0x600);
	/* MSS 1440, SACK permitted, window scale 4 */
	assert_bytes(f->data, 14, "52 54 00 12 34 56  9a 55 9a 55 9a 55  86 dd");
	assert_bytes(f->data + 18, f->len - 18,
		     "00 20  06  40"
		     "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 02"
		     "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
		     "00 50 9c 40  0a 0b 0c 0d  01 02 03 05  80 12 ff ff  5c e3 00 00"
		     "02 04 05 a0  01 01 04 02  01 03 03 04");
	hand.n_seen = 0;
	hand_expect(TCP_SYN | TCP_ACK, hand.iss, hand.irs + 1, 0);
	hand.seq = hand.irs + 1;
	hand.ack = hand.iss + 1;
	hand_ack();
	hand_send(TCP_ACK, hand.seq, hand.ack, 3000);
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, 3000);
	hand_expect(TCP_ACK, hand.ack, hand.seq + 3000, 0);
	ck_assert_uint_eq(get_be32(fake_guest_frame(&hand.g, 1)->data + 14), label);
	hand.seq += 3000;
	fake_host_write(&hand.g.env, &hand.h, 2000, false);
	hand_expect(TCP_ACK, hand.ack, hand.seq, 1440);
	hand_expect(TCP_ACK | TCP_PSH, hand.ack + 1440, hand.seq, 560);
	hand_send(TCP_RST, hand.seq, 0, 0);
	hand_batch();
	hand_end();
}
END_TEST

/* No option of the guest's: what IPv6 promises (RFC 9293 3.7.1). */
START_TEST(mss_over_ip6_without_option)
{
	hand_begin6(0x01020304, 0x0a0b0c0d);
	hand.syn = (struct tcp_hdr){ .window = 1000 };
	shake_hands();
	ck_assert_uint_eq(hand_conn()->mss, 1220);
	hand_forget();
	hand_end();
}
END_TEST

/* The errors that the guest's own network would have told. */
START_TEST(unreachable_over_ip6)
{
	static const struct {
		int err;
		uint8_t code;
	} errors[] = { { EHOSTUNREACH, ICMP6_CODE_ADDRESS },
		       { ENETUNREACH, ICMP6_CODE_NO_ROUTE },
		       { EACCES, ICMP6_CODE_ADMIN_PROHIBITED } };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct pkt p, quoted;
		const struct fake_frame *f;

		hand_begin6(0x01020304, 0x0a0b0c0d);
		hand_reach(TCP_CONNECTING);
		hand.h.connect_error = errors[i].err;
		tcp_from_host(&hand.g.env, hand_conn(), TCP_HOST_ERROR);
		f = fake_guest_frame(&hand.g, 0);
		ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
		ck_assert_uint_eq(p.proto, IP_ICMP6);
		ck_assert_uint_eq(p.icmp.type, ICMP6_TYPE_UNREACHABLE);
		ck_assert_uint_eq(p.icmp.code, errors[i].code);
		ck_assert(addr_eq(&p.src, &hand.g.net.ip6.gateway));
		ck_assert_int_eq(pkt_decode_quote(p.payload, p.payload_len, &quoted), DROP_NONE);
		ck_assert_uint_eq(quoted.proto, IP_TCP);
		assert_bytes(quoted.l4, 8, "9c 40 00 50 01 02 03 04");
		hand.n_seen = 1;
		hand_expect(TCP_RST | TCP_ACK, 0, hand.irs + 1, 0);
		hand_end();
	}
}
END_TEST

START_TEST(mss_bounds)
{
	static const struct {
		uint16_t offered, mtu, taken, told;
	} cases[] = { { 0, 1500, 536, 1460 },	  { 1, 1500, 88, 1460 },
		      { 1200, 1500, 1200, 1460 }, { 65535, 1500, 1460, 1460 },
		      { 1460, 1280, 1240, 1240 }, { 65480, 65520, 65480, 65480 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pkt p;

		begin();
		hand.g.net.mtu = cases[i].mtu;
		hand.syn.mss = cases[i].offered;
		shake_hands();
		ck_assert(hand_next(&p));
		ck_assert_uint_eq(p.tcp.mss, cases[i].told);
		ck_assert_uint_eq(hand_conn()->mss, cases[i].taken);
		hand_end();
	}
}
END_TEST

START_TEST(data_ack_fin)
{
	begin();
	hand_reach(TCP_ESTABLISHED);
	fake_host_write(&hand.g.env, &hand.h, 5, false);
	/* PSH and ACK, window 0x1000 * 16; five bytes */
	assert_frame(0, ETH IP("00 2d", "04 87") PORTS
		     "0a 0b 0c 0e  01 02 03 05  50 18 10 00  2e 28 00 00"
		     "1c 38 c3 71 a5");
	hand_forget();
	hand_end();

	begin();
	hand_reach(TCP_ESTABLISHED);
	hand_send(TCP_ACK, hand.seq - 1, hand.ack, 0); /* keep-alive */
	hand_batch();
	assert_frame(0, ETH IP("00 28", "04 8c") PORTS
		     "0a 0b 0c 0e  01 02 03 05  50 10 10 00  b2 df 00 00");
	fake_host_write(&hand.g.env, &hand.h, 0, true);
	assert_frame(1, ETH IP("00 28", "04 8c") PORTS
		     "0a 0b 0c 0e  01 02 03 05  50 11 10 00  b2 de 00 00");
	hand_end();
}
END_TEST

START_TEST(sack_blocks)
{
	begin();
	hand_reach(TCP_ESTABLISHED);
	hand.h.room = 0;
	hand_send(TCP_ACK, hand.seq + 1000, hand.ack, 100);
	hand_forget();
	hand_send(TCP_ACK, hand.seq + 2000, hand.ack, 100);
	/* at once: 40 bytes of header, ACK of what is in order; NOP, NOP, SACK of 18 bytes,
	 * the block that the segment is in first (RFC 2018 4) */
	assert_frame(0, ETH IP("00 3c", "04 78") PORTS
		     "0a 0b 0c 0e  01 02 03 05  a0 10 10 00  34 64 00 00"
		     "01 01 05 12  01 02 0a d5 01 02 0b 39  01 02 06 ed 01 02 07 51");
	hand_batch();
	hand_forget();
	hand_end();
}
END_TEST

START_TEST(reset_of_a_connection)
{
	begin();
	hand_reach(TCP_ESTABLISHED);
	hand_conn()->flow.class->close(&hand.g.env, &hand_conn()->flow,
				       FLOW_CLOSED_BY_OPERATOR);
	assert_frame(0, ETH IP("00 28", "04 8c") PORTS
		     "0a 0b 0c 0e  01 02 03 05  50 14 00 00  c2 db 00 00");
	ck_assert(hand.h.reset);
	hand_end();
}
END_TEST

START_TEST(resets_of_strays)
{
	begin();
	hand_send(TCP_ACK, 77, 0x11223344, 10);
	/* with its ACK as sequence number, RST alone (RFC 9293 3.10.7.1) */
	assert_frame(0, ETH IP("00 28", "04 8c") PORTS
		     "11 22 33 44  00 00 00 00  50 04 00 00  98 a5 00 00");
	hand_send(TCP_FIN, 0x01020304, 0, 6); /* no ACK: RST and ACK of all of it */
	assert_frame(1, ETH IP("00 28", "04 8c") PORTS
		     "00 00 00 00  01 02 03 0b  50 14 00 00  d8 ee 00 00");
	hand_send(TCP_RST, 77, 0, 0);
	hand_send(TCP_RST | TCP_ACK, 77, 88, 0);
	hand_expect_nothing();
	hand_send(TCP_SYN | TCP_ACK, 77, 88, 0); /* never opens a connection */
	hand_expect(TCP_RST, 88, 0, 0);
	hand_send(TCP_SYN | TCP_FIN, 77, 0, 3);
	hand_expect(TCP_RST | TCP_ACK, 0, 77 + 5, 0);
	hand_send(0, 77, 0, 3);
	hand_expect(TCP_RST | TCP_ACK, 0, 80, 0);
	ck_assert_uint_eq(hand.g.env.stats.tcp_resets_out, 5);
	hand_batch();
	hand_end();
}
END_TEST

START_TEST(refused)
{
	begin();
	hand_reach(TCP_CONNECTING);
	hand.h.connect_error = ECONNREFUSED;
	tcp_from_host(&hand.g.env, hand.h.conn, TCP_HOST_WRITE | TCP_HOST_ERROR);
	assert_frame(0, ETH IP("00 28", "04 8c") PORTS
		     "00 00 00 00  01 02 03 05  50 14 00 00  d8 f4 00 00");
	hand_end();
}
END_TEST

static void assert_unreachable(void)
{
	/* IPv4, 68 bytes, ICMP, 10.0.2.2 to 10.0.2.15; destination unreachable, host */
	assert_frame(0, ETH "45 00 00 44 00 00 00 00 40 01 62 a9 0a 00 02 02 0a 00 02 0f"
			    "03 01 0c 66 00 00 00 00"
			    /* about this: the SYN from 10.0.2.15:40000 to 198.51.100.2:80 */
			    "45 00 00 28 00 00 00 00 40 06 44 8c 0a 00 02 0f c6 33 64 02"
			    "9c 40 00 50 01 02 03 04 00 00 00 00 50 02 00 00 00 00 00 00");
	/* and for every stack's understanding */
	assert_frame(1, ETH IP("00 28", "04 8c") PORTS
		     "00 00 00 00  01 02 03 05  50 14 00 00  d8 f4 00 00");
}

START_TEST(unreachable)
{
	static const int errors[] = { EHOSTUNREACH, EHOSTDOWN };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		begin(); /* found out later */
		hand_reach(TCP_CONNECTING);
		hand.g.env.next_ip_id = 0;
		hand.h.connect_error = errors[i];
		tcp_from_host(&hand.g.env, hand.h.conn, TCP_HOST_WRITE | TCP_HOST_ERROR);
		assert_unreachable();
		hand_end();
		begin(); /* found out at once */
		hand.g.env.next_ip_id = 0;
		fake_dialer_next(NULL, errors[i]);
		hand_send(TCP_SYN, hand.irs, 0, 0);
		hand_batch();
		assert_unreachable();
		fake_dialer_next(NULL, 0);
		hand_end();
	}
}
END_TEST

START_TEST(no_socket_to_be_had)
{
	begin();
	fake_dialer_next(NULL, EMFILE);
	hand_send(TCP_SYN, hand.irs, 0, 0);
	hand_batch();
	hand_expect(TCP_RST | TCP_ACK, 0, hand.irs + 1, 0);
	ck_assert_uint_eq(hand.g.env.stats.drops[DROP_HOST_SOCKET], 1);
	ck_assert_uint_eq(hand.g.env.stats.flow_refused, 1);
	fake_dialer_next(NULL, 0);
	hand_end();
}
END_TEST

START_TEST(no_room_for_a_flow)
{
	begin();
	hand.g.env.flows.max = 0;
	hand_send(TCP_SYN, hand.irs, 0, 0);
	hand_batch();
	hand_expect(TCP_RST | TCP_ACK, 0, hand.irs + 1, 0);
	ck_assert_uint_eq(hand.g.env.stats.drops[DROP_FLOW_LIMIT], 1);
	ck_assert_uint_eq(hand.g.env.stats.flow_refused, 1);
	hand_end();
}
END_TEST

SUITE_MAIN("tcp_frames", syn_ack, syn_ack_without_options, syn_ack_without_scale,
	   syn_of_a_forward, over_ip6, mss_over_ip6_without_option, unreachable_over_ip6,
	   mss_bounds, data_ack_fin, sack_blocks, reset_of_a_connection, resets_of_strays, refused, unreachable, no_socket_to_be_had, no_room_for_a_flow)
