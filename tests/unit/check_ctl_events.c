/* Events of the control socket: who hears of what, in which order, and what becomes of storms
 * and of clients that do not read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "lib/ctl_talk.h"
#include "lib/fake_flow.h"
#include "lib/suite.h"
#include "proto/event.h"
#include "proto/lease.h"

static struct env *env(void)
{
	return &talk_guest.env;
}

/* What waits for the client, as it would be read now. */
static const char *heard(void)
{
	return talk_say("");
}

static void subscribe(const char *arguments)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"execute\": \"events-subscribe\", \"arguments\": %s}",
		 arguments);
	ck_assert_str_eq(talk_say(text), "{\"return\": {}}\r\n");
}

static void drop(unsigned n, enum drop reason)
{
	while (n--)
		env_drop(env(), reason);
}

START_TEST(names_match_kinds)
{
	unsigned n = 0;

	while (ctl_event_names[n])
		n++;
	ck_assert_uint_eq(n, N_EVENTS);
	ck_assert_str_eq(ctl_event_names[EVENT_FLOW_CLOSED], "FLOW_CLOSED");
	ck_assert_str_eq(ctl_event_names[EVENT_SHUTDOWN], "SHUTDOWN");
}
END_TEST

START_TEST(nothing_before_the_negotiation)
{
	talk_start(CTL_MAY_LOOK);
	ck_assert_uint_eq(env()->events_wanted, 0);
	event_tell(env(), &(struct event){ .kind = EVENT_SHUTDOWN });
	ck_assert_str_eq(talk_say(TALK_NEGOTIATE), "{\"return\": {}}\r\n");
	event_tell(env(), &(struct event){ .kind = EVENT_SHUTDOWN });
	talk_assert_contains(heard(), "\"event\": \"SHUTDOWN\", \"data\": {}}\r\n");
	talk_stop();
}
END_TEST

START_TEST(form)
{
	unsigned long seconds, us;

	talk_start_negotiated();
	env()->guest.mac = MAC_BROADCAST;
	event_tell(env(), &(struct event){ .kind = EVENT_GUEST_SEEN });
	ck_assert_int_eq(sscanf(heard(),
				"{\"timestamp\": {\"seconds\": %lu, \"microseconds\": %lu}",
				&seconds, &us),
			 2);
	ck_assert_uint_gt(seconds, 1700000000);
	ck_assert_uint_lt(us, 1000000);
	ck_assert_str_eq(strchr(talk_taken, '}'),
			 "}, \"event\": \"GUEST_SEEN\", \"data\": "
			 "{\"mac\":\"ff:ff:ff:ff:ff:ff\",\"count\":1}}\r\n");
	talk_stop();
}
END_TEST

START_TEST(leases)
{
	const struct lease_times times = { 10, 20, 30 };
	struct lease_client client = { .id_len = 2, .id = { 1, 0xab }, .hostname = "web" };
	struct addr a = addr_of("10.0.2.15");
	struct lease l;

	lease_init(&l);
	talk_start_negotiated();
	lease_grant(env(), &l, &client, &a, &times);
	talk_assert_contains(heard(), "\"LEASE_GRANTED\", \"data\": {\"lease\":{\"address\":"
				      "\"10.0.2.15\"");
	talk_assert_contains(talk_taken, "\"client_id\":\"01:ab\"");
	talk_assert_contains(talk_taken, "\"expires_ms\":30000");
	lease_grant(env(), &l, &client, &a, &times);
	talk_assert_contains(heard(), "\"LEASE_RENEWED\"");
	talk_assert_contains(talk_taken, "\"grants\":2");
	lease_end(env(), &l, "released");
	talk_assert_contains(heard(), "\"LEASE_ENDED\"");
	talk_assert_contains(talk_taken, "\"reason\":\"released\",\"count\":1}}\r\n");
	talk_stop();
}
END_TEST

START_TEST(flows_only_for_those_who_want_them)
{
	talk_start_negotiated();
	fake_flow_open(env(), 1000); /* before: no news */
	ctl_events_turn(&talk_events);
	ck_assert_str_eq(heard(), "");
	subscribe("{\"events\": [\"FLOW_OPENED\", \"FLOW_CLOSED\"]}");
	ctl_events_turn(&talk_events);
	ck_assert_str_eq(heard(), "");
	fake_flow_open(env(), 1001);
	ck_assert_str_eq(heard(), ""); /* not before it is set up whole */
	ctl_events_turn(&talk_events);
	talk_assert_contains(heard(), "\"FLOW_OPENED\", \"data\": {\"id\":2,");
	fake_flow_close_all(env());
	talk_assert_contains(heard(), "\"FLOW_CLOSED\", \"data\": {\"id\":1,");
	talk_assert_contains(talk_taken, "\"reason\":\"shutdown\",\"closed_ms\":0,\"last_state\":\"ESTABLISHED\"}}");
	ck_assert_uint_eq(talk_count(talk_taken, "FLOW_CLOSED"), 2);
	event_tell(env(), &(struct event){ .kind = EVENT_SHUTDOWN }); /* which was not chosen */
	ck_assert_str_eq(heard(), "");
	talk_stop();
}
END_TEST

