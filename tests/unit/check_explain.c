/* What posternctl explain finds: each rule, and that none speaks of what is in order. */
#include "cli/explain.h"

#include <errno.h>
#include <string.h>

#include "flow/flow.h"
#include "lib/suite.h"

#define TCP_INFO_BITS                                                                          \
	(CTL_FLOW_INFO_HAS_TCP | CTL_FLOW_INFO_HAS_KERNEL | CTL_FLOW_INFO_HAS_WINDOW)

static struct explain_finding found[EXPLAIN_MAX];

/* An established connection in order. */
static struct ctl_flow sound(void)
{
	return (struct ctl_flow){ .has = CTL_FLOW_HAS_INFO,
				  .id = 7,
				  .proto = FLOW_TCP,
				  .dir = FLOW_OUT,
				  .state = "ESTABLISHED",
				  .guest = { .port = 40000 },
				  .bytes_out = 10000000,
				  .packets_in = 1000,
				  .packets_out = 1000,
				  .age_ms = 60000,
				  .idle_ms = 10,
				  .info = { .has = TCP_INFO_BITS,
					    .guest_window = 65536,
					    .guest_mss = 1460,
					    .mss = 1448,
					    .cwnd = 10,
					    .rtt_us = 10000,
					    .peer_window = 65536 } };
}

static const char *codes(const struct ctl_flow *f)
{
	static char text[256];
	unsigned n = explain_flow(f, found);

	ck_assert_uint_ge(n, 1);
	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		strcat(strcat(text, i ? " " : ""), found[i].code);
		ck_assert_uint_gt(strlen(found[i].text), 10);
		ck_assert_uint_lt(strlen(found[i].text), EXPLAIN_TEXT - 1);
		ck_assert_int_eq(found[i].text[strlen(found[i].text) - 1], '.');
	}
	return text;
}

START_TEST(in_order)
{
	struct ctl_flow f = sound();

	ck_assert_str_eq(codes(&f), "fine");
	/* a busy one: all windows in use, and moving */
	f.info.unacked = 65536;
	f.info.guest_window = 0;
	f.info.recv_queue = 200000;
	f.info.send_queue = 30000;
	f.info.retransmits = 1;
	f.info.guest_retransmits = 2;
	ck_assert_str_eq(codes(&f), "fine");
}
END_TEST

START_TEST(open_flows)
{
	static const char *const states[][2] = { { "CONNECTING", "peer-not-connected" },
						 { "SYN-SENT", "guest-not-connected" },
						 { "SYN-RECEIVED", "guest-not-connected" },
						 { "FIN-WAIT-1", "peer-finished" },
						 { "FIN-WAIT-2", "peer-finished" },
						 { "CLOSE-WAIT", "guest-finished" },
						 { "LAST-ACK", "ending" },
						 { "CLOSING", "ending" },
						 { "TIME-WAIT", "ending" } };
	struct ctl_flow f;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		f = sound();
		f.state = states[i][0];
		ck_assert_str_eq(codes(&f), states[i][1]);
	}
	f = sound();
	f.state = "CONNECTING";
	f.age_ms = 999;
	ck_assert_str_eq(codes(&f), "fine");
	f = sound();
	f.proto = FLOW_UDP;
	f.state = "UNREPLIED";
	f.info = (struct ctl_flow_info){ .queue_out = 5000 };
	ck_assert_str_eq(codes(&f), "host-socket-full not-answered");
}
END_TEST

START_TEST(guest_side)
{
	struct ctl_flow f = sound();

	f.info.guest_window = 100;
	f.info.recv_queue = 100;
	ck_assert_str_eq(codes(&f), "fine"); /* it fits */
	f.info.recv_queue = 4096;
	ck_assert_str_eq(codes(&f), "guest-window-full");
	ck_assert_ptr_nonnull(strstr(found[0].text, "4.0K bytes"));
	f = sound();
	f.info.unacked = 1000;
	f.idle_ms = 5000;
	ck_assert_str_eq(codes(&f), "guest-silent");
	f = sound();
	f.info.guest_retransmits = 21;
	ck_assert_str_eq(codes(&f), "guest-loses");
}
END_TEST

