/* daemon/notify.c: datagrams to the service manager. */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_open(int *fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len;
	int err;

	*fd = -1;
	if (!path || (*path != '/' && *path != '@'))
		return 0;
	len = strlen(path);
	if (len > sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, len);
	if (*path == '@') /* a name that is in no file system */
		a.sun_path[0] = '\0';
	*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return -errno;
	if (!connect(*fd, (struct sockaddr *)&a,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)))
		return 0;
	err = errno;
	close(*fd);
	*fd = -1;
	return -err;
}

int notify_send(int fd, const char *state)
{
	size_t len = strlen(state);

	if (fd < 0)
		return 0;
	return send(fd, state, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -errno;
}
