/* daemon/process.h: what a daemon owes the process that starts it. */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <stdbool.h>

/* Tells our caller, on standard error, why we do not start, behind the name that it called us by. */
void process_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Opens something that nobody hears for those of descriptors 0 to 2 that are closed, so that
 * nothing else gets their numbers.  0 or -errno. */
int process_fill_stdio(void);

/* Moves `fd` above the standard descriptors, where /dev/null takes its place, and keeps it from
 * programs that we might start.  Returns its number, or -errno. */
int process_take_fd(int fd);

/* Closes every descriptor above the standard ones but the `n` in `keep`, which is sorted by that; -1
 * stands for none. */
void process_close_others(int keep[], unsigned n);

/* Raises the limit of open files as far as we may: each flow has a socket. */
void process_raise_file_limit(void);

/* Whether the caller had us ignore a signal. */
bool process_ignores(int signo);

/* Unblocks all signals, whatever the caller did, and ignores SIGPIPE and SIGXFSZ: the write itself
 * tells of either. */
void process_reset_signals(void);

/* Goes on in a child of its own session; returns there, with a descriptor for process_ready(),
 * or with -errno here.  The caller's process stays until the child is ready and exits with 0
 * then, with 1 if the child ends before that. */
int process_fork(void);

/* Lets go of the terminal and of the caller: standard descriptors become /dev/null, and the
 * process that waits in process_fork() exits.  -EPIPE when it did not wait: nobody knows of us. */
int process_ready(int fd);

#endif
