/* Name servers: order, silence, refusals, forgeries; questions under way and their bounds. */
#include <errno.h>

#include "lib/dns_client.h"
#include "lib/suite.h"

static const struct dns_made good = { .n_answers = 1, .ttl = 60 };
static const struct dns_made servfail = { .rcode = DNS_SERVFAIL };
static const struct dns_made refused = { .rcode = DNS_REFUSED };

START_TEST(ids_are_drawn)
{
	unsigned same = 0;

	client_start(1);
	for (uint16_t i = 0; i < 64; i++) {
		char name[] = "00.example";

		name[0] = (char)('0' + i / 10);
		name[1] = (char)('0' + i % 10);
		client_ask(7, name);
		same += get_be16(up.tries[i].msg) == 7;
		if (i)
			same += get_be16(up.tries[i].msg) == get_be16(up.tries[i - 1].msg);
	}
	ck_assert_uint_lt(same, 8);
	client_finish();
}
END_TEST

START_TEST(forgeries_are_ignored)
{
	size_t len;

	client_start(1);
	len = client_ask(1, "www.example.org");
	fake_dns_answer(&up, 0, &(struct dns_made){ .n_answers = 2, .wrong_id = true });
	fake_dns_answer(&up, 0, &(struct dns_made){ .n_answers = 2, .wrong_question = true });
	dns_from_host(&g.env, up.tries[0].try, 0, NULL, 0);
	dns_from_host(&g.env, up.tries[0].try, 0, query, 5);
	dns_from_host(&g.env, up.tries[0].try, 0, up.tries[0].msg,
		      up.tries[0].len); /* the query */
	ck_assert(!client_answered());
	fake_dns_answer(&up, 0, &good);
	client_assert_answer(len, &good);
	ck_assert_uint_eq(g.env.stats.dns_upstream_mismatches, 5);
	ck_assert_uint_eq(g.env.stats.dns_upstream_answers, 1);
	client_finish();
}
END_TEST

START_TEST(next_server_after_silence)
{
	size_t len;

	client_start(3);
	len = client_ask(1, "www.example.org");
	fake_guest_advance(&g, NS_PER_SEC - 1);
	ck_assert_uint_eq(up.tries[0].n_resent, 0);
	fake_guest_advance(&g, NS_PER_SEC);
	ck_assert_uint_eq(up.tries[0].n_resent, 1); /* half way: it may have been lost */
	ck_assert_uint_eq(up.n, 1);
	fake_guest_advance(&g, 1);
	ck_assert_uint_eq(up.n, 2);
	ck_assert(addr_eq(&up.tries[1].server.addr, &g.net.upstreams[1].addr));
	ck_assert_uint_ne(get_be16(up.tries[0].msg), get_be16(up.tries[1].msg));
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	ck_assert_uint_eq(up.n, 3);
	fake_dns_answer(&up, 1, &good); /* late, and still heard */
	client_assert_answer(len, &good);
	ck_assert_uint_eq(g.env.stats.dns_upstream_timeouts, 2);
	client_finish();
}
END_TEST

START_TEST(nobody_answers)
{
	client_start(2);
	client_ask(0x1234, "www.example.org");
	fake_guest_advance(&g, 4 * NS_PER_SEC - 1);
	ck_assert(!client_answered());
	fake_guest_advance(&g, 1);
	ck_assert(client_answered());
	/* SERVFAIL, the question */
	assert_bytes(answer.payload, answer.payload_len,
		     "12 34  81 82  00 01  00 00  00 00  00 00"
		     "03 77 77 77  07 65 78 61 6d 70 6c 65  03 6f 72 67  00  00 01  00 01");
	ck_assert_uint_eq(g.env.stats.dns_servfail, 1);
	/* and is not kept */
	client_ask(2, "www.example.org");
	ck_assert_uint_eq(up.n, 3);
	client_finish();
}
END_TEST

START_TEST(next_server_after_refusal)
{
	size_t len;

	client_start(3);
	len = client_ask(1, "www.example.org");
	fake_dns_answer(&up, 0, &servfail);
	ck_assert_uint_eq(up.n, 2);
	fake_dns_answer(&up, 1, &refused);
	ck_assert_uint_eq(up.n, 3);
	ck_assert(!client_answered());
	fake_dns_answer(&up, 2, &good);
	client_assert_answer(len, &good);
	/* when all refuse, the first one's words */
	len = client_ask_type(2, "www.example.org", DNS_TYPE_AAAA);
	fake_dns_answer(&up, 3, &refused);
	fake_dns_answer(&up, 4, &servfail);
	dns_from_host(&g.env, up.tries[5].try, ECONNREFUSED, NULL, 0);
	client_assert_answer(len, &refused);
	ck_assert_uint_eq(g.env.stats.dns_upstream_failures, 5);
	client_finish();
}
END_TEST

START_TEST(late_refusal_changes_nothing)
{
	size_t len;

	client_start(2);
	len = client_ask(1, "www.example.org");
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	fake_dns_answer(&up, 0, &servfail);
	ck_assert_uint_eq(up.n, 2);
	ck_assert(!client_answered());
	fake_dns_answer(&up, 1, &good);
	client_assert_answer(len, &good);
	client_finish();
}
END_TEST

