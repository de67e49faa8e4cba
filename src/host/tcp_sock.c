/* host/tcp_sock.c: the host side of TCP connections, over the kernel's sockets.
 *
 * What the peer sent stays in the kernel until the guest has acknowledged it: it is peeked at
 * (MSG_PEEK), as often as it has to be sent, and thrown away (MSG_TRUNC) afterwards.
 * SO_PEEK_OFF (for TCP since Linux 6.9) says where the next peek begins: the kernel moves it on
 * with each peek, and back when bytes in front of it are consumed, so it has to be set only
 * when the relay sends something again.  Older kernels copy the bytes before the offset too,
 * into a scratch area.
 *
 * Errors are sticky.  The kernel tells an error once and shows the end of the stream from then
 * on; the relay may ask in any order and as often as it wants.
 */
#include "host/tcp_sock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sock.h"
#include "host/tcp_info.h"
#include "loop/edge.h"
#include "proto/env.h"
#include "proto/tcp/tcp.h"

#define PEEK_OFF_UNKNOWN SIZE_MAX
#define SCRATCH_LEN	 (1u << 20)
#define SCRATCH_IOVS_MAX 960 /* nearly 1 GiB, more than a receive buffer holds */

struct tcp_sock {
	struct edge edge;
	struct tcp_conn *conn;
	size_t peek_off; /* where the kernel's next peek begins */
	int error;	 /* what broke the connection, 0 while it stands */
	bool connected;
	bool urgent;   /* urgent data came: peeks end at its mark, though more may follow */
	bool discards; /* the kernel has no SO_PEEK_OFF for TCP */
};

static struct edge_set *edge_set;
static uint8_t scratch[SCRATCH_LEN]; /* takes what nobody wants */

void tcp_sock_init(struct edge_set *edges)
{
	edge_set = edges;
}

static int failed(struct tcp_sock *s, int err)
{
	if (err == EAGAIN || err == EINTR)
		return -EAGAIN;
	if (!s->error)
		s->error = err;
	return -err;
}

static int pending_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? errno : err;
}

static void ready(struct edge *e, unsigned events, void *ctx)
{
	struct tcp_sock *s = container_of(e, struct tcp_sock, edge);
	unsigned told = 0;

	if (events & EDGE_ERROR && !s->error)
		s->error = pending_error(e->fd);
	if (events & EDGE_URGENT)
		s->urgent = true;
	if (events & LOOP_READ)
		told |= TCP_HOST_READ;
	if (events & LOOP_WRITE)
		told |= TCP_HOST_WRITE;
	if (events & EDGE_END)
		told |= TCP_HOST_END;
	if (s->error)
		told |= TCP_HOST_ERROR;
	tcp_from_host(ctx, s->conn, told);
}

void tcp_sock_set_options(int fd)
{
	sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* the guest decides what to send together */
	sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1); /* the guest's keep-alives end with us */
	/* Urgent data stays part of the stream (RFC 6093 3.4). Taken out of it, it would put
	 * the peek offset one byte off. */
	sock_set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

static struct tcp_sock *new_sock(int fd)
{
	struct tcp_sock *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->peek_off = PEEK_OFF_UNKNOWN;
	if (edge_add(edge_set, &s->edge, fd, ready)) {
		free(s);
		return NULL;
	}
	return s;
}

void *tcp_sock_adopt(int fd)
{
	struct tcp_sock *s = new_sock(fd);

	if (s)
		s->connected = true;
	else
		sock_close_reset(fd);
	return s;
}

void tcp_sock_set_conn(void *host, struct tcp_conn *conn)
{
	struct tcp_sock *s = host;

	s->conn = conn;
}

/* 0 or -errno; the connection may be under way. */
static int begin_connect(int fd, const struct net *net, const struct endpoint *dst)
{
	struct sockaddr_storage sa;
	unsigned len = sock_peer(net, dst, (struct sockaddr *)&sa);
	int err = sock_bind(fd, net, &dst->addr, 0);

	if (err)
		return err;
	tcp_sock_set_options(fd);
	if (!connect(fd, (struct sockaddr *)&sa, len) || errno == EINPROGRESS)
		return 0;
	return -errno;
}

