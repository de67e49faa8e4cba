/* ctl/ctl_leases.c: query-leases: what the guest holds by DHCP and DHCPv6. */
#include <errno.h>
#include <stdio.h>

#include "ctl/ctl_method.h"
#include "ctl/ctl_show.h"
#include "proto/dhcp4.h"
#include "proto/dhcp6.h"

static uint64_t ms_until(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns > now_ns ? (then_ns - now_ns) / NS_PER_MS : 0;
}

/* As "01:52:54:00:12:34:56". */
static void print_id(const struct lease_client *c, char *text)
{
	*text = '\0';
	for (size_t i = 0; i < c->id_len; i++)
		sprintf(text + (i ? i * 3 - 1 : 0), i ? ":%02x" : "%02x", c->id[i]);
}

void ctl_show_lease(const struct lease *l, uint64_t now_ns, char id[static CTL_LEASE_ID_TEXT],
		    struct ctl_lease *c)
{
	print_id(&l->client, id);
	*c = (struct ctl_lease){
		.has = (l->client.id_len ? CTL_LEASE_HAS_CLIENT_ID : 0) |
		       (addr_is_ip4(&l->addr) ? 0 : CTL_LEASE_HAS_IAID) |
		       (l->client.hostname[0] ? CTL_LEASE_HAS_HOSTNAME : 0) |
		       (l->expiry_ns != TIMERQ_NEVER ? CTL_LEASE_HAS_END : 0),
		.address = l->addr,
		.mac = l->client.mac,
		.client_id = id,
		.iaid = l->client.iaid,
		.hostname = l->client.hostname,
		.state = lease_state_name(lease_state(l, now_ns)),
		.age_ms = (now_ns - l->since_ns) / NS_PER_MS,
		.granted_ms = (now_ns - l->granted_ns) / NS_PER_MS,
		.renew_ms = ms_until(l->renew_ns, now_ns),
		.rebind_ms = ms_until(l->rebind_ns, now_ns),
		.expires_ms = ms_until(l->expiry_ns, now_ns),
		.grants = l->n_granted,
	};
}

const struct lease *ctl_lease_of(const struct env *env, uint64_t server)
{
	if (server == 0)
		return env->dhcp4 ? dhcp4_get_lease(env) : NULL;
	return env->dhcp6 ? dhcp6_get_lease(env) : NULL;
}

int ctl_leases_query(struct ctl_call *call, const struct env *env, void *result)
{
	const struct lease *lease = NULL;
	char *id = ctl_doc_alloc(call->doc, CTL_LEASE_ID_TEXT);

	if (!id)
		return ctl_fail(call, -ENOMEM, "no memory");
	while (!lease && call->cursor < CTL_LEASE_SERVERS)
		lease = ctl_lease_of(env, call->cursor++);
	if (!lease)
		return CTL_DONE;
	ctl_show_lease(lease, env->now_ns, id, result);
	return CTL_ITEM;
}
