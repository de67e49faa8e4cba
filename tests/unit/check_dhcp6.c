/* The DHCPv6 server: its replies byte for byte, every message type, every rule of validation.
 */
#include "proto/dhcp6.h"

#include <stdio.h>

#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/guest_addr.h"

static const struct mac other_mac = { { 0x52, 0x54, 0x00, 0x00, 0x00, 0x01 } };
static struct fake_guest g;
static char last_log[256];

static void keep_log(enum log_level level, enum log_unit unit, const char *line)
{
	snprintf(last_log, sizeof(last_log), "%s", line);
}

static void start(void)
{
	fake_guest_init(&g);
	g.env.dhcp6 = dhcp6_new(&g.env);
	last_log[0] = '\0';
	log_set_sink(keep_log);
}

static void stop(void)
{
	log_set_sink(NULL);
	dhcp6_free(g.env.dhcp6);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	fake_guest_free(&g);
}

/* Everything that can be told. */
static void tell_all(void)
{
	struct net *n = &g.net;

	n->dns[0] = addr_ip4(0x0a000203);
	n->dns[1] = addr_of("2001:db8::53");
	n->dns[2] = addr_of("2001:db8::54");
	n->n_dns = 3;
	strcpy(n->search[0], "eng.ex.org");
	strcpy(n->search[1], "ex.org");
	n->n_search = 2;
	strcpy(n->hostname, "vm");
	strcpy(n->fqdn, "vm.ex.org");
	n->ntp[0] = addr_ip4(0xcb007101);
	n->ntp[1] = addr_of("2001:db8::123");
	n->ntp[2] = addr_of("2001:db8::124");
	n->n_ntp = 3;
}

/* What messages are made of.  Message types and the transaction: */
#define SOLICIT	    "01 10 08 74"
#define ADVERTISE   "02 10 08 74"
#define REQUEST	    "03 10 08 74"
#define CONFIRM	    "04 10 08 74"
#define RENEW	    "05 10 08 74"
#define REBIND	    "06 10 08 74"
#define REPLY	    "07 10 08 74"
#define RELEASE	    "08 10 08 74"
#define DECLINE	    "09 10 08 74"
#define INFORMATION "0b 10 08 74"
/* Identifiers: DUID-LL of the guest, of another client, of ours, of another server. */
#define CLIENT	     "00 01 00 0a 00 03 00 01 52 54 00 12 34 56"
#define OTHER_CLIENT "00 01 00 03 00 03 aa"
#define OURS	     "00 02 00 0a 00 03 00 01 9a 55 9a 55 9a 55"
#define OTHER_SERVER "00 02 00 0a 00 03 00 01 9a 55 9a 55 9a 56"
/* IAs as clients send them: empty; with an address of no lifetimes. */
#define NO_TIMES	"00 00 00 00 00 00 00 00"
#define IA_NA(id)	"00 03 00 0c 00 00 00" id NO_TIMES
#define IA_TA(id)	"00 04 00 04 00 00 00" id
#define IA_PD(id)	"00 19 00 0c 00 00 00" id NO_TIMES
#define ADDRESS(a)	"00 05 00 18" a NO_TIMES
#define IA_NA_OF(id, a) "00 03 00 28 00 00 00" id NO_TIMES ADDRESS(a)
#define IA_TA_OF(id, a) "00 04 00 20 00 00 00" id ADDRESS(a)
#define GIVEN		"20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
#define NEAR		"20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0e" /* of this link */
#define FAR		"20 01 0d b8 00 03 00 00 00 00 00 00 00 00 00 0f"
#define ANY		"00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
#define RAPID		"00 0e 00 00"
/* ... and as we do: T1 27000 s, T2 43200 s, preferred 54000 s, valid 86400 s. */
#define T1_T2	  "00 00 69 78 00 00 a8 c0"
#define LIFETIMES "00 00 d2 f0 00 01 51 80"
#define LEASE(id) "00 03 00 28 00 00 00" id T1_T2 "00 05 00 18" GIVEN LIFETIMES
/* Statuses: "there is one address", "not an address of this link", "no prefixes are delegated",
 * "nothing is leased to it". */
#define NO_ADDRESS                                                                             \
	"00 0d 00 16 00 02 74 68 65 72 65 20 69 73 20 6f 6e 65 20 61 64 64 72 65 73 73"
#define NOT_ON_LINK                                                                            \
	"00 0d 00 1d 00 04 6e 6f 74 20 61 6e 20 61 64 64 72 65 73 73 20 6f 66 20 74 68 69 73"  \
	"20 6c 69 6e 6b"
#define NO_PREFIX                                                                              \
	"00 0d 00 1b 00 06 6e 6f 20 70 72 65 66 69 78 65 73 20 61 72 65 20 64 65 6c 65 67 61"  \
	"74 65 64"
#define NO_BINDING                                                                             \
	"00 0d 00 19 00 03 6e 6f 74 68 69 6e 67 20 69 73 20 6c 65 61 73 65 64 20 74 6f 20 69"  \
	"74"
#define SUCCESS	      "00 0d 00 02 00 00"
#define OFF_LINK      "00 0d 00 02 00 04"
#define USE_MULTICAST "00 0d 00 02 00 05"
/* Settings, as told by tell_all(). */
#define DNS                                                                                    \
	"00 17 00 20 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 53"                          \
	"20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 54"
