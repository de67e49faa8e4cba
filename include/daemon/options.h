/* daemon/options.h: the command line. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdio.h>

#include "proto/conf.h"

enum options_outcome { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

/* Fills `c` with the defaults and then with what the arguments say, and checks the whole.
 * Returns an options_outcome, or a negative errno with the reason for people in `reason`.
 * The texts in `c` point into `argv`; conf_free() afterwards in every case. */
int options_parse(struct conf *c, int argc, char **argv, char *reason, size_t reason_max);

void options_print_help(FILE *out);
void options_print_version(FILE *out);

#endif
