/* host/listen_udp.c: datagrams of UDP forwards' clients, and the guest's answers to them.
 *
 * Datagrams are read into one buffer that all listeners share.  When the link is full, what was
 * read stays there and nobody reads on, so that nothing read is lost and memory is bounded.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/listen_priv.h"
#include "host/sock.h"
#include "proto/udp.h"

#define RX_BATCH     16
#define RX_ROUNDS    4 /* batches a wake-up */
#define TX_BATCH     64
#define DATAGRAM_MAX 65536

struct udp_listener {
	struct watch watch;
	struct udp_client_sock sock;
	struct listen *listen;
	struct forward *forward;
	int fd;
	bool paused;	 /* not read until the link has room */
	bool want_write; /* the guest's answers wait */
};

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct datagram {
	size_t len;
	struct endpoint client;
	struct addr local;
};

struct udp_rx {
	struct udp_listener *owner; /* whose datagrams next .. end - 1 wait for room; or NULL */
	int next, end;
	struct datagram datagrams[RX_BATCH];
	uint8_t data[RX_BATCH][DATAGRAM_MAX];
};

static void update_watch(struct udp_listener *u)
{
	watch_set(&u->watch, (u->paused ? 0u : LOOP_READ) | (u->want_write ? LOOP_WRITE : 0u));
}

/* Which of our addresses the datagram came to, as one that answers can come from. */
static struct addr local_of(struct msghdr *m)
{
	struct in_pktinfo info;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		return addr_ip4(ntohl(info.ipi_spec_dst.s_addr));
	}
	return addr_ip4(INADDR_ANY);
}

/* How many datagrams came; 0: none now. */
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
	for (int i = 0; i < n; i++) {
		rx->datagrams[i].len = m[i].msg_len;
		rx->datagrams[i].local = local_of(&m[i].msg_hdr);
		endpoint_from_sockaddr(&rx->datagrams[i].client, (struct sockaddr *)&from[i]);
	}
	return n < 0 ? 0 : n;
}

/* Passes on what was read, as far as there is room. */
static void deliver(struct udp_rx *rx)
{
	for (; rx->owner && rx->next < rx->end; rx->next++) {
		const struct datagram *d = &rx->datagrams[rx->next];
		struct udp_listener *u = rx->owner;

		if (forward_udp_datagram(u->listen->env, u->forward, u->sock.port, &u->sock,
					 &d->client, &d->local, rx->data[rx->next], d->len))
			return;
	}
	rx->owner = NULL;
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
		rx->owner = u;
		rx->next = 0;
		deliver(rx);
		if (rx->end < RX_BATCH)
			break;
	}
	update_watch(u);
}

static void ready(struct watch *w, unsigned events)
{
	struct udp_listener *u = container_of(w, struct udp_listener, watch);

	if (events & LOOP_WRITE)
		udp_client_writable(u->listen->env, &u->sock);
	if (events & LOOP_READ)
		receive(u);
}

static struct udp_listener *listener_of(struct udp_client_sock *s)
{
	return container_of(s, struct udp_listener, sock);
}

static void set_local(struct msghdr *m, union control *control, const struct addr *local)
{
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(addr_get_ip4(local)) };
	struct cmsghdr *c;

	m->msg_control = control;
	m->msg_controllen = sizeof(*control);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static int send_to_client(struct udp_client_sock *s, const struct endpoint *client,
			  const struct addr *local, const struct iovec *datagrams, int n)
{
	struct sockaddr_storage to;
	unsigned to_len = endpoint_to_sockaddr(client, (struct sockaddr *)&to);
	union control control = { .bytes = { 0 } };
	struct mmsghdr m[TX_BATCH];
	int sent;

	if (n > TX_BATCH)
		n = TX_BATCH;
	for (int i = 0; i < n; i++) {
		m[i].msg_hdr = (struct msghdr){ .msg_name = &to,
						.msg_namelen = to_len,
						.msg_iov = (struct iovec *)&datagrams[i],
						.msg_iovlen = 1 };
		set_local(&m[i].msg_hdr, &control, local);
	}
	sent = sendmmsg(listener_of(s)->fd, m, (unsigned)n, MSG_DONTWAIT);
	return sent < 0 ? -errno : sent;
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
						  .room = room };

struct udp_listener *udp_listener_new(struct listen *l, struct forward *f, int fd,
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
	udp_client_sock_init(&u->sock, &client_ops, port);
	watch_init(&u->watch, l->loop, fd, ready);
	update_watch(u);
	return u;
}

void udp_listener_free(struct udp_listener *u)
{
	struct udp_rx *rx = u->listen->rx;

	if (rx->owner == u)
		rx->owner = NULL;
	udp_client_sock_end(u->listen->env, &u->sock);
	watch_stop(&u->watch);
	close(u->fd);
	free(u);
}
