/* The control protocol with one client: negotiation, each class of error, flows and counters,
 * lists in portions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/ctl_talk.h"
#include "lib/fake_flow.h"
#include "lib/suite.h"
#include "proto/event.h"
#include "proto/preempt.h"

START_TEST(negotiation)
{
	static const char first[] = "'qmp_capabilities' must come before all other commands";

	talk_start(CTL_MAY_CHANGE);
	talk_assert_error("{\"execute\": \"query-status\"}", "CommandNotFound", first);
	talk_assert_error("{\"execute\": \"quit\"}", "CommandNotFound", first);
	talk_assert_error("{\"execute\": \"nonsense\"}", "CommandNotFound", first);
	talk_assert_error(
		"{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}",
		"GenericError", "capability 'oob' is not offered");
	talk_assert_error("{\"execute\": \"query-status\"}", "CommandNotFound", first);
	ck_assert_str_eq(
		talk_say(
			"{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": []}}"),
		"{\"return\": {}}\r\n");
	talk_assert_error(TALK_NEGOTIATE, "CommandNotFound",
			  "'qmp_capabilities' was done already");
	ck_assert_uint_eq(talk_n_quits, 0);
	talk_stop();
}
END_TEST

START_TEST(errors)
{
	talk_start_negotiated();
	talk_assert_error("{\"execute\": \"no-such\"}", "CommandNotFound",
			  "command 'no-such' is not known");
	talk_assert_error("{}", "GenericError", "request member 'execute' is missing");
	talk_assert_error("{\"execute\": 5}", "GenericError",
			  "request member 'execute' must be a string");
	talk_assert_error("{\"execute\": \"quit\", \"now\": 1}", "GenericError",
			  "request member 'now' is not known");
	talk_assert_error("{\"exec-oob\": \"quit\"}", "GenericError",
			  "request member 'exec-oob' is not known");
	talk_assert_error("{\"execute\": \"quit\", \"execute\": \"quit\"}", "GenericError",
			  "request member 'execute' is given twice");
	talk_assert_error("{\"execute\": \"quit\", \"arguments\": []}", "GenericError",
			  "'arguments' must be an object");
	talk_assert_error("{\"execute\": \"quit\", \"arguments\": {\"now\": true}}",
			  "GenericError", "argument 'now' is not known");
	talk_assert_error("{\"execute\": \"quit\",}", "GenericError", "the text is not JSON");
	ck_assert_uint_eq(talk_n_quits, 0);
	talk_stop();
}
END_TEST

START_TEST(ids)
{
	talk_start_negotiated();
	ck_assert_str_eq(talk_say("{\"execute\": \"flow-close\", \"id\": [1, {\"a\": 2}]}"),
			 "{\"error\": {\"class\":\"GenericError\",\"desc\":\"either 'id' or a condition "
			 "must be there\"}, "
			 "\"id\": [1, {\"a\": 2}]}\r\n");
	ck_assert_str_eq(talk_say("{\"id\": null, \"execute\": \"no-such\"}"),
			 "{\"error\": {\"class\":\"CommandNotFound\","
			 "\"desc\":\"command 'no-such' is not known\"}, \"id\": null}\r\n");
	ck_assert_str_eq(talk_say("{\"id\": 1.50, \"execute\": \"query-flows\"}"),
			 "{\"return\": [], \"id\": 1.50}\r\n");
	/* wherever the id stands beside what is wrong */
	ck_assert_str_eq(talk_say("{\"execute\": 5, \"id\": 7}"),
			 "{\"error\": {\"class\":\"GenericError\","
			 "\"desc\":\"request member 'execute' must be a string\"}, \"id\": 7}\r\n");
	ck_assert_str_eq(talk_say("{\"exec-oob\": \"quit\", \"id\": \"a\"}"),
			 "{\"error\": {\"class\":\"GenericError\","
			 "\"desc\":\"request member 'exec-oob' is not known\"}, \"id\": \"a\"}\r\n");
	/* the id of one request is not that of the next, however that one fails */
	ck_assert_str_eq(talk_say("nonsense\n"),
			 "{\"error\": {\"class\":\"GenericError\","
			 "\"desc\":\"a request must be a JSON object\"}}\r\n");
	talk_stop();
}
END_TEST

