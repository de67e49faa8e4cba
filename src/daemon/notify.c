/* daemon/notify.c: one datagram to the service manager. */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_manager(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t path_len, len = strlen(state);
	ssize_t sent;
	int fd, err;

	if (!path || (*path != '/' && *path != '@'))
		return 0;
	path_len = strlen(path);
	if (path_len > sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, path_len);
	if (*path == '@') /* a name that is in no file system */
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	sent = sendto(fd, state, len, MSG_NOSIGNAL, (struct sockaddr *)&a,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len));
	err = errno;
	close(fd);
	return sent == (ssize_t)len ? 0 : -err;
}
