/* The relay over UDP: what is relayed, kept, refused, and known without asking. */
#include <errno.h>

#include "base/log.h"
#include "lib/dns_client.h"
#include "lib/suite.h"
#include "proto/dns_static.h"

static const struct dns_made good = { .n_answers = 1, .ttl = 60 };

START_TEST(frame_is_exact)
{
	const struct fake_frame *f;

	client_start(1);
	client_ask(0x1234, "a.b");
	fake_dns_answer(&up, 0, &good);
	f = fake_guest_frame(&g, 0);
	/* Ethernet: to the guest, IPv4
	 * 20 bytes of header, length 65, UDP, 10.0.2.3 to 10.0.2.15; 53 to 40000, 45 bytes
	 * id 0x1234, QR RD RA, one question, one answer; a.b A IN; A, TTL 60, 198.51.100.1 */
	ck_assert_uint_eq(f->len, 14 + 20 + 8 + 37);
	assert_bytes(f->data, 18, "52 54 00 12 34 56  9a 55 9a 55 9a 55  08 00  45 00 00 41");
	assert_bytes(f->data + 26, 14, "0a 00 02 03  0a 00 02 0f  00 35  9c 40  00 2d");
	assert_bytes(f->data + 42, 37,
		     "12 34  81 80  00 01  00 01  00 00  00 00"
		     "01 61  01 62  00  00 01  00 01"
		     "c0 0c  00 01  00 01  00 00 00 3c  00 04  c6 33 64 01");
	client_finish();
}
END_TEST

START_TEST(relayed_unchanged)
{
	static const uint16_t types[] = { 1,  2,  5,  6,  12, 15,  16,	28,
					  33, 43, 48, 64, 65, 255, 257, 65280 };
	size_t len;

	client_start(1);
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		len = client_ask_type((uint16_t)(0x4000 + i), "Mixed.Case.example", types[i]);
		ck_assert_uint_eq(up.n, i + 1);
		ck_assert_uint_eq(up.tries[i].len, len);
		ck_assert_int_eq(memcmp(up.tries[i].msg + 2, query + 2, len - 2), 0);
		ck_assert(!up.tries[i].tcp);
		ck_assert(addr_eq(&up.tries[i].server.addr, &g.net.upstreams[0].addr));
		fake_dns_answer(&up, i, &good);
		client_assert_answer(len, &good);
		ck_assert_ptr_null(up.tries[i].try);
	}
	client_finish();
}
END_TEST

START_TEST(hit_and_miss)
{
	size_t len;

	client_start(1);
	client_ask(1, "www.example.org");
	fake_dns_answer(&up, 0, &good);
	ck_assert(client_answered());
	len = client_ask(2, "www.example.org"); /* keyed by the question, not by the id */
	ck_assert_uint_eq(up.n, 1);
	client_assert_answer(len, &good);
	len = client_ask(3, "WWW.eXample.org"); /* nor by its case, which comes back */
	ck_assert_uint_eq(up.n, 1);
	client_assert_answer(len, &good);
	fake_guest_advance(&g, 59 * NS_PER_SEC);
	len = client_ask(4, "www.example.org");
	client_assert_answer(len, &(struct dns_made){ .n_answers = 1, .ttl = 1 });
	fake_guest_advance(&g, NS_PER_SEC);
	client_ask(5, "www.example.org");
	ck_assert_uint_eq(up.n, 2);
	client_ask_type(6, "www.example.org", DNS_TYPE_AAAA);
	client_ask(7, "ww.example.org");
	ck_assert_uint_eq(up.n, 4);
	ck_assert_uint_eq(g.env.stats.dns_cache_hits, 3);
	ck_assert_uint_eq(g.env.stats.dns_cache_misses, 4);
	client_finish();
}
END_TEST

START_TEST(negative_answers_are_kept)
{
	const struct dns_made nxdomain = {
		.rcode = DNS_NXDOMAIN, .soa = true, .soa_ttl = 10, .soa_minimum = 5
	};
	size_t len;

	client_start(1);
	client_ask(1, "no.example.org");
	fake_dns_answer(&up, 0, &nxdomain);
	ck_assert(client_answered());
	len = client_ask(2, "no.example.org");
	client_assert_answer(len, &nxdomain);
	fake_guest_advance(&g, 5 * NS_PER_SEC);
	client_ask(3, "no.example.org");
	ck_assert_uint_eq(up.n, 2);
	client_finish();
}
END_TEST

