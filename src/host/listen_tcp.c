/* host/listen_tcp.c: accepts the clients of TCP forwards. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "host/listen_priv.h"
#include "host/sock.h"
#include "host/tcp_sock.h"
#include "proto/event.h"

#define ACCEPTS_PER_WAKEUP 16
#define PAUSE_NS	   (250 * NS_PER_MS)

struct tcp_listener {
	struct edge edge;
	struct list paused; /* clients wait */
	struct listen *listen;
	struct forward *forward;
	int fd;
	uint16_t port;
};

static void resume(struct timer *t, void *ctx)
{
	struct listen *l = container_of(t, struct listen, resume);
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &l->paused)
	{
		list_remove(pos);
		edge_again(&container_of(pos, struct tcp_listener, paused)->edge);
	}
}

/* Clients wait in the kernel for a while. */
static void pause_accepting(struct tcp_listener *t)
{
	struct env *env = t->listen->env;

	list_remove(&t->paused);
	list_append(&t->listen->paused, &t->paused);
	t->listen->resume.fire = resume;
	timerq_set_earlier(&env->timers, &t->listen->resume, env->now_ns + PAUSE_NS);
}

static void pause_for_lack(struct tcp_listener *t, int err)
{
	static struct log_limit limit;
	struct env *env = t->listen->env;

	env->stats.forward_pauses++;
	event_limit_reached(env, LIMIT_OPEN_FILES);
	log_warn_limited(&limit, env->now_ns, FORWARD, "clients of port %u have to wait: %s",
			 t->port, strerror(err));
	pause_accepting(t);
}

static void no_descriptor(struct tcp_listener *t)
{
	static struct log_limit limit;
	struct env *env = t->listen->env;

	t->forward->n_refused++;
	env->stats.forward_refused++;
	event_limit_reached(env, LIMIT_OPEN_FILES);
	log_warn_limited(&limit, env->now_ns, FORWARD,
			 "client of port %u reset: no descriptor left for it", t->port);
}

/* Whether there may be more clients. */
static bool accept_one(struct tcp_listener *t)
{
	struct endpoint client;
	int fd = sock_accept(t->fd, &client);
	void *host;

	switch (fd) {
	case -EAGAIN:
		return false;
	case -EMFILE:
	case -ENFILE:
	case -ENOBUFS:
	case -ENOMEM:
		pause_for_lack(t, -fd);
		return false;
	case -EUSERS:
		no_descriptor(t);
		return true;
	}
	if (fd < 0)
		return true; /* this client went away again (accept(2), "Error handling") */
	host = tcp_sock_adopt(fd);
	if (host)
		forward_tcp_client(t->listen->env, t->forward, t->port, &tcp_sock_ops, host,
				   tcp_sock_set_conn, &client);
	return true;
}

static void ready(struct edge *e, unsigned events, void *ctx)
{
	struct tcp_listener *t = container_of(e, struct tcp_listener, edge);

	if (forwards_wait(t->listen->env->forwards)) {
		pause_accepting(t);
		return;
	}
	for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++)
		if (!accept_one(t))
			return;
	edge_again(e);
}

struct tcp_listener *tcp_listener_new(struct listen *l, struct forward *f, int fd,
				      uint16_t port)
{
	struct tcp_listener *t = calloc(1, sizeof(*t));

	if (!t || edge_add(l->edges, &t->edge, fd, ready)) {
		free(t);
		close(fd);
		return NULL;
	}
	t->listen = l;
	t->forward = f;
	t->fd = fd;
	t->port = port;
	list_init(&t->paused);
	return t;
}

int tcp_listener_fd(const struct tcp_listener *t)
{
	return t->fd;
}

void tcp_listener_free(struct tcp_listener *t)
{
	edge_remove(&t->edge);
	list_remove(&t->paused);
	close(t->fd);
	free(t);
}
