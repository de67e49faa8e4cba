/* daemon/options.h: the command line. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdio.h>

#include "daemon/settings.h"
#include "proto/conf.h"

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_USAGE };

/* Reads the arguments into `s`, which is empty, and makes `c` of it as options_apply() does.
 * Returns an options_outcome, or a negative errno: something is wrong with a value.
 * OPTIONS_USAGE says that something is no option of ours.  Both put the reason for people into
 * `reason`. settings_free() and conf_free() afterwards in every case. */
int options_parse(struct settings *s, struct conf *c, int argc, char **argv, char *reason,
		  size_t reason_max);

/* Fills `c` with the defaults and then with what the settings say, and checks the whole.  0, or a
 * negative errno with the reason in `reason`.  The texts in `c` are those of `s`; conf_free()
 * afterwards in every case. */
int options_apply(const struct settings *s, struct conf *c, char *reason, size_t reason_max);

/* Another name for an option finds that one; NULL if there is none of this name. */
const struct option_row *options_find(const char *name);

void options_print_help(FILE *out);
void options_print_hint(FILE *out); /* where the help text is */
void options_print_version(FILE *out);

#endif
