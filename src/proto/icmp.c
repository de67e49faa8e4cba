/* proto/icmp.c: echo requests through ping sockets, and our own replies for the gateway. */
#include "proto/icmp.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "proto/guest.h"
#include "proto/host_error.h"
#include "proto/preempt.h"
#include "wire/icmp6.h"

#define RX_BUDGET 32 /* replies read from a socket in a wake-up */

struct icmp_flow {
	struct flow flow;
	void *sock;
	struct list oldest; /* in order of their making */
	const struct conf_timeouts *timeouts;
	struct host_ip ip; /* of the latest request; what the socket is set to */
};

struct icmp {
	const struct icmp_host_ops *ops;
	void *host;
	struct list flows;
	bool forbidden; /* the host allows no ping sockets; has been logged */
};

struct icmp *icmp_new(struct env *env, const struct icmp_host_ops *ops, void *host)
{
	struct icmp *icmp = calloc(1, sizeof(*icmp));

	if (!icmp)
		return NULL;
	icmp->ops = ops;
	icmp->host = host;
	list_init(&icmp->flows);
	return icmp;
}

void icmp_free(struct icmp *icmp)
{
	free(icmp);
}

/* Flow life */

static struct icmp_flow *flow_of(struct flow *flow)
{
	return container_of(flow, struct icmp_flow, flow);
}

static const char *state(const struct flow *flow)
{
	return flow->packets_in ? "REPLIED" : "UNREPLIED";
}

static uint64_t deadline(const struct flow *flow)
{
	const struct icmp_flow *f = container_of(flow, const struct icmp_flow, flow);

	return flow->used_ns + f->timeouts->icmp * NS_PER_SEC;
}

static uint64_t timeout(const struct env *env, const struct flow *flow)
{
	return deadline(flow) > env->now_ns ? deadline(flow) - env->now_ns : 0;
}

static void close_flow(struct env *env, struct flow *flow, enum flow_close_reason reason)
{
	struct icmp_flow *f = flow_of(flow);

	if (f->sock)
		env->icmp->ops->close(f->sock);
	list_remove(&f->oldest);
	timerq_cancel(&env->timers, &flow->timer);
	flow_table_remove(&env->flows, flow, reason, env->now_ns);
	log_debug(ICMP, "flow %llu: closed: %s", (unsigned long long)flow->id,
		  flow_close_reason_name(reason));
	free(f);
}

static const struct flow_class class = { "icmp", state, close_flow, timeout };

static void timer_fired(struct timer *t, void *ctx)
{
	struct flow *flow = container_of(t, struct flow, timer);
	struct env *env = ctx;

	if (deadline(flow) > env->now_ns)
		timerq_set(&env->timers, t, deadline(flow));
	else
		close_flow(env, flow, FLOW_CLOSED_IDLE);
}

bool icmp_preempt(struct env *env)
{
	struct icmp *icmp = env->icmp;

	if (!icmp || list_empty(&icmp->flows))
		return false;
	close_flow(env, &container_of(icmp->flows.next, struct icmp_flow, oldest)->flow,
		   FLOW_CLOSED_PREEMPTED);
	return true;
}

static void log_opened(const struct flow *flow)
{
	char guest[ADDR_STR_MAX], peer[ADDR_STR_MAX];

	log_debug(ICMP, "flow %llu: opened: guest %s, id %u, peer %s",
		  (unsigned long long)flow->id, addr_print(&flow->key.guest, guest),
		  flow->key.guest_port, addr_print(&flow->key.peer, peer));
}

static struct icmp_flow *new_flow(struct env *env, const struct flow_key *key, int *err)
{
	struct icmp_flow *f = calloc(1, sizeof(*f));

	*err = ENOMEM;
	if (!f)
		return NULL;
	f->flow.class = &class;
	f->flow.key = *key;
	f->flow.peer.addr = net_to_host(env->net, &key->peer);
	f->flow.timer.fire = timer_fired;
	list_init(&f->oldest);
	f->timeouts = &env->conf->timeouts;
	*err = -preempt_insert(env, &f->flow);
	if (*err) {
		free(f);
		return NULL;
	}
	timerq_set(&env->timers, &f->flow.timer, deadline(&f->flow));
	log_opened(&f->flow);
	return f;
}

static void tell_forbidden(struct icmp *icmp)
{
	if (!icmp->forbidden)
		log_warn(ICMP, "the host allows no ping sockets: the guest cannot ping; widen "
			       "the sysctl "
			       "net.ipv4.ping_group_range to our group");
	icmp->forbidden = true;
}

