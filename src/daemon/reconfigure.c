/* daemon/reconfigure.c: puts another configuration into effect, while all runs. */
#include <errno.h>
#include <stdio.h>

#include "daemon/logging.h"
#include "daemon/netconf.h"
#include "daemon_priv.h"
#include "proto/dns.h"
#include "proto/forward.h"
#include "proto/multicast.h"
#include "proto/reassembly.h"

/* A forward of a protocol that is off would have its port and serve nobody. */
static int check_forwards(const struct daemon *d, enum flow_proto proto, bool off,
			  const char *name, char *reason, size_t max)
{
	if (!off || !forwards_has(d->env.forwards, proto))
		return 0;
	snprintf(reason, max, "--no-%s: there are forwards; they must be removed first", name);
	return -EBUSY;
}

/* What goes together as options may still not do so while we run. */
static int check_running(const struct daemon *d, const struct conf *c, char *reason, size_t max)
{
	int rc;

	if (d->net.ip6.on && !netconf_mtu_has_ip6(c)) {
		snprintf(reason, max, "--mtu '%u' is too small for the guest's IPv6", c->mtu);
		return -EINVAL;
	}
	rc = check_forwards(d, FLOW_TCP, c->no_tcp, "tcp", reason, max);
	return rc ? rc : check_forwards(d, FLOW_UDP, c->no_udp, "udp", reason, max);
}

/* Shorter times count for flows that are there, too: each looks at its deadline anew. */
static void look_at_deadlines(struct env *env)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &env->flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		if (timer_armed(&f->timer))
			timerq_set_earlier(&env->timers, &f->timer, env->now_ns);
	}
}

static bool is_other_rate(const struct conf *a, const struct conf *b)
{
	return memcmp(&a->rate_in, &b->rate_in, sizeof(a->rate_in)) != 0 ||
	       memcmp(&a->rate_out, &b->rate_out, sizeof(a->rate_out)) != 0 ||
	       a->limits.new_flows != b->limits.new_flows;
}

static bool is_other_multicast(const struct conf *a, const struct conf *b)
{
	return part_services_want_multicast(a) != part_services_want_multicast(b) ||
	       a->multicast_usual != b->multicast_usual ||
	       a->n_multicast_at != b->n_multicast_at ||
	       memcmp(a->multicast_at, b->multicast_at, sizeof(a->multicast_at)) != 0;
}

/* Whether routers say something else, of what is not in struct net. */
static bool is_other_advertisement(const struct conf *a, const struct conf *b)
{
	return a->no_ra != b->no_ra || a->no_ndp != b->no_ndp || a->no_dhcp6 != b->no_dhcp6 ||
	       a->no_dhcp_dns != b->no_dhcp_dns || a->no_dhcp_search != b->no_dhcp_search;
}

/* Another list of groups makes all anew: the guest is asked, and tells at once which it is in.
 */
static void replace_multicast(struct env *env, struct multicast *m)
{
	multicast_free(env, env->multicast);
	env->multicast = m;
	if (m && env->guest.connected)
		multicast_guest_up(env);
}

/* Puts d->conf into effect, which was `old`. */
static void put_into_effect(struct daemon *d, const struct conf *old)
{
	const struct conf *c = &d->conf;
	struct env *env = &d->env;
	bool tell = is_other_advertisement(old, c);

	logging_adjust(c);
	env->flows.max = c->limits.flows;
	reassembly_trim(env);
	if (memcmp(&old->timeouts, &c->timeouts, sizeof(old->timeouts)) != 0)
		look_at_deadlines(env);
	if (is_other_rate(old, c))
		env_set_rates(env);
	if (old->stats_s != c->stats_s)
		part_stats_adjust(d);
	tell |= netconf_reconfigure(c, &d->host, &d->resolvers.last, &d->net);
	if (tell)
		demux_network_changed(env);
}

int daemon_reconfigure(struct daemon *d, struct conf *next, char *reason, size_t reason_max)
{
	int rc = check_running(d, next, reason, reason_max);
	bool other_multicast = is_other_multicast(&d->conf, next);
	struct multicast *m = NULL;
	struct conf old = d->conf;

	if (rc)
		return rc;
	if (other_multicast && part_services_want_multicast(next)) {
		m = part_services_make_multicast(d);
		rc = m ? 0 : -ENOMEM;
	}
	if (rc || dns_configure(&d->env, next)) {
		multicast_free(&d->env, m);
		snprintf(reason, reason_max, "out of memory");
		return -ENOMEM;
	}
	next->fd = old.fd; /* which went out of the way of the standard ones */
	d->conf = *next;
	*next = old;
	if (other_multicast)
		replace_multicast(&d->env, m);
	put_into_effect(d, &old);
	return 0;
}
