/* host/resolv_watch.h: notices when the host's resolv.conf changes. */
#ifndef HOST_RESOLV_WATCH_H
#define HOST_RESOLV_WATCH_H

#include "host/resolv_conf.h"
#include "loop/loop.h"

/* Follows a file through replacement, removal and changes of the symbolic links on the way to
 * it. */
struct resolv_watch {
	struct loop *loop;
	struct timerq *timers;
	const char *path; /* not copied */
	void (*changed)(void *ctx, const struct resolv_conf *rc);
	void *ctx;
	struct watch watch;   /* of an inotify descriptor; -1: none */
	struct timer settled; /* changes come in bursts: read once they are over */
	struct resolv_conf last;
};

/* Reads the file into w->last, which is empty where it cannot be read, and calls `changed` when
 * another file stands there with other contents; while none can be read the last one holds.
 * Without inotify that never happens, which is logged. */
void resolv_watch_init(struct resolv_watch *w, struct loop *loop, struct timerq *timers,
		       const char *path,
		       void (*changed)(void *ctx, const struct resolv_conf *rc), void *ctx);
void resolv_watch_end(struct resolv_watch *w);

/* What has to be seen to follow `path` as above: calls `fn` with the folder of each link on the way
 * and with that of the file; while `fn` returns false (there is no such folder), with the one above
 * that. */
void resolv_watch_folders(const char *path, bool (*fn)(void *ctx, const char *folder), void *ctx);

#endif
