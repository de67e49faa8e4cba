/* wire/membership.c: IGMP and MLD. */
#include "wire/membership.h"

#include <errno.h>

#include "base/checksum.h"
#include "wire/icmp6.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define ALL_HOSTS	 0xe0000001u
#define TOS_CONTROL	 0xc0 /* RFC 3376 4 */
#define IP4_QUERY_HEADER 24   /* with the router alert option (RFC 2113) */
#define IGMP_QUERY_LEN	 12
#define MLD_QUERY_LEN	 28
#define HOP_BY_HOP_LEN	 8 /* with the router alert option (RFC 2711) */
#define ROBUSTNESS	 2

enum igmp_type {
	IGMP_QUERY = 0x11,
	IGMP1_REPORT = 0x12,
	IGMP2_REPORT = 0x16,
	IGMP2_LEAVE = 0x17,
	IGMP3_REPORT = 0x22
};

/* Of IGMPv3 and MLDv2 (RFC 3376 4.2.12, RFC 3810 5.2.12). */
enum record_type {
	MODE_IS_INCLUDE = 1,
	MODE_IS_EXCLUDE = 2,
	CHANGE_TO_INCLUDE = 3,
	CHANGE_TO_EXCLUDE = 4,
	ALLOW_NEW_SOURCES = 5
};

static struct addr read_addr(struct rd *r, bool ip6)
{
	uint8_t b[16];

	rd_bytes(r, b, ip6 ? 16 : 4);
	return ip6 ? addr_ip6_bytes(b) : addr_ip4_bytes(b);
}

/* Reads a record; whether it tells if somebody is in the group. */
static bool read_record(struct rd *r, bool ip6, struct membership *m)
{
	uint8_t type = rd_u8(r);
	size_t auxiliary = rd_u8(r) * 4u, n_sources = rd_be16(r);

	m->group = read_addr(r, ip6);
	rd_skip(r, n_sources * (ip6 ? 16 : 4) + auxiliary);
	switch (type) {
	case MODE_IS_INCLUDE:
	case CHANGE_TO_INCLUDE:
		m->member = n_sources; /* nobody's datagrams are wanted: the group was left */
		return true;
	case MODE_IS_EXCLUDE:
	case CHANGE_TO_EXCLUDE:
		m->member = true;
		return true;
	case ALLOW_NEW_SOURCES:
		m->member = true;
		return n_sources;
	default:
		return false;
	}
}

/* A group of the message's own family: an IPv4-mapped address is none of IPv6 (RFC 4291 2.7). */
static bool is_group(const struct addr *a, bool ip6)
{
	return addr_is_multicast(a) && addr_is_ip4(a) != ip6;
}

bool membership_next(struct membership_report *r, struct membership *m)
{
	if (r->has_one) {
		r->has_one = false;
		*m = r->one;
		return is_group(&m->group, r->ip6);
	}
	while (r->n) {
		bool tells = read_record(&r->rest, r->ip6, m);

		r->n--;
		if (tells && is_group(&m->group, r->ip6))
			return true;
	}
	return false;
}

/* A report of many records, all of which must be there. */
static int decode_records(struct rd *r, bool ip6, struct membership_report *report)
{
	struct membership ignored;
	struct rd check;

	rd_skip(r, 5); /* reserved, checksum, reserved */
	*report = (struct membership_report){ .n = rd_be16(r), .ip6 = ip6 };
	report->rest = check = *r;
	for (unsigned i = 0; i < report->n && !check.error; i++)
		read_record(&check, ip6, &ignored);
	return check.error ? -EINVAL : 0;
}

static int decode_one(struct rd *r, bool ip6, bool member, struct membership_report *report)
{
	rd_skip(r, ip6 ? 7 : 3); /* code, checksum; MLD: delay, reserved */
	*report = (struct membership_report){ .has_one = true, .ip6 = ip6 };
	report->one.group = read_addr(r, ip6);
	report->one.member = member;
	return r->error ? -EINVAL : 0;
}

