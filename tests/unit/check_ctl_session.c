/* The control protocol with one client: negotiation, each class of error, each method, lists in
 * portions. */
#include "ctl/ctl_session.h"

#include <stdio.h>
#include <string.h>

#include "lib/fake_flow.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"

#define GREETING_START "{\"QMP\":{\"version\":{\"qemu\":{\"major\":"
#define NEGOTIATE      "{\"execute\": \"qmp_capabilities\"}"
#define ALL_UNITS      1000000

static struct fake_guest g;
static struct ctl_session session;
static struct ctl_info info;
static unsigned n_quits;

static void quit(void *ctx)
{
	n_quits++;
}

static struct ctl_target target = { &g.env, quit, NULL };

static void input(const char *text)
{
	ctl_session_input(&session, text, strlen(text));
}

static char taken[4 * CTL_BACKLOG_MAX];

/* The client takes what waits for it: behind the first `len` bytes of taken[]. */
static size_t take_behind(size_t len)
{
	size_t n = ctl_buf_len(&session.out);

	ck_assert(!session.out.failed);
	ck_assert_uint_lt(len + n, sizeof(taken));
	memcpy(taken + len, ctl_buf_text(&session.out), n);
	taken[len + n] = '\0';
	ctl_buf_consume(&session.out, n);
	return len + n;
}

static const char *take(void)
{
	take_behind(0);
	return taken;
}

/* Sends `text`; what there is to answer to it. */
static const char *say(const char *text)
{
	size_t len = 0;

	input(text);
	while (session.pending && !session.hangup) {
		ctl_session_work(&session, ALL_UNITS);
		len = take_behind(len);
	}
	return taken;
}

static void start(enum ctl_authority authority)
{
	fake_guest_init(&g);
	info = (struct ctl_info){ .start_ns = g.env.now_ns - 5 * NS_PER_SEC, .n_clients = 1 };
	ctl_session_init(&session, &target, &info, authority);
	ck_assert_int_eq(strncmp(take(), GREETING_START, strlen(GREETING_START)), 0);
}

static void start_negotiated(void)
{
	start(CTL_MAY_CHANGE);
	ck_assert_str_eq(say(NEGOTIATE), "{\"return\": {}}\r\n");
}

static void stop(void)
{
	ctl_session_free(&session);
	fake_flow_close_all(&g.env);
	fake_guest_free(&g);
}

static void assert_contains(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text);
}

static void assert_error(const char *request, const char *class, const char *desc)
{
	char want[512];

	snprintf(want, sizeof(want), "{\"error\": {\"class\":\"%s\",\"desc\":\"%s\"}}\r\n",
		 class, desc);
	ck_assert_str_eq(say(request), want);
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		n++;
	}
	return n;
}

START_TEST(negotiation)
{
	static const char first[] = "'qmp_capabilities' must come before all other commands";

	start(CTL_MAY_CHANGE);
	assert_error("{\"execute\": \"query-status\"}", "CommandNotFound", first);
	assert_error("{\"execute\": \"quit\"}", "CommandNotFound", first);
	assert_error("{\"execute\": \"nonsense\"}", "CommandNotFound", first);
	assert_error(
		"{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}",
		"GenericError", "capability 'oob' is not offered");
	assert_error("{\"execute\": \"query-status\"}", "CommandNotFound", first);
	ck_assert_str_eq(
		say("{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": []}}"),
		"{\"return\": {}}\r\n");
	assert_error(NEGOTIATE, "CommandNotFound", "'qmp_capabilities' was done already");
	ck_assert_uint_eq(n_quits, 0);
	stop();
}
END_TEST

