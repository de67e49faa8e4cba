/* host/listen_udp.c: datagrams of UDP forwards' clients, and the guest's answers to them.
 *
 * Datagrams are read into one buffer that all listeners share.  When the link is full, what was
 * read stays there and nobody reads on, so that nothing read is lost and memory is bounded.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/listen_priv.h"
#include "host/sock.h"
#include "host/udp_out.h"
#include "host/udp_port.h"
#include "proto/udp.h"

#define RX_BATCH     16
#define RX_ROUNDS    4 /* batches a wake-up */
#define ERRORS_MAX   64 /* taken together */
#define DATAGRAM_MAX 65536

struct udp_listener {
	struct watch watch;
	struct udp_client_sock sock;
	struct listen *listen;
	struct forward *forward;
	struct udp_port port;
	int fd;
	bool ip6;	 /* the socket's family: IPv4 clients have mapped addresses */
	struct udp_out out[2]; /* to clients of IPv6, of IPv4 */
	bool paused;	 /* not read until the link has room */
	bool want_write; /* the guest's answers wait */
};

/* Our address in both forms, TTL and TOS, the length of segments. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		   5 * CMSG_SPACE(sizeof(int))];
};

/* What came together from one client: `segment` bytes each, the last one may be shorter. */
struct train {
	size_t len, segment;
	struct udp_client client;
};

struct udp_rx {
	struct udp_listener *owner; /* whose trains next .. end - 1 wait for room; or NULL */
	int next, end;
	size_t offset; /* in the next one */
	struct train trains[RX_BATCH];
	uint8_t data[RX_BATCH][DATAGRAM_MAX];
};

static struct udp_listener *listener_of(struct udp_client_sock *s)
{
	return container_of(s, struct udp_listener, sock);
}

static void update_watch(struct udp_listener *u)
{
	watch_set(&u->watch, (u->paused ? 0u : LOOP_READ) | (u->want_write ? LOOP_WRITE : 0u));
}

static const void *find_control(struct msghdr *m, int level, int type)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return CMSG_DATA(c);
	return NULL;
}

static struct addr local_ip4(struct msghdr *m)
{
	const void *found = find_control(m, IPPROTO_IP, IP_PKTINFO);
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(INADDR_ANY) };

	if (found)
		memcpy(&info, found, sizeof(info));
	return addr_ip4(ntohl(info.ipi_spec_dst.s_addr));
}

static struct addr local_ip6(struct msghdr *m)
{
	const void *found = find_control(m, IPPROTO_IPV6, IPV6_PKTINFO);
	struct in6_pktinfo info;
	struct addr a;

	if (!found)
		return ADDR_ANY6;
	memcpy(&info, found, sizeof(info));
	a = addr_ip6_bytes(info.ipi6_addr.s6_addr);
	return addr_is_multicast(&a) ? ADDR_ANY6 : a;
}

/* Whom a name that the kernel gave means: address and link. */
static struct udp_client client_of(const struct sockaddr_storage *name)
{
	struct udp_client client = { 0 };
	struct sockaddr_in6 in6;

	endpoint_from_sockaddr(&client.addr, (const struct sockaddr *)name);
	if (addr_is_ip4(&client.addr.addr))
		return client;
	memcpy(&in6, name, sizeof(in6));
	client.link = in6.sin6_scope_id;
	return client;
}

/* The sender, and which of our addresses it sends to, as one that answers can come from. */
static void read_train(struct msghdr *m, size_t len, struct train *t)
{
	*t = (struct train){ len, len, client_of(m->msg_name) };
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		sock_take_header(c, &t->client.ttl, &t->client.tos);
		sock_take_segment(c, &t->segment);
	}
	t->client.local = addr_is_ip4(&t->client.addr.addr) ? local_ip4(m) : local_ip6(m);
}

/* How many trains came; 0: none now. */
static int read_batch(struct udp_listener *u, struct udp_rx *rx)
{
	struct sockaddr_storage from[RX_BATCH];
	union control control[RX_BATCH];
	struct iovec iov[RX_BATCH];
	struct mmsghdr m[RX_BATCH];
	int n;

	for (int i = 0; i < RX_BATCH; i++) {
		iov[i] = (struct iovec){ rx->data[i], DATAGRAM_MAX };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						.msg_namelen = sizeof(from[i]),
						.msg_iov = &iov[i],
						.msg_iovlen = 1,
						.msg_control = &control[i],
						.msg_controllen = sizeof(control[i]) };
	}
	n = recvmmsg(u->fd, m, RX_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		read_train(&m[i].msg_hdr, m[i].msg_len, &rx->trains[i]);
	return n < 0 ? 0 : n;
}

/* Passes on what was read, as far as there is room. */
static void deliver(struct udp_rx *rx)
{
	while (rx->owner && rx->next < rx->end) {
		const struct train *t = &rx->trains[rx->next];
		size_t left = t->len - rx->offset, len = left < t->segment ? left : t->segment;
		struct udp_listener *u = rx->owner;

		if (forward_udp_datagram(u->listen->env, u->forward, u->sock.port, &u->sock,
					 &t->client, rx->data[rx->next] + rx->offset, len))
			return;
		rx->offset += len;
		if (rx->offset < t->len)
			continue;
		rx->next++;
		rx->offset = 0;
	}
	rx->owner = NULL;
}