START_TEST(opened_and_closed_in_one_turn)
{
	talk_start_negotiated();
	subscribe("{}");
	fake_flow_open(env(), 1000);
	fake_flow_open(env(), 1001);
	fake_flow_close_all(env());
	ctl_events_turn(&talk_events);
	heard();
	ck_assert_uint_eq(talk_count(talk_taken, "FLOW_OPENED"), 2);
	ck_assert_uint_eq(talk_count(talk_taken, "FLOW_CLOSED"), 2);
	ck_assert(strstr(talk_taken, "FLOW_OPENED") < strstr(talk_taken, "FLOW_CLOSED"));
	talk_stop();
}
END_TEST

START_TEST(filters)
{
	talk_start_negotiated();
	talk_assert_error(
		"{\"execute\": \"events-subscribe\", \"arguments\": {\"addr\": \"x\"}}",
		"GenericError", "argument 'addr' must be an IP address or prefix");
	talk_assert_error(
		"{\"execute\": \"events-subscribe\", \"arguments\": {\"events\": [\"X\"]}}",
		"GenericError", "argument 'events' cannot be 'X'");
	subscribe("{\"proto\": \"udp\", \"addr\": \"198.51.100.0/24\", \"port\": 53, \"dir\": "
		  "\"out\"}");
	fake_flow_open(env(), 53); /* TCP */
	fake_flow_open_to(env(), FLOW_UDP, 1, (struct endpoint){ addr_of("198.51.100.1"), 54 });
	fake_flow_open_to(env(), FLOW_UDP, 2, (struct endpoint){ addr_of("198.51.101.1"), 53 });
	ctl_events_turn(&talk_events);
	ck_assert_str_eq(heard(), "");
	fake_flow_open_to(env(), FLOW_UDP, 3, (struct endpoint){ addr_of("198.51.100.1"), 53 });
	ctl_events_turn(&talk_events);
	ck_assert_uint_eq(talk_count(heard(), "FLOW_OPENED"), 1);
	talk_stop();
}
END_TEST

START_TEST(storms_are_summarised)
{
	talk_start_negotiated();
	drop(1, DROP_RUNT);
	talk_assert_contains(heard(), "\"FRAMES_DROPPED\", \"data\": "
				      "{\"reason\":\"runt\",\"count\":1}}\r\n");
	drop(1000, DROP_RUNT);
	drop(1, DROP_VLAN); /* a storm of its own */
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 1);
	talk_assert_contains(talk_taken, "\"reason\":\"vlan\"");
	fake_guest_advance(&talk_guest, NS_PER_SEC);
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 1);
	talk_assert_contains(talk_taken, "{\"reason\":\"runt\",\"count\":1000}");
	fake_guest_advance(&talk_guest,
			   5 * NS_PER_SEC); /* it is over: nothing is armed any more */
	ck_assert_str_eq(heard(), "");
	ck_assert(!timer_armed(&talk_events.timer));
	talk_stop();
}
END_TEST

/* A guest that changes its hardware address with each frame is told of once a second. */
START_TEST(many_addresses)
{
	talk_start_negotiated();
	for (unsigned i = 0; i < 1000; i++) {
		env()->guest.mac.b[5] = (uint8_t)i;
		event_tell(env(), &(struct event){ .kind = EVENT_GUEST_SEEN });
	}
	ck_assert_uint_eq(talk_count(heard(), "GUEST_SEEN"), 1);
	fake_guest_advance(&talk_guest, NS_PER_SEC);
	ck_assert_uint_eq(talk_count(heard(), "GUEST_SEEN"), 1);
	talk_assert_contains(talk_taken, ":e7\",\"count\":999}}"); /* the last one */
	talk_stop();
}
END_TEST

static void client_comes(pid_t pid)
{
	env()->guest.client_pid = pid;
	event_tell(env(), &(struct event){ .kind = EVENT_CLIENT_CONNECTED });
}

static void client_goes(const char *why)
{
	event_tell(env(), &(struct event){ .kind = EVENT_CLIENT_DISCONNECTED, .reason = why });
}

