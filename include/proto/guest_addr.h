/* proto/guest_addr.h: which addresses the guest uses. */
#ifndef PROTO_GUEST_ADDR_H
#define PROTO_GUEST_ADDR_H

#include "proto/env.h"

/* The guest sent from this address, or is about to. */
void guest_addr_learn(struct env *env, const struct addr *src);

/* Whether the guest has the address: it was seen, or given to it. */
bool guest_addr_is_own(const struct env *env, const struct addr *a);

/* At which of its addresses the guest is reached by `client`, as it knows that: one of the same
 * family and, if it can be, of the same scope.  Before it was seen that is the one that it is given;
 * of several IPv6 addresses that one is also first choice, then the one used last. */
struct addr guest_addr_for(const struct env *env, const struct addr *client);

/* Whether it is worth trying that: the guest has the client's family and, if that is IPv6, was
 * not seen to do without it. */
bool guest_addr_in_reach(const struct env *env, const struct addr *client);

#endif
