/* cli/metrics.h: what the daemon counts, as text for Prometheus. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include <stdio.h>

#include "ctl/ctl_msg.h"

/* What it is made of: the results of query-status, query-stats and query-dns. */
struct metrics {
	const struct ctl_status *status;
	const struct ctl_counter *counters;
	size_t n_counters;
	const struct ctl_dns *dns;
	const char *guest;  /* a label of all samples; NULL: none */
	bool for_collector; /* in the older format, of node_exporter's collector of text files */
};

/* The whole text, up to "# EOF", which is a comment in the older format. */
void metrics_print(FILE *out, const struct metrics *m);

#endif
