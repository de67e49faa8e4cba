/* proto/dhcp6.c: the DHCPv6 server: which messages are answered, one function a message type.
 */
#include "proto/dhcp6.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "proto/dhcp6_reply.h"
#include "proto/guest.h"
#include "proto/guest_addr.h"

struct dhcp6 {
	struct lease lease;
	struct timerq *timers;
	struct log_limit decline_limit;
};

/* A message and who sent it. */
struct request {
	const struct pkt *pkt;
	struct dhcp6_msg msg;
	struct lease_client client; /* the IAID is that of the IA that is looked at */
};

struct dhcp6 *dhcp6_new(struct env *env)
{
	struct dhcp6 *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	lease_init(&d->lease);
	d->timers = &env->timers;
	return d;
}

void dhcp6_free(struct dhcp6 *d)
{
	if (!d)
		return;
	lease_free(&d->lease, d->timers);
	free(d);
}

const struct lease *dhcp6_get_lease(const struct env *env)
{
	return lease_held(&env->dhcp6->lease, env->now_ns);
}

/* RFC 8415 18.3.10: to the address that the client sent from.  Whether it was sent. */
static bool reply(struct env *env, const struct request *q, enum dhcp6_reply_kind kind,
		  struct dhcp6_ia ia, enum dhcp6_status status)
{
	struct dhcp6_reply r = { .kind = kind,
				 .net = env->net,
				 .conf = env->conf,
				 .request = &q->msg,
				 .ia = ia,
				 .status = status };
	struct guest_out out = { .src = env->net->ip6.gateway, .dst = q->pkt->src };
	uint8_t buf[DHCP6_REPLY_MAX];
	unsigned n_left_out;
	size_t len = dhcp6_reply_encode(&r, buf, &n_left_out);

	if (guest_send_udp(env, &out, DHCP6_SERVER_PORT, DHCP6_CLIENT_PORT, buf, len))
		return false;
	env->stats.dhcp6_advertises += kind == DHCP6_REPLY_ADVERTISE;
	env->stats.dhcp6_replies += kind != DHCP6_REPLY_ADVERTISE;
	env->stats.dhcp6_left_out += n_left_out;
	return true;
}

static const struct dhcp6_ia no_ia;

/* The IA_NA that gets the address: one that names it, or the first.  A REQUEST for an address
 * of another link is refused (RFC 8415 18.3.2). */
static struct dhcp6_ia choose_ia(const struct env *env, const struct request *q)
{
	struct rd options = q->msg.options;
	struct dhcp6_ia ia, chosen = no_ia;

	while (dhcp6_ia_next(&options, &ia)) {
		if (ia.code != DHCP6_OPT_IA_NA)
			continue;
		if (dhcp6_ia_has_address(&ia, &env->net->ip6.guest))
			return ia;
		if (!chosen.code &&
		    (q->msg.type != DHCP6_REQUEST || !dhcp6_is_off_link(env->net, &ia)))
			chosen = ia;
	}
	return chosen;
}

/* The address has been handed out; forwards can reach the guest from now on. */
static void grant(struct env *env, const struct request *q, uint32_t iaid)
{
	struct lease_times times = dhcp6_times(env->conf->timeouts.dhcp_lease);
	struct lease_client client = q->client;

	client.iaid = iaid;
	lease_grant(env, &env->dhcp6->lease, &client, &env->net->ip6.guest, &times);
	guest_addr_learn(env, &env->net->ip6.guest);
}

/* RFC 8415 18.3.2, 18.3.4, 18.3.5: REQUEST, RENEW and REBIND alike.  A lease that is not known,
 * as after a restart, is made. */
static void give(struct env *env, const struct request *q)
{
	struct dhcp6_ia ia = choose_ia(env, q);

	if (reply(env, q, DHCP6_REPLY_LEASE, ia, DHCP6_STATUS_SUCCESS) && ia.code)
		grant(env, q, ia.iaid);
}

