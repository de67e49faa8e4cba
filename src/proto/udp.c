/* proto/udp.c: life of UDP flows, and the host's datagrams on their way to the guest.
 *
 * Backpressure: datagrams are read into one buffer that all flows share.  When the link gets
 * full, what is in the buffer stays there, every flow whose socket turns readable is paused,
 * and udp_room() lets them go on: nothing that was read is lost, and no flow needs memory.
 */
#include "proto/udp.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "flow/details.h"
#include "proto/dhcp4.h"
#include "proto/event.h"
#include "proto/guest.h"
#include "proto/host_error.h"
#include "proto/icmp.h"
#include "proto/multicast.h"
#include "proto/preempt.h"
#include "proto/udp_flow.h"

#define IP4_BROADCAST 0xffffffffu
#define RX_BURST  4 /* datagrams at once, and more come in no time */
#define RX_ROUNDS 4 /* reads of a socket in a wake-up, so that others get their turn */
/* not a multiple of the page size: the starts of the buffers spread over the cache */
#define RX_STRIDE (65536 + 64)

struct udp *udp_new(struct env *env, const struct udp_host_ops *ops, void *host)
{
	struct udp *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->rx = malloc((size_t)UDP_RX * RX_STRIDE);
	if (!u->rx) {
		free(u);
		return NULL;
	}
	u->ops = ops;
	u->host = host;
	list_init(&u->unassured);
	list_init(&u->dirty);
	list_init(&u->paused);
	list_init(&u->waiting);
	udp_echo_init(&u->echoes);
	return u;
}

void udp_free(struct udp *u)
{
	if (!u)
		return;
	free(u->rx);
	free(u);
}

/* Flow life */

/* A lively exchange, as connection tracking has it: answers, and more than one question. */
static bool is_assured(const struct flow *flow)
{
	return flow->packets_out && flow->packets_in && flow->packets_out + flow->packets_in > 2;
}

static const char *state(const struct flow *flow)
{
	if (is_assured(flow))
		return "ASSURED";
	return flow->packets_in && flow->packets_out ? "REPLIED" : "UNREPLIED";
}

static uint64_t deadline(const struct udp_flow *f)
{
	const struct conf_timeouts *t = f->timeouts;

	return f->flow.used_ns +
	       (is_assured(&f->flow) ? t->udp_stream : t->udp_oneway) * NS_PER_SEC;
}

static uint64_t timeout(const struct env *env, const struct flow *flow)
{
	uint64_t due = deadline(container_of(flow, const struct udp_flow, flow));

	return due > env->now_ns ? due - env->now_ns : 0;
}

static void class_close(struct env *env, struct flow *flow, enum flow_close_reason reason)
{
	udp_flow_close(env, udp_flow_of(flow), reason);
}

static void details(const struct flow *flow, struct flow_details *d)
{
	d->queue_out = container_of(flow, const struct udp_flow, flow)->queued;
}

static const struct flow_class class = { "udp", state, class_close, timeout, details };

static void timer_fired(struct timer *t, void *ctx)
{
	struct udp_flow *f = container_of(t, struct udp_flow, flow.timer);
	struct env *env = ctx;
	uint64_t due = deadline(f);

	/* traffic only moves the deadline; the timer is touched when it fires */
	if (due > env->now_ns)
		timerq_set(&env->timers, t, due);
	else
		udp_flow_close(env, f, FLOW_CLOSED_IDLE);
}

static void log_opened(const struct flow *flow)
{
	char guest[ENDPOINT_STR_MAX], peer[ENDPOINT_STR_MAX];

	log_debug(UDP, "flow %llu: opened %s: guest %s, peer %s", (unsigned long long)flow->id,
		  flow_dir_name(flow->dir),
		  endpoint_print(&(struct endpoint){ flow->key.guest, flow->key.guest_port },
				 guest),
		  endpoint_print(&(struct endpoint){ flow->key.peer, flow->key.peer_port },
				 peer));
}

static void init_lists(struct udp_flow *f)
{
	list_init(&f->of_via);
	list_init(&f->unassured);
	list_init(&f->paused);
	list_init(&f->dirty);
	list_init(&f->queue);
}

