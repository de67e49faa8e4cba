/* host/multicast_sock.c: one socket a group and port. */
#include "host/multicast_sock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/udp_group.h"
#include "host/udp_port.h"
#include "proto/udp_host.h"

struct multicast_sock {
	struct watch watch;
	struct env *env;
	struct multicast_listener *listener;
	struct udp_port port;
	int fd;
};

static void ready(struct watch *w, unsigned events)
{
	struct multicast_sock *s = container_of(w, struct multicast_sock, watch);

	multicast_from_host(s->env, s->listener);
}

static void *group_open(void *host, struct multicast_listener *l, const struct endpoint *group,
			int *err)
{
	struct multicast_socks *socks = host;
	struct multicast_sock *s = calloc(1, sizeof(*s));

	if (!s) {
		*err = ENOMEM;
		return NULL;
	}
	s->env = socks->env;
	s->listener = l;
	s->fd = udp_group_join(socks->env, group);
	if (s->fd < 0) {
		*err = -s->fd;
		free(s);
		return NULL;
	}
	s->port = (struct udp_port){ .port = group->port,
				     .ip4 = addr_is_ip4(&group->addr),
				     .ip6 = !addr_is_ip4(&group->addr) };
	udp_port_hold(&s->port, s->fd);
	watch_init(&s->watch, socks->loop, s->fd, ready);
	watch_set(&s->watch, LOOP_READ);
	return s;
}

static void group_close(void *sock)
{
	struct multicast_sock *s = sock;

	udp_port_release(&s->port);
	watch_stop(&s->watch);
	close(s->fd);
	free(s);
}

static int group_recv(void *sock, struct udp_datagram *d)
{
	struct multicast_sock *s = sock;
	_Alignas(struct cmsghdr) char control[UDP_CONTROL_MAX];
	struct sockaddr_storage from;
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &d->payload,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	d->payload.iov_len = (size_t)n;
	udp_group_take(&m, d);
	return endpoint_from_sockaddr(&d->from, (struct sockaddr *)&from);
}

static void group_watch(void *sock, bool wanted)
{
	watch_set(&((struct multicast_sock *)sock)->watch, wanted ? LOOP_READ : 0);
}

const struct multicast_host_ops multicast_sock_ops = { group_open, group_close, group_recv,
						       group_watch };