START_TEST(errors)
{
	start_negotiated();
	assert_error("{\"execute\": \"no-such\"}", "CommandNotFound",
		     "command 'no-such' is not known");
	assert_error("{}", "GenericError", "request member 'execute' is missing");
	assert_error("{\"execute\": 5}", "GenericError",
		     "request member 'execute' must be a string");
	assert_error("{\"execute\": \"quit\", \"now\": 1}", "GenericError",
		     "request member 'now' is not known");
	assert_error("{\"exec-oob\": \"quit\"}", "GenericError",
		     "request member 'exec-oob' is not known");
	assert_error("{\"execute\": \"quit\", \"execute\": \"quit\"}", "GenericError",
		     "request member 'execute' is given twice");
	assert_error("{\"execute\": \"quit\", \"arguments\": []}", "GenericError",
		     "'arguments' must be an object");
	assert_error("{\"execute\": \"quit\", \"arguments\": {\"now\": true}}", "GenericError",
		     "argument 'now' is not known");
	assert_error("{\"execute\": \"quit\",}", "GenericError", "the text is not JSON");
	ck_assert_uint_eq(n_quits, 0);
	stop();
}
END_TEST

START_TEST(ids)
{
	start_negotiated();
	ck_assert_str_eq(say("{\"execute\": \"flow-close\", \"id\": [1, {\"a\": 2}]}"),
			 "{\"error\": {\"class\":\"GenericError\",\"desc\":\"argument 'id' is "
			 "missing\"}, "
			 "\"id\": [1, {\"a\": 2}]}\r\n");
	ck_assert_str_eq(say("{\"id\": null, \"execute\": \"no-such\"}"),
			 "{\"error\": {\"class\":\"CommandNotFound\","
			 "\"desc\":\"command 'no-such' is not known\"}, \"id\": null}\r\n");
	ck_assert_str_eq(say("{\"id\": 1.50, \"execute\": \"query-flows\"}"),
			 "{\"return\": [], \"id\": 1.50}\r\n");
	/* the id of one request is not that of the next, however that one fails */
	ck_assert_str_eq(say("nonsense\n"),
			 "{\"error\": {\"class\":\"GenericError\","
			 "\"desc\":\"a request must be a JSON object\"}}\r\n");
	stop();
}
END_TEST

START_TEST(split_and_merged)
{
	static const char two[] = "{\"execute\": \"query-flows\", \"id\": 1}\r\n"
				  "{\"execute\": \"query-flows\", \"id\": 2}";

	start_negotiated();
	ck_assert_str_eq(say(two),
			 "{\"return\": [], \"id\": 1}\r\n{\"return\": [], \"id\": 2}\r\n");
	for (size_t i = 0; i + 1 < strlen(two); i++) {
		char byte[2] = { two[i], '\0' };
		const char *reply = say(byte);

		if (*reply)
			ck_assert_str_eq(reply, "{\"return\": [], \"id\": 1}\r\n");
	}
	ck_assert_str_eq(say("}"), "{\"return\": [], \"id\": 2}\r\n");
	stop();
}
END_TEST

START_TEST(garbage_does_not_end_the_session)
{
	static const char error[] = "{\"error\": {\"class\":\"GenericError\","
				    "\"desc\":\"a request must be a JSON object\"}}\r\n";

	start_negotiated();
	ck_assert_str_eq(say("GET / HTTP/1.1\r\n"), error);
	ck_assert_str_eq(say("{\"execute\": \xff"), error);
	ck_assert_str_eq(say("{\"execute\": \"query-flows\"}"), "{\"return\": []}\r\n");
	stop();
}
END_TEST