START_TEST(split_and_merged)
{
	static const char two[] = "{\"execute\": \"query-flows\", \"id\": 1}\r\n"
				  "{\"execute\": \"query-flows\", \"id\": 2}";

	talk_start_negotiated();
	ck_assert_str_eq(talk_say(two),
			 "{\"return\": [], \"id\": 1}\r\n{\"return\": [], \"id\": 2}\r\n");
	for (size_t i = 0; i + 1 < strlen(two); i++) {
		char byte[2] = { two[i], '\0' };
		const char *reply = talk_say(byte);

		if (*reply)
			ck_assert_str_eq(reply, "{\"return\": [], \"id\": 1}\r\n");
	}
	ck_assert_str_eq(talk_say("}"), "{\"return\": [], \"id\": 2}\r\n");
	talk_stop();
}
END_TEST

START_TEST(garbage_does_not_end_the_session)
{
	static const char error[] = "{\"error\": {\"class\":\"GenericError\","
				    "\"desc\":\"a request must be a JSON object\"}}\r\n";

	talk_start_negotiated();
	ck_assert_str_eq(talk_say("GET / HTTP/1.1\r\n"), error);
	ck_assert_str_eq(talk_say("{\"execute\": \xff"), error);
	ck_assert_str_eq(talk_say("{\"execute\": \"query-flows\"}"), "{\"return\": []}\r\n");
	talk_stop();
}
END_TEST

START_TEST(too_large_or_complex)
{
	char *text = calloc(1, CTL_REQUEST_MAX + 1);

	talk_start_negotiated();
	/* as large as may be: only its end is missing */
	memset(text, ' ', CTL_REQUEST_MAX);
	text[0] = '{';
	text[CTL_REQUEST_MAX - 1] = '}';
	ck_assert_str_eq(talk_say(text),
			 "{\"error\": {\"class\":\"GenericError\","
			 "\"desc\":\"request member 'execute' is missing\"}}\r\n");
	text[CTL_REQUEST_MAX - 1] = ' ';
	ck_assert_uint_eq(ctl_session_room(&talk_session), CTL_REQUEST_MAX);
	ck_assert_str_eq(talk_say(text), "{\"error\": {\"class\":\"GenericError\","
					 "\"desc\":\"the request is too large\"}}\r\n");
	ck_assert(talk_session.hangup);
	ck_assert_uint_eq(ctl_session_room(&talk_session), 0);
	talk_stop();

	talk_start_negotiated();
	memset(text, '[', 100);
	memcpy(text, "{\"a\": ", 6);
	text[100] = '\0';
	ck_assert_str_eq(
		talk_say(text),
		"{\"error\": {\"class\":\"GenericError\","
		"\"desc\":\"the request is nested too deeply or has too many members\"}}\r\n");
	ck_assert(talk_session.hangup);
	talk_stop();

	talk_start_negotiated();
	memset(text, ',', CTL_REQUEST_COMMAS_MAX + 1);
	text[0] = '{';
	strcpy(text + CTL_REQUEST_COMMAS_MAX + 1, "}");
	talk_assert_contains(talk_say(text), "the text is not JSON");
	ck_assert(!talk_session.hangup);
	strcpy(text + CTL_REQUEST_COMMAS_MAX + 1, ",}");
	talk_assert_contains(talk_say(text), "or has too many members");
	ck_assert(talk_session.hangup);
	talk_stop();
	free(text);
}
END_TEST

START_TEST(only_looking)
{
	talk_start(CTL_MAY_LOOK);
	talk_say(TALK_NEGOTIATE);
	fake_flow_open(&talk_guest.env, 1);
	talk_assert_error("{\"execute\": \"quit\"}", "GenericError",
			  "'quit' changes something; this socket may only look");
	talk_assert_error("{\"execute\": \"flow-close\", \"arguments\": {\"id\": 1}}",
			  "GenericError",
			  "'flow-close' changes something; this socket may only look");
	ck_assert_uint_eq(talk_n_quits, 0);
	ck_assert_uint_eq(talk_guest.env.flows.n, 1);
	talk_assert_contains(talk_say("{\"execute\": \"query-flows\"}"), "\"id\":1,");
	talk_stop();
}
END_TEST