START_TEST(peer_side)
{
	struct ctl_flow f = sound();

	f.info.queue_out = 1000;
	ck_assert_str_eq(codes(&f), "host-buffer-full");
	f.info.peer_window = 0;
	ck_assert_str_eq(codes(&f), "peer-window-full");
	f.info.queue_out = 0;
	ck_assert_str_eq(codes(&f), "fine"); /* nothing waits */
	f.info.send_queue = 1;
	f.info.unanswered = 3; /* questions to a closed window */
	ck_assert_str_eq(codes(&f), "peer-window-full");
	f.info.peer_window = 65536;
	ck_assert_str_eq(codes(&f), "peer-silent");
	ck_assert_ptr_nonnull(strstr(found[0].text, "3 times"));
	f = sound();
	f.info.retransmits = 140; /* of 7,000 segments */
	ck_assert_str_eq(codes(&f), "way-loses");
	f = sound();
	f.info.rtt_us = 200000;
	ck_assert_str_eq(codes(&f), "far-away");
	/* without the kernel's word, as a service of our own, nothing is guessed */
	f = sound();
	f.info.has = CTL_FLOW_INFO_HAS_TCP;
	f.info.queue_out = f.info.recv_queue = f.info.unanswered = 5;
	f.info.peer_window = f.info.mss = 0;
	ck_assert_str_eq(codes(&f), "fine");
}
END_TEST

/* Every reason that there is has words. */
START_TEST(closed_flows)
{
	struct ctl_flow f = { .has = CTL_FLOW_HAS_REASON | CTL_FLOW_HAS_CLOSED };

	for (unsigned dir = FLOW_OUT; dir <= FLOW_IN; dir++)
		for (unsigned r = FLOW_CLOSED_NOT + 1; r < N_FLOW_CLOSE_REASONS; r++) {
			f.dir = dir;
			f.state = "CLOSED";
			f.reason = flow_close_reason_name(r);
			f.has = CTL_FLOW_HAS_REASON | CTL_FLOW_HAS_CLOSED |
				(r == FLOW_CLOSED_TIMED_OUT ? CTL_FLOW_HAS_SILENT : 0);
			for (f.silent = 0; ctl_end_names[f.silent]; f.silent++)
				ck_assert_str_eq(codes(&f), f.reason);
		}
	f.reason = "something-new";
	ck_assert_str_eq(codes(&f), "unknown");
}
END_TEST