START_TEST(too_large_or_deep)
{
	char *text = calloc(1, CTL_REQUEST_MAX + 1);

	start_negotiated();
	/* as large as may be: only its end is missing */
	memset(text, ' ', CTL_REQUEST_MAX);
	text[0] = '{';
	text[CTL_REQUEST_MAX - 1] = '}';
	ck_assert_str_eq(say(text), "{\"error\": {\"class\":\"GenericError\","
				    "\"desc\":\"request member 'execute' is missing\"}}\r\n");
	text[CTL_REQUEST_MAX - 1] = ' ';
	ck_assert_uint_eq(ctl_session_room(&session), CTL_REQUEST_MAX);
	ck_assert_str_eq(say(text), "{\"error\": {\"class\":\"GenericError\","
				    "\"desc\":\"the request is too large\"}}\r\n");
	ck_assert(session.hangup);
	ck_assert_uint_eq(ctl_session_room(&session), 0);
	stop();

	start_negotiated();
	memset(text, '[', 100);
	memcpy(text, "{\"a\": ", 6);
	text[100] = '\0';
	ck_assert_str_eq(say(text), "{\"error\": {\"class\":\"GenericError\","
				    "\"desc\":\"the request is nested too deeply\"}}\r\n");
	ck_assert(session.hangup);
	stop();
	free(text);
}
END_TEST

START_TEST(only_looking)
{
	start(CTL_MAY_LOOK);
	say(NEGOTIATE);
	fake_flow_open(&g.env, 1);
	assert_error("{\"execute\": \"quit\"}", "GenericError",
		     "'quit' changes something; this socket may only look");
	assert_error("{\"execute\": \"flow-close\", \"arguments\": {\"id\": 1}}",
		     "GenericError",
		     "'flow-close' changes something; this socket may only look");
	ck_assert_uint_eq(n_quits, 0);
	ck_assert_uint_eq(g.env.flows.n, 1);
	assert_contains(say("{\"execute\": \"query-flows\"}"), "\"id\":1,");
	stop();
}
END_TEST

START_TEST(version_and_commands)
{
	const struct ctl_method *m;
	char part[64];
	const char *text;

	start_negotiated();
	assert_contains(say("{\"execute\": \"query-version\"}"),
			"\"package\":\"postern-" POSTERN_VERSION "\"}}\r\n");
	text = say("{\"execute\": \"query-commands\"}");
	for (uint64_t i = 0; (m = ctl_method_at(i)); i++) {
		snprintf(part, sizeof(part), "{\"name\":\"%s\"}", m->name);
		assert_contains(text, part);
		ck_assert((m->look != NULL) != (m->change != NULL));
	}
	stop();
}
END_TEST

START_TEST(status)
{
	const char *text;

	start_negotiated();
	g.env.guest.addr_known = true;
	g.env.guest.addr = g.net.guest;
	g.env.guest.seen_ns = g.env.now_ns - 20 * NS_PER_MS;
	g.net.dns[0] = addr_ip4(0xc0000235);
	g.net.n_dns = 1;
	strcpy(g.net.search[0], "example.com");
	strcpy(g.net.hostname, "\x1b]evil");
	g.net.n_search = 1;
	fake_flow_open(&g.env, 1);
	text = say("{\"execute\": \"query-status\"}");
	assert_contains(text, "\"version\":\"" POSTERN_VERSION "\"");
	assert_contains(text, "\"uptime_ms\":5000,");
	assert_contains(text, "\"guest\":{\"connected\":true,\"mac\":\"52:54:00:12:34:56\","
			      "\"addr\":\"10.0.2.15\",\"idle_ms\":20}");
	assert_contains(text,
			"\"address\":\"10.0.2.15\",\"prefix_len\":24,\"gateway\":\"10.0.2.2\"");
	assert_contains(text, "\"dns\":[\"192.0.2.53\"]");
	assert_contains(text, "\"search\":[\"example.com\"],\"hostname\":\"\\u001b]evil\"");
	assert_contains(text,
			"\"flows\":{\"open\":1,\"max\":65536,\"tcp\":1,\"udp\":0,\"icmp\":0}");
	assert_contains(text, "\"control\":{\"clients\":1,\"max\":64}");
	ck_assert_uint_eq(g.n_frames, 0);
	stop();
}
END_TEST

