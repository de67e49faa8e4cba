/* The dialect of slirp4netns' API: what that program answers is answered in the same bytes. */
#include <stdio.h>
#include <string.h>

#include "lib/ctl_talk.h"
#include "lib/fake_forwards.h"
#include "lib/suite.h"

#define ADD(arguments)	  "{\"execute\": \"add_hostfwd\", \"arguments\": {" arguments "}}"
#define REMOVE(arguments) "{\"execute\": \"remove_hostfwd\", \"arguments\": {" arguments "}}"
#define LIST		  "{\"execute\": \"list_hostfwd\"}"
#define BAD(what)	  "{\"error\":{\"desc\":\"bad request: " what "\"}}"

static void setup(void)
{
	talk_start_slirp(CTL_MAY_CHANGE);
	fake_forwards_open(&talk_guest.env);
}

static void teardown(void)
{
	fake_forwards_close(&talk_guest.env);
	talk_stop();
}

/* A new connection to the same daemon. */
static void reconnect(void)
{
	const struct ctl_target *target = talk_session.target;
	const struct ctl_info *info = talk_session.info;
	enum ctl_authority authority = talk_session.authority;

	ctl_session_free(&talk_session);
	ctl_session_init(&talk_session, &ctl_dialect_slirp, target, info, authority);
}

/* The answer to the one request of a connection, which ends with it. */
static const char *ask(const char *request)
{
	reconnect();
	talk_say(request);
	ck_assert_msg(talk_session.hangup, "no answer to '%s'", request);
	return talk_taken;
}

/* Likewise, when the client has to end its stream for it. */
static const char *ask_to_end(const char *request)
{
	reconnect();
	ck_assert_str_eq(talk_say(request), "");
	ck_assert(!talk_session.hangup);
	talk_end();
	ck_assert(talk_session.hangup);
	return talk_taken;
}

/* The list holds exactly these entries, in both places. */
static void assert_listed(const char *entries)
{
	char want[4096];

	snprintf(want, sizeof(want), "{\"return\":{\"entries\":[%s]},\"entries\":[%s]}", entries, entries);
	ck_assert_str_eq(ask(LIST), want);
}

START_TEST(manual)
{
	setup();
	assert_listed("");
	ck_assert_str_eq(ask(ADD("\"proto\": \"tcp\", \"host_addr\": \"0.0.0.0\", \"host_port\": 8080, "
				 "\"guest_addr\": \"10.0.2.100\", \"guest_port\": 80")),
			 "{\"return\":{\"id\":1}}");
	assert_listed("{\"id\":1,\"proto\":\"tcp\",\"host_addr\":\"0.0.0.0\",\"host_addr6\":\"::\","
		      "\"host_port\":8080,\"guest_addr\":\"10.0.2.100\",\"guest_port\":80}");
	ck_assert_str_eq(ask(REMOVE("\"id\": 1")), "{\"return\":{}}");
	ck_assert_uint_eq(fake_forwards_n_open, 0);
	assert_listed("");
	teardown();
}
END_TEST

/* Without addresses, or with empty ones, it is any of the host's and the guest's own. */
START_TEST(defaults)
{
	static const char entry[] =
		"{\"id\":%d,\"proto\":\"%s\",\"host_addr\":\"0.0.0.0\",\"host_port\":8080,"
		"\"guest_addr\":\"10.0.2.15\",\"guest_port\":80}";
	static const char *const requests[] = {
		ADD("\"proto\": \"tcp\", \"host_port\": 8080, \"guest_port\": 80"),
		ADD("\"guest_port\": 80, \"host_port\": 8080, \"proto\": \"udp\", \"host_addr\": \"\", "
		    "\"guest_addr\": \"\""),
		ADD("\"proto\": \"tcp\", \"host_addr\": \"::\", \"host_port\": 8080, "
		    "\"guest_addr\": \"0.0.0.0\", \"guest_port\": 80"),
	};
	char want[256];

	setup();
	talk_guest.net.ip6.on = false;
	for (int i = 0; i < 3; i++) {
		snprintf(want, sizeof(want), "{\"return\":{\"id\":%d}}", i + 1);
		ck_assert_str_eq(ask(requests[i]), want);
		snprintf(want, sizeof(want), entry, i + 1, i == 1 ? "udp" : "tcp");
		assert_listed(want);
		snprintf(want, sizeof(want), REMOVE("\"id\": %d"), i + 1);
		ck_assert_str_eq(ask(want), "{\"return\":{}}");
	}
	teardown();
}
END_TEST

