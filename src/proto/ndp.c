/* proto/ndp.c: answers neighbor and router solicitations, and advertises the router unasked. */
#include "proto/ndp.h"

#include <stdlib.h>

#include "base/hash.h"
#include "proto/guest.h"
#include "proto/guest_addr.h"
#include "wire/ndp.h"

/* RFC 4861 6.2.1, in seconds: MinRtrAdvInterval, MaxRtrAdvInterval, AdvDefaultLifetime,
 * AdvValidLifetime, AdvPreferredLifetime. */
#define INTERVAL_MIN	   200
#define INTERVAL_MAX	   600
#define ROUTER_LIFETIME	   (3 * INTERVAL_MAX)
#define PREFIX_VALID	   2592000
#define PREFIX_PREFERRED   604800
#define DNS_LIFETIME	   (3 * INTERVAL_MAX) /* RFC 8106 5.1 */
#define PREFIX_VALID_LEAST 7200		      /* less is not believed (RFC 4862 5.5.3 e) */
#define SLAAC_PREFIX_LEN   64 /* what Ethernet's interface identifiers leave (RFC 2464 4) */
/* RFC 4861 10: MAX_INITIAL_RTR_ADVERTISEMENTS, MAX_INITIAL_RTR_ADVERT_INTERVAL. */
#define INITIAL_COUNT	    3
#define INITIAL_INTERVAL_NS (16 * NS_PER_SEC)

struct ndp {
	struct timerq *timers;
	struct timer timer;
	struct hash_key key; /* of random intervals */
	unsigned n_initial;  /* advertisements that shall still come soon */

	/* of the last advertisement: what may have to be taken back */
	bool told;
	struct addr gateway;
	struct addr guest; /* within the prefix */
	uint8_t prefix_len;
};

struct receiver {
	struct addr addr;
	struct mac mac;
	bool asked; /* what it gets is a reply, for which the link has room */
};

static void timer_fired(struct timer *t, void *ctx);

struct ndp *ndp_new(struct env *env)
{
	struct ndp *ndp = calloc(1, sizeof(*ndp));

	if (!ndp)
		return NULL;
	ndp->timers = &env->timers;
	ndp->timer.fire = timer_fired;
	hash_key_random(&ndp->key);
	return ndp;
}

void ndp_free(struct ndp *ndp)
{
	if (!ndp)
		return;
	timerq_cancel(ndp->timers, &ndp->timer);
	free(ndp);
}

/* To the guest */

/* Whether the guest has a router in us. */
static bool is_router(const struct env *env)
{
	return env->net->ip6.on && !env->conf->no_ra && !env->conf->no_ndp;
}

static struct receiver all_nodes(bool asked)
{
	return (struct receiver){ ADDR_ALL_NODES6, mac_of_multicast6(&ADDR_ALL_NODES6), asked };
}

/* Who sent a solicitation; all nodes when it has no address yet. */
static struct receiver sender(const struct pkt *p, const struct ndp_msg *m)
{
	bool usable = m->has_mac && !(m->mac.b[0] & 1);

	if (addr_is_unspecified(&p->src))
		return all_nodes(true);
	return (struct receiver){ p->src, usable ? m->mac : p->eth.src, true };
}

static int send(struct env *env, const struct addr *src, const struct receiver *to,
		const struct icmp_hdr *h, const struct wr *w)
{
	struct guest_out out = { .src = *src,
				 .dst = to->addr,
				 .ttl = NDP_HOP_LIMIT,
				 .dont_fragment = true, /* RFC 6980 5 */
				 .bulk = !to->asked,
				 .has_mac = true,
				 .mac = to->mac };

	return guest_send_icmp(env, &out, h, w->start, wr_len(w));
}

static void send_na(struct env *env, const struct addr *target, const struct receiver *to)
{
	uint8_t body[NDP_NA_LEN];
	struct wr w = wr_init(body, sizeof(body));
	struct icmp_hdr h;

	ndp_na_encode(&w, &h,
		      &(struct ndp_na){ .target = *target,
					.mac = env->net->mac,
					.router = is_router(env),
					.solicited = !addr_is_multicast(&to->addr) });
	if (!send(env, target, to, &h, &w))
		env->stats.ndp_neighbor_advertisements++;
}

