/* host/udp_sock.c: one connected socket a UDP flow.
 *
 * Watched level-triggered: with edges, every datagram that leaves would wake us up to say that
 * the socket is writable.
 */
#include "host/udp_sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "host/sock.h"

#define BATCH 64
/* Datagrams that leave as one, for the kernel or the device to cut apart (UDP_SEGMENT). */
#define SEGMENTS_MAX 64
#define TRAIN_MAX    60000

struct udp_sock {
	struct watch watch;
	struct env *env;
	struct udp_flow *flow;
	struct endpoint peer, local;
	struct host_ip ip; /* as set; ttl 0: the host's default */
	size_t segment_max; /* longer datagrams leave one by one */
	int fd;
};

/* Room for TTL, TOS and the length of segments. */
union control {
	struct cmsghdr align;
	char bytes[3 * CMSG_SPACE(sizeof(int))];
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
	if (is_ip6(s)) {
		sock_set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
		sock_set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	} else {
		sock_set(fd, IPPROTO_IP, IP_RECVTTL, 1);
		sock_set(fd, IPPROTO_IP, IP_RECVTOS, 1);
	}
	sock_set(fd, IPPROTO_UDP, UDP_GRO, 1);
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
		s->segment_max = SIZE_MAX;
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

/* How many of the datagrams can leave as one: they have one length, but for the last. */
static int train_len(const struct udp_sock *s, const struct iovec *d, int n)
{
	size_t len = d[0].iov_len, total = len;
	int i = 1;

	if (!len || len > s->segment_max)
		return 1;
	for (; i < n && i < SEGMENTS_MAX && d[i - 1].iov_len == len; i++) {
		total += d[i].iov_len;
		if (!d[i].iov_len || d[i].iov_len > len || total > TRAIN_MAX)
			break;
	}
	return i;
}

static void set_segment(struct msghdr *m, union control *control, size_t len)
{
	uint16_t segment = (uint16_t)len;
	struct cmsghdr *c;

	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(sizeof(segment));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(c), &segment, sizeof(segment));
}

/* As ops->send(), in as few messages as can be. */
static int send_trains(struct udp_sock *s, const struct iovec *d, int n)
{
	union control control[BATCH];
	struct mmsghdr m[BATCH];
	int n_messages = 0, sent;

	for (int i = 0; i < n && n_messages < BATCH; n_messages++) {
		struct msghdr *h = &m[n_messages].msg_hdr;
		int len = train_len(s, d + i, n - i);

		*h = (struct msghdr){ .msg_iov = (struct iovec *)&d[i], .msg_iovlen = (size_t)len };
		if (len > 1)
			set_segment(h, &control[n_messages], d[i].iov_len);
		i += len;
	}
	n_messages = sendmmsg(s->fd, m, (unsigned)n_messages, MSG_DONTWAIT);
	if (n_messages < 0)
		return -errno;
	sent = 0;
	for (int i = 0; i < n_messages; i++)
		sent += (int)m[i].msg_hdr.msg_iovlen;
	return sent;
}

static int udp_send(void *sock, const struct iovec *datagrams, int n)
{
	struct udp_sock *s = sock;
	int rc = send_trains(s, datagrams, n);

	/* longer than the path's MTU, or a device or a kernel that cannot: EINVAL, EIO, ... */
	if ((rc == -EINVAL || rc == -EMSGSIZE || rc == -EIO || rc == -EOPNOTSUPP) &&
	    train_len(s, datagrams, n) > 1) {
		s->segment_max = datagrams[0].iov_len - 1;
		rc = send_trains(s, datagrams, n);
	}
	return rc;
}

/* Whether the datagram came from the peer: before the socket was connected it could get others.
 */
static bool from_peer(const struct udp_sock *s, const struct sockaddr_storage *sa)
{
	struct endpoint e;

	return !endpoint_from_sockaddr(&e, (const struct sockaddr *)sa) &&
	       endpoint_eq(&e, &s->peer);
}

static void take_control(struct msghdr *m, struct udp_datagram *d)
{
	d->ttl = d->tos = 0;
	d->segment = d->payload.iov_len;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool ip4 = c->cmsg_level == IPPROTO_IP, ip6 = c->cmsg_level == IPPROTO_IPV6;
		int value;

		if (ip4 && c->cmsg_type == IP_TOS)
			d->tos = *CMSG_DATA(c); /* the only one of one byte */
		if (c->cmsg_len < CMSG_LEN(sizeof(value)))
			continue;
		memcpy(&value, CMSG_DATA(c), sizeof(value));
		if ((ip4 && c->cmsg_type == IP_TTL) || (ip6 && c->cmsg_type == IPV6_HOPLIMIT))
			d->ttl = (uint8_t)value;
		else if (ip6 && c->cmsg_type == IPV6_TCLASS)
			d->tos = (uint8_t)value;
		else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO && value > 0)
			d->segment = (size_t)value;
	}
}

static int udp_recv(void *sock, struct udp_datagram *datagrams, int n)
{
	struct udp_sock *s = sock;
	struct sockaddr_storage from[BATCH];
	union control control[BATCH];
	struct mmsghdr m[BATCH];
	int got, kept = 0;

	if (n > BATCH)
		n = BATCH;
	for (int i = 0; i < n; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						.msg_namelen = sizeof(from[i]),
						.msg_iov = &datagrams[i].payload,
						.msg_iovlen = 1,
						.msg_control = &control[i],
						.msg_controllen = sizeof(control[i]) };
	got = recvmmsg(s->fd, m, (unsigned)n, MSG_DONTWAIT, NULL);
	if (got < 0)
		return -errno;
	for (int i = 0; i < got; i++) {
		struct udp_datagram *d = &datagrams[kept];

		if (!from_peer(s, &from[i]))
			continue;
		d->payload = (struct iovec){ datagrams[i].payload.iov_base, m[i].msg_len };
		take_control(&m[i].msg_hdr, d);
		kept++;
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