START_TEST(version_and_commands)
{
	const struct ctl_method *m;
	char part[64];
	const char *text;

	talk_start_negotiated();
	talk_assert_contains(talk_say("{\"execute\": \"query-version\"}"),
			     "\"package\":\"postern-" POSTERN_VERSION "\"}}\r\n");
	text = talk_say("{\"execute\": \"query-commands\"}");
	for (uint64_t i = 0; (m = ctl_method_at(i)); i++) {
		snprintf(part, sizeof(part), "{\"name\":\"%s\"}", m->name);
		talk_assert_contains(text, part);
		ck_assert((m->look != NULL) != (m->change != NULL));
	}
	talk_stop();
}
END_TEST

START_TEST(status)
{
	const char *text;

	talk_start_negotiated();
	talk_guest.env.guest.addr_known = true;
	talk_guest.env.guest.addr = talk_guest.net.ip4.guest;
	talk_guest.env.guest.ip6[0] = addr_of("2001:db8:2::99");
	talk_guest.env.guest.ip6[1] = addr_of("fe80::99");
	talk_guest.env.guest.n_ip6 = 2;
	talk_guest.env.guest.seen_ns = talk_guest.env.now_ns - 20 * NS_PER_MS;
	talk_guest.net.dns[0] = addr_ip4(0xc0000235);
	talk_guest.net.n_dns = 1;
	strcpy(talk_guest.net.search[0], "example.com");
	talk_guest.net.search_source = NET_FROM_HOST;
	talk_guest.env.guest.client_pid = 4711;
	talk_guest.env.guest.changed_ns = talk_guest.env.now_ns - 700 * NS_PER_MS;
	strcpy(talk_guest.net.hostname, "\x1b]evil");
	talk_guest.net.n_search = 1;
	fake_flow_open(&talk_guest.env, 1);
	text = talk_say("{\"execute\": \"query-status\"}");
	talk_assert_contains(text, "\"version\":\"" POSTERN_VERSION "\"");
	talk_assert_contains(text, "\"uptime_ms\":5000,");
	talk_assert_contains(text, "\"guest\":{\"connected\":true,\"since_ms\":700,\"client_"
				   "pid\":4711,\"mac\":\"52:54:00:12:34:56\","
				   "\"addr\":\"10.0.2.15\","
				   "\"ip6\":[\"2001:db8:2::99\",\"fe80::99\"],\"idle_ms\":20}");
	talk_assert_contains(
		text, "\"address\":\"10.0.2.15\",\"prefix_len\":24,\"gateway\":\"10.0.2.2\"");
	talk_assert_contains(
		text, "\"ip6\":{\"address\":\"2001:db8:2::f\",\"prefix_len\":64,"
		      "\"gateway\":\"fe80::2\",\"address_source\":\"flag\",\"loopback\":\"fe80::2\"}");
	talk_assert_contains(text, "\"dns\":[\"192.0.2.53\"]");
	talk_assert_contains(text,
			     "\"search\":[\"example.com\"],\"search_source\":\"host\",\"hostname\":\"\\u001b]evil\"");
	talk_assert_contains(
		text, "\"flows\":{\"open\":1,\"max\":65536,\"tcp\":1,\"udp\":0,\"icmp\":0}");
	talk_assert_contains(text, "\"control\":{\"clients\":1,\"max\":64},\"sandbox\":[],\"leases\":[],");
	talk_assert_contains(text, "\"limits\":[{\"limit\":\"flows\",\"used\":1,\"max\":65536},"
				   "{\"limit\":\"fragments\",\"used\":0,\"max\":64},");
	talk_assert_contains(text, "{\"limit\":\"control-clients\",\"used\":1,\"max\":64},");
	talk_assert_contains(text, "\"problems\":[]}");
	ck_assert_uint_eq(talk_guest.n_frames, 0);
	talk_stop();
}
END_TEST

/* The limit of descriptors is the system's, and stands there when that tells how many there
 * are. */
