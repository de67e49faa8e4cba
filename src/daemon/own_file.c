/* daemon/own_file.c: remembers a file by its folder and its inode. */
#include "daemon/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Opens the folder that `path` is in. */
static int open_folder(const char *path, const char *slash)
{
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	free(folder);
	return fd;
}

int own_file_remember(struct own_file *f, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct stat st;

	*f = OWN_FILE_NONE;
	if (strlen(name) >= sizeof(f->name))
		return -ENAMETOOLONG;
	f->fd_dir = open_folder(path, slash);
	if (f->fd_dir < 0)
		return -errno;
	snprintf(f->name, sizeof(f->name), "%s", name);
	if (fstatat(f->fd_dir, f->name, &st, AT_SYMLINK_NOFOLLOW)) {
		int err = errno;

		own_file_forget(f);
		return -err;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return 0;
}

void own_file_remove(struct own_file *f)
{
	struct stat st;

	if (f->fd_dir >= 0 && !fstatat(f->fd_dir, f->name, &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_dev == f->dev && st.st_ino == f->ino)
		unlinkat(f->fd_dir, f->name, 0);
	own_file_forget(f);
}

void own_file_forget(struct own_file *f)
{
	if (f->fd_dir >= 0)
		close(f->fd_dir);
	*f = OWN_FILE_NONE;
}
