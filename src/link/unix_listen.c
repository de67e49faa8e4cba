/* link/unix_listen.c: a listening UNIX socket, in the place of a stale one if need be. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "link/stream.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define LOCK_TRIES 1000 /* a millisecond each */

/* Whether nobody owns the socket file at `a` any more, or there is none: 0, or why it cannot be
 * replaced.
 *
 * A socket of another type asks, for the kernel says by its refusal whether there is an owner
 * (unix(7)): a connection would be taken for a guest that leaves at once. */
static int probe_stale(const struct sockaddr_un *a)
{
	int fd, err;
	struct stat st;

	if (lstat(a->sun_path, &st))
		return errno == ENOENT ? 0 : -errno; /* whoever ended has just removed it */
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? errno : 0;
	close(fd);
	return err == ECONNREFUSED || err == ENOENT ? 0
	       : !err || err == EPROTOTYPE	    ? -EADDRINUSE
						    : -err;
}

/* Who replaces a socket has its folder locked meanwhile, so that nobody takes away what another
 * has just put there.  The lock keeps nobody from starting: a folder may be forbidden to us,
 * and who holds it for longer is none of us.  A descriptor, or -1. */
static int lock_folder(const struct sockaddr_un *a)
{
	char path[sizeof(a->sun_path)];
	int fd;

	strcpy(path, a->sun_path);
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
			break;
		usleep(1000);
	}
	return fd;
}

static int replace_stale(int fd, const struct sockaddr_un *a)
{
	int fd_lock, rc = probe_stale(a);

	if (rc)
		return rc;
	fd_lock = lock_folder(a);
	rc = probe_stale(a); /* it may have been replaced before we had the lock */
	if (!rc) {
		unlink(a->sun_path);
		rc = bind(fd, (const struct sockaddr *)a, sizeof(*a)) ? -errno : 0;
	}
	if (fd_lock >= 0)
		close(fd_lock);
	return rc;
}

static int bind_fresh(int fd, const struct sockaddr_un *a)
{
	if (!bind(fd, (const struct sockaddr *)a, sizeof(*a)))
		return 0;
	return errno == EADDRINUSE ? replace_stale(fd, a) : -errno;
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
