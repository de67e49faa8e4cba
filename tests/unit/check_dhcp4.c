/* The DHCPv4 server: its replies byte for byte, every message type, every policy, hostile
 * input. */
#include "proto/dhcp4.h"

#include <stdio.h>

#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/transport.h"

#define GUEST_IP   0x0a00020f
#define GATEWAY_IP 0x0a000202
#define XID	   0x3903f326
#define LEASE	   86400

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
	g.env.dhcp4 = dhcp4_new(&g.env);
	last_log[0] = '\0';
	log_set_sink(keep_log);
}

static void stop(void)
{
	log_set_sink(NULL);
	dhcp4_free(g.env.dhcp4);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	fake_guest_free(&g);
}

/* A client's message; all that is not said is zero, or as a client without address has it. */
struct ask {
	const char *options; /* behind the cookie, hex; NULL: no cookie */
	uint32_t ciaddr, giaddr, src;
	bool broadcast;
	const struct mac *mac; /* the client; NULL: fake_guest_mac */
	const struct mac *via; /* the relay agent; NULL: the client sends itself */
	size_t len;	       /* pad to this; 0: 300 */
};

#define DISCOVER "35 01 01"
#define REQUEST	 "35 01 03"
#define DECLINE	 "35 01 04"
#define RELEASE	 "35 01 07"
#define INFORM	 "35 01 08"
#define OUR_ID	 "36 04 0a 00 02 02"
#define OTHER_ID "36 04 0a 00 02 03"
#define WANT	 "32 04 0a 00 02 0f"
#define WANT_BAD "32 04 c0 00 02 63"
#define END	 "ff"

static size_t put_ask(const struct ask *a, uint8_t buf[2048])
{
	const struct mac *mac = a->mac ? a->mac : &fake_guest_mac;
	struct wr w = wr_init(buf, 2048);
	size_t len = a->len ? a->len : 300;

	memset(buf, 0, 2048);
	wr_be32(&w, 0x01010600); /* op 1, Ethernet, 6, hops 0 */
	wr_be32(&w, XID);
	wr_be32(&w, a->broadcast ? 0x00008000 : 0); /* secs, flags */
	wr_be32(&w, a->ciaddr);
	wr_be32(&w, 0); /* yiaddr, siaddr */
	wr_be32(&w, 0);
	wr_be32(&w, a->giaddr);
	wr_bytes(&w, mac->b, MAC_LEN);
	wr_zero(&w, 10 + 64 + 128); /* rest of chaddr, sname, file */
	if (a->options) {
		wr_be32(&w, 0x63825363);
		wr_reserve(&w, from_hex(a->options, w.p, wr_left(&w)));
	}
	return wr_len(&w) > len ? wr_len(&w) : len;
}

static enum drop send(const struct ask *a)
{
	uint8_t buf[2048];
	struct pkt p = { .src = addr_ip4(a->src), .dst = addr_ip4(UINT32_MAX), .payload = buf };

	p.eth.src = a->via ? *a->via : a->mac ? *a->mac : fake_guest_mac;
	p.payload_len = put_ask(a, buf);
	fake_guest_clear(&g);
	return dhcp4_from_guest(&g.env, &p);
}

#define SEND(...) ck_assert_int_eq(send(&(struct ask){ __VA_ARGS__ }), DROP_NONE)
#define DROPPED(...)                                                                           \
	do {                                                                                   \
		ck_assert_int_eq(send(&(struct ask){ __VA_ARGS__ }), DROP_DHCP);               \
		ck_assert_uint_eq(g.n_frames, 0);                                              \
	} while (0)
#define SILENT(...)                                                                            \
	do {                                                                                   \
		SEND(__VA_ARGS__);                                                             \
		ck_assert_uint_eq(g.n_frames, 0);                                              \
	} while (0)

static struct pkt frame;
static struct dhcp4_msg answer;

/* Decodes the one reply into `frame` and `answer`. */
static void take_answer(void)
{
	const struct fake_frame *f = fake_guest_frame(&g, 0);
	struct rd r;

	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &frame), DROP_NONE);
	ck_assert_uint_eq(frame.udp.sport, 67);
	ck_assert_uint_ge(frame.payload_len, 300);
	r = rd_init(frame.payload, frame.payload_len);
	ck_assert_int_eq(dhcp4_decode(&r, &answer), 0);
	ck_assert_uint_eq(answer.hdr.op, DHCP4_BOOTREPLY);
	ck_assert_uint_eq(answer.hdr.xid, XID);
	ck_assert_uint_eq(addr_get_ip4(&frame.src), GATEWAY_IP);
	ck_assert(mac_eq(&frame.eth.src, &fake_gateway_mac));
}

/* The one reply is of this type, for this address, and went there. */
static void assert_answer(uint8_t type, uint32_t yiaddr, uint32_t dst, const struct mac *mac)
{
	take_answer();
	ck_assert_uint_eq(answer.type, type);
	ck_assert_uint_eq(addr_get_ip4(&answer.hdr.yiaddr), yiaddr);
	ck_assert_uint_eq(addr_get_ip4(&frame.dst), dst);
	ck_assert(mac_eq(&frame.eth.dst, mac));
}

static void assert_option(uint8_t code, const char *hex)
{
	size_t len;
	const uint8_t *p = dhcp4_get(&answer.options, code, &len);

	ck_assert_ptr_nonnull(p);
	assert_bytes(p, len, hex);
}

