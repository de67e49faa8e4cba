/* lib/fake_groups.c: the host's side of multicast groups as tests see it. */
#include "lib/fake_groups.h"

#include <errno.h>

#include "lib/fake_guest.h"
#include "lib/must.h"
#include "proto/udp_host.h"

static void *group_open(void *host, struct multicast_listener *l, const struct endpoint *group,
			int *err)
{
	struct fake_groups *f = host;
	struct fake_group_sock *s;

	*err = f->open_error;
	if (f->open_error)
		return NULL;
	must(f->n_socks < FAKE_GROUPS_SOCKS);
	s = &f->socks[f->n_socks++];
	f->n_open++;
	*s = (struct fake_group_sock){
		.open = true, .watched = true, .of = f, .listener = l, .at = *group
	};
	return s;
}

static void group_close(void *sock)
{
	struct fake_group_sock *s = sock;

	must(s->open);
	s->open = false;
	s->of->n_open--;
}

static int group_recv(void *sock, struct udp_datagram *d)
{
	struct fake_group_sock *s = sock;
	struct fake_groups *f = s->of;

	must(s->open);
	if (!f->data)
		return -EAGAIN;
	must(f->len <= d->payload.iov_len);
	memcpy(d->payload.iov_base, f->data, f->len);
	d->payload.iov_len = d->segment = f->len;
	d->from = f->from;
	d->ttl = f->ttl;
	d->tos = 0;
	f->data = NULL;
	return 0;
}

static void group_watch(void *sock, bool wanted)
{
	struct fake_group_sock *s = sock;

	must(s->open);
	s->watched = wanted;
}

const struct multicast_host_ops fake_groups_ops = { group_open, group_close, group_recv,
						    group_watch };

struct fake_group_sock *fake_groups_find(struct fake_groups *f, const char *group,
					 uint16_t port)
{
	struct endpoint at = { addr_of(group), port };

	for (size_t i = 0; i < f->n_socks; i++)
		if (f->socks[i].open && endpoint_eq(&f->socks[i].at, &at))
			return &f->socks[i];
	return NULL;
}

void fake_groups_say(struct env *env, struct fake_group_sock *s, const struct endpoint *from,
		     const void *data, size_t len)
{
	struct fake_groups *f = s->of;

	must(s->open);
	f->from = *from;
	f->data = data;
	f->len = len;
	if (s->watched)
		multicast_from_host(env, s->listener);
}
