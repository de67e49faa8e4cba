/* UTF-8: the boundaries of RFC 3629. */
#include "base/utf8.h"

#include <string.h>

#include "lib/suite.h"

static size_t decode(const char *text, uint32_t *code)
{
	*code = 0;
	return utf8_decode(text, strlen(text), code);
}

START_TEST(well_formed)
{
	static const struct {
		const char *text;
		size_t n;
		uint32_t code;
	} rows[] = { { "A", 1, 'A' },
		     { "\x7f", 1, 0x7f },
		     { "\xc2\x80", 2, 0x80 },
		     { "\xdf\xbf", 2, 0x7ff },
		     { "\xe0\xa0\x80", 3, 0x800 },
		     { "\xef\xbf\xbf", 3, 0xffff },
		     { "\xed\x9f\xbf", 3, 0xd7ff },
		     { "\xee\x80\x80", 3, 0xe000 },
		     { "\xf0\x90\x80\x80", 4, 0x10000 },
		     { "\xf4\x8f\xbf\xbf", 4, 0x10ffff } };
	uint32_t code;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_uint_eq(decode(rows[i].text, &code), rows[i].n);
		ck_assert_uint_eq(code, rows[i].code);
	}
	ck_assert_uint_eq(utf8_decode("\0", 1, &code), 1);
	ck_assert_uint_eq(code, 0);
}
END_TEST

START_TEST(malformed)
{
	static const char *const rows[] = { "\x80",
					    "\xbf", /* continuation without a beginning */
					    "\xc2",
					    "\xe0\xa0",
					    "\xf0\x90\x80", /* truncated */
					    "\xc2"
					    "A",
					    "\xe1\x80"
					    "A", /* cut short */
					    "\xc0\x80",
					    "\xc1\xbf",
					    "\xe0\x9f\xbf",
					    "\xf0\x8f\xbf\xbf", /* overlong */
					    "\xed\xa0\x80",
					    "\xed\xbf\xbf", /* surrogates */
					    "\xf4\x90\x80\x80",
					    "\xf8\x88\x80\x80\x80",
					    "\xfe",
					    "\xff", /* too large */
					    "" };
	uint32_t code;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_uint_eq(decode(rows[i], &code), 0);
}
END_TEST

SUITE_MAIN("utf8", well_formed, malformed)
