/* host/icmp_sock.c: one ping socket an echo flow.
 *
 * The kernel gives each socket an identifier of its own, puts it into what is sent and hands
 * us the replies that carry it, whoever they come from; the header's other fields are ours.
 */
#include "host/icmp_sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "host/sock.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"

struct icmp_sock {
	struct watch watch;
	struct env *env;
	struct icmp_flow *flow;
	struct endpoint peer;
	struct host_ip ip; /* as set; ttl 0: the host's default */
	int fd;
};

static void ready(struct watch *w, unsigned events)
{
	struct icmp_sock *s = container_of(w, struct icmp_sock, watch);

	icmp_from_host(s->env, s->flow);
}

static bool is_ip6(const struct icmp_sock *s)
{
	return !addr_is_ip4(&s->peer.addr);
}

static void set_options(const struct icmp_sock *s)
{
	sock_set_errors(s->fd, is_ip6(s));
	sock_want_header(s->fd, is_ip6(s));
	sock_set_fragments(s->fd, is_ip6(s), SOCK_NEVER_FRAGMENT);
}

static int try_open(struct icmp_sock *s, const struct net *net)
{
	struct sockaddr_storage sa;
	socklen_t len = sock_peer(net, &s->peer, (struct sockaddr *)&sa);
	int rc;

	s->fd = sock_open(is_ip6(s) ? AF_INET6 : AF_INET, SOCK_DGRAM,
			  is_ip6(s) ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	if (s->fd < 0)
		return s->fd;
	set_options(s);
	rc = sock_bind(s->fd, net, &s->peer.addr, 0);
	if (!rc && connect(s->fd, (struct sockaddr *)&sa, len))
		rc = -errno;
	if (rc)
		close(s->fd);
	return rc;
}

static void *icmp_open(void *host, struct icmp_flow *f, const struct addr *peer, int *err)
{
	struct icmp_socks *socks = host;
	struct icmp_sock *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	if (s) {
		*s = (struct icmp_sock){ .env = socks->env,
					 .flow = f,
					 .peer = { .addr = *peer } };
		s->ip.dont_fragment = true; /* as set_options() has it */
		rc = try_open(s, socks->env->net);
	}
	if (rc) {
		free(s);
		*err = -rc;
		return NULL;
	}
	watch_init(&s->watch, socks->loop, s->fd, ready);
	watch_set(&s->watch, LOOP_READ);
	return s;
}

static void icmp_close(void *sock)
{
	struct icmp_sock *s = sock;

	watch_stop(&s->watch);
	close(s->fd);
	free(s);
}

static void icmp_local(void *sock, struct endpoint *e)
{
	struct icmp_sock *s = sock;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(s->fd, (struct sockaddr *)&sa, &len) ||
	    endpoint_from_sockaddr(e, (struct sockaddr *)&sa))
		*e = (struct endpoint){ .port = 0 };
}

static void icmp_set_ip(void *sock, const struct host_ip *ip)
{
	struct icmp_sock *s = sock;

	if (ip->dont_fragment != s->ip.dont_fragment)
		sock_set_fragments(s->fd, is_ip6(s),
				   ip->dont_fragment ? SOCK_NEVER_FRAGMENT : SOCK_MAY_FRAGMENT);
	sock_set_ip(s->fd, is_ip6(s), &s->ip, ip);
}

static int send_message(const struct icmp_sock *s, const struct msghdr *m)
{
	return sendmsg(s->fd, m, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* A request that does not fit the interface goes out in fragments. */
static int icmp_send(void *sock, uint16_t seq, const void *payload, size_t len)
{
	struct icmp_sock *s = sock;
	/* the kernel adds id and checksum */
	uint8_t header[ICMP_HEADER_LEN] = { is_ip6(s) ? ICMP6_TYPE_ECHO : ICMP_TYPE_ECHO };
	struct iovec iov[] = { { header, sizeof(header) }, { (void *)payload, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	int rc;

	put_be16(header + 6, seq);
	rc = send_message(s, &m);
	if (rc != -EMSGSIZE || !s->ip.dont_fragment)
		return rc;
	sock_set_fragments(s->fd, is_ip6(s), SOCK_FRAGMENT_OVERSIZE);
	rc = send_message(s, &m);
	sock_set_fragments(s->fd, is_ip6(s), SOCK_NEVER_FRAGMENT);
	return rc;
}

static void take_control(struct msghdr *m, struct icmp_reply *r)
{
	r->ttl = r->tos = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		sock_take_header(c, &r->ttl, &r->tos);
}

/* Anybody who guesses the identifier can send a reply: only the peer's count. */
static bool is_reply(const struct icmp_sock *s, const struct sockaddr_storage *from,
		     const struct icmp_hdr *h)
{
	struct endpoint e;

	return h->type == (is_ip6(s) ? ICMP6_TYPE_ECHO_REPLY : ICMP_TYPE_ECHO_REPLY) &&
	       !endpoint_from_sockaddr(&e, (const struct sockaddr *)from) &&
	       addr_eq(&e.addr, &s->peer.addr);
}

static int icmp_recv(void *sock, struct icmp_reply *r)
{
	static uint8_t buf[IP6_LEN_MAX];
	struct icmp_sock *s = sock;

	for (;;) {
		struct sockaddr_storage from;
		_Alignas(struct cmsghdr) char control[128];
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr m = { .msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT);
		struct icmp_hdr h;
		struct rd rd;

		if (n < 0)
			return -errno;
		rd = rd_init(buf, (size_t)n);
		icmp_decode(&rd, &h);
		if (rd.error || !is_reply(s, &from, &h))
			continue;
		take_control(&m, r);
		r->seq = h.seq;
		r->payload = rd.p;
		r->len = rd_left(&rd);
		return 0;
	}
}

static int icmp_error(void *sock, struct host_error *e)
{
	return sock_read_error(((struct icmp_sock *)sock)->fd, e, NULL);
}

const struct icmp_host_ops icmp_sock_ops = { icmp_open, icmp_close, icmp_local, icmp_set_ip,
					     icmp_send, icmp_recv,  icmp_error };
