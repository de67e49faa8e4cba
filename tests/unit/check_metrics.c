/* posternctl metrics: the text, byte for byte; tests/integration/test_metrics.py has another's parser
 * read it. */
#include "cli/metrics.h"

#include <string.h>

#include "lib/suite.h"

static char text[1 << 16];

static const char *print(const struct metrics *m)
{
	FILE *out;

	memset(text, 0, sizeof(text));
	out = fmemopen(text, sizeof(text) - 1, "w");
	metrics_print(out, m);
	fclose(out);
	return text;
}

static void assert_part(const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text);
}

START_TEST(state)
{
	static const struct ctl_limit limits[] = {
		{ .limit = "flows", .used = 7, .max = 65536 },
		{ CTL_LIMIT_HAS_HARD, "open-files", 41, 1024, 4096 },
	};
	static const struct ctl_layer layers[] = { { .layer = 8, .state = CTL_LAYER_APPLIED },
						   { .layer = 7, .state = CTL_LAYER_APPLIED + 1 } };
	const struct ctl_status status = { .version = "1\"2\\3\n4",
					   .uptime_ms = 61005,
					   .guest = { .connected = true },
					   .flows = { .tcp = 4, .udp = 3 },
					   .limits = { limits, 2 },
					   .sandbox = { layers, 2 } };
	const struct ctl_dns dns = { .relay = false };

	print(&(struct metrics){ &status, NULL, 0, &dns });
	assert_part("# TYPE postern_build_info gauge\n"
		    "# HELP postern_build_info always 1, with the version of the daemon\n"
		    "postern_build_info{version=\"1\\\"2\\\\3\\n4\"} 1\n"
		    "# TYPE postern_uptime_seconds gauge\n"
		    "# UNIT postern_uptime_seconds seconds\n"
		    "# HELP postern_uptime_seconds time since the daemon started\n"
		    "postern_uptime_seconds 61.005\n");
	assert_part("\npostern_guest_connected 1\n");
	ck_assert_ptr_null(strstr(text, "postern_guest_idle_seconds"));
	assert_part("\npostern_flows_open{protocol=\"tcp\"} 4\n"
		    "postern_flows_open{protocol=\"udp\"} 3\n"
		    "postern_flows_open{protocol=\"icmp\"} 0\n");
	assert_part("\npostern_limit_used{limit=\"flows\"} 7\n");
	assert_part("\npostern_limit_max{limit=\"flows\"} 65536\n");
	assert_part("\npostern_limit_used{limit=\"open-files\"} 41\n");
	assert_part("\npostern_limit_max{limit=\"open-files\"} 1024\n");
	assert_part(" how far the system would let the daemon raise it\n"
		    "postern_limit_hard{limit=\"open-files\"} 4096\n");
	assert_part("\npostern_sandbox_layer{layer=\"seccomp\"} 1\n");
	assert_part("\npostern_sandbox_layer{layer=\"not_dumpable\"} 0\n");
	ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
}
END_TEST

START_TEST(servers)
{
	static const struct ctl_dns_server all[] = {
		{ .addr = "fe80::1%eth0", .queries = 9, .answers = 5, .timeouts = 3, .failures = 1 },
		{ .addr = "fe80::1%eth1", .queries = 2 },
	};
	const struct ctl_status status = { .version = "1" };
	const struct ctl_dns dns = { .servers = { all, 2 } };

	print(&(struct metrics){ &status, NULL, 0, &dns });
	assert_part("# TYPE postern_dns_server_queries counter\n"
		    "# HELP postern_dns_server_queries queries to a name server of the host\n"
		    "postern_dns_server_queries_total{server=\"fe80::1%eth0\"} 9\n"
		    "postern_dns_server_queries_total{server=\"fe80::1%eth1\"} 2\n"
		    "# TYPE postern_dns_server_answers counter\n");
	assert_part("\npostern_dns_server_answers_total{server=\"fe80::1%eth0\"} 5\n");
	assert_part("\npostern_dns_server_timeouts_total{server=\"fe80::1%eth0\"} 3\n");
	assert_part("\npostern_dns_server_failures_total{server=\"fe80::1%eth0\"} 1\n");
}
END_TEST

