/* ARP: every byte of the reply; silence where duplicate detection needs it. */
#include "proto/arp.h"

#include "lib/fake_guest.h"
#include "lib/suite.h"

static struct fake_guest g;

static enum drop from_guest(const char *hex)
{
	static uint8_t frame[256];
	struct pkt p;
	size_t len = from_hex(hex, frame, sizeof(frame));

	ck_assert_int_eq(pkt_decode(frame, len, &p), DROP_NONE);
	return arp_from_guest(&g.env, &p);
}

/* Ethernet: broadcast, from the guest, ARP; who-has 10.0.2.2 tell 10.0.2.15 */
#define REQUEST(tpa)                                                       \
	"ff ff ff ff ff ff  52 54 00 12 34 56  08 06"                      \
	"00 01  08 00  06  04  00 01"                                      \
	"52 54 00 12 34 56  0a 00 02 0f  00 00 00 00 00 00 " tpa

START_TEST(reply_is_exact)
{
	const struct fake_frame *f;

	fake_guest_init(&g);
	ck_assert_int_eq(from_guest(REQUEST("0a 00 02 02")), DROP_NONE);
	f = fake_guest_frame(&g, 0);
	/* Ethernet: to the guest, from the gateway, ARP
	 * hardware Ethernet, protocol IPv4, lengths 6 and 4, reply
	 * sender: gateway MAC and 10.0.2.2; target: guest MAC and 10.0.2.15 */
	assert_bytes(f->data, f->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 06"
		     "00 01  08 00  06  04  00 02"
		     "9a 55 9a 55 9a 55  0a 00 02 02  52 54 00 12 34 56  0a 00 02 0f");
	ck_assert_uint_eq(f->len, 42);
	fake_guest_free(&g);
}
END_TEST

START_TEST(any_address_but_the_guests)
{
	fake_guest_init(&g);
	from_guest(REQUEST("08 08 08 08"));
	ck_assert_uint_eq(g.n_frames, 1);
	from_guest(REQUEST("0a 00 02 0f"));
	ck_assert_uint_eq(g.n_frames, 1);
	g.env.guest.addr_known = true;
	g.env.guest.addr = addr_ip4(0x0a000210);
	from_guest(REQUEST("0a 00 02 10"));
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_eq(g.env.stats.arp_requests, 3);
	ck_assert_uint_eq(g.env.stats.arp_replies, 1);
	fake_guest_free(&g);
}
END_TEST

START_TEST(malformed_is_dropped)
{
	fake_guest_init(&g);
	ck_assert_int_eq(from_guest("ff ff ff ff ff ff  52 54 00 12 34 56  08 06  00 01 08 00"), DROP_ARP);
	ck_assert_int_eq(from_guest("ff ff ff ff ff ff  52 54 00 12 34 56  08 06"
				    "00 06  08 00  06  04  00 01"
				    "52 54 00 12 34 56  0a 00 02 0f  00 00 00 00 00 00  0a 00 02 02"),
			 DROP_ARP);
	ck_assert_uint_eq(g.n_frames, 0);
	fake_guest_free(&g);
}
END_TEST

/* Without IPv4 nobody is there to answer, and nothing of it is taken. */
START_TEST(no_ip4)
{
	static uint8_t frame[256];
	size_t len = from_hex(REQUEST("0a 00 02 02"), frame, sizeof(frame));

	fake_guest_init(&g);
	g.net.ip4.on = false;
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_IP4);
	/* IPv4, UDP from 10.0.2.15:68 to 255.255.255.255:67, nothing in it */
	len = from_hex("ff ff ff ff ff ff  52 54 00 12 34 56  08 00"
		       "45 00 00 1c 00 00 00 00 40 11 6e c1 0a 00 02 0f ff ff ff ff"
		       "00 44 00 43 00 08 00 00",
		       frame, sizeof(frame));
	ck_assert_int_eq(demux_from_guest(&g.env, frame, len), DROP_IP4);
	ck_assert(!g.env.guest.addr_known);
	ck_assert_uint_eq(g.env.stats.drops[DROP_IP4], 2);
	demux_guest_up(&g.env);
	ck_assert_uint_eq(g.n_frames, 0);
	g.net.ip4.on = true;
	demux_guest_up(&g.env);
	ck_assert_uint_eq(g.n_frames, 1);
	fake_guest_free(&g);
}
END_TEST

SUITE_MAIN("arp", no_ip4, reply_is_exact, any_address_but_the_guests, malformed_is_dropped)
