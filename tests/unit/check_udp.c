/* The UDP relay: addresses and bytes both ways, batches, errors, queues, limits, time. */
#include "proto/udp.h"

#include <errno.h>

#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/icmp.h"
#include "wire/icmp6.h"

#define GATEWAY 0x0a000202
#define PEER	0xc6336402 /* 198.51.100.2 */

static struct fake_guest g;
static struct fake_udp host;
static struct packet packet;

static void begin(void)
{
	fake_guest_init(&g);
	fake_udp_init(&host);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &host);
	ck_assert_ptr_nonnull(g.env.udp);
}

static void end(void)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &g.env.flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(&g.env, f, FLOW_CLOSED_SHUTDOWN);
	}
	ck_assert_uint_eq(g.env.timers.n, 0);
	udp_free(g.env.udp);
	fake_udp_free(&host);
	fake_guest_free(&g);
}

static enum drop guest_sends(uint32_t dst, uint16_t sport, uint16_t dport, const void *data,
			     size_t len)
{
	packet_udp(&packet, &(struct packet_ip){ .dst = dst }, sport, dport, data, len);
	return udp_from_guest(&g.env, &packet.pkt);
}

/* A batch of one short datagram. */
static enum drop guest_says(uint32_t dst, uint16_t sport, uint16_t dport, const char *text)
{
	enum drop reason = guest_sends(dst, sport, dport, text, strlen(text));

	udp_batch_end(&g.env);
	return reason;
}

static void host_says(size_t sock, const char *text)
{
	fake_udp_put(fake_udp_sock(&host, sock), text, strlen(text));
	fake_udp_run(&g.env, &host);
}

static void assert_sent(size_t sock, size_t i, const char *text)
{
	const struct fake_udp_sock *s = fake_udp_sock(&host, sock);

	ck_assert_uint_lt(i, s->n_sent);
	ck_assert_uint_eq(s->sent[i].len, strlen(text));
	ck_assert(!memcmp(s->sent[i].data, text, strlen(text)));
}

/* Payload of the i-th frame to the guest, a whole UDP datagram. */
static void assert_got(size_t i, uint32_t src, const char *text)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_int_eq(p.proto, IP_UDP);
	ck_assert_uint_eq(addr_get_ip4(&p.src), src);
	ck_assert_uint_eq(p.payload_len, strlen(text));
	ck_assert(!memcmp(p.payload, text, strlen(text)));
}

/* The i-th frame to the guest is an ICMP error of this kind. */
static void assert_icmp(size_t i, uint32_t src, uint8_t type, uint8_t code)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_int_eq(p.proto, IP_ICMP);
	ck_assert_uint_eq(addr_get_ip4(&p.src), src);
	ck_assert_int_eq(p.icmp.type, type);
	ck_assert_int_eq(p.icmp.code, code);
}

static struct flow *only_flow(void)
{
	ck_assert_uint_eq(g.env.flows.n, 1);
	return container_of(g.env.flows.all.next, struct flow, all);
}

START_TEST(there_and_back_exactly)
{
	const struct fake_frame *f;
	struct fake_udp_sock *s;

	begin();
	ck_assert_int_eq(guest_says(PEER, 5000, 7, "hello"), DROP_NONE);
	s = fake_udp_sock(&host, 0);
	ck_assert_uint_eq(addr_get_ip4(&s->peer.addr), PEER);
	ck_assert_uint_eq(s->peer.port, 7);
	ck_assert_uint_eq(s->port, 5000);
	assert_sent(0, 0, "hello");
	host_says(0, "world");
	f = fake_guest_frame(&g, 0);
	/* Ethernet: to the guest, from the gateway, IPv4
	 * IPv4: 33 bytes, id 0, TTL 64, UDP, 198.51.100.2 to 10.0.2.15
	 * UDP: 7 to 5000, 13 bytes; "world" */
	assert_bytes(f->data, f->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 21  00 00 00 00  40 11 44 88  c6 33 64 02  0a 00 02 0f"
		     "00 07 13 88  00 0d 68 24  77 6f 72 6c 64");
	ck_assert_uint_eq(g.env.stats.udp_from_guest, 1);
	ck_assert_uint_eq(g.env.stats.udp_to_guest, 1);
	ck_assert_uint_eq(only_flow()->bytes_out, 5);
	ck_assert_uint_eq(only_flow()->bytes_in, 5);
	end();
}
END_TEST

START_TEST(gateway_is_the_hosts_loopback)
{
	begin();
	guest_says(GATEWAY, 5000, 7, "hello");
	ck_assert_uint_eq(addr_get_ip4(&fake_udp_sock(&host, 0)->peer.addr), 0x7f000001);
	host_says(0, "world");
	assert_got(0, GATEWAY, "world");
	end();
}
END_TEST

