/* Echo relay: identifiers, errors of the network, our own replies, refusals, time. */
#include "proto/icmp.h"

#include <errno.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "wire/icmp6.h"

#define GATEWAY	  0x0a000202
#define PEER	  0xc6336402
#define KERNEL_ID 0x7777 /* what the kernel puts in the place of the guest's identifier */
#define SOCKS_MAX 64

struct sock {
	bool open;
	struct icmp_flow *flow;
	struct addr peer;
	struct host_ip ip;
	struct icmp_hdr sent; /* latest request */
	size_t sent_len, n_sent;
	int send_error_once, send_error;
	struct icmp_reply reply;
	bool has_reply;
	struct host_error error;
	bool has_error;
};

static struct fake_guest g;
static struct fake_udp udp_host;
static struct packet packet;
static struct sock socks[SOCKS_MAX];
static size_t n_socks, n_open, open_max;
static int open_error;
static unsigned n_lines;
static char line[512];

static void *sock_open(void *host, struct icmp_flow *f, const struct addr *peer, int *err)
{
	struct sock *s = &socks[n_socks];

	*err = open_error ? open_error : EMFILE;
	if (open_error || n_open == open_max)
		return NULL;
	ck_assert_uint_lt(n_socks, SOCKS_MAX);
	*s = (struct sock){ .open = true, .flow = f, .peer = *peer };
	n_socks++;
	n_open++;
	return s;
}

static void sock_close(void *sock)
{
	ck_assert(((struct sock *)sock)->open);
	((struct sock *)sock)->open = false;
	n_open--;
}

static void local(void *sock, struct endpoint *e)
{
	*e = (struct endpoint){ addr_ip4(0xcb007109), KERNEL_ID };
}

static void set_ip(void *sock, const struct host_ip *ip)
{
	((struct sock *)sock)->ip = *ip;
}

static int sock_send(void *sock, uint16_t seq, const void *payload, size_t len)
{
	struct sock *s = sock;
	int error = s->send_error_once ? s->send_error_once : s->send_error;

	s->send_error_once = 0;
	if (error)
		return -error;
	s->sent = (struct icmp_hdr){ .type = ICMP_TYPE_ECHO, .id = KERNEL_ID, .seq = seq };
	s->sent_len = len;
	s->n_sent++;
	return 0;
}

static int sock_recv(void *sock, struct icmp_reply *r)
{
	struct sock *s = sock;

	if (!s->has_reply)
		return -EAGAIN;
	s->has_reply = false;
	*r = s->reply;
	return 0;
}

static int sock_error(void *sock, struct host_error *e)
{
	struct sock *s = sock;

	if (!s->has_error)
		return -EAGAIN;
	s->has_error = false;
	*e = s->error;
	return 0;
}

static const struct icmp_host_ops ops = { sock_open, sock_close, local,	    set_ip,
					  sock_send, sock_recv,	 sock_error };

static void sink(enum log_level level, enum log_unit unit, const char *text)
{
	n_lines++;
	snprintf(line, sizeof(line), "%s", text);
}

static void begin(void)
{
	fake_guest_init(&g);
	fake_udp_init(&udp_host);
	n_socks = n_open = n_lines = 0;
	open_max = SOCKS_MAX;
	open_error = 0;
	log_set_sink(sink);
	g.env.icmp = icmp_new(&g.env, &ops, NULL);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &udp_host);
}

static void end(void)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &g.env.flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(&g.env, f, FLOW_CLOSED_SHUTDOWN);
	}
	ck_assert_uint_eq(n_open, 0);
	ck_assert_uint_eq(g.env.timers.n, 0);
	icmp_free(g.env.icmp);
	udp_free(g.env.udp);
	fake_udp_free(&udp_host);
	fake_guest_free(&g);
	log_set_sink(NULL);
}

static enum drop ping(uint32_t dst, uint16_t id, uint16_t seq, const char *text)
{
	packet_icmp(&packet, &(struct packet_ip){ .dst = dst, .ttl = 7, .tos = 0x20 },
		    &(struct icmp_hdr){ .type = ICMP_TYPE_ECHO, .id = id, .seq = seq }, text,
		    strlen(text));
	return icmp_from_guest(&g.env, &packet.pkt);
}