/* RFC 8415 18.3.1: whatever address the client would like, there is one.  A client that is
 * content with the first server has it at once. */
static void from_solicit(struct env *env, const struct request *q)
{
	struct dhcp6_ia ia = choose_ia(env, q);

	if (ia.code && dhcp6_has(&q->msg, DHCP6_OPT_RAPID_COMMIT))
		give(env, q);
	else
		reply(env, q, DHCP6_REPLY_ADVERTISE, ia, DHCP6_STATUS_SUCCESS);
}

/* RFC 8415 18.3.3: whether the client is still on the link that its addresses belong to; it
 * hears nothing when it has none. */
static void from_confirm(struct env *env, const struct request *q)
{
	struct rd options = q->msg.options;
	bool found = false, off_link = false;
	struct dhcp6_ia ia;

	while (dhcp6_ia_next(&options, &ia)) {
		struct rd of_ia = ia.options;
		struct addr a;

		found = found || dhcp6_address_next(&of_ia, &a);
		off_link = off_link || dhcp6_is_off_link(env->net, &ia);
	}
	if (found)
		reply(env, q, DHCP6_REPLY_STATUS, no_ia,
		      off_link ? DHCP6_STATUS_NOT_ON_LINK : DHCP6_STATUS_SUCCESS);
}

/* The IA of the message that holds the lease. */
static struct dhcp6_ia find_holder(const struct env *env, const struct request *q)
{
	const struct lease *l = dhcp6_get_lease(env);
	struct lease_client client = q->client;
	struct rd options = q->msg.options;
	struct dhcp6_ia ia;

	while (l && dhcp6_ia_next(&options, &ia)) {
		client.iaid = ia.iaid;
		if (ia.code == DHCP6_OPT_IA_NA && lease_client_eq(&l->client, &client))
			return ia;
	}
	return no_ia;
}

/* Answers that the client gave the address back, and ends the lease if it did. */
static void take_back(struct env *env, const struct request *q, const char *why)
{
	struct lease *l = &env->dhcp6->lease;
	struct dhcp6_ia ia = find_holder(env, q);

	reply(env, q, DHCP6_REPLY_RELEASE, ia, DHCP6_STATUS_SUCCESS);
	if (ia.code && dhcp6_ia_has_address(&ia, &l->addr))
		lease_end(env, l, why);
}

/* RFC 8415 18.3.7. */
static void from_release(struct env *env, const struct request *q)
{
	take_back(env, q, "released");
}

/* RFC 8415 18.3.8: something in the guest already uses the address.  There is no other to give,
 * so it is offered again: people have to look. */
static void from_decline(struct env *env, const struct request *q)
{
	const struct addr *ours = &env->net->ip6.guest;
	struct rd options = q->msg.options;
	char addr[ADDR_STR_MAX], mac[MAC_STR_MAX];
	bool declined = false;
	struct dhcp6_ia ia;

	while (dhcp6_ia_next(&options, &ia))
		declined = declined || dhcp6_ia_has_address(&ia, ours);
	if (declined)
		log_warn_limited(&env->dhcp6->decline_limit, env->now_ns, DHCP,
				 "%s declined by %s: in use on the guest's side",
				 addr_print(ours, addr), mac_print(&q->client.mac, mac));
	take_back(env, q, "declined");
}

/* RFC 8415 18.3.6: settings without a lease. */
static void from_information_request(struct env *env, const struct request *q)
{
	reply(env, q, DHCP6_REPLY_SETTINGS, no_ia, DHCP6_STATUS_SUCCESS);
}

/* Whether a message has an option, by its type. */
enum presence { MAY, MUST, MUST_NOT };

/* RFC 8415 16.2 to 16.12: which messages are valid.  Those that are for all servers are
 * discarded when they come to our own address (16); the others are told where to send (18.4).
 */
