/* proto/dns_static.h: names that the relay knows itself: those of --dns-record,
 * and host.internal and gateway.internal.  They are never asked upstream.
 */
#ifndef PROTO_DNS_STATIC_H
#define PROTO_DNS_STATIC_H

#include "proto/net.h"
#include "wire/dns.h"

#define DNS_STATIC_TTL	     5 /* seconds; a daemon started anew may say otherwise */
#define DNS_STATIC_ADDRS_MAX CONF_RECORDS_MAX

struct dns_static_name {
	uint8_t name[DNS_NAME_MAX]; /* on the wire, in lower case */
	uint8_t len;
	struct addr addr;
};

struct dns_static {
	struct dns_static_name *names; /* of --dns-record, in its order */
	unsigned n;
};

/* 0, -ENOMEM, or -EINVAL when a record's name is no domain name. */
int dns_static_init(struct dns_static *s, const struct conf *conf);
void dns_static_free(struct dns_static *s);

/* Whether the name is one of ours.  If so, *n is how many addresses of the type that `q` asks
 * for were stored in `addrs`; without any the answer is that there is no such record. */
bool dns_static_find(const struct dns_static *s, const struct net *net,
		     const struct dns_query *q, struct addr addrs[static DNS_STATIC_ADDRS_MAX],
		     unsigned *n);

#define DNS_STATIC_OWN 2

/* A name that is built in, and the addresses that it has now: one of each family that the guest has,
 * but for link-local ones of IPv6, whose zone a name cannot tell. */
struct dns_static_own {
	const char *name;
	struct addr addrs[2];
	unsigned n;
};

void dns_static_own(const struct net *net, struct dns_static_own own[static DNS_STATIC_OWN]);

#endif
