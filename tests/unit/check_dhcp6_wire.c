/* DHCPv6 messages: decoding within bounds, the walkers, and what is written byte for byte. */
#include "wire/dhcp6.h"

#include <errno.h>

#include "lib/fake_guest.h"
#include "lib/suite.h"

static uint8_t bytes[4096];
static struct dhcp6_msg msg;

static int decode(const char *hex)
{
	size_t len = from_hex(hex, bytes, sizeof(bytes));
	struct rd r = rd_init(bytes, len);

	return dhcp6_decode(&r, &msg);
}

/* A Solicit with every kind of option that is read. */
#define ADDRESS "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 0f"
#define TIMES	"00 00 00 01 00 00 00 02"
#define SOLICIT                                                                                \
	"01 10 08 74"                                                                          \
	"00 01 00 0a 00 03 00 01 52 54 00 12 34 56"                                            \
	"00 03 00 0c 00 00 00 07" TIMES "00 04 00 20 00 00 00 08 00 05 00 18" ADDRESS TIMES    \
	"00 08 00 02 00 00"                                                                    \
	"00 19 00 29 00 00 00 09" TIMES "00 1a 00 19" TIMES "38" ADDRESS                       \
	"00 06 00 04 00 17 00 18"                                                              \
	"00 0e 00 00"

START_TEST(decodes_all)
{
	struct rd options, value;
	struct dhcp6_ia ia;
	struct addr a;

	ck_assert_int_eq(decode(SOLICIT), 0);
	ck_assert_uint_eq(msg.type, DHCP6_SOLICIT);
	ck_assert_uint_eq(msg.xid, 0x100874);
	ck_assert(dhcp6_find(&msg, DHCP6_OPT_CLIENT_ID, &value));
	assert_bytes(value.p, rd_left(&value), "00 03 00 01 52 54 00 12 34 56");
	ck_assert(!dhcp6_has(&msg, DHCP6_OPT_SERVER_ID));
	ck_assert(dhcp6_has(&msg, DHCP6_OPT_RAPID_COMMIT));
	ck_assert(dhcp6_requests(&msg, DHCP6_OPT_SEARCH));
	ck_assert(!dhcp6_requests(&msg, DHCP6_OPT_NTP));

	options = msg.options;
	ck_assert(dhcp6_ia_next(&options, &ia));
	ck_assert_uint_eq(ia.code, DHCP6_OPT_IA_NA);
	ck_assert_uint_eq(ia.iaid, 7);
	ck_assert(!dhcp6_address_next(&ia.options, &a));
	ck_assert(dhcp6_ia_next(&options, &ia));
	ck_assert_uint_eq(ia.code, DHCP6_OPT_IA_TA);
	ck_assert_uint_eq(ia.iaid, 8);
	a = addr_of("2001:db8:2::f");
	ck_assert(dhcp6_ia_has_address(&ia, &a));
	a = addr_of("2001:db8:2::e");
	ck_assert(!dhcp6_ia_has_address(&ia, &a));
	ck_assert(dhcp6_address_next(&ia.options, &a));
	assert_bytes(a.b, 16, ADDRESS);
	ck_assert(!dhcp6_address_next(&ia.options, &a));
	ck_assert(dhcp6_ia_next(&options, &ia));
	ck_assert_uint_eq(ia.code, DHCP6_OPT_IA_PD);
	ck_assert_uint_eq(ia.iaid, 9);
	ck_assert(!dhcp6_address_next(&ia.options, &a)); /* a prefix is no address */
	ck_assert(!dhcp6_ia_next(&options, &ia));
}
END_TEST

/* The first of several counts (RFC 8415 21.1: none are put together). */
START_TEST(repeated_options)
{
	struct rd value;

	ck_assert_int_eq(decode("01 00 00 00  00 02 00 01 aa  00 02 00 01 bb"), 0);
	ck_assert(dhcp6_find(&msg, DHCP6_OPT_SERVER_ID, &value));
	assert_bytes(value.p, rd_left(&value), "aa");
	ck_assert_int_eq(decode("01 00 00 00  00 06 00 02 00 17  00 06 00 02 00 18"), 0);
	ck_assert(dhcp6_requests(&msg, DHCP6_OPT_DNS));
	ck_assert(!dhcp6_requests(&msg, DHCP6_OPT_SEARCH));
}
END_TEST