#define SEARCH "00 18 00 14 03 65 6e 67 02 65 78 03 6f 72 67 00 02 65 78 03 6f 72 67 00"
#define NTP                                                                                    \
	"00 38 00 14 00 01 00 10 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 01 23"              \
	"00 38 00 14 00 01 00 10 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 01 24"

/* How a message comes; what is not said is as clients do it. */
struct ask {
	const char *hex, *src, *dst;
	const struct mac *mac;
};

static enum drop send(const struct ask *a)
{
	static struct packet p;
	static uint8_t payload[4096];
	size_t len = from_hex(a->hex, payload, sizeof(payload));
	struct packet_ip6 ip = { .src = addr_of(a->src ? a->src : "fe80::5054:ff:fe12:3456"),
				 .dst = addr_of(a->dst ? a->dst : "ff02::1:2") };

	ip.unspecified = addr_is_unspecified(&ip.src);
	packet_udp6(&p, &ip, 546, 547, payload, len);
	if (a->mac)
		memcpy(p.frame + MAC_LEN, a->mac->b, MAC_LEN);
	fake_guest_clear(&g);
	return demux_from_guest(&g.env, p.frame, p.len);
}

#define SEND(...) ck_assert_int_eq(send(&(struct ask){ __VA_ARGS__ }), DROP_NONE)
#define DROPPED(...)                                                                           \
	do {                                                                                   \
		ck_assert_int_eq(send(&(struct ask){ __VA_ARGS__ }), DROP_DHCP6);              \
		ck_assert_uint_eq(g.n_frames, 0);                                              \
	} while (0)

static struct pkt frame;

/* The one reply, whose message is this. */
static void assert_answer(const char *hex)
{
	const struct fake_frame *f = fake_guest_frame(&g, 0);

	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &frame), DROP_NONE);
	ck_assert_uint_eq(frame.udp.sport, 547);
	ck_assert_uint_eq(frame.udp.dport, 546);
	ck_assert(addr_eq(&frame.src, &g.net.ip6.gateway));
	assert_bytes(frame.payload, frame.payload_len, hex);
}

#define ASKED(answer, ...)                                                                     \
	do {                                                                                   \
		SEND(__VA_ARGS__);                                                             \
		assert_answer(answer);                                                         \
	} while (0)

/* SOLICIT as a frame; the ADVERTISE to it byte for byte. */
START_TEST(advertise_is_exact)
{
	static uint8_t request[1024];
	const struct fake_frame *f;
	size_t len;

	start();
	/* Ethernet: to 33:33:00:01:00:02, from the guest, IPv6
	 * IPv6: 48 bytes of UDP, hop limit 1, fe80::5054:ff:fe12:3456 to ff02::1:2
	 * UDP: 546 to 547, 48 bytes, checksum (left to the link)
	 * SOLICIT, xid 0x100874; Client-ID; IA_NA 7; elapsed time 0 */
	len = from_hex("33 33 00 01 00 02  52 54 00 12 34 56  86 dd"
		       "60 00 00 00  00 30 11 01"
		       "fe 80 00 00 00 00 00 00 50 54 00 ff fe 12 34 56"
		       "ff 02 00 00 00 00 00 00 00 00 00 00 00 01 00 02"
		       "02 22 02 23 00 30 12 34"
		       "01 10 08 74  00 01 00 0a 00 03 00 01 52 54 00 12 34 56"
		       "00 03 00 0c 00 00 00 07 00 00 00 00 00 00 00 00  00 08 00 02 00 00",
		       request, sizeof(request));
	ck_assert_int_eq(demux_from_guest(&g.env, request, len), DROP_NONE);

	f = fake_guest_frame(&g, 0);
	ck_assert_uint_eq(f->len, 14 + 40 + 8 + 81);
	/* Ethernet: to the guest, from the gateway, IPv6
	 * IPv6: 89 bytes, UDP, hop limit 64, fe80::2 to fe80::5054:ff:fe12:3456
	 * UDP: 547 to 546, 89 bytes, checksum */
	assert_bytes(f->data, 14 + 40 + 6,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  86 dd"
		     "60 00 00 00  00 59 11 40"
		     "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02"
		     "fe 80 00 00 00 00 00 00 50 54 00 ff fe 12 34 56"
		     "02 23 02 22 00 59");
	/* ADVERTISE, xid; Client-ID; Server-ID: DUID-LL, Ethernet, 9a:55:9a:55:9a:55
	 * Preference 255
	 * IA_NA 7, T1 27000 s, T2 43200 s: 2001:db8:2::f, preferred 54000 s, valid 86400 s */
	assert_bytes(f->data + 62, f->len - 62,
		     "02 10 08 74  00 01 00 0a 00 03 00 01 52 54 00 12 34 56"
		     "00 02 00 0a 00 03 00 01 9a 55 9a 55 9a 55  00 07 00 01 ff"
		     "00 03 00 28 00 00 00 07 00 00 69 78 00 00 a8 c0"
		     "00 05 00 18 20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
		     "00 00 d2 f0 00 01 51 80");
	ck_assert_uint_eq(g.env.stats.dhcp6_solicits, 1);
	ck_assert_uint_eq(g.env.stats.dhcp6_advertises, 1);
	ck_assert_ptr_null(dhcp6_get_lease(&g.env)); /* an offer is no lease */
	stop();
}
END_TEST

