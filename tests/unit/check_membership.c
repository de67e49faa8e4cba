/* IGMP and MLD, byte by byte: reports of all versions, and our queries. */
#include "wire/membership.h"

#include <errno.h>

#include "lib/fake_guest.h"
#include "lib/suite.h"

static uint8_t bytes[2000];
static struct membership_report report;

static int decode(bool ip6, const char *hex)
{
	size_t n = from_hex(hex, bytes, sizeof(bytes));

	return ip6 ? membership_decode_mld(bytes, n, &report)
		   : membership_decode_igmp(bytes, n, &report);
}

static void next_is(const char *group, bool member)
{
	struct addr want = addr_of(group);
	struct membership m;

	ck_assert(membership_next(&report, &m));
	ck_assert(addr_eq(&m.group, &want));
	ck_assert_int_eq(m.member, member);
}

static void no_more(void)
{
	struct membership m;

	ck_assert(!membership_next(&report, &m));
	ck_assert(!membership_next(&report, &m));
}

START_TEST(one_group)
{
	ck_assert_int_eq(decode(false, "12 00 0000 e00000fb"), 0);
	next_is("224.0.0.251", true);
	no_more();
	ck_assert_int_eq(decode(false, "16 00 0904 e00000fb"), 0);
	next_is("224.0.0.251", true);
	no_more();
	ck_assert_int_eq(decode(false, "17 00 0804 effffffa"), 0);
	next_is("239.255.255.250", false);
	no_more();
	ck_assert_int_eq(decode(true, "83 00 0000 0000 0000 ff0200000000000000000000000000fb"),
			 0);
	next_is("ff02::fb", true);
	no_more();
	ck_assert_int_eq(decode(true, "84 00 0000 0000 0000 ff0200000000000000000000000000fb"),
			 0);
	next_is("ff02::fb", false);
	no_more();
	ck_assert_int_eq(decode(false, "16 00 0000 0a000001"), 0); /* no group */
	no_more();
}
END_TEST

START_TEST(records)
{
	/* is in but of none, of 1; is out of none, of 1; to in of none, of 1; to out of none;
	 * allow none, 1; block 1, with auxiliary data; an unknown type; none that is a group */
	ck_assert_int_eq(decode(false, "22 00 0000 0000 000c"
				       "01 00 0000 ef000001"
				       "01 00 0001 ef000002 0a000001"
				       "02 00 0000 ef000003"
				       "02 00 0001 ef000004 0a000001"
				       "03 00 0000 ef000005"
				       "03 00 0001 ef000006 0a000001"
				       "04 00 0000 ef000007"
				       "05 00 0000 ef000008"
				       "05 00 0001 ef000009 0a000001"
				       "06 01 0001 ef00000a 0a000001 deadbeef"
				       "07 00 0000 ef00000b"
				       "04 00 0000 0a000001"),
			 0);
	next_is("239.0.0.1", false);
	next_is("239.0.0.2", true);
	next_is("239.0.0.3", true);
	next_is("239.0.0.4", true);
	next_is("239.0.0.5", false);
	next_is("239.0.0.6", true);
	next_is("239.0.0.7", true);
	next_is("239.0.0.9", true);
	no_more();
	ck_assert_int_eq(decode(true, "8f 00 0000 0000 0002"
				      "04 00 0000 ff0200000000000000000000000000fb"
				      "03 00 0000 ff02000000000000000000000000000c"),
			 0);
	next_is("ff02::fb", true);
	next_is("ff02::c", false);
	no_more();
	ck_assert_int_eq(decode(false, "22 00 0000 0000 0000"), 0);
	no_more();
	/* ::ffff:224.0.0.251 is no group of IPv6 */
	ck_assert_int_eq(decode(true, "8f 00 0000 0000 0001"
				      "04 00 0000 00000000000000000000ffffe00000fb"),
			 0);
	no_more();
	ck_assert_int_eq(decode(true, "83 00 0000 0000 0000 00000000000000000000ffffe00000fb"), 0);
	no_more();
}
END_TEST

START_TEST(what_is_no_report)
{
	static const char *const malformed4[] = {
		"",
		"16 00 0000 e00000",
		"22 00 0000 0000 00",
		"22 00 0000 0000 0001",
		"22 00 0000 0000 0002 04 00 0000 ef000001",
		"22 00 0000 0000 0001 04 00 0001 ef000001 0a0000", /* a source is missing */
		"22 00 0000 0000 0001 04 01 0000 ef000001",	   /* auxiliary data is */
	};

	for (size_t i = 0; i < sizeof(malformed4) / sizeof(malformed4[0]); i++)
		ck_assert_int_eq(decode(false, malformed4[i]), -EINVAL);
	ck_assert_int_eq(decode(true, "83 00 0000 0000 0000 ff02"), -EINVAL);
	ck_assert_int_eq(decode(true, "8f 00 0000 0000 0001 04 00 0000 ff02"), -EINVAL);
	ck_assert_int_eq(decode(false, "11 64 ee9b 00000000"), -ENOMSG);
	ck_assert_int_eq(decode(true, "82 00 0000 0000 0000 00"), -ENOMSG);
	ck_assert_int_eq(decode(false, "83"), -ENOMSG);
}
END_TEST

START_TEST(queries)
{
	struct addr src = addr_of("10.0.2.2"), src6 = addr_of("fe80::2"), dst;
	struct wr w = wr_init(bytes, MEMBERSHIP_QUERY_MAX);

	membership_encode_query(&w, &src, &dst);
	/* 36 bytes, TOS c0, TTL 1, 10.0.2.2 to 224.0.0.1, router alert; query of IGMPv3: 10 s,
	 * any group, robustness 2, every 125 s, any source */
	assert_bytes(bytes, wr_len(&w),
		     "46 c0 00 24 00 00 00 00 01 02 38 11 0a 00 02 02 e0 00 00 01 94 04 00 00"
		     "11 64 ec 1e 00 00 00 00 02 7d 00 00");
	w = wr_init(bytes, MEMBERSHIP_QUERY_MAX);
	membership_encode_query(&w, &src6, &dst);
	/* hop-by-hop options before ICMPv6, hop limit 1, fe80::2 to ff02::1 */
	assert_bytes(
		bytes, wr_len(&w),
		"60 00 00 00 00 24 00 01 fe80 0000 0000 0000 0000 0000 0000 0002"
		"ff02 0000 0000 0000 0000 0000 0000 0001 3a 00 05 02 00 00 01 00"
		"82 00 56 95 27 10 00 00 0000 0000 0000 0000 0000 0000 0000 0000 02 7d 00 00");
	ck_assert_uint_eq(wr_len(&w), MEMBERSHIP_QUERY_MAX);
	w = wr_init(bytes, 30);
	membership_encode_query(&w, &src, &dst);
	ck_assert(w.error);
}
END_TEST

SUITE_MAIN("membership", one_group, records, what_is_no_report, queries)
