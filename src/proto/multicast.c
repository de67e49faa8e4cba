/* proto/multicast.c: the groups that the guest is in, and what comes for them.
 *
 * The guest's own datagrams come back too, as the host's services shall hear them: udp_echo
 * knows them.  When the link is full, the datagram in hand is kept, and no socket is read until
 * there is room.
 */
#include "proto/multicast.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "proto/event.h"
#include "proto/guest.h"
#include "proto/udp_flow.h"
#include "wire/icmp6.h"
#include "wire/membership.h"

#define RX_BUDGET 16 /* datagrams read from a socket in a wake-up */
#define RETRY_NS  NS_PER_SEC

/* Where services are found, as a guest may expect it: mDNS (RFC 6762), LLMNR (RFC 4795), SSDP.
 */
static const struct endpoint usual[] = {
	{ { { .b = { [10] = 0xff, 0xff, 224, 0, 0, 251 } } }, 5353 },
	{ { { .b = { 0xff, 0x02, [15] = 0xfb } } }, 5353 },
	{ { { .b = { [10] = 0xff, 0xff, 224, 0, 0, 252 } } }, 5355 },
	{ { { .b = { 0xff, 0x02, [13] = 1, [15] = 3 } } }, 5355 },
	{ { { .b = { [10] = 0xff, 0xff, 239, 255, 255, 250 } } }, 1900 },
	{ { { .b = { 0xff, 0x02, [15] = 0x0c } } }, 1900 },
};

struct group {
	struct addr addr;
	uint64_t until_ns;
};

struct multicast_listener {
	struct endpoint at; /* all zero: the place is free */
	void *sock;	    /* NULL: the host would not */
};

struct multicast {
	const struct multicast_host_ops *ops;
	void *host;
	struct timer timer;
	uint64_t query_ns; /* when the guest is asked next */
	struct group groups[MULTICAST_GROUPS_MAX];
	unsigned n_groups;
	struct multicast_listener listeners[MULTICAST_LISTENERS_MAX];

	bool paused;			    /* the link is full: no socket is read */
	struct multicast_listener *held_by; /* whose datagram waits for room; NULL: none does */
	struct udp_datagram held;
	uint8_t rx[UDP_PAYLOAD_MAX6];
};

/* What the host listens to. */

static void open_listener(struct env *env, struct multicast_listener *l)
{
	static struct log_limit limit;
	struct multicast *m = env->multicast;
	char text[ENDPOINT_STR_MAX];
	int err = 0;

	l->sock = m->ops->open(m->host, l, &l->at, &err);
	if (!l->sock) {
		event_no_descriptor(env, err);
		env->stats.multicast_refused++;
		log_warn_limited(&limit, env->now_ns, UDP, "the host does not hear %s: %s",
				 endpoint_print(&l->at, text), strerror(err));
		return;
	}
	log_debug(UDP, "listening to %s", endpoint_print(&l->at, text));
	if (m->paused)
		m->ops->watch(l->sock, false);
}

static void close_listener(struct multicast *m, struct multicast_listener *l)
{
	if (l->sock)
		m->ops->close(l->sock);
	l->sock = NULL;
	if (m->held_by == l)
		m->held_by = NULL;
}

static bool is_used(const struct multicast_listener *l)
{
	return l->at.port;
}

static struct multicast_listener *find_listener(struct multicast *m, const struct endpoint *at)
{
	for (unsigned i = 0; i < MULTICAST_LISTENERS_MAX; i++)
		if (endpoint_eq(&m->listeners[i].at, at))
			return &m->listeners[i];
	return NULL;
}

static void listen_at(struct env *env, const struct endpoint *at)
{
	static const struct endpoint none;
	struct multicast_listener *l;

	if (find_listener(env->multicast, at))
		return;
	l = find_listener(env->multicast, &none);
	if (!l) {
		env->stats.multicast_refused++;
		return;
	}
	l->at = *at;
	open_listener(env, l);
}

static void listen_to_list(struct env *env, const struct addr *group,
			   const struct endpoint *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_eq(&list[i].addr, group))
			listen_at(env, &list[i]);
}

static void listen_to_group(struct env *env, const struct addr *group)
{
	const struct conf *c = env->conf;

	listen_to_list(env, group, c->multicast_at, c->n_multicast_at);
	if (c->multicast_usual)
		listen_to_list(env, group, usual, sizeof(usual) / sizeof(usual[0]));
}

/* The groups. */

static struct group *find_group(struct multicast *m, const struct addr *a)
{
	for (unsigned i = 0; i < m->n_groups; i++)
		if (addr_eq(&m->groups[i].addr, a))
			return &m->groups[i];
	return NULL;
}

