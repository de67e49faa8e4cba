/* wire/ndp.c: neighbor discovery; every rule of validity, and the options. */
#include "wire/ndp.h"

#include <arpa/nameser.h>
#include <assert.h>
#include <errno.h>

#define OPTION_UNIT	  8 /* options count their length in these */
#define OPTION_UNITS_MAX  255
#define OPTION_HEADER_LEN 2
#define MAC_OPTION_LEN	  8 /* of Ethernet addresses (RFC 2464 6) */
#define MTU_OPTION_LEN	  8
#define PREFIX_OPTION_LEN 32
#define DNS_OPTION_FIXED  8 /* of resolvers and search list: what stands before them */

static_assert(NDP_RA_MAX <= OPTION_UNITS_MAX * OPTION_UNIT, "an option may fill the message");

enum ndp_option {
	OPTION_SOURCE_MAC = 1,
	OPTION_TARGET_MAC = 2,
	OPTION_PREFIX = 3,
	OPTION_MTU = 5,
	OPTION_RDNSS = 25,
	OPTION_DNSSL = 31
};

/* In the upper half of what follows the checksum. */
enum na_flag { NA_ROUTER = 0x8000, NA_SOLICITED = 0x4000, NA_OVERRIDE = 0x2000 };
enum ra_flag { RA_MANAGED = 0x80, RA_OTHER = 0x40 };
enum prefix_flag { PREFIX_ON_LINK = 0x80, PREFIX_AUTONOMOUS = 0x40 };

/* Decoding */

/* Reads options, and of type `wanted` the link-layer address.  One without length would never
 * end: RFC 4861 4.6 has the whole message discarded. */
static int decode_options(struct rd *r, uint8_t wanted, struct ndp_msg *m)
{
	while (rd_left(r)) {
		uint8_t type = rd_u8(r);
		size_t len = rd_u8(r) * (size_t)OPTION_UNIT;
		struct rd value;

		if (!len)
			return -EINVAL;
		value = rd_sub(r, len - OPTION_HEADER_LEN);
		if (type == wanted) {
			rd_bytes(&value, m->mac.b, MAC_LEN);
			m->has_mac = true;
		}
		if (value.error || (type == wanted && len != MAC_OPTION_LEN))
			return -EINVAL;
	}
	return 0;
}

static int decode_rs(const struct pkt *p, struct rd *r, struct ndp_msg *m)
{
	if (decode_options(r, OPTION_SOURCE_MAC, m))
		return -EINVAL;
	return addr_is_unspecified(&p->src) && m->has_mac ? -EINVAL : 0;
}

/* An address that an interface on the link can have. */
static int decode_target(struct rd *r, struct addr *target)
{
	uint8_t bytes[16];

	rd_bytes(r, bytes, sizeof(bytes));
	*target = addr_ip6_bytes(bytes);
	return r->error || addr_is_ip4(target) || addr_is_multicast(target) ||
			       addr_is_unspecified(target) || addr_is_loopback(target)
		       ? -EINVAL
		       : 0;
}

static int decode_ns(const struct pkt *p, struct rd *r, struct ndp_msg *m)
{
	struct addr group;

	if (decode_target(r, &m->target) || decode_options(r, OPTION_SOURCE_MAC, m))
		return -EINVAL;
	if (!addr_is_unspecified(&p->src))
		return 0;
	group = ndp_solicited_node(&m->target);
	return m->has_mac || !addr_eq(&p->dst, &group) ? -EINVAL : 0;
}

static int decode_na(const struct pkt *p, struct rd *r, struct ndp_msg *m)
{
	if (decode_target(r, &m->target) || decode_options(r, OPTION_TARGET_MAC, m))
		return -EINVAL;
	return addr_is_multicast(&p->dst) && p->icmp.id & NA_SOLICITED ? -EINVAL : 0;
}

static bool came_in_fragments(const struct pkt *p)
{
	return !p->dont_fragment || p->chain.fragment_at;
}

int ndp_decode(const struct pkt *p, struct ndp_msg *m)
{
	struct rd r = rd_init(p->payload, p->payload_len);

	*m = (struct ndp_msg){ .has_mac = false };
	if (p->ttl != NDP_HOP_LIMIT || p->icmp.code || came_in_fragments(p))
		return -EINVAL;
	switch (p->icmp.type) {
	case ICMP6_TYPE_ROUTER_SOLICITATION:
		return decode_rs(p, &r, m);
	case ICMP6_TYPE_NEIGHBOR_SOLICITATION:
		return decode_ns(p, &r, m);
	case ICMP6_TYPE_NEIGHBOR_ADVERTISEMENT:
		return decode_na(p, &r, m);
	default:
		return -EINVAL;
	}
}

/* Encoding */

/* Writes the beginning of an option of `len` bytes; false when there is no room for all of it.
 */
static bool begin_option(struct wr *w, uint8_t type, size_t len)
{
	if (wr_left(w) < len)
		return false;
	wr_u8(w, type);
	wr_u8(w, (uint8_t)(len / OPTION_UNIT));
	return true;
}

/* Each returns how much was left out. */

static unsigned put_mac(struct wr *w, uint8_t type, const struct mac *mac)
{
	if (!begin_option(w, type, MAC_OPTION_LEN))
		return 1;
	wr_bytes(w, mac->b, MAC_LEN);
	return 0;
}

