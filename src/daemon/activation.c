/* daemon/activation.c: reads what sd_listen_fds(3) reads. */
#include "daemon/activation.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/command_line.h"
#include "daemon/option_value.h"

#define FIRST_FD 3
#define FDS_MAX	 1024 /* far beyond what can be used: what is not ours is told of */

static const char *const names[] = { "guest", "control", "status", "api" };
static_assert(sizeof(names) / sizeof(names[0]) == N_ACTIVATION_SOCKETS, "a name each");

/* How many there are for this process. */
static unsigned count(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	char own[16];
	unsigned n;

	snprintf(own, sizeof(own), "%d", (int)getpid());
	if (!pid || !fds || strcmp(pid, own) != 0 || value_number(fds, 0, FDS_MAX, &n))
		return 0;
	return n;
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? -1 : value;
}

static int prepare(int fd)
{
	if (option_of(fd, SO_DOMAIN) != AF_UNIX || option_of(fd, SO_TYPE) != SOCK_STREAM ||
	    option_of(fd, SO_ACCEPTCONN) != 1)
		return -EINVAL;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	return 0;
}

/* What a name of `len` characters stands for; N_ACTIVATION_SOCKETS for none that is known. */
static unsigned find(const char *name, size_t len)
{
	unsigned i = 0;

	while (i < N_ACTIVATION_SOCKETS && (strlen(names[i]) != len || strncmp(names[i], name, len) != 0))
		i++;
	return i;
}

static int take(struct activation *a, int fd, const char *name, size_t len, bool alone, char *reason,
		size_t max)
{
	unsigned which = find(name, len);

	if (which == N_ACTIVATION_SOCKETS && alone)
		which = ACTIVATION_GUEST;
	if (which == N_ACTIVATION_SOCKETS) {
		snprintf(reason, max, "the socket '%.*s' from the service manager is none of guest, "
				      "control, status, api", (int)len, name);
		return -EINVAL;
	}
	if (a->fds[which] >= 0) {
		snprintf(reason, max, "the service manager gave two sockets '%s'", names[which]);
		return -EINVAL;
	}
	if (prepare(fd)) {
		snprintf(reason, max, "descriptor %d, '%s', from the service manager is not a "
				      "listening UNIX stream socket", fd, names[which]);
		return -EINVAL;
	}
	a->fds[which] = fd;
	return 0;
}

int activation_take(struct activation *a, char *reason, size_t max)
{
	const char *name = getenv("LISTEN_FDNAMES");
	unsigned n = count();
	int rc = 0;

	for (unsigned i = 0; i < N_ACTIVATION_SOCKETS; i++)
		a->fds[i] = -1;
	if (!name)
		name = "";
	for (unsigned i = 0; i < n && !rc; i++) {
		size_t len = strcspn(name, ":");

		rc = take(a, FIRST_FD + (int)i, name, len, n == 1, reason, max);
		name += len + (name[len] == ':');
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return rc;
}

void activation_path(const struct activation *a, enum activation_socket which,
		     char path[static ACTIVATION_PATH_MAX])
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(un);

	static_assert(sizeof(un.sun_path) < ACTIVATION_PATH_MAX, "and a zero");
	*path = '\0';
	if (a->fds[which] >= 0 && !getsockname(a->fds[which], (struct sockaddr *)&un, &len))
		snprintf(path, ACTIVATION_PATH_MAX, "%.*s", (int)sizeof(un.sun_path),
			 un.sun_path);
}

void activation_show(const struct activation *a, int argc, char *const argv[])
{
	static const struct {
		enum activation_socket which;
		const char *option;
	} shown[] = { { ACTIVATION_CONTROL, "--control" }, { ACTIVATION_STATUS, "--status" } };
	char path[ACTIVATION_PATH_MAX], texts[2][ACTIVATION_PATH_MAX + 16];
	const char *words[3] = { NULL };
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++) {
		activation_path(a, shown[i].which, path);
		if (!*path)
			continue;
		snprintf(texts[n], sizeof(texts[n]), "%s=%s", shown[i].option, path);
		words[n] = texts[n];
		n++;
	}
	if (n)
		command_line_add(argc, argv, words);
}