START_TEST(who_and_when)
{
	static const struct {
		const char *reason;
		enum flow_dir dir;
		const char *last;
		enum flow_end silent;
		const char *text;
	} cases[] = {
		{ "refused", FLOW_OUT, "CONNECTING", 0, "The peer refused" },
		{ "refused", FLOW_IN, "SYN-SENT", 0, "The guest refused" },
		{ "peer-reset", FLOW_OUT, "ESTABLISHED", 0, "The peer reset" },
		{ "peer-reset", FLOW_IN, "ESTABLISHED", 0, "The client reset" },
		{ "timed-out", FLOW_OUT, "CONNECTING", FLOW_END_PEER,
		  "The peer never answered" },
		{ "timed-out", FLOW_IN, "SYN-SENT", FLOW_END_GUEST,
		  "The guest never answered" },
		{ "timed-out", FLOW_OUT, "SYN-RECEIVED", FLOW_END_GUEST,
		  "The guest went silent" },
		{ "timed-out", FLOW_OUT, "SYN-RECEIVED", FLOW_END_PEER,
		  "The peer did not ack" },
		{ "timed-out", FLOW_OUT, "ESTABLISHED", FLOW_END_PEER, "The peer did not ack" },
		{ "timed-out", FLOW_IN, "ESTABLISHED", FLOW_END_PEER,
		  "The client did not ack" },
		{ "timed-out", FLOW_OUT, "LAST-ACK", FLOW_END_GUEST, "The guest did not ack" },
		{ "timed-out", FLOW_IN, "ESTABLISHED", FLOW_END_GUEST,
		  "The guest did not ack" },
		{ "idle", FLOW_OUT, "UNREPLIED", 0, "No answer ever came" },
		{ "idle", FLOW_OUT, "ASSURED", 0, "Nothing came" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_flow f = { .has = CTL_FLOW_HAS_REASON | CTL_FLOW_HAS_CLOSED,
				      .dir = cases[i].dir,
				      .reason = cases[i].reason,
				      .last_state = cases[i].last };

		if (cases[i].silent) {
			f.has |= CTL_FLOW_HAS_SILENT;
			f.silent = cases[i].silent - FLOW_END_GUEST;
		}

		ck_assert_uint_eq(explain_flow(&f, found), 1);
		ck_assert_int_eq(strncmp(found[0].text, cases[i].text, strlen(cases[i].text)), 0);
	}
}
END_TEST

/* The error of the host's socket is told with each reason that comes of one. */
START_TEST(errors)
{
	static const struct {
		const char *reason, *error;
		int number;
		const char *text;
	} cases[] = {
		{ "refused", "ECONNREFUSED", ECONNREFUSED,
		  "The peer refused it: nothing listens at that port, or a firewall rejects "
		  "it. "
		  "The host's socket said: Connection refused (ECONNREFUSED)." },
		{ "host-error", "EMFILE", EMFILE,
		  "The host's socket could not be had, or failed. The host's socket said: Too "
		  "many "
		  "open files (EMFILE)." },
		{ "unreachable", "EHOSTUNREACH", EHOSTUNREACH, NULL },
		{ "peer-reset", "EPIPE", EPIPE, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_flow f = { .has = CTL_FLOW_HAS_REASON | CTL_FLOW_HAS_CLOSED |
					     CTL_FLOW_HAS_ERROR,
				      .state = "CLOSED",
				      .reason = cases[i].reason,
				      .error = cases[i].error,
				      .error_number = (uint64_t)cases[i].number };

		ck_assert_str_eq(codes(&f), f.reason);
		ck_assert_ptr_nonnull(strstr(found[0].text, f.error));
		if (cases[i].text)
			ck_assert_str_eq(found[0].text, cases[i].text);
	}
}
END_TEST

START_TEST(forwards_and_servers)
{
	struct ctl_forward f = { .id = 3, .guest_port = 22, .open_ports = 1 };
	struct ctl_dns_server s = { .queries = 5, .addr = "192.0.2.53" };

	ck_assert_uint_eq(explain_forward(&f, true, found), 1);
	ck_assert_str_eq(found[0].code, "forward-unused");
	f.open_ports = 0;
	f.refused = 2;
	ck_assert_uint_eq(explain_forward(&f, false, found), 3);
	ck_assert_str_eq(found[0].code, "no-guest");
	ck_assert_str_eq(found[1].code, "forward-not-open");
	ck_assert_str_eq(found[2].code, "forward-refused");
	ck_assert_uint_eq(explain_server(&s, found), 0);
	s.timeouts = 4;
	s.has = CTL_DNS_SERVER_HAS_ERROR;
	s.last_error = "no answer in time";
	ck_assert_uint_eq(explain_server(&s, found), 1);
	ck_assert_ptr_nonnull(strstr(found[0].text, "192.0.2.53"));
	ck_assert_ptr_nonnull(strstr(found[0].text, "no answer in time"));
}
END_TEST

SUITE_MAIN("explain", in_order, open_flows, guest_side, peer_side, closed_flows, who_and_when,
	   errors, forwards_and_servers)
