/* Captures: order and comments, filters, what is stored of a frame, limits, rings, full and broken
 * sinks. */
#include "proto/capture.h"

#include <errno.h>

#include "lib/fake_capture.h"
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/must.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/udp.h"
#include "wire/icmp6.h"
#include "wire/pcapng.h"

#define SECRET "PAYLOAD-THAT-IS-NOBODYS-BUSINESS"
#define PEER   0xc6336402 /* 198.51.100.2 */

static struct fake_guest g;
static struct fake_udp host;
static struct fake_capture fake;
static struct captures *cs;
static struct packet packet;
static struct captured frames[FAKE_CAPTURE_FRAMES];
static bool has_end;

static const char arp_request[] = "ffffffffffff 525400123456 0806 0001 0800 06 04 0001"
				  "525400123456 0a00020f 000000000000 0a000202";

static void begin(void)
{
	fake_guest_init(&g);
	fake_udp_init(&host);
	fake_capture_init(&fake);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &host);
	cs = captures_new(&g.env, &fake_capture_ops, &fake);
	ck_assert_ptr_nonnull(cs);
}

static void end(void)
{
	struct list *pos, *tmp;

	captures_free(cs);
	ck_assert_uint_eq(g.env.capturing, 0);
	list_for_each(pos, tmp, &g.env.flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(&g.env, f, FLOW_CLOSED_SHUTDOWN);
	}
	ck_assert_uint_eq(g.env.timers.n, 0);
	udp_free(g.env.udp);
	fake_udp_free(&host);
	fake_capture_free(&fake);
	fake_guest_free(&g);
}

static uint64_t start(struct capture_spec spec)
{
	uint64_t id = 0;

	ck_assert_int_eq(captures_start(cs, &spec, -1, &id), 0);
	return id;
}

static const struct capture_status *status(uint64_t id)
{
	const struct capture_spec *spec;
	const struct capture_status *s = captures_next(cs, id - 1, &spec);

	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->id, id);
	return s;
}

/* The frames that capture number `i` has so far. */
static size_t read_all(size_t i)
{
	while (captures_flush(cs))
		;
	return fake_capture_read(&fake.sinks[i], frames, &has_end);
}

static void guest_sends_hex(const char *hex)
{
	uint8_t frame[2048];
	size_t len = from_hex(hex, frame, sizeof(frame));

	demux_from_guest(&g.env, frame, len);
}

static void guest_sends(const struct packet *p)
{
	demux_from_guest(&g.env, p->frame, p->len);
}

static void guest_says(uint16_t sport, uint16_t dport, const char *text)
{
	packet_udp(&packet, &(struct packet_ip){ .dst = PEER }, sport, dport, text, strlen(text));
	guest_sends(&packet);
	udp_batch_end(&g.env);
}

static void host_says(size_t sock, const char *text)
{
	struct fake_udp_sock *s = fake_udp_sock(&host, sock);

	fake_udp_put(s, text, strlen(text));
	udp_from_host(&g.env, s->flow, UDP_HOST_READ);
}

START_TEST(question_and_answer)
{
	uint64_t id;

	begin();
	id = start((struct capture_spec){ .pid = 4711, .uid = 1000, .why = "to see" });
	ck_assert_uint_eq(id, 1);
	guest_sends_hex(arp_request);
	ck_assert_uint_eq(read_all(0), 2);
	ck_assert(fake_capture_has(&fake.sinks[0],
				   "capture 1, for process 4711 of user 1000: to see"));
	ck_assert_uint_eq(frames[0].direction, PCAPNG_INBOUND);
	ck_assert_uint_eq(frames[0].len, 42);
	ck_assert_uint_eq(frames[1].direction, PCAPNG_OUTBOUND);
	ck_assert_str_eq(frames[0].comments, "");
	ck_assert_uint_lt(frames[0].time_ns, frames[1].time_ns);
	ck_assert(!has_end);
	ck_assert_int_eq(captures_stop(cs, id), 0);
	ck_assert_uint_eq(g.env.capturing, 0);
	guest_sends_hex(arp_request); /* too late */
	ck_assert_uint_eq(read_all(0), 2);
	ck_assert(has_end);
	ck_assert(fake.sinks[0].closed);
	ck_assert_int_eq(captures_stop(cs, id), -ENOENT);
	ck_assert_int_eq(status(id)->state, CAPTURE_ENDED);
	ck_assert_int_eq(status(id)->end, CAPTURE_STOPPED);
	ck_assert_uint_eq(status(id)->written, 2);
	ck_assert_uint_eq(status(id)->bytes, fake.sinks[0].len);
	end();
}
END_TEST