static int send_ra(struct env *env, const struct addr *src, const struct receiver *to,
		   const struct ndp_ra *ra)
{
	uint8_t body[NDP_RA_MAX];
	struct wr w = wr_init(body, sizeof(body));
	struct icmp_hdr h;
	unsigned left_out = ndp_ra_encode(&w, &h, ra);
	int rc = send(env, src, to, &h, &w);

	if (rc)
		return rc;
	env->stats.ndp_router_advertisements++;
	env->stats.ndp_left_out += left_out;
	return 0;
}

/* The router: what it says */

static struct ndp_prefix prefix_of(const struct addr *a, uint8_t len, uint32_t valid,
				   uint32_t preferred)
{
	return (struct ndp_prefix){ .prefix = *a,
				    .len = len,
				    .on_link = true,
				    .autonomous = len == SLAAC_PREFIX_LEN,
				    .valid = valid,
				    .preferred = preferred };
}

/* What stands in each advertisement. */
static struct ndp_ra common_ra(const struct env *env)
{
	bool dhcp = env->net->ip6.on && !env->conf->no_dhcp6;

	return (struct ndp_ra){ .hop_limit = IP6_HOP_LIMIT_DEFAULT,
				.managed = dhcp,
				.other = dhcp,
				.router_lifetime = ROUTER_LIFETIME,
				.mac = env->net->mac };
}

/* The resolvers that have an IPv6 address; how many. */
static unsigned ip6_resolvers(const struct net *net, struct addr list[static CONF_DNS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < net->n_dns; i++)
		if (!addr_is_ip4(&net->dns[i]))
			list[n++] = net->dns[i];
	return n;
}

static void remember(struct ndp *ndp, const struct net_ip *ip)
{
	ndp->told = true;
	ndp->gateway = ip->gateway;
	ndp->guest = ip->guest;
	ndp->prefix_len = ip->prefix_len;
}

static bool router_stays(const struct env *env)
{
	return is_router(env) && addr_eq(&env->ndp->gateway, &env->net->ip6.gateway);
}

static bool prefix_stays(const struct env *env)
{
	const struct net_ip *ip = &env->net->ip6;
	const struct ndp *ndp = env->ndp;

	return ip->on && ndp->prefix_len == ip->prefix_len &&
	       addr_in_prefix(&ndp->guest, &ip->guest, ip->prefix_len);
}

/* Whether something that the guest was told is true no more. */
static bool must_withdraw(const struct env *env)
{
	return env->ndp->told && !(router_stays(env) && prefix_stays(env));
}

static int advertise(struct env *env, const struct receiver *to)
{
	const struct net *net = env->net;
	const struct net_ip *ip = &net->ip6;
	struct ndp_prefix prefix =
		prefix_of(&ip->guest, ip->prefix_len, PREFIX_VALID, PREFIX_PREFERRED);
	struct ndp_ra ra = common_ra(env);
	struct addr resolvers[CONF_DNS_MAX];
	int rc;

	ra.prefix = &prefix;
	ra.mtu = net->tell_mtu && net->mtu >= IP6_MTU_MIN ? net->mtu : 0;
	ra.dns_lifetime = DNS_LIFETIME;
	ra.dns = resolvers;
	ra.n_dns = env->conf->no_dhcp_dns ? 0 : ip6_resolvers(net, resolvers);
	ra.search = net->search;
	ra.n_search = env->conf->no_dhcp_search ? 0 : net->n_search;
	rc = send_ra(env, &ip->gateway, to, &ra);
	if (!rc && !must_withdraw(env))
		remember(env->ndp, ip);
	return rc;
}

/* What a router says of names that is one no more: forget them (RFC 8106 5.1 and 5.2). */
static void withdraw_names(struct env *env, struct ndp_ra *ra,
			   struct addr resolvers[static CONF_DNS_MAX])
{
	ra->dns_lifetime = 0;
	ra->dns = resolvers;
	ra->n_dns = ip6_resolvers(env->net, resolvers);
	ra->search = env->net->search;
	ra->n_search = env->net->n_search;
}

/* Takes back what the guest was told and is true no more (RFC 4861 6.2.5). */
static int withdraw(struct env *env)
{
	struct addr resolvers[CONF_DNS_MAX];
	struct ndp *ndp = env->ndp;
	struct ndp_prefix prefix =
		prefix_of(&ndp->guest, ndp->prefix_len, PREFIX_VALID_LEAST, 0);
	struct receiver all = all_nodes(false);
	struct ndp_ra ra = common_ra(env);
	int rc;

	if (!must_withdraw(env))
		return 0;
	if (!router_stays(env))
		ra.router_lifetime = 0;
	if (!is_router(env))
		withdraw_names(env, &ra, resolvers);
	if (!prefix_stays(env))
		ra.prefix = &prefix;
	rc = send_ra(env, &ndp->gateway, &all, &ra);
	if (!rc)
		ndp->told = false;
	return rc;
}