/* The codes of the options field, in order. */
static void assert_order(const char *hex)
{
	struct rd r = rd_init(frame.payload + 240, frame.payload_len - 240), value;
	uint8_t codes[256];
	size_t n = 0;

	while (dhcp4_option_next(&r, &codes[n], &value) > 0)
		n++;
	assert_bytes(codes, n, hex);
}

/* Everything that can be told. */
static void tell_all(void)
{
	struct net *n = &g.net;

	n->dns[0] = addr_ip4(0x0a000203);
	ck_assert_int_eq(addr_parse("2001:db8::53", &n->dns[1]), 0);
	n->dns[2] = addr_ip4(0xc6336435);
	n->n_dns = 3;
	strcpy(n->search[0], "eng.example.org.");
	strcpy(n->search[1], "example.org");
	n->n_search = 2;
	strcpy(n->hostname, "vm");
	strcpy(n->fqdn, "vm.example.org");
	n->ntp[0] = addr_ip4(0xcb007101);
	n->n_ntp = 1;
}

/* DISCOVER as a frame; the OFFER to it byte for byte. */
START_TEST(offer_is_exact)
{
	static uint8_t request[1024];
	uint8_t padding[300 - 236 - 44] = { 0 };
	const struct fake_frame *f;
	size_t len;

	start();
	/* Ethernet: broadcast, from the guest, IPv4
	 * IPv4: 576 bytes, TTL 64, UDP, 0.0.0.0 to 255.255.255.255
	 * UDP: 68 to 67, 556 bytes, no checksum
	 * BOOTREQUEST, Ethernet, 6, no hops; xid; 7 s, unicast; no addresses; chaddr */
	len = from_hex("ff ff ff ff ff ff  52 54 00 12 34 56  08 00"
		       "45 00 02 40  00 00 00 00  40 11 00 00  00 00 00 00  ff ff ff ff"
		       "00 44 00 43  02 2c 00 00"
		       "01 01 06 00  39 03 f3 26  00 07 00 00"
		       "00 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00"
		       "52 54 00 12 34 56  00 00 00 00 00 00 00 00 00 00",
		       request, sizeof(request));
	/* cookie; DISCOVER; wants 192.0.2.99; parameters 1, 3, 6; END */
	from_hex("63 82 53 63  35 01 01  32 04 c0 00 02 63  37 03 01 03 06  ff",
		 request + len + 192, sizeof(request) - len - 192);
	ck_assert_int_eq(demux_from_guest(&g.env, request, 14 + 576), DROP_NONE);

	f = fake_guest_frame(&g, 0);
	ck_assert_uint_eq(f->len, 14 + 20 + 8 + 300);
	/* Ethernet: to the guest, from the gateway, IPv4
	 * IPv4: 328 bytes, TTL 64, UDP, checksum, 10.0.2.2 to 10.0.2.15 */
	assert_bytes(f->data, 14 + 4,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00  45 00 01 48");
	assert_bytes(f->data + 22, 2, "40 11");
	assert_bytes(f->data + 26, 8, "0a 00 02 02  0a 00 02 0f");
	/* UDP: 67 to 68, 308 bytes */
	assert_bytes(f->data + 34, 6, "00 43 00 44  01 34");
	/* BOOTREPLY, Ethernet, 6, no hops; xid; secs 0, unicast
	 * ciaddr 0, yiaddr 10.0.2.15, siaddr 0, giaddr 0; chaddr */
	assert_bytes(f->data + 42, 44,
		     "02 01 06 00  39 03 f3 26  00 00 00 00"
		     "00 00 00 00  0a 00 02 0f  00 00 00 00  00 00 00 00"
		     "52 54 00 12 34 56  00 00 00 00 00 00 00 00 00 00");
	/* cookie; 53 OFFER; asked for: 1 255.255.255.0, 3 10.0.2.2, (6: none known)
	 * 54 10.0.2.2; 51 86400 s; 58 43200 s; 59 75600 s; END */
	assert_bytes(
		f->data + 42 + 236, 44,
		"63 82 53 63  35 01 02  01 04 ff ff ff 00  03 04 0a 00 02 02"
		"36 04 0a 00 02 02  33 04 00 01 51 80  3a 04 00 00 a8 c0  3b 04 00 01 27 50"
		"ff");
	ck_assert(!memcmp(f->data + 42 + 236 + 44, padding, sizeof(padding)));
	ck_assert_uint_eq(g.env.stats.dhcp_discovers, 1);
	ck_assert_uint_eq(g.env.stats.dhcp_offers, 1);
	ck_assert_ptr_null(dhcp4_get_lease(&g.env)); /* an offer is no lease */
	ck_assert(!g.env.guest.addr_known);
	stop();
}
END_TEST

/* Without a parameter list everything is told. */
START_TEST(ack_is_exact)
{
	start();
	tell_all();
	SEND(.options = REQUEST OUR_ID WANT "3d 07 01 52 54 00 12 34 56" END);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &fake_guest_mac);
	/* 53 ACK; 54 10.0.2.2; 51 86400 s; 61 as sent; 1 255.255.255.0; 3 10.0.2.2
	 * 121 default by 10.0.2.2; 6 10.0.2.3 and 198.51.100.53, not the IPv6 one
	 * 26 1500; 58 43200 s; 59 75600 s; 28 10.0.2.255; 12 "vm"; 15 "eng.example.org"
	 * 81 N and E, RCODEs, vm.example.org; 42 203.0.113.1
	 * 119 eng.example.org and a pointer to example.org in it */
	assert_bytes(frame.payload + 236, frame.payload_len - 236,
		     "63 82 53 63  35 01 05  36 04 0a 00 02 02  33 04 00 01 51 80"
		     "3d 07 01 52 54 00 12 34 56  01 04 ff ff ff 00  03 04 0a 00 02 02"
		     "79 05 00 0a 00 02 02  06 08 0a 00 02 03 c6 33 64 35"
		     "1a 02 05 dc  3a 04 00 00 a8 c0  3b 04 00 01 27 50  1c 04 0a 00 02 ff"
		     "0c 02 76 6d  0f 0f 65 6e 67 2e 65 78 61 6d 70 6c 65 2e 6f 72 67"
		     "51 13 0c ff ff 02 76 6d 07 65 78 61 6d 70 6c 65 03 6f 72 67 00"
		     "2a 04 cb 00 71 01"
		     "77 13 03 65 6e 67 07 65 78 61 6d 70 6c 65 03 6f 72 67 00 c0 04  ff");
	ck_assert_uint_eq(g.env.stats.dhcp_requests, 1);
	ck_assert_uint_eq(g.env.stats.dhcp_acks, 1);
	ck_assert(g.env.guest.addr_known);
	ck_assert_uint_eq(addr_get_ip4(&g.env.guest.addr), GUEST_IP);
	stop();
}
END_TEST