/* The settings that are asked for, in any order and each once. */
START_TEST(reply_is_exact)
{
	start();
	tell_all();
	ASKED(REPLY CLIENT OURS LEASE("07") DNS SEARCH NTP,
	      .hex = REQUEST CLIENT OURS IA_NA(
		      "07") "00 06 00 0c 00 38 00 17 00 27 00 18 00 17 12 34");
	ck_assert_uint_eq(g.env.stats.dhcp6_requests, 1);
	ck_assert_uint_eq(g.env.stats.dhcp6_replies, 1);
	ck_assert_ptr_nonnull(dhcp6_get_lease(&g.env));
	/* forwards go there from now on */
	ck_assert(guest_addr_for(&g.env, &g.net.dns[1]).b[15] == 0x0f);
	ck_assert(addr_eq(&g.env.guest.ip6[0], &g.net.ip6.guest));
	stop();
}
END_TEST

/* RFC 8415 18.3: what was not asked for is not told, unless the client does not know how to. */
START_TEST(settings_asked_for)
{
	start();
	tell_all();
	ASKED(REPLY CLIENT OURS DNS SEARCH, .hex = INFORMATION CLIENT);
	ASKED(REPLY OURS DNS SEARCH, .hex = INFORMATION);
	ASKED(REPLY CLIENT OURS, .hex = INFORMATION CLIENT "00 06 00 00");
	ASKED(REPLY CLIENT OURS NTP, .hex = INFORMATION CLIENT "00 06 00 02 00 38");
	ASKED(REPLY CLIENT OURS SEARCH,
	      .hex = INFORMATION CLIENT OURS "00 06 00 04 00 18 00 18");
	ck_assert_uint_eq(g.env.stats.dhcp6_information_requests, 5);
	ck_assert_uint_eq(g.env.stats.dhcp6_replies, 5);
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	g.conf.no_dhcp_dns = true;
	ASKED(REPLY CLIENT OURS SEARCH, .hex = INFORMATION CLIENT);
	g.conf.no_dhcp_search = true;
	ASKED(REPLY CLIENT OURS, .hex = INFORMATION CLIENT);
	g.conf.no_dhcp_dns = g.conf.no_dhcp_search = false;
	g.net.n_dns = 1; /* IPv4's alone */
	g.net.n_search = 0;
	g.net.n_ntp = 1;
	ASKED(REPLY CLIENT OURS, .hex = INFORMATION CLIENT "00 06 00 06 00 17 00 18 00 38");
	stop();
}
END_TEST

/* RFC 4704 6: only for who sent and requests it; its S refused, always with N. */
START_TEST(fqdn)
{
#define FQDN_S	 "00 27 00 04 01 02 67 75"
#define FQDN_NO	 "00 27 00 01 00"
#define ORO_FQDN "00 06 00 02 00 27"
	start();
	tell_all();
	ASKED(REPLY OURS "00 27 00 0c 06 02 76 6d 02 65 78 03 6f 72 67 00",
	      .hex = INFORMATION ORO_FQDN FQDN_S);
	ASKED(REPLY OURS "00 27 00 0c 04 02 76 6d 02 65 78 03 6f 72 67 00",
	      .hex = INFORMATION ORO_FQDN FQDN_NO);
	ASKED(REPLY OURS, .hex = INFORMATION ORO_FQDN);
	ASKED(REPLY OURS DNS SEARCH, .hex = INFORMATION FQDN_S);
	/* the host's name is a part of one; then there is none */
	g.net.fqdn[0] = '\0';
	ASKED(REPLY OURS "00 27 00 04 04 02 76 6d", .hex = INFORMATION ORO_FQDN FQDN_NO);
	g.net.hostname[0] = '\0';
	ASKED(REPLY OURS, .hex = INFORMATION ORO_FQDN FQDN_S);
	stop();
}
END_TEST

/* RFC 8415 18.3.1: a REPLY at once, option 14 in it; the lease stands. */
START_TEST(rapid_commit)
{
	start();
	ASKED(REPLY CLIENT OURS RAPID LEASE("07"), .hex = SOLICIT CLIENT RAPID IA_NA("07"));
	ck_assert_ptr_nonnull(dhcp6_get_lease(&g.env));
	ck_assert_uint_eq(g.env.stats.dhcp6_solicits, 1);
	ck_assert_uint_eq(g.env.stats.dhcp6_replies, 1);
	ck_assert_uint_eq(g.env.stats.dhcp6_advertises, 0);
	/* not in an answer to a REQUEST */
	ASKED(REPLY CLIENT OURS LEASE("07"), .hex = REQUEST CLIENT OURS RAPID IA_NA("07"));
	/* nothing to commit to */
	ASKED("02 10 08 74" CLIENT OURS
	      "00 07 00 01 ff  00 19 00 2b 00 00 00 01" NO_TIMES NO_PREFIX,
	      .hex = SOLICIT CLIENT RAPID IA_PD("01"));
	stop();
}
END_TEST

