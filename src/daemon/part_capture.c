/* daemon/part_capture.c: captures of the guest's link, and the one of the command line. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon_priv.h"
#include "link/capture_file.h"
#include "loop/edge.h"

/* From the start on, all that there is; a file that is there loses what was in it. */
static int start_file(struct daemon *d, const char *path)
{
	struct capture_spec spec = {
		.pid = getpid(), .uid = geteuid(), .why = "option --pcap", .path = path
	};
	/* not through a link that another user left in a shared folder, nor to a pipe without a reader */
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		      0600);
	uint64_t id;

	return fd < 0 ? -errno : captures_start(d->env.captures, &spec, fd, &id);
}

int part_capture_start(struct daemon *d)
{
	const char *path = d->conf.pcap_path;
	int rc = 0;

	d->edges = edge_set_new(d->loop, &d->env);
	d->capture_files = (struct capture_files){ &d->env, d->edges, NULL };
	if (!d->edges || !captures_new(&d->env, &capture_file_ops, &d->capture_files)) {
		log_error(LINK, "no captures: %s", strerror(errno));
		edge_set_free(d->edges);
		return -ENOMEM;
	}
	if (path)
		rc = start_file(d, path);
	if (rc == -EINVAL)
		log_error(LINK, "capture file '%s' is neither a file nor a pipe", path);
	else if (rc)
		log_error(LINK, "cannot open capture file '%s': %s", path, strerror(-rc));
	if (rc)
		part_capture_stop(d);
	return rc;
}

void part_capture_stop(struct daemon *d)
{
	captures_free(d->env.captures);
	edge_set_free(d->edges);
}

void part_capture_end(struct daemon *d)
{
	captures_end(d->env.captures);
}

bool part_capture_flush(struct daemon *d)
{
	return captures_flush(d->env.captures);
}
