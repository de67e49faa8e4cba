/* proto/dhcp4.h: the DHCPv4 server (RFC 2131, BOOTP: RFC 951, 1534).
 *
 * Theory of operation.  There is one guest behind the link and one address for it, env->net's.
 * The link is ours alone, so the server is the only one and knows all that there is to know
 * ("authoritative"): whoever asks is offered that address, and whoever believes to have
 * another is told at once that it does not (NAK), without first having seen it here.
 *
 * A client with another MAC or identifier takes the lease over.  It is the same guest most of
 * the time: first its firmware, then an installer, then the system with an identifier of
 * its own, none of which releases anything.  Refusing until the old lease ends would keep the
 * guest off the network for a day.  Systems nested in the guest that ask on the same
 * link would share its address; that shows in the log, and the last one to ask owns the lease.
 */
#ifndef PROTO_DHCP4_H
#define PROTO_DHCP4_H

#include "proto/env.h"
#include "proto/lease.h"
#include "wire/dhcp4.h"

/* NULL without memory. */
struct dhcp4 *dhcp4_new(struct env *env);

/* NULL is fine. */
void dhcp4_free(struct dhcp4 *d);

/* Whether clients find us at this address: the gateway's, or what that was when the lease began. */
bool dhcp4_is_server(const struct env *env, const struct addr *a);

/* A UDP datagram to port 67. */
enum drop dhcp4_from_guest(struct env *env, const struct pkt *p);

/* The lease; NULL while nobody holds it. */
const struct lease *dhcp4_get_lease(const struct env *env);

#endif
