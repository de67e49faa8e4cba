/* Which name an address goes by: through aliases, bounded, for as long as somebody refers to it. */
#include "proto/dns_names.h"

#include <stdio.h>

#include "lib/suite.h"
#include "wire/dns_answer.h"

static struct flow_names pool;
static struct dns_names names;
static uint8_t msg[DNS_MESSAGE_MAX];
static struct dns_query q;
static struct wr w;

static void start(void)
{
	pool = (struct flow_names){ 0 };
	ck_assert_int_eq(dns_names_init(&names, &pool), 0);
}

static void stop(void)
{
	dns_names_free(&names);
	ck_assert_uint_eq(pool.bytes, 0);
}

/* Begins the answer to a question for `name`. */
static void answer_to(const char *name)
{
	static const uint8_t header[DNS_HEADER_LEN] = { 0x12, 0x34, 1, 0, 0, 1 };
	uint8_t wire[DNS_NAME_MAX];

	w = wr_init(msg, sizeof(msg));
	wr_bytes(&w, header, sizeof(header));
	wr_bytes(&w, wire, (size_t)dns_name_encode(name, wire));
	wr_be16(&w, DNS_TYPE_A);
	wr_be16(&w, DNS_CLASS_IN);
	ck_assert_int_eq(dns_query_decode(msg, wr_len(&w), &q), 0);
	msg[2] |= 0x80;
}

static void add(const char *owner, uint16_t type, const void *data, size_t len)
{
	uint8_t name[DNS_NAME_MAX];

	wr_bytes(&w, name, (size_t)dns_name_encode(owner, name));
	wr_be16(&w, type);
	wr_be16(&w, DNS_CLASS_IN);
	wr_be32(&w, 60);
	wr_be16(&w, (uint16_t)len);
	wr_bytes(&w, data, len);
	put_be16(msg + 6, (uint16_t)(get_be16(msg + 6) + 1));
}

static void add_address(const char *owner, uint32_t ip)
{
	uint8_t data[4];

	put_be32(data, ip);
	add(owner, DNS_TYPE_A, data, sizeof(data));
}

static void add_alias(const char *owner, const char *of)
{
	uint8_t name[DNS_NAME_MAX];
	int len = dns_name_encode(of, name);

	add(owner, DNS_TYPE_CNAME, name, (size_t)len);
}

static void learn(void)
{
	ck_assert(!w.error);
	dns_names_learn(&names, &q, msg, wr_len(&w));
}

static const char *name_of(uint32_t ip)
{
	struct addr a = addr_ip4(ip);
	struct flow_name *name = dns_names_find(&names, &a);

	return name ? name->text : "";
}

static void learn_one(const char *name, uint32_t ip)
{
	answer_to(name);
	add_address(name, ip);
	learn();
}

START_TEST(every_address)
{
	static const uint8_t ip6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	struct addr a;

	start();
	answer_to("Www.Example.ORG");
	add_address("www.example.org", 1);
	add_address("WWW.example.org", 2);
	add("www.example.org", DNS_TYPE_AAAA, ip6, sizeof(ip6));
	learn();
	ck_assert_str_eq(name_of(1), "www.example.org");
	ck_assert_str_eq(name_of(2), "www.example.org");
	memcpy(a.b, ip6, sizeof(ip6));
	ck_assert_str_eq(dns_names_find(&names, &a)->text, "www.example.org");
	ck_assert_str_eq(name_of(3), "");
	stop();
}
END_TEST

/* In whatever order the records stand; addresses of other names are not ours. */
START_TEST(aliases)
{
	start();
	answer_to("www.example.org");
	add_address("edge.cdn.example", 7);
	add_alias("a.cdn.example", "edge.cdn.example");
	add_address("other.example", 8);
	add_alias("www.example.org", "a.cdn.example");
	add_address("www.example.org", 9); /* beside an alias: not to be believed */
	learn();
	ck_assert_str_eq(name_of(7), "www.example.org");
	ck_assert_str_eq(name_of(8), "");
	ck_assert_str_eq(name_of(9), "");
	stop();
}
END_TEST

START_TEST(alias_loop_and_cuts)
{
	size_t len;

	start();
	answer_to("a.example");
	add_alias("a.example", "b.example");
	add_alias("b.example", "a.example");
	add_address("c.example", 1);
	learn();
	ck_assert_uint_eq(names.n, 0);
	answer_to("a.example");
	add_alias("a.example", "b.example");
	add_address("b.example", 1);
	len = wr_len(&w);
	for (size_t cut = 0; cut < len; cut++)
		dns_names_learn(&names, &q, msg, cut);
	ck_assert_uint_eq(names.n, 0);
	stop();
}
END_TEST

START_TEST(last_one_told)
{
	struct flow_name *kept;
	struct addr a = addr_ip4(1);

	start();
	learn_one("first.example", 1);
	kept = flow_name_get(dns_names_find(&names, &a));
	learn_one("second.example", 1);
	ck_assert_str_eq(name_of(1), "second.example");
	ck_assert_str_eq(kept->text, "first.example"); /* as a flow has it */
	flow_name_put(&pool, kept);
	learn_one("second.example", 1);
	ck_assert_uint_eq(names.n, 1);
	dns_names_clear(&names);
	ck_assert_str_eq(name_of(1), "");
	stop();
}
END_TEST

START_TEST(odd_bytes_are_escaped)
{
	start();
	learn_one("a\\.b\\000\\027\\200.example", 1);
	ck_assert_str_eq(name_of(1), "a\\.b\\000\\027\\200.example");
	stop();
}
END_TEST

/* An answer with very many addresses is read up to a bound; so are the addresses kept. */
START_TEST(bounded_addresses)
{
	char name[32];

	start();
	answer_to("many.example");
	for (uint32_t i = 1; i <= 200; i++)
		add_address("many.example", i);
	learn();
	ck_assert_uint_eq(names.n, DNS_ANSWER_ADDRS_MAX);
	for (uint32_t i = 0; i < 3 * DNS_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		learn_one(name, 1000 + i);
	}
	ck_assert_uint_eq(names.n, DNS_NAMES_MAX);
	ck_assert_str_eq(name_of(1), "");
	ck_assert_str_eq(name_of(1000 + 3 * DNS_NAMES_MAX - 1), name);
	stop();
}
END_TEST

/* Names that flows hold fill the room for all of them: then no more are learned, until flows end. */
START_TEST(bounded_bytes)
{
	enum { N = 20000 };
	static struct flow_name *held[N];
	char name[220];
	unsigned n = 0;

	start();
	for (; n < N; n++) {
		struct addr a = addr_ip4(n + 1);

		snprintf(name, sizeof(name), "%060u.%060u.%060u.example", n, n, n);
		learn_one(name, n + 1);
		held[n] = flow_name_get(dns_names_find(&names, &a));
		if (!held[n])
			break;
		ck_assert_uint_le(pool.bytes, FLOW_NAMES_BYTES_MAX);
	}
	ck_assert_uint_gt(n, 5000);
	ck_assert_uint_lt(n, N);
	ck_assert_uint_eq(names.n, 0); /* all had to go, in vain */
	flow_name_put(&pool, held[0]);
	learn_one("after.example", 1);
	ck_assert_str_eq(name_of(1), "after.example");
	for (unsigned i = 1; i < n; i++)
		flow_name_put(&pool, held[i]);
	stop();
}
END_TEST

SUITE_MAIN("dns_names", every_address, aliases, alias_loop_and_cuts, last_one_told,
	   odd_bytes_are_escaped, bounded_addresses, bounded_bytes)