/* The list's order, each once, unknown codes skipped; what nobody asked for is not sent. */
START_TEST(parameter_list_is_honoured)
{
	start();
	tell_all();
	SEND(.options = DISCOVER "37 09 77 03 03 fc 06 35 01 79 33" END);
	take_answer();
	assert_order("35  77 03 06 01 79 33  36 3a 3b");
	/* an empty list: what is always sent, no more */
	SEND(.options = DISCOVER "37 00" END);
	take_answer();
	assert_order("35 36 33 01 3a 3b");
	/* a list in two pieces */
	SEND(.options = DISCOVER "37 01 06  37 01 03" END);
	take_answer();
	assert_order("35  06 03  36 33 01 3a 3b");
	/* INFORM, NAK and BOOTP have no lease whatever is asked for */
	SEND(.options = INFORM "37 04 33 3a 3b 06" END, .ciaddr = GUEST_IP);
	take_answer();
	assert_order("35  06  36 01");
	SEND(.options = REQUEST WANT_BAD "37 04 33 3a 01 06" END);
	take_answer();
	assert_order("35  36 38");
	SEND(.options = "37 04 33 35 06 01" END);
	take_answer();
	assert_order("06 01");
	stop();
}
END_TEST

START_TEST(settings_that_silence_options)
{
	start();
	tell_all();
	g.conf.no_dhcp_dns = true;
	g.conf.no_dhcp_search = true;
	g.net.tell_mtu = false;
	g.net.n_ntp = 0;
	g.net.hostname[0] = g.net.fqdn[0] = '\0';
	g.net.ip4.prefix_len = 32; /* no broadcast address; the gateway is off this link */
	g.conf.timeouts.dhcp_lease = UINT32_MAX; /* for ever: nothing to renew */
	SEND(.options = DISCOVER END);
	take_answer();
	assert_order("35 36 33 01 03 79");
	assert_option(DHCP4_OPT_SUBNET_MASK, "ff ff ff ff");
	assert_option(DHCP4_OPT_LEASE_TIME, "ff ff ff ff");
	/* 10.0.2.2/32 on this link, then the default route by it (RFC 3442) */
	assert_option(DHCP4_OPT_ROUTES, "20 0a 00 02 02 00 00 00 00  00 0a 00 02 02");
	g.conf.no_dhcp = true;
	DROPPED(.options = DISCOVER END);
	stop();
}
END_TEST

/* RFC 4702: the client's form of the name, its S refused, always with N. */
START_TEST(fqdn)
{
	start();
	tell_all();
	/* not in the parameter list, but sent: text, S */
	SEND(.options = DISCOVER "37 01 01  51 03 01 00 00" END);
	take_answer();
	assert_option(DHCP4_OPT_FQDN, "0a ff ff 76 6d 2e 65 78 61 6d 70 6c 65 2e 6f 72 67");
	SEND(.options = DISCOVER "37 01 01  51 03 05 00 00" END);
	take_answer();
	assert_option(DHCP4_OPT_FQDN,
		      "0e ff ff 02 76 6d 07 65 78 61 6d 70 6c 65 03 6f 72 67 00");
	SEND(.options = DISCOVER "37 01 01" END);
	take_answer();
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_FQDN));
	/* no name to give */
	g.net.fqdn[0] = '\0';
	SEND(.options = DISCOVER "37 01 01  51 03 05 00 00" END);
	take_answer();
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_FQDN));
	stop();
}
END_TEST

/* RFC 4039: an ACK at once, option 80 in it; the lease stands. */
START_TEST(rapid_commit)
{
	start();
	SEND(.options = DISCOVER "50 00" END);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &fake_guest_mac);
	assert_option(DHCP4_OPT_RAPID_COMMIT, "");
	ck_assert_ptr_nonnull(dhcp4_get_lease(&g.env));
	/* not in an answer to a REQUEST */
	SEND(.options = REQUEST WANT "50 00" END);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &fake_guest_mac);
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_RAPID_COMMIT));
	stop();
}
END_TEST

