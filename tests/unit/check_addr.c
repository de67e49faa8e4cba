/* Addresses: text, classes, prefixes, socket addresses. */
#include "base/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/suite.h"

static struct addr parse(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(text, &a), 0);
	return a;
}

START_TEST(text_roundtrip)
{
	static const char *const texts[] = { "0.0.0.0", "192.0.2.1", "255.255.255.255", "::",
					     "2001:db8::1", "fe80::1" };
	char buf[ADDR_STR_MAX];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct addr a = parse(texts[i]);

		ck_assert_str_eq(addr_print(&a, buf), texts[i]);
	}
}
END_TEST

START_TEST(bad_text_is_refused)
{
	static const char *const texts[] = { "", "192.0.2", "192.0.2.256", "1.2.3.4.5", "::g", "x" };
	struct addr a;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_lt(addr_parse(texts[i], &a), 0);
}
END_TEST

START_TEST(classes)
{
	struct addr a = parse("127.1.2.3"), b = parse("::1"), c = parse("224.0.0.251"),
		    f = parse("ff02::1");

	ck_assert(addr_is_loopback(&a) && addr_is_loopback(&b) && !addr_is_loopback(&c));
	ck_assert(addr_is_multicast(&c) && addr_is_multicast(&f) && !addr_is_multicast(&a));
}
END_TEST

START_TEST(prefixes)
{
	struct addr net = parse("192.0.2.128"), in = parse("192.0.2.200"), out = parse("192.0.2.100"),
		    net6 = parse("2001:db8:8000::"), in6 = parse("2001:db8:ffff::1"),
		    out6 = parse("2001:db8:7fff::1");

	ck_assert(addr_in_prefix(&in, &net, 25));
	ck_assert(!addr_in_prefix(&out, &net, 25));
	ck_assert(addr_in_prefix(&out, &net, 24));
	ck_assert(addr_in_prefix(&out, &net, 0));
	ck_assert(!addr_in_prefix(&in6, &net, 0));
	ck_assert(addr_in_prefix(&in6, &net6, 33));
	ck_assert(!addr_in_prefix(&out6, &net6, 33));
	ck_assert(addr_in_prefix(&net6, &net6, 128));
}
END_TEST

START_TEST(macs)
{
	char buf[MAC_STR_MAX];
	struct mac m;

	ck_assert_int_eq(mac_parse("52:54:00:aB:cd:0f", &m), 0);
	ck_assert_str_eq(mac_print(&m, buf), "52:54:00:ab:cd:0f");
	ck_assert_int_lt(mac_parse("52:54:00:ab:cd", &m), 0);
	ck_assert_int_lt(mac_parse("52:54:00:ab:cd:0g", &m), 0);
	ck_assert_int_lt(mac_parse("52:54:00:ab:cd:0f1", &m), 0);
	ck_assert_int_lt(mac_parse("5:254:00:ab:cd:0f1", &m), 0);
}
END_TEST

/* IPv4 has a socket address of its own, but not on a socket of AF_INET6. */
START_TEST(socket_addresses)
{
	static const char *const texts[] = { "192.0.2.1", "fe80::1" };
	union {
		struct sockaddr sa;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} s;

	for (size_t i = 0; i < 2; i++) {
		struct endpoint e = { parse(texts[i]), 4000 }, back;

		endpoint_to_sockaddr(&e, &s.sa);
		ck_assert_int_eq(s.sa.sa_family, i ? AF_INET6 : AF_INET);
		ck_assert_int_eq(endpoint_from_sockaddr(&back, &s.sa), 0);
		ck_assert(endpoint_eq(&e, &back));
		ck_assert_uint_eq(endpoint_to_sockaddr6(&e, 7, &s.sa), sizeof(s.in6));
		ck_assert_int_eq(s.sa.sa_family, AF_INET6);
		ck_assert_uint_eq(s.in6.sin6_scope_id, 7);
		ck_assert_int_eq(endpoint_from_sockaddr(&back, &s.sa), 0);
		ck_assert(endpoint_eq(&e, &back));
	}
	s.sa.sa_family = AF_UNIX;
	ck_assert_int_eq(endpoint_from_sockaddr(&(struct endpoint){ .port = 0 }, &s.sa),
			 -EAFNOSUPPORT);
}
END_TEST

SUITE_MAIN("addr", text_roundtrip, bad_text_is_refused, classes, prefixes, macs,
	   socket_addresses)