static int read_errors(struct udp_client_sock *s)
{
	struct udp_listener *u = listener_of(s);
	struct sockaddr_storage to;
	struct host_error e;
	int n = 0;

	for (; n < ERRORS_MAX && !sock_read_error(u->fd, &e, &to); n++) {
		struct udp_client client = client_of(&to);

		forward_udp_error(u->listen->env, u->forward, s->port, s, &client, &e);
	}
	return n;
}

static void receive(struct udp_listener *u)
{
	struct udp_rx *rx = u->listen->rx;

	for (int round = 0; round < RX_ROUNDS; round++) {
		deliver(rx);
		u->paused = !udp_client_room(u->listen->env, &u->sock);
		if (u->paused)
			break;
		rx->end = read_batch(u, rx);
		if (!rx->end && read_errors(&u->sock))
			continue; /* one of them failed the call, and datagrams may wait behind it */
		rx->owner = u;
		rx->next = 0;
		rx->offset = 0;
		deliver(rx);
		if (rx->end < RX_BATCH)
			break;
	}
	update_watch(u);
}

static void ready(struct watch *w, unsigned events)
{
	struct udp_listener *u = container_of(w, struct udp_listener, watch);

	if (events & LOOP_WRITE) {
		/* an error wakes us up as often as it is left, though nothing can be sent */
		read_errors(&u->sock);
		udp_client_writable(u->listen->env, &u->sock);
	}
	if (events & LOOP_READ)
		receive(u);
}

static void put_control(struct msghdr *m, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)m->msg_control + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	m->msg_controllen += CMSG_SPACE(len);
}

/* What is sent leaves from the address that the client sends to, and with the guest's header. */
static void set_header(struct msghdr *m, const struct udp_client *to, const struct host_ip *ip)
{
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(addr_get_ip4(&to->local)) };
	struct in6_pktinfo info6 = { .ipi6_ifindex = to->link };
	int ttl = ip->ttl, tos = ip->tos;

	if (addr_is_ip4(&to->addr.addr)) {
		put_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
		put_control(m, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		put_control(m, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
		return;
	}
	memcpy(&info6.ipi6_addr, to->local.b, sizeof(info6.ipi6_addr));
	put_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
	put_control(m, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	put_control(m, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

static int send_to_client(struct udp_client_sock *s, const struct udp_client *client,
			  struct udp_path *path, const struct host_ip *ip,
			  const struct iovec *datagrams, int n)
{
	struct udp_listener *u = listener_of(s);
	union control control = { .bytes = { 0 } };
	struct sockaddr_storage to;
	struct msghdr common = { .msg_name = &to, .msg_control = &control };

	common.msg_namelen =
		u->ip6 ? endpoint_to_sockaddr6(&client->addr, client->link, (struct sockaddr *)&to)
		       : endpoint_to_sockaddr(&client->addr, (struct sockaddr *)&to);
	set_header(&common, client, ip);
	return udp_out_send(&u->out[addr_is_ip4(&client->addr.addr)], path, ip->dont_fragment, &common,
			    datagrams, n);
}

static void want_write(struct udp_client_sock *s, bool want)
{
	listener_of(s)->want_write = want;
	update_watch(listener_of(s));
}

static void room(struct udp_client_sock *s)
{
	struct udp_listener *u = listener_of(s);

	deliver(u->listen->rx);
	u->paused = !udp_client_room(u->listen->env, s);
	update_watch(u);
}

static const struct udp_client_ops client_ops = { .send = send_to_client,
						  .want_write = want_write,
						  .room = room,
						  .read_errors = read_errors };

struct udp_listener *udp_listener_new(struct listen *l, struct forward *f, int fd, bool ip6,
				      uint16_t port)
{
	struct udp_listener *u = calloc(1, sizeof(*u));

	if (!l->rx)
		l->rx = calloc(1, sizeof(*l->rx));
	if (!u || !l->rx) {
		free(u);
		close(fd);
		return NULL;
	}
	u->listen = l;
	u->forward = f;
	u->fd = fd;
	u->ip6 = ip6;
	if (ip6)
		u->out[0] = udp_out_init(fd, true);
	u->out[1] = udp_out_init(fd, false);
	u->port = (struct udp_port){ .port = port,
				     .ip4 = !ip6 || f->rule.both_families,
				     .ip6 = ip6,
				     .wide = addr_is_unspecified(&f->rule.addr) };
	udp_port_hold(&u->port, fd);
	udp_client_sock_init(&u->sock, &client_ops, port);
	u->sock.forward = f->id;
	watch_init(&u->watch, l->loop, fd, ready);
	update_watch(u);
	return u;
}

int udp_listener_fd(const struct udp_listener *u)
{
	return u->fd;
}

void udp_listener_free(struct udp_listener *u)
{
	struct udp_rx *rx = u->listen->rx;

	if (rx->owner == u)
		rx->owner = NULL;
	udp_client_sock_end(u->listen->env, &u->sock);
	udp_port_release(&u->port);
	watch_stop(&u->watch);
	close(u->fd);
	free(u);
}
