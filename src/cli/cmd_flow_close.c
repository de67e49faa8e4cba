/* cli/cmd_flow_close.c: posternctl flow close. */
#include "cli/command.h"

const struct command cmd_flow_close = {
	.words = "flow close",
	.help = "end a flow, for both its ends",
	.method = "flow-close",
	.args = &ctl_flow_close_message,
	.result = &ctl_nothing_message,
	.positional = (const char *const[]){ "id", NULL },
};