/* RFC 8415 18.3.10: to the address and station that it came from. */
START_TEST(where_replies_go)
{
	struct addr a = addr_of("2001:db8:2::77");

	start();
	SEND(.hex = INFORMATION, .src = "2001:db8:2::77", .mac = &other_mac);
	assert_answer(REPLY OURS);
	ck_assert(addr_eq(&frame.dst, &a));
	ck_assert(mac_eq(&frame.eth.dst, &other_mac));
	stop();
}
END_TEST

/* Who knows of addresses is given ours in their place, and told not to use them any more. */
START_TEST(renew_and_rebind)
{
#define VOID_LEASE(id, a)                                                                      \
	"00 03 00 44 00 00 00" id T1_T2 "00 05 00 18" GIVEN LIFETIMES "00 05 00 18" a NO_TIMES
	start();
	/* never seen: as after a restart (18.3.4, 18.3.5) */
	ASKED(REPLY CLIENT OURS LEASE("07"), .hex = REBIND CLIENT IA_NA_OF("07", GIVEN));
	ck_assert_ptr_nonnull(dhcp6_get_lease(&g.env));
	ASKED(REPLY CLIENT OURS LEASE("07"), .hex = RENEW CLIENT OURS IA_NA_OF("07", GIVEN));
	ck_assert_uint_eq(dhcp6_get_lease(&g.env)->n_granted, 2);
	ASKED(REPLY CLIENT OURS VOID_LEASE("07", NEAR),
	      .hex = RENEW CLIENT OURS IA_NA_OF("07", NEAR));
	ASKED(REPLY CLIENT OURS VOID_LEASE("07", FAR),
	      .hex = REBIND CLIENT IA_NA_OF("07", FAR));
	ASKED(REPLY CLIENT OURS LEASE("07"), .hex = REBIND CLIENT IA_NA_OF("07", ANY));
	ck_assert_uint_eq(g.env.stats.dhcp6_renews, 2);
	ck_assert_uint_eq(g.env.stats.dhcp6_rebinds, 3);
	ck_assert_uint_eq(g.env.stats.dhcp6_replies, 5);
	stop();
}
END_TEST

/* In SOLICIT and REQUEST addresses are wishes; one of another link is a mistake (18.3.2). */
START_TEST(addresses_asked_for)
{
	start();
	ASKED(ADVERTISE CLIENT OURS "00 07 00 01 ff" LEASE("07"),
	      .hex = SOLICIT CLIENT IA_NA_OF("07", FAR));
	ASKED(REPLY CLIENT OURS "00 03 00 2d 00 00 00 07" NO_TIMES NOT_ON_LINK,
	      .hex = REQUEST CLIENT OURS IA_NA_OF("07", FAR));
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	ASKED(REPLY CLIENT OURS LEASE("07"), .hex = REQUEST CLIENT OURS IA_NA_OF("07", NEAR));
	ASKED(REPLY CLIENT OURS LEASE("07"), .hex = REQUEST CLIENT OURS IA_NA_OF("07", ANY));
	/* the next IA has it then */
	ASKED(REPLY CLIENT OURS LEASE("08") "00 03 00 2d 00 00 00 07" NO_TIMES NOT_ON_LINK,
	      .hex = REQUEST CLIENT OURS IA_NA_OF("07", FAR) IA_NA("08"));
	stop();
}
END_TEST

/* One IA_NA has the address: the first, or the one that names it. */
START_TEST(several_ias)
{
#define NO_NA(id) "00 03 00 26 00 00 00" id NO_TIMES NO_ADDRESS
#define NO_TA(id) "00 04 00 1e 00 00 00" id NO_ADDRESS
#define NO_PD(id) "00 19 00 2b 00 00 00" id NO_TIMES NO_PREFIX
	start();
	ASKED(REPLY CLIENT OURS LEASE("02") NO_TA("01") NO_NA("03") NO_PD("04"),
	      .hex = REQUEST CLIENT OURS IA_TA("01") IA_NA("02") IA_NA("03") IA_PD("04"));
	ck_assert_uint_eq(dhcp6_get_lease(&g.env)->client.iaid, 2);
	ASKED(REPLY CLIENT OURS LEASE("03") NO_NA("02") NO_NA("04"),
	      .hex = RENEW CLIENT OURS IA_NA("02") IA_NA_OF("03", GIVEN) IA_NA_OF("04", GIVEN));
	ck_assert_uint_eq(dhcp6_get_lease(&g.env)->client.iaid, 3);
	/* the same IAID twice is as good as two */
	ASKED(REPLY CLIENT OURS LEASE("02") NO_NA("02"),
	      .hex = REBIND CLIENT IA_NA("02") IA_NA("02"));
	/* nothing to give: no lease comes of it */
	dhcp6_free(g.env.dhcp6);
	g.env.dhcp6 = dhcp6_new(&g.env);
	ASKED(REPLY CLIENT OURS NO_TA("01") NO_PD("04"),
	      .hex = REQUEST CLIENT OURS IA_TA("01") IA_PD("04"));
	ASKED(REPLY CLIENT OURS, .hex = REQUEST CLIENT OURS);
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	stop();
}
END_TEST