START_TEST(not_kept)
{
	static const struct dns_made answers[] = {
		{ .n_answers = 1, .ttl = 0 }, { .n_answers = 1, .ttl = 60, .flags = DNS_TC },
		{ .rcode = DNS_NXDOMAIN },    { .rcode = DNS_NOERROR },
		{ .rcode = DNS_FORMERR },     { .rcode = DNS_NOTIMP },
	};

	client_start(1);
	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		size_t len = client_ask(1, "www.example.org");

		ck_assert_uint_eq(up.n, i + 1);
		fake_dns_answer(&up, i, &answers[i]);
		client_assert_answer(len, &answers[i]);
	}
	client_finish();
}
END_TEST

START_TEST(edns)
{
	const struct dns_made with_opt = { .n_answers = 1, .ttl = 60, .opt = true };
	size_t len;

	client_start(1);
	/* passes through both ways, options and all */
	len = client_ask_edns(1, 1400, 0x8000, "\0\12\0\10cookie!!", 12);
	ck_assert_uint_eq(up.tries[0].len, len);
	ck_assert_int_eq(memcmp(up.tries[0].msg + 2, query + 2, len - 2), 0);
	fake_dns_answer(&up, 0, &with_opt);
	client_assert_answer(len, &with_opt);
	/* from the cache: with OPT for who sent one, DO where asked for */
	len = client_ask_edns(2, 1400, 0x8000, NULL, 0);
	ck_assert_uint_eq(up.n, 1);
	ck_assert(client_answered());
	ck_assert_uint_eq(get_be16(answer.payload + 10), 1);
	assert_bytes(answer.payload + answer.payload_len - 11, 11,
		     "00  00 29  04 d0  00 00 80 00  00 00");
	/* without DO it is another answer */
	client_ask_edns(3, 1400, 0, NULL, 0);
	ck_assert_uint_eq(up.n, 2);
	fake_dns_answer(&up, 1, &with_opt);
	ck_assert(client_answered());
	/* without EDNS it is the same, less the OPT */
	len = client_ask(4, "www.example.org");
	ck_assert_uint_eq(up.n, 2);
	client_assert_answer(len, &good);
	/* an option that may change the answer always goes upstream */
	client_ask_edns(5, 1400, 0, "\0\10\0\4\0\1\0\0", 8);
	ck_assert_uint_eq(up.n, 3);
	client_finish();
}
END_TEST

START_TEST(truncated_for_udp)
{
	const struct dns_made large = { .n_answers = 100, .ttl = 60, .opt = true };
	const struct dns_made tc = { .flags = DNS_TC };
	size_t len;

	client_start(1);
	/* the server's own TC: as it is */
	len = client_ask(1, "www.example.org");
	fake_dns_answer(&up, 0, &tc);
	client_assert_answer(len, &tc);
	/* a server that sends more than was asked for: TC */
	client_ask(2, "www.example.org");
	fake_dns_answer(&up, 1, &large);
	client_assert_answer(len, &tc);
	/* so it is from the cache, until the size suffices (1644 bytes) */
	client_ask(2, "www.example.org");
	client_assert_answer(len, &tc);
	client_ask_edns(3, 1643, 0, NULL, 0);
	ck_assert(client_answered());
	ck_assert(dns_answer_flags(answer.payload) & DNS_TC);
	client_ask_edns(4, 1644, 0, NULL, 0);
	ck_assert_uint_eq(up.n, 2);
	ck_assert_uint_ge(g.n_frames, 2); /* fragments: the MTU is 1500 */
	ck_assert_uint_eq(g.env.stats.dns_truncated, 3);
	client_finish();
}
END_TEST

START_TEST(cache_is_bounded)
{
	char name[] = "host00.example";
	struct dns_status status;

	client_setup(1);
	g.conf.limits.dns_cache = 10;
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	for (unsigned i = 0; i < 30; i++) {
		name[4] = (char)('0' + i / 10);
		name[5] = (char)('0' + i % 10);
		client_ask(1, name);
		fake_dns_answer(&up, i, &good);
		ck_assert(client_answered());
	}
	dns_get_status(&g.env, &status);
	ck_assert_uint_eq(status.cache_entries, 10);
	ck_assert_uint_eq(status.cache_entries_max, 10);
	client_ask(1, "host00.example");
	ck_assert_uint_eq(up.n, 31);
	client_ask(1, "host29.example");
	ck_assert_uint_eq(up.n, 31);
	client_finish();
}
END_TEST