START_TEST(families)
{
	setup();
	talk_guest.env.guest.addr = addr_of("10.0.2.20");
	talk_guest.env.guest.addr_known = true;
	ask(ADD("\"proto\": \"tcp\", \"host_port\": 1001, \"guest_port\": 1"));
	ask(ADD("\"proto\": \"tcp4\", \"host_port\": 1002, \"guest_port\": 2"));
	ask(ADD("\"proto\": \"udp6\", \"host_port\": 1003, \"guest_port\": 3"));
	ask(ADD("\"proto\": \"tcp\", \"host_addr\": \"::1\", \"host_port\": 1004, "
		"\"guest_addr\": \"2001:db8:2::9\", \"guest_port\": 4"));
	ask(ADD("\"proto\": \"udp4\", \"host_addr\": \"127.0.0.1\", \"host_port\": 1005, "
		"\"guest_addr\": \"2001:db8:2::9\", \"guest_port\": 5"));
	assert_listed("{\"id\":1,\"proto\":\"tcp\",\"host_addr\":\"0.0.0.0\",\"host_addr6\":\"::\","
		      "\"host_port\":1001,\"guest_addr\":\"10.0.2.20\",\"guest_addr6\":\"2001:db8:2::f\","
		      "\"guest_port\":1},"
		      "{\"id\":2,\"proto\":\"tcp\",\"host_addr\":\"0.0.0.0\",\"host_port\":1002,"
		      "\"guest_addr\":\"10.0.2.20\",\"guest_port\":2},"
		      "{\"id\":3,\"proto\":\"udp\",\"host_addr6\":\"::\",\"host_port\":1003,"
		      "\"guest_addr6\":\"2001:db8:2::f\",\"guest_port\":3},"
		      "{\"id\":4,\"proto\":\"tcp\",\"host_addr6\":\"::1\",\"host_port\":1004,"
		      "\"guest_addr6\":\"2001:db8:2::9\",\"guest_port\":4},"
		      "{\"id\":5,\"proto\":\"udp\",\"host_addr\":\"127.0.0.1\",\"host_port\":1005,"
		      "\"guest_addr6\":\"2001:db8:2::9\",\"guest_port\":5}");
	ck_assert_str_eq(ask(ADD("\"proto\": \"tcp4\", \"host_addr\": \"::1\", \"host_port\": 1006, "
				 "\"guest_port\": 6")),
			 BAD("add_hostfwd: bad arguments.host_addr"));
	ck_assert_str_eq(ask(ADD("\"proto\": \"udp6\", \"host_addr\": \"127.0.0.1\", \"host_port\": 1006, "
				 "\"guest_port\": 6")),
			 BAD("add_hostfwd: bad arguments.host_addr"));
	teardown();
}
END_TEST

/* Forwards made elsewhere are listed too, with what that API has no word for beside the rest. */
START_TEST(others)
{
	struct forward_error error;
	uint64_t id;

	setup();
	ck_assert_int_eq(forwards_add(talk_guest.env.forwards, FLOW_UDP,
				      "192.0.2.1%eth0/1000-1009:53-62", &id, &error),
			 1);
	assert_listed("{\"id\":1,\"proto\":\"udp\",\"host_addr\":\"192.0.2.1\",\"host_port\":1000,"
		      "\"guest_addr\":\"10.0.2.15\",\"guest_port\":53,\"interface\":\"eth0\","
		      "\"host_port_last\":1009,\"guest_port_last\":62}");
	ck_assert_str_eq(ask(REMOVE("\"id\": 1")), "{\"return\":{}}");
	ck_assert_uint_eq(fake_forwards_n_open, 0);
	teardown();
}
END_TEST