START_TEST(stats)
{
	const char *text;

	start_negotiated();
	g.env.stats.link_frames_in = UINT64_MAX;
	g.env.stats.drops[DROP_RUNT] = 3;
	g.env.flows.by_reason[FLOW_CLOSED_IDLE] = 4;
	text = say("{\"execute\": \"query-stats\"}");
	assert_contains(text, "{\"name\":\"link.frames-in\",\"value\":18446744073709551615,"
			      "\"description\":\"frames from the guest\"}");
	assert_contains(text, "{\"name\":\"drop.runt\",\"value\":3,"
			      "\"description\":\"frame shorter than an Ethernet header\"}");
	assert_contains(text, "{\"name\":\"closed.idle\",\"value\":4,");
	ck_assert_uint_eq(count(text, "\"value\""),
			  n_stats_rows + N_DROPS - 1 + N_FLOW_CLOSE_REASONS - 1);
	stop();
}
END_TEST

START_TEST(flow_members)
{
	struct flow *f;

	start_negotiated();
	f = fake_flow_open(&g.env, 40112);
	f->bytes_out = 10;
	f->bytes_in = 20;
	f->packets_out = 1;
	f->packets_in = 2;
	g.env.now_ns += 3 * NS_PER_SEC;
	f->used_ns += NS_PER_SEC;
	ck_assert_str_eq(
		say("{\"execute\": \"query-flows\"}"),
		"{\"return\": [{\"id\":1,\"proto\":\"tcp\",\"dir\":\"out\","
		"\"state\":\"ESTABLISHED\",\"guest\":{\"addr\":\"10.0.2.15\",\"port\":40112},"
		"\"host\":{\"addr\":\"192.0.2.9\",\"port\":40112},"
		"\"peer\":{\"addr\":\"198.51.100.1\",\"port\":80},"
		"\"bytes_out\":10,\"bytes_in\":20,\"packets_out\":1,\"packets_in\":2,"
		"\"age_ms\":3000,\"idle_ms\":2000,\"timeout_ms\":3598000}]}\r\n");
	/* the peer under another name, the host's end not known yet */
	f->peer = (struct endpoint){ addr_ip4(0x7f000001), 80 };
	f->host.port = 0;
	assert_contains(say("{\"execute\": \"query-flows\"}"),
			"\"dest\":{\"addr\":\"198.51.100.1\",\"port\":80},"
			"\"peer\":{\"addr\":\"127.0.0.1\",\"port\":80}");
	stop();
}
END_TEST

static unsigned listed(const char *arguments)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "{\"execute\": \"query-flows\", \"arguments\": {%s}}", arguments);
	return count(say(request), "\"id\":");
}

START_TEST(flow_filters)
{
	start_negotiated();
	fake_flow_open(&g.env, 1000);
	fake_flow_open_to(&g.env, FLOW_UDP, 1000,
			  (struct endpoint){ addr_ip4(0xc0000235), 53 });
	fake_flow_open_to(&g.env, FLOW_ICMP, 7, (struct endpoint){ addr_ip4(0xcb007105), 0 })
		->dir = FLOW_IN;
	ck_assert_uint_eq(listed(""), 3);
	ck_assert_uint_eq(listed("\"proto\": \"udp\""), 1);
	ck_assert_uint_eq(listed("\"dir\": \"in\""), 1);
	ck_assert_uint_eq(listed("\"state\": \"established\""), 3);
	ck_assert_uint_eq(listed("\"state\": \"SYN-SENT\""), 0);
	ck_assert_uint_eq(listed("\"port\": 1000"), 2);
	ck_assert_uint_eq(listed("\"port\": 53"), 1);
	ck_assert_uint_eq(listed("\"addr\": \"192.0.2.53\""), 1);
	ck_assert_uint_eq(listed("\"addr\": \"10.0.2.0/24\""), 3);
	ck_assert_uint_eq(listed("\"addr\": \"198.51.100.0/24\", \"port\": 80"), 1);
	ck_assert_uint_eq(listed("\"addr\": \"198.51.100.0/24\", \"port\": 1000"), 0);
	ck_assert_uint_eq(listed("\"addr\": \"2001:db8::/32\""), 0);
	ck_assert_uint_eq(listed("\"limit\": 2"), 2);
	ck_assert_uint_eq(listed("\"after\": 1"), 2);
	ck_assert_uint_eq(listed("\"after\": 3"), 0);
	ck_assert_uint_eq(listed("\"after\": 9007199254740992"), 0);
	stop();
}
END_TEST