START_TEST(refused_at_once)
{
	size_t len;

	client_start(1);
	/* no answer: shorter than a header, an answer */
	len = dns_make_query(query, 1, "www.example.org", DNS_TYPE_A);
	ck_assert_int_eq(client_from_guest(GUEST_PORT, query, 0), DROP_DNS);
	ck_assert_int_eq(client_from_guest(GUEST_PORT, query, 11), DROP_DNS);
	query[2] |= 0x80;
	ck_assert_int_eq(client_from_guest(GUEST_PORT, query, len), DROP_DNS);
	query[2] &= 0x7f;
	ck_assert(!client_answered());
	/* FORMERR: cut off, two questions */
	for (size_t cut = 12; cut < len; cut++) {
		ck_assert_int_eq(client_from_guest(GUEST_PORT, query, cut), DROP_DNS);
		ck_assert(client_answered());
		ck_assert_uint_eq(client_rcode(), DNS_FORMERR);
	}
	query[5] = 2;
	memcpy(query + len, query + 12, len - 12);
	ck_assert_int_eq(client_from_guest(GUEST_PORT, query, 2 * len - 12), DROP_DNS);
	ck_assert(client_answered());
	ck_assert_uint_eq(client_rcode(), DNS_FORMERR);
	/* NOTIMP: UPDATE.  REFUSED: AXFR.  Well-formed, so no drop */
	query[5] = 1;
	query[2] = 5 << 3;
	ck_assert_int_eq(client_from_guest(GUEST_PORT, query, len), DROP_NONE);
	ck_assert(client_answered());
	ck_assert_uint_eq(client_rcode(), DNS_NOTIMP);
	client_ask_type(1, "example.org", DNS_TYPE_AXFR);
	ck_assert(client_answered());
	ck_assert_uint_eq(client_rcode(), DNS_REFUSED);
	ck_assert_uint_eq(up.n, 0);
	client_finish();
}
END_TEST

START_TEST(recursion_not_desired_is_relayed)
{
	size_t len;

	client_start(1);
	for (unsigned i = 0; i < 2; i++) {
		len = dns_make_query(query, 1, "www.example.org", DNS_TYPE_A);
		query[2] = 0;
		client_from_guest(GUEST_PORT, query, len);
		ck_assert_uint_eq(up.n, i + 1); /* each time */
		ck_assert_uint_eq(up.tries[i].msg[2], 0);
		fake_dns_answer(&up, i, &good);
		ck_assert(client_answered());
	}
	client_finish();
}
END_TEST

static void assert_address(const char *name, uint32_t ip)
{
	client_ask(9, name);
	ck_assert(client_answered());
	ck_assert_uint_eq(client_rcode(), DNS_NOERROR);
	ck_assert_uint_eq(get_be16(answer.payload + 6), 1);
	ck_assert_uint_eq(get_be32(answer.payload + answer.payload_len - 4), ip);
	ck_assert_uint_le(get_be32(answer.payload + answer.payload_len - 10), 5);
}

static void assert_address6(const char *name, const char *text)
{
	struct addr addr = addr_of(text);

	client_ask_type(9, name, DNS_TYPE_AAAA);
	ck_assert(client_answered());
	ck_assert_uint_eq(get_be16(answer.payload + 6), 1);
	ck_assert(!memcmp(answer.payload + answer.payload_len - 16, addr.b, 16));
}

static void assert_nodata(const char *name, uint16_t type)
{
	client_ask_type(9, name, type);
	ck_assert(client_answered());
	ck_assert_uint_eq(client_rcode(), DNS_NOERROR);
	assert_bytes(answer.payload + 4, 8, "00 01  00 00  00 00  00 00");
}

