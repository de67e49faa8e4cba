/* proto/preempt.c: see proto/preempt.h. */
#include "proto/preempt.h"

#include "proto/icmp.h"
#include "proto/udp.h"

bool preempt_flow(struct env *env)
{
	return udp_preempt(env) || icmp_preempt(env);
}