static void *dial(struct env *env, struct tcp_conn *conn, const struct endpoint *dst, int *err)
{
	int fd = sock_open(addr_is_ip4(&dst->addr) ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	struct tcp_sock *s;

	if (fd < 0) {
		*err = -fd;
		return NULL;
	}
	*err = -begin_connect(fd, env->net, dst);
	if (*err) {
		close(fd);
		return NULL;
	}
	s = new_sock(fd);
	if (!s) {
		*err = ENOMEM;
		close(fd);
		return NULL;
	}
	s->conn = conn;
	return s;
}

static int sock_connected(void *host)
{
	struct tcp_sock *s = host;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (!s->error && !s->connected)
		s->error = pending_error(s->edge.fd);
	if (s->error)
		return -s->error;
	if (!s->connected)
		s->connected = !getpeername(s->edge.fd, (struct sockaddr *)&peer, &len);
	return s->connected ? 0 : -EINPROGRESS;
}

static ssize_t sock_send(void *host, const struct iovec *iov, int n)
{
	struct tcp_sock *s = host;
	struct msghdr m = { .msg_iov = (struct iovec *)iov,
			    .msg_iovlen = (size_t)(n < IOV_MAX ? n : IOV_MAX) };
	ssize_t sent;

	if (s->error)
		return -s->error;
	sent = sendmsg(s->edge.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent >= 0 ? sent : failed(s, errno);
}

/* One peek that also copies the `offset` bytes before those wanted. */
static ssize_t peek_with_scratch(int fd, const struct iovec *iov, int n, size_t offset)
{
	struct iovec all[IOV_MAX];
	struct msghdr m = { .msg_iov = all };

	for (size_t left = offset, len; left && m.msg_iovlen < SCRATCH_IOVS_MAX; left -= len) {
		len = left < SCRATCH_LEN ? left : SCRATCH_LEN;
		all[m.msg_iovlen++] = (struct iovec){ scratch, len };
	}
	for (int i = 0; i < n && m.msg_iovlen < IOV_MAX; i++)
		all[m.msg_iovlen++] = iov[i];
	return recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);
}

/* Whether the peer's FIN is in, and with it all that the peer sent. */
static bool at_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & POLLRDHUP;
}

/* A peek where there is no SO_PEEK_OFF.  The result tells no end behind other bytes; if the FIN
 * is in and a peek after that yields nothing new, the end stands there.  Unless the peek ended
 * at the mark of urgent data: then the bytes before it have to be consumed first. */
static ssize_t peek_from_start(const struct tcp_sock *s, const struct iovec *iov, int n,
			       size_t offset)
{
	int fd = s->edge.fd;
	ssize_t got = peek_with_scratch(fd, iov, n, offset);
	bool end = got > 0 && (size_t)got <= offset && !s->urgent && at_end(fd);

	if (end)
		got = peek_with_scratch(fd, iov, n, offset);
	if (got > 0 && (size_t)got > offset)
		return got - (ssize_t)offset;
	if (end || got < 0 || !offset)
		return got < 0 ? got : 0;
	errno = EAGAIN;
	return -1;
}

static bool set_peek_off(struct tcp_sock *s, size_t offset)
{
	int v = offset < INT_MAX ? (int)offset : INT_MAX;

	if (s->peek_off == offset)
		return true;
	if (s->discards || setsockopt(s->edge.fd, SOL_SOCKET, SO_PEEK_OFF, &v, sizeof(v))) {
		s->discards = true;
		return false;
	}
	s->peek_off = offset;
	return true;
}

static size_t total_len(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

static ssize_t sock_peek(void *host, const struct iovec *iov, int n, size_t offset)
{
	struct tcp_sock *s = host;
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
	ssize_t got;

	if (!set_peek_off(s, offset))
		got = peek_from_start(s, iov, n, offset);
	else
		got = recvmsg(s->edge.fd, &m, MSG_PEEK | MSG_DONTWAIT);
	if (got > 0 && !s->discards)
		s->peek_off += (size_t)got;
	if (got > 0 && s->urgent && (size_t)got < total_len(iov, n))
		edge_again(&s->edge);
	if (got > 0 || (!got && !s->error))
		return got;
	return s->error ? -s->error : failed(s, errno);
}

static int sock_consume(void *host, size_t len)
{
	struct tcp_sock *s = host;

	while (len) {
		size_t most = len < SCRATCH_LEN ? len : SCRATCH_LEN;
		/* the kernel writes nothing, but checkers think that it does */
		ssize_t got = recv(s->edge.fd, scratch, most, MSG_TRUNC | MSG_DONTWAIT);

		if (got <= 0)
			return got ? failed(s, errno) : -EIO;
		len -= (size_t)got;
		if (s->peek_off != PEEK_OFF_UNKNOWN)
			s->peek_off -= s->peek_off < (size_t)got ? s->peek_off : (size_t)got;
	}
	if (s->urgent)
		edge_again(&s->edge);
	return 0;
}

static void sock_shutdown(void *host)
{
	struct tcp_sock *s = host;

	shutdown(s->edge.fd, SHUT_WR);
}

static void sock_close(void *host, bool reset)
{
	struct tcp_sock *s = host;

	edge_remove(&s->edge);
	if (reset)
		sock_close_reset(s->edge.fd);
	else
		close(s->edge.fd);
	free(s);
}

static void local(void *host, struct endpoint *e)
{
	struct tcp_sock *s = host;

	sock_local(s->edge.fd, e);
}

static void hang_up(void *host)
{
	struct tcp_sock *s = host;

	shutdown(s->edge.fd, SHUT_RD);
}

static bool info(void *host, struct flow_kernel *k)
{
	struct tcp_sock *s = host;

	return tcp_info_read(s->edge.fd, k);
}

const struct tcp_host_ops tcp_sock_ops = {
	.connected = sock_connected,
	.send = sock_send,
	.peek = sock_peek,
	.consume = sock_consume,
	.shutdown = sock_shutdown,
	.close = sock_close,
	.local = local,
	.hang_up = hang_up,
	.info = info,
};

const struct tcp_dialer tcp_sock_dialer = { .ops = &tcp_sock_ops, .connect = dial };