static struct icmp_flow *open_flow(struct env *env, const struct flow_key *key, int *err)
{
	struct icmp *icmp = env->icmp;
	struct icmp_flow *f = new_flow(env, key, err);

	if (!f)
		return NULL;
	f->sock = icmp->ops->open(icmp->host, f, &f->flow.peer.addr, err);
	if (!f->sock && (*err == EMFILE || *err == ENFILE) && preempt_descriptor(env))
		f->sock = icmp->ops->open(icmp->host, f, &f->flow.peer.addr, err);
	if (f->sock) {
		list_append(&icmp->flows, &f->oldest);
		icmp->ops->local(f->sock, &f->flow.host);
		icmp->forbidden = false;
		return f;
	}
	if (*err == EACCES || *err == EPERM)
		tell_forbidden(icmp);
	f->flow.error = (uint16_t)*err;
	close_flow(env, &f->flow, FLOW_CLOSED_HOST_ERROR);
	return NULL;
}

/* To the guest */

static int send_reply(struct env *env, const struct guest_out *o, uint16_t id,
		      const struct icmp_reply *r)
{
	uint8_t type = addr_is_ip4(&o->src) ? ICMP_TYPE_ECHO_REPLY : ICMP6_TYPE_ECHO_REPLY;

	return guest_send_icmp(env, o, &(struct icmp_hdr){ type, 0, id, r->seq }, r->payload, r->len);
}

/* As the gateway itself. */
static enum drop reply_ourselves(struct env *env, const struct pkt *p)
{
	struct guest_out out = { .src = net_ip(env->net, &p->dst)->gateway, .dst = p->src, .tos = p->tos };
	struct icmp_reply r = { .seq = p->icmp.seq,
				.len = p->payload_len,
				.payload = p->payload };

	if (send_reply(env, &out, p->icmp.id, &r))
		env->stats.icmp_lost++;
	else
		env->stats.icmp_own_replies++;
	return DROP_NONE;
}

static void reply_from_host(struct env *env, struct icmp_flow *f, const struct icmp_reply *r)
{
	const struct flow_key *key = &f->flow.key;
	struct guest_out out = { .src = key->peer,
				 .dst = key->guest,
				 .ttl = r->ttl,
				 .tos = r->tos,
				 .flow_label = flow_label(f->flow.hash),
				 .bulk = true };

	f->flow.used_ns = env->now_ns;
	if (env->to_guest.on && !shaper_pass(env, &env->to_guest, (uint32_t)r->len)) {
		env->stats.icmp_over_rate_in++;
		return;
	}
	f->flow.packets_in++;
	flow_count(&f->flow, env->now_ns, 0, r->len);
	if (send_reply(env, &out, key->guest_port, r))
		env->stats.icmp_lost++;
	else
		env->stats.icmp_replies++;
}