START_TEST(counters)
{
	static const struct ctl_counter all[] = {
		{ "link.frames-in", CTL_COUNTER, UINT64_MAX, "frames" },
		{ "link.bytes-in", CTL_COUNTER, 1, "bytes" },
		{ "tcp.queued-bytes", CTL_COUNTER, 2, "more \\ bytes" },
		{ "memory.resident-bytes", CTL_GAUGE, 3, "memory" },
		{ "flow.opened", CTL_COUNTER, 4, "a sum" },
		{ "tcp.opened", CTL_COUNTER, 4, "x" },
		{ "udp.opened", CTL_COUNTER, 0, "x" },
		{ "drop.runt", CTL_COUNTER, 5, "x" },
		{ "closed.idle", CTL_COUNTER, 6, "a sum" },
		{ "udp.closed.idle", CTL_COUNTER, 6, "x" },
		{ "log.errors", CTL_COUNTER, 7, "x" },
		{ "limit.open-files", CTL_COUNTER, 8, "x" },
		{ "dns.upstream.2001:db8::35.queries", CTL_COUNTER, 9, "as query-dns has it" },
	};
	const struct ctl_status status = { .version = "1" };
	const struct ctl_dns dns = { .relay = false };

	print(&(struct metrics){ &status, all, sizeof(all) / sizeof(all[0]), &dns });
	assert_part("# TYPE postern_link_frames_in counter\n"
		    "# HELP postern_link_frames_in frames\n"
		    "postern_link_frames_in_total 18446744073709551615\n"
		    "# TYPE postern_link_in_bytes counter\n"
		    "# UNIT postern_link_in_bytes bytes\n"
		    "# HELP postern_link_in_bytes bytes\n"
		    "postern_link_in_bytes_total 1\n"
		    "# TYPE postern_tcp_queued_bytes counter\n"
		    "# UNIT postern_tcp_queued_bytes bytes\n"
		    "# HELP postern_tcp_queued_bytes more \\\\ bytes\n"
		    "postern_tcp_queued_bytes_total 2\n"
		    "# TYPE postern_memory_resident_bytes gauge\n"
		    "# UNIT postern_memory_resident_bytes bytes\n"
		    "# HELP postern_memory_resident_bytes memory\n"
		    "postern_memory_resident_bytes 3\n"
		    "# TYPE postern_loop_turn_seconds histogram\n");
	assert_part("\npostern_dropped_frames_total{reason=\"runt\"} 5\n# TYPE");
	assert_part("\npostern_flows_opened_total{protocol=\"tcp\"} 4\n"
		    "postern_flows_opened_total{protocol=\"udp\"} 0\n# TYPE");
	assert_part("\npostern_flows_closed_total{protocol=\"udp\",reason=\"idle\"} 6\n# TYPE");
	assert_part("\npostern_problems_total{level=\"errors\"} 7\n# TYPE");
	assert_part("\npostern_limits_reached_total{limit=\"open-files\"} 8\n# TYPE");
	ck_assert_ptr_null(strstr(text, "db8"));

	/* the older format names counters by their samples */
	print(&(struct metrics){ &status, all, sizeof(all) / sizeof(all[0]), &dns, NULL, true });
	assert_part("# TYPE postern_link_in_bytes_total counter\n"
		    "# HELP postern_link_in_bytes_total bytes\n"
		    "postern_link_in_bytes_total 1\n");
	assert_part("# TYPE postern_memory_resident_bytes gauge\n");
	assert_part("# TYPE postern_dns_server_queries_total counter\n");
	assert_part("# TYPE postern_flows_opened_total counter\n"
		    "# HELP postern_flows_opened_total flows that were opened, by protocol\n"
		    "postern_flows_opened_total{protocol=\"tcp\"} 4\n");
}
END_TEST

START_TEST(histogram)
{
	static const struct ctl_counter all[] = {
		{ "loop.up-to-1us", CTL_COUNTER, 2, "x" },
		{ "loop.up-to-1048576us", CTL_COUNTER, 5, "x" },
		{ "loop.turns", CTL_COUNTER, 6, "x" },
		{ "loop.time-ns", CTL_COUNTER, 2000000042, "x" },
	};
	const struct ctl_status status = { .version = "1" };
	const struct ctl_dns dns = { .relay = false };

	print(&(struct metrics){ &status, all, 4, &dns });
	assert_part("postern_loop_turn_seconds_bucket{le=\"0.000001\"} 2\n"
		    "postern_loop_turn_seconds_bucket{le=\"1.048576\"} 5\n"
		    "postern_loop_turn_seconds_bucket{le=\"+Inf\"} 6\n"
		    "postern_loop_turn_seconds_sum 2.000000042\n"
		    "postern_loop_turn_seconds_count 6\n"
		    "# EOF\n");
	ck_assert_ptr_null(strstr(text, "up_to"));
}
END_TEST

/* Several daemons' texts may come to one place. */
START_TEST(guest_label)
{
	static const struct ctl_counter all[] = {
		{ "link.frames-in", CTL_COUNTER, 1, "frames" },
		{ "udp.closed.idle", CTL_COUNTER, 6, "x" },
		{ "loop.up-to-1us", CTL_COUNTER, 2, "x" },
	};
	static const struct ctl_limit limits[] = { { 0, "flows", 7, 65536 } };
	const struct ctl_status status = { .version = "1", .limits = { limits, 1 } };
	const struct ctl_dns dns = { .relay = false };

	print(&(struct metrics){ &status, all, 3, &dns, "a\"b" });
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		ck_assert_msg(*line == '#' || strstr(line, "{guest=\"a\\\"b\"") == strchr(line, '{'), "%s", line);
	assert_part("\npostern_uptime_seconds{guest=\"a\\\"b\"} 0.000\n");
	assert_part("\npostern_limit_max{guest=\"a\\\"b\",limit=\"flows\"} 65536\n");
	assert_part("\npostern_link_frames_in_total{guest=\"a\\\"b\"} 1\n");
	assert_part("\npostern_flows_closed_total{guest=\"a\\\"b\",protocol=\"udp\",reason=\"idle\"} 6\n");
	assert_part("_bucket{guest=\"a\\\"b\",le=\"0.000001\"} 2\n");
	assert_part("\npostern_loop_turn_seconds_sum{guest=\"a\\\"b\"} 0.000000000\n");
}
END_TEST

SUITE_MAIN("metrics", state, servers, counters, histogram, guest_label)
