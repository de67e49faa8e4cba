/* cli/cmd_quit.c: posternctl quit. */
#include "cli/command.h"

const struct command cmd_quit = {
	.words = "quit",
	.help = "end the daemon",
	.method = "quit",
	.args = &ctl_nothing_message,
	.result = &ctl_nothing_message,
};
