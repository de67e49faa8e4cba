/* proto/forward_client.c: clients of forwards on their way to the guest. */
#include <errno.h>

#include "base/log.h"
#include "proto/forward.h"
#include "proto/guest_addr.h"
#include "proto/tcp/tcp.h"
#include "proto/udp.h"

/* Where other ports for clients that look alike begin (RFC 6335 6: dynamic ports). */
#define DYNAMIC_FIRST 49152u
#define DYNAMIC_N     16384u
#define TRIES	      64u

/* `client` as the guest sees it. */
static struct endpoint target(const struct env *env, const struct forward *f, uint16_t port,
			      const struct addr *client)
{
	const struct forward_rule *r = &f->rule;

	return (struct endpoint){ addr_is_unspecified(&r->target) ? guest_addr_for(env, client)
								  : r->target,
				  (uint16_t)(r->target_first + (port - r->first)) };
}

static struct flow *find(const struct env *env, const struct endpoint *guest,
			 const struct endpoint *client)
{
	struct flow_key key = { .guest = guest->addr,
				.peer = client->addr,
				.guest_port = guest->port,
				.peer_port = client->port,
				.proto = FLOW_TCP };

	return flow_table_lookup(&env->flows, &key);
}

/* Whether the flow's own addresses and ports on the host are those of the new client: then its
 * client has let go of it. */
static bool is_left_over(const struct flow *old, const struct endpoint *client,
			 const struct tcp_host_ops *ops, void *host)
{
	struct endpoint local;

	ops->local(host, &local);
	return endpoint_eq(&old->peer, client) && endpoint_eq(&old->host, &local);
}

/* Makes the client one that the guest has no connection with; -EEXIST.  Two of them can look
 * alike to the guest, from different loopback addresses or through two forwards to one port:
 * the later is then shown with another port. */
static int make_distinct(struct env *env, const struct endpoint *guest, struct endpoint *shown,
			 const struct endpoint *client, const struct tcp_host_ops *ops,
			 void *host)
{
	struct flow *old = find(env, guest, shown);

	if (old && is_left_over(old, client, ops, host)) {
		old->class->close(env, old, FLOW_CLOSED_PREEMPTED);
		old = NULL;
	}
	for (unsigned i = 0; old && i < TRIES; i++) {
		shown->port = (uint16_t)(DYNAMIC_FIRST + (client->port + 1 + i) % DYNAMIC_N);
		old = find(env, guest, shown);
	}
	return old ? -EEXIST : 0;
}

static int pass_on(struct env *env, struct forward *f, uint16_t port,
		   const struct tcp_host_ops *ops, void *host,
		   void (*set_conn)(void *host, struct tcp_conn *conn),
		   const struct endpoint *client)
{
	struct endpoint shown = { net_to_guest(env->net, &client->addr), client->port };
	struct endpoint guest = target(env, f, port, &shown.addr);
	int rc = -ENETDOWN;

	if (env->guest.connected)
		rc = make_distinct(env, &guest, &shown, client, ops, host);
	if (rc) {
		ops->close(host, true);
		return rc;
	}
	return tcp_open_to_guest(env, ops, host, set_conn, &guest, &shown, client);
}

static const char *refusal(int rc)
{
	switch (rc) {
	case -ENETDOWN:
		return "no guest is connected";
	case -ENOSPC:
		return "there are too many flows";
	default:
		return strerror(-rc);
	}
}

void forward_tcp_client(struct env *env, struct forward *f, uint16_t port,
			const struct tcp_host_ops *ops, void *host,
			void (*set_conn)(void *host, struct tcp_conn *conn),
			const struct endpoint *client)
{
	static struct log_limit refused_limit;
	char text[ENDPOINT_STR_MAX];
	int rc = pass_on(env, f, port, ops, host, set_conn, client);

	endpoint_print(client, text);
	if (!rc) {
		f->n_clients++;
		env->stats.forward_clients++;
		log_debug(FORWARD, "TCP client %s at port %u", text, port);
		return;
	}
	f->n_refused++;
	env->stats.forward_refused++;
	log_warn_limited(&refused_limit, env->now_ns, FORWARD,
			 "TCP client %s at port %u reset: %s", text, port, refusal(rc));
}

int forward_udp_datagram(struct env *env, struct forward *f, uint16_t port,
			 struct udp_client_sock *via, const struct endpoint *client,
			 const struct addr *local, const void *data, size_t len)
{
	struct addr shown = net_to_guest(env->net, &client->addr);
	struct endpoint guest = target(env, f, port, &shown);
	int rc = udp_from_client(env, via, client, local, &guest, data, len);

	if (rc == -ENOBUFS)
		return rc;
	if (rc) {
		f->n_refused++;
		env->stats.forward_lost++;
	} else {
		f->n_clients++;
		env->stats.forward_datagrams++;
	}
	return 0;
}
