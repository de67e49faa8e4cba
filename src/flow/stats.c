/* flow/stats.c: the table of counters. */
#include "flow/stats.h"

#include <stddef.h>

const struct stats_row stats_rows[] = {
#define X(field, name, text) { name, text, offsetof(struct stats, field) },
	STATS_COUNTERS(X)
#undef X
};

const unsigned n_stats_rows = sizeof(stats_rows) / sizeof(stats_rows[0]);