START_TEST(next_server_after_socket_error)
{
	size_t len;

	client_start(3);
	up.unreachable = &g.net.upstreams[1].addr;
	len = client_ask(1, "www.example.org");
	dns_from_host(&g.env, up.tries[0].try, ECONNREFUSED, NULL, 0);
	/* the second cannot even be sent to */
	ck_assert_uint_eq(up.n, 2);
	ck_assert(addr_eq(&up.tries[1].server.addr, &g.net.upstreams[2].addr));
	fake_dns_answer(&up, 1, &good);
	client_assert_answer(len, &good);
	client_finish();
}
END_TEST

START_TEST(no_server)
{
	client_start(0);
	client_ask(1, "www.example.org");
	ck_assert(client_answered());
	ck_assert_uint_eq(client_rcode(), DNS_SERVFAIL);
	client_finish();
	client_start(2);
	up.err = -EMFILE;
	client_ask(1, "www.example.org");
	ck_assert(client_answered());
	ck_assert_uint_eq(g.env.limits_reached[LIMIT_OPEN_FILES], 2); /* once a server */
	ck_assert_uint_eq(client_rcode(), DNS_SERVFAIL);
	client_finish();
}
END_TEST

START_TEST(silent_server_is_asked_last_for_a_while)
{
	static const char *const names[] = { "a.example", "b.example", "c.example" };

	client_start(2);
	for (unsigned i = 0; i < 3; i++) {
		client_ask(1, names[i]);
		ck_assert(addr_eq(&up.tries[2 * i].server.addr, &g.net.upstreams[0].addr));
		fake_guest_advance(&g, 2 * NS_PER_SEC);
		fake_dns_answer(&up, 2 * i + 1, &good);
		ck_assert(client_answered());
	}
	client_ask(1, "d.example");
	ck_assert(addr_eq(&up.tries[6].server.addr, &g.net.upstreams[1].addr));
	fake_dns_answer(&up, 6, &good);
	ck_assert(client_answered());
	fake_guest_advance(&g, 30 * NS_PER_SEC);
	client_ask(1, "e.example");
	ck_assert(addr_eq(&up.tries[7].server.addr, &g.net.upstreams[0].addr));
	fake_dns_answer(&up, 7, &good);
	ck_assert(client_answered());
	/* it is well again: silence counts from the start */
	client_ask(1, "f.example");
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	client_ask(1, "g.example");
	ck_assert(addr_eq(&up.tries[10].server.addr, &g.net.upstreams[0].addr));
	client_finish();
}
END_TEST

START_TEST(lost_datagrams_are_no_silence)
{
	char name[] = "lost0.example";

	client_start(2);
	for (unsigned i = 0; i < 5; i++) {
		name[4] = (char)('0' + i);
		client_ask(1, name);
	}
	client_ask(1, "www.example");
	fake_guest_advance(&g, NS_PER_SEC);
	fake_dns_answer(&up, 5, &good); /* so the server is there */
	ck_assert(client_answered());
	fake_guest_advance(&g, NS_PER_SEC);
	client_ask(1, "another.example");
	ck_assert(addr_eq(&up.tries[up.n - 1].server.addr, &g.net.upstreams[0].addr));
	client_finish();
}
END_TEST

START_TEST(equal_questions_are_joined)
{
	uint16_t ports = 0;
	size_t len;

	client_start(1);
	len = dns_make_query(query, 0, "Www.example.org", DNS_TYPE_A);
	for (uint16_t i = 0; i < 10; i++) {
		query[1] = (uint8_t)i;
		query[13] = i % 2 ? 'W' : 'w';
		client_from_guest((uint16_t)(GUEST_PORT + i), query, len);
	}
	client_from_guest(GUEST_PORT, query, len); /* another id: one more */
	client_from_guest(GUEST_PORT, query, len); /* sent again: none */
	ck_assert_uint_eq(up.n, 1);
	ck_assert_uint_eq(g.env.stats.dns_joined, 11);
	fake_dns_answer(&up, 0, &good);
	ck_assert_uint_eq(g.n_frames, 11);
	for (uint16_t i = 0; i < 10; i++) {
		struct pkt p;

		pkt_decode(g.frames[i].data, g.frames[i].len, &p);
		ck_assert_uint_eq(p.udp.dport, GUEST_PORT + i);
		ck_assert_uint_eq(get_be16(p.payload), i);
		ck_assert_int_eq(p.payload[13], i % 2 ? 'W' : 'w');
		ports |= (uint16_t)(1 << i);
	}
	ck_assert_uint_eq(ports, 0x3ff);
	client_finish();
}
END_TEST

START_TEST(other_options_are_not_joined)
{
	client_start(1);
	client_ask_edns(1, 1232, 0, "\0\12\0\10cookie01", 12);
	client_ask_edns(2, 1232, 0, "\0\12\0\10cookie02", 12);
	client_ask_edns(3, 4096, 0, "\0\12\0\10cookie02", 12);
	client_ask(4, "www.example.org");
	ck_assert_uint_eq(up.n, 4);
	client_finish();
}
END_TEST