START_TEST(flows_do_not_mix)
{
	begin();
	guest_says(0xc6336402, 5000, 7, "a");
	guest_says(0xcb007102, 5000, 7, "b"); /* 203.0.113.2: alike in its last bits */
	guest_says(0xc6336402, 5001, 7, "c");
	guest_says(0xc6336402, 5000, 8, "d");
	ck_assert_uint_eq(g.env.flows.n, 4);
	host_says(1, "to b");
	host_says(0, "to a");
	assert_got(0, 0xcb007102, "to b");
	assert_got(1, 0xc6336402, "to a");
	end();
}
END_TEST

START_TEST(all_sizes)
{
	static uint8_t data[UDP_PAYLOAD_MAX];
	static const size_t sizes[] = { 0, 1, 1472, 1473, UDP_PAYLOAD_MAX };
	struct fake_udp_sock *s;

	begin();
	g.net.mtu = 65520;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_int_eq(guest_sends(PEER, 5000, 7, data, sizes[i]), DROP_NONE);
		udp_batch_end(&g.env);
		s = fake_udp_sock(&host, 0);
		ck_assert_uint_eq(s->sent[i].len, sizes[i]);
		ck_assert(!memcmp(s->sent[i].data, data, sizes[i]));
		fake_udp_put(s, data, sizes[i]);
	}
	fake_udp_run(&g.env, &host);
	/* the last one in two fragments: 65,535 bytes are more than the MTU */
	ck_assert_uint_eq(g.n_frames, 6);
	ck_assert_uint_eq(fake_guest_frame(&g, 0)->len, 42);
	ck_assert_uint_eq(fake_guest_frame(&g, 3)->len, 42 + 1473);
	ck_assert_uint_eq(fake_guest_frame(&g, 4)->len, 14 + 20 + 65496);
	ck_assert_uint_eq(fake_guest_frame(&g, 5)->len, 14 + 20 + 65515 - 65496);
	end();
}
END_TEST

START_TEST(a_batch_is_one_send)
{
	static struct packet packets[600];

	begin();
	for (unsigned i = 0; i < 600; i++) {
		uint16_t sport = i % 2 ? 5001 : 5000;
		uint8_t number = (uint8_t)i;

		packet_udp(&packets[i], &(struct packet_ip){ 0 }, sport, 7, &number, 1);
		ck_assert_int_eq(udp_from_guest(&g.env, &packets[i].pkt), DROP_NONE);
	}
	ck_assert_uint_le(fake_udp_sock(&host, 0)->n_sent, 256);
	udp_batch_end(&g.env);
	for (unsigned i = 0; i < 600; i++)
		ck_assert_uint_eq(fake_udp_sock(&host, i % 2)->sent[i / 2].data[0], (uint8_t)i);
	ck_assert_int_eq(fake_udp_sock(&host, 0)->n_sends, 3);
	ck_assert_int_eq(fake_udp_sock(&host, 1)->n_sends, 3);
	end();
}
END_TEST

START_TEST(ttl_tos_and_df_go_along)
{
	static struct packet packets[3];
	const struct fake_udp_sock *s;

	begin();
	packet_udp(&packets[0], &(struct packet_ip){ .ttl = 1 }, 5000, 7, "a", 1);
	packet_udp(&packets[1], &(struct packet_ip){ .ttl = 2, .tos = 0x10 }, 5000, 7, "b", 1);
	packet_udp(&packets[2], &(struct packet_ip){ .ttl = 2, .dont_fragment = true }, 5000, 7,
		   "c", 1);
	for (int i = 0; i < 3; i++)
		udp_from_guest(&g.env, &packets[i].pkt);
	udp_batch_end(&g.env);
	s = fake_udp_sock(&host, 0);
	ck_assert_int_eq(s->sent[0].ip.ttl, 1);
	ck_assert_int_eq(s->sent[1].ip.ttl, 2);
	ck_assert_int_eq(s->sent[1].ip.tos, 0x10);
	ck_assert(!s->sent[1].ip.dont_fragment);
	ck_assert_int_eq(s->sent[2].ip.tos, 0);
	ck_assert(s->sent[2].ip.dont_fragment);
	ck_assert_int_eq(s->n_set_ip, 3);
	end();
}
END_TEST

