/* ctl/ctl.c: binding, accepting, and how many clients there may be. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl_priv.h"

#define ACCEPTS_PER_TURN 8

static bool is_allowed(const struct ctl *c, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) &&
	       (cred.uid == geteuid() || cred.uid == c->root);
}

/* Whether whoever may change all that can be changed comes by it. */
static bool is_main(const struct ctl_listener *l)
{
	return l->dialect == &ctl_dialect_qmp && l->authority == CTL_MAY_CHANGE;
}

/* Clients of the other sockets get at most three quarters of the places, so that they cannot
 * lock out those of the control socket, if there is one. */
static bool has_room(const struct ctl_listener *l)
{
	const struct ctl *c = l->ctl;
	const unsigned max = c->target.env->conf->limits.control_clients;
	unsigned n_others = 0;
	bool keeps_places = false;

	for (unsigned i = 0; i < c->n_listeners; i++) {
		if (is_main(&c->listeners[i]))
			keeps_places = true;
		else
			n_others += c->listeners[i].n_clients;
	}
	return c->info.n_clients < max &&
	       (is_main(l) || !keeps_places || n_others < max * 3 / 4);
}

static void admit(struct ctl_listener *l, int fd)
{
	static struct log_limit limit;
	struct ctl *c = l->ctl;
	const char *refusal = NULL;

	if (!is_allowed(c, fd)) {
		refusal = "only root and the daemon's own user may connect";
	} else if (!has_room(l)) {
		refusal = "there are too many control clients";
		event_limit_reached(c->target.env, LIMIT_CONTROL_CLIENTS);
	}
	if (refusal)
		log_warn_limited(&limit, c->target.env->now_ns, CTL, "client refused: %s",
				 refusal);
	if (ctl_conn_open(l, fd, refusal))
		log_warn_limited(&limit, c->target.env->now_ns, CTL,
				 "client refused: no memory");
}

static void pause_accept(struct ctl *c, int err)
{
	static struct log_limit limit;
	struct env *env = c->target.env;

	log_warn_limited(&limit, env->now_ns, CTL, "no clients accepted for now: %s",
			 strerror(err));
	event_no_descriptor(env, err);
	if (timerq_set(&env->timers, &c->resume, env->now_ns + CTL_RESUME_NS))
		return;
	for (unsigned i = 0; i < c->n_listeners; i++)
		watch_stop(&c->listeners[i].watch);
}

static void resume_accept(struct ctl *c)
{
	timerq_cancel(&c->target.env->timers, &c->resume);
	for (unsigned i = 0; i < c->n_listeners; i++)
		watch_set(&c->listeners[i].watch, LOOP_READ);
}

static void resume_due(struct timer *t, void *ctx)
{
	resume_accept(container_of(t, struct ctl, resume));
}

void ctl_conn_ended(struct ctl_listener *l)
{
	struct ctl *c = l->ctl;

	l->n_clients--;
	c->info.n_clients--;
	if (timer_armed(&c->resume))
		resume_accept(c);
}

static void listener_event(struct watch *w, unsigned events)
{
	struct ctl_listener *l = container_of(w, struct ctl_listener, watch);

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			admit(l, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accept(l->ctl, errno);
		return;
	}
}

void ctl_set_root(struct ctl *c, uid_t root)
{
	c->root = root;
}

int ctl_listen(struct ctl *c, int fd, const struct ctl_dialect *dialect,
	       enum ctl_authority authority)
{
	struct ctl_listener *l = &c->listeners[c->n_listeners];

	if (c->n_listeners == CTL_LISTENERS_MAX) {
		close(fd);
		return -ENOSPC;
	}
	c->n_listeners++;
	l->ctl = c;
	l->fd = fd;
	l->dialect = dialect;
	l->authority = authority;
	watch_init(&l->watch, c->loop, fd, listener_event);
	watch_set(&l->watch, LOOP_READ);
	return 0;
}

void ctl_turn(struct ctl *c)
{
	ctl_events_turn(&c->events);
}

struct ctl *ctl_new(struct env *env, struct loop *loop, const struct ctl_daemon_ops *ops,
		    void *daemon)
{
	struct ctl *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->loop = loop;
	c->target = (struct ctl_target){ env, ops, daemon, &c->events };
	ctl_events_init(&c->events, env);
	c->info = (struct ctl_info){ .start_ns = env->now_ns,
				     .ops = ops,
				     .daemon = daemon,
				     .events = &c->events,
				     .turns = loop_get_turns(loop),
				     .fd_statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC) };
	c->resume.fire = resume_due;
	list_init(&c->conns);
	return c;
}

void ctl_close(struct ctl *c)
{
	while (!list_empty(&c->conns))
		ctl_conn_farewell(c->conns.next);
	timerq_cancel(&c->target.env->timers, &c->resume);
	for (unsigned i = 0; i < c->n_listeners; i++) {
		watch_stop(&c->listeners[i].watch);
		close(c->listeners[i].fd);
	}
	c->n_listeners = 0;
}

void ctl_free(struct ctl *c)
{
	if (!c)
		return;
	ctl_close(c);
	ctl_events_free(&c->events);
	if (c->info.fd_statm >= 0)
		close(c->info.fd_statm);
	free(c);
}
