/* wire/dns_answer.c: reading and patching of other servers' answers. */
#include "wire/dns_answer.h"

#include <arpa/nameser.h>
#include <strings.h>

/* From the start of a record's data back to its TTL, and to its start when it is the root's. */
#define TTL_BEFORE_RDATA  6
#define ROOT_BEFORE_RDATA 11
#define SOA_RDATA_MIN	  22 /* two root names, five numbers */
#define RECORDS_READ	  64 /* of an answer, for its addresses */
#define CNAMES_MAX	  16 /* in a row */

static bool has_question(const uint8_t *msg, size_t len, const struct dns_query *q)
{
	return get_be16(msg + 4) == 1 && len >= DNS_HEADER_LEN + q->question_len &&
	       !memcmp(msg + DNS_HEADER_LEN, q->question, q->question_len);
}

static bool is_bare_refusal(const uint8_t *msg, size_t len)
{
	unsigned rcode = DNS_RCODE(dns_answer_flags(msg));

	return len == DNS_HEADER_LEN && !get_be16(msg + 4) && !get_be16(msg + 6) &&
	       !get_be16(msg + 8) && !get_be16(msg + 10) &&
	       (rcode == DNS_FORMERR || rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP ||
		rcode == DNS_REFUSED);
}

bool dns_answer_matches(const uint8_t *msg, size_t len, uint16_t id, const struct dns_query *q)
{
	if (len < DNS_HEADER_LEN || get_be16(msg) != id)
		return false;
	if (!(dns_answer_flags(msg) & DNS_QR) ||
	    DNS_OPCODE(dns_answer_flags(msg)) != DNS_OPCODE(q->flags))
		return false;
	return has_question(msg, len, q) || is_bare_refusal(msg, len);
}

/* Whether a record of the answer section is what was asked for, and not a step on the way. */
static bool is_asked(const ns_rr *rr, const struct dns_query *q)
{
	return rr->type == q->qtype || q->qtype == DNS_TYPE_ANY;
}

/* Looks at the answer section: lowers *ttl, tells whether the answer is positive. */
static int read_answers(ns_msg *m, const struct dns_query *q, uint32_t *ttl, bool *positive)
{
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(*m, ns_s_an); i++) {
		if (ns_parserr(m, ns_s_an, i, &rr))
			return -1;
		if (ns_rr_ttl(rr) < *ttl)
			*ttl = ns_rr_ttl(rr);
		*positive |= is_asked(&rr, q);
	}
	return 0;
}

/* How long the SOA record of the authority section lets a negative answer live; 0 without it.
 */
static uint32_t negative_ttl(ns_msg *m)
{
	uint32_t ttl, minimum;
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(*m, ns_s_ns); i++) {
		if (ns_parserr(m, ns_s_ns, i, &rr))
			return 0;
		if (rr.type != DNS_TYPE_SOA || ns_rr_rdlen(rr) < SOA_RDATA_MIN)
			continue;
		minimum = get_be32(ns_rr_rdata(rr) + ns_rr_rdlen(rr) - 4);
		ttl = ns_rr_ttl(rr) < minimum ? ns_rr_ttl(rr) : minimum;
		return ttl < DNS_NEGATIVE_TTL_MAX ? ttl : DNS_NEGATIVE_TTL_MAX;
	}
	return 0;
}

/* Whether every record can be read, and the extended part of the rcode is zero. */
static bool is_sound(ns_msg *m)
{
	static const ns_sect sections[] = { ns_s_an, ns_s_ns, ns_s_ar };
	ns_rr rr;

	for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++)
		for (int i = 0; i < ns_msg_count(*m, sections[s]); i++) {
			if (ns_parserr(m, sections[s], i, &rr))
				return false;
			if (rr.type == DNS_TYPE_OPT && ns_rr_ttl(rr) >> 24)
				return false;
		}
	return true;
}

uint32_t dns_answer_ttl(const uint8_t *msg, size_t len, const struct dns_query *q)
{
	uint32_t ttl = DNS_TTL_MAX, negative;
	bool positive = false;
	unsigned rcode;
	ns_msg m;

	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX || ns_initparse(msg, (int)len, &m))
		return 0;
	rcode = DNS_RCODE(dns_answer_flags(msg));
	if (dns_answer_flags(msg) & DNS_TC || !has_question(msg, len, q) ||
	    (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN) || !is_sound(&m))
		return 0;
	if (read_answers(&m, q, &ttl, &positive))
		return 0;
	if (positive && rcode == DNS_NOERROR)
		return ttl;
	negative = negative_ttl(&m);
	return negative < ttl ? negative : ttl;
}

