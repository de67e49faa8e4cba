/* wire/dns_answer.h: what a relay must know of other servers' answers: whether they belong to
 * the query, and how long they may be kept (RFC 1035, RFC 2181, RFC 2308).
 */
#ifndef WIRE_DNS_ANSWER_H
#define WIRE_DNS_ANSWER_H

#include "wire/dns.h"

#define DNS_ANSWER_ADDRS_MAX 32 /* of one answer that are looked at */
#define DNS_TTL_MAX	     86400u /* answers are kept for a day at most */
#define DNS_NEGATIVE_TTL_MAX 10800u /* that there is none, for three hours (RFC 2308 5) */

/* Whether `msg` answers the query that was sent under `id`: it has that id and, byte for byte,
 * the query's question (RFC 5452 9.1).  Refusals may lack the question: servers that cannot
 * read it answer so. */
bool dns_answer_matches(const uint8_t *msg, size_t len, uint16_t id, const struct dns_query *q);

/* The header's flags; `msg` is at least a header. */
static inline uint16_t dns_answer_flags(const uint8_t *msg)
{
	return get_be16(msg + 2);
}

/* Seconds for which the answer may be kept, 0 for one that must not be: errors other than
 * NXDOMAIN, truncated or malformed messages, TTL 0, and negative answers that do not say for
 * how long (no SOA record).  Otherwise the least TTL of the answer section and, for negative
 * answers, of the SOA's TTL and minimum (RFC 2308 5); see DNS_TTL_MAX. */
uint32_t dns_answer_ttl(const uint8_t *msg, size_t len, const struct dns_query *q);

/* The addresses that the answer gives for the name that was asked for, through any CNAME records
 * on the way (RFC 1034 3.6.2), but not those of other names; how many, and no more than
 * DNS_ANSWER_ADDRS_MAX.  0 also for what cannot be read. */
unsigned dns_answer_addresses(const uint8_t *msg, size_t len, const struct dns_query *q,
			      struct addr addrs[static DNS_ANSWER_ADDRS_MAX]);

/* Takes the OPT record, which belongs to one exchange only (RFC 6891 6.1.1), out of the
 * message. Returns the length that remains, 0 if it cannot be done (it is not the last record).
 */
size_t dns_answer_strip(uint8_t *msg, size_t len);

/* Makes a message without OPT record, kept for `seconds`, what it is now: that much less of
 * every TTL, down to 0, and no longer authoritative (RFC 1035 4.1.1). */
void dns_answer_age(uint8_t *msg, size_t len, uint32_t seconds);

/* Makes it the answer for one client: its id, and the question in its upper and lower case. */
void dns_answer_patch(uint8_t *msg, size_t len, uint16_t id, const uint8_t *question,
		      size_t question_len);

#endif
