/* proto/ip.h: what IP itself asks for, of both families: addresses that may be used, fragments,
 * and options that its packet must not go on without. */
#ifndef PROTO_IP_H
#define PROTO_IP_H

#include "proto/env.h"

/* Handles an IP packet of the guest, of a family that it has. */
enum drop ip_from_guest(struct env *env, const struct pkt *p);

/* Answers a packet whose extension headers have a problem that its sender is to be told of (RFC 8200
 * 4.2, 4.5); nothing where there is none. */
void ip_report_problem(struct env *env, const struct pkt *p);

#endif
