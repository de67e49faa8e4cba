/* Flows on the control socket: conditions, order, portions, details, ends. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "flow/details.h"
#include "lib/ctl_talk.h"
#include "lib/fake_flow.h"
#include "lib/suite.h"
#include "proto/tcp/conn.h"

#define PEER(n) ((struct endpoint){ addr_ip4(0xc6336400u | (n)), 443 })

static struct env *env(void)
{
	return &talk_guest.env;
}

static const char *query(const char *arguments)
{
	char request[512];

	snprintf(request, sizeof(request), "{\"execute\": \"query-flows\", \"arguments\": {%s}}",
		 arguments);
	return talk_say(request);
}

/* The ids that a query lists, with blanks between them. */
static const char *ids(const char *arguments)
{
	static char text[512];
	const char *at = query(arguments);
	size_t len = 0;

	text[0] = '\0';
	while ((at = strstr(at, "{\"id\":")) && len < sizeof(text) - 24) {
		at += strlen("{\"id\":");
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%lld", len ? " " : "",
					atoll(at));
	}
	return text;
}

static void set_name(struct flow *f, const char *text)
{
	f->name = flow_name_new(&env()->flows.names, text);
}

/* 1: out to 198.51.100.1, called www.example.com; 2: in from 198.51.100.2; 3: UDP, example.com. */
static void open_three(void)
{
	struct flow *f;

	talk_start_negotiated();
	set_name(fake_flow_open_to(env(), FLOW_TCP, 1000, PEER(1)), "www.example.com");
	f = fake_flow_open_to(env(), FLOW_TCP, 22, PEER(2));
	f->dir = FLOW_IN;
	f->forward = 7;
	set_name(fake_flow_open_to(env(), FLOW_UDP, 1000, PEER(3)), "example.com");
}

START_TEST(who_opened_it)
{
	open_three();
	ck_assert_str_eq(ids("\"src\": \"10.0.2.15\""), "1 3");
	ck_assert_str_eq(ids("\"dst\": \"10.0.2.15\""), "2");
	ck_assert_str_eq(ids("\"src\": \"198.51.100.0/24\""), "2");
	ck_assert_str_eq(ids("\"dst\": \"198.51.100.0/24\""), "1 3");
	ck_assert_str_eq(ids("\"sport\": 1000"), "1 3");
	ck_assert_str_eq(ids("\"dport\": 22"), "2");
	ck_assert_str_eq(ids("\"dport\": 443"), "1 3");
	ck_assert_str_eq(ids("\"dst\": \"198.51.100.1\", \"dport\": 443"), "1");
	ck_assert_str_eq(ids("\"src\": \"198.51.100.1\", \"dport\": 443"), "");
	/* address and port of one and the same end */
	ck_assert_str_eq(ids("\"addr\": \"198.51.100.1\", \"port\": 1000"), "");
	talk_assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"dst\": \"x\"}}",
			  "GenericError", "argument 'dst' must be an IP address or prefix");
	talk_stop();
}
END_TEST

START_TEST(names)
{
	open_three();
	ck_assert_str_eq(ids("\"name\": \"example.com\""), "1 3");
	ck_assert_str_eq(ids("\"name\": \"EXAMPLE.com.\""), "1 3");
	ck_assert_str_eq(ids("\"name\": \"www.example.com\""), "1");
	ck_assert_str_eq(ids("\"name\": \"ample.com\""), "");
	ck_assert_str_eq(ids("\"name\": \".\""), "");
	talk_assert_contains(query("\"name\": \"www.example.com\""),
			     "\"name\":\"www.example.com\"");
	talk_assert_contains(query("\"dir\": \"in\""), "\"forward\":7,");
	ck_assert_uint_eq(talk_count(talk_taken, "\"name\""), 0);
	/* the record of how it ended has them, too, and the state in which it was */
	fake_flow_close_all(env());
	ck_assert_str_eq(ids("\"closed\": true, \"name\": \"example.com\""), "3 1");
	talk_assert_contains(query("\"closed\": true, \"limit\": 1"),
			     "\"last_state\":\"ESTABLISHED\"");
	talk_stop();
}
END_TEST