static void pong(size_t sock, uint16_t seq, const char *text)
{
	socks[sock].reply = (struct icmp_reply){
		.seq = seq, .ttl = 57, .len = strlen(text), .payload = (const uint8_t *)text
	};
	socks[sock].has_reply = true;
	icmp_from_host(&g.env, socks[sock].flow);
}

static struct pkt decoded(size_t i)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_int_eq(p.proto, addr_is_ip4(&p.src) ? IP_ICMP : IP_ICMP6);
	return p;
}

static uint32_t source(size_t i)
{
	struct pkt p = decoded(i);

	return addr_get_ip4(&p.src);
}

START_TEST(there_and_back_exactly)
{
	const struct fake_frame *f;

	begin();
	ck_assert_int_eq(ping(PEER, 0xbeef, 1, "ping"), DROP_NONE);
	ck_assert_uint_eq(addr_get_ip4(&socks[0].peer), PEER);
	ck_assert_uint_eq(socks[0].sent.seq, 1);
	ck_assert_uint_eq(socks[0].sent_len, 4);
	ck_assert_uint_eq(socks[0].ip.ttl, 7);
	ck_assert_uint_eq(socks[0].ip.tos, 0x20);
	pong(0, 1, "ping");
	f = fake_guest_frame(&g, 0);
	/* Ethernet: to the guest, from the gateway, IPv4
	 * IPv4: 32 bytes, TTL 57 as it came, ICMP, 198.51.100.2 to 10.0.2.15
	 * ICMP: echo reply, id 0xbeef, seq 1; "ping" */
	assert_bytes(f->data, f->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 20  00 00 00 00  39 01 4b 99  c6 33 64 02  0a 00 02 0f"
		     "00 00 62 3e  be ef 00 01  70 69 6e 67");
	ck_assert_uint_eq(g.env.stats.icmp_requests, 1);
	ck_assert_uint_eq(g.env.stats.icmp_replies, 1);
	end();
}
END_TEST

START_TEST(flows_do_not_mix)
{
	begin();
	ping(PEER, 1, 1, "a");
	ping(PEER, 2, 1, "b");
	ping(0xcb006402, 1, 1, "c"); /* same identifier, like address, other network */
	ping(PEER, 1, 2, "d");
	ck_assert_uint_eq(n_socks, 3);
	ck_assert_uint_eq(socks[0].n_sent, 2);
	pong(2, 1, "c");
	pong(1, 1, "b");
	ck_assert_uint_eq(source(0), 0xcb006402);
	ck_assert_uint_eq(decoded(0).icmp.id, 1);
	ck_assert_uint_eq(decoded(1).icmp.id, 2);
	end();
}
END_TEST

START_TEST(large_replies_come_in_fragments)
{
	static const uint8_t data[65507];
	struct pkt p;

	begin();
	ping(PEER, 1, 1, "a");
	socks[0].reply = (struct icmp_reply){ .len = sizeof(data), .payload = data };
	socks[0].has_reply = true;
	icmp_from_host(&g.env, socks[0].flow);
	ck_assert_uint_eq(g.n_frames, 45);
	ck_assert_int_eq(pkt_decode(g.frames[44].data, g.frames[44].len, &p), DROP_NONE);
	ck_assert_uint_eq(p.fragment_offset, 44 * 1480);
	g.room = 44;
	socks[0].has_reply = true;
	icmp_from_host(&g.env, socks[0].flow);
	ck_assert_uint_eq(g.env.stats.icmp_lost, 1);
	end();
}
END_TEST

