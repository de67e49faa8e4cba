/* loop/edge.c: one edge-triggered epoll set inside the loop. */
#include "loop/edge.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH  128
#define EVENTS (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct edge_set {
	int fd;
	void *ctx;
	struct watch watch;
	struct edge *batch[BATCH]; /* NULL: removed while the batch is served */
};

static unsigned to_loop_events(uint32_t ep)
{
	unsigned events = 0;

	if (ep & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		events |= LOOP_READ;
	if (ep & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		events |= LOOP_WRITE;
	if (ep & EPOLLERR)
		events |= EDGE_ERROR;
	if (ep & EPOLLPRI)
		events |= EDGE_URGENT;
	if (ep & (EPOLLRDHUP | EPOLLHUP))
		events |= EDGE_END;
	return events;
}

/* Serves one batch; what is left keeps the set readable, so the loop comes back after
 * everybody else had a turn. */
static void ready(struct watch *w, unsigned loop_events)
{
	struct edge_set *s = (struct edge_set *)((char *)w - offsetof(struct edge_set, watch));
	struct epoll_event ev[BATCH];
	int n = epoll_wait(s->fd, ev, BATCH, 0);

	for (int i = 0; i < n; i++) {
		s->batch[i] = ev[i].data.ptr;
		s->batch[i]->pending = i + 1;
	}
	for (int i = 0; i < n; i++) {
		struct edge *e = s->batch[i];

		if (!e)
			continue;
		e->pending = 0;
		e->fn(e, to_loop_events(ev[i].events), s->ctx);
	}
}

struct edge_set *edge_set_new(struct loop *loop, void *ctx)
{
	struct edge_set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ctx = ctx;
	s->fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->fd < 0) {
		free(s);
		return NULL;
	}
	watch_init(&s->watch, loop, s->fd, ready);
	watch_set(&s->watch, LOOP_READ);
	return s;
}

void edge_set_free(struct edge_set *s)
{
	if (!s)
		return;
	watch_stop(&s->watch);
	close(s->fd);
	free(s);
}

int edge_add(struct edge_set *s, struct edge *e, int fd, edge_fn *fn)
{
	struct epoll_event ev = { .events = EVENTS, .data.ptr = e };

	*e = (struct edge){ .fn = fn, .set = s, .fd = fd };
	return epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

void edge_again(struct edge *e)
{
	struct epoll_event ev = { .events = EVENTS, .data.ptr = e };

	epoll_ctl(e->set->fd, EPOLL_CTL_MOD, e->fd, &ev);
}

void edge_remove(struct edge *e)
{
	if (e->pending)
		e->set->batch[e->pending - 1] = NULL;
	e->pending = 0;
}

void edge_take_out(struct edge *e)
{
	edge_remove(e);
	epoll_ctl(e->set->fd, EPOLL_CTL_DEL, e->fd, NULL);
}