/* RFC 1624: the checksum after one 16-bit word of what it covers changed. */
static uint16_t checksum_replaced(uint16_t checksum, uint16_t from, uint16_t to)
{
	uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~from + to;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ICMPv6's checksum covers the addresses, which are not the host's for the guest. */
static uint16_t checksum_moved(uint16_t checksum, const struct addr *from, const struct addr *to)
{
	for (int i = 0; i < 16; i += 2)
		checksum = checksum_replaced(checksum, get_be16(from->b + i), get_be16(to->b + i));
	return checksum;
}

/* The error quotes the request with the identifier that the kernel gave it. */
static void pass_error(struct env *env, struct icmp_flow *f, struct host_error *e)
{
	const struct flow_key *k = &f->flow.key;
	bool ip4 = addr_is_ip4(&k->guest);
	struct host_error_packet p = { .flow = &f->flow,
				       .proto = ip4 ? IP_ICMP : IP_ICMP6,
				       .ttl = f->ip.ttl,
				       .tos = f->ip.tos,
				       .dont_fragment = f->ip.dont_fragment,
				       .len = e->len,
				       .l4 = e->quote,
				       .l4_len = e->len };
	uint16_t checksum;

	if (e->len < ICMP_HEADER_LEN)
		return;
	checksum = checksum_replaced(get_be16(e->quote + 2), get_be16(e->quote + 4), k->guest_port);
	if (!ip4) {
		checksum = checksum_moved(checksum, &f->flow.host.addr, &k->guest);
		checksum = checksum_moved(checksum, &f->flow.peer.addr, &k->peer);
	}
	put_be16(e->quote + 2, checksum);
	put_be16(e->quote + 4, k->guest_port);
	env->stats.icmp_errors += host_error_send(env, e, &p);
}

static void read_errors(struct env *env, struct icmp_flow *f)
{
	struct host_error e;

	for (int i = 0; i < RX_BUDGET && !env->icmp->ops->error(f->sock, &e); i++)
		pass_error(env, f, &e);
}

void icmp_from_host(struct env *env, struct icmp_flow *f)
{
	struct icmp_reply r;

	for (int i = 0; i < RX_BUDGET; i++) {
		int rc = env->icmp->ops->recv(f->sock, &r);

		if (!rc)
			reply_from_host(env, f, &r);
		else
			read_errors(env, f);
		if (rc == -EAGAIN)
			return;
	}
}

/* From the guest */

static enum drop refuse(struct env *env, const struct pkt *p, int error)
{
	struct host_error e = host_error_from_errno(env->net, &p->src, error);

	env->stats.icmp_errors += guest_send_icmp_error(env, p, &e.from, &e.icmp);
	return error == ENOMEM	 ? DROP_MEMORY
	       : error == ENOSPC ? DROP_FLOW_LIMIT
				 : DROP_HOST_SOCKET;
}

static enum drop send_request(struct env *env, struct icmp_flow *f, const struct pkt *p)
{
	const struct icmp_host_ops *ops = env->icmp->ops;
	struct host_ip ip = { p->ttl, p->tos, p->dont_fragment };
	int rc;

	if (env->to_host.on && !shaper_pass(env, &env->to_host, (uint32_t)p->payload_len)) {
		env->stats.icmp_over_rate_out++;
		return DROP_NONE;
	}
	if (ip.ttl != f->ip.ttl || ip.tos != f->ip.tos ||
	    ip.dont_fragment != f->ip.dont_fragment)
		ops->set_ip(f->sock, &ip);
	f->ip = ip;
	f->flow.packets_out++;
	flow_count(&f->flow, env->now_ns, p->payload_len, 0);
	f->flow.used_ns = env->now_ns;
	rc = ops->send(f->sock, p->icmp.seq, p->payload, p->payload_len);
	if (rc && rc != -EAGAIN) {
		/* an ICMP error that came for an earlier request fails the next call, once */
		read_errors(env, f);
		rc = ops->send(f->sock, p->icmp.seq, p->payload, p->payload_len);
	}
	if (!rc)
		return DROP_NONE;
	if (rc != -EAGAIN && rc != -ENOBUFS && rc != -EMSGSIZE)
		refuse(env, p, -rc);
	return DROP_HOST_SEND;
}

static bool is_unmapped_gateway(const struct net *net, const struct addr *a)
{
	const struct net_ip *ip = net_ip(net, a);

	return addr_eq(a, &ip->gateway) &&
	       !(ip->map_loopback_set && addr_eq(a, &ip->map_loopback));
}

/* All nodes or all routers of the link, of which the gateway is one (RFC 4443 4.2). */
static bool is_all_of_link(const struct addr *a)
{
	static const struct addr nodes = ADDR_ALL_NODES6, routers = { .b = { 0xff, 2, [15] = 2 } };

	return addr_eq(a, &nodes) || addr_eq(a, &routers);
}

static enum drop echo(struct env *env, const struct pkt *p)
{
	struct flow_key key = {
		.guest = p->src, .peer = p->dst, .guest_port = p->icmp.id, .proto = FLOW_ICMP
	};
	struct flow *flow;
	struct icmp_flow *f;
	int err;

	if (addr_is_unspecified(&p->src))
		return DROP_IP_SOURCE;
	if (is_all_of_link(&p->dst))
		return reply_ourselves(env, p);
	if (addr_is_multicast(&p->dst) || net_is_broadcast(env->net, &p->dst))
		return DROP_IP_DESTINATION;
	env->stats.icmp_requests++;
	if (is_unmapped_gateway(env->net, &p->dst))
		return reply_ourselves(env, p);
	flow = flow_table_lookup(&env->flows, &key);
	f = flow ? flow_of(flow) : open_flow(env, &key, &err);
	if (f)
		return send_request(env, f, p);
	if ((err == EACCES || err == EPERM) && addr_eq(&p->dst, &net_ip(env->net, &p->dst)->gateway))
		return reply_ourselves(env, p);
	return refuse(env, p, err);
}

enum drop icmp_from_guest(struct env *env, const struct pkt *p)
{
	if (p->icmp.type != (addr_is_ip4(&p->src) ? ICMP_TYPE_ECHO : ICMP6_TYPE_ECHO))
		return DROP_ICMP_TYPE;
	return echo(env, p);
}