/* RFC 2131 4.1: to ciaddr; else to everybody if the client says so; else to yiaddr. */
START_TEST(where_replies_go)
{
	start();
	SEND(.options = DISCOVER END, .broadcast = true);
	assert_answer(DHCP4_OFFER, GUEST_IP, UINT32_MAX, &MAC_BROADCAST);
	ck_assert_uint_eq(frame.udp.dport, 68);
	ck_assert(answer.hdr.broadcast);
	SEND(.options = REQUEST END, .ciaddr = GUEST_IP, .broadcast = true);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &fake_guest_mac);
	ck_assert_uint_eq(addr_get_ip4(&answer.hdr.ciaddr), GUEST_IP);
	/* the hardware address is the client's word, not the frame's */
	SEND(.options = DISCOVER END, .mac = &other_mac);
	assert_answer(DHCP4_OFFER, GUEST_IP, GUEST_IP, &other_mac);
	stop();
}
END_TEST

/* A relay agent on this link is answered at port 67; one elsewhere has no address here. */
START_TEST(relay_agents)
{
	start();
	SEND(.options = DISCOVER END, .giaddr = 0x0a000263, .broadcast = true,
	     .via = &other_mac);
	assert_answer(DHCP4_OFFER, GUEST_IP, 0x0a000263, &other_mac);
	ck_assert_uint_eq(frame.udp.dport, 67);
	ck_assert_uint_eq(addr_get_ip4(&answer.hdr.giaddr), 0x0a000263);
	/* a NAK asks the relay to broadcast it (RFC 2131 4.3.2) */
	SEND(.options = REQUEST WANT_BAD END, .giaddr = 0x0a000263);
	assert_answer(DHCP4_NAK, 0, 0x0a000263, &fake_guest_mac);
	ck_assert(answer.hdr.broadcast);
	DROPPED(.options = DISCOVER END, .giaddr = 0xc0a87a01);
	stop();
}
END_TEST

/* RFC 2131 4.3.2: each state's REQUEST for the right and for a wrong address. */
START_TEST(requests)
{
	start();
	/* SELECTING */
	SEND(.options = REQUEST OUR_ID WANT END);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &fake_guest_mac);
	SEND(.options = REQUEST OUR_ID WANT_BAD END);
	assert_answer(DHCP4_NAK, 0, UINT32_MAX, &MAC_BROADCAST);
	SILENT(.options = REQUEST OTHER_ID WANT END);
	SILENT(.options = REQUEST "36 03 0a 00 02" WANT END);
	/* INIT-REBOOT, known or not */
	SEND(.options = REQUEST WANT END, .mac = &other_mac);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &other_mac);
	SEND(.options = REQUEST WANT_BAD END);
	assert_answer(DHCP4_NAK, 0, UINT32_MAX, &MAC_BROADCAST);
	/* RENEWING, REBINDING */
	SEND(.options = REQUEST END, .ciaddr = GUEST_IP);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &fake_guest_mac);
	SEND(.options = REQUEST END, .ciaddr = 0xc0000263);
	assert_answer(DHCP4_NAK, 0, UINT32_MAX, &MAC_BROADCAST);
	/* no address at all */
	SEND(.options = REQUEST OUR_ID END);
	assert_answer(DHCP4_NAK, 0, UINT32_MAX, &MAC_BROADCAST);
	ck_assert_uint_eq(g.env.stats.dhcp_naks, 4);
	ck_assert_uint_eq(g.env.stats.dhcp_requests, 9);
	stop();
}
END_TEST

START_TEST(nak_is_exact)
{
	start();
	tell_all();
	SEND(.options = REQUEST WANT_BAD "3d 02 00 61" END, .ciaddr = 0xc0000263);
	assert_answer(DHCP4_NAK, 0, UINT32_MAX, &MAC_BROADCAST);
	ck_assert_uint_eq(addr_get_ip4(&answer.hdr.ciaddr), 0);
	/* 53 NAK; 54 10.0.2.2; 61 as sent; 56 the reason; END */
	assert_bytes(frame.payload + 236, 4 + 3 + 6 + 4 + 29 + 1,
		     "63 82 53 63  35 01 06  36 04 0a 00 02 02  3d 02 00 61"
		     "38 1b 6e 6f 74 20 61 6e 20 61 64 64 72 65 73 73 20 6f 66 20 74 68 69 73"
		     "20 6c 69 6e 6b  ff");
	ck_assert_ptr_null(dhcp4_get_lease(&g.env));
	stop();
}
END_TEST

/* The address of the guest's network changed: the next renewal is told so. */
START_TEST(renewal_after_the_network_changed)
{
	start();
	SEND(.options = REQUEST WANT END);
	g.net.ip4.guest = addr_ip4(0xc6336402);
	SEND(.options = REQUEST END, .ciaddr = GUEST_IP);
	assert_answer(DHCP4_NAK, 0, UINT32_MAX, &MAC_BROADCAST);
	SEND(.options = DISCOVER END);
	assert_answer(DHCP4_OFFER, 0xc6336402, 0xc6336402, &fake_guest_mac);
	ck_assert_uint_eq(addr_get_ip4(&dhcp4_get_lease(&g.env)->addr), GUEST_IP);
	fake_guest_advance(&g, NS_PER_SEC);
	SEND(.options = REQUEST "32 04 c6 33 64 02" END);
	ck_assert_uint_eq(addr_get_ip4(&dhcp4_get_lease(&g.env)->addr), 0xc6336402);
	ck_assert_uint_eq(dhcp4_get_lease(&g.env)->since_ns, g.env.now_ns);
	stop();
}
END_TEST