START_TEST(static_names)
{
	client_setup(1);
	g.conf.n_records = 3;
	strcpy(g.conf.records[0].name, "Registry.Test");
	g.conf.records[0].addr = addr_ip4(0xc6336409);
	strcpy(g.conf.records[1].name, "six.test.");
	ck_assert_int_eq(addr_parse("2001:db8::9", &g.conf.records[1].addr), 0);
	strcpy(g.conf.records[2].name, "six.test");
	g.conf.records[2].addr = addr_ip4(0xc633640a);
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	assert_address("registry.test", 0xc6336409);
	assert_address("REGISTRY.test", 0xc6336409);
	assert_nodata("registry.test", DNS_TYPE_AAAA);
	assert_nodata("registry.test", 15);
	assert_nodata("registry.test", 65);
	assert_address("six.test", 0xc633640a);
	client_ask_type(1, "six.test", DNS_TYPE_AAAA);
	ck_assert(client_answered());
	assert_bytes(answer.payload + answer.payload_len - 28, 28,
		     "c0 0c  00 1c  00 01  00 00 00 05  00 10  20 01 0d b8 00 00 00 00 00 00 "
		     "00 00 00 00 00 09");
	client_ask_type(1, "six.test", DNS_TYPE_ANY);
	ck_assert(client_answered());
	ck_assert_uint_eq(get_be16(answer.payload + 6), 2);
	ck_assert_uint_eq(up.n, 0);
	ck_assert_uint_eq(g.env.stats.dns_static, 8);
	/* near misses are other people's names */
	client_ask(1, "a.registry.test");
	client_ask(1, "egistry.test");
	client_ask(1, "test");
	ck_assert_uint_eq(up.n, 3);
	client_finish();
}
END_TEST

START_TEST(built_in_names)
{
	struct dns_static_own own[DNS_STATIC_OWN];

	client_start(0);
	g.net.ip4.map_loopback = addr_ip4(0x0a000263);
	assert_address("host.internal", 0x0a000263);
	assert_address("gateway.internal", 0x0a000202);
	assert_nodata("host.internal", DNS_TYPE_AAAA);
	g.net.ip4.map_loopback_set = false;
	assert_address("Host.Internal", 0x0a000202);
	/* of IPv6 what can be reached by its address alone */
	g.net.ip6.map_loopback = addr_of("fd00::2");
	dns_static_own(&g.net, own);
	ck_assert_uint_eq(own[0].n, 2);
	ck_assert(addr_eq(&own[0].addrs[1], &g.net.ip6.map_loopback));
	assert_address6("host.internal", "fd00::2");
	ck_assert_uint_eq(own[1].n, 1);
	assert_nodata("gateway.internal", DNS_TYPE_AAAA);
	g.net.ip6.on = false;
	assert_nodata("host.internal", DNS_TYPE_AAAA);
	client_finish();
	/* a record of the user's goes first */
	client_setup(0);
	g.conf.n_records = 1;
	strcpy(g.conf.records[0].name, "host.internal");
	g.conf.records[0].addr = addr_ip4(0xc6336409);
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	assert_address("host.internal", 0xc6336409);
	assert_address("gateway.internal", 0x0a000202);
	client_finish();
}
END_TEST

static void no_log(enum log_level level, enum log_unit unit, const char *line)
{
}

START_TEST(bad_static_name)
{
	client_setup(1);
	g.conf.n_records = 1;
	strcpy(g.conf.records[0].name, "a..b");
	log_set_sink(no_log);
	ck_assert_ptr_null(dns_new(&g.env, &fake_dns_ops, &up));
	log_set_sink(NULL);
	fake_guest_free(&g);
}
END_TEST