START_TEST(flow_query_refusals)
{
	static const char *const bad_addr[] = { "",
						"x",
						"192.0.2.1/33",
						"192.0.2.1/",
						"192.0.2.1/-1",
						"192.0.2.1/1x",
						"192.0.2.1/ 1",
						"::/129",
						"/8" };
	char request[256];

	start_negotiated();
	for (size_t i = 0; i < sizeof(bad_addr) / sizeof(bad_addr[0]); i++) {
		snprintf(request, sizeof(request),
			 "{\"execute\": \"query-flows\", \"arguments\": {\"addr\": \"%s\"}}",
			 bad_addr[i]);
		assert_error(request, "GenericError",
			     "argument 'addr' must be an IP address or prefix");
	}
	assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"proto\": \"sctp\"}}",
		     "GenericError", "argument 'proto' must be one of: tcp, udp, icmp");
	assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"limit\": 0}}",
		     "GenericError", "argument 'limit' must be an integer from 1 to 10000");
	assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"limit\": 10001}}",
		     "GenericError", "argument 'limit' must be an integer from 1 to 10000");
	assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"closed\": true, "
		     "\"after\": 1}}",
		     "GenericError", "argument 'after' does not go with 'closed'");
	stop();
}
END_TEST

/* The ids at `text` are 1 to `n`, up to the end of the array. */
static const char *assert_ids(const char *text, uint64_t n)
{
	const char *end = strchr(text, ']');

	ck_assert_ptr_nonnull(end);
	for (uint64_t id = 1; id <= n; id++) {
		text = strstr(text, "{\"id\":");
		ck_assert_ptr_nonnull(text);
		text += strlen("{\"id\":");
		ck_assert_uint_eq(strtoull(text, NULL, 10), id);
	}
	ck_assert(!strstr(text, "{\"id\":") || strstr(text, "{\"id\":") > end);
	return end;
}

static void close_flow(uint64_t id)
{
	struct flow *f = flow_table_by_id(&g.env.flows, id);

	f->class->close(&g.env, f, FLOW_CLOSED_IDLE);
}

/* A long list, in portions, to a client that does not read at first, while flows end. */
START_TEST(flows_in_portions)
{
	enum { N = 3000 };
	static const char next[] = "]}\r\n{\"return\": [{";
	const char *second;
	size_t len = 0;

	start_negotiated();
	for (unsigned i = 0; i < N; i++)
		fake_flow_open(&g.env, (uint16_t)(i + 1));
	input("{\"execute\": \"query-flows\", \"arguments\": {\"limit\": 10000}}"
	      "{\"execute\": \"query-flows\", \"id\": \"x\"}");
	ctl_session_work(&session, CTL_WORK_PER_TURN);
	ck_assert_uint_lt(ctl_buf_len(&session.out), CTL_BACKLOG_STOP / 2);
	for (unsigned turns = 0; turns < 100; turns++)
		ctl_session_work(&session, CTL_WORK_PER_TURN);
	ck_assert(session.pending);
	ck_assert_uint_ge(ctl_buf_len(&session.out), CTL_BACKLOG_STOP);
	ck_assert_uint_lt(ctl_buf_len(&session.out), CTL_BACKLOG_STOP + 1024);
	close_flow(N);
	while (session.pending) {
		ctl_session_work(&session, CTL_WORK_PER_TURN);
		len = take_behind(len);
	}
	second = assert_ids(taken, N - 1);
	ck_assert_int_eq(strncmp(second, next, strlen(next)), 0);
	second = assert_ids(second + 1, CTL_FLOWS_LIMIT_DEFAULT);
	ck_assert_str_eq(second, "], \"id\": \"x\"}\r\n");
	stop();
}
END_TEST