START_TEST(waiters_are_bounded)
{
	size_t len;

	client_start(1);
	len = dns_make_query(query, 0, "www.example.org", DNS_TYPE_A);
	for (uint16_t i = 0; i < 65; i++)
		client_from_guest((uint16_t)(GUEST_PORT + i), query, len);
	ck_assert_uint_eq(up.n, 1);
	ck_assert(client_answered()); /* the 65th */
	ck_assert_uint_eq(answer.udp.dport, GUEST_PORT + 64);
	ck_assert_uint_eq(client_rcode(), DNS_SERVFAIL);
	fake_dns_answer(&up, 0, &good);
	ck_assert_uint_eq(g.n_frames, 64);
	client_finish();
}
END_TEST

START_TEST(queries_under_way_are_bounded)
{
	char name[] = "host00.example";

	client_setup(1);
	g.conf.limits.dns_pending = 20;
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	for (unsigned i = 0; i < 30; i++) {
		name[4] = (char)('0' + i / 10);
		name[5] = (char)('0' + i % 10);
		client_ask(1, name);
		ck_assert_int_eq(client_answered(), i >= 20);
		if (i >= 20)
			ck_assert_uint_eq(client_rcode(), DNS_SERVFAIL);
	}
	ck_assert_uint_eq(up.n, 20);
	ck_assert_uint_eq(g.env.stats.dns_limit, 10);
	/* room returns with the answers */
	fake_dns_answer(&up, 3, &good);
	ck_assert(client_answered());
	client_ask(1, "one.more.example");
	ck_assert_uint_eq(up.n, 21);
	ck_assert(!client_answered());
	client_finish();
}
END_TEST

START_TEST(servers_change)
{
	struct dns_status status;

	client_start(2);
	client_ask(1, "www.example.org");
	client_ask(2, "old.example.org");
	fake_dns_answer(&up, 0, &good);
	ck_assert(client_answered());
	/* the second one stays, with its counters; what the others said is forgotten */
	g.net.upstreams[0].addr = addr_ip4(0xc0000209);
	client_ask(3, "www.example.org");
	ck_assert_uint_eq(up.n, 3);
	ck_assert(addr_eq(&up.tries[2].server.addr, &g.net.upstreams[0].addr));
	/* what was under way goes on with those it began with */
	fake_dns_answer(&up, 1, &good);
	ck_assert(client_answered());
	dns_get_status(&g.env, &status);
	ck_assert_uint_eq(status.servers.n, 2);
	ck_assert_uint_eq(status.servers.all[0].sent, 1);
	ck_assert_uint_eq(status.servers.all[0].answers, 0);
	client_finish();
}
END_TEST

/* One address, on two links: two servers. */
START_TEST(servers_of_two_links)
{
	struct dns_status status;

	client_setup(2);
	g.net.upstreams[0] = (struct upstream){ addr_of("fe80::1"), "eth0" };
	g.net.upstreams[1] = (struct upstream){ addr_of("fe80::1"), "eth1" };
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	client_ask(1, "www.example.org");
	ck_assert_str_eq(up.tries[0].server.link, "eth0");
	dns_from_host(&g.env, up.tries[0].try, ECONNREFUSED, NULL, 0);
	ck_assert_uint_eq(up.n, 2);
	ck_assert_str_eq(up.tries[1].server.link, "eth1");
	fake_dns_answer(&up, 1, &good);
	ck_assert(client_answered());
	dns_get_status(&g.env, &status);
	ck_assert_uint_eq(status.servers.all[0].failures, 1);
	ck_assert_uint_eq(status.servers.all[0].answers, 0);
	ck_assert_uint_eq(status.servers.all[1].failures, 0);
	ck_assert_uint_eq(status.servers.all[1].answers, 1);
	/* the first goes to another link */
	strcpy(g.net.upstreams[0].link, "eth2");
	client_ask(2, "other.example.org");
	ck_assert_str_eq(up.tries[2].server.link, "eth2");
	client_finish();
}
END_TEST

START_TEST(guest_leaves)
{
	client_start(2);
	client_ask(1, "www.example.org");
	client_ask(2, "www.example.org");
	client_ask(3, "other.example.org");
	dns_guest_down(&g.env);
	for (unsigned i = 0; i < up.n; i++)
		ck_assert_ptr_null(up.tries[i].try);
	fake_guest_advance(&g, 10 * NS_PER_SEC);
	ck_assert(!client_answered());
	ck_assert_uint_eq(up.n, 2);
	client_finish();
}
END_TEST

SUITE_MAIN("dns_lookup", ids_are_drawn, forgeries_are_ignored, next_server_after_silence,
	   nobody_answers, next_server_after_refusal, late_refusal_changes_nothing,
	   next_server_after_socket_error, no_server, silent_server_is_asked_last_for_a_while,
	   lost_datagrams_are_no_silence, equal_questions_are_joined,
	   other_options_are_not_joined, waiters_are_bounded, queries_under_way_are_bounded,
	   servers_change, servers_of_two_links, guest_leaves)
