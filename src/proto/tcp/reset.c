/* proto/tcp/reset.c: resets; those for which the link has no room are sent when it has. */
#include <stdlib.h>

#include "proto/tcp/conn.h"

#define OWED_MAX 1024 /* of more, the guest learns when it asks */

struct owed_reset {
	struct list list;
	struct flow_key key;
	struct tcp_hdr header;
};

static void owe(struct env *env, const struct flow_key *key, const struct tcp_hdr *h)
{
	struct tcp *t = env->tcp;
	struct owed_reset *r;

	if (!env->guest.connected || t->n_resets == OWED_MAX || !(r = malloc(sizeof(*r))))
		return;
	r->key = *key;
	r->header = *h;
	list_append(&t->resets, &r->list);
	t->n_resets++;
}

void tcp_send_reset(struct env *env, const struct flow_key *key, uint32_t seq, uint32_t ack,
		    uint8_t flags)
{
	struct tcp_hdr h = { .sport = key->peer_port,
			     .dport = key->guest_port,
			     .seq = seq,
			     .ack = ack,
			     .flags = (uint8_t)(TCP_RST | flags) };

	env->stats.tcp_resets_out++;
	if (!tcp_send_bare(env, key, flow_table_label(&env->flows, key), &h))
		owe(env, key, &h);
}

static void forget(struct tcp *t, struct owed_reset *r)
{
	list_remove(&r->list);
	t->n_resets--;
	free(r);
}

void tcp_send_owed_resets(struct env *env)
{
	struct tcp *t = env->tcp;

	while (!list_empty(&t->resets)) {
		struct owed_reset *r = container_of(t->resets.next, struct owed_reset, list);

		/* a new connection with these ports is not meant */
		if (!flow_table_lookup(&env->flows, &r->key) &&
		    !tcp_send_bare(env, &r->key, flow_table_label(&env->flows, &r->key), &r->header))
			return;
		forget(t, r);
	}
}

void tcp_forget_owed_resets(struct tcp *t)
{
	while (!list_empty(&t->resets))
		forget(t, container_of(t->resets.next, struct owed_reset, list));
}

void tcp_guest_down(struct env *env)
{
	tcp_forget_owed_resets(env->tcp);
}

void tcp_reset_stray(struct env *env, const struct pkt *p)
{
	const struct tcp_hdr *h = &p->tcp;
	uint32_t len =
		(uint32_t)p->payload_len + !!(h->flags & TCP_SYN) + !!(h->flags & TCP_FIN);
	struct flow_key key = { .guest = p->src,
				.peer = p->dst,
				.guest_port = h->sport,
				.peer_port = h->dport,
				.proto = FLOW_TCP };

	if (h->flags & TCP_RST)
		return;
	if (h->flags & TCP_ACK)
		tcp_send_reset(env, &key, h->ack, 0, 0);
	else
		tcp_send_reset(env, &key, 0, h->seq + len, TCP_ACK);
}
