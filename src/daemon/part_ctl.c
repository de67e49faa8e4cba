/* daemon/part_ctl.c: the control sockets: one to change things, one to look only, one for the API of
 * slirp4netns.  Each is one that was handed over, or else is made where an option says. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/ctl.h"
#include "daemon_priv.h"
#include "link/stream.h"

#define BACKLOG SOMAXCONN /* connections beyond the limit are refused, but accepted for that */

/* Descriptors are of use on the one of them whose clients may start captures. */
static int listen_on(struct daemon *d, int fd, const struct ctl_dialect *dialect,
		     enum ctl_authority authority)
{
	if (!dialect->takes_fds || authority != CTL_MAY_CHANGE)
		unix_refuse_fds(fd);
	return ctl_listen(d->ctl, fd, dialect, authority);
}

static int listen_at(struct daemon *d, const char *path, const struct ctl_dialect *dialect,
		     enum ctl_authority authority, struct own_file *file)
{
	int rc, fd = unix_listen_private(path, BACKLOG);

	if (fd < 0)
		return fd;
	rc = own_file_remember(file, path);
	if (rc) {
		close(fd);
		return rc;
	}
	return listen_on(d, fd, dialect, authority);
}

static int open_socket(struct daemon *d, enum activation_socket activated, const char *path,
		       const struct ctl_dialect *dialect, enum ctl_authority authority,
		       struct own_file *file)
{
	int rc = 0, fd = d->activation.fds[activated];

	if (fd >= 0)
		return listen_on(d, fd, dialect, authority);
	if (path)
		rc = listen_at(d, path, dialect, authority, file);

	if (rc == -EADDRINUSE)
		log_error(CTL, "control socket '%s' is in use by another process", path);
	else if (rc == -EEXIST)
		log_error(CTL, "'%s' exists and is not a socket", path);
	else if (rc)
		log_error(CTL, "cannot listen on '%s': %s", path, strerror(-rc));
	return rc;
}

int part_ctl_make(struct daemon *d)
{
	own_file_remember_folder(&d->fds, "/proc/self/fd/"); /* where there is a /proc */
	d->ctl = ctl_new(&d->env, d->loop, &daemon_ops, d);
	if (d->ctl)
		return 0;
	own_file_forget(&d->fds);
	log_error(CTL, "out of memory");
	return -ENOMEM;
}

void part_ctl_free(struct daemon *d)
{
	ctl_free(d->ctl);
	own_file_forget(&d->fds);
}

int part_ctl_start(struct daemon *d)
{
	int rc;

	d->control_file = d->status_file = d->api_file = OWN_FILE_NONE;
	rc = open_socket(d, ACTIVATION_CONTROL, d->conf.control_path, &ctl_dialect_qmp, CTL_MAY_CHANGE,
			 &d->control_file);
	if (!rc)
		rc = open_socket(d, ACTIVATION_STATUS, d->conf.status_path, &ctl_dialect_qmp,
				 CTL_MAY_LOOK, &d->status_file);
	if (!rc)
		rc = open_socket(d, ACTIVATION_API, d->conf.api_path, &ctl_dialect_slirp,
				 CTL_MAY_CHANGE, &d->api_file);
	if (rc)
		part_ctl_stop(d);
	return rc;
}

void part_ctl_stop(struct daemon *d)
{
	own_file_remove(&d->control_file);
	own_file_remove(&d->status_file);
	own_file_remove(&d->api_file);
	ctl_close(d->ctl);
}