/* The name is held by the record until that is forgotten. */
START_TEST(names_are_forgotten)
{
	talk_start_negotiated();
	set_name(fake_flow_open(env(), 1), "example.com");
	fake_flow_close_all(env());
	ck_assert_uint_gt(env()->flows.names.bytes, 0);
	for (unsigned i = 0; i < FLOW_CLOSED_KEPT; i++) {
		fake_flow_open(env(), 1);
		fake_flow_close_all(env());
	}
	ck_assert_uint_eq(env()->flows.names.bytes, 0);
	/* the others, of which as many as are kept are listed */
	ck_assert_uint_eq(talk_count(query("\"closed\": true, \"limit\": 10000"), "\"id\":"), FLOW_CLOSED_KEPT);
	talk_stop();
}
END_TEST

START_TEST(sorted)
{
	static const uint64_t bytes[] = { 5, 900, 5, 20, 7 };

	talk_start_negotiated();
	for (uint16_t i = 0; i < 5; i++) {
		struct flow *f = fake_flow_open(env(), (uint16_t)(1000 + i));

		f->bytes_out = bytes[i];
		f->bytes_in = 100 - 10u * i;
		env()->now_ns += NS_PER_SEC;
	}
	ck_assert_str_eq(ids("\"sort\": \"bytes_out\""), "2 4 5 1 3");
	ck_assert_str_eq(ids("\"sort\": \"bytes_out\", \"limit\": 2"), "2 4");
	ck_assert_str_eq(ids("\"sort\": \"bytes_in\""), "1 2 3 4 5");
	ck_assert_str_eq(ids("\"sort\": \"bytes\""), "2 1 4 3 5");
	ck_assert_str_eq(ids("\"sort\": \"age\", \"limit\": 3"), "1 2 3");
	flow_table_by_id(&env()->flows, 1)->used_ns = env()->now_ns;
	ck_assert_str_eq(ids("\"sort\": \"idle\""), "2 3 4 5 1");
	ck_assert_str_eq(ids("\"sort\": \"id\", \"after\": 3"), "4 5");
	ck_assert_str_eq(ids("\"sort\": \"bytes\", \"port\": 1003"), "4");
	ck_assert_str_eq(ids("\"sort\": \"bytes\", \"port\": 1"), "");
	ck_assert_str_eq(ids("\"sort\": \"age\", \"after\": 3"), "4 5");
	talk_stop();
}
END_TEST

START_TEST(sorted_by_rate)
{
	static const uint64_t out[] = { 500, 90, 4000, 0, 500 },
			      in[] = { 100, 7000, 1000, 0, 100 };
	struct flow *f = NULL;

	talk_start_negotiated();
	for (uint16_t i = 0; i < 5; i++) {
		f = fake_flow_open(env(), (uint16_t)(1000 + i));
		f->bytes_out = 1000000 * (5u - i); /* of former times */
		flow_count(f, env()->now_ns, out[i], in[i]);
	}
	ck_assert_str_eq(ids("\"sort\": \"rate\""), "2 3 1 5 4");
	ck_assert_str_eq(ids("\"sort\": \"rate_out\", \"limit\": 4"), "3 1 5 2");
	ck_assert_str_eq(ids("\"sort\": \"rate_in\", \"limit\": 3"), "2 3 1");
	talk_assert_contains(query("\"sort\": \"rate\", \"limit\": 1"),
			     "\"rate_out\":90,\"rate_in\":7000,");
	talk_assert_contains(talk_taken, "\"key\":7090}]");
	/* one that goes on overtakes those that rest */
	env()->now_ns += NS_PER_SEC * 9 / 10;
	flow_count(f, env()->now_ns, 900, 0);
	ck_assert_str_eq(ids("\"sort\": \"rate\""), "5 2 3 1 4");
	env()->now_ns += NS_PER_SEC;
	ck_assert_uint_eq(talk_count(query(""), "\"rate_out\":0,\"rate_in\":0,"), 5);
	talk_stop();
}
END_TEST

