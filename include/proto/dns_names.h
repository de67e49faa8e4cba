/* proto/dns_names.h: which name the guest asked for when it was told an address.
 *
 * A bounded number of addresses is remembered, those told last; an address that several names
 * have is called by the one told last.
 */
#ifndef PROTO_DNS_NAMES_H
#define PROTO_DNS_NAMES_H

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"
#include "flow/name.h"
#include "wire/dns.h"

#define DNS_NAMES_MAX 4096 /* addresses */

struct dns_names {
	struct flow_names *pool;
	struct hash_key key;
	struct list *buckets, used; /* told last at the end */
	size_t n;
};

/* 0 or -ENOMEM.  `pool` must outlive it. */
int dns_names_init(struct dns_names *names, struct flow_names *pool);
void dns_names_free(struct dns_names *names);

/* Forgets all of them. */
void dns_names_clear(struct dns_names *names);

/* The guest asked `q` and was told `msg`. */
void dns_names_learn(struct dns_names *names, const struct dns_query *q, const uint8_t *msg,
		     size_t len);

/* The name for an address, NULL when none is known; to be kept, it needs flow_name_get(). */
struct flow_name *dns_names_find(const struct dns_names *names, const struct addr *addr);

#endif
