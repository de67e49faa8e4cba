/* cli/explain.h: in words, what a flow waits for, or why it ended. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "ctl/ctl_msg.h"

#define EXPLAIN_TEXT 320
#define EXPLAIN_MAX  8 /* findings about one flow */

struct explain_finding {
	const char *code; /* for programs: "guest-window-full" */
	char text[EXPLAIN_TEXT];
};

/* What is found about a flow that query-flows showed, with its details if it is open.  At least
 * one finding; how many. */
unsigned explain_flow(const struct ctl_flow *f, struct explain_finding found[static EXPLAIN_MAX]);

/* About a forward through which nothing came lately; how many, perhaps none. */
unsigned explain_forward(const struct ctl_forward *f, bool guest_connected,
			 struct explain_finding found[static EXPLAIN_MAX]);

/* About a name server; 0 or 1. */
unsigned explain_server(const struct ctl_dns_server *s,
			struct explain_finding found[static EXPLAIN_MAX]);

#endif