START_TEST(what_the_socket_does_not_take_waits)
{
	static struct packet packets[3];
	struct fake_udp_sock *s;

	begin();
	guest_says(PEER, 5000, 7, "0");
	s = fake_udp_sock(&host, 0);
	s->room = 1;
	for (int i = 0; i < 3; i++) {
		packet_udp(&packets[i], &(struct packet_ip){ .ttl = (uint8_t)(64 + i / 2) },
			   5000, 7, &"123"[i], 1);
		udp_from_guest(&g.env, &packets[i].pkt);
	}
	udp_batch_end(&g.env);
	memset(packets, 0, sizeof(packets)); /* the frames are gone */
	ck_assert_uint_eq(s->n_sent, 2);
	ck_assert_uint_eq(s->watched, UDP_HOST_READ | UDP_HOST_WRITE);
	guest_says(PEER, 5000, 7, "4"); /* behind those that wait */
	ck_assert_uint_eq(s->n_sent, 2);
	s->room = -1;
	fake_udp_run(&g.env, &host);
	for (size_t i = 0; i < 5; i++)
		assert_sent(0, i, (const char *[]){ "0", "1", "2", "3", "4" }[i]);
	ck_assert_int_eq(s->sent[3].ip.ttl, 65);
	ck_assert_int_eq(s->sent[4].ip.ttl, 64);
	ck_assert_uint_eq(s->watched, UDP_HOST_READ);
	ck_assert_uint_eq(g.env.stats.udp_queued, 3);
	end();
}
END_TEST

START_TEST(queues_are_bounded)
{
	enum { LEN = 60000, FLOWS = 10 };
	uint64_t dropped, queued;
	struct flow *first;

	begin();
	for (uint16_t sport = 1; sport <= FLOWS; sport++) {
		guest_says(PEER, sport, 7, "first");
		fake_udp_sock(&host, sport - 1u)->room = 0;
		for (int i = 0; i < 100; i++) {
			guest_sends(PEER, sport, 7, NULL, LEN);
			udp_batch_end(&g.env);
		}
		if (sport == 1) /* 4 MiB for one */
			ck_assert_uint_eq(g.env.stats.udp_queued, (4u << 20) / (LEN + 40));
	}
	queued = g.env.stats.udp_queued;
	dropped = g.env.stats.drops[DROP_HOST_QUEUE];
	ck_assert_uint_eq(queued + dropped, FLOWS * 100);
	ck_assert_uint_eq(queued, (16u << 20) / (LEN + 40)); /* 16 MiB for all */
	/* who leaves makes room */
	first = container_of(g.env.flows.all.next, struct flow, all);
	first->class->close(&g.env, first, FLOW_CLOSED_BY_OPERATOR);
	guest_sends(PEER, FLOWS, 7, NULL, LEN);
	udp_batch_end(&g.env);
	ck_assert_uint_eq(g.env.stats.udp_queued, queued + 1);
	end();
}
END_TEST

/* The guest sent "hello" from port 5000 to 198.51.100.2:7 with TTL 1. */
static void provoke(struct host_error e)
{
	struct fake_udp_sock *s;

	packet_udp(&packet, &(struct packet_ip){ .ttl = 1 }, 5000, 7, "hello", 5);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	s = fake_udp_sock(&host, 0);
	s->errors[s->n_errors++] = e;
	fake_udp_run(&g.env, &host);
}

START_TEST(error_of_a_router_exactly)
{
	const struct fake_frame *f;

	begin();
	provoke((struct host_error){ .icmp.type = ICMP_TYPE_TIME_EXCEEDED,
				     .from = addr_ip4(0xcb007101),
				     .len = 5,
				     .quote = "hello" });
	f = fake_guest_frame(&g, 0);
	/* Ethernet; IPv4: 61 bytes, TTL 64, ICMP, 203.0.113.1 to 10.0.2.15
	 * ICMP: time exceeded in transit
	 * quoted IPv4: 33 bytes, TTL 1, UDP, 10.0.2.15 to 198.51.100.2
	 * quoted UDP: 5000 to 7, 13 bytes, checksum as the guest sent it; "hello" */
	assert_bytes(f->data, f->len,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00"
		     "45 00 00 3d  00 00 00 00  40 01 32 b0  cb 00 71 01  0a 00 02 0f"
		     "0b 00 de a1  00 00 00 00"
		     "45 00 00 21  00 00 00 00  01 11 83 88  0a 00 02 0f  c6 33 64 02"
		     "13 88 00 07  00 0d be ef  68 65 6c 6c 6f");
	ck_assert_uint_eq(g.env.stats.udp_errors, 1);
	ck_assert_uint_eq(g.env.flows.n, 1);
	end();
}
END_TEST

