/* proto/guest_addr.c: which addresses the guest uses. */
#include "proto/guest_addr.h"

#include "base/log.h"

static void learn_ip6(struct guest *g, const struct addr *src)
{
	unsigned at = 0;

	while (at < g->n_ip6 && !addr_eq(&g->ip6[at], src))
		at++;
	/* a new one takes the place of that which was silent longest */
	if (at == GUEST_IP6_MAX)
		at--;
	else if (at == g->n_ip6)
		g->n_ip6++;
	memmove(&g->ip6[1], &g->ip6[0], at * sizeof(g->ip6[0]));
	g->ip6[0] = *src;
}

static bool is_known(const struct guest *g, const struct addr *a)
{
	if (addr_is_ip4(a))
		return g->addr_known && addr_eq(&g->addr, a);
	for (unsigned i = 0; i < g->n_ip6; i++)
		if (addr_eq(&g->ip6[i], a))
			return true;
	return false;
}

void guest_addr_learn(struct env *env, const struct addr *src)
{
	struct guest *g = &env->guest;
	char text[ADDR_STR_MAX];
	bool known;

	if (addr_is_unspecified(src) || (g->n_ip6 && addr_eq(&g->ip6[0], src)))
		return;
	known = is_known(g, src);
	if (known && addr_is_ip4(src))
		return;
	if (!addr_is_ip4(src)) {
		learn_ip6(g, src);
	} else {
		g->addr = *src;
		g->addr_known = true;
	}
	if (!known)
		log_debug(LINK, "guest address %s", addr_print(src, text));
}

bool guest_addr_is_own(const struct env *env, const struct addr *a)
{
	return addr_eq(a, &net_ip(env->net, a)->guest) || is_known(&env->guest, a);
}

static struct addr ip6_for(const struct env *env, bool link_local)
{
	const struct guest *g = &env->guest;
	const struct addr *given = &env->net->ip6.guest;

	if (!link_local && is_known(g, given))
		return *given;
	for (unsigned i = 0; i < g->n_ip6; i++)
		if (addr_is_link_local(&g->ip6[i]) == link_local)
			return g->ip6[i];
	return *given;
}

struct addr guest_addr_for(const struct env *env, const struct addr *client)
{
	if (!addr_is_ip4(client))
		return ip6_for(env, addr_is_link_local(client));
	return env->guest.addr_known ? env->guest.addr : env->net->ip4.guest;
}

/* Every guest is offered IPv6, but some pass it over: they were seen with IPv4 alone. */
bool guest_addr_in_reach(const struct env *env, const struct addr *client)
{
	struct addr a;

	if (!net_ip(env->net, client)->on)
		return false;
	if (addr_is_ip4(client) || !env->net->ip4.on || !env->guest.addr_known)
		return true;
	a = ip6_for(env, addr_is_link_local(client));
	return is_known(&env->guest, &a);
}