START_TEST(why_they_ended)
{
	struct flow *f;

	talk_start_negotiated();
	for (unsigned r = FLOW_CLOSED_NOT + 1; r < N_FLOW_CLOSE_REASONS; r++) {
		ck_assert_str_eq(ctl_close_reason_names[r - CTL_CLOSE_REASON_FIRST],
				 flow_close_reason_name(r));
		f = fake_flow_open(env(), (uint16_t)r);
		f->class->close(env(), f, r);
	}
	ck_assert_ptr_null(
		ctl_close_reason_names[N_FLOW_CLOSE_REASONS - CTL_CLOSE_REASON_FIRST]);
	ck_assert_str_eq(ids("\"closed\": true, \"reason\": \"finished\""), "1");
	ck_assert_str_eq(ids("\"closed\": true, \"reason\": \"timed-out\""), "7");
	ck_assert_str_eq(ids("\"closed\": true, \"reason\": \"timed-out\", \"port\": 1"), "");
	ck_assert_str_eq(ids("\"closed\": true, \"limit\": 2"), "13 12");
	talk_stop();
}
END_TEST

static bool is_known(const char *state)
{
	for (unsigned i = 0; ctl_flow_state_names[i]; i++)
		if (!strcasecmp(ctl_flow_state_names[i], state))
			return true;
	return false;
}

START_TEST(states_have_names)
{
	static const char *const others[] = { "UNREPLIED", "REPLIED", "ASSURED", "CLOSED" };
	unsigned n = 0;

	for (unsigned s = 0; s < N_TCP_STATES; s++)
		ck_assert(is_known(tcp_state_name(s)));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(is_known(others[i]));
	while (ctl_flow_state_names[n])
		n++;
	ck_assert_uint_eq(n, N_TCP_STATES + sizeof(others) / sizeof(others[0]));
}
END_TEST

START_TEST(by_state)
{
	static const char *const open[] = { "established", "ESTABLISHED", "Estab" };

	talk_start_negotiated();
	fake_flow_open(env(), 1);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		char condition[40];

		snprintf(condition, sizeof(condition), "\"state\": \"%s\"", open[i]);
		ck_assert_str_eq(ids(condition), "1");
	}
	ck_assert_str_eq(ids("\"state\": \"SYN-RECV\""), "");
	ck_assert_str_eq(ids("\"state\": \"closed\""), "");
	talk_assert_error("{\"execute\": \"query-flows\", \"arguments\": {\"state\": \"open\"}}",
			  "GenericError",
			  "argument 'state' must be one of: connecting, syn-sent, syn-received, "
			  "established, fin-wait-1, fin-wait-2, close-wait, closing, last-ack, "
			  "time-wait, unreplied, replied, assured, closed");
	talk_assert_contains(talk_say("{\"execute\": \"flow-close\", "
				      "\"arguments\": {\"state\": \"\"}}"),
			     "argument 'state' must be one of: ");
	ck_assert_uint_eq(env()->flows.n, 1);
	fake_flow_close_all(env());
	ck_assert_str_eq(ids("\"closed\": true, \"state\": \"closed\""), "1");
	talk_stop();
}
END_TEST

START_TEST(order_and_place)
{
	static const char *const wrong[][2] = {
		{ "\"sort\": \"bytes\", \"after\": 1",
		  "with this 'sort', arguments 'after' and 'key' go together" },
		{ "\"sort\": \"idle\", \"key\": 1",
		  "with this 'sort', arguments 'after' and 'key' go together" },
		{ "\"after\": 1, \"key\": 1",
		  "argument 'key' does not go with this order of flows" },
		{ "\"sort\": \"age\", \"after\": 1, \"key\": 1",
		  "argument 'key' does not go with this order of flows" },
		{ "\"closed\": true, \"key\": 1",
		  "argument 'key' does not go with this order of flows" },
		{ "\"closed\": true, \"after\": 1",
		  "argument 'after' does not go with 'closed'" },
		{ "\"reason\": \"idle\"", "argument 'reason' goes with 'closed' alone" },
		{ "\"closed\": true, \"sort\": \"age\"",
		  "argument 'sort' does not go with 'closed'" },
	};
	char request[256];

	talk_start_negotiated();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(request, sizeof(request),
			 "{\"execute\": \"query-flows\", \"arguments\": {%s}}", wrong[i][0]);
		talk_assert_error(request, "GenericError", wrong[i][1]);
	}
	talk_stop();
}
END_TEST