static unsigned put_mtu(struct wr *w, uint32_t mtu)
{
	if (!mtu)
		return 0;
	if (!begin_option(w, OPTION_MTU, MTU_OPTION_LEN))
		return 1;
	wr_be16(w, 0);
	wr_be32(w, mtu);
	return 0;
}

/* The address with all bits behind the prefix zero. */
static struct addr masked(const struct addr *a, unsigned prefix_len)
{
	struct addr m = *a;

	for (unsigned i = 0; i < sizeof(m.b); i++) {
		unsigned bits = prefix_len > 8 * i ? prefix_len - 8 * i : 0;

		if (bits < 8)
			m.b[i] &= (uint8_t)(0xff00 >> bits);
	}
	return m;
}

static unsigned put_prefix(struct wr *w, const struct ndp_prefix *p)
{
	struct addr prefix;

	if (!p)
		return 0;
	if (!begin_option(w, OPTION_PREFIX, PREFIX_OPTION_LEN))
		return 1;
	prefix = masked(&p->prefix, p->len);
	wr_u8(w, p->len);
	wr_u8(w, (uint8_t)((p->on_link ? PREFIX_ON_LINK : 0) |
			   (p->autonomous ? PREFIX_AUTONOMOUS : 0)));
	wr_be32(w, p->valid);
	wr_be32(w, p->preferred);
	wr_be32(w, 0);
	wr_bytes(w, prefix.b, sizeof(prefix.b));
	return 0;
}

/* RFC 8106 5.1. */
static unsigned put_resolvers(struct wr *w, const struct ndp_ra *ra)
{
	size_t left = wr_left(w),
	       fit = left < DNS_OPTION_FIXED ? 0 : (left - DNS_OPTION_FIXED) / 16;

	if (fit > ra->n_dns)
		fit = ra->n_dns;
	if (!fit)
		return ra->n_dns;
	begin_option(w, OPTION_RDNSS, DNS_OPTION_FIXED + 16 * fit);
	wr_be16(w, 0);
	wr_be32(w, ra->dns_lifetime);
	for (size_t i = 0; i < fit; i++)
		wr_bytes(w, ra->dns[i].b, 16);
	return ra->n_dns - (unsigned)fit;
}

/* RFC 8106 5.2: names one behind the other, not compressed, and zeroes up to a whole unit.  No
 * option at all without a name. */
static unsigned put_search(struct wr *w, const struct ndp_ra *ra)
{
	struct wr o = wr_init(w->p, wr_left(w) / OPTION_UNIT * OPTION_UNIT);
	unsigned left_out = 0;

	wr_be16(&o, 0); /* type and length, once that is known */
	wr_be16(&o, 0);
	wr_be32(&o, ra->dns_lifetime);
	for (unsigned i = 0; i < ra->n_search; i++) {
		int len = ns_name_compress(ra->search[i], o.p, wr_left(&o), NULL, NULL);

		if (len <= 1) /* no room, no name, or the root, which would read as padding */
			left_out++;
		else
			wr_reserve(&o, (size_t)len);
	}
	if (o.error || wr_len(&o) == DNS_OPTION_FIXED)
		return left_out;
	wr_zero(&o, -wr_len(&o) % OPTION_UNIT);
	wr_patch16(&o, 0, (uint16_t)(OPTION_DNSSL << 8 | wr_len(&o) / OPTION_UNIT));
	wr_reserve(w, wr_len(&o));
	return left_out;
}

unsigned ndp_ra_encode(struct wr *w, struct icmp_hdr *h, const struct ndp_ra *ra)
{
	unsigned flags = (ra->managed ? RA_MANAGED : 0) | (ra->other ? RA_OTHER : 0);
	struct wr body = wr_init(w->p, wr_left(w) < NDP_RA_MAX ? wr_left(w) : NDP_RA_MAX);
	unsigned left_out;

	*h = (struct icmp_hdr){ .type = ICMP6_TYPE_ROUTER_ADVERTISEMENT,
				.id = (uint16_t)(ra->hop_limit << 8 | flags),
				.seq = ra->router_lifetime };
	wr_be32(&body, 0); /* reachable time and */
	wr_be32(&body, 0); /* ... retransmission timer: the hosts' own */
	left_out = put_mac(&body, OPTION_SOURCE_MAC, &ra->mac);
	left_out += put_mtu(&body, ra->mtu);
	left_out += put_prefix(&body, ra->prefix);
	left_out += put_resolvers(&body, ra);
	left_out += put_search(&body, ra);
	wr_reserve(w, wr_len(&body));
	w->error |= body.error;
	return left_out;
}

void ndp_na_encode(struct wr *w, struct icmp_hdr *h, const struct ndp_na *na)
{
	unsigned flags = (na->router ? NA_ROUTER : 0) | (na->solicited ? NA_SOLICITED : 0);

	*h = (struct icmp_hdr){ .type = ICMP6_TYPE_NEIGHBOR_ADVERTISEMENT,
				.id = (uint16_t)(flags | NA_OVERRIDE) };
	wr_bytes(w, na->target.b, 16);
	put_mac(w, OPTION_TARGET_MAC, &na->mac);
}

struct addr ndp_solicited_node(const struct addr *a)
{
	return (struct addr){ .b = { 0xff, 0x02, [11] = 1, [12] = 0xff, a->b[13], a->b[14],
				     a->b[15] } };
}