START_TEST(bad_requests)
{
	static const struct {
		const char *request, *desc;
	} cases[] = {
		{ "nonsense", BAD("cannot parse JSON") },
		{ "\xff\xfe", BAD("cannot parse JSON") },
		{ "{\"execute\": \"list_hostfwd\",}", BAD("cannot parse JSON") },
		{ "{}", BAD("no execute found") },
		{ "{\"execute\": 5}", BAD("no execute found") },
		{ "{\"execute\": null}", BAD("no execute found") },
		{ "{\"Execute\": \"list_hostfwd\"}", BAD("no execute found") },
		{ "{\"execute\": \"nope\"}", BAD("unknown execute") },
		{ "{\"execute\": \"quit\"}", BAD("unknown execute") },
		{ "{\"execute\": \"add_hostfwd\"}", BAD("add_hostfwd: bad arguments.proto") },
		{ "{\"execute\": \"add_hostfwd\", \"arguments\": []}",
		  BAD("add_hostfwd: bad arguments.proto") },
		{ ADD("\"proto\": 5"), BAD("add_hostfwd: bad arguments.proto") },
		{ ADD("\"proto\": \"sctp\""), BAD("add_hostfwd: bad arguments.proto") },
		{ ADD("\"proto\": \"tcp\""), BAD("add_hostfwd: bad arguments.host_port") },
		{ ADD("\"proto\": \"tcp\", \"host_port\": 0, \"guest_port\": 1"),
		  BAD("add_hostfwd: bad arguments.host_port") },
		{ ADD("\"proto\": \"tcp\", \"host_port\": 65536, \"guest_port\": 1"),
		  BAD("add_hostfwd: bad arguments.host_port") },
		{ ADD("\"proto\": \"tcp\", \"host_port\": \"22\", \"guest_port\": 1"),
		  BAD("add_hostfwd: bad arguments.host_port") },
		{ ADD("\"proto\": \"tcp\", \"host_port\": 22"), BAD("add_hostfwd: bad arguments.guest_port") },
		{ ADD("\"proto\": \"tcp\", \"host_port\": 22, \"guest_port\": -1"),
		  BAD("add_hostfwd: bad arguments.guest_port") },
		{ ADD("\"proto\": \"tcp\", \"host_addr\": \"x\", \"host_port\": 22, \"guest_port\": 1"),
		  BAD("add_hostfwd: bad arguments.host_addr") },
		{ ADD("\"proto\": \"tcp\", \"host_addr\": 5, \"host_port\": 22, \"guest_port\": 1"),
		  BAD("add_hostfwd: bad arguments.host_addr") },
		{ ADD("\"proto\": \"tcp\", \"guest_addr\": \"10.0.2\", \"host_port\": 22, \"guest_port\": 1"),
		  BAD("add_hostfwd: bad arguments.guest_addr") },
		{ ADD("\"proto\": \"tcp4\", \"host_port\": 80, \"guest_port\": 1"),
		  BAD("add_hostfwd: TCP 0.0.0.0:80: Address already in use") },
		{ ADD("\"proto\": \"tcp\", \"host_port\": 22, \"guest_addr\": \"127.0.0.1\", "
		      "\"guest_port\": 1"),
		  BAD("add_hostfwd: '[127.0.0.1]' is no address that a guest can be reached at") },
		{ "{\"execute\": \"remove_hostfwd\"}", BAD("remove_hostfwd: bad arguments.id") },
		{ REMOVE("\"id\": \"1\""), BAD("remove_hostfwd: bad arguments.id") },
		{ REMOVE("\"id\": 0"), BAD("remove_hostfwd: bad arguments.id") },
		{ REMOVE("\"id\": 1.5"), BAD("remove_hostfwd: bad arguments.id") },
		{ REMOVE("\"id\": 999"), BAD("remove_hostfwd: bad arguments.id") },
	};

	setup();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(ask(cases[i].request), cases[i].desc);
	ck_assert_uint_eq(fake_forwards_n_open, 0);
	teardown();
}
END_TEST

