/* wire/dns.c: decoding of queries, encoding of our own answers. */
#include "wire/dns.h"

#include <arpa/nameser.h>
#include <errno.h>

#define OPT_DO	     0x8000 /* in the lower half of an OPT's TTL (RFC 6891 6.1.3) */

/* EDNS options that belong to the hop between client and server, or are padding: the answer
 * itself does not depend on them. */
enum edns_option { EDNS_COOKIE = 10, EDNS_KEEPALIVE = 11, EDNS_PADDING = 12 };

static int decode_question(const ns_msg *m, struct dns_query *q)
{
	const uint8_t *msg = ns_msg_base(*m), *end = ns_msg_end(*m);
	uint8_t name[DNS_NAME_MAX];
	int len, canonical_len;

	if (ns_msg_count(*m, ns_s_qd) != 1)
		return DNS_FORMERR;
	len = ns_name_unpack(msg, end, msg + DNS_HEADER_LEN, name, sizeof(name));
	if (len < 0)
		return DNS_FORMERR;
	canonical_len = ns_name_ntol(name, q->name, sizeof(q->name));
	if (canonical_len != len) /* compressed: nothing stands before it to point at */
		return DNS_FORMERR;
	q->name_len = (uint8_t)len;
	q->question = msg + DNS_HEADER_LEN;
	q->question_len = (size_t)len + 4;
	q->qtype = get_be16(q->question + len);
	q->qclass = get_be16(q->question + len + 2);
	return 0;
}

static int decode_options(const ns_rr *opt, struct dns_query *q)
{
	struct rd r = rd_init(ns_rr_rdata(*opt), ns_rr_rdlen(*opt));

	while (rd_left(&r)) {
		uint16_t code = rd_be16(&r);

		rd_skip(&r, rd_be16(&r));
		if (code != EDNS_COOKIE && code != EDNS_KEEPALIVE && code != EDNS_PADDING)
			q->shareable = false;
	}
	return r.error ? DNS_FORMERR : 0;
}

static int decode_opt(const ns_rr *opt, struct dns_query *q)
{
	uint32_t ttl = ns_rr_ttl(*opt);

	if (q->edns || opt->name[0]) /* one at most, at the root (RFC 6891 6.1.1) */
		return DNS_FORMERR;
	q->edns = true;
	if (opt->rr_class > DNS_UDP_SIZE_PLAIN)
		q->udp_size = opt->rr_class;
	q->dnssec_ok = ttl & OPT_DO;
	if (ttl >> 16 & 0xff)
		return DNS_BADVERS;
	return decode_options(opt, q);
}

static int decode_additional(ns_msg *m, struct dns_query *q)
{
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(*m, ns_s_ar); i++) {
		int refusal = 0;

		if (ns_parserr(m, ns_s_ar, i, &rr))
			return DNS_FORMERR;
		if (rr.type == DNS_TYPE_OPT)
			refusal = decode_opt(&rr, q);
		else
			q->shareable = false; /* such as a signature of the whole message */
		if (refusal)
			return refusal;
	}
	return 0;
}

int dns_query_decode(const uint8_t *msg, size_t len, struct dns_query *q)
{
	struct rd r = rd_init(msg, len);
	int refusal;
	ns_msg m;

	*q = (struct dns_query){ .id = rd_be16(&r),
				 .flags = rd_be16(&r),
				 .udp_size = DNS_UDP_SIZE_PLAIN };
	if (len < DNS_HEADER_LEN || q->flags & DNS_QR)
		return -EBADMSG;
	if (DNS_OPCODE(q->flags))
		return DNS_NOTIMP;
	if (len > DNS_QUERY_MAX || ns_initparse(msg, (int)len, &m))
		return DNS_FORMERR;
	refusal = decode_question(&m, q);
	if (refusal)
		return refusal;
	q->shareable =
		q->flags & DNS_RD && !ns_msg_count(m, ns_s_an) && !ns_msg_count(m, ns_s_ns);
	refusal = decode_additional(&m, q);
	if (refusal)
		return refusal;
	return q->qtype == DNS_TYPE_AXFR || q->qtype == DNS_TYPE_IXFR ? DNS_REFUSED : 0;
}

