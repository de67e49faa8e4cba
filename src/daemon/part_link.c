/* daemon/part_link.c: opens the guest's link: a socket to listen on, or one that is connected.
 *
 * Who sees the link end may start the next of us at once, as QEMU does with the same pid file and
 * ports.  So the link is made early and closed after all else, but opened last.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/program.h"
#include "daemon_priv.h"
#include "daemon/process.h"
#include "link/stream.h"
#include "loop/loop.h"

#define BACKLOG	      8 /* clients beyond the first are refused, but have to be accepted for that */
#define DEFAULT_TRIES 64

static void on_left(void *ctx)
{
	struct daemon *d = ctx;

	loop_stop(d->loop);
}

static int is_connected_stream(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peer_len = sizeof(peer);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
	    getpeername(fd, (struct sockaddr *)&peer, &peer_len))
		return -errno;
	return type == SOCK_STREAM ? 0 : -EPROTOTYPE;
}

static int attach(struct daemon *d)
{
	int fd = d->conf.fd, rc = is_connected_stream(fd);

	if (!rc && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
		rc = -errno;
	if (rc) {
		log_error(LINK, "--fd is not a connected stream socket: %s", strerror(-rc));
		return rc;
	}
	stream_link_attach(d->link, fd);
	return 0;
}

/* The umask decides who may connect: QEMU may run as another user than we, so that is for who
 * starts us to say. */
static int listen_at(struct daemon *d, const char *path)
{
	int rc, fd = unix_listen(path, BACKLOG);

	if (fd < 0)
		return fd;
	rc = own_file_remember(&d->link_file, path);
	if (rc) {
		close(fd);
		return rc;
	}
	stream_link_listen(d->link, fd);
	log_info(LINK, "waiting for the guest on '%s'", path);
	return 0;
}

/* In the place of what --socket names, whose file is not ours to make or remove. */
static int listen_activated(struct daemon *d)
{
	stream_link_listen(d->link, d->activation.fds[ACTIVATION_GUEST]);
	log_info(LINK, "waiting for the guest on a socket of the service manager");
	return 0;
}

static int listen_named(struct daemon *d, const char *path)
{
	int rc = listen_at(d, path);

	if (rc == -EADDRINUSE)
		log_error(LINK, "socket '%s' is in use by another process", path);
	else if (rc == -EEXIST)
		log_error(LINK, "'%s' exists and is not a socket", path);
	else if (rc)
		log_error(LINK, "cannot listen on '%s': %s", path, strerror(-rc));
	return rc;
}

static int listen_anywhere(struct daemon *d)
{
	char path[64];
	int rc = -EADDRINUSE;

	for (int i = 1; i <= DEFAULT_TRIES && rc; i++) {
		snprintf(path, sizeof(path), "/tmp/%s_%d.socket", program_name(), i);
		rc = listen_at(d, path);
	}
	if (rc)
		log_error(LINK, "no socket from /tmp/%s_1.socket to '%s' can be had: %s",
			  program_name(), path, strerror(-rc));
	return rc;
}

int part_link_make(struct daemon *d)
{
	d->link = stream_link_new(&d->env, d->loop, on_left, d);
	if (!d->link) {
		log_error(LINK, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

void part_link_close(struct daemon *d)
{
	stream_link_free(d->link);
}

int part_link_start(struct daemon *d)
{
	d->link_file = OWN_FILE_NONE;
	if (d->conf.fd >= 0)
		return attach(d);
	if (d->activation.fds[ACTIVATION_GUEST] >= 0)
		return listen_activated(d);
	if (d->conf.socket_path)
		return listen_named(d, d->conf.socket_path);
	return listen_anywhere(d);
}

void part_link_stop(struct daemon *d)
{
	own_file_remove(&d->link_file);
}
