/* query-captures, capture-start, capture-stop, and the descriptors that clients pass. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/ctl_talk.h"
#include "lib/fake_capture.h"
#include "lib/suite.h"

static struct fake_capture fake;

static void choose_events(const char *names)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"execute\": \"events-subscribe\", \"arguments\": {\"events\": [%s]}}",
		 names);
	ck_assert_str_eq(talk_say(text), "{\"return\": {}}\r\n");
}

static void begin(enum ctl_authority authority)
{
	talk_start(authority);
	talk_say(TALK_NEGOTIATE);
	choose_events("");
	fake_capture_init(&fake);
	ck_assert_ptr_nonnull(captures_new(&talk_guest.env, &fake_capture_ops, &fake));
	talk_session.caller.pid = 4711;
	talk_session.caller.uid = 1000;
}

static void end(void)
{
	captures_free(talk_guest.env.captures);
	fake_capture_free(&fake);
	talk_stop();
}

static int pass(void)
{
	int fd = open("/dev/null", O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ctl_session_take_fd(&talk_session, fd);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static const char *start(const char *arguments)
{
	char text[1024];

	snprintf(text, sizeof(text), "{\"execute\": \"capture-start\", \"arguments\": {%s}}", arguments);
	return talk_say(text);
}

static void refused(const char *arguments, const char *desc)
{
	char want[512];

	snprintf(want, sizeof(want), "{\"error\": {\"class\":\"GenericError\",\"desc\":\"%s\"}}\r\n", desc);
	ck_assert_str_eq(start(arguments), want);
}

START_TEST(life)
{
	begin(CTL_MAY_CHANGE);
	ck_assert_str_eq(talk_say("{\"execute\": \"query-captures\"}"), "{\"return\": []}\r\n");
	pass();
	ck_assert_str_eq(
		start("\"why\": \"ticket\""),
		"{\"return\": "
		"{\"id\":1,\"state\":\"running\",\"sink\":\"pipe\",\"pid\":4711,\"uid\":1000,"
		"\"age_ms\":0,\"seen\":0,\"matched\":0,\"written\":0,\"waiting\":0,"
		"\"overwritten\":0,\"lost\":0,\"size\":0,\"spec\":{\"why\":\"ticket\"}}}\r\n");
	ck_assert_uint_eq(talk_guest.env.capturing, 1);
	fake_guest_advance(&talk_guest, 1500 * NS_PER_MS);
	ck_assert_str_eq(talk_say("{\"execute\": \"capture-stop\", \"arguments\": {\"id\": 1}}"),
			 "{\"return\": {}}\r\n");
	captures_flush(talk_guest.env.captures);
	fake_guest_advance(&talk_guest, 1500 * NS_PER_MS);
	talk_say("{\"execute\": \"query-captures\"}");
	talk_assert_contains(
		talk_taken,
		"\"state\":\"ended\",\"reason\":\"stopped\",\"sink\":\"pipe\",\"pid\":4711,");
	talk_assert_contains(talk_taken, "\"age_ms\":1500,");
	talk_assert_error("{\"execute\": \"capture-stop\", \"arguments\": {\"id\": 1}}", "GenericError",
			  "there is no capture 1 under way");
	end();
}
END_TEST

/* Who asked for it, why and where to; then what came of it, and why it ended. */
START_TEST(events)
{
	begin(CTL_MAY_CHANGE);
	choose_events("\"CAPTURE_STARTED\", \"CAPTURE_ENDED\"");
	pass();
	start("\"addr\": \"192.0.2.0/24\", \"packets\": 1, \"why\": \"ticket\"");
	talk_assert_contains(talk_taken,
			     "\"CAPTURE_STARTED\", \"data\": {\"id\":1,\"state\":\"running\","
			     "\"sink\":\"pipe\",\"pid\":4711,\"uid\":1000,\"age_ms\":0,");
	talk_assert_contains(talk_taken, "\"spec\":{\"addr\":\"192.0.2.0/24\",\"packets\":1,"
					 "\"why\":\"ticket\"}}}\r\n");
	fake.sinks[0].room = 10; /* it cannot be written whole yet */
	talk_say("{\"execute\": \"capture-stop\", \"arguments\": {\"id\": 1}}");
	captures_flush(talk_guest.env.captures);
	ck_assert_str_eq(talk_say(""), "");
	fake.sinks[0].room = SIZE_MAX;
	fake_guest_advance(&talk_guest, 1500 * NS_PER_MS);
	captures_flush(talk_guest.env.captures);
	talk_assert_contains(talk_say(""),
			     "\"CAPTURE_ENDED\", \"data\": {\"id\":1,\"state\":\"ended\","
			     "\"reason\":\"stopped\",\"sink\":\"pipe\",\"pid\":4711,");
	talk_assert_contains(talk_taken, "\"why\":\"ticket\"}}}\r\n");
	pass();
	start("");
	fake.sinks[1].room = 0;
	fake.sinks[1].error = ENOSPC;
	captures_flush(talk_guest.env.captures);
	talk_say("");
	talk_assert_contains(talk_taken,
			     "\"reason\":\"failed\",\"error\":\"No space left on device\",");
	pass();
	start("");
	captures_end(talk_guest.env.captures);
	talk_assert_contains(talk_say(""), "\"reason\":\"shutdown\"");
	end();
}
END_TEST

