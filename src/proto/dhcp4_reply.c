/* proto/dhcp4_reply.c: the options of a DHCPv4 reply, from one table. */
#include "proto/dhcp4_reply.h"

#include <assert.h>

#define IP_UDP_LEN     28
#define IP_LEN_DEFAULT 576 /* RFC 2132 9.10: the least that option 57 may say */
#define IP_LEN_MAX     (DHCP4_REPLY_MAX + IP_UDP_LEN)
#define VALUES_MAX     3072 /* bytes of all values together */
#define NAK_TEXT       "not an address of this link"

static_assert(DHCP4_NAME_MAX == CONF_NAME_MAX, "names of the settings are told as they are");

/* Write the value of an option; false when there is none. */
typedef bool put_fn(const struct dhcp4_reply *r, struct wr *w);

static bool put_type(const struct dhcp4_reply *r, struct wr *w)
{
	if (r->kind == DHCP4_REPLY_OFFER)
		wr_u8(w, DHCP4_OFFER);
	else
		wr_u8(w, r->kind == DHCP4_REPLY_NAK ? DHCP4_NAK : DHCP4_ACK);
	return true;
}

static bool put_server_id(const struct dhcp4_reply *r, struct wr *w)
{
	dhcp4_put_addr(w, &r->server);
	return true;
}

static bool put_lease_time(const struct dhcp4_reply *r, struct wr *w)
{
	wr_be32(w, r->conf->timeouts.dhcp_lease);
	return true;
}

struct lease_times dhcp4_times(uint32_t seconds)
{
	if (seconds == LEASE_FOREVER)
		return (struct lease_times){ LEASE_FOREVER, LEASE_FOREVER, LEASE_FOREVER };
	return (struct lease_times){ seconds / 2, seconds - seconds / 8, seconds };
}

static bool put_t1(const struct dhcp4_reply *r, struct wr *w)
{
	wr_be32(w, dhcp4_times(r->conf->timeouts.dhcp_lease).renew);
	return r->conf->timeouts.dhcp_lease != LEASE_FOREVER;
}

static bool put_t2(const struct dhcp4_reply *r, struct wr *w)
{
	wr_be32(w, dhcp4_times(r->conf->timeouts.dhcp_lease).rebind);
	return r->conf->timeouts.dhcp_lease != LEASE_FOREVER;
}

/* RFC 4039 4: an ACK to a DISCOVER. */
static bool put_rapid_commit(const struct dhcp4_reply *r, struct wr *w)
{
	return r->request->type == DHCP4_DISCOVER;
}

/* RFC 6842: as it came. */
static bool put_client_id(const struct dhcp4_reply *r, struct wr *w)
{
	size_t len;
	const uint8_t *id = dhcp4_get(&r->request->options, DHCP4_OPT_CLIENT_ID, &len);

	if (!id || !len || len > DHCP4_CLIENT_ID_MAX)
		return false;
	wr_bytes(w, id, len);
	return true;
}

static bool put_message(const struct dhcp4_reply *r, struct wr *w)
{
	wr_bytes(w, NAK_TEXT, strlen(NAK_TEXT));
	return true;
}

static bool put_subnet_mask(const struct dhcp4_reply *r, struct wr *w)
{
	wr_be32(w, ip4_mask(r->net->ip4.prefix_len));
	return true;
}

static bool put_router(const struct dhcp4_reply *r, struct wr *w)
{
	dhcp4_put_addr(w, &r->net->ip4.gateway);
	return true;
}

/* The default route again, for clients that ask for this option and then must not look at the
 * router option (RFC 3442); and before it, where the gateway is outside the prefix, the
 * way to the gateway. */
static bool put_routes(const struct dhcp4_reply *r, struct wr *w)
{
	const struct net *net = r->net;
	struct addr any = addr_ip4(0);

	if (!addr_in_prefix(&net->ip4.gateway, &net->ip4.guest, net->ip4.prefix_len))
		dhcp4_put_route(w, &net->ip4.gateway, 32, &any);
	dhcp4_put_route(w, &any, 0, &net->ip4.gateway);
	return true;
}

static bool put_ip4_list(struct wr *w, const struct addr *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_is_ip4(&list[i]))
			dhcp4_put_addr(w, &list[i]);
	return wr_len(w) > 0;
}

static bool put_dns(const struct dhcp4_reply *r, struct wr *w)
{
	return !r->conf->no_dhcp_dns && put_ip4_list(w, r->net->dns, r->net->n_dns);
}

static bool put_ntp(const struct dhcp4_reply *r, struct wr *w)
{
	return put_ip4_list(w, r->net->ntp, r->net->n_ntp);
}