/* Goes from `name`, as text, to what it is an alias of; false at the end of the chain. */
static bool follow_alias(ns_msg *m, int n, char name[static NS_MAXDNAME])
{
	char target[NS_MAXDNAME];
	ns_rr rr;

	for (int i = 0; i < n; i++) {
		if (ns_parserr(m, ns_s_an, i, &rr))
			return false;
		if (rr.type != DNS_TYPE_CNAME || strcasecmp(ns_rr_name(rr), name) != 0)
			continue;
		if (ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), ns_rr_rdata(rr), target,
				       sizeof(target)) < 0)
			return false;
		memcpy(name, target, sizeof(target));
		return true;
	}
	return false;
}

static bool take_address(const ns_rr *rr, struct addr *a)
{
	if (rr->rr_class != DNS_CLASS_IN)
		return false;
	if (rr->type == DNS_TYPE_A && ns_rr_rdlen(*rr) == 4)
		*a = addr_ip4(get_be32(ns_rr_rdata(*rr)));
	else if (rr->type == DNS_TYPE_AAAA && ns_rr_rdlen(*rr) == sizeof(a->b))
		memcpy(a->b, ns_rr_rdata(*rr), sizeof(a->b));
	else
		return false;
	return true;
}

unsigned dns_answer_addresses(const uint8_t *msg, size_t len, const struct dns_query *q,
			      struct addr addrs[static DNS_ANSWER_ADDRS_MAX])
{
	char name[NS_MAXDNAME];
	unsigned n_addrs = 0;
	ns_msg m;
	ns_rr rr;
	int n;

	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX || ns_initparse(msg, (int)len, &m) ||
	    ns_name_ntop(q->name, name, sizeof(name)) < 0)
		return 0;
	n = ns_msg_count(m, ns_s_an);
	if (n > RECORDS_READ)
		n = RECORDS_READ;
	for (int i = 0; i < CNAMES_MAX && follow_alias(&m, n, name); i++)
		;
	for (int i = 0; i < n && n_addrs < DNS_ANSWER_ADDRS_MAX; i++) {
		if (ns_parserr(&m, ns_s_an, i, &rr))
			break;
		if (!strcasecmp(ns_rr_name(rr), name) && take_address(&rr, &addrs[n_addrs]))
			n_addrs++;
	}
	return n_addrs;
}

size_t dns_answer_strip(uint8_t *msg, size_t len)
{
	ns_msg m;
	ns_rr rr;
	int n;

	if (len > DNS_MESSAGE_MAX || ns_initparse(msg, (int)len, &m))
		return 0;
	n = ns_msg_count(m, ns_s_ar);
	for (int i = 0; i < n; i++) {
		if (ns_parserr(&m, ns_s_ar, i, &rr))
			return 0;
		if (rr.type != DNS_TYPE_OPT)
			continue;
		if (i + 1 < n || rr.name[0])
			return 0;
		len = (size_t)(ns_rr_rdata(rr) - msg) - ROOT_BEFORE_RDATA;
		put_be16(msg + 10, (uint16_t)(n - 1));
		/* The root may have been written as a pointer to it, which is longer; and a
		 * name elsewhere as a pointer into what is gone. */
		return ns_initparse(msg, (int)len, &m) || !is_sound(&m) ? 0 : len;
	}
	return len;
}

void dns_answer_age(uint8_t *msg, size_t len, uint32_t seconds)
{
	static const ns_sect sections[] = { ns_s_an, ns_s_ns, ns_s_ar };
	ns_msg m;
	ns_rr rr;

	if (len > DNS_MESSAGE_MAX || ns_initparse(msg, (int)len, &m))
		return;
	put_be16(msg + 2, dns_answer_flags(msg) & (uint16_t)~DNS_AA);
	for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++)
		for (int i = 0; i < ns_msg_count(m, sections[s]); i++) {
			if (ns_parserr(&m, sections[s], i, &rr))
				return;
			put_be32(msg + (ns_rr_rdata(rr) - msg) - TTL_BEFORE_RDATA,
				 ns_rr_ttl(rr) > seconds ? ns_rr_ttl(rr) - seconds : 0);
		}
}

void dns_answer_patch(uint8_t *msg, size_t len, uint16_t id, const uint8_t *question,
		      size_t question_len)
{
	if (len < DNS_HEADER_LEN)
		return;
	put_be16(msg, id);
	if (get_be16(msg + 4) == 1 && len >= DNS_HEADER_LEN + question_len)
		memcpy(msg + DNS_HEADER_LEN, question, question_len);
}