/* Every argument reaches the capture, and is told again. */
START_TEST(arguments)
{
	static const char all[] =
		"\"proto\":\"udp\",\"dir\":\"to-guest\",\"flow\":7,\"addr\":\"2001:db8::/32\","
		"\"port\":53,\"dropped\":true,\"snaplen\":96,\"headers\":true,\"packets\":10,"
		"\"seconds\":60,\"ring\":131072,\"why\":\"caf\\u00e9\"";
	const struct capture_spec *spec;
	char want[512];

	begin(CTL_MAY_CHANGE);
	pass();
	snprintf(want, sizeof(want), "\"spec\":{%s}}}\r\n", all);
	talk_assert_contains(start(all), want);
	captures_next(talk_guest.env.captures, 0, &spec);
	ck_assert_int_eq(spec->proto, CAPTURE_UDP);
	ck_assert_int_eq(spec->dir, CAPTURE_TO_GUEST);
	ck_assert_uint_eq(spec->flow, 7);
	ck_assert(spec->addr_set);
	ck_assert_uint_eq(spec->prefix_len, 32);
	ck_assert_uint_eq(spec->port, 53);
	ck_assert(spec->dropped && spec->headers);
	ck_assert_uint_eq(spec->snaplen, 96);
	ck_assert_uint_eq(spec->packets, 10);
	ck_assert_uint_eq(spec->seconds, 60);
	ck_assert_uint_eq(spec->ring, 131072);
	pass();
	talk_assert_contains(start("\"proto\":\"arp\",\"dir\":\"from-guest\",\"bytes\":4096,"
				   "\"addr\":\"192.0.2.1\""),
			     "\"spec\":{\"proto\":\"arp\",\"dir\":\"from-guest\","
			     "\"addr\":\"192.0.2.1/32\",\"bytes\":4096}}}\r\n");
	captures_next(talk_guest.env.captures, 1, &spec);
	ck_assert_int_eq(spec->proto, CAPTURE_ARP);
	ck_assert_int_eq(spec->dir, CAPTURE_FROM_GUEST);
	end();
}
END_TEST

START_TEST(refusals)
{
	char why[300] = "\"why\":\"";
	int fd;

	begin(CTL_MAY_CHANGE);
	refused("", "no file descriptor came with the request");
	fd = pass();
	refused("\"bytes\": 4096, \"ring\": 131072", "argument 'bytes' does not go with 'ring'");
	refused("\"addr\": \"192.0.2.1/33\"", "argument 'addr' must be an IP address or prefix");
	refused("\"why\": \"one\\nline\"", "argument 'why' must not have control characters");
	memset(why + strlen(why), 'x', 201);
	strcat(why, "\"");
	refused(why, "argument 'why' must not be longer than 200 bytes");
	refused("\"bytes\": 4095", "argument 'bytes' must be an integer from 4096 to 9007199254740992");
	refused("\"ring\": 131071", "argument 'ring' must be an integer from 131072 to 67108864");
	refused("\"port\": 0", "argument 'port' must be an integer from 1 to 65535");
	refused("\"proto\": \"dns\"", "argument 'proto' must be one of: arp, icmp, tcp, udp");
	ck_assert(is_open(fd)); /* nobody took it */
	fake.open_error = EINVAL;
	refused("", "the descriptor that came with the request is no file, pipe or stream socket "
		    "that can be written to");
	ck_assert(!is_open(fd));
	fake.open_error = 0;
	for (unsigned i = 0; i < CAPTURES_MAX; i++) {
		pass();
		talk_assert_contains(start(""), "running");
	}
	pass();
	refused("", "4 captures are under way already");
	refused("", "no file descriptor came with the request");
	end();
}
END_TEST

START_TEST(descriptors)
{
	int first, second;

	begin(CTL_MAY_CHANGE);
	first = pass();
	second = pass();
	ck_assert_int_ne(first, second);
	ck_assert(!is_open(first));
	ck_assert(is_open(second));
	end();
	ck_assert(!is_open(second)); /* goes with the client */
}
END_TEST

START_TEST(who_may_only_look)
{
	begin(CTL_MAY_LOOK);
	ck_assert(!ctl_session_takes_fds(&talk_session));
	refused("", "'capture-start' changes something; this socket may only look");
	talk_assert_error("{\"execute\": \"capture-stop\", \"arguments\": {\"id\": 1}}", "GenericError",
			  "'capture-stop' changes something; this socket may only look");
	ck_assert_str_eq(talk_say("{\"execute\": \"query-captures\"}"), "{\"return\": []}\r\n");
	ck_assert_uint_eq(fake.n_sinks, 0);
	end();
}
END_TEST

START_TEST(none_here)
{
	talk_start_negotiated();
	ck_assert_str_eq(talk_say("{\"execute\": \"query-captures\"}"), "{\"return\": []}\r\n");
	refused("", "there are no captures here");
	talk_stop();
}
END_TEST

SUITE_MAIN("ctl_captures", life, events, arguments, refusals, descriptors, who_may_only_look,
	   none_here)
