/* daemon/own_file.h: a file that we made and that goes with us, unless it is another's by then. */
#ifndef DAEMON_OWN_FILE_H
#define DAEMON_OWN_FILE_H

#include <limits.h>
#include <sys/stat.h>

struct own_file {
	int fd_dir; /* its folder, so that the working directory may change; -1: no file */
	char *folder; /* its path, as it was given */
	char name[NAME_MAX + 1];
	dev_t dev;
	ino_t ino;
};

#define OWN_FILE_NONE ((struct own_file){ .fd_dir = -1 })

/* Remembers the file that is at `path` now.  0 or -errno. */
int own_file_remember(struct own_file *f, const char *path);

/* Remembers a folder alone, whose path ends with a slash, to look at; no file in it is ours.  0
 * or -errno. */
int own_file_remember_folder(struct own_file *f, const char *path);

/* In a mount namespace of our own, before its root is changed: from now on the folder leads nowhere but
 * down.  What cannot be confined so is forgotten. */
void own_file_confine(struct own_file *f);

/* Removes the file, if it is still the same one, and forgets it. */
void own_file_remove(struct own_file *f);

/* Forgets the file, which stays. */
void own_file_forget(struct own_file *f);

#endif