START_TEST(error_of_a_router_exactly)
{
	const struct fake_frame *f;
	struct host_error *e = &socks[0].error;
	struct wr w;

	begin();
	ping(PEER, 0xbeef, 5, "ping");
	*e = (struct host_error){ .icmp.type = ICMP_TYPE_TIME_EXCEEDED,
				  .from = addr_ip4(0xcb007101) };
	w = wr_init(e->quote, sizeof(e->quote));
	write_icmp(&w, &(struct icmp_hdr){ .type = ICMP_TYPE_ECHO, .id = KERNEL_ID, .seq = 5 },
		    "ping", 4);
	e->len = wr_len(&w);
	socks[0].has_error = true;
	icmp_from_host(&g.env, socks[0].flow);
	f = fake_guest_frame(&g, 0);
	/* Ethernet; IPv4: 60 bytes, ICMP, 203.0.113.1 to 10.0.2.15
	 * ICMP: time exceeded in transit
	 * quoted IPv4: 32 bytes, TOS 0x20, TTL 1, ICMP, 10.0.2.15 to 198.51.100.2
	 * quoted ICMP: echo request with the guest's own checksum and id, seq 5; "ping" */
	assert_bytes(f->data, f->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 3c  00 00 00 00  40 01 32 b1  cb 00 71 01  0a 00 02 0f"
		     "0b 00 f4 ff  00 00 00 00"
		     "45 20 00 20  00 00 00 00  01 01 83 79  0a 00 02 0f  c6 33 64 02"
		     "08 00 5a 3a  be ef 00 05  70 69 6e 67");
	ck_assert(!memcmp(f->data + 14 + 20 + 8 + 20, packet.pkt.l4, packet.pkt.l4_len));
	ck_assert_uint_eq(g.env.stats.icmp_errors, 1);
	end();
}
END_TEST

START_TEST(short_quotes_are_ignored)
{
	begin();
	ping(PEER, 1, 1, "a");
	socks[0].error = (struct host_error){ .icmp.type = ICMP_TYPE_TIME_EXCEEDED, .len = 7 };
	socks[0].has_error = true;
	icmp_from_host(&g.env, socks[0].flow);
	ck_assert_uint_eq(g.n_frames, 0);
	end();
}
END_TEST

START_TEST(pending_error_loses_nothing)
{
	begin();
	ping(PEER, 1, 1, "a");
	socks[0].send_error_once = EHOSTUNREACH;
	ck_assert_int_eq(ping(PEER, 1, 2, "b"), DROP_NONE);
	ck_assert_uint_eq(socks[0].n_sent, 2);
	ck_assert_uint_eq(g.n_frames, 0);
	socks[0].send_error = EPERM;
	ck_assert_int_eq(ping(PEER, 1, 3, "c"), DROP_HOST_SEND);
	ck_assert_int_eq(decoded(0).icmp.code, ICMP_CODE_ADMIN_PROHIBITED);
	end();
}
END_TEST

START_TEST(forbidden_is_said_once)
{
	begin();
	open_error = EACCES;
	ck_assert_int_eq(ping(PEER, 1, 1, "a"), DROP_HOST_SOCKET);
	ck_assert_int_eq(ping(PEER, 1, 2, "a"), DROP_HOST_SOCKET);
	ck_assert_uint_eq(n_lines, 1);
	ck_assert_ptr_nonnull(strstr(line, "net.ipv4.ping_group_range"));
	ck_assert_int_eq(decoded(1).icmp.type, ICMP_TYPE_UNREACHABLE);
	ck_assert_int_eq(decoded(1).icmp.code, ICMP_CODE_ADMIN_PROHIBITED);
	ck_assert_int_eq(g.env.flows.closed[1].error, EACCES);
	/* but the gateway answers */
	ck_assert_int_eq(ping(GATEWAY, 1, 3, "a"), DROP_NONE);
	ck_assert_int_eq(decoded(2).icmp.type, ICMP_TYPE_ECHO_REPLY);
	ck_assert_uint_eq(g.env.stats.icmp_own_replies, 1);
	ck_assert_uint_eq(g.env.flows.n, 0);
	end();
}
END_TEST

START_TEST(gateway)
{
	struct pkt p;

	begin();
	ping(GATEWAY, 1, 1, "a");
	ck_assert_uint_eq(addr_get_ip4(&socks[0].peer), 0x7f000001);
	pong(0, 1, "a");
	ck_assert_uint_eq(source(0), GATEWAY);
	g.net.ip4.map_loopback_set = false;
	ping(GATEWAY, 0x1234, 9, "ping");
	ck_assert_uint_eq(n_socks, 1);
	p = decoded(1);
	ck_assert_int_eq(p.icmp.type, ICMP_TYPE_ECHO_REPLY);
	ck_assert_uint_eq(p.icmp.id, 0x1234);
	ck_assert_uint_eq(p.icmp.seq, 9);
	ck_assert_uint_eq(p.payload_len, 4);
	ck_assert(!memcmp(p.payload, "ping", 4));
	end();
}
END_TEST

