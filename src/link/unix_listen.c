/* link/unix_listen.c: a listening UNIX socket, in the place of a stale one if need be. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "link/stream.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* Whether nobody owns the socket file at `a` any more: 0, or why it cannot be replaced.
 *
 * A socket of another type asks, for the kernel says by its refusal whether there is an owner
 * (unix(7)): a connection would be taken for a guest that leaves at once. */
static int probe_stale(const struct sockaddr_un *a)
{
	int fd, err;
	struct stat st;

	if (lstat(a->sun_path, &st))
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? errno : 0;
	close(fd);
	return err == ECONNREFUSED ? 0 : !err || err == EPROTOTYPE ? -EADDRINUSE : -err;
}

static int bind_fresh(int fd, const struct sockaddr_un *a)
{
	int rc;

	if (!bind(fd, (const struct sockaddr *)a, sizeof(*a)))
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	rc = probe_stale(a);
	if (rc)
		return rc;
	unlink(a->sun_path);
	return bind(fd, (const struct sockaddr *)a, sizeof(*a)) ? -errno : 0;
}

static int listen_at(const char *path, mode_t mode, int backlog)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* the file gets the mode of the socket, less the umask: never open to others for a
	 * moment */
	rc = fchmod(fd, mode) ? -errno : bind_fresh(fd, &a);
	if (!rc && listen(fd, backlog))
		rc = -errno;
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

int unix_listen(const char *path, int backlog)
{
	return listen_at(path, S_IRWXU | S_IRWXG | S_IRWXO, backlog);
}

int unix_listen_private(const char *path, int backlog)
{
	return listen_at(path, S_IRUSR | S_IWUSR, backlog);
}

void unix_refuse_fds(int fd)
{
	int no = 0;

	setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}