START_TEST(status_of_open_files)
{
	struct rlimit files;
	char want[128];

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	talk_start_negotiated();
	ck_assert_ptr_null(strstr(talk_say("{\"execute\": \"query-status\"}"), "open-files"));
	talk_n_files = 41;
	snprintf(want, sizeof(want),
		 ",{\"limit\":\"open-files\",\"used\":41,\"max\":%llu,\"hard\":%llu}]",
		 (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
	talk_assert_contains(talk_say("{\"execute\": \"query-status\"}"), want);
	talk_stop();
}
END_TEST

/* The last problems, the newest first; the level counts on. */
START_TEST(status_of_problems)
{
	const char *text;

	talk_start_negotiated();
	for (int i = 0; i < CTL_PROBLEMS_KEPT; i++)
		log_warn(DNS, "warning %d", i);
	log_error(CTL, "an \"error\"");
	talk_guest.env.now_ns += 1500 * NS_PER_MS;
	text = talk_say("{\"execute\": \"query-status\"}");
	talk_assert_contains(text, "\"problems\":[{\"level\":\"error\",\"unit\":\"ctl\","
				   "\"text\":\"an \\\"error\\\"\",\"age_ms\":1500},"
				   "{\"level\":\"warning\",\"unit\":\"dns\",\"text\":\"warning 15\",");
	ck_assert_uint_eq(talk_count(text, "\"age_ms\""), CTL_PROBLEMS_KEPT);
	ck_assert_ptr_null(strstr(strstr(text, "\"problems\""), "warning 0\""));
	text = talk_say("{\"execute\": \"query-stats\"}");
	talk_assert_contains(text, "{\"name\":\"log.errors\",\"kind\":\"counter\",\"value\":1,");
	talk_assert_contains(text, "{\"name\":\"log.warnings\",\"kind\":\"counter\",\"value\":16,");
	talk_stop();
}
END_TEST

START_TEST(status_of_sandbox)
{
	static const struct sandbox_status layers[N_SANDBOX_LAYERS] = {
		[SANDBOX_USER_NAMESPACE] = { SANDBOX_OFF, 0, "no need" },
		[SANDBOX_ROOT] = { SANDBOX_UNAVAILABLE, EPERM, NULL },
		[SANDBOX_SECCOMP] = { SANDBOX_APPLIED, 0, NULL },
	};
	const char *text;

	talk_start_negotiated();
	talk_guest.env.sandbox = layers;
	text = talk_say("{\"execute\": \"query-status\"}");
	talk_assert_contains(text, "\"sandbox\":[{\"layer\":\"user\",\"state\":\"off\"},"
				   "{\"layer\":\"user_namespace\",\"state\":\"off\","
				   "\"reason\":\"no need\"},"
				   "{\"layer\":\"namespaces\",\"state\":\"off\"},"
				   "{\"layer\":\"root\",\"state\":\"unavailable\","
				   "\"reason\":\"Operation not permitted\"},");
	talk_assert_contains(text, "{\"layer\":\"seccomp\",\"state\":\"applied\"}]");
	talk_stop();
}
END_TEST

/* A family that the guest does not have is not there. */
START_TEST(status_of_one_family)
{
	const char *text;

	talk_start_negotiated();
	talk_guest.net.ip4.on = false;
	text = talk_say("{\"execute\": \"query-status\"}");
	talk_assert_contains(text, "\"network\":{\"ip6\":{\"address\":\"2001:db8:2::f\",");
	talk_assert_contains(text, "\"loopback\":\"fe80::2\"},\"mac\":");
	ck_assert_ptr_null(strstr(text, "10.0.2"));
	talk_guest.net.ip4.on = true;
	talk_guest.net.ip6.on = false;
	text = talk_say("{\"execute\": \"query-status\"}");
	ck_assert_ptr_null(strstr(text, "ip6"));
	talk_assert_contains(text, "\"loopback\":\"10.0.2.2\"}");
	talk_stop();
}
END_TEST

START_TEST(stats)
{
	static const uint64_t turns_ns[] = {
		0, 1000, 1001, 4000, 4001, NS_PER_SEC, 100 * NS_PER_SEC
	};
	const char *text;

	talk_start_negotiated();
	talk_guest.env.stats.link_frames_in = UINT64_MAX;
	talk_guest.env.stats.drops[DROP_RUNT] = 3;
	event_limit_reached(&talk_guest.env, LIMIT_OPEN_FILES);
	talk_guest.env.flows.by_reason[FLOW_CLOSED_IDLE] = 4;
	talk_guest.env.flows.by_proto_reason[FLOW_UDP][FLOW_CLOSED_IDLE] = 3;
	talk_guest.env.flows.opened[FLOW_TCP] = 1;
	preempt_refused(&talk_guest.env, FLOW_ICMP);
	preempt_refused(&talk_guest.env, FLOW_ICMP);
	for (unsigned i = 0; i < sizeof(turns_ns) / sizeof(turns_ns[0]); i++)
		loop_turns_add(&talk_turns, turns_ns[i]);
	text = talk_say("{\"execute\": \"query-stats\"}");
	talk_assert_contains(text,
			     "{\"name\":\"link.frames-in\",\"kind\":\"counter\",\"value\":18446744073709551615,"
			     "\"description\":\"frames from the guest\"}");
	talk_assert_contains(text,
			     "{\"name\":\"drop.runt\",\"kind\":\"counter\",\"value\":3,"
			     "\"description\":\"frame shorter than an Ethernet header\"}");
	talk_assert_contains(
		text, "{\"name\":\"limit.open-files\",\"kind\":\"counter\",\"value\":1,");
	talk_assert_contains(text, "{\"name\":\"closed.idle\",\"kind\":\"counter\",\"value\":4,");
	talk_assert_contains(text, "{\"name\":\"udp.closed.idle\",\"kind\":\"counter\",\"value\":3,");
	talk_assert_contains(text, "{\"name\":\"tcp.opened\",\"kind\":\"counter\",\"value\":1,");
	talk_assert_contains(text, "{\"name\":\"icmp.refused\",\"kind\":\"counter\",\"value\":2,");
	/* the time of the loop is told as a histogram, with all that is shorter in each row */
	talk_assert_contains(text, "{\"name\":\"loop.up-to-1us\",\"kind\":\"counter\",\"value\":2,");
	talk_assert_contains(text, "{\"name\":\"loop.up-to-4us\",\"kind\":\"counter\",\"value\":4,");
	talk_assert_contains(text, "{\"name\":\"loop.up-to-16us\",\"kind\":\"counter\",\"value\":5,");
	talk_assert_contains(text,
			     "{\"name\":\"loop.up-to-1048576us\",\"kind\":\"counter\",\"value\":6,");
	talk_assert_contains(text, "{\"name\":\"loop.turns\",\"kind\":\"counter\",\"value\":7,");
	talk_assert_contains(text, "{\"name\":\"loop.time-ns\",\"kind\":\"counter\",\"value\":");
	/* without /proc nothing is known of what is resident */
	ck_assert_ptr_null(strstr(text, "memory.resident-bytes"));
	talk_assert_contains(text, "{\"name\":\"memory.dns-cache-bytes\",\"kind\":\"gauge\",\"value\":0,");
	ck_assert_uint_eq(talk_count(text, "\"value\""),
			  n_stats_rows + N_DROPS - 1 + 4 * (N_FLOW_CLOSE_REASONS - 1) +
				  2 * N_FLOW_PROTOS + 2 + 3 + N_LIMITS + LOOP_TURN_BOUNDS + 2 +
				  3);
	talk_stop();
}
END_TEST

static uint64_t value_of(const char *name)
{
	char part[128];
	const char *at;

	snprintf(part, sizeof(part), "{\"name\":\"%s\",\"kind\":\"counter\",\"value\":", name);
	at = strstr(talk_taken, part);
	ck_assert_ptr_nonnull(at);
	return strtoull(at + strlen(part), NULL, 10);
}

/* A reply takes many turns of the loop, but its rows of them are those of one moment. */
START_TEST(stats_of_one_moment)
{
	size_t len = 0;

	talk_start_negotiated();
	talk_input("{\"execute\": \"query-stats\"}");
	while (talk_session.pending) {
		ctl_session_work(&talk_session, 1);
		len = talk_take_behind(len);
		loop_turns_add(&talk_turns, 500);
	}
	ck_assert_uint_gt(value_of("loop.turns"), 100);
	ck_assert_uint_eq(value_of("loop.turns"), value_of("loop.up-to-1us"));
	ck_assert_uint_eq(value_of("loop.time-ns"), 500 * value_of("loop.turns"));
	talk_stop();
}
END_TEST

START_TEST(flow_members)
{
	struct flow *f;

	talk_start_negotiated();
	f = fake_flow_open(&talk_guest.env, 40112);
	f->bytes_out = 10;
	f->bytes_in = 20;
	f->packets_out = 1;
	f->packets_in = 2;
	talk_guest.env.now_ns += 3 * NS_PER_SEC;
	f->used_ns += NS_PER_SEC;
	ck_assert_str_eq(
		talk_say("{\"execute\": \"query-flows\"}"),
		"{\"return\": [{\"id\":1,\"proto\":\"tcp\",\"dir\":\"out\","
		"\"state\":\"ESTABLISHED\",\"guest\":{\"addr\":\"10.0.2.15\",\"port\":40112},"
		"\"host\":{\"addr\":\"192.0.2.9\",\"port\":40112},"
		"\"peer\":{\"addr\":\"198.51.100.1\",\"port\":80},"
		"\"bytes_out\":10,\"bytes_in\":20,\"packets_out\":1,\"packets_in\":2,"
		"\"rate_out\":0,\"rate_in\":0,"
		"\"age_ms\":3000,\"idle_ms\":2000,\"timeout_ms\":3598000}]}\r\n");
	/* the peer under another name, the host's end not known yet */
	f->peer = (struct endpoint){ addr_ip4(0x7f000001), 80 };
	f->host.port = 0;
	talk_assert_contains(talk_say("{\"execute\": \"query-flows\"}"),
			     "\"dest\":{\"addr\":\"198.51.100.1\",\"port\":80},"
			     "\"peer\":{\"addr\":\"127.0.0.1\",\"port\":80}");
	talk_stop();
}
END_TEST

static unsigned listed(const char *arguments)
{
	char request[256];

	snprintf(request, sizeof(request),
		 "{\"execute\": \"query-flows\", \"arguments\": {%s}}", arguments);
	return talk_count(talk_say(request), "\"id\":");
}

START_TEST(flow_filters)
{
	talk_start_negotiated();
	fake_flow_open(&talk_guest.env, 1000);
	fake_flow_open_to(&talk_guest.env, FLOW_UDP, 1000,
			  (struct endpoint){ addr_ip4(0xc0000235), 53 });
	fake_flow_open_to(&talk_guest.env, FLOW_ICMP, 7,
			  (struct endpoint){ addr_ip4(0xcb007105), 0 })
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
	talk_stop();
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

	talk_start_negotiated();
	for (size_t i = 0; i < sizeof(bad_addr) / sizeof(bad_addr[0]); i++) {
		snprintf(request, sizeof(request),
			 "{\"execute\": \"query-flows\", \"arguments\": {\"addr\": \"%s\"}}",
			 bad_addr[i]);
		talk_assert_error(request, "GenericError",
				  "argument 'addr' must be an IP address or prefix");
	}
	talk_assert_error(
		"{\"execute\": \"query-flows\", \"arguments\": {\"proto\": \"sctp\"}}",
		"GenericError", "argument 'proto' must be one of: tcp, udp, icmp");
	talk_assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"limit\": 0}}",
			  "GenericError",
			  "argument 'limit' must be an integer from 1 to 10000");
	talk_assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"limit\": 10001}}",
			  "GenericError",
			  "argument 'limit' must be an integer from 1 to 10000");
	talk_assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"closed\": true, "
			  "\"after\": 1}}",
			  "GenericError", "argument 'after' does not go with 'closed'");
	talk_stop();
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
	struct flow *f = flow_table_by_id(&talk_guest.env.flows, id);

	f->class->close(&talk_guest.env, f, FLOW_CLOSED_IDLE);
}

