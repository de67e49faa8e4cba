/* proto/dhcp4.c: the DHCPv4 server: one function a message type, and where replies go. */
#include "proto/dhcp4.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "proto/dhcp4_reply.h"
#include "proto/guest.h"

struct dhcp4 {
	struct lease lease;
	struct addr server; /* whom the client of the lease knows us as */
	struct timerq *timers;
	struct log_limit decline_limit;
};

/* A message and who sent it. */
struct request {
	const struct pkt *pkt;
	struct dhcp4_msg msg;
	struct lease_client client;
};

struct dhcp4 *dhcp4_new(struct env *env)
{
	struct dhcp4 *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	lease_init(&d->lease);
	d->timers = &env->timers;
	return d;
}

void dhcp4_free(struct dhcp4 *d)
{
	if (!d)
		return;
	lease_free(&d->lease, d->timers);
	free(d);
}

const struct lease *dhcp4_get_lease(const struct env *env)
{
	return lease_held(&env->dhcp4->lease, env->now_ns);
}

bool dhcp4_is_server(const struct env *env, const struct addr *a)
{
	return addr_eq(a, &env->net->ip4.gateway) ||
	       (dhcp4_get_lease(env) && addr_eq(a, &env->dhcp4->server));
}

/* The address has been handed out; forwards can reach the guest from now on. */
static void grant(struct env *env, const struct request *q, uint32_t seconds)
{
	struct lease_times times = dhcp4_times(seconds);

	lease_grant(env, &env->dhcp4->lease, &q->client, &env->net->ip4.guest, &times);
	env->dhcp4->server = env->net->ip4.gateway;
	env->guest.addr_known = true;
	env->guest.addr = env->net->ip4.guest;
}

static void count_reply(struct stats *s, enum dhcp4_reply_kind kind, unsigned n_left_out)
{
	s->dhcp_offers += kind == DHCP4_REPLY_OFFER;
	s->dhcp_acks += kind == DHCP4_REPLY_ACK || kind == DHCP4_REPLY_INFORM;
	s->dhcp_naks += kind == DHCP4_REPLY_NAK;
	s->dhcp_bootp_replies += kind == DHCP4_REPLY_BOOTP;
	s->dhcp_left_out += n_left_out;
}

/* RFC 2131 4.1 and 4.3.2: by way of the relay agent; else a NAK, which may find the client with
 * an address that is not for this link, to everybody; else where the client is, or will be. */
static uint16_t direct(const struct request *q, struct dhcp4_hdr *h, enum dhcp4_reply_kind kind,
		       struct guest_out *o)
{
	o->has_mac = true;
	o->mac = q->client.mac;
	if (!addr_is_unspecified(&h->giaddr)) {
		h->broadcast |= kind == DHCP4_REPLY_NAK;
		o->mac = q->pkt->eth.src;
		o->dst = h->giaddr;
		return DHCP4_SERVER_PORT;
	}
	if (kind != DHCP4_REPLY_NAK && !addr_is_unspecified(&q->msg.hdr.ciaddr)) {
		o->dst = q->msg.hdr.ciaddr;
	} else if (kind == DHCP4_REPLY_INFORM && !addr_is_unspecified(&q->pkt->src)) {
		o->dst = q->pkt->src; /* a client that forgot to tell its address */
	} else if (h->broadcast || addr_is_unspecified(&h->yiaddr)) {
		o->mac = MAC_BROADCAST;
		o->dst = addr_ip4(UINT32_MAX);
	} else {
		o->dst = h->yiaddr;
	}
	return DHCP4_CLIENT_PORT;
}

/* A client heeds refusals only of the server that it knows, which may have another address now. */
static struct addr server_of(const struct env *env, const struct request *q, enum dhcp4_reply_kind kind)
{
	struct addr server = env->net->ip4.gateway;

	if (kind == DHCP4_REPLY_NAK && dhcp4_get_lease(env))
		server = env->dhcp4->server;
	if (kind == DHCP4_REPLY_NAK)
		dhcp4_get_addr(&q->msg.options, DHCP4_OPT_SERVER_ID, &server);
	return server;
}

