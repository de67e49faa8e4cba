/* cli/out_text.h: columns and values for people. */
#ifndef CLI_OUT_TEXT_H
#define CLI_OUT_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_MAX      128 /* of a value */
#define TABLE_COLUMNS 16  /* at most */

struct column {
	const char *head;
	bool right; /* numbers */
	/* How a terminal shows the cell, as the number of a colour (ECMA-48 SGR); 0: as all else.
	 * NULL: always so. */
	unsigned (*colour)(const char *cell);
};

/* Rows that are kept until all widths are known. */
struct table {
	const struct column *columns;
	unsigned n_columns;
	size_t widths[TABLE_COLUMNS];
	char **cells;
	size_t n_cells, cap_cells;
	bool colours; /* where a column has some */
	bool headed; /* the heads are out; later rows keep to the widths, or widen them */
};

/* `columns` ends with a NULL head. */
struct table table_init(const struct column *columns);

/* Adds the next cell, row by row.  What a terminal must not get is escaped. */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints the rows added since the last time, the heads before the first. */
void table_print(struct table *t, FILE *out);
void table_free(struct table *t);

/* Whether colours are wanted there: by a terminal, without $NO_COLOR. */
bool text_wants_colours(FILE *out);

/* "Name      value" of a list of facts; escaped likewise. */
void fact_print(FILE *out, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes `text` with all but printable ASCII as \xHH or \u{H...}, and \ doubled, into `buf`;
 * cut to fit. */
const char *text_escape(const char *text, char *buf, size_t max);

/* "512", "4.0K", "1.5M" */
const char *text_bytes(uint64_t n, char buf[static TEXT_MAX]);

/* "0.4s", "95s", "12m05s", "5h03m", "3d04h" */
const char *text_duration(uint64_t ms, char buf[static TEXT_MAX]);

#endif
