/* proto/dhcp4_lease.c: the life of the one lease; no clock, no socket. */
#include "proto/dhcp4_lease.h"

#include <assert.h>
#include <string.h>

static bool may_be_in_hostname(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

/* The client's own words go into logs and terminals: nothing but a name passes. */
static void read_hostname(char out[static DHCP4_NAME_MAX], const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < DHCP4_NAME_MAX - 1 && text[i]; i++)
		out[i] = may_be_in_hostname(text[i]) ? text[i] : '?';
	out[i] = '\0';
}

void dhcp4_client_read(struct dhcp4_client *c, const struct dhcp4_msg *m)
{
	struct dhcp4_fqdn fqdn;
	size_t len;
	const uint8_t *p = dhcp4_get(&m->options, DHCP4_OPT_CLIENT_ID, &len);

	*c = (struct dhcp4_client){ .client_id_len = 0 };
	memcpy(c->mac.b, m->hdr.chaddr, MAC_LEN);
	if (p && len <= DHCP4_CLIENT_ID_MAX) {
		memcpy(c->client_id, p, len);
		c->client_id_len = len;
	}
	p = dhcp4_get(&m->options, DHCP4_OPT_HOSTNAME, &len);
	if (p)
		read_hostname(c->hostname, (const char *)p, len);
	else if (dhcp4_get_fqdn(&m->options, &fqdn))
		read_hostname(c->hostname, fqdn.name, strlen(fqdn.name));
}

bool dhcp4_client_eq(const struct dhcp4_client *a, const struct dhcp4_client *b)
{
	if (!a->client_id_len || !b->client_id_len)
		return mac_eq(&a->mac, &b->mac);
	return a->client_id_len == b->client_id_len &&
	       !memcmp(a->client_id, b->client_id, a->client_id_len);
}

static uint64_t after(uint64_t now_ns, uint64_t ns, uint32_t seconds)
{
	return seconds == DHCP4_LEASE_FOREVER ? TIMERQ_NEVER : now_ns + ns;
}

void dhcp4_lease_grant(struct dhcp4_lease *l, const struct dhcp4_client *c,
		       const struct addr *addr, uint32_t seconds, uint64_t now_ns)
{
	uint64_t ns = seconds * NS_PER_SEC;
	bool again = dhcp4_lease_state(l, now_ns) != DHCP4_LEASE_NONE &&
		     dhcp4_client_eq(&l->client, c) && addr_eq(&l->addr, addr);

	if (!again)
		*l = (struct dhcp4_lease){ .since_ns = now_ns };
	l->granted = true;
	l->addr = *addr;
	l->client = *c;
	l->granted_ns = now_ns;
	l->renew_ns = after(now_ns, dhcp4_t1(ns), seconds);
	l->rebind_ns = after(now_ns, dhcp4_t2(ns), seconds);
	l->expiry_ns = after(now_ns, ns, seconds);
	l->n_granted++;
}

enum dhcp4_lease_state dhcp4_lease_state(const struct dhcp4_lease *l, uint64_t now_ns)
{
	if (!l->granted || now_ns >= l->expiry_ns)
		return DHCP4_LEASE_NONE;
	if (now_ns >= l->rebind_ns)
		return DHCP4_LEASE_REBINDING;
	return now_ns >= l->renew_ns ? DHCP4_LEASE_RENEWING : DHCP4_LEASE_BOUND;
}

const char *dhcp4_lease_state_name(enum dhcp4_lease_state state)
{
	static const char *const names[] = { "none", "bound", "renewing", "rebinding" };

	static_assert(sizeof(names) / sizeof(names[0]) == N_DHCP4_LEASE_STATES, "a name each");
	return names[state];
}
