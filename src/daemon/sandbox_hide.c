/* daemon/sandbox_hide.c: of a folder that stays in the sandbox's root, what lies below it is hidden.
 *
 * Whoever replaces resolv.conf does so in its folder, which therefore stays as a whole; but the folders in it,
 * which in /etc have keys and what else services are told, are of no use.  An empty one lies over each.
 * A folder that is made later on is seen.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "daemon/sandbox_layer.h"

/* The first folder that is hidden gets an empty file system, and the others get the same one. */
struct hiding {
	char first[PATH_MAX];
};

static bool is_on_the_way(const char *path, const char *const kept[])
{
	size_t len = strlen(path);

	for (; *kept; kept++)
		if (!strncmp(*kept, path, len) && ((*kept)[len] == '/' || !(*kept)[len]))
			return true;
	return false;
}

static int hide(struct hiding *h, const char *path)
{
	struct stat st;

	if (lstat(path, &st) || !S_ISDIR(st.st_mode))
		return 0;
	if (h->first[0])
		return mount(h->first, path, NULL, MS_BIND, NULL) ? -errno : 0;
	snprintf(h->first, sizeof(h->first), "%s", path);
	return mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		     "size=4k,mode=0755")
		       ? -errno
		       : 0;
}

static int hide_below(struct hiding *h, const char *folder, const char *const kept[])
{
	char path[PATH_MAX];
	DIR *dir = opendir(folder);
	struct dirent *e;
	int rc = 0;

	if (!dir)
		return errno == EACCES ? 0 : -errno; /* what we cannot list we may still know names in */
	while (!rc && (e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    snprintf(path, sizeof(path), "%s/%s", folder, e->d_name) >= (int)sizeof(path))
			continue;
		if (!is_on_the_way(path, kept))
			rc = hide(h, path);
	}
	closedir(dir);
	return rc;
}

int sandbox_hide_folders(const char *const kept[])
{
	struct hiding h = { "" };
	int rc = 0;

	for (unsigned i = 0; !rc && kept[i]; i++)
		rc = hide_below(&h, kept[i], kept);
	return rc;
}