START_TEST(status)
{
	struct dns_status s;

	client_setup(2);
	g.conf.n_records = 1;
	strcpy(g.conf.records[0].name, "registry.test");
	g.conf.records[0].addr = addr_ip4(0xc6336409);
	g.net.dns_source = NET_FROM_HOST;
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	client_ask(1, "www.example.org");
	dns_get_status(&g.env, &s);
	ck_assert_uint_eq(s.pending, 1);
	ck_assert_uint_eq(s.pending_max, 1024);
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	fake_dns_answer(&up, 1, &good);
	client_ask(2, "other.example.org");
	dns_from_host(&g.env, up.tries[2].try, ECONNREFUSED, NULL, 0);
	dns_get_status(&g.env, &s);
	ck_assert_int_eq(s.source, NET_FROM_HOST);
	ck_assert_uint_eq(s.servers.n, 2);
	ck_assert_uint_eq(s.servers.all[0].sent, 3); /* the first one twice */
	ck_assert_uint_eq(s.servers.all[0].timeouts, 1);
	ck_assert_uint_eq(s.servers.all[0].failures, 1);
	ck_assert_str_eq(s.servers.all[0].last_error, "Connection refused");
	ck_assert_uint_eq(s.servers.all[0].last_error_ns, g.env.now_ns);
	ck_assert_uint_eq(s.servers.all[1].answers, 1);
	ck_assert_str_eq(s.servers.all[1].last_error, "");
	ck_assert_uint_eq(s.cache_entries, 1);
	ck_assert_uint_gt(s.cache_bytes, 0);
	ck_assert_uint_eq(s.n_records, 3);
	ck_assert_str_eq(s.records[0].name, "registry.test");
	ck_assert_str_eq(s.records[1].name, "host.internal");
	ck_assert_str_eq(s.records[2].name, "gateway.internal");
	client_finish();
}
END_TEST

START_TEST(link_without_room)
{
	client_start(1);
	client_ask(1, "www.example.org");
	g.room = 0;
	fake_dns_answer(&up, 0, &good);
	ck_assert(!client_answered());
	ck_assert_uint_eq(g.env.stats.dns_undelivered, 1);
	g.room = -1;
	client_ask(1, "www.example.org"); /* as a resolver does; the answer was kept */
	ck_assert(client_answered());
	ck_assert_uint_eq(up.n, 1);
	client_finish();
}
END_TEST

/* Asks for AAAA of a name that only others know; whether they were asked. */
static bool is_relayed(const char *name)
{
	unsigned n = up.n;

	client_ask_type(9, name, DNS_TYPE_AAAA);
	return up.n == n + 1;
}

START_TEST(aaaa_filter)
{
	size_t len;

	client_start(1);
	g.net.ip6.on = false;
	ck_assert(is_relayed("a.example"));
	g.conf.dns_filter_aaaa = CONF_FILTER_AUTO;
	assert_nodata("b.example", DNS_TYPE_AAAA);
	g.net.ip6.on = true;
	ck_assert(is_relayed("b.example"));
	g.conf.dns_filter_aaaa = CONF_FILTER_ON;
	assert_nodata("c.example", DNS_TYPE_AAAA);
	ck_assert_uint_eq(g.env.stats.dns_aaaa_filtered, 2);
	ck_assert_uint_eq(up.n, 2);
	/* the rest goes on as ever */
	len = client_ask(1, "c.example");
	fake_dns_answer(&up, 2, &good);
	client_assert_answer(len, &good);
	client_ask_type(1, "c.example", DNS_TYPE_ANY);
	ck_assert_uint_eq(up.n, 4);
	client_finish();
}
END_TEST

/* What is kept is not told either, what the user named is, and who wants signatures is not lied
 * to. */
START_TEST(aaaa_filter_and_others)
{
	size_t len;

	client_setup(1);
	g.conf.n_records = 1;
	strcpy(g.conf.records[0].name, "six.test");
	g.conf.records[0].addr = addr_of("2001:db8::9");
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	ck_assert(is_relayed("kept.example"));
	fake_dns_answer(&up, 0, &good);
	ck_assert(client_answered());
	g.conf.dns_filter_aaaa = CONF_FILTER_ON;
	assert_nodata("kept.example", DNS_TYPE_AAAA);
	assert_address6("six.test", "2001:db8::9");
	len = dns_make_query(query, 5, "signed.example", DNS_TYPE_AAAA);
	len = dns_add_opt(query, len, 1232, 0x8000, NULL, 0);
	client_from_guest(GUEST_PORT, query, len);
	ck_assert_uint_eq(up.n, 2);
	ck_assert_uint_eq(g.env.stats.dns_aaaa_filtered, 1);
	client_finish();
}
END_TEST

SUITE_MAIN("dns", aaaa_filter, aaaa_filter_and_others, frame_is_exact, relayed_unchanged,
	   hit_and_miss, negative_answers_are_kept,
	   not_kept, edns, truncated_for_udp, cache_is_bounded, refused_at_once,
	   recursion_not_desired_is_relayed, static_names, built_in_names, bad_static_name,
	   status, link_without_room)
