/* proto/dhcp6.h: the DHCPv6 server (RFC 8415).
 *
 * Theory of operation.  As with DHCPv4 (proto/dhcp4.h) there is one guest behind the link and
 * one address for it, env->net's, and this server is the only one: it goes to whoever asks,
 * whether it was seen before or not, and whoever asks last owns the lease.  The first IA_NA of
 * a message gets the address, or the one that already names it; there is nothing for the
 * others, nor prefixes to delegate.
 *
 * Clients speak to the multicast address alone: the option that would let them do otherwise is
 * never sent.
 */
#ifndef PROTO_DHCP6_H
#define PROTO_DHCP6_H

#include "proto/env.h"
#include "proto/lease.h"
#include "wire/dhcp6.h"

/* NULL without memory. */
struct dhcp6 *dhcp6_new(struct env *env);

/* NULL is fine. */
void dhcp6_free(struct dhcp6 *d);

/* A UDP datagram to port 547. */
enum drop dhcp6_from_guest(struct env *env, const struct pkt *p);

/* The lease; NULL while nobody holds it. */
const struct lease *dhcp6_get_lease(const struct env *env);

#endif