struct udp_flow *udp_flow_new(struct env *env, const struct flow_key *key, enum flow_dir dir,
			      int *err)
{
	struct udp_flow *f = calloc(1, sizeof(*f));
	int rc = -ENOMEM;

	if (f) {
		f->flow.class = &class;
		f->flow.key = *key;
		f->flow.dir = dir;
		f->flow.timer.fire = timer_fired;
		f->timeouts = &env->conf->timeouts;
		f->path = (struct udp_path)UDP_PATH_UNKNOWN;
		init_lists(f);
		rc = preempt_insert(env, &f->flow);
	}
	if (rc) {
		free(f);
		*err = -rc;
		return NULL;
	}
	list_append(&env->udp->unassured, &f->unassured);
	timerq_set(&env->timers, &f->flow.timer, deadline(f));
	log_opened(&f->flow);
	return f;
}

static struct udp_keeper *keeper_of(struct udp *u, const struct addr *guest)
{
	return &u->keepers[addr_is_ip4(guest)];
}

void udp_flow_close(struct env *env, struct udp_flow *f, enum flow_close_reason reason)
{
	struct udp *u = env->udp;

	udp_send_flush(env, f);
	udp_send_forget(env, f);
	if (u->rx_flow == f)
		u->rx_flow = NULL;
	list_remove(&f->of_via);
	list_remove(&f->unassured);
	list_remove(&f->paused);
	list_remove(&f->dirty);
	if (f->keeps_port)
		keeper_of(u, &f->flow.key.guest)->n--;
	if (f->sock)
		u->ops->close(f->sock);
	timerq_cancel(&env->timers, &f->flow.timer);
	flow_table_remove(&env->flows, &f->flow, reason, env->now_ns);
	log_debug(UDP, "flow %llu: closed: %s", (unsigned long long)f->flow.id,
		  flow_close_reason_name(reason));
	free(f);
}

bool udp_preempt(struct env *env)
{
	struct udp *u = env->udp;

	if (!u || list_empty(&u->unassured))
		return false;
	env->stats.udp_preempted++;
	udp_flow_close(env, container_of(u->unassured.next, struct udp_flow, unassured),
		       FLOW_CLOSED_PREEMPTED);
	return true;
}

static void assure(struct udp_flow *f)
{
	if (list_linked(&f->unassured) && is_assured(&f->flow))
		list_remove(&f->unassured);
}

void udp_flow_out(struct env *env, struct udp_flow *f, size_t len)
{
	env->stats.udp_from_guest++;
	f->flow.packets_out++;
	flow_count(&f->flow, env->now_ns, len, 0);
	f->flow.used_ns = env->now_ns;
	assure(f);
}

void udp_flow_in(struct env *env, struct udp_flow *f, size_t len)
{
	env->stats.udp_to_guest++;
	f->flow.packets_in++;
	flow_count(&f->flow, env->now_ns, 0, len);
	f->flow.used_ns = env->now_ns;
	assure(f);
}

/* From the guest */

static bool may_keep_port(struct udp *u, const struct addr *guest)
{
	struct udp_keeper *k = keeper_of(u, guest);

	if (!k->n)
		k->guest = *guest;
	return addr_eq(&k->guest, guest);
}

/* Ends an older flow for the sake of `self`, which finds no descriptor. */
static bool make_room(struct env *env, const struct udp_flow *self)
{
	event_limit_reached(env, LIMIT_OPEN_FILES);
	return (env->udp->unassured.next != &self->unassured && udp_preempt(env)) ||
	       icmp_preempt(env);
}

static void *try_socket(struct udp *u, struct udp_flow *f, uint16_t port, int *err)
{
	return (f->group ? u->ops->open_group : u->ops->open)(u->host, f, &f->flow.peer, port, err);
}

static int open_socket(struct env *env, struct udp_flow *f)
{
	struct udp *u = env->udp;
	bool keep = may_keep_port(u, &f->flow.key.guest);
	uint16_t port = keep ? f->flow.key.guest_port : 0;
	int err = 0;

	f->sock = try_socket(u, f, port, &err);
	/* other flows hold descriptors that this one needs more */
	if (!f->sock && (err == EMFILE || err == ENFILE) && make_room(env, f))
		f->sock = try_socket(u, f, port, &err);
	if (!f->sock)
		return -err;
	u->ops->local(f->sock, &f->flow.host);
	f->keeps_port = keep;
	keeper_of(u, &f->flow.key.guest)->n += keep;
	if (f->flow.host.port != f->flow.key.guest_port)
		env->stats.udp_ports_changed++;
	udp_flow_watch(env, f);
	return 0;
}

/* Nothing is sent for this packet: the guest shall know why, unless it was for a group. */
static enum drop refuse(struct env *env, const struct pkt *p, int error)
{
	struct host_error e = host_error_from_errno(env->net, &p->src, error);

	env->stats.udp_errors += guest_send_icmp_error(env, p, &e.from, &e.icmp);
	return error == ENOMEM	 ? DROP_MEMORY
	       : error == ENOSPC ? DROP_FLOW_LIMIT
				 : DROP_HOST_SOCKET;
}

