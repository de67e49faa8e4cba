/* cli/out_text.c: see cli/out_text.h. */
#include "cli/out_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"

#define CELL_MAX    512
#define GAP	    2  /* between columns */
#define FACT_INDENT 12 /* of the value */

const char *text_escape(const char *text, char *buf, size_t max)
{
	size_t len = strlen(text), at = 0, n;
	char one[16];
	uint32_t code;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		if (!n) {
			snprintf(one, sizeof(one), "\\x%02x", (unsigned char)text[i]);
			n = 1;
		} else if (code == '\\') {
			snprintf(one, sizeof(one), "\\\\");
		} else if (code >= ' ' && code < 0x7f) {
			snprintf(one, sizeof(one), "%c", (int)code);
		} else if (code < 0x80) {
			snprintf(one, sizeof(one), "\\x%02x", code);
		} else {
			snprintf(one, sizeof(one), "\\u{%x}", code);
		}
		if (at + strlen(one) >= max)
			break;
		memcpy(buf + at, one, strlen(one));
		at += strlen(one);
	}
	buf[at] = '\0';
	return buf;
}

const char *text_bytes(uint64_t n, char buf[static TEXT_MAX])
{
	static const char units[] = "KMGTPE";
	double value = (double)n;
	int unit = -1;

	while (value >= 1000 && unit < (int)sizeof(units) - 2) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, TEXT_MAX, "%" PRIu64, n);
	else
		snprintf(buf, TEXT_MAX, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return buf;
}

const char *text_duration(uint64_t ms, char buf[static TEXT_MAX])
{
	uint64_t s = ms / 1000;

	if (s < 10)
		snprintf(buf, TEXT_MAX, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 120)
		snprintf(buf, TEXT_MAX, "%" PRIu64 "s", s);
	else if (s < 2 * 3600)
		snprintf(buf, TEXT_MAX, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 2 * 86400)
		snprintf(buf, TEXT_MAX, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(buf, TEXT_MAX, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return buf;
}

struct table table_init(const struct column *columns)
{
	struct table t = { .columns = columns };

	for (; columns[t.n_columns].head; t.n_columns++)
		t.widths[t.n_columns] = strlen(columns[t.n_columns].head);
	return t;
}

static void *must(void *memory)
{
	if (memory)
		return memory;
	fputs("posternctl: out of memory\n", stderr);
	exit(EXIT_FAILURE);
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char raw[CELL_MAX], cell[CELL_MAX * 4];
	size_t *width = &t->widths[t->n_cells % t->n_columns];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_escape(raw, cell, sizeof(cell));
	if (t->n_cells == t->cap_cells) {
		t->cap_cells = t->cap_cells ? t->cap_cells * 2 : 256;
		t->cells = must(realloc(t->cells, t->cap_cells * sizeof(*t->cells)));
	}
	t->cells[t->n_cells++] = must(strdup(cell));
	if (strlen(cell) > *width)
		*width = strlen(cell);
}

static void print_cell(const struct table *t, FILE *out, int blanks, unsigned column,
		       const char *cell)
{
	unsigned (*colour_of)(const char *) = t->columns[column].colour;
	unsigned colour = t->colours && colour_of ? colour_of(cell) : 0;

	if (colour)
		fprintf(out, "%*s\033[%um%s\033[0m", blanks, "", colour, cell);
	else
		fprintf(out, "%*s%s", blanks, "", cell);
}

/* Spaces stand before a cell as long as there is something behind them. */
static void print_row(const struct table *t, FILE *out, const char *const cells[])
{
	size_t blanks = 0;

	for (unsigned i = 0; i < t->n_columns; i++) {
		size_t len = strlen(cells[i]), rest = t->widths[i] - len;

		if (t->columns[i].right)
			blanks += rest;
		if (len)
			print_cell(t, out, (int)blanks, i, cells[i]);
		blanks = (len ? 0 : blanks) + GAP + (t->columns[i].right ? 0 : rest);
	}
	fputc('\n', out);
}

void table_print(struct table *t, FILE *out)
{
	const char *heads[TABLE_COLUMNS];

	for (unsigned i = 0; i < t->n_columns; i++)
		heads[i] = t->columns[i].head;
	if (!t->headed)
		print_row(t, out, heads);
	t->headed = true;
	for (size_t i = 0; i < t->n_cells; i += t->n_columns)
		print_row(t, out, (const char *const *)t->cells + i);
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	t->n_cells = 0;
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){ 0 };
}

bool text_wants_colours(FILE *out)
{
	const char *refused = getenv("NO_COLOR");

	return isatty(fileno(out)) && !(refused && *refused);
}

void fact_print(FILE *out, const char *name, const char *fmt, ...)
{
	char raw[CELL_MAX], text[CELL_MAX * 4];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	fprintf(out, "%-*s%s\n", FACT_INDENT, name, text_escape(raw, text, sizeof(text)));
}