START_TEST(error_of_the_hosts_loopback)
{
	begin();
	guest_says(GATEWAY, 5000, 9, "anybody?");
	fake_udp_sock(&host, 0)->errors[0] =
		(struct host_error){ .icmp.type = ICMP_TYPE_UNREACHABLE,
				     .icmp.code = ICMP_CODE_PORT,
				     .from = addr_ip4(0x7f000001) };
	fake_udp_sock(&host, 0)->n_errors = 1;
	fake_udp_run(&g.env, &host);
	assert_icmp(0, GATEWAY, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT);
	end();
}
END_TEST

START_TEST(path_mtu_is_passed_on)
{
	const struct fake_frame *f;

	begin();
	provoke((struct host_error){ .icmp.type = ICMP_TYPE_UNREACHABLE,
				     .icmp.code = ICMP_CODE_FRAGMENTATION_NEEDED,
				     .icmp.rest = 1280,
				     .from = addr_ip4(0xcb007101) });
	assert_icmp(0, 0xcb007101, ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAGMENTATION_NEEDED);
	f = fake_guest_frame(&g, 0);
	ck_assert_uint_eq(get_be16(f->data + 14 + 20 + 6), 1280);
	end();
}
END_TEST

START_TEST(other_errors_are_not)
{
	begin();
	provoke((struct host_error){ .icmp.type = 5 /* redirect */, .from = addr_ip4(0xcb007101) });
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_uint_eq(g.env.stats.udp_errors, 0);
	end();
}
END_TEST

START_TEST(pending_error_loses_nothing)
{
	struct fake_udp_sock *s;

	begin();
	guest_says(PEER, 5000, 7, "a");
	s = fake_udp_sock(&host, 0);
	s->send_error_once = ECONNREFUSED;
	s->errors[s->n_errors++] = (struct host_error){ .icmp.type = ICMP_TYPE_UNREACHABLE,
							.icmp.code = ICMP_CODE_PORT,
							.from = addr_ip4(PEER) };
	guest_says(PEER, 5000, 7, "b");
	assert_sent(0, 1, "b");
	assert_icmp(0, PEER, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT);
	s->recv_error_once = ECONNREFUSED;
	host_says(0, "late");
	assert_got(1, PEER, "late");
	end();
}
END_TEST

START_TEST(refusals_are_told)
{
	begin();
	g.env.flows.key = (struct hash_key){ { 1, 2 } }; /* flows share no limit of errors */
	host.open_error = ENETUNREACH;
	ck_assert_int_eq(guest_says(PEER, 5000, 7, "a"), DROP_HOST_SOCKET);
	assert_icmp(0, GATEWAY, ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET);
	ck_assert_uint_eq(g.env.flows.n, 0);
	ck_assert_uint_eq(g.env.flows.by_reason[FLOW_CLOSED_HOST_ERROR], 1);
	ck_assert_int_eq(g.env.flows.closed[0].error, ENETUNREACH);
	host.open_error = 0;
	guest_says(PEER, 5000, 7, "b");
	fake_udp_sock(&host, 0)->send_error = EPERM;
	guest_says(PEER, 5000, 7, "c");
	assert_icmp(1, GATEWAY, ICMP_TYPE_UNREACHABLE, ICMP_CODE_ADMIN_PROHIBITED);
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 1);
	fake_udp_sock(&host, 0)->send_error = EHOSTUNREACH;
	guest_says(PEER, 5000, 7, "d");
	assert_icmp(2, GATEWAY, ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST);
	fake_udp_sock(&host, 0)->send_error =
		ENOBUFS; /* a full device queue: nothing to tell */
	guest_says(PEER, 5000, 7, "e");
	ck_assert_uint_eq(g.n_frames, 3);
	/* those beyond the limit of errors have a counter of their own */
	host.open_error = ENETUNREACH;
	for (int i = 0; i < 200; i++)
		guest_says(PEER, 6000, 7, "f");
	ck_assert_uint_eq(g.env.stats.udp_errors, g.n_frames);
	ck_assert_uint_eq(g.env.stats.udp_errors + g.env.stats.icmp_errors_limited, 203);
	ck_assert_uint_gt(g.env.stats.icmp_errors_limited, 0);
	/* those of one flow */
	fake_guest_clear(&g);
	guest_says(PEER, 6001, 7, "g");
	assert_icmp(0, GATEWAY, ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET);
	end();
}
END_TEST

START_TEST(impossible_destinations)
{
	begin();
	ck_assert_int_eq(guest_says(0x0a0002ff, 5000, 7, "a"), DROP_IP_DESTINATION);
	ck_assert_int_eq(guest_says(PEER, 5000, 0, "a"), DROP_UDP_PORT);
	ck_assert_uint_eq(g.n_frames, 0);
	ck_assert_uint_eq(g.env.flows.n, 0);
	end();
}
END_TEST