/* A client that comes and goes without end is told of once a second, and how it is now last. */
START_TEST(many_clients)
{
	talk_start_negotiated();
	for (unsigned i = 1; i <= 1000; i++) {
		client_comes((pid_t)i);
		client_goes("closed its end");
	}
	client_comes(1001);
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 2);
	talk_assert_contains(talk_taken, "_CONNECTED\", \"data\": {\"pid\":1,\"count\":1}}");
	talk_assert_contains(talk_taken, "{\"reason\":\"closed its end\",\"count\":1}}");
	fake_guest_advance(&talk_guest, NS_PER_SEC);
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 2);
	talk_assert_contains(talk_taken, "{\"reason\":\"closed its end\",\"count\":999}}");
	talk_assert_contains(talk_taken, "{\"pid\":1001,\"count\":1000}}");
	ck_assert(strstr(talk_taken, "_DISCONNECTED") < strstr(talk_taken, "_CONNECTED"));
	ck_assert_uint_eq(talk_events.n_told, 4);
	ck_assert_uint_eq(talk_events.n_summed, 1997);
	fake_guest_advance(&talk_guest, 5 * NS_PER_SEC);
	ck_assert_str_eq(heard(), "");
	ck_assert(!timer_armed(&talk_events.timer));
	client_goes("closed its end"); /* it is over: at once again */
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 1);
	talk_stop();
}
END_TEST

/* An event does not overtake one of its kind's kin that waits, though its own time has come. */
START_TEST(order_is_kept)
{
	talk_start_negotiated();
	client_goes("a");
	fake_guest_advance(&talk_guest, 900 * NS_PER_MS);
	client_comes(7);
	client_comes(8); /* held until 1.9 s */
	fake_guest_advance(&talk_guest, 500 * NS_PER_MS);
	client_goes("b"); /* its last was at 0 s */
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 2);
	fake_guest_advance(&talk_guest, 500 * NS_PER_MS);
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 2);
	ck_assert(strstr(talk_taken, "\"pid\":8,") < strstr(talk_taken, "\"reason\":\"b\""));
	talk_stop();
}
END_TEST

/* A guest that takes and gives back its leases: each family has events of its own. */
START_TEST(many_leases)
{
	const struct lease_times times = { 10, 20, 30 };
	const struct addr a4 = addr_of("10.0.2.15"), a6 = addr_of("2001:db8::f");
	struct lease_client client = { .hostname = "web" };
	struct lease l4, l6;

	lease_init(&l4);
	lease_init(&l6);
	talk_start_negotiated();
	for (unsigned i = 0; i < 500; i++) {
		lease_grant(env(), &l4, &client, &a4, &times);
		lease_end(env(), &l4, "released");
		lease_grant(env(), &l6, &client, &a6, &times);
	}
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 4);
	ck_assert_uint_eq(talk_count(talk_taken, "\"LEASE_GRANTED\""), 2);
	fake_guest_advance(&talk_guest, NS_PER_SEC);
	ck_assert_uint_eq(talk_count(heard(), "\"event\""), 3);
	talk_assert_contains(talk_taken,
			     "\"grants\":500},\"count\":498}}"); /* of IPv6, renewed */
	talk_assert_contains(talk_taken, "\"reason\":\"released\",\"count\":499}}");
	ck_assert(strstr(talk_taken, "LEASE_GRANTED") < strstr(talk_taken, "LEASE_ENDED"));
	lease_free(&l6, &env()->timers);
	talk_stop();
}
END_TEST

START_TEST(counters)
{
	talk_start_negotiated();
	client_comes(1);
	client_comes(2);
	fake_guest_advance(&talk_guest, NS_PER_SEC);
	client_comes(3);
	client_comes(4);
	fake_guest_advance(&talk_guest, NS_PER_SEC);
	talk_session.subscriber.lost = 1; /* from now on it loses all */
	log_warn(DNS, "x");
	talk_say("{\"execute\": \"query-stats\"}");
	talk_assert_contains(talk_taken, "\"events.told\",\"kind\":\"counter\",\"value\":4,");
	talk_assert_contains(talk_taken, "\"events.summed\",\"kind\":\"counter\",\"value\":1,");
	talk_assert_contains(talk_taken, "\"events.lost\",\"kind\":\"counter\",\"value\":1,");
	talk_stop();
}
END_TEST