/* RFC 2131 table 3, the fixed fields.  Never in fragments: a client that listens to bare frames
 * puts none together, and learns of a small MTU only from this.  Whether it was sent. */
static bool reply(struct env *env, const struct request *q, enum dhcp4_reply_kind kind)
{
	const struct dhcp4_hdr *ask = &q->msg.hdr;
	bool lease = kind == DHCP4_REPLY_OFFER || kind == DHCP4_REPLY_ACK;
	bool bootp = kind == DHCP4_REPLY_BOOTP, knows = !addr_is_unspecified(&ask->ciaddr);
	struct dhcp4_hdr h = *ask;
	struct guest_out out = { .src = server_of(env, q, kind), .dont_fragment = true };
	uint8_t buf[DHCP4_REPLY_MAX];
	unsigned n_left_out;
	uint16_t port;
	size_t len;

	h.op = DHCP4_BOOTREPLY;
	h.yiaddr = lease || (bootp && !knows) ? env->net->ip4.guest : addr_ip4(0);
	h.siaddr = bootp ? env->net->ip4.gateway : addr_ip4(0);
	if (kind == DHCP4_REPLY_OFFER || kind == DHCP4_REPLY_NAK)
		h.ciaddr = addr_ip4(0);
	port = direct(q, &h, kind, &out);
	len = dhcp4_reply_encode(&(struct dhcp4_reply){ .kind = kind,
							.net = env->net,
							.server = out.src,
							.conf = env->conf,
							.request = &q->msg,
							.request_len = q->pkt->payload_len },
				 &h, buf, &n_left_out);
	if (guest_send_udp(env, &out, DHCP4_SERVER_PORT, port, buf, len))
		return false;
	count_reply(&env->stats, kind, n_left_out);
	return true;
}

/* Whether the message names no server, or this one. */
static bool for_this_server(const struct env *env, const struct request *q)
{
	struct addr server;

	return !dhcp4_has(&q->msg.options, DHCP4_OPT_SERVER_ID) ||
	       (dhcp4_get_addr(&q->msg.options, DHCP4_OPT_SERVER_ID, &server) &&
		dhcp4_is_server(env, &server));
}

/* RFC 2131 4.3.1: whatever address the client would like, there is one.  RFC 4039: a client
 * that is content with the first offer has it at once. */
static void from_discover(struct env *env, const struct request *q)
{
	env->stats.dhcp_discovers++;
	if (!dhcp4_has(&q->msg.options, DHCP4_OPT_RAPID_COMMIT))
		reply(env, q, DHCP4_REPLY_OFFER);
	else if (reply(env, q, DHCP4_REPLY_ACK))
		grant(env, q, env->conf->timeouts.dhcp_lease);
}

/* RFC 2131 4.3.2.  The address stands in option 50 (SELECTING, INIT-REBOOT) or in ciaddr
 * (RENEWING, REBINDING).  A client that chose another server is not answered.  One that we have
 * never seen is: silence (INIT-REBOOT) is for links with several servers. */
static void from_request(struct env *env, const struct request *q)
{
	struct addr wanted = q->msg.hdr.ciaddr;

	env->stats.dhcp_requests++;
	if (!for_this_server(env, q))
		return;
	dhcp4_get_addr(&q->msg.options, DHCP4_OPT_REQUESTED_ADDRESS, &wanted);
	if (!addr_eq(&wanted, &env->net->ip4.guest))
		reply(env, q, DHCP4_REPLY_NAK);
	else if (reply(env, q, DHCP4_REPLY_ACK))
		grant(env, q, env->conf->timeouts.dhcp_lease);
}

/* RFC 2131 4.3.3: something in the guest already uses the address.  There is no other to give,
 * so it is offered again: people have to look. */
