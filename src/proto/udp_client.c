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

static void set_client(struct udp_flow *f, const struct udp_client *client)
{
	f->client = *client;
	f->flow.peer = client->addr;
	f->flow.host = (struct endpoint){ client->local, f->via->port };
}

/* Also one that the guest opened can be. */
static bool is_flow_of(const struct udp_flow *f, const struct udp_client *client)
{
	return endpoint_eq(&f->flow.peer, &client->addr) &&
	       (!f->via || f->client.link == client->link);
}

/* The client's flow, or NULL with the port in `key` that a new one can have.  -EEXIST: there is
 * none. */
static int find_flow(struct env *env, const struct udp_client *client, struct flow_key *key,
		     struct udp_flow **found)
{
	for (unsigned choice = 0; choice < FLOW_PORT_CHOICES; choice++) {
		struct flow *flow;

		key->peer_port = flow_port_choice(client->addr.port, choice);
		flow = flow_table_lookup(&env->flows, key);
		*found = flow ? udp_flow_of(flow) : NULL;
		if (!*found || is_flow_of(*found, client))
			return 0;
	}
	return -EEXIST;
}

static int find_or_open(struct env *env, struct udp_client_sock *via,
			const struct udp_client *client, struct flow_key *key,
			struct udp_flow **f)
{
	int rc = find_flow(env, client, key, f), err;

	if (rc)
		return rc;
	/* of another forward that leads to the same port of the guest */
	if (*f && (*f)->via && (*f)->via != via) {
		udp_flow_close(env, *f, FLOW_CLOSED_PREEMPTED);
		*f = NULL;
	}
	if (*f)
		return 0;
	*f = udp_flow_new(env, key, FLOW_IN, &err);
	if (!*f)
		return -err;
	(*f)->via = via;
	(*f)->flow.forward = via->forward;
	list_append(&via->flows, &(*f)->of_via);
	return 0;
}

bool udp_client_room(struct env *env, struct udp_client_sock *s)
{
	if (!env->udp->full)
		return true;
	list_remove(&s->waiting);
	list_append(&env->udp->waiting, &s->waiting);
	return false;
}

int udp_from_client(struct env *env, struct udp_client_sock *via,
		    const struct udp_client *client, const struct addr *shown,
		    const struct endpoint *guest, const void *data, size_t len)
{
	struct flow_key key = { .guest = guest->addr,
				.peer = *shown,
				.guest_port = guest->port,
				.proto = FLOW_UDP };
	struct udp_flow *f;
	int rc;

	if (!env->guest.connected)
		return -ENETDOWN;
	if (!udp_client_room(env, via))
		return -ENOBUFS;
	rc = find_or_open(env, via, client, &key, &f);
	if (rc)
		return rc;
	if (f->via)
		set_client(f, client);
	rc = udp_to_guest(env, f, &(struct udp_datagram){ .ttl = client->ttl, .tos = client->tos }, data,
			  len);
	if (rc == -ENOBUFS)
		udp_client_room(env, via); /* there will be */
	return rc;
}

int udp_client_error(struct env *env, const struct udp_client_sock *via,
		     const struct udp_client *client, const struct addr *shown,
		     const struct endpoint *guest, const struct host_error *e)
{
	struct flow_key key = { .guest = guest->addr,
				.peer = *shown,
				.guest_port = guest->port,
				.proto = FLOW_UDP };

	/* those who looked like this one may have left before it */
	for (unsigned choice = 0; choice < FLOW_PORT_CHOICES; choice++) {
		struct udp_flow *f;
		struct flow *flow;

		key.peer_port = flow_port_choice(client->addr.port, choice);
		flow = flow_table_lookup(&env->flows, &key);
		f = flow ? udp_flow_of(flow) : NULL;
		if (!f || f->via != via || !is_flow_of(f, client) || !flow->packets_out)
			continue;
		udp_error_to_guest(env, f, e);
		return 0;
	}
	return -ENOENT;
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
