/* daemon/own_file.c: remembers a file by its folder and its inode. */
#include "daemon/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* Takes the folder that `path` is in. */
static int take_folder(struct own_file *f, const char *path, const char *slash)
{
	f->folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (!f->folder)
		return -ENOMEM;
	f->fd_dir = open(f->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return f->fd_dir < 0 ? -errno : 0;
}

int own_file_remember(struct own_file *f, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct stat st;
	int rc;

	*f = OWN_FILE_NONE;
	if (strlen(name) >= sizeof(f->name))
		return -ENAMETOOLONG;
	rc = take_folder(f, path, slash);
	snprintf(f->name, sizeof(f->name), "%s", name);
	if (!rc && fstatat(f->fd_dir, f->name, &st, AT_SYMLINK_NOFOLLOW))
		rc = -errno;
	if (rc) {
		own_file_forget(f);
		return rc;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return 0;
}

int own_file_remember_folder(struct own_file *f, const char *path)
{
	int rc;

	*f = OWN_FILE_NONE;
	rc = take_folder(f, path, path + strlen(path) - 1);
	if (rc)
		own_file_forget(f);
	return rc;
}

static bool is_same_file(int a, int b)
{
	struct stat sa, sb;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* ".." of a copy of the folder's mount is the folder itself, while from the folder it would lead through
 * all of the old root. */
void own_file_confine(struct own_file *f)
{
	int fd = f->fd_dir < 0 ? -1 : open_tree(AT_FDCWD, f->folder,
						OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0 || !is_same_file(fd, f->fd_dir)) {
		own_file_forget(f);
		if (fd >= 0)
			close(fd);
		return;
	}
	close(f->fd_dir);
	f->fd_dir = fd;
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
	free(f->folder);
	*f = OWN_FILE_NONE;
}
