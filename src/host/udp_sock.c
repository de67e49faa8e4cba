/* host/udp_sock.c: one socket a UDP flow, connected unless its peer is a group.
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
#include "host/udp_group.h"

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
	size_t oversize; /* datagrams from this length on do not fit the interface */
	bool fragments;	 /* the socket is set for those */
	int fd;
	bool group; /* the peer is one: not connected */
	struct list hearing;
};

union control {
	struct cmsghdr align;
	char bytes[UDP_CONTROL_MAX];
};

void udp_socks_init(struct udp_socks *socks, struct loop *loop, struct env *env)
{
	*socks = (struct udp_socks){ .loop = loop, .env = env };
	list_init(&socks->hearing);
}

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

	if (is_ip6(s)) /* ports of IPv4 are others' */
		sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	sock_set_errors(fd, is_ip6(s));
	sock_want_header(fd, is_ip6(s));
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

static int try_open(struct udp_socks *socks, struct udp_sock *s, uint16_t port)
{
	int rc;

	s->fd = sock_open(is_ip6(s) ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	if (s->fd < 0)
		return s->fd;
	set_options(s);
	rc = bind_and_connect(s, socks->env->net, port);
	if (rc)
		close(s->fd);
	return rc;
}

/* Whether a socket for a group has the port for all addresses of the family. */
static bool is_heard(const struct udp_socks *socks, const struct addr *group, uint16_t port)
{
	for (const struct list *l = socks->hearing.next; l != &socks->hearing; l = l->next) {
		const struct udp_sock *s = container_of(l, struct udp_sock, hearing);

		if (s->local.port == port && addr_is_ip4(&s->peer.addr) == addr_is_ip4(group))
			return true;
	}
	return false;
}

static int try_open_group(struct udp_socks *socks, struct udp_sock *s, uint16_t port)
{
	bool hears = is_heard(socks, &s->peer.addr, port);

	s->fd = udp_group_open(s->env, &s->peer, port, &s->local, &hears);
	if (s->fd < 0)
		return s->fd;
	if (hears)
		list_append(&socks->hearing, &s->hearing);
	return 0;
}

static void *open_sock(struct udp_socks *socks, const struct udp_sock *new, uint16_t port, int *err)
{
	int (*try)(struct udp_socks *socks, struct udp_sock *s, uint16_t port) =
		new->group ? try_open_group : try_open;
	struct udp_sock *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	if (s) {
		*s = *new;
		s->env = socks->env;
		list_init(&s->hearing);
		rc = try(socks, s, port);
		/* taken, or below 1024: better from another port than not at all */
		if (port && (rc == -EADDRINUSE || rc == -EACCES))
			rc = try(socks, s, 0);
	}
	if (rc) {
		free(s);
		*err = -rc;
		return NULL;
	}
	s->ip.dont_fragment = true;
	sock_set_fragments(s->fd, is_ip6(s), SOCK_NEVER_FRAGMENT);
	watch_init(&s->watch, socks->loop, s->fd, ready);
	return s;
}

static void *udp_open(void *host, struct udp_flow *f, const struct endpoint *peer,
		      uint16_t port, int *err)
{
	struct udp_sock s = { .flow = f, .peer = *peer, .segment_max = SIZE_MAX, .oversize = SIZE_MAX };

	return open_sock(host, &s, port, err);
}

static void *udp_open_group(void *host, struct udp_flow *f, const struct endpoint *group,
			    uint16_t port, int *err)
{
	struct udp_sock s = { .flow = f, .peer = *group, .oversize = SIZE_MAX, .group = true };

	return open_sock(host, &s, port, err);
}

static void udp_close(void *sock)
{
	struct udp_sock *s = sock;

	list_remove(&s->hearing);
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

	if (s->group && ip->ttl != s->ip.ttl)
		sock_set(s->fd, is_ip6(s) ? IPPROTO_IPV6 : IPPROTO_IP,
			 is_ip6(s) ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, ip->ttl);
	if (ip->dont_fragment != s->ip.dont_fragment)
		s->fragments = false;
	sock_set_ip(s->fd, is_ip6(s), &s->ip, ip);
}

/* How many of the datagrams fit the interface as the first does, or do not as it; sets the socket for
 * those. */
static int begin_run(struct udp_sock *s, const struct iovec *d, int n)
{
	bool oversize = d[0].iov_len >= s->oversize;
	int i = 1;

	if (s->oversize == SIZE_MAX || !s->ip.dont_fragment)
		return n;
	if (oversize != s->fragments)
		sock_set_fragments(s->fd, is_ip6(s),
				   oversize ? SOCK_FRAGMENT_OVERSIZE : SOCK_NEVER_FRAGMENT);
	s->fragments = oversize;
	while (i < n && (d[i].iov_len >= s->oversize) == oversize)
		i++;
	return i;
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
	struct sockaddr_storage to;
	unsigned to_len = s->group ? sock_peer(s->env->net, &s->peer, (struct sockaddr *)&to) : 0;
	int n_messages = 0, sent;

	for (int i = 0; i < n && n_messages < BATCH; n_messages++) {
		struct msghdr *h = &m[n_messages].msg_hdr;
		int len = train_len(s, d + i, n - i);

		*h = (struct msghdr){ .msg_name = s->group ? &to : NULL,
				      .msg_namelen = to_len,
				      .msg_iov = (struct iovec *)&d[i],
				      .msg_iovlen = (size_t)len };
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
	int rc;

	n = begin_run(s, datagrams, n);
	rc = send_trains(s, datagrams, n);
	/* longer than the interface's MTU, or a device or a kernel that cannot: EINVAL, EIO, ... */
	if ((rc == -EINVAL || rc == -EMSGSIZE || rc == -EIO || rc == -EOPNOTSUPP) &&
	    train_len(s, datagrams, n) > 1) {
		s->segment_max = datagrams[0].iov_len - 1;
		rc = send_trains(s, datagrams, n);
	}
	if (rc == -EMSGSIZE && s->ip.dont_fragment && datagrams[0].iov_len < s->oversize) {
		s->oversize = datagrams[0].iov_len;
		rc = send_trains(s, datagrams, begin_run(s, datagrams, n));
	}
	return rc;
}

/* Whether the datagram came from one who may answer: before the socket was connected it could get
 * others. */
static bool take_sender(const struct udp_sock *s, const struct sockaddr_storage *sa,
			struct endpoint *from)
{
	return !endpoint_from_sockaddr(from, (const struct sockaddr *)sa) &&
	       (s->group || endpoint_eq(from, &s->peer));
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

		if (!take_sender(s, &from[i], &d->from))
			continue;
		d->payload = (struct iovec){ datagrams[i].payload.iov_base, m[i].msg_len };
		udp_group_take(&m[i].msg_hdr, d);
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

const struct udp_host_ops udp_sock_ops = { udp_open,   udp_open_group, udp_close, udp_local, udp_set_ip,
					   udp_send,   udp_recv,	udp_error, udp_watch };
