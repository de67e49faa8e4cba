/* proto/preempt.h: which flow ends when a new one finds no room. */
#ifndef PROTO_PREEMPT_H
#define PROTO_PREEMPT_H

#include "proto/env.h"

/* Ends an older flow that is missed least, so that there is a table entry and a descriptor for
 * a new one: a UDP flow without a lively exchange, else an echo session.  False: there is none.
 */
bool preempt_flow(struct env *env);

/* Likewise, after a socket was not to be had for lack of descriptors. */
bool preempt_descriptor(struct env *env);

/* flow_table_insert(), ending another flow for it if need be; what is refused is counted.  0 or
 * -errno as there. */
int preempt_insert(struct env *env, struct flow *f);

/* Counts a flow that was refused for lack of room or sockets. */
void preempt_refused(struct env *env, enum flow_proto proto);

#endif