static bool put_mtu(const struct dhcp4_reply *r, struct wr *w)
{
	wr_be16(w, r->net->mtu);
	return r->net->tell_mtu;
}

/* Prefixes of 31 and 32 have none (RFC 3021). */
static bool put_broadcast(const struct dhcp4_reply *r, struct wr *w)
{
	wr_be32(w, addr_get_ip4(&r->net->ip4.guest) | ~ip4_mask(r->net->ip4.prefix_len));
	return r->net->ip4.prefix_len < 31;
}

/* Text without the dot of a fully qualified name. */
static bool put_name(struct wr *w, const char *name)
{
	size_t len = strlen(name);

	if (len && name[len - 1] == '.')
		len--;
	wr_bytes(w, name, len);
	return len > 0;
}

static bool put_hostname(const struct dhcp4_reply *r, struct wr *w)
{
	return put_name(w, r->net->hostname);
}

static bool put_domain(const struct dhcp4_reply *r, struct wr *w)
{
	return !r->conf->no_dhcp_search && r->net->n_search && put_name(w, r->net->search[0]);
}

static bool put_search(const struct dhcp4_reply *r, struct wr *w)
{
	return !r->conf->no_dhcp_search &&
	       dhcp4_put_search(w, r->net->search, r->net->n_search);
}

/* RFC 4702 4: no name of the guest is put into any DNS zone (N), so S is refused (O); the form
 * of the name is the client's. */
static bool put_fqdn(const struct dhcp4_reply *r, struct wr *w)
{
	struct dhcp4_fqdn asked = { .flags = DHCP4_FQDN_E }, f = { .flags = DHCP4_FQDN_N };

	if (!r->net->fqdn[0])
		return false;
	dhcp4_get_fqdn(&r->request->options, &asked);
	f.flags |= asked.flags & DHCP4_FQDN_E;
	if (asked.flags & DHCP4_FQDN_S)
		f.flags |= DHCP4_FQDN_O;
	memcpy(f.name, r->net->fqdn, sizeof(f.name));
	return dhcp4_put_fqdn(w, &f);
}

/* When an option is sent although the client's parameter list lacks it. */
enum unasked { NEVER, IF_SENT /* by the client */, ALWAYS };

#define OFFER  DHCP4_REPLY_OFFER
#define ACK    DHCP4_REPLY_ACK
#define INFORM DHCP4_REPLY_INFORM
#define NAK    DHCP4_REPLY_NAK
#define BOOTP  DHCP4_REPLY_BOOTP

/* RFC 2131 table 3, and the options of our own choice; the most important ones first.  Without
 * a parameter list they are sent in this order. */