START_TEST(timeout)
{
	begin();
	ping(PEER, 1, 1, "a");
	fake_guest_advance(&g, 50 * NS_PER_SEC);
	pong(0, 1, "a");
	fake_guest_advance(&g, 50 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 1);
	fake_guest_advance(&g, 11 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 0);
	ck_assert(!socks[0].open);
	end();
}
END_TEST

START_TEST(older_flows_make_room)
{
	begin();
	g.env.flows.max = 2;
	for (uint16_t id = 1; id <= 3; id++)
		ck_assert_int_eq(ping(PEER, id, 1, "a"), DROP_NONE);
	ck_assert(!socks[0].open && socks[1].open && socks[2].open);
	g.env.flows.max = 100;
	open_max = 2;
	ck_assert_int_eq(ping(PEER, 4, 1, "a"), DROP_NONE);
	ck_assert(!socks[1].open && socks[2].open && socks[3].open);
	ck_assert_uint_eq(g.env.flows.by_reason[FLOW_CLOSED_PREEMPTED], 2);
	/* none of ours to be ended: others hold the descriptors */
	fake_guest_advance(&g, 61 * NS_PER_SEC);
	open_max = 0;
	ck_assert_int_eq(ping(PEER, 5, 1, "a"), DROP_HOST_SOCKET);
	end();
}
END_TEST

/* A session that began before goes on; nothing new begins. */
START_TEST(switched_off)
{
	begin();
	ping(PEER, 1, 1, "a");
	g.conf.no_icmp = true;
	ping(PEER, 1, 2, "b");
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_NONE);
	ck_assert_uint_eq(socks[0].n_sent, 3);
	pong(0, 2, "b");
	ck_assert_uint_eq(g.n_frames, 1);
	packet_icmp(&packet, &(struct packet_ip){ .dst = PEER },
		    &(struct icmp_hdr){ .type = ICMP_TYPE_ECHO, .id = 2 }, "c", 1);
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_IP_PROTOCOL);
	ck_assert_uint_eq(g.env.flows.n, 1);
	ck_assert_int_eq(decoded(1).icmp.code, ICMP_CODE_ADMIN_PROHIBITED);
	end();
}
END_TEST

/* Many pings take neither the table nor the descriptors from other protocols. */
START_TEST(echo_sessions_make_room_for_others)
{
	begin();
	g.env.flows.max = 2;
	ping(PEER, 1, 1, "a");
	ping(PEER, 2, 1, "a");
	packet_udp(&packet, &(struct packet_ip){ 0 }, 5000, 7, "a", 1);
	ck_assert_int_eq(udp_from_guest(&g.env, &packet.pkt), DROP_NONE);
	udp_batch_end(&g.env);
	ck_assert(!socks[0].open && socks[1].open);
	ck_assert_uint_eq(g.env.flows.by_reason[FLOW_CLOSED_PREEMPTED], 1);
	end();
}
END_TEST