START_TEST(timeouts)
{
	begin();
	guest_says(PEER, 5000, 7, "a");
	ck_assert_str_eq(only_flow()->class->state(only_flow()), "UNREPLIED");
	fake_guest_advance(&g, 29 * NS_PER_SEC);
	ck_assert_uint_eq(only_flow()->class->timeout(&g.env, only_flow()), NS_PER_SEC);
	host_says(0, "b"); /* one question, one answer: no stream yet */
	ck_assert_str_eq(only_flow()->class->state(only_flow()), "REPLIED");
	fake_guest_advance(&g, 29 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 1);
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 0);
	guest_says(PEER, 5000, 7, "a");
	host_says(1, "b");
	host_says(1, "c");
	ck_assert_str_eq(only_flow()->class->state(only_flow()), "ASSURED");
	fake_guest_advance(&g, 119 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 1);
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 0);
	ck_assert_uint_eq(g.env.flows.by_reason[FLOW_CLOSED_IDLE], 2);
	guest_says(PEER, 5000, 7, "a");
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	/* in which state each was is told when it has ended, too */
	ck_assert_str_eq(g.env.flows.closed[0].state, "REPLIED");
	ck_assert_str_eq(g.env.flows.closed[1].state, "ASSURED");
	ck_assert_str_eq(g.env.flows.closed[2].state, "UNREPLIED");
	end();
}
END_TEST

START_TEST(one_way_flows_stay_one_way)
{
	begin();
	for (int i = 0; i < 10; i++)
		guest_says(PEER, 5000, 7, "a");
	ck_assert_str_eq(only_flow()->class->state(only_flow()), "UNREPLIED");
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 0);
	end();
}
END_TEST

static void make_stream(uint16_t sport)
{
	guest_says(PEER, sport, 7, "a");
	guest_says(PEER, sport, 7, "b");
	host_says(host.n_socks - 1, "c");
}

START_TEST(full_table_ends_the_oldest_one_way_flow)
{
	begin();
	g.env.flows.max = 3;
	make_stream(5000);
	guest_says(PEER, 5001, 7, "a");
	guest_says(PEER, 5002, 7, "a");
	guest_says(PEER, 5003, 7, "a");
	ck_assert(fake_udp_sock(&host, 0)->open);
	ck_assert(!fake_udp_sock(&host, 1)->open);
	ck_assert(fake_udp_sock(&host, 2)->open);
	ck_assert_uint_eq(g.env.stats.udp_preempted, 1);
	ck_assert_uint_eq(g.env.flows.by_reason[FLOW_CLOSED_PREEMPTED], 1);
	make_stream(5004);
	make_stream(5005);
	/* only lively flows are left: the new one is refused */
	fake_guest_clear(&g);
	ck_assert_int_eq(guest_says(PEER, 5006, 7, "a"), DROP_FLOW_LIMIT);
	assert_icmp(0, GATEWAY, ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST);
	ck_assert_uint_eq(g.env.stats.flow_refused, 1);
	end();
}
END_TEST

START_TEST(lack_of_descriptors)
{
	begin();
	host.open_max = 2;
	guest_says(PEER, 5000, 7, "a");
	guest_says(PEER, 5001, 7, "a");
	ck_assert_int_eq(guest_says(PEER, 5002, 7, "a"), DROP_NONE);
	ck_assert(!fake_udp_sock(&host, 0)->open);
	host.open_max = 0;
	make_stream(5003);
	end();
	begin();
	host.open_max = 1;
	make_stream(5000);
	ck_assert_int_eq(guest_says(PEER, 5001, 7, "a"), DROP_HOST_SOCKET);
	ck_assert_uint_eq(g.env.flows.n, 1);
	end();
}
END_TEST

