/* proto/lease.c: the life of a lease. */
#include "proto/lease.h"

#include <assert.h>

#include "proto/event.h"

#define log_event(env, l, ...)                                                                 \
	log_limited(&(l)->log_limit, (env)->now_ns, LOG_LEVEL_INFO, LOG_UNIT_DHCP, __VA_ARGS__)

static bool may_be_in_hostname(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

void lease_client_name(struct lease_client *c, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < sizeof(c->hostname) - 1 && text[i]; i++)
		c->hostname[i] = may_be_in_hostname(text[i]) ? text[i] : '?';
	c->hostname[i] = '\0';
}

bool lease_client_eq(const struct lease_client *a, const struct lease_client *b)
{
	if (!a->id_len || !b->id_len)
		return mac_eq(&a->mac, &b->mac);
	return a->id_len == b->id_len && !memcmp(a->id, b->id, a->id_len) && a->iaid == b->iaid;
}

static void expire(struct timer *t, void *ctx)
{
	struct lease *l = container_of(t, struct lease, expiry);
	struct env *env = ctx;

	if (!lease_held(l, env->now_ns))
		lease_end(env, l, "expired");
	else if (l->expiry_ns != TIMERQ_NEVER)
		timerq_set(&env->timers, t, l->expiry_ns);
}

void lease_init(struct lease *l)
{
	*l = (struct lease){ .expiry.fire = expire };
}

void lease_free(struct lease *l, struct timerq *timers)
{
	timerq_cancel(timers, &l->expiry);
}

const struct lease *lease_held(const struct lease *l, uint64_t now_ns)
{
	return lease_state(l, now_ns) == LEASE_NONE ? NULL : l;
}

static void log_grant(struct env *env, struct lease *l, const struct lease_client *c,
		      const struct addr *addr, uint32_t seconds)
{
	char text[ADDR_STR_MAX], mac[MAC_STR_MAX], before[MAC_STR_MAX];

	addr_print(addr, text);
	mac_print(&c->mac, mac);
	if (!lease_held(l, env->now_ns) || !addr_eq(&l->addr, addr))
		log_event(env, l, "%s leased to %s (%s) for %u s", text, mac, c->hostname,
			  seconds);
	else if (!lease_client_eq(&l->client, c))
		log_event(env, l, "%s leased to %s (%s) for %u s, taken over from %s", text,
			  mac, c->hostname, seconds, mac_print(&l->client.mac, before));
	else
		log_debug(DHCP, "%s leased to %s again for %u s", text, mac, seconds);
}

static uint64_t after(uint64_t now_ns, uint32_t seconds)
{
	return seconds == LEASE_FOREVER ? TIMERQ_NEVER : now_ns + seconds * NS_PER_SEC;
}

void lease_grant(struct env *env, struct lease *l, const struct lease_client *c,
		 const struct addr *addr, const struct lease_times *t)
{
	bool renewed = lease_held(l, env->now_ns) && lease_client_eq(&l->client, c) &&
		       addr_eq(&l->addr, addr);

	log_grant(env, l, c, addr, t->end);
	if (!renewed) {
		l->since_ns = env->now_ns;
		l->n_granted = 0;
	}
	l->granted = true;
	l->addr = *addr;
	l->client = *c;
	l->granted_ns = env->now_ns;
	l->renew_ns = after(env->now_ns, t->renew);
	l->rebind_ns = after(env->now_ns, t->rebind);
	l->expiry_ns = after(env->now_ns, t->end);
	l->n_granted++;
	if (l->expiry_ns == TIMERQ_NEVER)
		timerq_cancel(&env->timers, &l->expiry);
	else
		timerq_set_earlier(&env->timers, &l->expiry, l->expiry_ns);
	event_tell(env, &(struct event){ .kind = renewed ? EVENT_LEASE_RENEWED : EVENT_LEASE_GRANTED,
					 .lease = l });
}

void lease_end(struct env *env, struct lease *l, const char *why)
{
	char addr[ADDR_STR_MAX], mac[MAC_STR_MAX];

	log_event(env, l, "lease of %s by %s %s", addr_print(&l->addr, addr),
		  mac_print(&l->client.mac, mac), why);
	event_tell(env, &(struct event){ .kind = EVENT_LEASE_ENDED, .lease = l, .reason = why });
	l->granted = false;
	timerq_cancel(&env->timers, &l->expiry);
}

enum lease_state lease_state(const struct lease *l, uint64_t now_ns)
{
	if (!l->granted || now_ns >= l->expiry_ns)
		return LEASE_NONE;
	if (now_ns >= l->rebind_ns)
		return LEASE_REBINDING;
	return now_ns >= l->renew_ns ? LEASE_RENEWING : LEASE_BOUND;
}

const char *lease_state_name(enum lease_state state)
{
	static const char *const names[] = { "none", "bound", "renewing", "rebinding" };

	static_assert(sizeof(names) / sizeof(names[0]) == N_LEASE_STATES, "a name each");
	return names[state];
}
