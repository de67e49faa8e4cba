/* cli/cli.c: one command, from the command line to the exit status. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"

#define CLEAR_SCREEN "\033[H\033[2J\033[3J"

/* What daemon or system say may come from anywhere. */
static void complain(const char *where, const char *error)
{
	char path[CTL_ERROR_MAX * 4], text[CTL_ERROR_MAX * 4];

	fprintf(stderr, "posternctl: %s%s%s\n",
		where ? text_escape(where, path, sizeof(path)) : "", where ? ": " : "",
		text_escape(error, text, sizeof(text)));
}

/* Opens the file of a command that takes one: "-" is standard output, and the result goes to standard
 * error then. */
static int open_file(const char *path, FILE **outp, char error[static CTL_ERROR_MAX])
{
	bool standard = !strcmp(path, "-");
	int fd = -1;

	if (standard && isatty(STDOUT_FILENO)) {
		snprintf(error, CTL_ERROR_MAX, "standard output is a terminal");
		return -1;
	}
	fd = standard ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		snprintf(error, CTL_ERROR_MAX, "%s", strerror(errno));
	else if (standard)
		*outp = stderr;
	return fd;
}

/* Again and again, on a terminal in one place.  Ends when the daemon or the reader does; -1. */
static int watch(const struct args *a, struct client *client, char *error)
{
	size_t size = a->command->args->size;
	void *values = malloc(size);
	int err = values ? 0 : -1;

	if (err)
		snprintf(error, CTL_ERROR_MAX, "out of memory");
	while (!err) {
		memcpy(values, a->values, size); /* a list changes them as it goes on */
		if (isatty(STDOUT_FILENO))
			fputs(CLEAR_SCREEN, stdout);
		err = command_run(a->command, client, values, a->json, stdout, error);
		if (fflush(stdout))
			break;
		if (!err)
			sleep(a->watch);
	}
	free(values);
	return err;
}

static int run_alone(const struct args *a)
{
	struct command_run run = { .socket = a->socket && *a->socket ? a->socket : NULL,
				   .json = a->json,
				   .out = stdout };
	int status = a->command->run_alone(&run);

	if (run.error[0])
		complain(NULL, run.error);
	return status;
}

static int run(const struct args *a)
{
	char error[CTL_ERROR_MAX];
	struct client client;
	FILE *out = stdout;
	int err;

	if (client_open(&client, a->socket, error)) {
		complain(a->socket, error);
		return CLI_ERROR;
	}
	if (a->file) {
		client.fd_to_pass = open_file(a->file, &out, error);
		if (client.fd_to_pass < 0) {
			client_close(&client);
			complain(a->file, error);
			return CLI_ERROR;
		}
	}
	err = a->watch ? watch(a, &client, error)
		       : command_run(a->command, &client, a->values, a->json, out, error);
	client_close(&client);
	if (err)
		complain(NULL, error);
	return err ? CLI_ERROR : EXIT_SUCCESS;
}

int cli_main(int argc, char **argv)
{
	char error[CTL_ERROR_MAX];
	struct args args;
	int status = EXIT_SUCCESS;

	if (args_parse(&args, argc, argv, error)) {
		complain(NULL, error);
		fputs("Try 'posternctl --help'.\n", stderr);
		status = CLI_USAGE;
	} else if (args.version) {
		puts("posternctl " POSTERN_VERSION);
	} else if (args.help && args.command) {
		args_print_command(stdout, args.command);
	} else if (args.help) {
		args_print_usage(stdout);
	} else {
		status = (args.command->run_alone ? run_alone : run)(&args);
	}
	args_free(&args);
	/* a failure may have been that of any write before */
	if (fflush(stdout) || ferror(stdout)) {
		complain(NULL, "cannot write the result");
		return CLI_ERROR;
	}
	return status;
}