/* The router: when it speaks */

/* RFC 4861 6.2.4; sooner, too, when the link had no room. */
static void set_timer(struct env *env, bool soon)
{
	struct ndp *ndp = env->ndp;
	uint64_t random = hash_bytes(&ndp->key, &env->now_ns, sizeof(env->now_ns));
	uint64_t span_ns = (INTERVAL_MAX - INTERVAL_MIN) * NS_PER_SEC;
	uint64_t wait_ns =
		soon ? INITIAL_INTERVAL_NS : INTERVAL_MIN * NS_PER_SEC + random % span_ns;

	timerq_set(&env->timers, &ndp->timer, env->now_ns + wait_ns);
}

static void advertise_unasked(struct env *env)
{
	struct receiver all = all_nodes(false);
	struct ndp *ndp = env->ndp;
	int rc = withdraw(env);

	if (!rc && is_router(env))
		rc = advertise(env, &all);
	if (!rc && ndp->n_initial)
		ndp->n_initial--;
	if (rc || is_router(env))
		set_timer(env, rc || ndp->n_initial);
	else
		timerq_cancel(&env->timers, &ndp->timer);
}

static void timer_fired(struct timer *t, void *ctx)
{
	struct env *env = ctx;

	if (env->guest.connected) /* the next one to come is announced to */
		advertise_unasked(env);
}

void ndp_announce(struct env *env)
{
	struct receiver all = all_nodes(false);

	if (!env->ndp || !env->guest.connected)
		return;
	if (env->net->ip6.on && !env->conf->no_ndp)
		send_na(env, &env->net->ip6.gateway, &all);
	env->ndp->n_initial = INITIAL_COUNT;
	advertise_unasked(env);
}

/* From the guest */

/* Whether the address means us, so that the guest cannot have it. */
static bool is_ours(const struct net *net, const struct addr *a)
{
	const struct net_ip *ip = &net->ip6;

	if (addr_eq(a, &ip->guest))
		return false;
	return addr_eq(a, &ip->gateway) ||
	       (ip->map_loopback_set && addr_eq(a, &ip->map_loopback)) ||
	       (ip->map_guest_set && addr_eq(a, &ip->map_guest)) || net_is_dns(net, a);
}

static enum drop router_solicited(struct env *env, const struct pkt *p, const struct ndp_msg *m)
{
	struct receiver to = sender(p, m);

	env->stats.ndp_router_solicitations++;
	if (!env->conf->no_ra)
		advertise(env, &to);
	return DROP_NONE;
}

/* RFC 4862 5.4.3: a solicitation without source asks whether it may have the address. */
static enum drop neighbor_solicited(struct env *env, const struct pkt *p,
				    const struct ndp_msg *m)
{
	bool ours = is_ours(env->net, &m->target);
	struct receiver to = sender(p, m);

	env->stats.ndp_neighbor_solicitations++;
	if (!ours && addr_is_unspecified(&p->src))
		guest_addr_learn(env, &m->target);
	if (ours || !guest_addr_is_own(env, &m->target))
		send_na(env, &m->target, &to);
	return DROP_NONE;
}

static enum drop neighbor_advertised(struct env *env, const struct ndp_msg *m)
{
	if (is_ours(env->net, &m->target))
		return DROP_NDP;
	guest_addr_learn(env, &m->target);
	return DROP_NONE;
}

enum drop ndp_from_guest(struct env *env, const struct pkt *p)
{
	struct ndp_msg m;

	if (env->conf->no_ndp || ndp_decode(p, &m))
		return DROP_NDP;
	switch (p->icmp.type) {
	case ICMP6_TYPE_ROUTER_SOLICITATION:
		return router_solicited(env, p, &m);
	case ICMP6_TYPE_NEIGHBOR_SOLICITATION:
		return neighbor_solicited(env, p, &m);
	case ICMP6_TYPE_NEIGHBOR_ADVERTISEMENT:
		return neighbor_advertised(env, &m);
	default:
		return DROP_NDP;
	}
}
