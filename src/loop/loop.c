/* loop/loop.c: libev behind the project's own names.
 *
 * Timers wake the loop through a timerfd rather than by a time-out of its wait.  Deadlines of
 * busy flows move on with each packet, and setting the kernel's timer for each wait and taking it
 * back costs more than the rest of the wait, the more so in a virtual machine.  The timerfd is
 * set when a deadline comes nearer than what it stands for, and left alone when that moves on:
 * then it fires once for nothing, and is set to what comes next.
 */
#include "loop/loop.h"

#include <assert.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

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
	ev_io timer;
	int timer_fd;
	uint64_t armed_ns; /* when it fires; TIMERQ_NEVER */
	struct timerq *timers;
	void *timer_ctx;
	ev_idle busy; /* active while there is work that waits for nothing */
	bool (*idle)(void *ctx);
	void *idle_ctx;
	void (*wakeup)(void *ctx, uint64_t now_ns);
	void *wakeup_ctx;
	struct loop_signal signals[SIGNALS_MAX];
	int n_signals;
	uint64_t woken_ns; /* when this turn began; 0 before the first */
	struct loop_turns turns;
};

void loop_turns_add(struct loop_turns *t, uint64_t ns)
{
	uint64_t us = (ns + NS_PER_US - 1) / NS_PER_US;
	unsigned log2 = us > 1 ? 64 - (unsigned)__builtin_clzll(us - 1) : 0; /* rounded up */
	unsigned bound = (log2 + 1) / 2;

	t->n[bound < LOOP_TURN_BOUNDS ? bound : LOOP_TURN_BOUNDS]++;
	t->sum_ns += ns;
}

const struct loop_turns *loop_get_turns(const struct loop *l)
{
	return &l->turns;
}

uint64_t loop_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void timer_due(struct ev_loop *ev, ev_io *timer, int revents)
{
	struct loop *l = timer->data;
	uint64_t n;

	/* on_check() has run what was due */
	if (read(l->timer_fd, &n, sizeof(n)) == sizeof(n))
		l->armed_ns = TIMERQ_NEVER;
}

static void poll_again(struct ev_loop *ev, ev_idle *busy, int revents)
{
	/* on_prepare() goes on with the work */
}

static void arm_timer(struct loop *l)
{
	uint64_t next = timerq_next(l->timers);
	struct itimerspec t = { .it_value = { .tv_sec = (time_t)(next / NS_PER_SEC),
					      .tv_nsec = (long)(next % NS_PER_SEC) } };

	if (next >= l->armed_ns)
		return;
	if (!next)
		t.it_value.tv_nsec = 1; /* zero would disarm it */
	if (!timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &t, NULL))
		l->armed_ns = next;
}

static void on_prepare(struct ev_loop *ev, ev_prepare *prepare, int revents)
{
	struct loop *l = prepare->data;

	if (l->idle && l->idle(l->idle_ctx))
		ev_idle_start(l->ev, &l->busy);
	else
		ev_idle_stop(l->ev, &l->busy);
	arm_timer(l);
	if (l->woken_ns)
		loop_turns_add(&l->turns, loop_clock_ns() - l->woken_ns);
}

/* Highest priority: runs before the descriptors' callbacks of this wake-up. */
static void on_check(struct ev_loop *ev, ev_check *check, int revents)
{
	struct loop *l = check->data;
	uint64_t now = loop_clock_ns();

	l->woken_ns = now;
	if (l->wakeup)
		l->wakeup(l->wakeup_ctx, now);
	timerq_run(l->timers, now, TIMERS_PER_WAKEUP, l->timer_ctx);
}

struct loop *loop_new(struct timerq *timers, void *timer_ctx)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	l->ev = l->timer_fd < 0 ? NULL : ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!l->ev) {
		if (l->timer_fd >= 0)
			close(l->timer_fd);
		free(l);
		return NULL;
	}
	l->timers = timers;
	l->timer_ctx = timer_ctx;
	l->prepare.data = l->check.data = l->timer.data = l;
	ev_init(&l->prepare, on_prepare);
	ev_init(&l->check, on_check);
	ev_set_priority(&l->check, EV_MAXPRI);
	l->armed_ns = TIMERQ_NEVER;
	ev_io_init(&l->timer, timer_due, l->timer_fd, EV_READ);
	ev_io_start(l->ev, &l->timer);
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
	close(l->timer_fd);
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