/* A long list, in portions, to a client that does not read at first, while flows end. */
START_TEST(flows_in_portions)
{
	enum { N = 3000 };
	static const char next[] = "]}\r\n{\"return\": [{";
	const char *second;
	size_t len = 0;

	talk_start_negotiated();
	for (unsigned i = 0; i < N; i++)
		fake_flow_open(&talk_guest.env, (uint16_t)(i + 1));
	talk_input("{\"execute\": \"query-flows\", \"arguments\": {\"limit\": 10000}}"
		   "{\"execute\": \"query-flows\", \"id\": \"x\"}");
	ctl_session_work(&talk_session, CTL_WORK_PER_TURN);
	ck_assert_uint_lt(ctl_buf_len(&talk_session.out), CTL_BACKLOG_STOP / 2);
	for (unsigned turns = 0; turns < 400; turns++)
		ctl_session_work(&talk_session, CTL_WORK_PER_TURN);
	ck_assert(talk_session.pending);
	ck_assert_uint_ge(ctl_buf_len(&talk_session.out), CTL_BACKLOG_STOP);
	ck_assert_uint_lt(ctl_buf_len(&talk_session.out), CTL_BACKLOG_STOP + 1024);
	close_flow(N);
	while (talk_session.pending) {
		ctl_session_work(&talk_session, CTL_WORK_PER_TURN);
		len = talk_take_behind(len);
	}
	second = assert_ids(talk_taken, N - 1);
	ck_assert_int_eq(strncmp(second, next, strlen(next)), 0);
	second = assert_ids(second + 1, CTL_FLOWS_LIMIT_DEFAULT);
	ck_assert_str_eq(second, "], \"id\": \"x\"}\r\n");
	talk_stop();
}
END_TEST