static struct udp_flow *open_flow(struct env *env, const struct flow_key *key, int *err)
{
	static struct log_limit limit;
	struct udp_flow *f = udp_flow_new(env, key, FLOW_OUT, err);
	char text[ENDPOINT_STR_MAX];

	if (!f)
		return NULL;
	f->group = net_is_group(env->net, &key->peer);
	f->flow.peer = (struct endpoint){ net_to_host(env->net, &key->peer), key->peer_port };
	*err = -open_socket(env, f);
	if (!*err)
		return f;
	log_limited(&limit, env->now_ns, LOG_LEVEL_DEBUG, LOG_UNIT_UDP, "no socket to %s: %s",
		    endpoint_print(&f->flow.peer, text), strerror(*err));
	f->flow.error = (uint16_t)*err;
	udp_flow_close(env, f, FLOW_CLOSED_HOST_ERROR);
	return NULL;
}

/* What nobody beyond the guest's link shall hear; a network's DHCP is one of its own. */
static bool stays_on_link(const struct net *net, const struct pkt *p)
{
	return net_is_group(net, &p->dst) &&
	       (net_stays_on_link(net, &p->dst) ||
		(p->udp.dport == DHCP4_SERVER_PORT && addr_is_ip4(&p->dst)));
}

enum drop udp_from_guest(struct env *env, const struct pkt *p)
{
	struct flow_key key = { .guest = p->src,
				.peer = p->dst,
				.guest_port = p->udp.sport,
				.peer_port = p->udp.dport,
				.proto = FLOW_UDP };
	struct flow *flow;
	struct udp_flow *f;
	int err;

	if (!key.peer_port)
		return DROP_UDP_PORT;
	if (addr_is_unspecified(&p->src))
		return DROP_IP_SOURCE;
	if (stays_on_link(env->net, p))
		return DROP_IP_DESTINATION;
	flow = flow_table_lookup(&env->flows, &key);
	f = flow ? udp_flow_of(flow) : open_flow(env, &key, &err);
	if (!f)
		return refuse(env, p, err);
	if (f->group)
		multicast_flow(env, &f->flow.peer);
	udp_flow_out(env, f, p->payload_len);
	udp_send(env, f, p);
	return DROP_NONE;
}

void udp_refused_by_guest(struct env *env, const struct endpoint *guest,
			  const struct endpoint *peer)
{
	struct flow_key key = { .guest = guest->addr,
				.peer = peer->addr,
				.guest_port = guest->port,
				.peer_port = peer->port,
				.proto = FLOW_UDP };
	struct flow *flow = flow_table_lookup(&env->flows, &key);

	if (flow)
		udp_flow_close(env, udp_flow_of(flow), FLOW_CLOSED_REFUSED);
}

/* From the host */

void udp_flow_watch(struct env *env, struct udp_flow *f)
{
	if (f->sock)
		env->udp->ops->watch(f->sock,
				     (list_linked(&f->paused) ? 0u : UDP_HOST_READ) |
					     (list_empty(&f->queue) ? 0u : UDP_HOST_WRITE));
}

int udp_to_guest(struct env *env, struct udp_flow *f, const struct udp_datagram *d,
		 const void *data, size_t len)
{
	const struct flow_key *key = &f->flow.key;
	uint16_t sport = f->group ? d->from.port : key->peer_port;
	struct guest_out out = { .src = key->peer,
				 .dst = key->guest,
				 .ttl = d->ttl,
				 .tos = d->tos,
				 .flow_label = flow_label(f->flow.hash),
				 .bulk = true };
	int rc;

	if (env->to_guest.on && !shaper_pass(env, &env->to_guest, (uint32_t)len)) {
		env->stats.udp_over_rate_in++;
		return 0;
	}
	if (f->group)
		out.src = net_to_guest(env->net, &d->from.addr);
	if (f->group && d->to_all) {
		out.dst = addr_ip4(IP4_BROADCAST);
		out.has_mac = true;
		out.mac = MAC_BROADCAST;
	}
	rc = guest_send_udp(env, &out, sport, key->guest_port, data, len);
	env->udp->full = rc == -ENOBUFS;
	if (!rc)
		udp_flow_in(env, f, len);
	return rc;
}