int membership_decode_igmp(const void *message, size_t len, struct membership_report *r)
{
	struct rd in = rd_init(message, len);
	uint8_t type = rd_u8(&in);

	if (in.error)
		return -EINVAL;
	switch (type) {
	case IGMP1_REPORT:
	case IGMP2_REPORT:
	case IGMP2_LEAVE:
		return decode_one(&in, false, type != IGMP2_LEAVE, r);
	case IGMP3_REPORT:
		return decode_records(&in, false, r);
	default:
		return -ENOMSG;
	}
}

int membership_decode_mld(const void *message, size_t len, struct membership_report *r)
{
	struct rd in = rd_init(message, len);
	uint8_t type = rd_u8(&in);

	if (in.error)
		return -EINVAL;
	switch (type) {
	case ICMP6_TYPE_MLD_REPORT:
	case ICMP6_TYPE_MLD_DONE:
		return decode_one(&in, true, type == ICMP6_TYPE_MLD_REPORT, r);
	case ICMP6_TYPE_MLD2_REPORT:
		return decode_records(&in, true, r);
	default:
		return -ENOMSG;
	}
}

static void encode_igmp_query(struct wr *w, const struct addr *src, const struct addr *dst)
{
	size_t start = wr_len(w);

	wr_u8(w, 4 << 4 | IP4_QUERY_HEADER / 4);
	wr_u8(w, TOS_CONTROL);
	wr_be16(w, IP4_QUERY_HEADER + IGMP_QUERY_LEN);
	wr_zero(w, 4); /* no fragment */
	wr_u8(w, 1);   /* TTL */
	wr_u8(w, IP_IGMP);
	wr_be16(w, 0);
	wr_bytes(w, src->b + 12, 4);
	wr_bytes(w, dst->b + 12, 4);
	wr_be32(w, 0x94040000); /* router alert */
	wr_u8(w, IGMP_QUERY);
	wr_u8(w, MEMBERSHIP_RESPONSE_SECONDS * 10);
	wr_zero(w, 6); /* checksum, any group */
	wr_u8(w, ROBUSTNESS);
	wr_u8(w, MEMBERSHIP_QUERY_SECONDS);
	wr_be16(w, 0); /* any source */
	if (w->error)
		return;
	wr_patch16(w, start + 10,
		   checksum_finish(checksum_add(0, w->start + start, IP4_QUERY_HEADER)));
	start += IP4_QUERY_HEADER;
	wr_patch16(w, start + 2,
		   checksum_finish(checksum_add(0, w->start + start, IGMP_QUERY_LEN)));
}

static void encode_mld_query(struct wr *w, const struct addr *src, const struct addr *dst)
{
	uint64_t sum = checksum_add_pseudo(0, src, dst, IP_ICMP6, MLD_QUERY_LEN);
	size_t start;

	ip6_encode(w, &(struct ip6_hdr){ .payload_len = HOP_BY_HOP_LEN + MLD_QUERY_LEN,
					 .next_header = IP6_HOP_BY_HOP,
					 .hop_limit = 1,
					 .src = *src,
					 .dst = *dst });
	wr_u8(w, IP_ICMP6);
	wr_u8(w, 0);		/* eight bytes in all */
	wr_be32(w, 0x05020000); /* router alert: of MLD */
	wr_be16(w, 0x0100);	/* padding */
	start = wr_len(w);
	wr_u8(w, ICMP6_TYPE_MLD_QUERY);
	wr_u8(w, 0);
	wr_be16(w, 0);
	wr_be16(w, MEMBERSHIP_RESPONSE_SECONDS * 1000);
	wr_zero(w, 2 + 16); /* reserved, any group */
	wr_u8(w, ROBUSTNESS);
	wr_u8(w, MEMBERSHIP_QUERY_SECONDS);
	wr_be16(w, 0); /* any source */
	if (!w->error)
		wr_patch16(w, start + 2,
			   checksum_finish(checksum_add(sum, w->start + start, MLD_QUERY_LEN)));
}

void membership_encode_query(struct wr *w, const struct addr *src, struct addr *dst)
{
	if (addr_is_ip4(src)) {
		*dst = addr_ip4(ALL_HOSTS);
		encode_igmp_query(w, src, dst);
	} else {
		*dst = ADDR_ALL_NODES6;
		encode_mld_query(w, src, dst);
	}
}
