/* proto/dhcp6_reply.c: the options of a DHCPv6 reply, in the order of their importance. */
#include "proto/dhcp6_reply.h"

#include <assert.h>

#define DUID_LL	       3
#define PREFERENCE_MAX 255 /* the client waits for no other server (RFC 8415 18.2.1) */

static_assert(DHCP6_NAME_MAX == CONF_NAME_MAX, "names of the settings are told as they are");

/* A reply on its way: what does not fit is taken back. */
struct draft {
	struct wr w;
	unsigned n_left_out;
};

static void take_back_excess(struct draft *d, size_t before)
{
	if (!d->w.error)
		return;
	d->w.p = d->w.start + before;
	d->w.error = false;
	d->n_left_out++;
}

void dhcp6_server_duid(const struct net *net, uint8_t duid[static DHCP6_SERVER_DUID_LEN])
{
	put_be16(duid, DUID_LL);
	put_be16(duid + 2, DHCP6_HTYPE_ETHERNET);
	memcpy(duid + 4, net->mac.b, MAC_LEN);
}

static uint32_t preferred_of(uint32_t valid)
{
	return valid == LEASE_FOREVER ? valid : (uint32_t)(valid - valid * 3ull / 8);
}

struct lease_times dhcp6_times(uint32_t seconds)
{
	uint32_t preferred = preferred_of(seconds);

	if (seconds == LEASE_FOREVER)
		return (struct lease_times){ LEASE_FOREVER, LEASE_FOREVER, LEASE_FOREVER };
	return (struct lease_times){ preferred / 2, (uint32_t)(preferred * 4ull / 5), seconds };
}

/* IAs */

bool dhcp6_is_off_link(const struct net *net, const struct dhcp6_ia *ia)
{
	struct rd options = ia->options;
	struct addr a;

	while (dhcp6_address_next(&options, &a))
		if (!addr_is_unspecified(&a) &&
		    !addr_in_prefix(&a, &net->ip6.guest, net->ip6.prefix_len))
			return true;
	return false;
}

/* RFC 8415 18.3.4, 18.3.5: the client shall not use these any more. */
static void put_void_addresses(struct draft *d, const struct dhcp6_reply *r)
{
	struct rd options = r->ia.options;
	struct addr a;

	while (dhcp6_address_next(&options, &a)) {
		size_t before = wr_len(&d->w);

		if (addr_eq(&a, &r->net->ip6.guest) || addr_is_unspecified(&a))
			continue;
		dhcp6_put_address(&d->w, &a, 0, 0);
		take_back_excess(d, before);
	}
}

static void put_lease(struct draft *d, const struct dhcp6_reply *r)
{
	uint32_t valid = r->conf->timeouts.dhcp_lease;
	struct lease_times times = dhcp6_times(valid);
	size_t begun = dhcp6_begin_ia(&d->w, &r->ia, times.renew, times.rebind);

	dhcp6_put_address(&d->w, &r->net->ip6.guest, preferred_of(valid), valid);
	if (r->request->type == DHCP6_RENEW || r->request->type == DHCP6_REBIND)
		put_void_addresses(d, r);
	dhcp6_end(&d->w, begun);
}

static void put_refusal(struct wr *w, const struct dhcp6_reply *r, const struct dhcp6_ia *ia)
{
	size_t begun = dhcp6_begin_ia(w, ia, 0, 0);

	if (r->kind == DHCP6_REPLY_RELEASE)
		dhcp6_put_status(w, DHCP6_STATUS_NO_BINDING, "nothing is leased to it");
	else if (ia->code == DHCP6_OPT_IA_PD)
		dhcp6_put_status(w, DHCP6_STATUS_NO_PREFIX_AVAIL, "no prefixes are delegated");
	else if (r->request->type == DHCP6_REQUEST && dhcp6_is_off_link(r->net, ia))
		dhcp6_put_status(w, DHCP6_STATUS_NOT_ON_LINK, "not an address of this link");
	else
		dhcp6_put_status(w, DHCP6_STATUS_NO_ADDRS_AVAIL, "there is one address");
	dhcp6_end(w, begun);
}

/* All but `r->ia`, each with its reason. */
static void put_refusals(struct draft *d, const struct dhcp6_reply *r)
{
	struct rd options = r->request->options;
	struct dhcp6_ia ia;

	while (dhcp6_ia_next(&options, &ia)) {
		size_t before = wr_len(&d->w);

		if (r->ia.code && ia.options.p == r->ia.options.p)
			continue;
		put_refusal(&d->w, r, &ia);
		take_back_excess(d, before);
	}
}

/* Settings */

static void put_dns(struct wr *w, const struct dhcp6_reply *r)
{
	size_t before = wr_len(w), begun = dhcp6_begin(w, DHCP6_OPT_DNS);

	for (unsigned i = 0; i < r->net->n_dns && !r->conf->no_dhcp_dns; i++)
		if (!addr_is_ip4(&r->net->dns[i]))
			wr_bytes(w, r->net->dns[i].b, sizeof(r->net->dns[i].b));
	dhcp6_end(w, begun);
	if (wr_len(w) == begun)
		w->p = w->start + before;
}