void udp_error_to_guest(struct env *env, struct udp_flow *f, const struct host_error *e)
{
	uint8_t l4[UDP_HEADER_LEN + HOST_ERROR_QUOTE_MAX];
	struct wr w = wr_init(l4, sizeof(l4));
	struct host_error_packet p = { .flow = &f->flow,
				       .proto = IP_UDP,
				       .ttl = f->ip.ttl,
				       .tos = f->ip.tos,
				       .dont_fragment = f->ip.dont_fragment,
				       .len = f->last_len,
				       .l4 = l4 };

	udp_encode(&w, &(struct udp_hdr){ .sport = f->flow.key.guest_port,
					  .dport = f->flow.key.peer_port,
					  .len = f->last_len,
					  .checksum = f->last_checksum });
	wr_bytes(&w, e->quote, e->len);
	p.l4_len = wr_len(&w) < p.len ? wr_len(&w) : p.len;
	env->stats.udp_errors += host_error_send(env, e, &p);
}

int udp_read_errors(struct env *env, struct udp_flow *f)
{
	struct host_error e;
	int n = 0;

	if (f->via)
		return f->via->ops->read_errors(f->via);
	for (; n < UDP_RX && !env->udp->ops->error(f->sock, &e); n++)
		udp_error_to_guest(env, f, &e);
	return n;
}

static void pause_flow(struct env *env, struct udp_flow *f)
{
	if (list_linked(&f->paused))
		return;
	env->stats.udp_paused++;
	list_append(&env->udp->paused, &f->paused);
	udp_flow_watch(env, f);
}

/* Whether a datagram is for the guest.  What went to all reaches every socket at its port: the
 * guest gets it as answer to what it asked, and not its own. */
static bool is_wanted(struct env *env, const struct udp_flow *f, const struct udp_datagram *d,
		      const void *data, size_t len)
{
	if (!f->group || !d->to_all)
		return true;
	return d->from.port == f->flow.peer.port &&
	       !udp_echo_came(&env->udp->echoes, env->now_ns, &d->from, f->flow.host.port, data,
			      len);
}

/* Hands on what is in the buffer, as far as the link has room. */
static void deliver(struct env *env)
{
	struct udp *u = env->udp;

	while (u->rx_next < u->rx_end) {
		const struct udp_datagram *d = &u->rx_got[u->rx_next];
		size_t left = d->payload.iov_len - u->rx_offset;
		size_t len = left < d->segment ? left : d->segment;
		const uint8_t *data = (uint8_t *)d->payload.iov_base + u->rx_offset;

		if (is_wanted(env, u->rx_flow, d, data, len) &&
		    udp_to_guest(env, u->rx_flow, d, data, len) == -ENOBUFS)
			return;
		u->rx_offset += len;
		if (u->rx_offset == d->payload.iov_len) {
			u->rx_next++;
			u->rx_offset = 0;
		}
	}
	u->rx_flow = NULL;
}

static int read_batch(struct udp *u, struct udp_flow *f)
{
	for (int i = 0; i < UDP_RX; i++)
		u->rx_got[i].payload = (struct iovec){ u->rx + (size_t)i * RX_STRIDE, UDP_PAYLOAD_MAX6 };
	return u->ops->recv(f->sock, u->rx_got, UDP_RX);
}

static void receive(struct env *env, struct udp_flow *f)
{
	struct udp *u = env->udp;

	for (int round = 0; round < RX_ROUNDS && !u->full; round++) {
		int n = read_batch(u, f);

		if (n < 0) {
			udp_read_errors(env, f);
			if (n == -EAGAIN)
				return;
			continue;
		}
		u->rx_flow = f;
		u->rx_next = 0;
		u->rx_end = n;
		u->rx_offset = 0;
		deliver(env);
		if (n < UDP_RX) {
			env->burst |= n >= RX_BURST;
			break;
		}
	}
	if (u->full)
		pause_flow(env, f);
}

void udp_from_host(struct env *env, struct udp_flow *f, unsigned events)
{
	if (events & UDP_HOST_WRITE)
		udp_send_queued(env, f);
	if (events & UDP_HOST_READ)
		receive(env, f);
}

void udp_room(struct env *env)
{
	struct udp *u = env->udp;
	struct list *pos, *tmp;

	u->full = false;
	if (u->rx_flow)
		deliver(env);
	while (!u->full && !list_empty(&u->waiting)) {
		struct udp_client_sock *s =
			container_of(u->waiting.next, struct udp_client_sock, waiting);

		list_remove(&s->waiting);
		s->ops->room(s);
	}
	if (u->full)
		return;
	list_for_each(pos, tmp, &u->paused)
	{
		struct udp_flow *f = container_of(pos, struct udp_flow, paused);

		list_remove(&f->paused);
		udp_flow_watch(env, f);
	}
}
