/* lib/fake_udp.c: the host's UDP sockets as the relay's tests see them. */
#include "lib/fake_udp.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/must.h"

static void *sock_open(void *host, struct udp_flow *flow, const struct endpoint *peer,
		       uint16_t port, int *err)
{
	struct fake_udp *f = host;
	struct fake_udp_sock *s;

	*err = f->open_error ? f->open_error : EMFILE;
	if (f->open_error || (f->open_max && f->n_open >= f->open_max))
		return NULL;
	must(f->n_socks < FAKE_UDP_SOCKS);
	s = &f->socks[f->n_socks++];
	f->n_open++;
	*s = (struct fake_udp_sock){
		.open = true, .of = f, .flow = flow, .peer = *peer, .port = port
	};
	s->room = -1;
	s->sent = calloc(FAKE_UDP_KEPT, sizeof(*s->sent));
	s->ready = calloc(FAKE_UDP_KEPT, sizeof(*s->ready));
	return s;
}

static void *sock_open_group(void *host, struct udp_flow *flow, const struct endpoint *group,
			     uint16_t port, int *err)
{
	struct fake_udp_sock *s = sock_open(host, flow, group, port, err);

	if (s)
		s->group = true;
	return s;
}

static void sock_close(void *sock)
{
	struct fake_udp_sock *s = sock;

	must(s->open);
	s->open = false;
	s->watched = 0;
	s->of->n_open--;
}

static void local(void *sock, struct endpoint *e)
{
	struct fake_udp_sock *s = sock;

	*e = (struct endpoint){ addr_ip4(0xcb007109), s->port ? s->port : 40000 };
}

static void set_ip(void *sock, const struct host_ip *ip)
{
	struct fake_udp_sock *s = sock;

	s->ip = *ip;
	s->n_set_ip++;
}

static void keep(struct fake_datagram *d, const void *data, size_t len)
{
	d->data = malloc(len ? len : 1);
	d->len = len;
	if (len)
		memcpy(d->data, data, len);
}

static int sock_send(void *sock, const struct iovec *d, int n)
{
	struct fake_udp_sock *s = sock;
	int error = s->send_error_once ? s->send_error_once : s->send_error;

	must(s->open);
	s->n_sends++;
	s->send_error_once = 0;
	if (error)
		return -error;
	if (s->room >= 0 && n > s->room)
		n = s->room;
	if (!n)
		return -EAGAIN;
	for (int i = 0; i < n; i++) {
		must(s->n_sent < FAKE_UDP_KEPT);
		keep(&s->sent[s->n_sent], d[i].iov_base, d[i].iov_len);
		s->sent[s->n_sent++].ip = s->ip;
	}
	if (s->room > 0)
		s->room -= n;
	return n;
}

static int sock_recv(void *sock, struct udp_datagram *d, int n)
{
	struct fake_udp_sock *s = sock;
	int got = 0, error = s->recv_error_once;

	must(s->open);
	s->recv_error_once = 0;
	if (error)
		return -error;
	for (; got < n && s->next_ready < s->n_ready; got++) {
		const struct fake_datagram *r = &s->ready[s->next_ready++];

		must(r->len <= d[got].payload.iov_len);
		if (r->len)
			memcpy(d[got].payload.iov_base, r->data, r->len);
		d[got].payload.iov_len = r->len;
		d[got].segment = s->segment ? s->segment : r->len;
		d[got].ttl = s->reply_ttl;
		d[got].tos = s->reply_tos;
		d[got].from = s->from;
		d[got].to_all = s->to_all;
	}
	return got ? got : -EAGAIN;
}

static int sock_error(void *sock, struct host_error *e)
{
	struct fake_udp_sock *s = sock;

	if (!s->n_errors)
		return -EAGAIN;
	*e = s->errors[0];
	memmove(s->errors, s->errors + 1, (size_t)--s->n_errors * sizeof(*s->errors));
	return 0;
}

static void watch(void *sock, unsigned events)
{
	struct fake_udp_sock *s = sock;

	must(s->open);
	s->watched = events;
}

const struct udp_host_ops fake_udp_ops = { sock_open, sock_open_group, sock_close, local, set_ip,
					   sock_send, sock_recv,  sock_error, watch };

void fake_udp_init(struct fake_udp *f)
{
	memset(f, 0, sizeof(*f));
}

void fake_udp_free(struct fake_udp *f)
{
	for (size_t i = 0; i < f->n_socks; i++) {
		struct fake_udp_sock *s = &f->socks[i];

		must(!s->open);
		for (size_t j = 0; j < s->n_sent; j++)
			free(s->sent[j].data);
		for (size_t j = 0; j < s->n_ready; j++)
			free(s->ready[j].data);
		free(s->sent);
		free(s->ready);
	}
}

struct fake_udp_sock *fake_udp_sock(struct fake_udp *f, size_t i)
{
	must(i < f->n_socks);
	return &f->socks[i];
}

void fake_udp_put(struct fake_udp_sock *s, const void *data, size_t len)
{
	must(s->n_ready < FAKE_UDP_KEPT);
	keep(&s->ready[s->n_ready++], data, len);
}

static unsigned readiness(const struct fake_udp_sock *s)
{
	unsigned events = 0;

	if (!s->open)
		return 0;
	if (s->next_ready < s->n_ready || s->n_errors || s->recv_error_once)
		events |= UDP_HOST_READ;
	if (s->room)
		events |= UDP_HOST_WRITE;
	return events & s->watched;
}

void fake_udp_run(struct env *env, struct fake_udp *f)
{
	bool again = true;

	for (int turn = 0; again; turn++) {
		must(turn < 10000); /* else it spins */
		again = false;
		for (size_t i = 0; i < f->n_socks; i++) {
			unsigned events = readiness(&f->socks[i]);

			if (!events)
				continue;
			udp_from_host(env, f->socks[i].flow, events);
			again = true;
		}
	}
}