/* ... which asks the server where it was, and by its old name. */
START_TEST(renewal_after_the_gateway_changed)
{
	static struct packet renewal;
	const struct fake_frame *nak;
	uint8_t bytes[300] = { 1, 1, 6, 0 };
	struct addr old = addr_ip4(GATEWAY_IP), now = addr_ip4(0xc6336401);

	start();
	SEND(.options = REQUEST WANT END);
	g.net.ip4.guest = addr_ip4(0xc6336402);
	g.net.ip4.gateway = now;
	ck_assert(dhcp4_is_server(&g.env, &old) && dhcp4_is_server(&g.env, &now));
	put_be32(bytes + 12, GUEST_IP); /* ciaddr */
	memcpy(bytes + 28, fake_guest_mac.b, MAC_LEN);
	from_hex("63 82 53 63" REQUEST END, bytes + 236, sizeof(bytes) - 236);
	packet_udp(&renewal, &(struct packet_ip){ .dst = GATEWAY_IP }, 68, 67, bytes, sizeof(bytes));
	fake_guest_clear(&g);
	ck_assert_int_eq(transport_from_guest(&g.env, &renewal.pkt), DROP_NONE);
	ck_assert_uint_eq(g.env.stats.dhcp_naks, 1);
	/* from the server that it knows, whose refusals alone count for some clients */
	nak = fake_guest_frame(&g, 0);
	assert_bytes(nak->data + 14 + 12, 8, "0a 00 02 02 ff ff ff ff");
	assert_bytes(nak->data + 14 + 28 + 236, 4 + 3 + 6, "63 82 53 63  35 01 06  36 04 0a 00 02 02");
	/* and one that was offered an address since knows the new one */
	SEND(.options = REQUEST "36 04 c6 33 64 01" WANT END);
	nak = fake_guest_frame(&g, 0);
	assert_bytes(nak->data + 14 + 12, 8, "c6 33 64 01 ff ff ff ff");
	assert_bytes(nak->data + 14 + 28 + 236, 4 + 3 + 6,
		     "63 82 53 63  35 01 06  36 04 c6 33 64 01");
	fake_guest_clear(&g);
	SILENT(.options = RELEASE OUR_ID END, .ciaddr = GUEST_IP);
	ck_assert_ptr_null(dhcp4_get_lease(&g.env));
	ck_assert(!dhcp4_is_server(&g.env, &old));
	stop();
}
END_TEST

/* RFC 2131 4.3.5: settings, no address, no lease. */
START_TEST(inform)
{
	start();
	tell_all();
	SEND(.options = INFORM END, .ciaddr = 0xc0000205, .src = 0xc0000205);
	assert_answer(DHCP4_ACK, 0, 0xc0000205, &fake_guest_mac);
	ck_assert_uint_eq(addr_get_ip4(&answer.hdr.ciaddr), 0xc0000205);
	assert_order("35 36 01 03 79 06 1a 1c 0c 0f 51 2a 77");
	/* ciaddr forgotten: where it came from; else to everybody */
	SEND(.options = INFORM END, .src = 0x0a000220);
	assert_answer(DHCP4_ACK, 0, 0x0a000220, &fake_guest_mac);
	SEND(.options = INFORM END);
	assert_answer(DHCP4_ACK, 0, UINT32_MAX, &MAC_BROADCAST);
	ck_assert_ptr_null(dhcp4_get_lease(&g.env));
	ck_assert(!g.env.guest.addr_known);
	ck_assert_uint_eq(g.env.stats.dhcp_informs, 3);
	ck_assert_uint_eq(g.env.stats.dhcp_acks, 3);
	stop();
}
END_TEST

START_TEST(decline)
{
	start();
	SEND(.options = REQUEST WANT END);
	/* not ours to judge: another server, another address, none; another client */
	SILENT(.options = DECLINE OTHER_ID WANT END);
	SILENT(.options = DECLINE OUR_ID WANT_BAD END);
	SILENT(.options = DECLINE OUR_ID END);
	ck_assert_ptr_null(strstr(last_log, "declined"));
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	SILENT(.options = DECLINE OUR_ID WANT END, .mac = &other_mac);
	ck_assert_ptr_nonnull(dhcp4_get_lease(&g.env));
	ck_assert_str_eq(last_log,
			 "10.0.2.15 declined by 52:54:00:00:00:01: in use on the guest's side");
	SILENT(.options = DECLINE OUR_ID WANT END);
	ck_assert_ptr_null(dhcp4_get_lease(&g.env));
	ck_assert_uint_eq(g.env.stats.dhcp_declines, 5);
	/* there is no other address to give */
	SEND(.options = DISCOVER END);
	assert_answer(DHCP4_OFFER, GUEST_IP, GUEST_IP, &fake_guest_mac);
	stop();
}
END_TEST

