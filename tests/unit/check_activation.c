/* Sockets that are handed over, as a service manager does it: in a process of their own, whose first
 * descriptors they are. */
#include "daemon/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/suite.h"

#define FIRST	   3
#define FDS_MAX	   4
#define OUT_OF_WAY 64

enum kind { LISTENS, CONNECTED, DATAGRAMS, TCP, PIPE };

/* What the child found. */
static struct found {
	int rc;
	struct activation a;
	char reason[256];
	bool env_left, nonblock, cloexec;
} *found;

static int make(enum kind kind)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = -1, pair[2];

	switch (kind) {
	case LISTENS:
	case TCP:
		fd = socket(kind == TCP ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
		if (kind == LISTENS && bind(fd, (struct sockaddr *)&un, sizeof(sa_family_t)))
			_exit(1);
		return listen(fd, 1) ? -1 : fd;
	case CONNECTED:
		return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ? -1 : pair[0];
	case DATAGRAMS:
		return socket(AF_UNIX, SOCK_DGRAM, 0);
	case PIPE:
		return pipe(pair) ? -1 : pair[0];
	}
	return -1;
}

static void child(const enum kind kinds[], int n, const char *fds, const char *names, bool for_us)
{
	char pid[16];
	int made[FDS_MAX];

	for (int i = 0; i < n; i++) {
		int fd = make(kinds[i]);

		made[i] = fcntl(fd, F_DUPFD, OUT_OF_WAY);
		close(fd);
	}
	for (int i = 0; i < n; i++)
		if (dup2(made[i], FIRST + i) < 0)
			_exit(1);
	snprintf(pid, sizeof(pid), "%d", for_us ? (int)getpid() : (int)getppid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", fds, 1);
	unsetenv("LISTEN_FDNAMES");
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	found->rc = activation_take(&found->a, found->reason, sizeof(found->reason));
	found->env_left = getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES");
	found->nonblock = fcntl(FIRST, F_GETFL) & O_NONBLOCK;
	found->cloexec = fcntl(FIRST, F_GETFD) & FD_CLOEXEC;
	_exit(0);
}

static void hand_over(const enum kind kinds[], int n, const char *fds, const char *names, bool for_us)
{
	int status;
	pid_t pid;

	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(found, MAP_FAILED);
	pid = fork();
	if (!pid)
		child(kinds, n, fds, names, for_us);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(!found->env_left);
}

static void assert_found(int guest, int control, int status, int api)
{
	ck_assert_msg(!found->rc, "%s", found->reason);
	ck_assert_int_eq(found->a.fds[ACTIVATION_GUEST], guest);
	ck_assert_int_eq(found->a.fds[ACTIVATION_CONTROL], control);
	ck_assert_int_eq(found->a.fds[ACTIVATION_STATUS], status);
	ck_assert_int_eq(found->a.fds[ACTIVATION_API], api);
	munmap(found, sizeof(*found));
}

static void assert_refused(const char *reason)
{
	ck_assert_int_eq(found->rc, -EINVAL);
	ck_assert_str_eq(found->reason, reason);
	munmap(found, sizeof(*found));
}

static const enum kind listening[FDS_MAX] = { LISTENS, LISTENS, LISTENS, LISTENS };

START_TEST(by_name)
{
	hand_over(listening, 4, "4", "api:guest:status:control", true);
	assert_found(4, 6, 5, 3);
	hand_over(listening, 2, "2", "control:guest", true);
	assert_found(4, 3, -1, -1);
	hand_over(listening, 1, "1", "status", true);
	assert_found(-1, -1, 3, -1);
}
END_TEST

START_TEST(alone)
{
	hand_over(listening, 1, "1", NULL, true);
	ck_assert(found->nonblock);
	ck_assert(found->cloexec);
	assert_found(3, -1, -1, -1);
	hand_over(listening, 1, "1", "postern@web.socket", true);
	assert_found(3, -1, -1, -1);
}
END_TEST

START_TEST(nothing)
{
	hand_over(listening, 1, "1", "guest", false);
	ck_assert(!found->nonblock);
	assert_found(-1, -1, -1, -1);
	hand_over(listening, 1, "0", "", true);
	assert_found(-1, -1, -1, -1);
	hand_over(listening, 1, "one", "guest", true);
	assert_found(-1, -1, -1, -1);
}
END_TEST

START_TEST(refusals)
{
	static const enum kind wrong[] = { CONNECTED, DATAGRAMS, TCP, PIPE };

	hand_over(listening, 2, "2", NULL, true);
	assert_refused("the socket '' from the service manager is none of guest, control, status, api");
	hand_over(listening, 2, "2", "guest:postern@web.socket", true);
	assert_refused("the socket 'postern@web.socket' from the service manager is none of guest, "
		       "control, status, api");
	hand_over(listening, 2, "2", "guest:guest", true);
	assert_refused("the service manager gave two sockets 'guest'");
	hand_over(listening, 1, "2", "guest:control", true);
	assert_refused("descriptor 4, 'control', from the service manager is not a listening UNIX stream "
		       "socket");
	for (int i = 0; i < 4; i++) {
		hand_over(&wrong[i], 1, "1", "api", true);
		assert_refused("descriptor 3, 'api', from the service manager is not a listening UNIX "
			       "stream socket");
	}
}
END_TEST

START_TEST(paths)
{
	struct activation a = { { -1, -1, -1, -1 } };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char path[ACTIVATION_PATH_MAX];

	activation_path(&a, ACTIVATION_CONTROL, path);
	ck_assert_str_eq(path, "");
	a.fds[ACTIVATION_CONTROL] = make(LISTENS); /* without a path */
	activation_path(&a, ACTIVATION_CONTROL, path);
	ck_assert_str_eq(path, "");
	/* as long as there can be, so that no zero is left */
	snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/check_activation.%d.", (int)getpid());
	memset(un.sun_path + strlen(un.sun_path), 'x',
	       sizeof(un.sun_path) - strlen(un.sun_path));
	a.fds[ACTIVATION_STATUS] = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(a.fds[ACTIVATION_STATUS], (struct sockaddr *)&un, sizeof(un)), 0);
	activation_path(&a, ACTIVATION_STATUS, path);
	ck_assert_uint_eq(strlen(path), sizeof(un.sun_path));
	ck_assert_mem_eq(path, un.sun_path, sizeof(un.sun_path));
	ck_assert_int_eq(unlink(path), 0);
	/* else other tests find them at numbers that are to be free */
	close(a.fds[ACTIVATION_CONTROL]);
	close(a.fds[ACTIVATION_STATUS]);
}
END_TEST

SUITE_MAIN("activation", paths, by_name, alone, nothing, refusals)