START_TEST(limits_and_forwards)
{
	struct event_forward f = { .id = 7,
				   .port = { .proto = FLOW_TCP,
					     .both_families = true,
					     .first = 2222,
					     .last = 2222 },
				   .has_client = true,
				   .client = { addr_of("192.0.2.9"), 40000 },
				   .error = ENETDOWN,
				   .reason = "no guest is connected" },
			     taken = { .port = f.port, .reason = "x", .error = EADDRINUSE };

	talk_start_negotiated();
	event_limit_reached(env(), LIMIT_CONTROL_CLIENTS);
	talk_assert_contains(heard(), "\"LIMIT_REACHED\", \"data\": "
				      "{\"limit\":\"control-clients\",\"count\":1}}");
	event_tell(env(), &(struct event){ .kind = EVENT_FORWARD_FAILED, .forward = &f });
	ck_assert_ptr_nonnull(strstr(
		heard(),
		"\"FORWARD_FAILED\", \"data\": {\"id\":7,\"proto\":\"tcp\",\"host_port\":2222,"
		"\"errno\":100,\"errname\":\"ENETDOWN\","
		"\"client\":{\"addr\":\"192.0.2.9\",\"port\":40000},"
		"\"reason\":\"no guest is connected\",\"count\":1}}"));
	f.client.port = 40001;
	event_tell(env(), &(struct event){ .kind = EVENT_FORWARD_FAILED, .forward = &f });
	f.client.port = 40002; /* the last one is kept */
	event_tell(env(), &(struct event){ .kind = EVENT_FORWARD_FAILED, .forward = &f });
	ck_assert_str_eq(heard(), "");
	/* ports are another matter than clients */
	event_tell(env(), &(struct event){ .kind = EVENT_FORWARD_FAILED, .forward = &taken });
	talk_assert_contains(heard(),
			     "\"FORWARD_FAILED\", \"data\": {\"proto\":\"tcp\","
			     "\"host_port\":2222,\"errno\":98,\"errname\":\"EADDRINUSE\","
			     "\"reason\":\"x\",\"count\":1}}");
	fake_guest_advance(&talk_guest, NS_PER_SEC);
	talk_assert_contains(heard(), "\"port\":40002}");
	talk_assert_contains(talk_taken, "\"count\":2}}");
	talk_stop();
}
END_TEST

START_TEST(warnings)
{
	talk_start_negotiated();
	log_info(TCP, "nothing to worry about");
	ck_assert_str_eq(heard(), "");
	log_warn(DNS, "name server \x1b silent");
	talk_assert_contains(heard(), "\"WARNING\", \"data\": {\"level\":\"warning\","
				      "\"unit\":\"dns\",\"text\":\"name server ? silent\"}}");
	talk_stop();
}
END_TEST

/* One that does not read loses events, with a count, and nothing else. */
START_TEST(slow_reader)
{
	const unsigned n = 2000; /* of some 400 bytes each */
	const char *lost;
	unsigned kept;

	talk_start_negotiated();
	subscribe("{\"events\": [\"FLOW_OPENED\"]}");
	for (unsigned i = 0; i < n; i++)
		fake_flow_open(env(), (uint16_t)(i + 1));
	ctl_events_turn(&talk_events);
	ck_assert_uint_le(ctl_buf_len(&talk_session.subscriber.text), CTL_EVENTS_MAX);
	heard();
	kept = talk_count(talk_taken, "FLOW_OPENED");
	ck_assert_uint_gt(kept, 100);
	ck_assert_uint_lt(kept, n);
	lost = strstr(talk_taken, "\"EVENTS_LOST\", \"data\": {\"count\":");
	ck_assert_ptr_nonnull(lost);
	ck_assert_uint_eq((unsigned)atoi(strrchr(lost, ':') + 1), n - kept);
	fake_flow_open(env(), 60000); /* and it hears on */
	ctl_events_turn(&talk_events);
	ck_assert_uint_eq(talk_count(heard(), "FLOW_OPENED"), 1);
	talk_stop();
}
END_TEST

/* No event stands within a reply, however long that takes. */
START_TEST(not_within_a_reply)
{
	const char *end;

	talk_start_negotiated();
	for (unsigned i = 0; i < 500; i++)
		fake_flow_open(env(), (uint16_t)(i + 1));
	talk_input("{\"execute\": \"query-flows\"}");
	ctl_session_work(&talk_session, 1000);
	ck_assert(talk_session.call.method);
	log_warn(DNS, "in between");
	talk_say("");
	end = strstr(talk_taken, "]}\r\n");
	ck_assert_ptr_nonnull(end);
	ck_assert_uint_eq(talk_count(talk_taken, "WARNING"), 1);
	ck_assert(strstr(talk_taken, "WARNING") > end);
	talk_stop();
}
END_TEST

START_TEST(nobody_listens)
{
	talk_start_negotiated();
	ck_assert_uint_ne(env()->events_wanted, 0);
	subscribe("{\"events\": []}");
	ck_assert_uint_eq(env()->events_wanted, 0);
	ck_assert_ptr_null(env()->flows.removed);
	talk_stop();
}
END_TEST

SUITE_MAIN("ctl_events", names_match_kinds, nothing_before_the_negotiation, form, leases,
	   flows_only_for_those_who_want_them, opened_and_closed_in_one_turn, filters,
	   storms_are_summarised, limits_and_forwards, many_addresses, many_clients,
	   order_is_kept, many_leases, counters, warnings, slow_reader, not_within_a_reply,
	   nobody_listens)
