/* proto/forward_client.c: clients of forwards on their way to the guest. */
#include <errno.h>

#include "base/log.h"
#include "proto/event.h"
#include "proto/forward.h"
#include "proto/guest_addr.h"
#include "proto/tcp/tcp.h"
#include "proto/udp.h"

#define LOOPBACK4 0x7f000001u

/* Where a client is led, and who the guest sees. */
struct way {
	struct endpoint guest, shown;
};

/* -EAFNOSUPPORT: the guest does not have the family of the rule's target. */
static int find_way(const struct env *env, const struct forward *f, uint16_t port,
		    const struct endpoint *client, struct way *w)
{
	const struct forward_rule *r = &f->rule;
	const struct addr loopback4 = addr_ip4(LOOPBACK4), loopback6 = ADDR_LOOPBACK6;
	struct addr shown = net_to_guest(env->net, &client->addr), guest = r->target;
	bool any = addr_is_unspecified(&guest), ip4 = addr_is_ip4(&shown);
	bool to_ip4 = any ? ip4 == guest_addr_in_reach(env, &shown) : addr_is_ip4(&guest);

	if (ip4 != to_ip4)
		shown = net_to_guest(env->net, to_ip4 ? &loopback4 : &loopback6);
	if (any)
		guest = guest_addr_for(env, &shown);
	if (!net_ip(env->net, &guest)->on)
		return -EAFNOSUPPORT;
	w->shown = (struct endpoint){ shown, client->port };
	w->guest = (struct endpoint){ guest, (uint16_t)(r->target_first + (port - r->first)) };
	return 0;
}

static struct flow *find(const struct env *env, const struct way *w)
{
	struct flow_key key = { .guest = w->guest.addr,
				.peer = w->shown.addr,
				.guest_port = w->guest.port,
				.peer_port = w->shown.port,
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
 * alike to the guest, from different addresses that are hidden from it or through two forwards to
 * one port: the later is then shown with another port. */
static int make_distinct(struct env *env, struct way *w, const struct endpoint *client,
			 const struct tcp_host_ops *ops, void *host)
{
	struct flow *old;

	for (unsigned choice = 0; choice < FLOW_PORT_CHOICES; choice++) {
		w->shown.port = flow_port_choice(client->port, choice);
		old = find(env, w);
		if (old && is_left_over(old, client, ops, host)) {
			old->class->close(env, old, FLOW_CLOSED_PREEMPTED);
			old = NULL;
		}
		if (!old)
			return 0;
	}
	return -EEXIST;
}

static int pass_on(struct env *env, struct forward *f, uint16_t port,
		   const struct tcp_host_ops *ops, void *host,
		   void (*set_conn)(void *host, struct tcp_conn *conn),
		   const struct endpoint *client)
{
	struct flow *flow;
	struct way w;
	int rc = env->guest.connected ? find_way(env, f, port, client, &w) : -ENETDOWN;

	if (!rc)
		rc = make_distinct(env, &w, client, ops, host);
	if (rc) {
		ops->close(host, true);
		return rc;
	}
	rc = tcp_open_to_guest(env, ops, host, set_conn, &w.guest, &w.shown, client);
	flow = rc ? NULL : find(env, &w);
	if (flow)
		flow->forward = f->id;
	return rc;
}

static const char *refusal(int rc)
{
	switch (rc) {
	case -ENETDOWN:
		return "no guest is connected";
	case -ENOSPC:
		return "there are too many flows";
	case -EAFNOSUPPORT:
		return "the guest does not have the family of the address that it is to go to";
	case -EEXIST:
		return "too many clients look alike to the guest";
	default:
		return strerror(-rc);
	}
}

static void tell_failed(struct env *env, const struct forward *f, uint16_t port,
			const struct endpoint *client, int rc)
{
	struct event_forward failed = { .id = f->id,
					.port = f->rule,
					.has_client = true,
					.client = *client,
					.error = -rc,
					.reason = refusal(rc) };

	failed.port.first = failed.port.last = port;
	event_tell(env, &(struct event){ .kind = EVENT_FORWARD_FAILED, .forward = &failed });
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
	tell_failed(env, f, port, client, rc);
}

static void count_lost(struct env *env, struct forward *f, uint16_t port,
		       const struct endpoint *client, int rc)
{
	static struct log_limit limit;
	char text[ENDPOINT_STR_MAX];

	f->n_refused++;
	env->stats.forward_lost++;
	log_warn_limited(&limit, env->now_ns, FORWARD,
			 "datagram of UDP client %s at port %u lost: %s",
			 endpoint_print(client, text), port, refusal(rc));
	tell_failed(env, f, port, client, rc);
}

int forward_udp_datagram(struct env *env, struct forward *f, uint16_t port,
			 struct udp_client_sock *via, const struct udp_client *client,
			 const void *data, size_t len)
{
	struct way w;
	int rc = find_way(env, f, port, &client->addr, &w);

	if (!rc)
		rc = udp_from_client(env, via, client, &w.shown.addr, &w.guest, data, len);
	if (rc == -ENOBUFS)
		return rc;
	if (rc) {
		count_lost(env, f, port, &client->addr, rc);
	} else {
		f->n_clients++;
		env->stats.forward_datagrams++;
	}
	return 0;
}

void forward_udp_error(struct env *env, const struct forward *f, uint16_t port,
		       const struct udp_client_sock *via, const struct udp_client *client,
		       const struct host_error *e)
{
	struct way w;

	if (!env->guest.connected || find_way(env, f, port, &client->addr, &w) ||
	    udp_client_error(env, via, client, &w.shown.addr, &w.guest, e))
		env->stats.forward_errors_lost++;
}
