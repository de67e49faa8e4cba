/* daemon/option_table.h: every option of postern, one row each.
 *
 * The same rows feed getopt_long, the help text and the check of the manual page.
 */
#ifndef DAEMON_OPTION_TABLE_H
#define DAEMON_OPTION_TABLE_H

#include "proto/conf.h"

struct option_row {
	const char *name;     /* long name, without dashes */
	char letter;	      /* short name; 0: none */
	const char *argument; /* NULL: takes none; in brackets: may be left out */
	const char *same_as;  /* the name of a row that this is another name for; NULL: none */
	const char *initial;  /* the default, in the form that the option takes; NULL: none */
	const char *section;  /* heading, on the first row of a section */
	const char *help;
	const char *expects; /* what a value must be; NULL: a number within the range */
	bool live; /* may be changed while we run */
	unsigned most;	   /* values that it may have then, "none" included; 0: one */
	const char *fixed; /* else why not; NULL: it is one of many things that are made at the start */

	/* Stores a value, NULL where there is none.  0; -EINVAL when it is not as expected;
	 * -E2BIG when the option was given too often; -ENOMEM. */
	int (*set)(struct conf *c, const struct option_row *row, const char *value);
	size_t field; /* in struct conf, for setters that serve several rows */
	unsigned min, max; /* range of a number */
};

extern const struct option_row option_rows[];
extern const unsigned n_option_rows;

/* An option that passt has and that is refused here, with the reason why. */
struct option_refused {
	const char *name;
	char letter; /* 0: none */
	bool argument;
	const char *reason;
};

extern const struct option_refused options_refused[];
extern const unsigned n_options_refused;

#endif