/* RFC 8415 18.3.3. */
START_TEST(confirm)
{
	start();
	ASKED(REPLY CLIENT OURS SUCCESS, .hex = CONFIRM CLIENT IA_NA_OF("07", GIVEN));
	ASKED(REPLY CLIENT OURS SUCCESS, .hex = CONFIRM CLIENT IA_NA_OF("07", NEAR));
	ASKED(REPLY CLIENT OURS OFF_LINK, .hex = CONFIRM CLIENT IA_NA_OF("07", FAR));
	ASKED(REPLY CLIENT OURS OFF_LINK,
	      .hex = CONFIRM CLIENT IA_NA_OF("07", GIVEN) IA_TA_OF("08", FAR));
	/* without an address there is nothing to say */
	SEND(.hex = CONFIRM CLIENT IA_NA("07"));
	ck_assert_uint_eq(g.n_frames, 0);
	SEND(.hex = CONFIRM CLIENT);
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_uint_eq(g.env.stats.dhcp6_confirms, 6);
	ck_assert_uint_eq(g.env.stats.dhcp6_replies, 4);
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	stop();
}
END_TEST

#define UNBOUND(id) "00 03 00 29 00 00 00" id NO_TIMES NO_BINDING

/* RFC 8415 18.3.7. */
START_TEST(release)
{
	start();
	ASKED(REPLY CLIENT OURS SUCCESS UNBOUND("07"),
	      .hex = RELEASE CLIENT OURS IA_NA_OF("07", GIVEN));
	SEND(.hex = REQUEST CLIENT OURS IA_NA("07"));
	/* another client, another IA, another address */
	ASKED(REPLY OTHER_CLIENT OURS SUCCESS UNBOUND("07"),
	      .hex = RELEASE OTHER_CLIENT OURS IA_NA_OF("07", GIVEN));
	ASKED(REPLY CLIENT OURS SUCCESS UNBOUND("08"),
	      .hex = RELEASE CLIENT OURS IA_NA_OF("08", GIVEN));
	ASKED(REPLY CLIENT OURS SUCCESS, .hex = RELEASE CLIENT OURS IA_NA_OF("07", NEAR));
	ck_assert_ptr_nonnull(dhcp6_get_lease(&g.env));
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	ASKED(REPLY CLIENT OURS SUCCESS UNBOUND("06"),
	      .hex = RELEASE CLIENT OURS IA_NA("06") IA_NA_OF("07", GIVEN));
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	ck_assert_str_eq(last_log, "lease of 2001:db8:2::f by 52:54:00:12:34:56 released");
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	ck_assert_uint_eq(g.env.stats.dhcp6_releases, 5);
	stop();
}
END_TEST

/* RFC 8415 18.3.8. */
START_TEST(decline)
{
	start();
	SEND(.hex = REQUEST CLIENT OURS IA_NA("07"));
	last_log[0] = '\0';
	ASKED(REPLY CLIENT OURS SUCCESS, .hex = DECLINE CLIENT OURS IA_NA_OF("07", NEAR));
	ck_assert_str_eq(last_log, "");
	ASKED(REPLY OTHER_CLIENT OURS SUCCESS UNBOUND("07"),
	      .hex = DECLINE OTHER_CLIENT OURS IA_NA_OF("07", GIVEN), .mac = &other_mac);
	ck_assert_str_eq(
		last_log,
		"2001:db8:2::f declined by 52:54:00:00:00:01: in use on the guest's side");
	ck_assert_ptr_nonnull(dhcp6_get_lease(&g.env));
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	ASKED(REPLY CLIENT OURS SUCCESS, .hex = DECLINE CLIENT OURS IA_NA_OF("07", GIVEN));
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	ck_assert_str_eq(last_log, "lease of 2001:db8:2::f by 52:54:00:12:34:56 declined");
	ck_assert_uint_eq(g.env.stats.dhcp6_declines, 3);
	/* there is no other address to give */
	ASKED(ADVERTISE CLIENT OURS "00 07 00 01 ff" LEASE("07"),
	      .hex = SOLICIT CLIENT IA_NA("07"));
	stop();
}
END_TEST

/* RFC 8415 16: which identifiers a message must have, may have and must not have, and whether
 * it may come to our own address. */
enum outcome { ANSWERED, TOLD, DISCARDED };

