/* proto/ndp.h: IPv6 neighbor discovery (RFC 4861, RFC 4862), and the router that the guest
 * sees.
 *
 * Every address is behind us, but for the guest's own, as with ARP.  Duplicate address
 * detection finds no other owner, so that the guest may take any address; those that mean us
 * are defended.
 *
 * Router advertisements answer solicitations, and come by themselves now and then and whenever
 * what they tell has changed.  What the guest was told and is true no more (the router's
 * address, the prefix, or IPv6 at all) is taken back first, else it would be used until its
 * lifetime ends.
 */
#ifndef PROTO_NDP_H
#define PROTO_NDP_H

#include "proto/env.h"

/* NULL without memory. */
struct ndp *ndp_new(struct env *env);

/* NULL is fine. */
void ndp_free(struct ndp *ndp);

/* A message of neighbor discovery, ICMPv6 types 133 to 137.  The guest's router advertisements
 * and redirects are dropped; its neighbor advertisements tell its addresses. */
enum drop ndp_from_guest(struct env *env, const struct pkt *p);

/* A client has come, or what routers say has changed: tells who the gateway is, and advertises
 * it, or takes back that it is a router (RFC 4861 6.2.5). */
void ndp_announce(struct env *env);

#endif