/* A flow that a listing showed. */
struct shown {
	uint64_t id, key;
};

static uint64_t member_of(const char *flow, const char *member)
{
	const char *at = strstr(flow, member);

	ck_assert_ptr_nonnull(at);
	return strtoull(at + strlen(member), NULL, 10);
}

/* The next page of a listing, behind the `n` flows that were shown: how many those are then. */
static unsigned next_page(const char *sort, unsigned limit, struct shown *shown, unsigned n)
{
	char arguments[256], place[128] = "";
	const char *at;

	if (n)
		snprintf(place, sizeof(place), ", \"after\": %llu, \"key\": %llu",
			 (unsigned long long)shown[n - 1].id,
			 (unsigned long long)shown[n - 1].key);
	snprintf(arguments, sizeof(arguments), "\"sort\": \"%s\", \"limit\": %u%s", sort, limit,
		 place);
	for (at = query(arguments); (at = strstr(at, "{\"id\":")); at++, n++)
		shown[n] = (struct shown){ member_of(at, "{\"id\":"),
					   member_of(at, "\"key\":") };
	return n;
}

enum { PAGED = 2000 };

static void open_paged(void)
{
	talk_start_negotiated();
	for (unsigned i = 0; i < PAGED; i++) {
		struct flow *f = fake_flow_open(env(), (uint16_t)(i + 1));

		f->bytes_out = i * 7919 % 97; /* many have the same */
		f->used_ns = env()->now_ns + i * 7919 % PAGED * NS_PER_SEC;
	}
	env()->now_ns += PAGED * NS_PER_SEC;
}

/* However large the pages are, each flow is on one of them, in the same order. */
START_TEST(pages)
{
	static const unsigned limits[] = { 7, 500, 999, 1000 };
	static struct shown all[PAGED], shown[PAGED];
	unsigned n, before;

	open_paged();
	ck_assert_uint_eq(next_page("bytes", PAGED, all, 0), PAGED);
	for (unsigned i = 1; i < PAGED; i++)
		ck_assert(all[i].key < all[i - 1].key ||
			  (all[i].key == all[i - 1].key && all[i].id > all[i - 1].id));
	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		n = 0;
		do {
			before = n;
			n = next_page("bytes", limits[i], shown, n);
		} while (n - before == limits[i]);
		ck_assert_uint_eq(n, PAGED);
		ck_assert_mem_eq(shown, all, sizeof(all));
	}
	talk_stop();
}
END_TEST

/* Pages stay together while time goes on and flows move, come and go. */
START_TEST(pages_of_what_moves)
{
	static struct shown shown[PAGED + 2];
	struct flow *f;
	unsigned n;

	open_paged();
	n = next_page("idle", 500, shown, 0);
	ck_assert_uint_eq(n, 500);
	env()->now_ns += 60 * NS_PER_SEC;
	/* one that was shown is used again, the last that was shown ends, and a new one comes
	 */
	flow_table_by_id(&env()->flows, shown[0].id)->used_ns = env()->now_ns;
	fake_flow_open(env(), PAGED + 1)->used_ns = env()->now_ns;
	f = flow_table_by_id(&env()->flows, shown[n - 1].id);
	f->class->close(env(), f, FLOW_CLOSED_IDLE);
	n = next_page("idle", PAGED, shown, n);
	/* these two are the last, and no other was left out or came twice */
	ck_assert_uint_eq(n, PAGED + 2);
	ck_assert_uint_eq(shown[n - 2].id, shown[0].id);
	ck_assert_uint_eq(shown[n - 1].id, PAGED + 1);
	for (unsigned i = 1; i < PAGED; i++)
		ck_assert_uint_lt(shown[i].key, shown[i - 1].key);
	talk_stop();
}
END_TEST

