/* cli/top_layout.h: the lines of posternctl top as text, for any width: what goes where, and what
 * has to go when there is no room.
 */
#ifndef CLI_TOP_LAYOUT_H
#define CLI_TOP_LAYOUT_H

#include "cli/top_model.h"

#define TOP_LINE_MAX 512 /* bytes; what a wider terminal has beyond stays empty */

enum top_column {
	TOP_COLUMN_ID,
	TOP_COLUMN_PROTO,
	TOP_COLUMN_DIR,
	TOP_COLUMN_STATE,
	TOP_COLUMN_GUEST,
	TOP_COLUMN_PEER,
	TOP_COLUMN_IN,
	TOP_COLUMN_OUT,
	TOP_COLUMN_TOTAL,
	TOP_COLUMN_AGE,
	TOP_COLUMN_IDLE,
	TOP_N_COLUMNS
};

struct top_layout {
	unsigned widths[TOP_N_COLUMNS]; /* 0: left out */
	bool guest_ports;		/* there is room for no more of the guest's end */
};

/* What fits into `width`, with ids up to `max_id`. */
struct top_layout top_layout_fit(unsigned width, uint64_t max_id);

/* The line of the heads, and one of a flow; of the layout's width at most.  Where something
 * is cut to fit, there is a '+'. */
const char *top_heads(const struct top_layout *l, char buf[static TOP_LINE_MAX]);
const char *top_row(const struct top_layout *l, const struct top_flow *f, bool names,
		    char buf[static TOP_LINE_MAX]);

/* Where the head of the column stands that the rows are sorted by, and how long it is: 0 when there is none. */
unsigned top_sorted_head(const struct top_layout *l, enum top_sort sort, unsigned *at);

/* "postern 0.1.0, process 4711, up 3h04m, guest 52:54:00:12:34:56 10.0.2.15" */
const char *top_daemon_line(const struct top_sample *s, char buf[static TOP_LINE_MAX]);

/* "12 of 65536 flows: 9 tcp, 2 udp, 1 icmp   3 frames dropped/s   2 DNS queries/s" */
const char *top_flows_line(const struct top_model *m, char buf[static TOP_LINE_MAX]);

/* "In 1.2M/s, out 30K/s" */
const char *top_rates_line(const struct top_totals *t, char buf[static TOP_LINE_MAX]);

/* "In    1.2M/s [|||||     ] 2.0M/s", the bar being full at the peak.  *at and the result are where its filled
 * part is, and how long. */
unsigned top_bar_line(const char *name, bool known, uint64_t rate, uint64_t peak, unsigned width,
		      unsigned *at, char buf[static TOP_LINE_MAX]);

#endif