START_TEST(flows)
{
	begin();
	start((struct capture_spec){ 0 });
	start((struct capture_spec){ .flow = 2 });
	guest_says(1000, 2000, "one");
	guest_says(1001, 2000, "two");
	host_says(0, "one too");
	host_says(1, "two too");
	ck_assert_uint_eq(read_all(0), 4);
	ck_assert_str_eq(frames[0].comments, "flow 1"); /* which it opened */
	ck_assert_str_eq(frames[1].comments, "flow 2");
	ck_assert_str_eq(frames[2].comments, "flow 1");
	ck_assert_uint_eq(frames[2].direction, PCAPNG_OUTBOUND);
	ck_assert_uint_eq(read_all(1), 2);
	ck_assert_str_eq(frames[1].comments, "flow 2");
	ck_assert_uint_eq(status(2)->seen, 4);
	ck_assert_uint_eq(status(2)->matched, 2);
	end();
}
END_TEST

/* The frame that ends a flow is still the flow's: here an ICMP error, which quotes its packet. */
START_TEST(end_of_flow)
{
	struct packet_ip to_peer = { .dst = PEER }, from_peer = { .src = PEER, .dst = 0x0a00020f };
	struct icmp_hdr unreachable = { .type = ICMP_TYPE_UNREACHABLE, .code = ICMP_CODE_PORT };
	uint8_t quote[28];

	begin();
	guest_says(1000, 2000, "x");
	start((struct capture_spec){ 0 });
	packet_udp(&packet, &from_peer, 2000, 1000, "x", 1);
	memcpy(quote, packet.pkt.ip, sizeof(quote));
	packet_icmp(&packet, &to_peer, &unreachable, quote, sizeof(quote));
	guest_sends(&packet);
	ck_assert_uint_eq(g.env.flows.n, 0);
	fake_guest_advance(&g, 1);
	guest_sends(&packet);
	ck_assert_uint_eq(read_all(0), 2);
	ck_assert_str_eq(frames[0].comments, "flow 1");
	ck_assert_str_eq(frames[1].comments, "");
	end();
}
END_TEST

START_TEST(drops)
{
	begin();
	start((struct capture_spec){ .dropped = true });
	guest_sends_hex("ffffffffffff 525400123456 8100 0001 0800 4500");
	guest_sends_hex(arp_request);
	guest_sends_hex("ffff");
	ck_assert_uint_eq(read_all(0), 2);
	ck_assert_str_eq(frames[0].comments, "drop.vlan");
	ck_assert_str_eq(frames[1].comments, "drop.runt");
	ck_assert_uint_eq(frames[1].len, 2);
	end();
}
END_TEST

/* An ARP request and the reply, a datagram and its answer, a datagram and an echo request over IPv6. */
static void run_exchange(void)
{
	struct icmp_hdr echo = { .type = ICMP6_TYPE_ECHO, .id = 7 };

	guest_sends_hex(arp_request);
	guest_says(1000, 2000, "x");
	host_says(0, "y");
	packet_udp6(&packet, &(struct packet_ip6){ 0 }, 1000, 53, "x", 1);
	guest_sends(&packet);
	packet_icmp6(&packet, &(struct packet_ip6){ 0 }, &echo, "x", 1);
	guest_sends(&packet);
}