START_TEST(closed_flows)
{
	const char *text;

	start_negotiated();
	for (unsigned i = 1; i <= FLOW_CLOSED_KEPT + 10; i++) {
		struct flow *f = fake_flow_open(&g.env, (uint16_t)i);

		g.env.now_ns += NS_PER_SEC;
		f->class->close(&g.env, f, i % 2 ? FLOW_CLOSED_IDLE : FLOW_CLOSED_PEER_RESET);
	}
	g.env.now_ns += 2 * NS_PER_SEC;
	ck_assert_uint_eq(listed("\"closed\": true"), FLOW_CLOSED_KEPT);
	ck_assert_uint_eq(listed("\"closed\": false"), 0);
	ck_assert_uint_eq(listed("\"closed\": true, \"port\": 266"), 1);
	text = say("{\"execute\": \"query-flows\", \"arguments\": {\"closed\": true, "
		   "\"limit\": 1}}");
	assert_contains(text,
			"{\"id\":266,\"proto\":\"tcp\",\"dir\":\"out\",\"state\":\"CLOSED\"");
	assert_contains(text,
			"\"age_ms\":1000,\"reason\":\"peer-reset\",\"closed_ms\":2000}]}");
	stop();
}
END_TEST

START_TEST(flow_close)
{
	start_negotiated();
	fake_flow_open(&g.env, 1);
	assert_error("{\"execute\": \"flow-close\", \"arguments\": {\"id\": 2}}",
		     "GenericError", "there is no open flow 2");
	assert_error("{\"execute\": \"flow-close\", \"arguments\": {\"id\": -1}}",
		     "GenericError",
		     "argument 'id' must be an integer from 1 to 9007199254740992");
	/* nothing changes when only a part is right */
	assert_error(
		"{\"execute\": \"flow-close\", \"arguments\": {\"id\": 1, \"how\": \"rst\"}}",
		"GenericError", "argument 'how' is not known");
	ck_assert_uint_eq(g.env.flows.n, 1);
	ck_assert_str_eq(say("{\"execute\": \"flow-close\", \"arguments\": {\"id\": 1}}"),
			 "{\"return\": {}}\r\n");
	ck_assert_uint_eq(g.env.flows.n, 0);
	ck_assert_uint_eq(g.env.flows.by_reason[FLOW_CLOSED_BY_OPERATOR], 1);
	stop();
}
END_TEST

START_TEST(quit_command)
{
	start_negotiated();
	n_quits = 0;
	ck_assert_str_eq(say("{\"execute\": \"quit\"}"), "{\"return\": {}}\r\n");
	ck_assert_uint_eq(n_quits, 1);
	stop();
}
END_TEST

START_TEST(names_agree)
{
	for (unsigned i = 0; i < N_FLOW_PROTOS; i++)
		ck_assert_str_eq(ctl_proto_names[i], flow_proto_name((enum flow_proto)i));
	ck_assert_ptr_null(ctl_proto_names[N_FLOW_PROTOS]);
	ck_assert_str_eq(ctl_dir_names[FLOW_OUT], flow_dir_name(FLOW_OUT));
	ck_assert_str_eq(ctl_dir_names[FLOW_IN], flow_dir_name(FLOW_IN));
	ck_assert_str_eq(ctl_source_names[NET_FROM_FLAG], "flag");
	ck_assert_str_eq(ctl_source_names[NET_FROM_HOST], "host");
	ck_assert_str_eq(ctl_source_names[NET_FROM_FALLBACK], "fallback");
}
END_TEST

SUITE_MAIN("ctl_session", negotiation, errors, ids, split_and_merged,
	   garbage_does_not_end_the_session, too_large_or_deep, only_looking,
	   version_and_commands, status, stats, flow_members, flow_filters, flow_query_refusals,
	   flows_in_portions, closed_flows, flow_close, quit_command, names_agree)