/* What a large step costs beyond what is usual is paid for afterwards, here in single units. */
START_TEST(steps_are_paid_for)
{
	unsigned n = 0;

	talk_start_negotiated();
	for (int i = 0; i < CTL_PROBLEMS_KEPT; i++)
		log_warn(CTL, "%0200d", i);
	talk_take_behind(0);
	talk_input("{\"execute\": \"events-subscribe\", \"arguments\": {\"events\": []}}");
	while (talk_session.pending)
		ctl_session_work(&talk_session, 1000);
	talk_take_behind(0);
	talk_input("{\"execute\": \"query-status\"}");
	for (; talk_session.pending; n++)
		ctl_session_work(&talk_session, 1);
	ck_assert_uint_gt(n + 96, talk_take_behind(0) / 16);
	ck_assert_uint_gt(n, 200);
	talk_stop();
}
END_TEST

/* What is dear to find out makes a portion shorter. */
START_TEST(dear_elements)
{
	size_t with_info, without;

	talk_start_negotiated();
	for (unsigned i = 0; i < 100; i++)
		fake_flow_open(&talk_guest.env, (uint16_t)(i + 1));
	talk_input("{\"execute\": \"query-flows\", \"arguments\": {\"info\": true}}"
		   "{\"execute\": \"query-flows\"}");
	ctl_session_work(&talk_session, 1); /* the request */
	ctl_session_work(&talk_session, 10 * CTL_WORK_PER_TURN);
	talk_take_behind(0);
	with_info = talk_count(talk_taken, "{\"id\":");
	while (talk_session.call.method)
		ctl_session_work(&talk_session, 1);
	talk_take_behind(0);
	ctl_session_work(&talk_session, 1);
	ctl_session_work(&talk_session, 10 * CTL_WORK_PER_TURN);
	talk_take_behind(0);
	without = talk_count(talk_taken, "{\"id\":");
	ck_assert_uint_gt(with_info, 0);
	ck_assert_uint_lt(with_info, without);
	talk_stop();
}
END_TEST

