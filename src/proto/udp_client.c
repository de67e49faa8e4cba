/* proto/udp_client.c: datagrams of a forward's clients to the guest. */
#include <errno.h>

#include "proto/udp_flow.h"

void udp_client_sock_init(struct udp_client_sock *s, const struct udp_client_ops *ops,
			  uint16_t port)
{
	*s = (struct udp_client_sock){ .ops = ops, .port = port };
	list_init(&s->flows);
	list_init(&s->waiting);
}

/* Answers go to the client that was heard last, from the address it sent to: clients on the
 * host's loopback addresses look alike to the guest. */
static void set_client(struct udp_flow *f, struct udp_client_sock *via,
		       const struct endpoint *client, const struct addr *local)
{
	f->flow.peer = *client;
	f->flow.host = (struct endpoint){ *local, via->port };
	f->local = *local;
}

static struct udp_flow *find_or_open(struct env *env, struct udp_client_sock *via,
				     const struct flow_key *key, int *err)
{
	struct flow *flow = flow_table_lookup(&env->flows, key);
	struct udp_flow *f = flow ? udp_flow_of(flow) : NULL;

	/* of another forward that leads to the same port of the guest */
	if (f && f->via && f->via != via) {
		udp_flow_close(env, f, FLOW_CLOSED_PREEMPTED);
		f = NULL;
	}
	if (f)
		return f;
	f = udp_flow_new(env, key, FLOW_IN, err);
	if (!f)
		return NULL;
	f->via = via;
	list_append(&via->flows, &f->of_via);
	return f;
}

bool udp_client_room(struct env *env, struct udp_client_sock *s)
{
	if (!env->udp->full)
		return true;
	list_remove(&s->waiting);
	list_append(&env->udp->waiting, &s->waiting);
	return false;
}

int udp_from_client(struct env *env, struct udp_client_sock *via, const struct endpoint *client,
		    const struct addr *local, const struct endpoint *guest, const void *data,
		    size_t len)
{
	struct flow_key key = { .guest = guest->addr,
				.peer = net_to_guest(env->net, &client->addr),
				.guest_port = guest->port,
				.peer_port = client->port,
				.proto = FLOW_UDP };
	struct udp_flow *f;
	int err = 0;

	if (!env->guest.connected)
		return -ENETDOWN;
	if (!udp_client_room(env, via))
		return -ENOBUFS;
	f = find_or_open(env, via, &key, &err);
	if (!f)
		return -err;
	if (f->via)
		set_client(f, via, client, local);
	if (udp_to_guest(env, f, &(struct udp_datagram){ .ttl = 0 }, data, len) != -ENOBUFS || udp_client_room(env, via))
		return 0;
	return -ENOBUFS;
}

void udp_client_writable(struct env *env, struct udp_client_sock *s)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &s->flows)
		udp_send_queued(env, container_of(pos, struct udp_flow, of_via));
}

void udp_client_sock_end(struct env *env, struct udp_client_sock *s)
{
	list_remove(&s->waiting);
	while (!list_empty(&s->flows))
		udp_flow_close(env, container_of(s->flows.next, struct udp_flow, of_via),
			       FLOW_CLOSED_BY_OPERATOR);
}
