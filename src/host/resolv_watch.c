/* host/resolv_watch.c: notices changes of resolv.conf with inotify.
 *
 * The file is usually replaced, and often a symbolic link to one that some daemon replaces
 * (systemd-resolved, NetworkManager).  So the folder of each link on the way is watched, and
 * the file itself, which may be written in place and from elsewhere (a bind mount).  After each
 * burst of changes the way is walked anew.
 */
#include "host/resolv_watch.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"

#define SETTLE_NS (100 * NS_PER_MS)
#define LINKS_MAX 8
#define FOLDER_EVENTS                                                                          \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |                \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define FILE_EVENTS (IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF)

/* Where the link `path` leads; false when it is no link. */
static bool follow_link(char path[static PATH_MAX])
{
	char target[PATH_MAX], folder[PATH_MAX], next[2 * PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = 0;
	snprintf(folder, sizeof(folder), "%s", path);
	if (target[0] == '/')
		snprintf(next, sizeof(next), "%s", target);
	else
		snprintf(next, sizeof(next), "%s/%s", dirname(folder), target);
	if (strlen(next) >= PATH_MAX)
		return false;
	memcpy(path, next, strlen(next) + 1);
	return true;
}

/* Shows the folder that `path` is in, or the nearest above it that will do. */
static void show_folder(const char *path, bool (*fn)(void *ctx, const char *folder), void *ctx)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", path);
	do {
		dirname(folder);
		if (fn(ctx, folder))
			return;
	} while (strcmp(folder, "/") && strcmp(folder, "."));
}

void resolv_watch_folders(const char *path, bool (*fn)(void *ctx, const char *folder), void *ctx)
{
	char at[PATH_MAX];

	snprintf(at, sizeof(at), "%s", path);
	for (int i = 0; i < LINKS_MAX; i++) {
		show_folder(at, fn, ctx);
		if (!follow_link(at))
			break;
	}
}

static bool watch_folder(void *ctx, const char *folder)
{
	const int *fd = ctx;

	return inotify_add_watch(*fd, folder, FOLDER_EVENTS) >= 0;
}

static void add_watches(int fd, const char *path)
{
	resolv_watch_folders(path, watch_folder, &fd);
	inotify_add_watch(fd, path,
			  FILE_EVENTS); /* follows links; fails where there is no file */
}

static void stop(struct resolv_watch *w)
{
	if (w->watch.fd < 0)
		return;
	watch_stop(&w->watch);
	close(w->watch.fd);
	w->watch.fd = -1;
}

static void ready(struct watch *watch, unsigned events)
{
	struct resolv_watch *w = container_of(watch, struct resolv_watch, watch);
	char buf[4096];

	/* What happened does not matter: all is looked at anew. */
	while (read(watch->fd, buf, sizeof(buf)) > 0)
		;
	if (!timer_armed(&w->settled))
		timerq_set(w->timers, &w->settled, loop_clock_ns() + SETTLE_NS);
}

static void start(struct resolv_watch *w)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	watch_init(&w->watch, w->loop, fd, ready);
	if (fd < 0) {
		log_warn(HOST, "changes of %s will not be noticed: %s", w->path,
			 strerror(errno));
		return;
	}
	add_watches(fd, w->path);
	watch_set(&w->watch, LOOP_READ);
}

static int read_file(struct resolv_watch *w, struct resolv_conf *rc)
{
	int err = resolv_conf_read(w->path, rc);

	if (err)
		log_warn(HOST, "cannot read %s: %s", w->path, strerror(-err));
	return err;
}

static bool is_same(const struct resolv_conf *a, const struct resolv_conf *b)
{
	if (a->n_servers != b->n_servers || a->n_search != b->n_search)
		return false;
	for (unsigned i = 0; i < a->n_servers; i++)
		if (!upstream_eq(&a->servers[i], &b->servers[i]))
			return false;
	for (unsigned i = 0; i < a->n_search; i++)
		if (strcmp(a->search[i], b->search[i]))
			return false;
	return true;
}

static void settled(struct timer *t, void *ctx)
{
	struct resolv_watch *w = container_of(t, struct resolv_watch, settled);
	struct resolv_conf now;

	stop(w);
	start(w); /* before reading: what changes from now on is noticed */
	if (read_file(w, &now) || is_same(&now, &w->last))
		return;
	w->last = now;
	w->changed(w->ctx, &w->last);
}

void resolv_watch_init(struct resolv_watch *w, struct loop *loop, struct timerq *timers,
		       const char *path,
		       void (*changed)(void *ctx, const struct resolv_conf *rc), void *ctx)
{
	*w = (struct resolv_watch){ .loop = loop,
				    .timers = timers,
				    .path = path,
				    .changed = changed,
				    .ctx = ctx,
				    .settled.fire = settled };
	start(w);
	read_file(w, &w->last);
}

void resolv_watch_end(struct resolv_watch *w)
{
	stop(w);
	timerq_cancel(w->timers, &w->settled);
}