START_TEST(closed_flows)
{
	const char *text;
	struct flow *f;

	talk_start_negotiated();
	for (unsigned i = 1; i <= FLOW_CLOSED_KEPT + 10; i++) {
		f = fake_flow_open(&talk_guest.env, (uint16_t)i);
		talk_guest.env.now_ns += NS_PER_SEC;
		f->class->close(&talk_guest.env, f,
				i % 2 ? FLOW_CLOSED_IDLE : FLOW_CLOSED_PEER_RESET);
	}
	talk_guest.env.now_ns += 2 * NS_PER_SEC;
	ck_assert_uint_eq(listed("\"closed\": true"), FLOW_CLOSED_KEPT);
	ck_assert_uint_eq(listed("\"closed\": false"), 0);
	ck_assert_uint_eq(listed("\"closed\": true, \"port\": 266"), 1);
	text = talk_say("{\"execute\": \"query-flows\", \"arguments\": {\"closed\": true, "
			"\"limit\": 1}}");
	talk_assert_contains(
		text, "{\"id\":266,\"proto\":\"tcp\",\"dir\":\"out\",\"state\":\"CLOSED\"");
	talk_assert_contains(text,
			     "\"age_ms\":1000,\"reason\":\"peer-reset\",\"closed_ms\":2000,\"last_state\":\"ESTABLISHED\"}]}");
	/* who was silent, and what the host's socket said */
	f = fake_flow_open(&talk_guest.env, 1);
	f->silent = FLOW_END_PEER;
	f->error = ETIMEDOUT;
	f->class->close(&talk_guest.env, f, FLOW_CLOSED_TIMED_OUT);
	talk_assert_contains(
		talk_say("{\"execute\": \"query-flows\", \"arguments\": {\"closed\": true, "
			 "\"limit\": 1}}"),
		"\"reason\":\"timed-out\",\"silent\":\"peer\",\"error\":\"ETIMEDOUT\","
		"\"errno\":110,\"closed_ms\":0,");
	talk_stop();
}
END_TEST