START_TEST(refusal_by_the_guest_ends_its_udp_flow)
{
	uint8_t quote[28];
	struct wr w = wr_init(quote, sizeof(quote));

	begin();
	packet_udp(&packet, &(struct packet_ip){ 0 }, 5000, 7, "a", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	ck_assert_uint_eq(g.env.flows.n, 1);
	ip4_encode(&w, &(struct ip4_hdr){ .total_len = 28,
					  .ttl = 64,
					  .proto = IP_UDP,
					  .src = addr_ip4(PEER),
					  .dst = addr_ip4(0x0a00020f) });
	udp_encode(&w, &(struct udp_hdr){ .sport = 7, .dport = 5000, .len = 8 });
	packet_icmp(&packet, &(struct packet_ip){ 0 },
		    &(struct icmp_hdr){ .type = ICMP_TYPE_UNREACHABLE, .code = ICMP_CODE_HOST },
		    quote, 28);
	ck_assert_int_eq(icmp_undelivered_from_guest(&g.env, &packet.pkt), DROP_NONE);
	ck_assert_uint_eq(g.env.flows.n, 1);
	packet_icmp(&packet, &(struct packet_ip){ 0 },
		    &(struct icmp_hdr){ .type = ICMP_TYPE_UNREACHABLE, .code = ICMP_CODE_PORT },
		    quote, 27);
	ck_assert_int_eq(icmp_undelivered_from_guest(&g.env, &packet.pkt), DROP_ICMP_HEADER);
	/* nobody but the address itself knows what is behind its ports */
	packet_icmp(&packet, &(struct packet_ip){ .src = 0x0a000210 },
		    &(struct icmp_hdr){ .type = ICMP_TYPE_UNREACHABLE, .code = ICMP_CODE_PORT },
		    quote, 28);
	ck_assert_int_eq(icmp_undelivered_from_guest(&g.env, &packet.pkt), DROP_NONE);
	ck_assert_uint_eq(g.env.flows.n, 1);
	packet_icmp(&packet, &(struct packet_ip){ 0 },
		    &(struct icmp_hdr){ .type = ICMP_TYPE_UNREACHABLE, .code = ICMP_CODE_PORT },
		    quote, 28);
	ck_assert_int_eq(icmp_undelivered_from_guest(&g.env, &packet.pkt), DROP_NONE);
	ck_assert_uint_eq(g.env.flows.n, 0);
	end();
}
END_TEST

START_TEST(kept_to_the_rate)
{
	const struct conf_rate rate = { .bytes = 10, .burst = 10 };

	begin();
	shaper_set(&g.env, &g.env.to_host, &rate);
	for (uint16_t seq = 1; seq <= 3; seq++) /* what passes may overdraw */
		ck_assert_int_eq(ping(0xc6336402, 7, seq, "12345678"), DROP_NONE);
	ck_assert_uint_eq(g.env.stats.icmp_over_rate_out, 1);
	fake_guest_advance(&g, NS_PER_SEC);
	ck_assert_int_eq(ping(0xc6336402, 7, 4, "12345678"), DROP_NONE);
	ck_assert_uint_eq(g.env.stats.icmp_over_rate_out, 1);
	shaper_set(&g.env, &g.env.to_guest, &rate);
	fake_guest_clear(&g);
	for (uint16_t seq = 1; seq <= 3; seq++)
		pong(0, seq, "12345678");
	ck_assert_uint_eq(g.n_frames, 2);
	ck_assert_uint_eq(g.env.stats.icmp_over_rate_in, 1);
	end();
}
END_TEST

START_TEST(not_relayed)
{
	static const uint8_t types[] = { 0, 5, 11, 13, 17, 255 };

	begin();
	for (size_t i = 0; i < sizeof(types); i++) {
		packet_icmp(&packet, &(struct packet_ip){ 0 },
			    &(struct icmp_hdr){ .type = types[i] }, "xxxx", 4);
		ck_assert_int_eq(icmp_from_guest(&g.env, &packet.pkt), DROP_ICMP_TYPE);
	}
	ck_assert_int_eq(ping(0xe0000001, 1, 1, "a"), DROP_IP_DESTINATION);
	ck_assert_int_eq(ping(0x0a0002ff, 1, 1, "a"), DROP_IP_DESTINATION);
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_uint_eq(n_socks, 0);
	end();
}
END_TEST

static struct flow *flow_of_sock(size_t i)
{
	return (struct flow *)socks[i].flow; /* its first member */
}

static enum drop ping6(const char *dst, uint16_t id, uint16_t seq, const char *text)
{
	struct packet_ip6 ip = { .dst = addr_of(dst), .hop_limit = 1, .traffic_class = 0x20 };

	packet_icmp6(&packet, &ip, &(struct icmp_hdr){ .type = ICMP6_TYPE_ECHO, .id = id, .seq = seq },
		     text, strlen(text));
	return demux_from_guest(&g.env, packet.frame, packet.len);
}

static void assert_checksum(const struct pkt *p)
{
	uint64_t sum = checksum_add_pseudo(0, &p->src, &p->dst, IP_ICMP6, (uint32_t)p->l4_len);

	ck_assert_uint_eq(checksum_finish(checksum_add(sum, p->l4, p->l4_len)), 0);
}

START_TEST(over_ip6)
{
	struct addr peer = addr_of("2001:db8:1::2");
	struct pkt p;

	begin();
	ck_assert_int_eq(ping6("2001:db8:1::2", 0xbeef, 5, "ping"), DROP_NONE);
	ck_assert(addr_eq(&socks[0].peer, &peer));
	ck_assert_uint_eq(socks[0].ip.ttl, 1);
	ck_assert_uint_eq(socks[0].ip.tos, 0x20);
	socks[0].reply = (struct icmp_reply){ .seq = 5, .ttl = 57, .tos = 3, .len = 4,
					      .payload = (const uint8_t *)"ping" };
	socks[0].has_reply = true;
	icmp_from_host(&g.env, socks[0].flow);
	p = decoded(0);
	ck_assert_uint_eq(p.proto, IP_ICMP6);
	ck_assert(addr_eq(&p.src, &peer));
	ck_assert_uint_eq(p.ttl, 57);
	ck_assert_uint_eq(p.tos, 3);
	assert_bytes(p.l4, 2, "81 00");
	assert_bytes(p.l4 + 4, p.l4_len - 4, "be ef 00 05  70 69 6e 67");
	assert_checksum(&p);
	end();
}
END_TEST

/* Whoever looks for the router of the link finds it; other groups are nobody's. */
START_TEST(all_of_the_link)
{
	static const char *const groups[] = { "ff02::1", "ff02::2" };
	struct pkt p;

	begin();
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(ping6(groups[i], 0xbeef, 5, "ping"), DROP_NONE);
		p = decoded(i);
		ck_assert(addr_eq(&p.src, &g.net.ip6.gateway));
		assert_bytes(p.l4, 2, "81 00");
		assert_bytes(p.l4 + 4, p.l4_len - 4, "be ef 00 05  70 69 6e 67");
		assert_checksum(&p);
	}
	ck_assert_int_eq(ping6("ff02::fb", 0xbeef, 5, "ping"), DROP_IP_DESTINATION);
	ck_assert_uint_eq(n_socks, 0);
	end();
}
END_TEST