/* What is more than a request is passed over, as is what follows it. */
START_TEST(surplus)
{
	static const char empty[] = "{\"return\":{\"entries\":[]},\"entries\":[]}";

	setup();
	ck_assert_str_eq(ask("{\"execute\": \"list_hostfwd\", \"id\": 7, \"x\": []}"), empty);
	ck_assert_str_eq(ask("{\"execute\": \"list_hostfwd\", \"arguments\": {\"x\": 5}}"), empty);
	ck_assert_str_eq(ask("{\"execute\": \"list_hostfwd\", \"arguments\": 5}"), empty);
	ck_assert_str_eq(ask(LIST " x"), empty);
	ck_assert_str_eq(ask(LIST LIST), empty);
	ck_assert_str_eq(ask(" \n" LIST "\n"), empty);
	ck_assert_str_eq(ask(ADD("\"proto\": \"tcp\", \"host_port\": 22, \"guest_port\": 1, \"x\": 1")),
			 "{\"return\":{\"id\":1}}");
	teardown();
}
END_TEST

/* An answer comes as soon as it can: once the request is whole, or cannot become so. */
START_TEST(ends)
{
	setup();
	ck_assert_str_eq(ask_to_end(""), BAD("cannot parse JSON"));
	ck_assert_str_eq(ask_to_end(" \n"), BAD("cannot parse JSON"));
	ck_assert_str_eq(ask_to_end("{\"execute\": \"list_"), BAD("cannot parse JSON"));
	reconnect();
	for (const char *p = LIST; *p; p++) {
		char byte[2] = { *p, '\0' };

		ck_assert(!talk_session.hangup);
		talk_say(byte);
	}
	ck_assert_str_eq(talk_taken, "{\"return\":{\"entries\":[]},\"entries\":[]}");
	teardown();
}
END_TEST

START_TEST(size)
{
	char text[5000];

	setup();
	memset(text, ' ', sizeof(text));
	memcpy(text, LIST, strlen(LIST));
	text[4095] = '\0';
	ck_assert_str_eq(ask(text), "{\"return\":{\"entries\":[]},\"entries\":[]}");
	text[4095] = ' ';
	text[4096] = '\0';
	ck_assert_str_eq(ask(text), BAD("too large message"));
	ck_assert_uint_eq(ctl_session_room(&talk_session), 0);
	/* in pieces */
	reconnect();
	text[strlen(LIST) - 1] = ' ';
	text[2000] = '\0';
	for (int i = 0; i < 2; i++)
		ck_assert_str_eq(talk_say(text), "");
	text[96] = '\0';
	ck_assert_str_eq(talk_say(text), BAD("too large message"));
	/* brackets */
	memset(text, '{', 100);
	text[100] = '\0';
	ck_assert_str_eq(ask(text), BAD("cannot parse JSON"));
	teardown();
}
END_TEST

/* A socket for looking stays one, whatever the dialect. */
START_TEST(authority)
{
	setup();
	talk_session.authority = CTL_MAY_LOOK;
	talk_assert_contains(ask(ADD("\"proto\": \"tcp\", \"host_port\": 22, \"guest_port\": 1")),
			     "this socket may only look");
	ck_assert_uint_eq(fake_forwards_n_open, 0);
	assert_listed("");
	teardown();
}
END_TEST

START_TEST(refusal)
{
	setup();
	reconnect();
	ctl_session_refuse(&talk_session, "there are too many control clients");
	talk_take_behind(0);
	ck_assert_str_eq(talk_taken, "{\"error\":{\"desc\":\"there are too many control clients\"}}");
	teardown();
}
END_TEST

/* A list of any length costs the loop no more than a short one. */
START_TEST(list_in_portions)
{
	unsigned turns = 0;
	size_t len = 0;

	setup();
	for (int i = 0; i < 200; i++) {
		char request[200];

		snprintf(request, sizeof(request),
			 ADD("\"proto\": \"tcp\", \"host_port\": %d, \"guest_port\": 1"), 1000 + i);
		ask(request);
	}
	reconnect();
	talk_input(LIST);
	for (; talk_session.pending && !talk_session.hangup; turns++) {
		ctl_session_work(&talk_session, 64);
		len = talk_take_behind(len);
	}
	ck_assert_uint_gt(turns, 100);
	ck_assert_uint_eq(talk_count(talk_taken, "\"id\":"), 400);
	ck_assert_uint_eq(talk_count(talk_taken, "},{"), 398);
	ck_assert_uint_eq(talk_count(talk_taken, "]},\"entries\":[{"), 1);
	teardown();
}
END_TEST

SUITE_MAIN("ctl_slirp", manual, defaults, families, others, bad_requests, surplus, ends, size,
	   authority, refusal, list_in_portions)