/* Flows that end between the choice and their turn do not make a page shorter. */
START_TEST(pages_are_full)
{
	struct flow *f;

	open_paged();
	talk_input("{\"execute\": \"query-flows\", \"arguments\": "
		   "{\"sort\": \"bytes_out\", \"limit\": 100}}");
	while (!ctl_buf_len(&talk_session.out))
		ctl_session_work(&talk_session, 1);
	for (uint64_t id = 1; id <= PAGED; id++) {
		f = flow_table_by_id(&env()->flows, id);
		if (f->bytes_out >= 90)
			f->class->close(env(), f, FLOW_CLOSED_IDLE);
	}
	talk_say("");
	ck_assert_uint_eq(talk_count(talk_taken, "{\"id\":"), 100);
	ck_assert_uint_eq(talk_count(talk_taken, "\"bytes_out\":96,"), 1); /* shown before */
	ck_assert_uint_ge(talk_count(talk_taken, "\"bytes_out\":89,"), 20);
	ck_assert_uint_eq(talk_count(talk_taken, "\"key\":9"), 1);
	talk_stop();
}
END_TEST

/* Keys in random order, more flows than places: exactly the largest, in order. */
START_TEST(sorted_at_random)
{
	enum { N = 3000, TOP = 500 };
	uint64_t last = UINT64_MAX;
	const char *at;
	unsigned n = 0;

	talk_start_negotiated();
	for (unsigned i = 0; i < N; i++)
		fake_flow_open(env(), (uint16_t)(i + 1))->bytes_out = (uint64_t)i * 7919 % N;
	at = query("\"sort\": \"bytes\", \"limit\": 500");
	for (; (at = strstr(at, "\"bytes_out\":")); n++) {
		uint64_t value = strtoull(at += strlen("\"bytes_out\":"), NULL, 10);

		ck_assert_uint_eq(value, N - 1 - n);
		ck_assert_uint_lt(value, last);
		last = value;
	}
	ck_assert_uint_eq(n, TOP);
	talk_stop();
}
END_TEST

/* 100,000 flows: each turn does its portion and no more, whatever is asked for. */
static void assert_portions(const char *arguments, unsigned want)
{
	char request[256];
	unsigned turns = 0, listed = 0;

	snprintf(request, sizeof(request), "{\"execute\": \"query-flows\", \"arguments\": {%s}}",
		 arguments);
	talk_input(request);
	while (talk_session.pending) {
		size_t before = ctl_buf_len(&talk_session.out);

		ctl_session_work(&talk_session, CTL_WORK_PER_TURN);
		/* a flow is 32 units, and less than 512 bytes */
		ck_assert_uint_le(ctl_buf_len(&talk_session.out) - before,
				  (CTL_WORK_PER_TURN / 32 + 1) * 512);
		talk_take_behind(0);
		listed += talk_count(talk_taken, "{\"id\":");
		turns++;
	}
	ck_assert_uint_eq(listed, want);
	ck_assert_uint_ge(turns, 100000 / CTL_WORK_PER_TURN);
}

START_TEST(very_many)
{
	enum { N = 100000 };

	talk_start_negotiated();
	env()->flows.max = N;
	for (unsigned i = 0; i < N; i++)
		fake_flow_open_to(env(), i & 1 ? FLOW_TCP : FLOW_UDP, (uint16_t)i, PEER(i >> 16))
			->bytes_in = i;
	assert_portions("\"limit\": 10000, \"after\": 90000", 10000);
	assert_portions("\"sort\": \"bytes\", \"limit\": 10", 10);
	assert_portions("\"sort\": \"bytes\", \"limit\": 10000", 10000);
	assert_portions(
		"\"sort\": \"bytes\", \"limit\": 10000, \"after\": 5001, \"key\": 5000",
		5000);
	assert_portions("\"sort\": \"rate\", \"limit\": 10000", 10000);
	assert_portions("\"dport\": 1", 0);
	talk_say("{\"execute\": \"flow-close\", \"arguments\": {\"proto\": \"udp\"}}");
	ck_assert_str_eq(talk_taken, "{\"return\": {\"flows\":50000}}\r\n");
	ck_assert_uint_eq(env()->flows.n, N / 2);
	talk_stop();
}
END_TEST