START_TEST(filters)
{
	const struct {
		struct capture_spec spec;
		const char *want; /* an x for each frame of the exchange */
	} rows[] = {
		{ { 0 }, "xxxxxx" },
		{ { .proto = CAPTURE_ARP }, "xx    " },
		{ { .proto = CAPTURE_UDP }, "  xxx " },
		{ { .proto = CAPTURE_ICMP }, "     x" },
		{ { .proto = CAPTURE_TCP }, "      " },
		{ { .dir = CAPTURE_FROM_GUEST }, "x x xx" },
		{ { .dir = CAPTURE_TO_GUEST }, " x x  " },
		{ { .port = 1000 }, "  xxx " },
		{ { .port = 2000 }, "  xx  " },
		{ { .flow = 1 }, "  xx  " },
		{ { .addr_set = true, .addr = addr_of("198.51.100.0"), .prefix_len = 24 }, "  xx  " },
		{ { .addr_set = true, .addr = addr_of("2001:db8:1::2"), .prefix_len = 128 }, "    xx" },
		{ { .addr_set = true, .addr = addr_of("198.51.100.2"), .prefix_len = 32, .port = 1000 },
		  "      " }, /* not the same end */
		{ { .addr_set = true, .addr = addr_of("10.0.2.15"), .prefix_len = 32, .port = 1000,
		    .dir = CAPTURE_TO_GUEST }, "   x  " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct captured all[FAKE_CAPTURE_FRAMES];
		char got[sizeof("xxxxxx")] = "      ";
		size_t n, found = 0;

		begin();
		start((struct capture_spec){ 0 });
		start(rows[i].spec);
		run_exchange();
		n = read_all(1);
		ck_assert_uint_eq(fake_capture_read(&fake.sinks[0], all, &has_end), strlen(got));
		for (size_t j = 0; j < strlen(got) && found < n; j++) {
			if (frames[found].time_ns != all[j].time_ns)
				continue;
			got[j] = 'x';
			found++;
		}
		ck_assert_uint_eq(found, n);
		ck_assert_msg(!strcmp(got, rows[i].want), "row %zu: got '%s', want '%s'", i, got,
			      rows[i].want);
		end();
	}
}
END_TEST

/* How much is stored of a frame of so many bytes; nothing of what it carries. */
static void check_headers(const struct packet *p, size_t len)
{
	size_t n;

	begin();
	start((struct capture_spec){ .headers = true });
	guest_sends(p);
	n = read_all(0);
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_eq(frames[0].len, len);
	ck_assert_uint_eq(frames[0].original_len, p->len);
	ck_assert(!fake_capture_has(&fake.sinks[0], "NOBODY"));
	end();
}

START_TEST(headers_only)
{
	static const struct packet_ip ip = { .dst = PEER };
	struct icmp_hdr echo = { .type = ICMP_TYPE_ECHO }, echo6 = { .type = ICMP6_TYPE_ECHO };
	struct tcp_hdr tcp = { .sport = 1, .dport = 2 };
	size_t len = strlen(SECRET);

	packet_udp(&packet, &ip, 1000, 2000, SECRET, len);
	check_headers(&packet, 14 + 20 + 8);
	packet_udp(&packet, &ip, 1000, 53, SECRET, len);
	check_headers(&packet, 14 + 20 + 8);
	packet_udp6(&packet, &(struct packet_ip6){ 0 }, 1000, 2000, SECRET, len);
	check_headers(&packet, 14 + 40 + 8);
	packet_tcp(&packet, &ip, &tcp, SECRET, len);
	check_headers(&packet, 14 + 20 + 20);
	packet_icmp(&packet, &ip, &echo, SECRET, len);
	check_headers(&packet, 14 + 20 + 8);
	packet_icmp6(&packet, &(struct packet_ip6){ 0 }, &echo6, SECRET, len);
	check_headers(&packet, 14 + 40 + 8);
	packet_fragment(&packet, &ip, IP_UDP, 1, 0, true, SECRET, len / 8 * 8);
	check_headers(&packet, 14 + 20);
	packet_fragment(&packet, &ip, IP_UDP, 1, 8, false, SECRET, len);
	check_headers(&packet, 14 + 20);

	/* what is no header in truth, or none that we know */
	packet_udp(&packet, &ip, 1000, 2000, SECRET, len);
	packet.frame[14 + 20 + 4] = 0xff; /* length of UDP */
	check_headers(&packet, 14 + 20);
	packet_tcp(&packet, &ip, &tcp, SECRET, len);
	packet.frame[14 + 20 + 12] = 0x10; /* length of the header of TCP */
	check_headers(&packet, 14 + 20);
	packet_udp(&packet, &ip, 1000, 2000, SECRET, len);
	packet.frame[14] = 0x44; /* length of the header of IP */
	check_headers(&packet, 14);
	packet_udp(&packet, &ip, 1000, 2000, SECRET, len);
	packet.frame[23] = 0xfd; /* protocol */
	check_headers(&packet, 14 + 20);
	packet.frame[12] = 0x99; /* ethertype */
	check_headers(&packet, 14);
	packet.len = from_hex(arp_request, packet.frame, sizeof(packet.frame));
	memcpy(packet.frame + packet.len, SECRET, len); /* padding */
	packet.len += len;
	check_headers(&packet, 42);
	packet.frame[12] = 0x81; /* VLAN */
	packet.frame[13] = 0x00;
	check_headers(&packet, 14);
}
END_TEST

START_TEST(snaplen)
{
	begin();
	start((struct capture_spec){ .snaplen = 50 });
	start((struct capture_spec){ .snaplen = 20, .headers = true });
	guest_says(1000, 2000, SECRET);
	guest_says(1000, 2000, "x");
	ck_assert_uint_eq(read_all(0), 2);
	ck_assert_uint_eq(frames[0].len, 50);
	ck_assert_uint_eq(frames[0].original_len, 14 + 28 + strlen(SECRET));
	ck_assert_uint_eq(frames[1].len, 43);
	read_all(1);
	ck_assert_uint_eq(frames[0].len, 20);
	end();
}
END_TEST

START_TEST(limit_of_packets)
{
	begin();
	start((struct capture_spec){ .packets = 3 });
	for (int i = 0; i < 3; i++)
		guest_sends_hex(arp_request);
	ck_assert_uint_eq(g.env.capturing, 0);
	ck_assert_uint_eq(read_all(0), 3);
	ck_assert(has_end);
	ck_assert_int_eq(status(1)->end, CAPTURE_PACKET_LIMIT);
	end();
}
END_TEST

START_TEST(limit_of_bytes)
{
	begin();
	start((struct capture_spec){ .bytes = CAPTURE_SIZE_MIN });
	for (int i = 0; i < 100; i++)
		guest_sends_hex(arp_request);
	ck_assert_uint_gt(read_all(0), 2);
	ck_assert(has_end);
	ck_assert_uint_le(fake.sinks[0].len, CAPTURE_SIZE_MIN);
	ck_assert_uint_ge(fake.sinks[0].len, CAPTURE_SIZE_MIN / 2);
	ck_assert_int_eq(status(1)->end, CAPTURE_SIZE_LIMIT);
	ck_assert_uint_eq(status(1)->matched, status(1)->written);
	end();
}
END_TEST

START_TEST(limit_of_time)
{
	begin();
	start((struct capture_spec){ .seconds = 5 });
	fake_guest_advance(&g, 5 * NS_PER_SEC - 1);
	ck_assert_uint_eq(g.env.capturing, 1);
	fake_guest_advance(&g, 1);
	ck_assert_uint_eq(g.env.capturing, 0);
	ck_assert_uint_eq(read_all(0), 0);
	ck_assert(has_end);
	ck_assert_int_eq(status(1)->end, CAPTURE_TIME_LIMIT);
	ck_assert_uint_eq(status(1)->end_ns - status(1)->start_ns, 5 * NS_PER_SEC);
	end();
}
END_TEST

/* The last frames are there, as many as fit, and nothing before the end. */
START_TEST(ring)
{
	const unsigned n_sent = 4000;
	size_t n;

	begin();
	start((struct capture_spec){ .ring = CAPTURE_RING_MIN, .dir = CAPTURE_FROM_GUEST });
	for (unsigned i = 0; i < n_sent; i++) {
		guest_says((uint16_t)(1000 + i % 2), 2000, "x");
		ck_assert(!captures_flush(cs));
	}
	ck_assert_uint_eq(fake.sinks[0].len, 0);
	n = status(1)->buffered;
	ck_assert_uint_eq(status(1)->overwritten, n_sent - n);
	captures_stop(cs, 1);
	ck_assert_uint_eq(read_all(0), n);
	ck_assert(has_end);
	ck_assert_uint_gt(n, CAPTURE_RING_MIN / 150);
	ck_assert_uint_le(fake.sinks[0].len, CAPTURE_RING_MIN + 4096);
	ck_assert_str_eq(frames[n - 1].comments, "flow 2");
	for (size_t i = 1; i < n; i++)
		must(frames[i].time_ns > frames[i - 1].time_ns);
	ck_assert_uint_eq(status(1)->written, n);
	end();
}
END_TEST

/* A counter of the statistics, which are the last block, by the number of its option. */
static uint64_t statistic(const struct fake_sink *s, uint8_t option)
{
	const uint8_t head[] = { 0, option, 0, 8 }, *found;
	size_t len = get_be32(s->data + s->len - 4); /* of that block */

	found = memmem(s->data + s->len - len, len, head, sizeof(head));
	ck_assert_ptr_nonnull(found);
	return (uint64_t)get_be32(found + 4) << 32 | get_be32(found + 8);
}

/* A sink that takes nothing: frames are lost and counted, then it goes on where it was. */
START_TEST(full_sink)
{
	struct fake_sink *sink = &fake.sinks[0];
	uint64_t written, lost;
	size_t n;

	begin();
	start((struct capture_spec){ 0 });
	sink->room = 1000;
	for (unsigned i = 0; i < 15000; i++) {
		guest_sends_hex(arp_request);
		fake_guest_clear(&g);
		captures_flush(cs);
	}
	ck_assert_uint_eq(sink->len, 1000);
	lost = status(1)->lost;
	ck_assert_uint_gt(lost, 10000);
	ck_assert_uint_eq(g.env.stats.capture_lost, lost);
	ck_assert_uint_eq(status(1)->matched, 30000);
	sink->room = 300000;
	captures_flush(cs);
	sink->room = SIZE_MAX;
	written = status(1)->written;
	ck_assert_uint_gt(written, 1000);
	captures_flush(cs);
	guest_sends_hex(arp_request);
	captures_stop(cs, 1);
	while (captures_flush(cs))
		;
	/* more than the test's list has room for is only counted */
	ck_assert_uint_eq(status(1)->written, 30000 + 2 - lost);
	ck_assert_uint_eq(status(1)->lost, lost);
	ck_assert(sink->closed);
	n = fake_capture_read(sink, frames, &has_end);
	ck_assert_uint_eq(n, status(1)->written);
	ck_assert(has_end);
	ck_assert_uint_eq(frames[n - 2].n_lost, lost);
	ck_assert_uint_eq(frames[n - 1].n_lost, 0);
	ck_assert_uint_eq(statistic(sink, 4), 30002); /* received */
	ck_assert_uint_eq(statistic(sink, 5), lost);  /* dropped */
	ck_assert_uint_eq(statistic(sink, 6), 30002); /* accepted */
	ck_assert_uint_eq(statistic(sink, 8), 30002 - lost); /* delivered */
	end();
}
END_TEST

/* A sink that breaks in the middle of a block: it is told how much of it is too much. */
START_TEST(broken_sink)
{
	struct fake_sink *sink = &fake.sinks[0];

	begin();
	start((struct capture_spec){ 0 });
	guest_sends_hex(arp_request);
	read_all(0);
	sink->room = 30;
	sink->error = ENOSPC;
	guest_sends_hex(arp_request);
	captures_flush(cs);
	captures_flush(cs);
	ck_assert_uint_eq(g.env.capturing, 0);
	ck_assert(sink->closed);
	ck_assert_uint_eq(sink->torn, 30);
	ck_assert_uint_eq(fake_capture_read(sink, frames, &has_end), 2);
	ck_assert_int_eq(status(1)->state, CAPTURE_ENDED);
	ck_assert_int_eq(status(1)->end, CAPTURE_FAILED);
	ck_assert_int_eq(status(1)->error, ENOSPC);
	ck_assert_uint_eq(status(1)->lost, 2);
	ck_assert_uint_eq(g.env.stats.capture_failed, 1);
	guest_sends_hex(arp_request);
	ck_assert_uint_eq(g.n_frames, 3); /* traffic goes on */
	end();
}
END_TEST

START_TEST(broken_at_the_ends)
{
	begin();
	start((struct capture_spec){ 0 });
	fake.sinks[0].room = 10;
	captures_flush(cs);
	fake.sinks[0].error = EIO;
	captures_flush(cs);
	ck_assert_uint_eq(fake.sinks[0].torn, 10);
	start((struct capture_spec){ 0 });
	read_all(1);
	captures_stop(cs, 2);
	fake.sinks[1].room = 20;
	captures_flush(cs);
	fake.sinks[1].error = EIO;
	captures_flush(cs);
	ck_assert_uint_eq(fake.sinks[1].torn, 20);
	ck_assert_uint_eq(fake_capture_read(&fake.sinks[1], frames, &has_end), 0);
	ck_assert(!has_end);
	end();
}
END_TEST

START_TEST(reader_gone)
{
	begin();
	start((struct capture_spec){ 0 });
	start((struct capture_spec){ 0 });
	fake.sinks[0].room = 0;
	fake.sinks[0].error = EPIPE;
	captures_flush(cs);
	ck_assert_int_eq(status(1)->end, CAPTURE_READER_GONE);
	captures_sink_failed(cs, &fake.sinks[1], EPIPE);
	ck_assert_int_eq(status(2)->end, CAPTURE_READER_GONE);
	ck_assert_uint_eq(g.env.stats.capture_failed, 0);
	ck_assert_uint_eq(g.env.capturing, 0);
	end();
}
END_TEST

/* One that was stopped and whose sink takes nothing more ends all the same. */
START_TEST(stalled_end)
{
	begin();
	start((struct capture_spec){ 0 });
	start((struct capture_spec){ 0 });
	captures_flush(cs);
	fake.sinks[0].room = 5;
	fake.sinks[1].room = 0;
	captures_stop(cs, 1);
	captures_stop(cs, 2);
	captures_flush(cs);
	ck_assert_int_eq(status(1)->state, CAPTURE_ENDING);
	ck_assert_int_eq(captures_stop(cs, 1), 0); /* impatient */
	ck_assert_int_eq(status(1)->state, CAPTURE_ENDED);
	ck_assert_uint_eq(fake.sinks[0].torn, 5);
	fake_guest_advance(&g, 9 * NS_PER_SEC);
	ck_assert_int_eq(status(2)->state, CAPTURE_ENDING);
	fake_guest_advance(&g, NS_PER_SEC);
	ck_assert_int_eq(status(2)->state, CAPTURE_ENDED);
	ck_assert_int_eq(status(2)->error, ETIMEDOUT);
	end();
}
END_TEST

START_TEST(how_many)
{
	struct capture_spec everything = { 0 };
	const struct capture_spec *spec;
	uint64_t id;

	begin();
	fake.open_error = EINVAL;
	ck_assert_int_eq(captures_start(cs, &everything, -1, &id), -EINVAL);
	fake.open_error = 0;
	for (unsigned i = 0; i < CAPTURES_MAX; i++)
		start(everything);
	ck_assert_int_eq(captures_start(cs, &everything, -1, &id), -EMFILE);
	ck_assert(fake.sinks[CAPTURES_MAX].closed);
	for (unsigned i = 5; i <= 11; i++) { /* the first goes on */
		captures_stop(cs, i == 5 ? 2 : i - 1);
		captures_flush(cs);
		ck_assert_uint_eq(start(everything), i);
	}
	ck_assert_uint_eq(captures_next(cs, 0, &spec)->id, 1);
	ck_assert_uint_eq(captures_next(cs, 1, &spec)->id, 3);
	ck_assert_uint_eq(captures_next(cs, 4, &spec)->id, 7); /* the oldest that ended are forgotten */
	ck_assert_uint_eq(captures_next(cs, 10, &spec)->id, 11);
	ck_assert_ptr_null(captures_next(cs, 11, &spec));
	end();
}
END_TEST

/* What is under way when the daemon ends is written. */
START_TEST(shutdown)
{
	begin();
	start((struct capture_spec){ .ring = CAPTURE_RING_MIN });
	guest_sends_hex(arp_request);
	end();
}
END_TEST

SUITE_MAIN("capture", question_and_answer, flows, end_of_flow, drops, filters, headers_only, snaplen,
	   limit_of_packets, limit_of_bytes, limit_of_time, ring, full_sink, broken_sink,
	   broken_at_the_ends, reader_gone, stalled_end, how_many, shutdown)
