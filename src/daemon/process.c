/* daemon/process.c: descriptors, limits, and the way into the background. */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/program.h"

#define LINE_MAX_BYTES 1024

void process_complain(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_defuse(line);
	fprintf(stderr, "%s: %s\n", program_name(), line);
}

/* What reads as empty and swallows what is written to it; where the system has no such device, a
 * socket that leads nowhere. */
static int open_null(int flags)
{
	int fd = open("/dev/null", O_RDWR | flags);

	return fd >= 0 ? fd : socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | flags, 0);
}

int process_fill_stdio(void)
{
	int fd;

	do {
		fd = open_null(0); /* the lowest number that is free */
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

int process_take_fd(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), rc;

	if (moved < 0)
		return -errno;
	close(fd);
	rc = process_fill_stdio(); /* it may have been one of them */
	return rc ? rc : moved;
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void process_close_others(int keep[], unsigned n)
{
	int from = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(keep[0]), compare_fds);
	for (unsigned i = 0; i < n; i++) {
		if (keep[i] > from)
			close_range((unsigned)from, (unsigned)keep[i] - 1, 0);
		if (keep[i] >= from)
			from = keep[i] + 1;
	}
	close_range((unsigned)from, UINT_MAX, 0);
}

void process_raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

bool process_ignores(int signo)
{
	struct sigaction action;

	return !sigaction(signo, NULL, &action) && action.sa_handler == SIG_IGN;
}

void process_reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

/* Where the standard descriptors will lead; opened while there are paths to it. */
static int fd_null = -1;

/* The caller's process: waits for a byte, or for the child to end without one. */
static _Noreturn void wait_for_child(pid_t child, int fd)
{
	char byte;
	ssize_t n;
	int status;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
		process_complain("ended by signal %d (%s) while starting", WTERMSIG(status),
				 strsignal(WTERMSIG(status)));
	_exit(EXIT_FAILURE);
}

int process_fork(void)
{
	int fds[2], err;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child > 0) {
		close(fds[1]);
		wait_for_child(child, fds[0]);
	}
	err = errno;
	close(fds[0]);
	if (child < 0) {
		close(fds[1]);
		return -err;
	}
	setsid();
	fd_null = open_null(O_CLOEXEC);
	return fds[1];
}

int process_ready(int fd)
{
	ssize_t n;
	int err;

	/* before the byte: who reads our errors waits for their end, not for the exit alone */
	for (int i = STDIN_FILENO; fd_null >= 0 && i <= STDERR_FILENO; i++)
		dup2(fd_null, i);
	if (fd_null > STDERR_FILENO)
		close(fd_null);
	fd_null = -1;
	if (chdir("/")) {
		/* then a file system stays busy for as long as we run */
	}
	do
		n = write(fd, "", 1);
	while (n < 0 && errno == EINTR);
	err = errno;
	close(fd);
	return n == 1 ? 0 : -err;
}