#define BODY IA_NA_OF("07", GIVEN)
static const struct rule {
	const char *type, *body;
	/* no identifier; client's; client's and ours; client's and another server's; ours */
	enum outcome none, client, both, other, server;
	/* the first valid one to our address */
	enum outcome unicast;
} rules[] = {
	{ SOLICIT, BODY, DISCARDED, ANSWERED, DISCARDED, DISCARDED, DISCARDED, DISCARDED },
	{ ADVERTISE, BODY, DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED },
	{ REQUEST, BODY, DISCARDED, DISCARDED, ANSWERED, DISCARDED, DISCARDED, TOLD },
	{ CONFIRM, BODY, DISCARDED, ANSWERED, DISCARDED, DISCARDED, DISCARDED, DISCARDED },
	{ RENEW, BODY, DISCARDED, DISCARDED, ANSWERED, DISCARDED, DISCARDED, TOLD },
	{ REBIND, BODY, DISCARDED, ANSWERED, DISCARDED, DISCARDED, DISCARDED, DISCARDED },
	{ REPLY, BODY, DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED },
	{ RELEASE, BODY, DISCARDED, DISCARDED, ANSWERED, DISCARDED, DISCARDED, TOLD },
	{ DECLINE, BODY, DISCARDED, DISCARDED, ANSWERED, DISCARDED, DISCARDED, TOLD },
	{ "0a 10 08 74", BODY, DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED,
	  DISCARDED },
	{ INFORMATION, "", ANSWERED, ANSWERED, ANSWERED, DISCARDED, ANSWERED, DISCARDED },
	/* 16.12: with an IA */
	{ INFORMATION, IA_NA("07"), DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED,
	  DISCARDED },
	{ INFORMATION, IA_PD("07"), DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED,
	  DISCARDED },
	{ "00 10 08 74", BODY, DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED,
	  DISCARDED },
	{ "0e 10 08 74", BODY, DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED,
	  DISCARDED },
	{ "ff 10 08 74", BODY, DISCARDED, DISCARDED, DISCARDED, DISCARDED, DISCARDED,
	  DISCARDED },
};

/* The rule's message with these identifiers has this outcome, and another at our own address.
 */
static void check_rule(const struct rule *rule, const char *ids, enum outcome want)
{
	uint64_t n_discarded = g.env.stats.drops[DROP_DHCP6];
	char hex[1024];

	snprintf(hex, sizeof(hex), "%s%s%s", rule->type, ids, rule->body);
	ck_assert_msg((send(&(struct ask){ .hex = hex }) == DROP_NONE) == (want == ANSWERED),
		      "%s", hex);
	ck_assert_uint_eq(g.n_frames, want == ANSWERED);
	n_discarded += want == DISCARDED;
	ck_assert_uint_eq(g.env.stats.drops[DROP_DHCP6], n_discarded);
	if (want != ANSWERED)
		return;
	want = rule->unicast;
	ck_assert_msg((send(&(struct ask){ .hex = hex, .dst = "fe80::2" }) == DROP_NONE) ==
			      (want == TOLD),
		      "%s", hex);
	n_discarded += want == DISCARDED;
	ck_assert_uint_eq(g.env.stats.drops[DROP_DHCP6], n_discarded);
	if (want == TOLD)
		assert_answer(REPLY CLIENT OURS USE_MULTICAST);
	else
		ck_assert_uint_eq(g.n_frames, 0);
}

START_TEST(validation)
{
	start();
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *rule = &rules[i];

		check_rule(rule, "", rule->none);
		check_rule(rule, CLIENT, rule->client);
		check_rule(rule, CLIENT OURS, rule->both);
		check_rule(rule, CLIENT OTHER_SERVER, rule->other);
		check_rule(rule, OURS, rule->server);
	}
	stop();
}
END_TEST

START_TEST(unicast_gives_nothing)
{
	start();
	ASKED(REPLY CLIENT OURS USE_MULTICAST, .hex = REQUEST CLIENT OURS IA_NA("07"),
	      .dst = "fe80::2");
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	SEND(.hex = REQUEST CLIENT OURS IA_NA("07"));
	ASKED(REPLY CLIENT OURS USE_MULTICAST, .hex = RELEASE CLIENT OURS IA_NA_OF("07", GIVEN),
	      .dst = "fe80::2");
	ck_assert_ptr_nonnull(dhcp6_get_lease(&g.env));
	ck_assert_uint_eq(g.env.stats.dhcp6_requests, 2);
	ck_assert_uint_eq(g.env.stats.dhcp6_releases, 1);
	stop();
}
END_TEST

START_TEST(hostile)
{
	start();
	DROPPED(.hex = "");
	DROPPED(.hex = "01 10 08");
	DROPPED(.hex = SOLICIT "00 01 00 02 00 03" IA_NA("07"));
	DROPPED(.hex = SOLICIT CLIENT "00 03 00 04 00 00 00 07");
	DROPPED(.hex = SOLICIT CLIENT IA_NA("07") "00");
	/* a shorter Server-ID, and an empty one */
	DROPPED(.hex = RENEW CLIENT "00 02 00 04 00 03 00 01" IA_NA("07"));
	DROPPED(.hex = RENEW CLIENT "00 02 00 00" IA_NA("07"));
	/* a relay agent's: hop count, link and peer address, and the message */
	DROPPED(.hex = "0c 00" ANY GIVEN "00 09 00 12" SOLICIT CLIENT);
	/* from nowhere */
	DROPPED(.hex = SOLICIT CLIENT IA_NA("07"), .src = "::");
	ck_assert_uint_eq(g.env.stats.drops[DROP_DHCP6], 9);
	ck_assert_uint_eq(g.env.stats.dhcp6_solicits, 0);
	g.conf.no_dhcp6 = true;
	DROPPED(.hex = SOLICIT CLIENT IA_NA("07"));
	stop();
}
END_TEST