START_TEST(release)
{
	start();
	SILENT(.options = RELEASE OUR_ID END, .ciaddr = GUEST_IP);
	SEND(.options = REQUEST WANT "3d 02 00 61" END);
	/* another server, another address, another identifier, another MAC */
	SILENT(.options = RELEASE OTHER_ID "3d 02 00 61" END, .ciaddr = GUEST_IP);
	SILENT(.options = RELEASE OUR_ID "3d 02 00 61" END, .ciaddr = 0x0a000210);
	SILENT(.options = RELEASE OUR_ID "3d 02 00 62" END, .ciaddr = GUEST_IP);
	SILENT(.options = RELEASE OUR_ID END, .ciaddr = GUEST_IP, .mac = &other_mac);
	ck_assert_ptr_nonnull(dhcp4_get_lease(&g.env));
	SILENT(.options = RELEASE OUR_ID "3d 02 00 61" END, .ciaddr = GUEST_IP);
	ck_assert_ptr_null(dhcp4_get_lease(&g.env));
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	ck_assert_uint_eq(g.env.stats.dhcp_releases, 6);
	stop();
}
END_TEST

/* RFC 951, 1534: no option 53, an address without end, no message longer than the client's. */
START_TEST(bootp)
{
	const struct lease *l;

	start();
	tell_all();
	SEND(.options = NULL);
	assert_answer(DHCP4_BOOTP, GUEST_IP, GUEST_IP, &fake_guest_mac);
	ck_assert_uint_eq(addr_get_ip4(&answer.hdr.siaddr), GATEWAY_IP);
	/* 64 bytes: 1, 3, 121, 6, 26, 28, 12, 42; no room for 15 and 119 */
	ck_assert_uint_eq(frame.payload_len, 300);
	assert_bytes(
		frame.payload + 236, 4 + 49 + 1,
		"63 82 53 63  01 04 ff ff ff 00  03 04 0a 00 02 02  79 05 00 0a 00 02 02"
		"06 08 0a 00 02 03 c6 33 64 35  1a 02 05 dc  1c 04 0a 00 02 ff  0c 02 76 6d"
		"2a 04 cb 00 71 01  ff");
	ck_assert_uint_eq(g.env.stats.dhcp_left_out, 2);
	l = dhcp4_get_lease(&g.env);
	ck_assert_ptr_nonnull(l);
	ck_assert_uint_eq(l->expiry_ns, TIMERQ_NEVER);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	/* a longer request, with a cookie */
	SEND(.options = END, .len = 548);
	assert_answer(DHCP4_BOOTP, GUEST_IP, GUEST_IP, &fake_guest_mac);
	assert_order("01 03 79 06 1a 1c 0c 0f 2a 77");
	/* one that has its address only wants the rest */
	SEND(.options = END, .ciaddr = 0xc0000205);
	assert_answer(DHCP4_BOOTP, 0, 0xc0000205, &fake_guest_mac);
	ck_assert_uint_eq(g.env.stats.dhcp_bootp_requests, 3);
	ck_assert_uint_eq(g.env.stats.dhcp_bootp_replies, 3);
	ck_assert_uint_eq(l->n_granted, 2);
	stop();
}
END_TEST

/* T1 at a half, T2 at seven eighths, the end; each renewal begins anew. */
START_TEST(lease_times)
{
	const uint64_t t0 = 1000 * NS_PER_SEC;
	const struct lease *l;

	start();
	ck_assert_ptr_null(dhcp4_get_lease(&g.env));
	SEND(.options = REQUEST WANT "3d 02 00 61  0c 05 76 6d 2e 01 78" END);
	l = dhcp4_get_lease(&g.env);
	ck_assert_ptr_nonnull(l);
	ck_assert_uint_eq(addr_get_ip4(&l->addr), GUEST_IP);
	ck_assert(mac_eq(&l->client.mac, &fake_guest_mac));
	assert_bytes(l->client.id, l->client.id_len, "00 61");
	ck_assert_str_eq(l->client.hostname, "vm.?x");
	ck_assert_uint_eq(l->since_ns, t0);
	ck_assert_uint_eq(l->granted_ns, t0);
	ck_assert_uint_eq(l->renew_ns, t0 + 43200 * NS_PER_SEC);
	ck_assert_uint_eq(l->rebind_ns, t0 + 75600 * NS_PER_SEC);
	ck_assert_uint_eq(l->expiry_ns, t0 + 86400 * NS_PER_SEC);
	ck_assert_int_eq(lease_state(l, g.env.now_ns), LEASE_BOUND);
	ck_assert_str_eq(last_log, "10.0.2.15 leased to 52:54:00:12:34:56 (vm.?x) for 86400 s");

	fake_guest_advance(&g, 43200 * NS_PER_SEC);
	ck_assert_int_eq(lease_state(l, g.env.now_ns), LEASE_RENEWING);
	SEND(.options = REQUEST "3d 02 00 61" END, .ciaddr = GUEST_IP);
	ck_assert_int_eq(lease_state(l, g.env.now_ns), LEASE_BOUND);
	ck_assert_uint_eq(l->since_ns, t0);
	ck_assert_uint_eq(l->granted_ns, t0 + 43200 * NS_PER_SEC);
	ck_assert_uint_eq(l->n_granted, 2);

	/* the first lease's end passes without effect */
	fake_guest_advance(&g, 75600 * NS_PER_SEC - 1);
	ck_assert_int_eq(lease_state(l, g.env.now_ns), LEASE_RENEWING);
	fake_guest_advance(&g, 1);
	ck_assert_int_eq(lease_state(l, g.env.now_ns), LEASE_REBINDING);
	fake_guest_advance(&g, 10800 * NS_PER_SEC - 1);
	ck_assert_ptr_nonnull(dhcp4_get_lease(&g.env));
	g.env.now_ns++; /* nobody sees it any more, though the timer has not fired yet */
	ck_assert_ptr_null(dhcp4_get_lease(&g.env));
	fake_guest_advance(&g, 0);
	ck_assert_str_eq(last_log, "lease of 10.0.2.15 by 52:54:00:12:34:56 expired");
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);

	/* a new lease counts from the start */
	SEND(.options = REQUEST WANT END);
	l = dhcp4_get_lease(&g.env);
	ck_assert_ptr_nonnull(l);
	ck_assert_uint_eq(l->n_granted, 1);
	ck_assert_uint_eq(l->since_ns, g.env.now_ns);
	stop();
}
END_TEST

