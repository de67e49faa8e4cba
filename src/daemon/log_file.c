/* daemon/log_file.c: appends lines, and cuts the file at its start when it is full. */
#include "daemon/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COPY_MAX       (64 * 1024)
#define TIME_MAX       32
#define LINE_MAX_BYTES 1024

static void print_time(char text[static TIME_MAX])
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(text, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, TIME_MAX - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

static int print_header(char *text, size_t max, const char *remark)
{
	char time[TIME_MAX];

	print_time(time);
	return snprintf(text, max, "%s postern %s (%d)%s\n", time, POSTERN_VERSION,
			(int)getpid(), remark);
}

/* Where the first whole line at or behind `offset` starts; `size` without one. */
static off_t line_start(const struct log_file *f, off_t offset)
{
	char buf[1024];
	const char *newline;
	ssize_t n;

	while ((n = pread(f->fd, buf, sizeof(buf), offset)) > 0) {
		newline = memchr(buf, '\n', (size_t)n);
		if (newline)
			return offset + (newline + 1 - buf);
		offset += n;
	}
	return (off_t)f->size;
}

/* Moves what starts at `from` down to `to`; returns where it ends then. */
static off_t move_down(const struct log_file *f, off_t from, off_t to)
{
	static char buf[COPY_MAX];
	ssize_t n;

	while ((n = pread(f->fd, buf, sizeof(buf), from)) > 0 &&
	       pwrite(f->fd, buf, (size_t)n, to) == n) {
		from += n;
		to += n;
	}
	return to;
}

static void cut(struct log_file *f)
{
	off_t from = line_start(f, (off_t)(f->size - f->max / 3 * 2) - 1), end;
	char header[160];
	int len = print_header(header, sizeof(header), ", older lines cut off");

	/* with O_APPEND, pwrite() appends whatever its offset */
	fcntl(f->fd, F_SETFL, O_NONBLOCK);
	end = move_down(f, from, len);
	if (pwrite(f->fd, header, (size_t)len, 0) != len || ftruncate(f->fd, end))
		end = (off_t)f->size;
	fcntl(f->fd, F_SETFL, O_NONBLOCK | O_APPEND);
	f->size = (size_t)end;
}

/* Another may have cut or rotated the file since we last looked. */
static void make_room(struct log_file *f, size_t len)
{
	struct stat st;

	if (!f->regular || f->size + len <= f->max || fstat(f->fd, &st))
		return;
	f->size = (size_t)st.st_size;
	if (f->size + len > f->max)
		cut(f);
}

int log_file_open(struct log_file *f, const char *path, size_t max)
{
	struct stat st;
	char header[160];
	int len, err;

	*f = (struct log_file){ .max = max };
	f->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		     0600);
	if (f->fd < 0 && errno == EACCES) { /* one that we may only write to */
		f->fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (f->fd < 0)
			return -EACCES; /* the second reason may be that there is no file */
	}
	if (f->fd < 0)
		return -errno;
	if (fstat(f->fd, &st)) {
		err = errno;
		log_file_close(f);
		return -err;
	}
	f->regular = S_ISREG(st.st_mode);
	f->size = f->regular ? (size_t)st.st_size : 0;
	len = print_header(header, sizeof(header), "");
	make_room(f, (size_t)len);
	if (write(f->fd, header, (size_t)len) > 0)
		f->size += (size_t)len;
	return 0;
}

void log_file_write(struct log_file *f, const char *line)
{
	char text[LINE_MAX_BYTES], time[TIME_MAX];
	size_t len;
	ssize_t n;

	if (f->fd < 0)
		return;
	print_time(time);
	len = (size_t)snprintf(text, sizeof(text) - 1, "%s %s", time, line);
	if (len > sizeof(text) - 2)
		len = sizeof(text) - 2;
	text[len++] = '\n';
	make_room(f, len);
	n = write(f->fd, text, len);
	if (n > 0)
		f->size += (size_t)n;
}

void log_file_close(struct log_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
