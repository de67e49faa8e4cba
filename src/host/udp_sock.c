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
#include "host/udp_out.h"
#include "host/udp_port.h"

#define BATCH 64

struct udp_sock {
	struct watch watch;
	struct env *env;
	struct udp_flow *flow;
	struct endpoint peer, local;
	struct host_ip ip; /* as set; ttl 0: the host's default */
	struct udp_path path;
	struct udp_out out;
	int fd;
	bool group;	 /* the peer is one: not connected */
	bool has_others; /* may hold what others than the peer sent before it was connected */
	struct list hearing;
	struct udp_port port; /* while others of ours may share it */
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
	/* SO_SNDBUF stays as it is: a larger one would only overflow the device's queue, while
	 * what does not fit is kept by the flow */
	sock_set_udp_buffer(fd);
}

/* Talks to `peer` from `port`.  Where it shares the port, a socket can end up connected to itself; that
 * port counts as taken. */
static int bind_and_connect(struct udp_sock *s, const struct net *net, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int rc = udp_port_bind(s->fd, net, &s->peer.addr, port);

	if (rc)
		return rc;
	len = sock_peer(net, &s->peer, (struct sockaddr *)&sa);
	if (connect(s->fd, (struct sockaddr *)&sa, len))
		return -errno;
	len = sizeof(sa);
	if (getsockname(s->fd, (struct sockaddr *)&sa, &len) ||
	    endpoint_from_sockaddr(&s->local, (struct sockaddr *)&sa))
		return -EINVAL;
	s->has_others = recv(s->fd, NULL, 0, MSG_PEEK | MSG_DONTWAIT) >= 0;
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

/* From now on others of ours may have the same port. */
static void share_port(struct udp_sock *s)
{
	s->port = (struct udp_port){ .port = s->local.port,
				     .ip4 = !is_ip6(s),
				     .ip6 = is_ip6(s),
				     .wide = list_linked(&s->hearing) };
	udp_port_hold(&s->port, s->fd);
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
	share_port(s);
	s->ip.dont_fragment = true;
	s->out = udp_out_init(s->fd, is_ip6(s));
	watch_init(&s->watch, socks->loop, s->fd, ready);
	return s;
}

static void *udp_open(void *host, struct udp_flow *f, const struct endpoint *peer,
		      uint16_t port, int *err)
{
	struct udp_sock s = { .flow = f, .peer = *peer, .path = UDP_PATH_UNKNOWN };

	return open_sock(host, &s, port, err);
}

static void *udp_open_group(void *host, struct udp_flow *f, const struct endpoint *group,
			    uint16_t port, int *err)
{
	struct udp_sock s = { .flow = f, .peer = *group, .path = { 0, SIZE_MAX }, .group = true };

	return open_sock(host, &s, port, err);
}

static void udp_close(void *sock)
{
	struct udp_sock *s = sock;

	list_remove(&s->hearing);
	udp_port_release(&s->port);
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
	sock_set_ip(s->fd, is_ip6(s), &s->ip, ip);
}

static int udp_send(void *sock, const struct iovec *datagrams, int n)
{
	struct udp_sock *s = sock;
	struct sockaddr_storage to;
	struct msghdr common = { .msg_name = s->group ? &to : NULL };

	if (s->group)
		common.msg_namelen = sock_peer(s->env->net, &s->peer, (struct sockaddr *)&to);
	return udp_out_send(&s->out, &s->path, s->ip.dont_fragment, &common, datagrams, n);
}

/* Whether the datagram came from one who may answer. */
static bool take_sender(const struct udp_sock *s, const struct msghdr *m, struct endpoint *from)
{
	*from = s->peer;
	if (!m->msg_name)
		return true;
	return !endpoint_from_sockaddr(from, m->msg_name) &&
	       (s->group || endpoint_eq(from, &s->peer));
}

static int udp_recv(void *sock, struct udp_datagram *datagrams, int n)
{
	struct udp_sock *s = sock;
	struct sockaddr_storage from[BATCH];
	union control control[BATCH];
	struct mmsghdr m[BATCH];
	/* who it is from costs a tenth of what a small datagram costs; ask only who does not know */
	bool ask = s->group || s->has_others;
	int got, kept = 0;

	if (n > BATCH)
		n = BATCH;
	for (int i = 0; i < n; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_name = ask ? &from[i] : NULL,
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

		if (!take_sender(s, &m[i].msg_hdr, &d->from))
			continue;
		d->payload = (struct iovec){ datagrams[i].payload.iov_base, m[i].msg_len };
		udp_group_take(&m[i].msg_hdr, d);
		kept++;
	}
	return kept;
}

static int udp_error(void *sock, struct host_error *e)
{
	return sock_read_error(((struct udp_sock *)sock)->fd, e, NULL);
}

static void udp_watch(void *sock, unsigned events)
{
	watch_set(&((struct udp_sock *)sock)->watch,
		  (events & UDP_HOST_READ ? LOOP_READ : 0u) |
			  (events & UDP_HOST_WRITE ? LOOP_WRITE : 0u));
}

const struct udp_host_ops udp_sock_ops = { udp_open,   udp_open_group, udp_close, udp_local, udp_set_ip,
					   udp_send,   udp_recv,	udp_error, udp_watch };
