/* host/udp_sock.c: one connected socket a UDP flow.
 *
 * Watched level-triggered: with edges, every datagram that leaves would wake us up to say that
 * the socket is writable.
 */
#include "host/udp_sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "host/sock.h"

#define BATCH 64

struct udp_sock {
	struct watch watch;
	struct env *env;
	struct udp_flow *flow;
	struct endpoint peer, local;
	struct host_ip ip; /* as set; ttl 0: the host's default */
	int fd;
};

static void ready(struct watch *w, unsigned events)
{
	struct udp_sock *s = container_of(w, struct udp_sock, watch);

	udp_from_host(s->env, s->flow,
		      (events & LOOP_READ ? UDP_HOST_READ : 0u) |
			      (events & LOOP_WRITE ? UDP_HOST_WRITE : 0u));
}

static bool is_ip6(const struct udp_sock *s)
{
	return !addr_is_ip4(&s->peer.addr);
}

static void set_options(const struct udp_sock *s)
{
	int fd = s->fd;

	sock_set_errors(fd, is_ip6(s));
	sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* SO_SNDBUF stays as it is: a larger one would only overflow the device's queue, while
	 * what does not fit is kept by the flow */
	sock_set_udp_buffer(fd);
}

/* Talks to `peer` from `port`.  With REUSEADDR a socket can end up connected to itself; that
 * port counts as taken. */
static int bind_and_connect(struct udp_sock *s, const struct net *net, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int rc = sock_bind(s->fd, net, &s->peer.addr, port);

	if (rc)
		return rc;
	len = sock_peer(net, &s->peer, (struct sockaddr *)&sa);
	if (connect(s->fd, (struct sockaddr *)&sa, len))
		return -errno;
	len = sizeof(sa);
	if (getsockname(s->fd, (struct sockaddr *)&sa, &len) ||
	    endpoint_from_sockaddr(&s->local, (struct sockaddr *)&sa))
		return -EINVAL;
	return endpoint_eq(&s->local, &s->peer) ? -EADDRINUSE : 0;
}

static int try_open(struct udp_sock *s, const struct net *net, uint16_t port)
{
	int rc;

	s->fd = sock_open(is_ip6(s) ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	if (s->fd < 0)
		return s->fd;
	set_options(s);
	rc = bind_and_connect(s, net, port);
	if (rc)
		close(s->fd);
	return rc;
}

static void *udp_open(void *host, struct udp_flow *f, const struct endpoint *peer,
		      uint16_t port, int *err)
{
	struct udp_socks *socks = host;
	struct udp_sock *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	if (s) {
		*s = (struct udp_sock){ .env = socks->env, .flow = f, .peer = *peer };
		s->ip.dont_fragment = true; /* the kernel's default */
		rc = try_open(s, socks->env->net, port);
		/* taken, or below 1024: better from another port than not at all */
		if (port && (rc == -EADDRINUSE || rc == -EACCES))
			rc = try_open(s, socks->env->net, 0);
	}
	if (rc) {
		free(s);
		*err = -rc;
		return NULL;
	}
	watch_init(&s->watch, socks->loop, s->fd, ready);
	return s;
}

static void udp_close(void *sock)
{
	struct udp_sock *s = sock;

	watch_stop(&s->watch);
	close(s->fd);
	free(s);
}

static void udp_local(void *sock, struct endpoint *e)
{
	*e = ((struct udp_sock *)sock)->local;
}

static void udp_set_ip(void *sock, const struct host_ip *ip)
{
	struct udp_sock *s = sock;

	sock_set_ip(s->fd, is_ip6(s), &s->ip, ip);
}

static int udp_send(void *sock, const struct iovec *datagrams, int n)
{
	struct udp_sock *s = sock;
	struct mmsghdr m[BATCH];
	int sent;

	if (n > BATCH)
		n = BATCH;
	for (int i = 0; i < n; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_iov = (struct iovec *)&datagrams[i],
						.msg_iovlen = 1 };
	sent = sendmmsg(s->fd, m, (unsigned)n, MSG_DONTWAIT);
	return sent < 0 ? -errno : sent;
}

/* Whether the datagram came from the peer: before the socket was connected it could get others.
 */
static bool from_peer(const struct udp_sock *s, const struct sockaddr_storage *sa)
{
	struct endpoint e;

	return !endpoint_from_sockaddr(&e, (const struct sockaddr *)sa) &&
	       endpoint_eq(&e, &s->peer);
}

static int udp_recv(void *sock, struct iovec *datagrams, int n)
{
	struct udp_sock *s = sock;
	struct sockaddr_storage from[BATCH];
	struct mmsghdr m[BATCH];
	int got, kept = 0;

	if (n > BATCH)
		n = BATCH;
	for (int i = 0; i < n; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						.msg_namelen = sizeof(from[i]),
						.msg_iov = &datagrams[i],
						.msg_iovlen = 1 };
	got = recvmmsg(s->fd, m, (unsigned)n, MSG_DONTWAIT, NULL);
	if (got < 0)
		return -errno;
	for (int i = 0; i < got; i++) {
		if (!from_peer(s, &from[i]))
			continue;
		datagrams[i].iov_len = m[i].msg_len;
		datagrams[kept++] = datagrams[i];
	}
	return kept;
}

static int udp_error(void *sock, struct host_error *e)
{
	return sock_read_error(((struct udp_sock *)sock)->fd, e);
}

static void udp_watch(void *sock, unsigned events)
{
	watch_set(&((struct udp_sock *)sock)->watch,
		  (events & UDP_HOST_READ ? LOOP_READ : 0u) |
			  (events & UDP_HOST_WRITE ? LOOP_WRITE : 0u));
}

const struct udp_host_ops udp_sock_ops = { udp_open, udp_close, udp_local, udp_set_ip,
					   udp_send, udp_recv,	udp_error, udp_watch };
