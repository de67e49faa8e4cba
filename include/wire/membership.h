/* wire/membership.h: IGMP (RFC 1112, RFC 2236, RFC 3376) and MLD (RFC 2710, RFC 3810): what
 * hosts tell of the groups they are in, and how a router asks.
 *
 * All versions come down to groups that somebody is in, or nobody any more.  Whom a host wants
 * to hear in a group, as IGMPv3 and MLDv2 tell, is left to the host.
 */
#ifndef WIRE_MEMBERSHIP_H
#define WIRE_MEMBERSHIP_H

#include "base/addr.h"
#include "base/cursor.h"

#define MEMBERSHIP_QUERY_MAX 76 /* bytes of a query, with its IPv6 header */
/* RFC 3376 8: the time between queries, and after which a group that nobody reported is left.
 */
#define MEMBERSHIP_QUERY_SECONDS    125
#define MEMBERSHIP_RESPONSE_SECONDS 10
#define MEMBERSHIP_SECONDS	    (2 * MEMBERSHIP_QUERY_SECONDS + MEMBERSHIP_RESPONSE_SECONDS)

struct membership {
	struct addr group;
	bool member;
};

struct membership_report {
	struct rd rest;
	unsigned n; /* records that are left */
	bool ip6;
	struct membership one; /* in place of records, in the older versions */
	bool has_one;
};

/* Reads an IGMP message.  0; -ENOMSG: not a report or a leave; -EINVAL: malformed.  Its
 * checksum is not verified: the link is memory. */
int membership_decode_igmp(const void *message, size_t len, struct membership_report *r);

/* The same of an ICMPv6 message that is MLD's. */
int membership_decode_mld(const void *message, size_t len, struct membership_report *r);

/* The next group that the report is about; false: no more. */
bool membership_next(struct membership_report *r, struct membership *m);

/* Writes a general query of our latest version, which older hosts understand too, from `src`,
 * with its IP header: to 224.0.0.1 or ff02::1, whichever is of the family, which goes to
 * `*dst`. */
void membership_encode_query(struct wr *w, const struct addr *src, struct addr *dst);

#endif
