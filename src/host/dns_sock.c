/* host/dns_sock.c: one connected socket for each query to a name server.
 *
 * Connected, so that the kernel passes on nothing but the server's datagrams and its ICMP
 * errors; never bound by us to a port, so that the kernel draws one (RFC 5452 9.2).
 */
#include "host/dns_sock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sock.h"
#include "wire/dns.h"

#define LENGTH_LEN 2

struct dns_sock {
	struct watch watch;
	struct env *env;
	struct dns_try *try;
	/* TCP: the query behind its length while it is being sent, then the answer likewise */
	uint8_t *buf;
	size_t done, len; /* bytes of it moved, and in all */
	bool sent;
};

/* What may arrive over UDP.  One for all sockets: each message is handed on at once. */
static uint8_t datagram[DNS_MESSAGE_MAX];

static void close_sock(void *sock)
{
	struct dns_sock *s = sock;

	watch_stop(&s->watch);
	close(s->watch.fd);
	free(s->buf);
	free(s);
}

/* Both of these may close `s`. */
static void fail(struct dns_sock *s, int err)
{
	dns_from_host(s->env, s->try, err, NULL, 0);
}

static void answer(struct dns_sock *s, const uint8_t *msg, size_t len)
{
	dns_from_host(s->env, s->try, 0, msg, len);
}

static void udp_ready(struct watch *w, unsigned events)
{
	struct dns_sock *s = container_of(w, struct dns_sock, watch);
	ssize_t n = recv(w->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

	if (n >= 0)
		answer(s, datagram, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		fail(s, errno);
}

/* Sends what is left of the query; 0, or -errno. */
static int tcp_send(struct dns_sock *s)
{
	ssize_t n = send(s->watch.fd, s->buf + s->done, s->len - s->done, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	s->done += (size_t)n;
	if (s->done < s->len)
		return 0;
	s->sent = true;
	s->done = 0;
	s->len = LENGTH_LEN; /* the query's buffer has room for the answer's length */
	watch_set(&s->watch, LOOP_READ);
	return 0;
}

/* The answer's length has arrived. */
static int tcp_expect(struct dns_sock *s)
{
	size_t len = LENGTH_LEN + (size_t)get_be16(s->buf);
	uint8_t *grown = realloc(s->buf, len);

	if (!grown)
		return -ENOMEM;
	s->buf = grown;
	s->len = len;
	return 0;
}

/* Receives more of the answer; -errno, 0: more to come, 1: it is whole. */
static int tcp_receive(struct dns_sock *s)
{
	ssize_t n = recv(s->watch.fd, s->buf + s->done, s->len - s->done, MSG_DONTWAIT);
	int err;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	s->done += (size_t)n;
	if (s->done < s->len)
		return 0;
	if (s->len == LENGTH_LEN) {
		err = tcp_expect(s);
		if (err || s->len > LENGTH_LEN)
			return err;
	}
	return 1;
}

static void tcp_ready(struct watch *w, unsigned events)
{
	struct dns_sock *s = container_of(w, struct dns_sock, watch);
	int status = s->sent ? tcp_receive(s) : tcp_send(s);

	if (status < 0) {
		fail(s, -status);
	} else if (status) {
		size_t len = s->len - LENGTH_LEN;

		s->done = 0; /* if this is not the answer, the next message may be */
		s->len = LENGTH_LEN;
		answer(s, s->buf + LENGTH_LEN, len);
	}
}

/* A socket that is connected, or (TCP) connecting; or -errno. */
static int open_fd(const struct dns_sock_host *h, const struct upstream *server, bool tcp)
{
	const struct net *net = h->env->net;
	struct sockaddr_storage sa;
	socklen_t len = sock_peer_on(net, &(struct endpoint){ server->addr, h->port },
				     server->link, (struct sockaddr *)&sa);
	int fd = socket(sa.ss_family,
			(tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = sock_bind(fd, net, &server->addr, 0);
	if (!err && connect(fd, (struct sockaddr *)&sa, len) && errno != EINPROGRESS)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int send_datagram(void *sock, const uint8_t *msg, size_t len)
{
	struct dns_sock *s = sock;

	return send(s->watch.fd, msg, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int begin_udp(struct dns_sock *s, const uint8_t *msg, size_t len)
{
	watch_set(&s->watch, LOOP_READ);
	return send_datagram(s, msg, len);
}

static int begin_tcp(struct dns_sock *s, const uint8_t *msg, size_t len)
{
	s->len = LENGTH_LEN + len;
	s->buf = malloc(s->len);
	if (!s->buf)
		return -ENOMEM;
	put_be16(s->buf, (uint16_t)len);
	memcpy(s->buf + LENGTH_LEN, msg, len);
	watch_set(&s->watch, LOOP_WRITE);
	return 0;
}

static int open_sock(void *host, struct dns_try *try, const struct upstream *server, bool tcp,
		     const uint8_t *msg, size_t len, void **sockp)
{
	struct dns_sock_host *h = host;
	int fd = open_fd(h, server, tcp), err;
	struct dns_sock *s;

	if (fd < 0)
		return fd;
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->env = h->env;
	s->try = try;
	watch_init(&s->watch, h->loop, fd, tcp ? tcp_ready : udp_ready);
	err = tcp ? begin_tcp(s, msg, len) : begin_udp(s, msg, len);
	if (err) {
		close_sock(s);
		return err;
	}
	*sockp = s;
	return 0;
}

const struct dns_ops dns_sock_ops = { .open = open_sock,
				      .resend = send_datagram,
				      .close = close_sock };
