/* Addresses: text, classes, prefixes. */
#include "base/addr.h"

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

SUITE_MAIN("addr", text_roundtrip, bad_text_is_refused, classes, prefixes, macs)