/* T1, T2, the end by the clock; each renewal begins anew. */
START_TEST(lease_times)
{
	const uint64_t t0 = 1000 * NS_PER_SEC;
	const struct lease *l;

	start();
	SEND(.hex = REQUEST CLIENT OURS IA_NA("07") "00 27 00 05 00 03 76 01 78");
	l = dhcp6_get_lease(&g.env);
	ck_assert_ptr_nonnull(l);
	ck_assert(addr_eq(&l->addr, &g.net.ip6.guest));
	ck_assert(mac_eq(&l->client.mac, &fake_guest_mac));
	assert_bytes(l->client.id, l->client.id_len, "00 03 00 01 52 54 00 12 34 56");
	ck_assert_uint_eq(l->client.iaid, 7);
	ck_assert_str_eq(l->client.hostname, "v?001x"); /* an escape of the resolver's */
	ck_assert_uint_eq(l->renew_ns, t0 + 27000 * NS_PER_SEC);
	ck_assert_uint_eq(l->rebind_ns, t0 + 43200 * NS_PER_SEC);
	ck_assert_uint_eq(l->expiry_ns, t0 + 86400 * NS_PER_SEC);
	ck_assert_str_eq(last_log,
			 "2001:db8:2::f leased to 52:54:00:12:34:56 (v?001x) for 86400 s");

	fake_guest_advance(&g, 27000 * NS_PER_SEC);
	ck_assert_int_eq(lease_state(l, g.env.now_ns), LEASE_RENEWING);
	SEND(.hex = RENEW CLIENT OURS IA_NA_OF("07", GIVEN));
	ck_assert_int_eq(lease_state(l, g.env.now_ns), LEASE_BOUND);
	ck_assert_uint_eq(l->since_ns, t0);
	ck_assert_uint_eq(l->n_granted, 2);
	fake_guest_advance(&g, 86400 * NS_PER_SEC - 1);
	ck_assert_ptr_nonnull(dhcp6_get_lease(&g.env));
	fake_guest_advance(&g, 1);
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	ck_assert_str_eq(last_log, "lease of 2001:db8:2::f by 52:54:00:12:34:56 expired");
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	stop();
}
END_TEST

/* Without end, and as short as can be. */
START_TEST(odd_lease_times)
{
	start();
	g.conf.timeouts.dhcp_lease = LEASE_FOREVER;
	ASKED(REPLY CLIENT OURS "00 03 00 28 00 00 00 07 ff ff ff ff ff ff ff ff"
				"00 05 00 18" GIVEN "ff ff ff ff ff ff ff ff",
	      .hex = REQUEST CLIENT OURS IA_NA("07"));
	ck_assert_uint_eq(dhcp6_get_lease(&g.env)->expiry_ns, TIMERQ_NEVER);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	g.conf.timeouts.dhcp_lease = LEASE_FOREVER - 1;
	ASKED(REPLY CLIENT OURS "00 03 00 28 00 00 00 07 4f ff ff ff 7f ff ff ff"
				"00 05 00 18" GIVEN "9f ff ff ff ff ff ff fe",
	      .hex = REQUEST CLIENT OURS IA_NA("07"));
	/* the client chooses T1 and T2 (21.4), and the address is preferred for all of its life
	 */
	g.conf.timeouts.dhcp_lease = 1;
	ASKED(REPLY CLIENT OURS "00 03 00 28 00 00 00 07 00 00 00 00 00 00 00 00"
				"00 05 00 18" GIVEN "00 00 00 01 00 00 00 01",
	      .hex = REQUEST CLIENT OURS IA_NA("07"));
	fake_guest_advance(&g, NS_PER_SEC);
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	stop();
}
END_TEST

START_TEST(another_client_takes_over)
{
	const struct lease *l;

	start();
	SEND(.hex = REQUEST CLIENT OURS IA_NA("07"));
	fake_guest_advance(&g, 5 * NS_PER_SEC);
	/* an offer to another leaves the lease where it is */
	SEND(.hex = SOLICIT OTHER_CLIENT IA_NA("07"), .mac = &other_mac);
	l = dhcp6_get_lease(&g.env);
	ck_assert(mac_eq(&l->client.mac, &fake_guest_mac));
	SEND(.hex = REQUEST OTHER_CLIENT OURS IA_NA("07"), .mac = &other_mac);
	ck_assert(mac_eq(&l->client.mac, &other_mac));
	ck_assert_uint_eq(l->n_granted, 1);
	ck_assert_uint_eq(l->since_ns, g.env.now_ns);
	ck_assert_str_eq(last_log, "2001:db8:2::f leased to 52:54:00:00:00:01 () for 86400 s, "
				   "taken over from 52:54:00:12:34:56");
	/* the same client with another IA */
	SEND(.hex = REQUEST OTHER_CLIENT OURS IA_NA("08"), .mac = &other_mac);
	ck_assert_uint_eq(l->n_granted, 1);
	stop();
}
END_TEST

/* The guest's network changed: the next renewal brings its address, and ends the old one. */
START_TEST(renewal_after_the_network_changed)
{
	start();
	SEND(.hex = REQUEST CLIENT OURS IA_NA("07"));
	g.net.ip6.guest = addr_of("2001:db8:3::f");
	ASKED(REPLY CLIENT OURS "00 03 00 44 00 00 00 07" T1_T2 "00 05 00 18" FAR LIFETIMES
				"00 05 00 18" GIVEN NO_TIMES,
	      .hex = RENEW CLIENT OURS IA_NA_OF("07", GIVEN));
	ck_assert(addr_eq(&dhcp6_get_lease(&g.env)->addr, &g.net.ip6.guest));
	ck_assert_uint_eq(dhcp6_get_lease(&g.env)->n_granted, 1);
	ASKED(REPLY CLIENT OURS OFF_LINK, .hex = CONFIRM CLIENT IA_NA_OF("07", GIVEN));
	stop();
}
END_TEST