START_TEST(another_client_takes_over)
{
	const struct lease *l;

	start();
	SEND(.options = REQUEST WANT "3d 02 00 61" END);
	fake_guest_advance(&g, 5 * NS_PER_SEC);
	/* an offer to another leaves the lease where it is */
	SEND(.options = DISCOVER END, .mac = &other_mac);
	assert_answer(DHCP4_OFFER, GUEST_IP, GUEST_IP, &other_mac);
	l = dhcp4_get_lease(&g.env);
	ck_assert(mac_eq(&l->client.mac, &fake_guest_mac));
	SEND(.options = REQUEST OUR_ID WANT END, .mac = &other_mac);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &other_mac);
	ck_assert(mac_eq(&l->client.mac, &other_mac));
	ck_assert_uint_eq(l->n_granted, 1);
	ck_assert_str_eq(last_log, "10.0.2.15 leased to 52:54:00:00:00:01 () for 86400 s, "
				   "taken over from 52:54:00:12:34:56");
	/* the same MAC with an identifier of its own: firmware, then the system */
	SEND(.options = REQUEST OUR_ID WANT "3d 02 00 62" END, .mac = &other_mac);
	ck_assert_uint_eq(l->n_granted, 2);
	SEND(.options = REQUEST OUR_ID WANT "3d 02 00 63" END, .mac = &other_mac);
	ck_assert_uint_eq(l->n_granted, 1);
	stop();
}
END_TEST

/* RFC 4702: a client that sends its name only as option 81. */
START_TEST(hostname_from_fqdn)
{
	start();
	SEND(.options = REQUEST WANT "51 06 05 00 00 02 76 6d" END);
	ck_assert_str_eq(dhcp4_get_lease(&g.env)->client.hostname, "vm");
	/* option 12 goes first; its terminating zero is none of the name */
	SEND(.options = REQUEST WANT "51 06 05 00 00 02 76 6d  0c 03 62 6f 00" END);
	ck_assert_str_eq(dhcp4_get_lease(&g.env)->client.hostname, "bo");
	stop();
}
END_TEST

/* Fills the search list with `n` names of 240 bytes that share nothing. */
static void long_search(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *p = g.net.search[i];

		for (unsigned k = 0; k < 4; k++)
			p += sprintf(p, "%c%u%057u%s", 'a' + i, k, k, k < 3 ? "." : "");
	}
	g.net.n_search = n;
}

/* RFC 2132 9.10: 576 bytes with IP and UDP unless the client takes more; where overload does
 * not suffice, the more important options have the room. */
START_TEST(message_size)
{
	start();
	tell_all();
	/* 309 bytes of options with END: one too many, so that one goes into file */
	memset(g.net.hostname, 'h', 185);
	strcpy(g.net.search[0], "example.net");
	g.net.n_search = 1;
	SEND(.options = DISCOVER END);
	take_answer();
	ck_assert(dhcp4_has(&answer.options, DHCP4_OPT_OVERLOAD));
	ck_assert_uint_eq(answer.options.span[DHCP4_OPT_SEARCH].len, 13);
	ck_assert_uint_eq(g.env.stats.dhcp_left_out, 0);
	/* 241 bytes fit no field, 240 as option 15 do not either; what is behind them does */
	long_search(1);
	SEND(.options = DISCOVER END);
	take_answer();
	ck_assert_uint_le(frame.payload_len, 548);
	ck_assert(dhcp4_has(&answer.options, DHCP4_OPT_NTP));
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_DOMAIN));
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_SEARCH));
	ck_assert_uint_eq(g.env.stats.dhcp_left_out, 2);
	/* an impossible 57 says nothing */
	SEND(.options = DISCOVER "39 02 01 00" END);
	take_answer();
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_SEARCH));
	SEND(.options = DISCOVER "39 02 05 dc" END);
	take_answer();
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_OVERLOAD));
	ck_assert_uint_eq(answer.options.span[DHCP4_OPT_SEARCH].len, 241);
	/* 1472 bytes and no more, whatever the client takes; 119 in pieces over two fields */
	g.net.hostname[2] = '\0';
	long_search(6);
	SEND(.options = DISCOVER "39 02 ff ff" END);
	take_answer();
	ck_assert_uint_le(frame.payload_len, 1472);
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_SEARCH));
	long_search(4);
	SEND(.options = DISCOVER "39 02 ff ff" END);
	take_answer();
	ck_assert_uint_eq(answer.options.span[DHCP4_OPT_SEARCH].len, 4 * 241);
	assert_option(DHCP4_OPT_OVERLOAD, "01");
	/* no larger than the guest's MTU lets through in one piece */
	g.net.mtu = 1280;
	SEND(.options = DISCOVER "39 02 05 dc" END);
	take_answer();
	ck_assert_uint_le(frame.ip_len, 1280);
	/* an MTU that no DHCP message fits is told in one piece nevertheless */
	g.net.mtu = 68;
	SEND(.options = DISCOVER END);
	take_answer();
	assert_option(DHCP4_OPT_MTU, "00 44");
	ck_assert(frame.dont_fragment);
	stop();
}
END_TEST