START_TEST(full_link_pauses_sockets)
{
	char text[2] = "0";

	begin();
	guest_says(PEER, 5000, 7, "a");
	guest_says(PEER, 5001, 7, "a");
	g.room = 3;
	for (; text[0] <= '9'; text[0]++) {
		fake_udp_put(fake_udp_sock(&host, 0), text, 1);
		fake_udp_put(fake_udp_sock(&host, 1), text, 1);
	}
	fake_udp_run(&g.env, &host);
	ck_assert_uint_eq(g.n_frames, 3);
	ck_assert_uint_eq(fake_udp_sock(&host, 0)->watched, 0);
	ck_assert_uint_eq(fake_udp_sock(&host, 1)->watched, 0);
	ck_assert_uint_eq(fake_udp_sock(&host, 1)->next_ready, 0); /* not even read */
	ck_assert_uint_eq(g.env.stats.udp_paused, 2);
	g.room = 2; /* still not enough for what was read */
	udp_room(&g.env);
	fake_udp_run(&g.env, &host);
	ck_assert_uint_eq(g.n_frames, 5);
	ck_assert_uint_eq(fake_udp_sock(&host, 0)->watched, 0);
	g.room = -1;
	udp_room(&g.env);
	fake_udp_run(&g.env, &host);
	ck_assert_uint_eq(g.n_frames, 20);
	for (size_t i = 0; i < 10; i++)
		assert_got(i, PEER, (char[]){ (char)('0' + i), 0 });
	end();
}
END_TEST

START_TEST(flow_ends_while_its_datagrams_wait)
{
	begin();
	guest_says(PEER, 5000, 7, "a");
	guest_says(PEER, 5001, 7, "a");
	g.room = 0;
	host_says(0, "b");
	host_says(1, "c");
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 0);
	g.room = -1;
	udp_room(&g.env);
	ck_assert_uint_eq(g.n_frames, 0);
	guest_says(PEER, 5000, 7, "a");
	host_says(2, "d");
	assert_got(0, PEER, "d");
	end();
}
END_TEST

/* It ended in the middle of several that came as one: what another flow gets begins at its own. */
START_TEST(flow_ends_between_segments)
{
	begin();
	guest_says(PEER, 5000, 7, "a");
	fake_udp_sock(&host, 0)->segment = 4;
	g.room = 1;
	host_says(0, "one.two.thr.four");
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	ck_assert_uint_eq(g.env.flows.n, 0);
	g.room = -1;
	udp_room(&g.env);
	fake_guest_clear(&g);
	guest_says(PEER, 5000, 7, "a");
	host_says(1, "d");
	ck_assert_uint_eq(g.n_frames, 1);
	assert_got(0, PEER, "d");
	end();
}
END_TEST