/* 1232 bytes and no more, whatever is asked; the address is always in it, and what does not fit
 * is left out whole. */
START_TEST(message_size)
{
	static char hex[12000];
	struct rd r;
	struct dhcp6_msg m;
	struct dhcp6_ia ia;
	unsigned n = 0;

	start();
	tell_all();
	strcpy(hex, RENEW CLIENT OURS);
	for (int i = 0; i < 60; i++)
		strcat(hex, IA_NA("01"));
	strcat(hex, IA_NA_OF("07", GIVEN));
	SEND(.hex = hex);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_int_eq(pkt_decode(g.frames[0].data, g.frames[0].len, &frame), DROP_NONE);
	/* header and identifiers, the lease, 27 of 60 refusals; no settings */
	ck_assert_uint_eq(frame.payload_len, 32 + 44 + 27 * 42);
	ck_assert_uint_eq(g.env.stats.dhcp6_left_out, 33 + 2);
	r = rd_init(frame.payload, frame.payload_len);
	ck_assert_int_eq(dhcp6_decode(&r, &m), 0);
	ck_assert(dhcp6_ia_next(&m.options, &ia));
	ck_assert_uint_eq(ia.iaid, 7);
	while (dhcp6_ia_next(&m.options, &ia))
		n++;
	ck_assert_uint_eq(n, 27);
	/* 22 bytes are left: one name server finds room, the search list (24) does not */
	g.net.n_dns = 2;
	g.env.stats.dhcp6_left_out = 0;
	strcpy(hex, RENEW CLIENT OURS IA_NA("07"));
	for (int i = 0; i < 27; i++)
		strcat(hex, IA_NA("01"));
	SEND(.hex = hex);
	ck_assert_int_eq(pkt_decode(g.frames[0].data, g.frames[0].len, &frame), DROP_NONE);
	ck_assert_uint_eq(frame.payload_len, 32 + 44 + 27 * 42 + 20);
	ck_assert_uint_eq(g.env.stats.dhcp6_left_out, 1);
	stop();
}
END_TEST

/* Addresses that are not ours come back as far as there is room. */
START_TEST(many_void_addresses)
{
	static char hex[12000];
	unsigned n = 0;
	struct rd r;
	struct dhcp6_msg m;
	struct dhcp6_ia ia;
	struct addr a;

	start();
	/* an IA of 100 addresses: 12 + 100 * 28 bytes */
	strcpy(hex, REBIND CLIENT "00 03 0a fc 00 00 00 07" NO_TIMES);
	for (int i = 0; i < 100; i++)
		strcat(hex, ADDRESS(FAR));
	SEND(.hex = hex);
	ck_assert_int_eq(pkt_decode(g.frames[0].data, g.frames[0].len, &frame), DROP_NONE);
	r = rd_init(frame.payload, frame.payload_len);
	ck_assert_int_eq(dhcp6_decode(&r, &m), 0);
	ck_assert(dhcp6_ia_next(&m.options, &ia));
	while (dhcp6_address_next(&ia.options, &a))
		n++;
	/* 32 bytes of header and identifiers, 16 of the IA */
	ck_assert_uint_eq(n, (1232 - 32 - 16) / 28);
	ck_assert_uint_eq(g.env.stats.dhcp6_left_out, 101 - n);
	stop();
}
END_TEST

/* A reply that the link has no room for was not given: no lease, no count. */
START_TEST(full_link)
{
	start();
	g.room = 0;
	SEND(.hex = REQUEST CLIENT OURS IA_NA("07"));
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_ptr_null(dhcp6_get_lease(&g.env));
	ck_assert_uint_eq(g.env.stats.dhcp6_replies, 0);
	ck_assert_uint_eq(g.env.stats.dhcp6_requests, 1);
	stop();
}
END_TEST

/* Only what is for a server is taken from the relay. */
START_TEST(other_destinations)
{
	start();
	g.conf.no_udp = true;
	ck_assert_int_eq(
		send(&(struct ask){ .hex = SOLICIT CLIENT IA_NA("07"), .dst = "2001:db8::1" }),
		DROP_IP_PROTOCOL);
	ck_assert_int_eq(
		send(&(struct ask){ .hex = SOLICIT CLIENT IA_NA("07"), .dst = "ff02::2" }),
		DROP_IP_PROTOCOL);
	ck_assert_uint_eq(g.env.stats.dhcp6_solicits, 0);
	dhcp6_free(NULL);
	stop();
}
END_TEST

SUITE_MAIN("dhcp6", advertise_is_exact, reply_is_exact, settings_asked_for, fqdn, rapid_commit,
	   where_replies_go, renew_and_rebind, addresses_asked_for, several_ias, confirm,
	   release, decline, validation, unicast_gives_nothing, hostile, lease_times,
	   odd_lease_times, another_client_takes_over, renewal_after_the_network_changed,
	   message_size, many_void_addresses, full_link, other_destinations)
