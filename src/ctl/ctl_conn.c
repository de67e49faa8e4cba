/* ctl/ctl_conn.c: the socket of one control client.
 *
 * Reads while the session has room and nothing of its output waits beyond CTL_BACKLOG_STOP;
 * asks for writability while output waits or work is left, so that each turn of the loop does a
 * portion and a client that does not read gets none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl_priv.h"

#define WRITE_BYTES 16384 /* while there is more to come */
#define READ_BYTES 4096 /* a turn: 64 clients that send all they can take 256 KiB of it */

struct ctl_conn {
	struct list link;
	struct ctl *ctl;
	struct ctl_listener *listener; /* that it came by */
	struct ctl_session session;
	struct watch watch;
	struct timer stall; /* armed while answers wait; moves on whenever some is taken */
	int fd;
};

static void conn_end(struct ctl_conn *conn)
{
	struct ctl_listener *l = conn->listener;

	timerq_cancel(&conn->ctl->target.env->timers, &conn->stall);
	watch_stop(&conn->watch);
	close(conn->fd);
	ctl_session_free(&conn->session);
	list_remove(&conn->link);
	free(conn);
	ctl_conn_ended(l);
}

static void stalled(struct timer *t, void *ctx)
{
	struct ctl_conn *conn = container_of(t, struct ctl_conn, stall);

	log_info(CTL, "a client that does not read is disconnected");
	conn_end(conn);
}

/* Descriptors that came with the text. */
static void take_fds(struct ctl_session *s, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			ctl_session_take_fd(s, fd);
		}
	}
}

/* 0, or -errno when the connection is broken.  Without room for them, the kernel drops
 * descriptors. */
static int conn_read(struct ctl_conn *conn)
{
	char text[READ_BYTES];
	size_t room = ctl_session_room(&conn->session);
	struct iovec iov = { text, room < sizeof(text) ? room : sizeof(text) };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	ssize_t n;

	if (!room)
		return 0;
	if (ctl_session_takes_fds(&conn->session))
		msg.msg_controllen = sizeof(control);
	n = recvmsg(conn->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n >= 0)
		take_fds(&conn->session, &msg);
	if (n > 0)
		ctl_session_input(&conn->session, text, (size_t)n);
	else if (!n)
		ctl_session_end_input(&conn->session);
	else if (errno != EAGAIN && errno != EINTR)
		return -errno;
	return 0;
}

/* Likewise. */
static int conn_write(struct ctl_conn *conn)
{
	struct ctl_buf *out = &conn->session.out;
	size_t len = ctl_buf_len(out);
	ssize_t n;

	if (out->failed)
		return -ENOBUFS;
	if (!len)
		return 0;
	n = send(conn->fd, ctl_buf_text(out), len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	if (n > 0)
		ctl_buf_consume(out, (size_t)n);
	return 0;
}

/* A request may wait for room in the socket with nothing in `out`.  What a client is told
 * unasked is no reason to end it: it loses that, with a count.  0 or -ENOMEM. */
static int mind_stall(struct ctl_conn *conn, bool has_taken)
{
	const struct ctl_session *s = &conn->session;
	struct env *env = conn->ctl->target.env;

	if (!ctl_buf_len(&s->out) && !ctl_session_is_busy(s))
		timerq_cancel(&env->timers, &conn->stall);
	else if (has_taken || !timer_armed(&conn->stall))
		return timerq_set(&env->timers, &conn->stall, env->now_ns + CTL_STALL_NS);
	return 0;
}

/* Whether nothing will happen here any more. */
static bool conn_is_over(const struct ctl_conn *conn)
{
	const struct ctl_session *s = &conn->session;

	return !ctl_buf_len(&s->out) && (s->hangup || (s->ended && !s->pending));
}

/* Whether there is a descriptor, and a request that may need it: the next one waits, so that
 * each request has its own. */
static bool keeps_fd(const struct ctl_session *s)
{
	return s->caller.fd >= 0 && ctl_session_is_busy(s);
}

static unsigned conn_wants(const struct ctl_conn *conn)
{
	const struct ctl_session *s = &conn->session;
	unsigned events = 0;

	if (ctl_buf_len(&s->out) || (s->pending && !s->hangup))
		events |= LOOP_WRITE;
	if (!s->ended && ctl_session_room(s) && ctl_buf_len(&s->out) < CTL_BACKLOG_STOP &&
	    !keeps_fd(s))
		events |= LOOP_READ;
	return events;
}

/* Each write may wake the client, which takes a processor from others: a long answer goes in large
 * pieces. */
static bool is_worth_writing(const struct ctl_session *s)
{
	return !s->pending || s->hangup || ctl_buf_len(&s->out) >= WRITE_BYTES;
}

static unsigned share_of_work(const struct ctl *c)
{
	unsigned share = CTL_WORK_PER_TURN / c->info.n_clients;

	return share ? share : 1;
}

static void conn_serve(struct ctl_conn *conn, unsigned events)
{
	int err = 0;

	if (events & LOOP_READ)
		err = conn_read(conn);
	if (!err && conn->session.pending)
		ctl_session_work(&conn->session, share_of_work(conn->ctl));
	if (!err && is_worth_writing(&conn->session))
		err = conn_write(conn);
	if (!err)
		err = mind_stall(conn, events & LOOP_WRITE);
	if (err)
		log_debug(CTL, "client lost: error %d", -err);
	if (err || conn_is_over(conn))
		conn_end(conn);
	else
		watch_set(&conn->watch, conn_wants(conn));
}

static void conn_event(struct watch *w, unsigned events)
{
	conn_serve(container_of(w, struct ctl_conn, watch), events);
}

static void conn_wake(struct ctl_session *s)
{
	struct ctl_conn *conn = container_of(s, struct ctl_conn, session);

	watch_set(&conn->watch, conn_wants(conn));
}

void ctl_conn_farewell(struct list *link)
{
	struct ctl_conn *conn = container_of(link, struct ctl_conn, link);

	ctl_session_work(&conn->session, conn->session.debt + CTL_WORK_PER_TURN);
	conn_write(conn);
	conn_end(conn);
}

int ctl_conn_open(struct ctl_listener *l, int fd, const char *refusal)
{
	struct ctl_conn *conn = calloc(1, sizeof(*conn));
	struct ctl *c = l->ctl;
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	if (!conn) {
		close(fd);
		return -ENOMEM;
	}
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	conn->ctl = c;
	conn->listener = l;
	conn->fd = fd;
	conn->stall.fire = stalled;
	ctl_session_init(&conn->session, l->dialect, &c->target, &c->info, l->authority);
	conn->session.caller.pid = peer.pid;
	conn->session.caller.uid = peer.uid;
	conn->session.wake = conn_wake;
	if (refusal)
		ctl_session_refuse(&conn->session, refusal);
	watch_init(&conn->watch, c->loop, fd, conn_event);
	list_append(&c->conns, &conn->link);
	c->info.n_clients++;
	l->n_clients++;
	conn_serve(conn, 0);
	return 0;
}
