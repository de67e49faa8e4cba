/* loop/edge.h: edge-triggered readiness for the many sockets of flows.
 *
 * libev is level-triggered and changes the kernel's interest set each time a watcher starts
 * or stops.  A flow's socket stays readable while data is in flight to the guest, so it needs
 * edges; and it is registered once, for everything, for all its life.  The set is one epoll
 * descriptor that the loop watches like any other.
 */
#ifndef LOOP_EDGE_H
#define LOOP_EDGE_H

#include "loop/loop.h"

struct edge_set;
struct edge;

/* What comes beside enum loop_event. */
enum edge_event {
	EDGE_ERROR = 4, /* SO_ERROR has something to tell */
	EDGE_URGENT = 8, /* TCP urgent data stands in the stream */
	EDGE_END = 16	/* the peer ended its stream */
};

/* `events`: LOOP_READ also at the end of the stream and on errors, LOOP_WRITE also on errors. */
typedef void edge_fn(struct edge *e, unsigned events, void *ctx);

/* Embedded in what owns the socket. */
struct edge {
	edge_fn *fn;
	struct edge_set *set;
	int fd;
	int pending; /* place in the batch that is being served, plus one */
};

/* NULL when the kernel gives none.  `ctx` is handed to every callback. */
struct edge_set *edge_set_new(struct loop *loop, void *ctx);
void edge_set_free(struct edge_set *s);

/* Watches `fd` for both directions; 0 or -errno. */
int edge_add(struct edge_set *s, struct edge *e, int fd, edge_fn *fn);

/* Tells once more, after the current batch, what `e` is ready for then. */
void edge_again(struct edge *e);

/* No callback comes after this.  The owner closes `fd` next, which takes it out of the kernel's
 * set. */
void edge_remove(struct edge *e);

/* As edge_remove(), for a file that others have open as well: it stays in the kernel's set when the
 * owner closes `fd`, and is taken out here. */
void edge_take_out(struct edge *e);

#endif