static void put_search(struct wr *w, const struct dhcp6_reply *r)
{
	if (!r->conf->no_dhcp_search)
		dhcp6_put_search(w, r->net->search, r->net->n_search);
}

/* RFC 4704 6: to a client that sent the option and asks for it.  No name of the guest is put
 * into any DNS zone (N), so S is refused (O). */
static void put_fqdn(struct wr *w, const struct dhcp6_reply *r)
{
	const char *name = r->net->fqdn[0] ? r->net->fqdn : r->net->hostname;
	struct dhcp6_fqdn asked, f = { .flags = DHCP6_FQDN_N };

	if (!dhcp6_get_fqdn(r->request, &asked))
		return;
	if (asked.flags & DHCP6_FQDN_S)
		f.flags |= DHCP6_FQDN_O;
	memcpy(f.name, name, sizeof(f.name));
	dhcp6_put_fqdn(w, &f);
}

/* RFC 5908 4: an option for each server. */
static void put_ntp(struct wr *w, const struct dhcp6_reply *r)
{
	for (unsigned i = 0; i < r->net->n_ntp; i++) {
		size_t begun;

		if (addr_is_ip4(&r->net->ntp[i]))
			continue;
		begun = dhcp6_begin(w, DHCP6_OPT_NTP);
		dhcp6_put(w, DHCP6_NTP_SERVER_ADDRESS, r->net->ntp[i].b,
			  sizeof(r->net->ntp[i].b));
		dhcp6_end(w, begun);
	}
}

/* What the client requests, each once and the most important ones first; one that says nothing
 * of what it wants has what it cannot do without. */
static const struct setting {
	uint16_t code;
	bool unasked;
	void (*put)(struct wr *w, const struct dhcp6_reply *r);
} settings[] = {
	{ DHCP6_OPT_DNS, true, put_dns },
	{ DHCP6_OPT_SEARCH, true, put_search },
	{ DHCP6_OPT_FQDN, false, put_fqdn },
	{ DHCP6_OPT_NTP, false, put_ntp },
};

static void put_settings(struct draft *d, const struct dhcp6_reply *r)
{
	bool has_list = dhcp6_has(r->request, DHCP6_OPT_REQUESTED);

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		size_t before = wr_len(&d->w);

		if (has_list ? dhcp6_requests(r->request, settings[i].code)
			     : settings[i].unasked)
			settings[i].put(&d->w, r);
		take_back_excess(d, before);
	}
}

/* RFC 8415 18.3: in each reply. */
static void put_identifiers(struct wr *w, const struct dhcp6_reply *r)
{
	uint8_t duid[DHCP6_SERVER_DUID_LEN];
	struct rd client_id;

	if (dhcp6_find(r->request, DHCP6_OPT_CLIENT_ID, &client_id))
		dhcp6_put(w, DHCP6_OPT_CLIENT_ID, client_id.p, rd_left(&client_id));
	dhcp6_server_duid(r->net, duid);
	dhcp6_put(w, DHCP6_OPT_SERVER_ID, duid, sizeof(duid));
}

static void put_leases(struct draft *d, const struct dhcp6_reply *r)
{
	if (r->kind == DHCP6_REPLY_ADVERTISE)
		dhcp6_put(&d->w, DHCP6_OPT_PREFERENCE, &(uint8_t){ PREFERENCE_MAX }, 1);
	else if (r->request->type == DHCP6_SOLICIT)
		dhcp6_put(&d->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	if (r->ia.code)
		put_lease(d, r);
	put_refusals(d, r);
	put_settings(d, r);
}

size_t dhcp6_reply_encode(const struct dhcp6_reply *r, uint8_t buf[static DHCP6_REPLY_MAX],
			  unsigned *n_left_out)
{
	struct draft d = { .w = wr_init(buf, DHCP6_REPLY_MAX) };
	uint8_t type = r->kind == DHCP6_REPLY_ADVERTISE ? DHCP6_ADVERTISE : DHCP6_REPLY;

	dhcp6_put_header(&d.w, type, r->request->xid);
	put_identifiers(&d.w, r);
	switch (r->kind) {
	case DHCP6_REPLY_ADVERTISE:
	case DHCP6_REPLY_LEASE:
		put_leases(&d, r);
		break;
	case DHCP6_REPLY_SETTINGS:
		put_settings(&d, r);
		break;
	case DHCP6_REPLY_STATUS:
		dhcp6_put_status(&d.w, r->status, "");
		break;
	case DHCP6_REPLY_RELEASE:
		dhcp6_put_status(&d.w, r->status, "");
		put_refusals(&d, r);
		break;
	}
	*n_left_out = d.n_left_out;
	return wr_len(&d.w);
}
