/* proto/transport.h: the protocols above IP, and who handles them. */
#ifndef PROTO_TRANSPORT_H
#define PROTO_TRANSPORT_H

#include "proto/env.h"

/* Handles a whole packet of the guest, whose addresses may be used.  What nobody handles is refused
 * with an ICMP error.  Returns the reason when it was dropped. */
enum drop transport_from_guest(struct env *env, const struct pkt *p);

#endif