/* Every message that ends before its last option does is refused. */
START_TEST(truncated)
{
	size_t len = from_hex(SOLICIT, bytes, sizeof(bytes));
	/* where a message may end: behind the header and behind each option */
	static const size_t ends[] = { 4, 18, 34, 70, 76, 121, 129, 133 };
	unsigned k = 0;

	ck_assert_uint_eq(len, ends[7]);
	for (size_t n = 0; n <= len; n++) {
		struct rd r = rd_init(bytes, n);
		bool whole = n == ends[k];

		ck_assert_msg(dhcp6_decode(&r, &msg) == (whole ? 0 : -EINVAL), "%zu bytes", n);
		k += whole;
	}
	ck_assert_uint_eq(k, 8);
}
END_TEST

START_TEST(malformed)
{
	static const char *const bad[] = {
		"",
		"01 00 00",
		"01 00 00 00 00",		    /* half an option */
		"01 00 00 00 00 63 00 01",	    /* ... without its value */
		"01 00 00 00 00 01 00 02 00 03",    /* DUIDs without and with one byte */
		"01 00 00 00 00 06 00 03 00 17 00", /* half a code */
		"01 00 00 00 00 03 00 0b 00 00 00 07 00 00 00 01 00 00 00", /* IAs cut off */
		"01 00 00 00 00 04 00 03 00 00 00",
		"01 00 00 00 00 19 00 0b 00 00 00 07 00 00 00 01 00 00 00",
		/* in an IA: half an option; one that runs into what is behind the IA */
		"01 00 00 00 00 04 00 06 00 00 00 07 00 05",
		"01 00 00 00 00 04 00 08 00 00 00 07 00 63 00 04 00 63 00 00",
		/* an address, a prefix cut off */
		"01 00 00 00 00 04 00 1f 00 00 00 08 00 05 00 17" ADDRESS
		"00 00 00 01 00 00 00",
		"01 00 00 00 00 19 00 28 00 00 00 09" TIMES "00 1a 00 18" TIMES ADDRESS,
		/* half an option in an address */
		"01 00 00 00 00 04 00 22 00 00 00 08 00 05 00 1a" ADDRESS TIMES "00 0d",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(decode(bad[i]) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(decode("01 00 00 00 00 01 00 03 00 03 aa"), 0);
	ck_assert_int_eq(decode("01 00 00 00 00 06 00 00"), 0);
	ck_assert(!dhcp6_requests(&msg, 0));
}
END_TEST

START_TEST(longest_duid)
{
	struct wr w = wr_init(bytes, sizeof(bytes));
	struct rd r;

	dhcp6_put_header(&w, DHCP6_SOLICIT, 1);
	wr_be16(&w, DHCP6_OPT_CLIENT_ID);
	wr_be16(&w, DHCP6_DUID_MAX);
	wr_zero(&w, DHCP6_DUID_MAX);
	r = rd_init(bytes, wr_len(&w));
	ck_assert_int_eq(dhcp6_decode(&r, &msg), 0);
	wr_zero(&w, 1);
	wr_patch16(&w, 6, DHCP6_DUID_MAX + 1);
	r = rd_init(bytes, wr_len(&w));
	ck_assert_int_eq(dhcp6_decode(&r, &msg), -EINVAL);
}
END_TEST

static bool fqdn_of(const char *hex, struct dhcp6_fqdn *f)
{
	char text[2048] = "01 00 00 00";

	ck_assert_int_eq(decode(strcat(text, hex)), 0);
	return dhcp6_get_fqdn(&msg, f);
}

/* RFC 4704 4.2: whole names and parts of one. */
START_TEST(reads_fqdn)
{
	struct dhcp6_fqdn f;

	ck_assert(!fqdn_of("", &f));
	ck_assert(fqdn_of("00 27 00 0c 01 02 76 6d 06 65 78 61 6d 70 6c 00", &f));
	ck_assert_uint_eq(f.flags, DHCP6_FQDN_S);
	ck_assert_str_eq(f.name, "vm.exampl");
	ck_assert(fqdn_of("00 27 00 04 04 02 76 6d", &f));
	ck_assert_uint_eq(f.flags, DHCP6_FQDN_N);
	ck_assert_str_eq(f.name, "vm");
	ck_assert(fqdn_of("00 27 00 01 00", &f)); /* the client has no name, and wants one */
	ck_assert_str_eq(f.name, "");
	ck_assert(!fqdn_of("00 27 00 00", &f));
	ck_assert(!fqdn_of("00 27 00 03 00 07 76", &f)); /* a label cut off */
	ck_assert(!fqdn_of("00 27 00 03 00 c0 00", &f)); /* a pointer to itself */
	ck_assert(!fqdn_of("00 27 00 03 00 c0 ff", &f)); /* ... to nowhere */
}
END_TEST

START_TEST(writes_options)
{
	struct dhcp6_ia na = { .code = DHCP6_OPT_IA_NA, .iaid = 7 },
			ta = { .code = DHCP6_OPT_IA_TA, .iaid = 8 };
	struct addr a = addr_of("2001:db8:2::f");
	struct wr w = wr_init(bytes, sizeof(bytes));
	size_t begun;

	dhcp6_put_header(&w, DHCP6_REPLY, 0xff100874);
	dhcp6_put(&w, DHCP6_OPT_CLIENT_ID, "abc", 3);
	begun = dhcp6_begin_ia(&w, &na, 1, 2);
	dhcp6_put_address(&w, &a, 3, 4);
	dhcp6_end(&w, begun);
	begun = dhcp6_begin_ia(&w, &ta, 1, 2);
	dhcp6_put_status(&w, DHCP6_STATUS_NO_ADDRS_AVAIL, "no");
	dhcp6_end(&w, begun);
	dhcp6_put(&w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	ck_assert(!w.error);
	assert_bytes(bytes, wr_len(&w),
		     "07 10 08 74  00 01 00 03 61 62 63"
		     "00 03 00 28 00 00 00 07 00 00 00 01 00 00 00 02"
		     "00 05 00 18" ADDRESS "00 00 00 03 00 00 00 04"
		     "00 04 00 0c 00 00 00 08 00 0d 00 04 00 02 6e 6f"
		     "00 0e 00 00");
}
END_TEST

/* Each name whole (RFC 8415 10), although they have an end in common. */
START_TEST(writes_search)
{
	static const char names[][DHCP6_NAME_MAX] = { "eng.ex.org.", "", "ex.org", ".",
						      "a..b" };
	struct wr w = wr_init(bytes, sizeof(bytes));

	dhcp6_put_search(&w, names, 5);
	assert_bytes(
		bytes, wr_len(&w),
		"00 18 00 14  03 65 6e 67 02 65 78 03 6f 72 67 00  02 65 78 03 6f 72 67 00");
	w = wr_init(bytes, sizeof(bytes));
	dhcp6_put_search(&w, names + 3, 2);
	dhcp6_put_search(&w, names, 0);
	ck_assert_uint_eq(wr_len(&w), 0);
	w = wr_init(bytes, 23);
	dhcp6_put_search(&w, names, 3);
	ck_assert(w.error);
}
END_TEST

START_TEST(writes_fqdn)
{
	struct dhcp6_fqdn f = { .flags = DHCP6_FQDN_N, .name = "vm.ex" };
	struct wr w = wr_init(bytes, sizeof(bytes));

	dhcp6_put_fqdn(&w, &f);
	strcpy(f.name, "vm");
	dhcp6_put_fqdn(&w, &f);
	strcpy(f.name, "vm.");
	dhcp6_put_fqdn(&w, &f);
	f.name[0] = '\0';
	dhcp6_put_fqdn(&w, &f);
	assert_bytes(bytes, wr_len(&w),
		     "00 27 00 08 04 02 76 6d 02 65 78 00  00 27 00 04 04 02 76 6d"
		     "00 27 00 05 04 02 76 6d 00");
}
END_TEST

SUITE_MAIN("dhcp6_wire", decodes_all, repeated_options, truncated, malformed, longest_duid,
	   reads_fqdn, writes_options, writes_search, writes_fqdn)