static const struct kind {
	uint8_t type;
	enum presence client_id, server_id, ia;
	bool for_all;
	size_t counter; /* in struct stats */
	void (*answer)(struct env *env, const struct request *q);
} kinds[] = {
#define COUNTER(name) offsetof(struct stats, dhcp6_##name)
	{ DHCP6_SOLICIT, MUST, MUST_NOT, MAY, true, COUNTER(solicits), from_solicit },
	{ DHCP6_REQUEST, MUST, MUST, MAY, false, COUNTER(requests), give },
	{ DHCP6_CONFIRM, MUST, MUST_NOT, MAY, true, COUNTER(confirms), from_confirm },
	{ DHCP6_RENEW, MUST, MUST, MAY, false, COUNTER(renews), give },
	{ DHCP6_REBIND, MUST, MUST_NOT, MAY, true, COUNTER(rebinds), give },
	{ DHCP6_RELEASE, MUST, MUST, MAY, false, COUNTER(releases), from_release },
	{ DHCP6_DECLINE, MUST, MUST, MAY, false, COUNTER(declines), from_decline },
	{ DHCP6_INFORMATION_REQUEST, MAY, MAY, MUST_NOT, true, COUNTER(information_requests),
	  from_information_request },
};

static const struct kind *kind_of(uint8_t type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL; /* a server's message, a relay agent's, or of a later standard */
}

static bool allows(enum presence rule, bool present)
{
	return rule == MAY || (rule == MUST) == present;
}

static bool is_valid(const struct env *env, const struct request *q, const struct kind *kind)
{
	uint8_t ours[DHCP6_SERVER_DUID_LEN];
	struct rd id = { .error = false }, options = q->msg.options;
	bool has_server_id = dhcp6_find(&q->msg, DHCP6_OPT_SERVER_ID, &id);
	struct dhcp6_ia ia;

	dhcp6_server_duid(env->net, ours);
	if (has_server_id && (rd_left(&id) != sizeof(ours) || memcmp(id.p, ours, sizeof(ours))))
		return false;
	return allows(kind->client_id, dhcp6_has(&q->msg, DHCP6_OPT_CLIENT_ID)) &&
	       allows(kind->server_id, has_server_id) &&
	       allows(kind->ia, dhcp6_ia_next(&options, &ia)) &&
	       !addr_is_unspecified(&q->pkt->src) &&
	       !(kind->for_all && !addr_is_multicast(&q->pkt->dst));
}

static void read_client(struct request *q)
{
	struct lease_client *c = &q->client;
	struct dhcp6_fqdn fqdn;
	struct rd id;

	static_assert(DHCP6_DUID_MAX <= LEASE_ID_MAX, "the client's identifier is kept");
	*c = (struct lease_client){ .mac = q->pkt->eth.src };
	if (dhcp6_find(&q->msg, DHCP6_OPT_CLIENT_ID, &id)) {
		c->id_len = rd_left(&id);
		memcpy(c->id, id.p, c->id_len);
	}
	if (dhcp6_get_fqdn(&q->msg, &fqdn))
		lease_client_name(c, fqdn.name, strlen(fqdn.name));
}

enum drop dhcp6_from_guest(struct env *env, const struct pkt *p)
{
	struct rd r = rd_init(p->payload, p->payload_len);
	struct request q = { .pkt = p };
	const struct kind *kind;

	if (env->conf->no_dhcp6 || dhcp6_decode(&r, &q.msg))
		return DROP_DHCP6;
	kind = kind_of(q.msg.type);
	if (!kind || !is_valid(env, &q, kind))
		return DROP_DHCP6;
	++*(uint64_t *)((char *)&env->stats + kind->counter);
	read_client(&q);
	if (addr_is_multicast(&p->dst))
		kind->answer(env, &q);
	else
		reply(env, &q, DHCP6_REPLY_STATUS, no_ia, DHCP6_STATUS_USE_MULTICAST);
	return DROP_NONE;
}
