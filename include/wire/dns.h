/* wire/dns.h: DNS queries as a relay reads them, and the answers that it makes itself
 * (RFC 1035, EDNS of RFC 6891).
 *
 * Messages are read with glibc's ns_* parser.  Other servers' answers: wire/dns_answer.h.
 */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H

#include "base/addr.h"
#include "base/cursor.h"

#define DNS_PORT	   53
#define DNS_HEADER_LEN	   12
#define DNS_NAME_MAX	   255 /* on the wire, with the root label (RFC 1035 2.3.4) */
#define DNS_NAME_TEXT_MAX  1025 /* as text, each byte escaped, with the terminating zero */
#define DNS_QUESTION_MAX   (DNS_NAME_MAX + 4)
#define DNS_KEY_MAX	   (DNS_QUESTION_MAX + 1)
#define DNS_QUERY_MAX	   4096 /* longer queries are refused */
#define DNS_MESSAGE_MAX	   65535
#define DNS_UDP_SIZE_PLAIN 512	/* what a client without EDNS takes by UDP */
#define DNS_UDP_SIZE_OURS  1232 /* told to clients with EDNS */
#define DNS_REPLY_MAX	   4096 /* the largest answer made by dns_reply_encode() */

/* The second word of the header. */
enum dns_flag {
	DNS_QR = 0x8000, /* an answer */
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_AD = 0x0020,
	DNS_CD = 0x0010
};
#define DNS_OPCODE(flags) ((flags) >> 11 & 0xf) /* 0: QUERY */
#define DNS_RCODE(flags)  ((flags)&0xf)

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16
};

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
	DNS_TYPE_ANY = 255
};
enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_ANY = 255 };

/* What a query asks. */
struct dns_query {
	uint16_t id, flags;
	uint8_t name[DNS_NAME_MAX]; /* on the wire, in lower case */
	uint8_t name_len; /* 0: the question could not be read; so for all that follows */
	uint16_t qtype, qclass;
	const uint8_t *question; /* name, type and class as they stand in the message */
	size_t question_len;
	bool edns;	   /* it has an OPT record */
	bool dnssec_ok;	   /* the DO bit (RFC 3225) */
	uint16_t udp_size; /* largest answer that the client takes by UDP */
	bool shareable;	   /* the answer is good for everybody who asks the same: recursion is
			    * desired, no signature, no option that changes the answer */
};

/* Reads a query; views in `q` point into `msg`.  0; -EBADMSG for what must not be answered at
 * all: shorter than a header, or itself an answer; or the enum dns_rcode to refuse it with:
 * DNS_FORMERR (malformed, or not exactly one question: RFC 9619), DNS_NOTIMP (not a QUERY),
 * DNS_REFUSED (zone transfers), DNS_BADVERS (EDNS version other than 0). */
int dns_query_decode(const uint8_t *msg, size_t len, struct dns_query *q);

/* What two queries with the same answer have in common: canonical name, type, class and the DO,
 * CD and AD bits.  Returns the length. */
size_t dns_query_key(const struct dns_query *q, uint8_t key[static DNS_KEY_MAX]);

/* Writes an answer of our own: `rcode` (an enum dns_rcode), the question as it was asked, an
 * address record for each of `addrs`, and an OPT record if the query had one.  Answers without
 * error are authoritative.  DNS_REPLY_MAX bytes suffice for 128 addresses. */
void dns_reply_encode(struct wr *w, const struct dns_query *q, unsigned rcode,
		      const struct addr *addrs, unsigned n_addrs, uint32_t ttl);

/* Writes what a client gets over UDP instead of an answer that is larger than it takes (RFC
 * 2181 9): the header of that answer with TC set, and the question. */
void dns_truncated_encode(struct wr *w, const struct dns_query *q, uint16_t answer_flags);

/* Appends our OPT record to the message in `w`, and counts it there. */
void dns_opt_append(struct wr *w, const struct dns_query *q);

/* Reads a name as people write it, with or without the last dot, into its form on the wire in
 * lower case; returns its length.  -EINVAL for what is no name, and for the root. */
int dns_name_encode(const char *text, uint8_t name[static DNS_NAME_MAX]);

/* Writes a name on the wire as people read it, without the last dot; what is not printable ASCII, or
 * would be taken for a dot between labels, as \DDD or behind a backslash (RFC 1035 5.1).  -EINVAL
 * for what is no name, and for the root. */
int dns_name_print(const uint8_t *name, char text[static DNS_NAME_TEXT_MAX]);

#endif
