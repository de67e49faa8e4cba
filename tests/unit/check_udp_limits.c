/* What becomes of UDP flows that are there when less is allowed than before; and of bursts. */
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/udp.h"

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

/* A batch of one datagram of a byte. */
static enum drop guest_says(uint16_t sport, const char *text)
{
	enum drop reason;

	packet_udp(&packet, &(struct packet_ip){ .dst = PEER }, sport, 7, text, strlen(text));
	reason = demux_from_guest(&g.env, packet.frame, packet.len);
	demux_batch_end(&g.env);
	return reason;
}

static struct pkt decoded(size_t i)
{
	const struct fake_frame *f = fake_guest_frame(&g, i);
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	return p;
}

/* It is the new one that is refused. */
START_TEST(lower_limit_ends_nothing)
{
	begin();
	for (uint16_t port = 5000; port < 5004; port++)
		ck_assert_int_eq(guest_says(port, "a"), DROP_NONE);
	g.env.flows.max = 2;
	ck_assert_int_eq(guest_says(5004, "a"), DROP_FLOW_LIMIT);
	ck_assert_uint_eq(g.env.flows.n, 4);
	ck_assert_uint_eq(g.env.stats.udp_preempted, 0);
	ck_assert_uint_eq(g.env.stats.flow_refused, 1);
	end();
}
END_TEST

/* Flows that began before go on, both ways; nothing new begins. */
START_TEST(switched_off)
{
	struct pkt answer;

	begin();
	guest_says(5000, "a");
	g.conf.no_udp = true;
	ck_assert_int_eq(guest_says(5000, "b"), DROP_NONE);
	ck_assert_uint_eq(fake_udp_sock(&host, 0)->n_sent, 2);
	fake_udp_put(fake_udp_sock(&host, 0), "c", 1);
	fake_udp_run(&g.env, &host);
	ck_assert_int_eq(decoded(0).proto, IP_UDP);
	ck_assert_int_eq(guest_says(5001, "d"), DROP_IP_PROTOCOL);
	answer = decoded(1);
	ck_assert_int_eq(answer.icmp.type, ICMP_TYPE_UNREACHABLE);
	ck_assert_int_eq(answer.icmp.code, ICMP_CODE_ADMIN_PROHIBITED);
	ck_assert_uint_eq(addr_get_ip4(&answer.src), GATEWAY);
	ck_assert_uint_eq(g.env.flows.n, 1);
	end();
}
END_TEST

/* Whether more would gather if we waited: not behind one by one, nor where there is more already. */
START_TEST(bursts_are_seen)
{
	static const struct {
		int n;
		bool burst;
	} rows[] = { { 1, false }, { 3, false }, { 4, true }, { 63, true }, { 64, false }, { 68, true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		guest_says(5000, "a");
		for (int k = 0; k < rows[i].n; k++)
			fake_udp_put(fake_udp_sock(&host, 0), "b", 1);
		fake_udp_run(&g.env, &host);
		ck_assert_uint_eq(g.n_frames, rows[i].n);
		ck_assert_msg(g.env.burst == rows[i].burst, "%d datagrams", rows[i].n);
		end();
	}
}
END_TEST

SUITE_MAIN("udp_limits", lower_limit_ends_nothing, switched_off, bursts_are_seen)