size_t dns_query_key(const struct dns_query *q, uint8_t key[static DNS_KEY_MAX])
{
	struct wr w = wr_init(key, DNS_KEY_MAX);

	wr_bytes(&w, q->name, q->name_len);
	wr_be16(&w, q->qtype);
	wr_be16(&w, q->qclass);
	wr_u8(&w, (uint8_t)((q->flags & (DNS_AD | DNS_CD)) | q->dnssec_ok));
	return wr_len(&w);
}

static void encode_opt(struct wr *w, const struct dns_query *q, unsigned rcode)
{
	wr_u8(w, 0); /* the root */
	wr_be16(w, DNS_TYPE_OPT);
	wr_be16(w, DNS_UDP_SIZE_OURS);
	wr_u8(w, (uint8_t)(rcode >> 4)); /* upper bits of the rcode */
	wr_u8(w, 0);			 /* version */
	wr_be16(w, q->dnssec_ok ? OPT_DO : 0);
	wr_be16(w, 0); /* no options */
}

static void encode_address(struct wr *w, const struct addr *a, uint32_t ttl)
{
	bool ip4 = addr_is_ip4(a);
	uint16_t len = ip4 ? 4 : 16;

	wr_be16(w, 0xc000 | DNS_HEADER_LEN); /* the question's name */
	wr_be16(w, ip4 ? DNS_TYPE_A : DNS_TYPE_AAAA);
	wr_be16(w, DNS_CLASS_IN);
	wr_be32(w, ttl);
	wr_be16(w, len);
	wr_bytes(w, a->b + sizeof(a->b) - len, len);
}

static void encode_header(struct wr *w, const struct dns_query *q, unsigned flags,
			  unsigned n_answers)
{
	wr_be16(w, q->id);
	wr_be16(w, (uint16_t)flags);
	wr_be16(w, q->question_len > 0);
	wr_be16(w, (uint16_t)n_answers);
	wr_be16(w, 0);
	wr_be16(w, q->edns);
	wr_bytes(w, q->question, q->question_len);
}

void dns_reply_encode(struct wr *w, const struct dns_query *q, unsigned rcode,
		      const struct addr *addrs, unsigned n_addrs, uint32_t ttl)
{
	unsigned flags = DNS_QR | (q->flags & (0x7800 | DNS_RD | DNS_CD)) | DNS_RA |
			 (rcode == DNS_NOERROR ? DNS_AA : 0);

	encode_header(w, q, flags | DNS_RCODE(rcode), n_addrs);
	for (unsigned i = 0; i < n_addrs; i++)
		encode_address(w, &addrs[i], ttl);
	if (q->edns)
		encode_opt(w, q, rcode);
}

void dns_truncated_encode(struct wr *w, const struct dns_query *q, uint16_t answer_flags)
{
	encode_header(w, q, answer_flags | DNS_TC, 0);
	if (q->edns)
		encode_opt(w, q, DNS_NOERROR);
}

void dns_opt_append(struct wr *w, const struct dns_query *q)
{
	const size_t arcount = 10;

	encode_opt(w, q, DNS_NOERROR);
	if (!w->error)
		wr_patch16(w, arcount, (uint16_t)(get_be16(w->start + arcount) + 1));
}

int dns_name_encode(const char *text, uint8_t name[static DNS_NAME_MAX])
{
	uint8_t wire[DNS_NAME_MAX];
	int len;

	if (ns_name_pton(text, wire, sizeof(wire)) < 0)
		return -EINVAL;
	len = ns_name_ntol(wire, name, DNS_NAME_MAX);
	return len > 1 ? len : -EINVAL;
}

int dns_name_print(const uint8_t *name, char text[static DNS_NAME_TEXT_MAX])
{
	return !name[0] || ns_name_ntop(name, text, DNS_NAME_TEXT_MAX) < 0 ? -EINVAL : 0;
}