static const struct row {
	uint8_t code;
	uint8_t kinds; /* enum dhcp4_reply_kind bits: the replies that may have it */
	uint8_t unasked;
	put_fn *put;
} rows[] = {
	{ DHCP4_OPT_TYPE, OFFER | ACK | INFORM | NAK, ALWAYS, put_type },
	{ DHCP4_OPT_SERVER_ID, OFFER | ACK | INFORM | NAK, ALWAYS, put_server_id },
	{ DHCP4_OPT_LEASE_TIME, OFFER | ACK, ALWAYS, put_lease_time },
	{ DHCP4_OPT_CLIENT_ID, OFFER | ACK | INFORM | NAK, IF_SENT, put_client_id },
	{ DHCP4_OPT_RAPID_COMMIT, ACK, ALWAYS, put_rapid_commit },
	{ DHCP4_OPT_SUBNET_MASK, OFFER | ACK | INFORM | BOOTP, ALWAYS, put_subnet_mask },
	{ DHCP4_OPT_ROUTER, OFFER | ACK | INFORM | BOOTP, NEVER, put_router },
	{ DHCP4_OPT_ROUTES, OFFER | ACK | INFORM | BOOTP, NEVER, put_routes },
	{ DHCP4_OPT_DNS, OFFER | ACK | INFORM | BOOTP, NEVER, put_dns },
	{ DHCP4_OPT_MTU, OFFER | ACK | INFORM | BOOTP, NEVER, put_mtu },
	{ DHCP4_OPT_T1, OFFER | ACK, ALWAYS, put_t1 },
	{ DHCP4_OPT_T2, OFFER | ACK, ALWAYS, put_t2 },
	{ DHCP4_OPT_BROADCAST, OFFER | ACK | INFORM | BOOTP, NEVER, put_broadcast },
	{ DHCP4_OPT_HOSTNAME, OFFER | ACK | INFORM | BOOTP, NEVER, put_hostname },
	{ DHCP4_OPT_DOMAIN, OFFER | ACK | INFORM | BOOTP, NEVER, put_domain },
	{ DHCP4_OPT_FQDN, OFFER | ACK | INFORM, IF_SENT, put_fqdn },
	{ DHCP4_OPT_NTP, OFFER | ACK | INFORM | BOOTP, NEVER, put_ntp },
	{ DHCP4_OPT_SEARCH, OFFER | ACK | INFORM | BOOTP, NEVER, put_search },
	{ DHCP4_OPT_MESSAGE, NAK, ALWAYS, put_message },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Options on their way into a reply. */
struct collection {
	struct dhcp4_option option[N_ROWS];
	unsigned n;
	bool done[N_ROWS];
	uint8_t values[VALUES_MAX];
	size_t n_values;
};

static void collect(struct collection *c, const struct dhcp4_reply *r, unsigned row)
{
	struct wr w = wr_init(c->values + c->n_values, sizeof(c->values) - c->n_values);

	if (c->done[row])
		return;
	c->done[row] = true;
	if (!(rows[row].kinds & r->kind) || !rows[row].put(r, &w))
		return;
	assert(!w.error); /* there is room for the longest value of each option */
	c->option[c->n++] = (struct dhcp4_option){ .code = rows[row].code,
						   .len = (uint16_t)wr_len(&w),
						   .data = w.start };
	c->n_values += wr_len(&w);
}

static unsigned row_of(uint8_t code)
{
	unsigned row = 0;

	while (row < N_ROWS && rows[row].code != code)
		row++;
	return row;
}

static bool sent_unasked(const struct row *row, const struct dhcp4_options *asked)
{
	return row->unasked == ALWAYS ||
	       (row->unasked == IF_SENT && dhcp4_has(asked, row->code));
}

/* The message type first, then the parameter list in its order (RFC 2132 9.8), then what is
 * sent in any case. */
static void collect_all(struct collection *c, const struct dhcp4_reply *r)
{
	size_t n_list;
	const struct dhcp4_options *asked = &r->request->options;
	const uint8_t *list = dhcp4_get(asked, DHCP4_OPT_PARAMETER_LIST, &n_list);

	collect(c, r, row_of(DHCP4_OPT_TYPE));
	for (size_t i = 0; list && i < n_list; i++)
		if (row_of(list[i]) < N_ROWS)
			collect(c, r, row_of(list[i]));
	for (unsigned row = 0; row < N_ROWS; row++)
		if (!list || sent_unasked(&rows[row], asked))
			collect(c, r, row);
}

static size_t clamp(size_t v, size_t low, size_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* A BOOTP client takes messages as long as its own (RFC 1542 2.1); a DHCP client says what it
 * takes (RFC 2132 9.10), within what the guest's MTU lets through in one piece. */
static size_t size_max(const struct dhcp4_reply *r)
{
	uint16_t ip_len = IP_LEN_DEFAULT;

	if (r->kind == DHCP4_REPLY_BOOTP)
		return clamp(r->request_len, DHCP4_MESSAGE_MIN, DHCP4_REPLY_MAX);
	dhcp4_get_u16(&r->request->options, DHCP4_OPT_MAX_SIZE, &ip_len);
	if (ip_len > r->net->mtu)
		ip_len = r->net->mtu;
	return clamp(ip_len, IP_LEN_DEFAULT, IP_LEN_MAX) - IP_UDP_LEN;
}

/* Encodes what is not left out; 0 when it does not fit. */
static size_t encode(const struct collection *c, const bool left_out[N_ROWS],
		     const struct dhcp4_reply *r, const struct dhcp4_hdr *h, uint8_t *buf)
{
	struct dhcp4_option option[N_ROWS];
	struct wr w = wr_init(buf, size_max(r));
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		if (!left_out[row_of(c->option[i].code)])
			option[n++] = c->option[i];
	return dhcp4_encode(&w, h, option, n, r->kind != BOOTP) ? 0 : wr_len(&w);
}

size_t dhcp4_reply_encode(const struct dhcp4_reply *r, const struct dhcp4_hdr *h,
			  uint8_t buf[static DHCP4_REPLY_MAX], unsigned *n_left_out)
{
	struct collection c = { .n = 0 };
	bool left_out[N_ROWS] = { false };
	size_t len;

	*n_left_out = 0;
	collect_all(&c, r);
	len = encode(&c, left_out, r, h, buf);
	if (len)
		return len;
	memset(left_out, true, sizeof(left_out));
	for (unsigned row = 0; row < N_ROWS; row++) {
		left_out[row] = false;
		if (encode(&c, left_out, r, h, buf))
			continue;
		left_out[row] = true;
		++*n_left_out;
	}
	return encode(&c, left_out, r, h, buf);
}
