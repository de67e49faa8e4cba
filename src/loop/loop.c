/* loop/loop.c: libev behind the project's own names. */
#include "loop/loop.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>
#include <time.h>

#define SIGNALS_MAX	 8
#define TIMERS_PER_WAKEUP 256 /* so that many due timers do not starve descriptors */

static_assert(sizeof(((struct watch *)0)->ev) >= sizeof(ev_io), "room for the watcher");

struct loop_signal {
	ev_signal ev;
	void (*fn)(void *ctx, int signo);
	void *ctx;
};

struct loop {
	struct ev_loop *ev;
	ev_prepare prepare;
	ev_check check;
	ev_timer timer;
	uint64_t armed_ns; /* the deadline it stands for */
	struct timerq *timers;
	void *timer_ctx;
	ev_idle busy; /* active while there is work that waits for nothing */
	bool (*idle)(void *ctx);
	void *idle_ctx;
	void (*wakeup)(void *ctx, uint64_t now_ns);
	void *wakeup_ctx;
	struct loop_signal signals[SIGNALS_MAX];
	int n_signals;
};

uint64_t loop_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void timer_due(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct loop *l = timer->data;

	/* on_check() has run what was due */
	ev_timer_stop(ev, timer);
	l->armed_ns = TIMERQ_NEVER;
}

static void poll_again(struct ev_loop *ev, ev_idle *busy, int revents)
{
	/* on_prepare() goes on with the work */
}

static void arm_timer(struct loop *l)
{
	uint64_t next = timerq_next(l->timers), now;

	if (next == l->armed_ns)
		return;
	l->armed_ns = next;
	if (next == TIMERQ_NEVER) {
		ev_timer_stop(l->ev, &l->timer);
		return;
	}
	now = loop_clock_ns();
	ev_now_update(l->ev);
	l->timer.repeat = next > now ? (double)(next - now) / (double)NS_PER_SEC + 1e-6 : 1e-6;
	ev_timer_again(l->ev, &l->timer);
}

static void on_prepare(struct ev_loop *ev, ev_prepare *prepare, int revents)
{
	struct loop *l = prepare->data;

	if (l->idle && l->idle(l->idle_ctx))
		ev_idle_start(l->ev, &l->busy);
	else
		ev_idle_stop(l->ev, &l->busy);
	arm_timer(l);
}

/* Highest priority: runs before the descriptors' callbacks of this wake-up. */
static void on_check(struct ev_loop *ev, ev_check *check, int revents)
{
	struct loop *l = check->data;
	uint64_t now = loop_clock_ns();

	if (l->wakeup)
		l->wakeup(l->wakeup_ctx, now);
	timerq_run(l->timers, now, TIMERS_PER_WAKEUP, l->timer_ctx);
}

struct loop *loop_new(struct timerq *timers, void *timer_ctx)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!l->ev) {
		free(l);
		return NULL;
	}
	l->timers = timers;
	l->timer_ctx = timer_ctx;
	l->prepare.data = l->check.data = l->timer.data = l;
	ev_init(&l->prepare, on_prepare);
	ev_init(&l->check, on_check);
	ev_set_priority(&l->check, EV_MAXPRI);
	ev_init(&l->timer, timer_due);
	l->armed_ns = TIMERQ_NEVER;
	ev_init(&l->busy, poll_again);
	ev_prepare_start(l->ev, &l->prepare);
	ev_check_start(l->ev, &l->check);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	ev_loop_destroy(l->ev);
	free(l);
}

void loop_set_idle(struct loop *l, bool (*fn)(void *ctx), void *ctx)
{
	l->idle = fn;
	l->idle_ctx = ctx;
}

void loop_set_wakeup(struct loop *l, void (*fn)(void *ctx, uint64_t now_ns), void *ctx)
{
	l->wakeup = fn;
	l->wakeup_ctx = ctx;
}

static void on_signal(struct ev_loop *ev, ev_signal *signal, int revents)
{
	struct loop_signal *s = signal->data;

	s->fn(s->ctx, signal->signum);
}

void loop_on_signal(struct loop *l, int signo, void (*fn)(void *ctx, int signo), void *ctx)
{
	struct loop_signal *s = &l->signals[l->n_signals++];

	assert(l->n_signals <= SIGNALS_MAX);
	s->fn = fn;
	s->ctx = ctx;
	ev_signal_init(&s->ev, on_signal, signo);
	s->ev.data = s;
	ev_signal_start(l->ev, &s->ev);
}

void loop_run(struct loop *l)
{
	ev_run(l->ev, 0);
}

void loop_stop(struct loop *l)
{
	ev_break(l->ev, EVBREAK_ALL);
}

static void on_io(struct ev_loop *ev, ev_io *io, int revents)
{
	struct watch *w = io->data;

	w->fn(w, (revents & EV_READ ? LOOP_READ : 0u) | (revents & EV_WRITE ? LOOP_WRITE : 0u));
}

void watch_init(struct watch *w, struct loop *l, int fd, watch_fn *fn)
{
	ev_io *io = (ev_io *)w->ev;

	*w = (struct watch){ .loop = l, .fn = fn, .fd = fd };
	ev_init(io, on_io);
	io->data = w;
}

void watch_set(struct watch *w, unsigned events)
{
	ev_io *io = (ev_io *)w->ev;

	if (w->events == events)
		return;
	if (w->events)
		ev_io_stop(w->loop->ev, io);
	w->events = events;
	if (!events)
		return;
	ev_io_set(io, w->fd, (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0));
	ev_io_start(w->loop->ev, io);
}