/* A reply that the link has no room for was not given: no lease, no count. */
START_TEST(full_link)
{
	start();
	g.room = 0;
	SILENT(.options = REQUEST WANT END);
	ck_assert_ptr_null(dhcp4_get_lease(&g.env));
	ck_assert_uint_eq(g.env.stats.dhcp_acks, 0);
	ck_assert_uint_eq(g.env.stats.dhcp_requests, 1);
	stop();
}
END_TEST

static enum drop send_patched(size_t offset, uint8_t value, size_t cut)
{
	uint8_t buf[2048];
	struct pkt p = { .payload = buf };

	p.payload_len = put_ask(&(struct ask){ .options = DISCOVER END }, buf) - cut;
	buf[offset] = value;
	return dhcp4_from_guest(&g.env, &p);
}

START_TEST(hostile)
{
	uint8_t empty = 0;
	struct pkt p = { .payload = &empty };

	start();
	ck_assert_int_eq(dhcp4_from_guest(&g.env, &p), DROP_DHCP);
	/* a reply; another hardware; addresses of 0, 7 and 17 bytes; half a message */
	ck_assert_int_eq(send_patched(0, 2, 0), DROP_DHCP);
	ck_assert_int_eq(send_patched(1, 6, 0), DROP_DHCP);
	ck_assert_int_eq(send_patched(2, 0, 0), DROP_DHCP);
	ck_assert_int_eq(send_patched(2, 7, 0), DROP_DHCP);
	ck_assert_int_eq(send_patched(2, 17, 0), DROP_DHCP);
	ck_assert_int_eq(send_patched(3, 0, 100), DROP_DHCP);
	/* types of servers, of none, of later standards */
	DROPPED(.options = "35 01 02" END);
	DROPPED(.options = "35 01 05" END);
	DROPPED(.options = "35 01 06" END);
	DROPPED(.options = "35 01 00" END);
	DROPPED(.options = "35 01 0a" END);
	DROPPED(.options = "35 01 ff" END);
	/* truncated option, overload of nonsense */
	DROPPED(.options = DISCOVER "34 01 09" END);
	DROPPED(.options = DISCOVER "0c ff 61", .len = 260);
	/* options that make no sense are as good as absent */
	SEND(.options = REQUEST "32 03 0a 00 02" END, .ciaddr = GUEST_IP);
	assert_answer(DHCP4_ACK, GUEST_IP, GUEST_IP, &fake_guest_mac);
	SEND(.options = DISCOVER "39 01 05  3d 00  51 01 00  0c 00" END);
	assert_answer(DHCP4_OFFER, GUEST_IP, GUEST_IP, &fake_guest_mac);
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_CLIENT_ID));
	stop();
}
END_TEST

/* An identifier of 255 bytes comes back; the longest is still 576 bytes with all that must be
 * in the message.  One of 256 is none. */
START_TEST(longest_client_id)
{
	char options[3000] = DISCOVER "3d ff";
	struct ask a = { .options = options, .len = 1000 };
	size_t len;

	start();
	tell_all();
	for (int i = 0; i < 255; i++)
		strcat(options, "61");
	ck_assert_int_eq(send(&a), DROP_NONE);
	assert_answer(DHCP4_OFFER, GUEST_IP, GUEST_IP, &fake_guest_mac);
	ck_assert_ptr_nonnull(dhcp4_get(&answer.options, DHCP4_OPT_CLIENT_ID, &len));
	ck_assert_uint_eq(len, 255);
	ck_assert(dhcp4_has(&answer.options, DHCP4_OPT_DNS));
	ck_assert_uint_le(frame.payload_len, 548);
	strcat(options, "3d 01 61");
	ck_assert_int_eq(send(&a), DROP_NONE);
	take_answer();
	ck_assert(!dhcp4_has(&answer.options, DHCP4_OPT_CLIENT_ID));
	memcpy(options, REQUEST, strlen(REQUEST));
	strcat(options, WANT);
	ck_assert_int_eq(send(&a), DROP_NONE);
	ck_assert_uint_eq(dhcp4_get_lease(&g.env)->client.id_len, 0);
	stop();
}
END_TEST

START_TEST(names_of_states)
{
	ck_assert_str_eq(lease_state_name(LEASE_NONE), "none");
	ck_assert_str_eq(lease_state_name(LEASE_REBINDING), "rebinding");
	dhcp4_free(NULL);
}
END_TEST

SUITE_MAIN("dhcp4", offer_is_exact, ack_is_exact, parameter_list_is_honoured,
	   settings_that_silence_options, fqdn, rapid_commit, where_replies_go, relay_agents,
	   requests, nak_is_exact, renewal_after_the_network_changed, renewal_after_the_gateway_changed,
	   inform, decline, release,
	   bootp, lease_times, another_client_takes_over, hostname_from_fqdn, message_size,
	   full_link, hostile, longest_client_id, names_of_states)