/* The host may do now what it would not before. */
static void still_joined(struct env *env, struct group *g)
{
	struct multicast *m = env->multicast;
	uint64_t until_ns = env->now_ns + MEMBERSHIP_SECONDS * NS_PER_SEC;

	if (g->until_ns == until_ns)
		return;
	g->until_ns = until_ns;
	for (unsigned i = 0; i < MULTICAST_LISTENERS_MAX; i++)
		if (!m->listeners[i].sock && addr_eq(&m->listeners[i].at.addr, &g->addr))
			open_listener(env, &m->listeners[i]);
}

static void joined(struct env *env, const struct addr *a)
{
	struct multicast *m = env->multicast;
	struct group *g = find_group(m, a);
	char text[ADDR_STR_MAX];

	if (g) {
		still_joined(env, g);
		return;
	}
	if (m->n_groups == MULTICAST_GROUPS_MAX) {
		env->stats.multicast_refused++;
		return;
	}
	g = &m->groups[m->n_groups++];
	g->addr = *a;
	g->until_ns = env->now_ns + MEMBERSHIP_SECONDS * NS_PER_SEC;
	log_debug(UDP, "the guest is in group %s", addr_print(a, text));
	listen_to_group(env, a);
}

static void left(struct multicast *m, struct group *g)
{
	char text[ADDR_STR_MAX];

	log_debug(UDP, "the guest has left group %s", addr_print(&g->addr, text));
	for (unsigned i = 0; i < MULTICAST_LISTENERS_MAX; i++) {
		struct multicast_listener *l = &m->listeners[i];

		if (!addr_eq(&l->at.addr, &g->addr))
			continue;
		close_listener(m, l);
		*l = (struct multicast_listener){ .sock = NULL };
	}
	*g = m->groups[--m->n_groups];
}

static void leave_all(struct multicast *m)
{
	while (m->n_groups)
		left(m, &m->groups[0]);
}

void multicast_flow(struct env *env, const struct endpoint *group)
{
	if (env->multicast && find_group(env->multicast, &group->addr))
		listen_at(env, group);
}

/* Reports */

static void handle(struct env *env, const struct membership *m)
{
	struct group *g;

	if (net_stays_on_link(env->net, &m->group))
		return;
	if (m->member) {
		joined(env, &m->group);
		return;
	}
	g = find_group(env->multicast, &m->group);
	if (g)
		left(env->multicast, g);
}

bool multicast_is_mld(const struct pkt *p)
{
	return p->proto == IP_ICMP6 &&
	       ((p->icmp.type >= ICMP6_TYPE_MLD_QUERY && p->icmp.type <= ICMP6_TYPE_MLD_DONE) ||
		p->icmp.type == ICMP6_TYPE_MLD2_REPORT);
}

/* RFC 3810 6.2: from this link, and from a node that takes part in it. */
static bool may_report6(const struct pkt *p)
{
	return p->ttl == 1 && (addr_is_link_local(&p->src) || addr_is_unspecified(&p->src));
}

enum drop multicast_from_guest(struct env *env, const struct pkt *p)
{
	struct membership_report r;
	struct membership m;
	unsigned n = 0;
	int rc;

	if (p->proto == IP_IGMP)
		rc = membership_decode_igmp(p->l4, p->l4_len, &r);
	else
		rc = may_report6(p) ? membership_decode_mld(p->l4, p->l4_len, &r) : -EINVAL;
	if (rc)
		return DROP_MULTICAST;
	env->stats.multicast_reports++;
	while (n++ < MULTICAST_RECORDS_MAX && membership_next(&r, &m))
		handle(env, &m);
	env->stats.multicast_refused += r.n; /* more than anybody is in */
	return DROP_NONE;
}

/* Queries and the end of what is not reported */

static struct mac mac_of_group(const struct addr *group)
{
	return addr_is_ip4(group) ? mac_of_multicast4(group) : mac_of_multicast6(group);
}

static bool query(struct env *env, const struct net_ip *ip)
{
	uint8_t packet[MEMBERSHIP_QUERY_MAX], *frame;
	struct wr p = wr_init(packet, sizeof(packet)), w;
	size_t frame_max;
	struct addr dst;

	if (!ip->on)
		return true;
	membership_encode_query(&p, &ip->gateway, &dst);
	frame_max = ETH_HEADER_LEN + wr_len(&p);
	if (env->guest_ops->reserve(env->link, true, frame_max, 1, &frame) < 1)
		return false;
	w = wr_init(frame, frame_max);
	eth_encode(&w, &(struct eth_hdr){ .dst = mac_of_group(&dst),
					  .src = env->net->mac,
					  .type = addr_is_ip4(&dst) ? ETHERTYPE_IP4
								    : ETHERTYPE_IP6 });
	wr_bytes(&w, packet, wr_len(&p));
	env->guest_ops->commit(env->link, 1, wr_len(&w));
	env->stats.multicast_queries++;
	return true;
}