START_TEST(flow_close)
{
	talk_start_negotiated();
	fake_flow_open(&talk_guest.env, 1);
	talk_assert_error("{\"execute\": \"flow-close\", \"arguments\": {\"id\": 2}}",
			  "GenericError", "there is no open flow 2");
	talk_assert_error("{\"execute\": \"flow-close\", \"arguments\": {\"id\": -1}}",
			  "GenericError",
			  "argument 'id' must be an integer from 1 to 9007199254740992");
	/* nothing changes when only a part is right */
	talk_assert_error(
		"{\"execute\": \"flow-close\", \"arguments\": {\"id\": 1, \"how\": \"rst\"}}",
		"GenericError", "argument 'how' must be one of: reset, finish");
	ck_assert_uint_eq(talk_guest.env.flows.n, 1);
	ck_assert_str_eq(talk_say("{\"execute\": \"flow-close\", \"arguments\": {\"id\": 1}}"),
			 "{\"return\": {\"flows\":1}}\r\n");
	ck_assert_uint_eq(talk_guest.env.flows.n, 0);
	ck_assert_uint_eq(talk_guest.env.flows.by_reason[FLOW_CLOSED_BY_OPERATOR], 1);
	talk_stop();
}
END_TEST

/* By a condition: those that were there when it began. */
START_TEST(flow_close_leaves_new_ones)
{
	talk_start_negotiated();
	for (unsigned i = 1; i <= 5; i++)
		fake_flow_open(&talk_guest.env, (uint16_t)i);
	talk_input("{\"execute\": \"flow-close\", \"arguments\": {\"proto\": \"tcp\"}}");
	while (talk_guest.env.flows.n == 5)
		ctl_session_work(&talk_session, 1);
	fake_flow_open(&talk_guest.env, 6);
	while (talk_session.pending)
		ctl_session_work(&talk_session, 1);
	talk_take_behind(0);
	ck_assert_str_eq(talk_taken, "{\"return\": {\"flows\":5}}\r\n");
	ck_assert_uint_eq(talk_guest.env.flows.n, 1);
	ck_assert_ptr_nonnull(flow_table_by_id(&talk_guest.env.flows, 6));
	talk_stop();
}
END_TEST

START_TEST(quit_command)
{
	talk_start_negotiated();
	talk_n_quits = 0;
	ck_assert_str_eq(talk_say("{\"execute\": \"quit\"}"), "{\"return\": {}}\r\n");
	ck_assert_uint_eq(talk_n_quits, 1);
	talk_stop();
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
	   garbage_does_not_end_the_session, too_large_or_complex, only_looking,
	   version_and_commands, status, status_of_open_files, status_of_problems,
	   status_of_sandbox, status_of_one_family, stats, stats_of_one_moment, flow_members,
	   flow_filters, flow_query_refusals, flows_in_portions, steps_are_paid_for, dear_elements,
	   closed_flows, flow_close, flow_close_leaves_new_ones, quit_command, names_agree)
