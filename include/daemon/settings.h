/* daemon/settings.h: the options that were given, on the command line and since, in the order in
 * which they count.  The configuration is what their rows make of them, one after the other. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stddef.h>

#include "daemon/option_table.h"

struct setting {
	const struct option_row *row;
	char *value; /* NULL: it was given without one */
};

struct settings {
	struct setting *all;
	unsigned n;
};

/* Adds one behind the others; `value` is copied.  0 or -ENOMEM. */
int settings_add(struct settings *s, const struct option_row *row, const char *value);

/* Whether these are the values that `row` has. */
bool settings_have(const struct settings *s, const struct option_row *row,
		   const char *const *values, size_t n);

/* Makes `next` of `s`: the same but for `row`, which has these values now, none (its default), or a
 * single NULL (it was given without one).  The other values are shared: one of the two must end with
 * settings_drop(), the other lives on.  0, or -ENOMEM with nothing made. */
int settings_change(struct settings *next, const struct settings *s, const struct option_row *row,
		    const char *const *values, size_t n);

/* Frees that of the two which is not needed any more. */
void settings_drop(struct settings *s, const struct option_row *row);

void settings_free(struct settings *s);

#endif
