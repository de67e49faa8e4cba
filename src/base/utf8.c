/* base/utf8.c: the decoder, after the table of RFC 3629 section 4. */
#include "base/utf8.h"

#include <stdbool.h>

static const struct utf8_row {
	uint8_t mask, lead; /* of the first byte */
	uint8_t n;	    /* bytes */
	uint32_t min;	    /* lower values have a shorter form */
} rows[] = {
	{ 0x80, 0x00, 1, 0 },
	{ 0xe0, 0xc0, 2, 0x80 },
	{ 0xf0, 0xe0, 3, 0x800 },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

static bool is_surrogate(uint32_t code)
{
	return code >= 0xd800 && code <= 0xdfff;
}

static size_t decode_as(const struct utf8_row *row, const uint8_t *b, size_t len,
			uint32_t *code)
{
	uint32_t c = b[0] & (uint8_t)~row->mask;

	if (len < row->n)
		return 0;
	for (size_t i = 1; i < row->n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3f);
	}
	if (c < row->min || c > 0x10ffff || is_surrogate(c))
		return 0;
	*code = c;
	return row->n;
}

size_t utf8_decode(const char *p, size_t len, uint32_t *code)
{
	const uint8_t *b = (const uint8_t *)p;

	if (!len)
		return 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((b[0] & rows[i].mask) == rows[i].lead)
			return decode_as(&rows[i], b, len, code);
	return 0;
}