static void from_decline(struct env *env, const struct request *q)
{
	struct dhcp4 *d = env->dhcp4;
	char addr[ADDR_STR_MAX], mac[MAC_STR_MAX];
	struct addr declined;

	env->stats.dhcp_declines++;
	if (!for_this_server(env, q) ||
	    !dhcp4_get_addr(&q->msg.options, DHCP4_OPT_REQUESTED_ADDRESS, &declined) ||
	    !addr_eq(&declined, &env->net->ip4.guest))
		return;
	log_warn_limited(&d->decline_limit, env->now_ns, DHCP,
			 "%s declined by %s: in use on the guest's side",
			 addr_print(&declined, addr), mac_print(&q->client.mac, mac));
	if (dhcp4_get_lease(env) && lease_client_eq(&d->lease.client, &q->client))
		lease_end(env, &env->dhcp4->lease, "declined");
}

/* RFC 2131 4.3.4. */
static void from_release(struct env *env, const struct request *q)
{
	const struct lease *l = dhcp4_get_lease(env);

	env->stats.dhcp_releases++;
	if (l && for_this_server(env, q) && addr_eq(&q->msg.hdr.ciaddr, &l->addr) &&
	    lease_client_eq(&l->client, &q->client))
		lease_end(env, &env->dhcp4->lease, "released");
}

/* RFC 2131 4.3.5. */
static void from_inform(struct env *env, const struct request *q)
{
	env->stats.dhcp_informs++;
	reply(env, q, DHCP4_REPLY_INFORM);
}

/* RFC 1534 2: an address without end, unless the client has one. */
static void from_bootp(struct env *env, const struct request *q)
{
	env->stats.dhcp_bootp_requests++;
	if (reply(env, q, DHCP4_REPLY_BOOTP) && addr_is_unspecified(&q->msg.hdr.ciaddr))
		grant(env, q, LEASE_FOREVER);
}

/* Ethernet, and of this link: there is no address for the link of a relay agent elsewhere
 * (RFC 2131 4.3.1). */
static bool can_serve(const struct env *env, const struct dhcp4_hdr *h)
{
	return h->op == DHCP4_BOOTREQUEST && h->htype == DHCP4_HTYPE_ETHERNET &&
	       h->hlen == MAC_LEN &&
	       (addr_is_unspecified(&h->giaddr) ||
		addr_in_prefix(&h->giaddr, &env->net->ip4.guest, env->net->ip4.prefix_len));
}

static void read_client(struct lease_client *c, const struct dhcp4_msg *m)
{
	struct dhcp4_fqdn fqdn;
	size_t len;
	const uint8_t *p = dhcp4_get(&m->options, DHCP4_OPT_CLIENT_ID, &len);

	static_assert(DHCP4_CLIENT_ID_MAX <= LEASE_ID_MAX, "the client's identifier is kept");
	*c = (struct lease_client){ .id_len = 0 };
	memcpy(c->mac.b, m->hdr.chaddr, MAC_LEN);
	if (p && len <= DHCP4_CLIENT_ID_MAX) {
		memcpy(c->id, p, len);
		c->id_len = len;
	}
	p = dhcp4_get(&m->options, DHCP4_OPT_HOSTNAME, &len);
	if (p)
		lease_client_name(c, (const char *)p, len);
	else if (dhcp4_get_fqdn(&m->options, &fqdn))
		lease_client_name(c, fqdn.name, strlen(fqdn.name));
}

enum drop dhcp4_from_guest(struct env *env, const struct pkt *p)
{
	struct rd r = rd_init(p->payload, p->payload_len);
	struct request q = { .pkt = p };

	if (env->conf->no_dhcp || dhcp4_decode(&r, &q.msg) || !can_serve(env, &q.msg.hdr))
		return DROP_DHCP;
	read_client(&q.client, &q.msg);
	switch (q.msg.type) {
	case DHCP4_BOOTP:
		from_bootp(env, &q);
		break;
	case DHCP4_DISCOVER:
		from_discover(env, &q);
		break;
	case DHCP4_REQUEST:
		from_request(env, &q);
		break;
	case DHCP4_DECLINE:
		from_decline(env, &q);
		break;
	case DHCP4_RELEASE:
		from_release(env, &q);
		break;
	case DHCP4_INFORM:
		from_inform(env, &q);
		break;
	default: /* a server's message, or of a later standard */
		return DROP_DHCP;
	}
	return DROP_NONE;
}
