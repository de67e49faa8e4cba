/* proto/error_limit.h: how many ICMP errors the guest is sent (RFC 1812 4.3.2.8, RFC 4443 2.4 (f)).
 *
 * Each takes a token from two buckets: that of the flow it is about, so that a flood of one leaves
 * errors for the others, and that of all.  A fixed number of buckets serves the flows, by a keyed hash.
 */
#ifndef PROTO_ERROR_LIMIT_H
#define PROTO_ERROR_LIMIT_H

#include "base/hash.h"
#include "wire/pkt.h"

#define ERROR_LIMIT_BUCKETS 256 /* a power of two */

/* A bucket is a time, for a token is worth some; it is full once that lies far enough in the past. */
struct error_limit {
	uint64_t all_ns;
	uint64_t flow_ns[ERROR_LIMIT_BUCKETS];
};

/* Whether an error about the packet may be sent now; takes its tokens then. */
bool error_limit_take(struct error_limit *l, const struct hash_key *key, const struct pkt *about,
		      uint64_t now_ns);

#endif
