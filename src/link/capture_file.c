/* link/capture_file.c: writes captures to descriptors of others.
 *
 * Their files are open elsewhere, too, as in the process that gave us a pipe: closing our descriptor
 * takes it out of no set of the kernel's, so that is done by name.
 */
#include "link/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "loop/edge.h"

struct capture_file {
	int fd;
	const char *kind;
	bool regular;

	/* unless it is regular */
	struct capture_files *files;
	struct capture_file *next; /* in files->streams */
	bool blocks;		   /* once it is not ours any more, as it was when it came */
	struct edge edge;
};

/* Room is used at the end of this turn; only that nobody reads is news. */
static void ready(struct edge *e, unsigned events, void *ctx)
{
	struct capture_file *f = container_of(e, struct capture_file, edge);
	struct env *env = ctx;

	if (events & EDGE_ERROR)
		captures_sink_failed(env->captures, f, EPIPE);
}

static bool is_stream(int fd)
{
	socklen_t len = sizeof(int);
	int type, listens;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_STREAM &&
	       !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) && !listens;
}

/* /dev/null, where nothing has to be waited for. */
static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

static const char *kind_of(mode_t mode)
{
	return S_ISREG(mode)	? "file"
	       : S_ISFIFO(mode) ? "pipe"
	       : S_ISSOCK(mode) ? "socket"
				: "device";
}

/* Whether it can be written to, and what with. */
static int examine(struct capture_file *f)
{
	int flags = fcntl(f->fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(f->fd, &st))
		return -errno;
	if ((flags & O_ACCMODE) == O_RDONLY || flags & O_PATH)
		return -EINVAL;
	f->kind = kind_of(st.st_mode);
	f->regular = S_ISREG(st.st_mode) || is_null(&st);
	if (f->regular)
		return 0;
	if (!S_ISFIFO(st.st_mode) && !(S_ISSOCK(st.st_mode) && is_stream(f->fd)))
		return -EINVAL;
	f->blocks = !(flags & O_NONBLOCK);
	return 0;
}

/* 0 or -errno.  Other flags stay as they are. */
static int set_blocking(int fd, bool blocks)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) ? -errno : 0;
}

static int begin_stream(struct capture_files *files, struct capture_file *f)
{
	int rc = edge_add(files->edges, &f->edge, f->fd, ready);

	if (rc)
		return rc;
	rc = set_blocking(f->fd, false);
	if (rc) {
		edge_take_out(&f->edge);
		return rc;
	}
	f->files = files;
	f->next = files->streams;
	files->streams = f;
	return 0;
}

/* Gives it back as it came.  The same pipe may have been passed for another capture, too, which
 * shares the flag: we must not wait there, and it is that one's to give back. */
static void end_stream(struct capture_file *f)
{
	struct capture_file **at = &f->files->streams;

	edge_take_out(&f->edge);
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (!f->blocks || set_blocking(f->fd, true))
		return;
	for (struct capture_file *other = f->files->streams; other; other = other->next) {
		if (fcntl(other->fd, F_GETFL) & O_NONBLOCK)
			continue;
		set_blocking(other->fd, false);
		other->blocks = true;
	}
}

static int open_file(void *host, int fd, void **sinkp)
{
	struct capture_files *files = host;
	struct capture_file *f = calloc(1, sizeof(*f));
	int rc = -ENOMEM;

	if (f) {
		f->fd = fd;
		rc = examine(f);
	}
	if (!rc && !f->regular)
		rc = begin_stream(files, f);
	if (rc) {
		free(f);
		close(fd);
		return rc;
	}
	*sinkp = f;
	return 0;
}

static const char *kind(const void *sink)
{
	const struct capture_file *f = sink;

	return f->kind;
}

static ssize_t write_file(void *sink, const struct iovec *pieces, int n)
{
	const struct capture_file *f = sink;
	ssize_t written;

	do
		written = writev(f->fd, pieces, n);
	while (written < 0 && errno == EINTR);
	if (written >= 0)
		return written;
	return errno == EWOULDBLOCK || errno == EAGAIN ? -EAGAIN
	       : errno == ECONNRESET		       ? -EPIPE
						       : -errno;
}

/* Cuts off the last `torn` bytes, if they are the last of the file. */
static void cut(int fd, size_t torn)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (at < (off_t)torn || fstat(fd, &st) || st.st_size != at)
		return;
	if (!ftruncate(fd, at - (off_t)torn))
		lseek(fd, -(off_t)torn, SEEK_CUR); /* for who else writes there */
}

static void close_file(void *sink, size_t torn)
{
	struct capture_file *f = sink;

	if (f->regular && torn)
		cut(f->fd, torn);
	if (!f->regular)
		end_stream(f);
	close(f->fd);
	free(f);
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

const struct capture_ops capture_file_ops = { open_file, kind, write_file, close_file,
					      clock_ns };
