/* cli/cli.h: posternctl. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Exit statuses besides EXIT_SUCCESS. */
#define CLI_ERROR 1 /* no daemon, or it refused */
#define CLI_USAGE 2

/* The whole program; returns its exit status. */
int cli_main(int argc, char **argv);

#endif
