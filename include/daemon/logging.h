/* daemon/logging.h: where the log goes: standard error, a file, or the system log.
 *
 * While the daemon starts, the reason why it cannot must be the first and only thing that its
 * caller reads: all but errors is held back until it has started.
 */
#ifndef DAEMON_LOGGING_H
#define DAEMON_LOGGING_H

#include <stddef.h>

#include "proto/conf.h"

/* Opens the log that the settings ask for and begins to hold back.  0, or -errno after a message
 * on standard error. */
int logging_open(const struct conf *c);

/* How much is logged, and how large the file may be, as the settings say. */
void logging_adjust(const struct conf *c);

/* The daemon has started: shows what was held back on standard error as well, and logs to the
 * one place from now on. */
void logging_started(void);

/* The path by which the log is found whenever something is logged; NULL: it is open. */
const char *logging_uses_path(void);

void logging_close(void);

#endif
