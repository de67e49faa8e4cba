/* proto/arp.h: answers the guest's ARP requests (RFC 826). */
#ifndef PROTO_ARP_H
#define PROTO_ARP_H

#include "proto/env.h"

/* Every address is behind us, but for the guest's own: requests for that, and for the sender's
 * own address, stay unanswered so that duplicate address detection (RFC 5227) passes. */
enum drop arp_from_guest(struct env *env, const struct pkt *p);

/* Asks for the guest's assigned address, to learn its MAC early. */
void arp_announce(struct env *env);

#endif