START_TEST(one_guest_address_keeps_its_ports)
{
	begin();
	guest_says(PEER, 123, 123, "a");
	packet_udp(&packet, &(struct packet_ip){ .src = 0x0a000210 }, 123, 123, "b", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	ck_assert_uint_eq(fake_udp_sock(&host, 0)->port, 123);
	ck_assert_uint_eq(fake_udp_sock(&host, 1)->port, 0);
	ck_assert_uint_eq(g.env.stats.udp_ports_changed, 1);
	fake_guest_advance(&g, 31 * NS_PER_SEC);
	packet_udp(&packet, &(struct packet_ip){ .src = 0x0a000210 }, 123, 123, "b", 1);
	udp_from_guest(&g.env, &packet.pkt);
	ck_assert_uint_eq(fake_udp_sock(&host, 2)->port, 123);
	end();
}
END_TEST

/* On the host's side, sockets of different families are never taken for each other. */
START_TEST(one_of_each_family_keeps_its_ports)
{
	const struct packet_ip6 other = { .src = addr_of("2001:db8:2::10") };

	begin();
	guest_says(PEER, 123, 123, "a");
	packet_udp6(&packet, &(struct packet_ip6){ 0 }, 123, 123, "b", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	packet_udp6(&packet, &other, 123, 123, "c", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	ck_assert_uint_eq(fake_udp_sock(&host, 0)->port, 123);
	ck_assert_uint_eq(fake_udp_sock(&host, 1)->port, 123);
	ck_assert_uint_eq(fake_udp_sock(&host, 2)->port, 0);
	fake_guest_advance(&g, 20 * NS_PER_SEC);
	guest_says(PEER, 123, 123, "a");
	fake_guest_advance(&g, 11 * NS_PER_SEC);
	/* those of IPv6 ended */
	packet_udp6(&packet, &other, 123, 123, "c", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	ck_assert_uint_eq(fake_udp_sock(&host, 3)->port, 123);
	packet_udp(&packet, &(struct packet_ip){ .src = 0x0a000210 }, 123, 123, "d", 1);
	udp_from_guest(&g.env, &packet.pkt);
	ck_assert_uint_eq(fake_udp_sock(&host, 4)->port, 0);
	end();
}
END_TEST

START_TEST(large_datagrams_come_in_fragments)
{
	static uint8_t data[4000];
	const struct fake_frame *f;

	begin();
	guest_says(PEER, 5000, 7, "a");
	fake_udp_put(fake_udp_sock(&host, 0), data, sizeof(data));
	g.room = 2; /* all three or nothing */
	fake_udp_run(&g.env, &host);
	ck_assert_uint_eq(g.n_frames, 0);
	g.room = 3;
	udp_room(&g.env);
	ck_assert_uint_eq(g.n_frames, 3);
	f = fake_guest_frame(&g, 2);
	ck_assert_uint_eq(f->len, 14 + 20 + 4008 - 2 * 1480);
	ck_assert_uint_eq(get_be16(f->data + 14 + 6), 2 * 1480 / 8);
	end();
}
END_TEST

START_TEST(link_lost_with_datagrams_on_both_sides)
{
	begin();
	guest_says(PEER, 5000, 7, "a");
	fake_udp_sock(&host, 0)->room = 0;
	guest_says(PEER, 5000, 7, "b");
	g.room = 0;
	host_says(0, "c");
	only_flow()->class->close(&g.env, only_flow(), FLOW_CLOSED_GUEST_LEFT);
	ck_assert_uint_eq(g.env.timers.n, 0);
	g.room = -1;
	udp_room(&g.env);
	ck_assert_uint_eq(g.n_frames, 0);
	end();
}
END_TEST

/* TTL, DSCP and ECN of answers, which may come several at a time. */
START_TEST(answers_as_they_came)
{
	struct fake_udp_sock *s;
	struct pkt p;

	begin();
	guest_says(PEER, 5000, 7, "hello");
	s = fake_udp_sock(&host, 0);
	s->segment = 4;
	s->reply_ttl = 57;
	s->reply_tos = 0xb9;
	host_says(0, "one.two.thr");
	ck_assert_uint_eq(g.n_frames, 3);
	assert_got(0, PEER, "one.");
	assert_got(1, PEER, "two.");
	assert_got(2, PEER, "thr");
	ck_assert_int_eq(pkt_decode(g.frames[2].data, g.frames[2].len, &p), DROP_NONE);
	ck_assert_uint_eq(p.ttl, 57);
	ck_assert_uint_eq(p.tos, 0xb9);
	ck_assert_uint_eq(only_flow()->packets_in, 3);
	end();
}
END_TEST

/* The link gets full in the middle of them: the rest waits, and nothing comes twice. */
START_TEST(segments_wait_for_room)
{
	begin();
	guest_says(PEER, 5000, 7, "hello");
	fake_udp_sock(&host, 0)->segment = 4;
	g.room = 2;
	host_says(0, "one.two.thr.four");
	ck_assert_uint_eq(g.n_frames, 2);
	g.room = -1;
	udp_room(&g.env);
	ck_assert_uint_eq(g.n_frames, 4);
	assert_got(2, PEER, "thr.");
	assert_got(3, PEER, "four");
	end();
}
END_TEST

/* A socket that takes nothing is told about by its errors too: they are taken off it. */
START_TEST(errors_of_a_full_socket)
{
	struct fake_udp_sock *s;

	begin();
	guest_says(PEER, 5000, 7, "a");
	s = fake_udp_sock(&host, 0);
	s->room = 0;
	guest_says(PEER, 5000, 7, "b");
	s->errors[s->n_errors++] = (struct host_error){ .icmp.type = ICMP_TYPE_UNREACHABLE,
							.icmp.code = ICMP_CODE_PORT,
							.from = addr_ip4(PEER) };
	udp_from_host(&g.env, s->flow, UDP_HOST_WRITE);
	ck_assert_int_eq(s->n_errors, 0);
	assert_icmp(0, PEER, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT);
	s->room = -1;
	udp_from_host(&g.env, s->flow, UDP_HOST_WRITE);
	assert_sent(0, 1, "b");
	end();
}
END_TEST

#define PEER6 "2001:db8:1::2"

/* To PEER6, hop limit 1. */
static void guest_says6(const char *text)
{
	packet_udp6(&packet, &(struct packet_ip6){ .hop_limit = 1, .traffic_class = 0xb9 }, 5000, 7,
		    text, strlen(text));
	demux_from_guest(&g.env, packet.frame, packet.len);
	demux_batch_end(&g.env);
}

START_TEST(over_ip6_exactly)
{
	const struct fake_frame *f;
	struct fake_udp_sock *s;
	struct addr peer = addr_of(PEER6);
	uint32_t label;

	begin();
	guest_says6("hello");
	s = fake_udp_sock(&host, 0);
	ck_assert(addr_eq(&s->peer.addr, &peer));
	ck_assert_uint_eq(s->port, 5000);
	assert_sent(0, 0, "hello");
	ck_assert_uint_eq(s->ip.ttl, 1);
	ck_assert_uint_eq(s->ip.tos, 0xb9);
	ck_assert(s->ip.dont_fragment);
	host_says(0, "world");
	f = fake_guest_frame(&g, 0);
	label = get_be32(f->data + 14);
	ck_assert_uint_eq(label >> 20, 0x600);
	ck_assert_uint_eq(label & 0xfffff, flow_table_label(&g.env.flows, &only_flow()->key));
	assert_bytes(f->data + 18, f->len - 18,
		     "00 0d  11  40"
		     "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 02"
		     "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
		     "00 07 13 88 00 0d 42 e3  77 6f 72 6c 64");
	end();
}
END_TEST

/* Each error goes to the guest with its packet quoted, and a packet too big with its MTU. */
START_TEST(errors_over_ip6)
{
	const struct fake_frame *f;
	struct fake_udp_sock *s;
	struct pkt p;

	begin();
	guest_says6("hello");
	s = fake_udp_sock(&host, 0);
	s->errors[s->n_errors++] = (struct host_error){ .icmp = { ICMP6_TYPE_PACKET_TOO_BIG, 0, 1280 },
							.from = addr_of("2001:db8:a::1"),
							.len = 5,
							.quote = "hello" };
	s->errors[s->n_errors++] = (struct host_error){ .icmp = { ICMP6_TYPE_REDIRECT, 0, 0 },
							.from = addr_of("2001:db8:a::1") };
	fake_udp_run(&g.env, &host);
	ck_assert_uint_eq(g.n_frames, 1);
	f = fake_guest_frame(&g, 0);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	assert_bytes(f->data, 14 + 40,
		     "52 54 00 12 34 56  9a 55 9a 55 9a 55  86 dd"
		     "60 00 00 00  00 3d  3a  40"
		     "20 01 0d b8 00 0a 00 00 00 00 00 00 00 00 00 01"
		     "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f");
	assert_bytes(p.l4, 2, "02 00");
	assert_bytes(p.l4 + 4, 4, "00 00 05 00");
	assert_bytes(p.payload, 8, "6b 90 00 00  00 0d  11  01");
	ck_assert(!memcmp(p.payload + 8, packet.pkt.ip + 8, packet.pkt.ip_len - 8));
	end();
}
END_TEST

/* What came in fragments may leave in fragments. */
START_TEST(fragments_of_ip6_may_be_cut_again)
{
	begin();
	packet_udp6(&packet, &(struct packet_ip6){ .hop_limit = 9 }, 5000, 7, "x", 1);
	packet.pkt.dont_fragment = false; /* as reassembly leaves it */
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	ck_assert(!fake_udp_sock(&host, 0)->ip.dont_fragment);
	end();
}
END_TEST

START_TEST(port_unreachable_from_the_guest_over_ip6)
{
	struct pkt p;
	const struct fake_frame *f;

	begin();
	g.env.icmp = icmp_new(&g.env, NULL, NULL);
	guest_says6("hello");
	host_says(0, "world");
	f = fake_guest_frame(&g, 0);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	packet_icmp6(&packet, &(struct packet_ip6){ .hop_limit = 64 },
		     &(struct icmp_hdr){ .type = ICMP6_TYPE_UNREACHABLE, .code = ICMP6_CODE_PORT },
		     p.ip, p.ip_len);
	ck_assert_int_eq(demux_from_guest(&g.env, packet.frame, packet.len), DROP_NONE);
	ck_assert_uint_eq(g.env.flows.n, 0);
	icmp_free(g.env.icmp);
	end();
}
END_TEST

SUITE_MAIN("udp", errors_of_a_full_socket, answers_as_they_came, segments_wait_for_room,
	   over_ip6_exactly, errors_over_ip6, fragments_of_ip6_may_be_cut_again,
	   port_unreachable_from_the_guest_over_ip6, there_and_back_exactly,
	   gateway_is_the_hosts_loopback, flows_do_not_mix,
	   all_sizes, a_batch_is_one_send, ttl_tos_and_df_go_along,
	   what_the_socket_does_not_take_waits, queues_are_bounded, error_of_a_router_exactly,
	   error_of_the_hosts_loopback, path_mtu_is_passed_on, other_errors_are_not,
	   pending_error_loses_nothing, refusals_are_told, impossible_destinations, timeouts,
	   one_way_flows_stay_one_way, full_table_ends_the_oldest_one_way_flow,
	   lack_of_descriptors, full_link_pauses_sockets, flow_ends_while_its_datagrams_wait,
	   flow_ends_between_segments,
	   one_guest_address_keeps_its_ports, one_of_each_family_keeps_its_ports, large_datagrams_come_in_fragments,
	   link_lost_with_datagrams_on_both_sides)
