/* cli/command.h: the commands of posternctl: a row each, in a file each.
 *
 * A row names the method that does the work and says how its result looks to people; arguments,
 * help and JSON follow from the tables of ctl/ctl_msg.h.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/client.h"
#include "cli/out_text.h"

/* A run of a command that needs no daemon. */
struct command_run {
	const char *socket; /* NULL: none was named */
	bool json;
	FILE *out;
	char error[CTL_ERROR_MAX];
};

/* A short name of an argument. */
struct letter {
	char letter;
	const char *name; /* "--batch" */
};

struct command {
	const char *words; /* "flow close" */
	const char *help;
	const char *method;
	const struct ctl_message *args, *result;
	const char *const *positional; /* names of arguments given without their name, in order;
					* NULL ends them */
	const struct letter *letters;  /* 0 ends them; NULL: none */
	bool list;		       /* the result is an array of `result` */
	bool file; /* first comes the name of a file, which goes to the daemon as a descriptor */
	bool watch;		       /* may be done again and again, with --watch */

	/* As text: one result; NULL prints nothing. */
	void (*show)(FILE *out, const void *result);
	/* As text: an array. */
	const struct column *columns;
	void (*row)(struct table *t, const void *result);
	/* Whether to call again for more of the array, with `args` changed for that.  `n`
	 * elements came, the last of which is `last`.  NULL: never. */
	bool (*more)(void *args, size_t n, const void *last);
	/* As text: one event.  With this, events follow the result until somebody ends it. */
	void (*event)(FILE *out, struct ctl_doc *doc, const struct ctl_event *e);

	/* Does all by itself instead, with the calls that it needs.  0, or -1 with the reason in
	 * `error`. */
	int (*run)(struct client *client, const void *args, bool json, FILE *out,
		   char error[static CTL_ERROR_MAX]);

	/* Likewise, and no socket has to be named: an exit status, with the reason in run->error where
	 * there is one to tell. */
	int (*run_alone)(struct command_run *run);
};

/* In the order in which help shows them; NULL ends them. */
extern const struct command *const commands[];

extern const struct command cmd_config, cmd_config_set, cmd_log_level, cmd_client_disconnect,
	cmd_forward_set, cmd_capture, cmd_capture_stop, cmd_captures, cmd_dns, cmd_doctor, cmd_explain, cmd_flow_close, cmd_flows, cmd_forward_add,
	cmd_forward_remove, cmd_forwards, cmd_leases, cmd_list, cmd_metrics, cmd_monitor, cmd_quit, cmd_stats, cmd_status, cmd_top;

/* Calls the method and prints the result.  0, or -1 with the reason in `error`. */
int command_run(const struct command *cmd, struct client *client, void *args, bool json,
		FILE *out, char error[static CTL_ERROR_MAX]);

#endif