/* Asks when it is time to, and sooner again when the link was full. */
static void ask(struct env *env)
{
	struct multicast *m = env->multicast;
	bool asked;

	if (env->now_ns < m->query_ns)
		return;
	asked = query(env, &env->net->ip4) && query(env, &env->net->ip6);
	m->query_ns = env->now_ns + (asked ? MEMBERSHIP_QUERY_SECONDS * NS_PER_SEC : RETRY_NS);
}

/* The next query, or the end of a group, whichever comes first; a report puts the latter off
 * without moving the timer, and a new group ends after the next query. */
static void set_timer(struct env *env)
{
	struct multicast *m = env->multicast;
	uint64_t next = m->query_ns;

	for (unsigned i = 0; i < m->n_groups; i++)
		if (m->groups[i].until_ns < next)
			next = m->groups[i].until_ns;
	timerq_set(&env->timers, &m->timer, next);
}

static void timer_fired(struct timer *t, void *ctx)
{
	struct multicast *m = container_of(t, struct multicast, timer);
	struct env *env = ctx;

	for (unsigned i = m->n_groups; i > 0; i--)
		if (m->groups[i - 1].until_ns <= env->now_ns)
			left(m, &m->groups[i - 1]);
	ask(env);
	set_timer(env);
}

void multicast_guest_up(struct env *env)
{
	struct multicast *m = env->multicast;

	m->query_ns = env->now_ns;
	ask(env);
	set_timer(env);
}

void multicast_guest_down(struct env *env)
{
	timerq_cancel(&env->timers, &env->multicast->timer);
	leave_all(env->multicast);
}

void multicast_network_changed(struct env *env)
{
	struct multicast *m = env->multicast;

	for (unsigned i = 0; i < MULTICAST_LISTENERS_MAX; i++) {
		if (!is_used(&m->listeners[i]))
			continue;
		close_listener(m, &m->listeners[i]);
		open_listener(env, &m->listeners[i]);
	}
}

/* From the host */

static void pause_all(struct multicast *m, bool paused)
{
	if (m->paused == paused)
		return;
	m->paused = paused;
	for (unsigned i = 0; i < MULTICAST_LISTENERS_MAX; i++)
		if (m->listeners[i].sock)
			m->ops->watch(m->listeners[i].sock, !paused);
}

static int deliver(struct env *env, const struct endpoint *at, const struct udp_datagram *d)
{
	struct guest_out out = { .src = net_to_guest(env->net, &d->from.addr),
				 .dst = at->addr,
				 .ttl = d->ttl,
				 .tos = d->tos,
				 .bulk = true,
				 .has_mac = true,
				 .mac = mac_of_group(&at->addr) };
	int rc = guest_send_udp(env, &out, d->from.port, at->port, d->payload.iov_base,
				d->payload.iov_len);

	if (!rc)
		env->stats.multicast_datagrams++;
	return rc;
}

/* The datagram in hand goes to the guest, or waits. */
static void deliver_held(struct env *env)
{
	struct multicast *m = env->multicast;
	bool full = m->held_by && deliver(env, &m->held_by->at, &m->held) == -ENOBUFS;

	if (!full)
		m->held_by = NULL;
	pause_all(m, full);
}

void multicast_from_host(struct env *env, struct multicast_listener *l)
{
	struct multicast *m = env->multicast;
	struct udp_datagram *d = &m->held;

	for (int i = 0; i < RX_BUDGET && !m->paused; i++) {
		d->payload = (struct iovec){ m->rx, sizeof(m->rx) };
		if (m->ops->recv(l->sock, d))
			return;
		if (udp_echo_came(&env->udp->echoes, env->now_ns, &d->from, l->at.port,
				  d->payload.iov_base, d->payload.iov_len))
			continue;
		m->held_by = l;
		deliver_held(env);
	}
}

void multicast_room(struct env *env)
{
	deliver_held(env);
}

struct multicast *multicast_new(struct env *env, const struct multicast_host_ops *ops,
				void *host)
{
	struct multicast *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->ops = ops;
	m->host = host;
	m->timer.fire = timer_fired;
	return m;
}

void multicast_free(struct env *env, struct multicast *m)
{
	if (!m)
		return;
	timerq_cancel(&env->timers, &m->timer);
	leave_all(m);
	free(m);
}