START_TEST(close_by_condition)
{
	open_three();
	talk_assert_error("{\"execute\": \"flow-close\"}", "GenericError",
			  "either 'id' or a condition must be there");
	talk_assert_error("{\"execute\": \"flow-close\", \"arguments\": {\"how\": \"reset\"}}",
			  "GenericError", "either 'id' or a condition must be there");
	talk_assert_error("{\"execute\": \"flow-close\", \"arguments\": "
			  "{\"id\": 1, \"proto\": \"tcp\"}}",
			  "GenericError", "argument 'id' does not go with others but 'how'");
	talk_assert_error("{\"execute\": \"flow-close\", \"arguments\": {\"addr\": \"x\"}}",
			  "GenericError", "argument 'addr' must be an IP address or prefix");
	ck_assert_uint_eq(env()->flows.n, 3);
	ck_assert_str_eq(talk_say("{\"execute\": \"flow-close\", \"arguments\": "
				  "{\"name\": \"example.com\", \"proto\": \"tcp\"}}"),
			 "{\"return\": {\"flows\":1}}\r\n");
	ck_assert_str_eq(ids(""), "2 3");
	ck_assert_str_eq(talk_say("{\"execute\": \"flow-close\", \"arguments\": "
				  "{\"dport\": 1, \"how\": \"finish\"}}"),
			 "{\"return\": {\"flows\":0}}\r\n");
	talk_stop();
}
END_TEST

/* Details are asked for, or not there. */

static void details(const struct flow *f, struct flow_details *d)
{
	d->queue_out = 11;
	d->tcp = true;
	d->unacked = 12;
	d->window = 13;
	d->guest_window = 14;
	d->mss = 15;
	d->guest_rtt_us = 16;
	d->guest_retransmits = 17;
	d->kernel = f->key.guest_port == 2;
	if (d->kernel)
		d->peer = (struct flow_kernel){ .rtt_us = 21, .rttvar_us = 22, .mss = 23, .cwnd = 24,
						.retransmits = 25, .unanswered = 26,
						.unacked_retransmits = 30,
						.send_queue = 27, .recv_queue = 28,
						.peer_window = 29, .peer_window_known = true,
						.congestion = "cubic" };
}

START_TEST(info)
{
	static struct flow_class class;

	talk_start_negotiated();
	fake_flow_open(env(), 1);
	class = *flow_table_by_id(&env()->flows, 1)->class;
	class.details = details;
	flow_table_by_id(&env()->flows, 1)->class = &class;
	fake_flow_open(env(), 2)->class = &class;
	fake_flow_open(env(), 3);
	ck_assert_uint_eq(talk_count(query(""), "\"info\""), 0);
	query("\"info\": true");
	ck_assert_uint_eq(talk_count(talk_taken, "\"info\""), 2);
	talk_assert_contains(talk_taken, "\"info\":{\"queue_out\":11,\"unacked\":12,\"window\":13,"
					 "\"guest_window\":14,\"guest_mss\":15,"
					 "\"guest_retransmits\":17,\"guest_rtt_us\":16}");
	talk_assert_contains(talk_taken, "\"guest_rtt_us\":16,\"rtt_us\":21,\"rttvar_us\":22,"
					 "\"mss\":23,\"cwnd\":24,\"retransmits\":25,"
					 "\"unacked_retransmits\":30,\"unanswered\":26,\"send_queue\":27,\"recv_queue\":28,"
					 "\"peer_window\":29,\"congestion\":\"cubic\"}");
	talk_stop();
}
END_TEST

SUITE_MAIN("ctl_flows", who_opened_it, names, names_are_forgotten, sorted, sorted_by_rate,
	   why_they_ended, states_have_names, by_state, order_and_place, pages, pages_of_what_moves,
	   pages_are_full, sorted_at_random, very_many, close_by_condition, info)
