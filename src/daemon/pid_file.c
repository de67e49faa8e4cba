/* daemon/pid_file.c: writes and removes the process id's file. */
#include "daemon/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX   32
#define OPEN_FLAGS (O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

/* Whether what is open goes by another name as well, which another user may have given a file of
 * ours.  0 or -errno. */
static int check_links(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return S_ISREG(st.st_mode) && st.st_nlink > 1 ? -EMLINK : 0;
}

int pid_file_open(struct pid_file *p, const char *path)
{
	int rc;

	*p = PID_FILE_NONE;
	/* not through a link that another user left in a shared folder */
	p->fd = open(path, OPEN_FLAGS | O_EXCL, 0644);
	p->made = p->fd >= 0;
	if (p->fd < 0 && errno == EEXIST)
		p->fd = open(path, OPEN_FLAGS, 0644);
	if (p->fd < 0)
		return -errno;
	rc = check_links(p->fd);
	if (!rc)
		rc = own_file_remember(&p->file, path);
	if (rc) {
		close(p->fd);
		p->fd = -1;
	}
	return rc;
}

int pid_file_reopen(struct pid_file *p, const char *path)
{
	struct stat st;

	if (fstat(p->fd, &st))
		return -errno;
	if (st.st_nlink)
		return 0;
	own_file_forget(&p->file);
	close(p->fd);
	return pid_file_open(p, path);
}

int pid_file_write(struct pid_file *p)
{
	char text[TEXT_MAX];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	ssize_t n;

	if (ftruncate(p->fd, 0) && errno != EINVAL) /* a device, as /dev/null, has no length */
		return -errno;
	n = pwrite(p->fd, text, (size_t)len, 0);
	return n == len ? 0 : n < 0 ? -errno : -ENOSPC;
}

/* Whether the file names this process, or nobody as long as we had no reason to. */
static bool is_ours(const struct pid_file *p)
{
	char own[TEXT_MAX], text[TEXT_MAX] = "";

	snprintf(own, sizeof(own), "%d\n", (int)getpid());
	return pread(p->fd, text, sizeof(text) - 1, 0) >= 0 &&
	       (!strcmp(own, text) || (p->made && !*text));
}

/* A file that we may not remove, in a folder of root's, leads nobody to another process. */
static void remove_or_empty(struct pid_file *p)
{
	struct stat st;

	own_file_remove(&p->file);
	if (fstat(p->fd, &st) || !st.st_nlink)
		return;
	if (ftruncate(p->fd, 0)) {
		/* then it names who is no more, as after a crash */
	}
}

void pid_file_remove(struct pid_file *p)
{
	if (p->fd < 0)
		return;
	if (is_ours(p))
		remove_or_empty(p);
	else
		own_file_forget(&p->file);
	close(p->fd);
	p->fd = -1;
}