/* The kernel's request had other addresses and another identifier: the guest's own is quoted. */
START_TEST(error_of_a_router_over_ip6)
{
	struct host_error *e = &socks[0].error;
	struct addr own = addr_of("2001:db8:a::2"), peer = addr_of("2001:db8:1::2");
	uint8_t sent[12] = { ICMP6_TYPE_ECHO, 0, 0, 0, 0x77, 0x77, 0, 5, 'p', 'i', 'n', 'g' };
	struct pkt p;

	begin();
	ping6("2001:db8:1::2", 0xbeef, 5, "ping");
	flow_of_sock(0)->host.addr = own;
	put_be16(sent + 2, checksum_finish(checksum_add(checksum_add_pseudo(0, &own, &peer, IP_ICMP6, 12),
							sent, 12)));
	*e = (struct host_error){ .icmp.type = ICMP6_TYPE_TIME_EXCEEDED,
				  .from = addr_of("2001:db8:a::1"),
				  .len = sizeof(sent) };
	memcpy(e->quote, sent, sizeof(sent));
	socks[0].has_error = true;
	icmp_from_host(&g.env, socks[0].flow);
	p = decoded(0);
	assert_checksum(&p);
	assert_bytes(p.l4, 2, "03 00");
	ck_assert_uint_eq(p.payload_len, packet.pkt.ip_len);
	ck_assert(!memcmp(p.payload, packet.pkt.ip, packet.pkt.ip_len));
	end();
}
END_TEST

START_TEST(refusals_over_ip6)
{
	struct pkt p;

	begin();
	open_error = ENETUNREACH;
	ck_assert_int_eq(ping6("2001:db8:1::2", 1, 1, "a"), DROP_HOST_SOCKET);
	p = decoded(0);
	ck_assert_uint_eq(p.icmp.type, ICMP6_TYPE_UNREACHABLE);
	ck_assert_uint_eq(p.icmp.code, ICMP6_CODE_NO_ROUTE);
	ck_assert(addr_eq(&p.src, &g.net.ip6.gateway));
	/* the gateway answers by itself where it is not the host */
	g.net.ip6.map_loopback_set = false;
	ck_assert_int_eq(ping6("fe80::2", 1, 1, "a"), DROP_NONE);
	p = decoded(1);
	ck_assert_uint_eq(p.icmp.type, ICMP6_TYPE_ECHO_REPLY);
	assert_checksum(&p);
	ck_assert_int_eq(ping6("ff05::1", 1, 1, "a"), DROP_IP_DESTINATION);
	end();
}
END_TEST

