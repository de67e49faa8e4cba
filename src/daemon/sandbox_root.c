/* daemon/sandbox_root.c: namespaces, and a root in which nothing is.
 *
 * What we have to find by its path later on is resolv.conf, which is followed while it is replaced,
 * and the system log's socket, which a new one takes the place of when the log starts again.  So
 * their folders stay, as mounts of their own, beyond which no ".." leads.
 *
 * There is no PID namespace: SO_PEERCRED would no longer say who our clients are.  Signals to other
 * processes are what the filter of system calls forbids, and there is no /proc to find them in.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "daemon/sandbox_layer.h"
#include "host/resolv_watch.h"

#define VIEWS_MAX 16
#define BARE	  (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* A folder of the old root that the new one has as well. */
struct view {
	char *path;
	int fd; /* a copy of its mount, which is nowhere yet */
};

struct views {
	struct view at[VIEWS_MAX];
	unsigned n;
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return -err;
}

int sandbox_enter_user_namespace(uid_t *unmapped)
{
	char users[64], groups[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int rc;

	if (access("/proc/self/uid_map", F_OK)) /* then we could not name ourselves in there */
		return -errno;
	if (unshare(CLONE_NEWUSER))
		return -errno;
	*unmapped = geteuid();
	snprintf(users, sizeof(users), "%u %u 1\n", uid, uid);
	snprintf(groups, sizeof(groups), "%u %u 1\n", gid, gid);
	rc = write_file("/proc/self/uid_map", users);
	if (!rc)
		rc = write_file("/proc/self/setgroups", "deny");
	return rc ? rc : write_file("/proc/self/gid_map", groups);
}

int sandbox_enter_namespaces(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS))
		return -errno;
	/* what is mounted here is for nobody else, and what others mount is not for us */
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -errno : 0;
}

/* Takes a folder; false when there is none, so that the one above it is taken. */
static bool keep_folder(void *ctx, const char *folder)
{
	struct views *views = ctx;
	struct view *v = &views->at[views->n];

	if (!strcmp(folder, "/") || views->n == VIEWS_MAX) /* never all that there is */
		return true;
	v->fd = open_tree(AT_FDCWD, folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (v->fd < 0)
		return false;
	v->path = strdup(folder + 1);
	if (v->path)
		views->n++;
	else
		close(v->fd);
	return true;
}

/* Makes the folders of a path that are not there; `path` is changed meanwhile. */
static void make_folders(char *path)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	mkdir(path, 0755);
}

static int show(struct view *v)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

	make_folders(v->path);
	if (mount_setattr(v->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) ||
	    move_mount(v->fd, "", AT_FDCWD, v->path, MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	return 0;
}

/* All of them are there by now. */
static int hide_rest(const struct views *views)
{
#ifdef POSTERN_SANITIZERS
	return 0; /* they look around in /proc */
#endif
	const char *paths[VIEWS_MAX + 1] = { NULL };

	for (unsigned i = 0; i < views->n; i++)
		paths[i] = views->at[i].path;
	return sandbox_hide_folders(paths);
}

/* Where the old root cannot be put aside, as that of an initramfs and that of a chroot(2), it stays
 * below the new one, with no way to it. */
static int leave_old_root(void)
{
	if (!syscall(SYS_pivot_root, ".", "."))
		return umount2(".", MNT_DETACH) || chdir("/") ? -errno : 0;
	return chroot(".") || chdir("/") ? -errno : 0;
}

/* The new root is laid over the old one, where no folder is needed for it; "/.." is what lies on
 * top there.  Once it has changed places with the old one, that one lies on top. */
static int swap_roots(struct views *views)
{
	int rc;

	if (mount("tmpfs", "/", "tmpfs", BARE, "size=64k,mode=0755") || chdir("/.."))
		return -errno;
	for (unsigned i = 0; i < views->n; i++) {
		rc = show(&views->at[i]);
		if (rc)
			return rc;
	}
	rc = hide_rest(views);
	if (rc)
		return rc;
	if (mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | BARE, NULL))
		return -errno;
	return leave_old_root();
}

int sandbox_change_root(const char *const paths[])
{
	struct views views = { .n = 0 };
	int rc;

	for (; *paths; paths++)
		resolv_watch_folders(*paths, keep_folder, &views);
	rc = swap_roots(&views);
	for (unsigned i = 0; i < views.n; i++) {
		close(views.at[i].fd);
		free(views.at[i].path);
	}
	return rc;
}
