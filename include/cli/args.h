/* cli/args.h: the words of the command line: global options, a command, its arguments. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli/command.h"

#define ARGS_CHOSEN_MAX 32
#define ARGS_WORDS_MAX  1024

struct args {
	const char *socket; /* -s, or $POSTERN_CONTROL; NULL */
	bool json, help, version;
	unsigned watch; /* seconds between two times; 0: once */
	const struct command *command; /* NULL: none was given */
	const char *file;	       /* of a command that takes one */
	void *values;		       /* of the command's arguments; to be freed */
	unsigned chosen[ARGS_CHOSEN_MAX]; /* what an argument that is a list has */
	const char *texts[ARGS_WORDS_MAX]; /* likewise, one of texts */
};

/* 0, or -1 with what is wrong in `error`. */
int args_parse(struct args *a, int argc, char **argv, char error[static CTL_ERROR_MAX]);
void args_free(struct args *a);

/* All commands. */
void args_print_usage(FILE *out);

/* One command with its arguments. */
void args_print_command(FILE *out, const struct command *cmd);

#endif