/* ICMP of the one family in packets of the other. */
START_TEST(families_do_not_mix)
{
	begin();
	packet_icmp6(&packet, &(struct packet_ip6){ .hop_limit = 64 },
		     &(struct icmp_hdr){ .type = ICMP6_TYPE_ECHO }, "x", 1);
	packet.frame[ETH_HEADER_LEN + 6] = IP_ICMP;
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_IP_PROTOCOL);
	packet_icmp(&packet, &(struct packet_ip){ 0 }, &(struct icmp_hdr){ .type = ICMP_TYPE_ECHO }, "x", 1);
	packet.frame[ETH_HEADER_LEN + 9] = IP_ICMP6;
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_IP_PROTOCOL);
	ck_assert_uint_eq(n_socks, 0);
	end();
}
END_TEST

/* The packet that was made, with a TTL of zero, goes no further, and the guest is told. */
static void assert_spent(size_t ttl_at, uint8_t type)
{
	const struct fake_frame *f;
	struct pkt p;

	packet.frame[ttl_at] = 0;
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_IP_TTL);
	f = fake_guest_frame(&g, g.n_frames - 1);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_int_eq(p.icmp.type, type);
	ck_assert_int_eq(p.icmp.code, ICMP_CODE_TRANSIT);
	ck_assert(!memcmp(p.payload, packet.frame + ETH_HEADER_LEN, p.payload_len));
}

/* Of whatever protocol: sockets would send them with the host's own TTL. */
START_TEST(spent_packets_are_not_relayed)
{
	static const struct icmp_hdr echo = { .type = ICMP_TYPE_ECHO }, echo6 = { .type = ICMP6_TYPE_ECHO };
	static const struct tcp_hdr syn = { .sport = 5000, .dport = 7, .flags = TCP_SYN };
	const size_t ttl_at = ETH_HEADER_LEN + 8, hop_limit_at = ETH_HEADER_LEN + 7;

	begin();
	packet_udp(&packet, &(struct packet_ip){ 0 }, 5000, 7, "hello", 5);
	assert_spent(ttl_at, ICMP_TYPE_TIME_EXCEEDED);
	packet_icmp(&packet, &(struct packet_ip){ 0 }, &echo, "hello", 5);
	assert_spent(ttl_at, ICMP_TYPE_TIME_EXCEEDED);
	packet_tcp(&packet, &(struct packet_ip){ 0 }, &syn, NULL, 0);
	assert_spent(ttl_at, ICMP_TYPE_TIME_EXCEEDED);
	packet_udp6(&packet, &(struct packet_ip6){ .hop_limit = 64 }, 5000, 7, "hello", 5);
	assert_spent(hop_limit_at, ICMP6_TYPE_TIME_EXCEEDED);
	packet_icmp6(&packet, &(struct packet_ip6){ .hop_limit = 64 }, &echo6, "hello", 5);
	assert_spent(hop_limit_at, ICMP6_TYPE_TIME_EXCEEDED);
	packet_tcp6(&packet, &(struct packet_ip6){ .hop_limit = 64 }, &syn, NULL, 0);
	assert_spent(hop_limit_at, ICMP6_TYPE_TIME_EXCEEDED);
	ck_assert_uint_eq(g.n_frames, 6);
	ck_assert_uint_eq(g.env.flows.n, 0);
	/* a group has no need to be told */
	packet_udp(&packet, &(struct packet_ip){ .dst = 0xe00000fb }, 5000, 7, "hello", 5);
	packet.frame[ttl_at] = 0;
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_IP_TTL);
	ck_assert_uint_eq(g.n_frames, 6);
	end();
}
END_TEST

SUITE_MAIN("icmp", spent_packets_are_not_relayed, over_ip6, all_of_the_link,
	   error_of_a_router_over_ip6, refusals_over_ip6, families_do_not_mix,
	   there_and_back_exactly, flows_do_not_mix, large_replies_come_in_fragments,
	   error_of_a_router_exactly, short_quotes_are_ignored, pending_error_loses_nothing,
	   forbidden_is_said_once, gateway, timeout, older_flows_make_room, switched_off,
	   echo_sessions_make_room_for_others, refusal_by_the_guest_ends_its_udp_flow,
	   kept_to_the_rate, not_relayed)
