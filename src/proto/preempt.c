/* proto/preempt.c: see proto/preempt.h. */
#include "proto/preempt.h"

#include <errno.h>

#include "proto/dns.h"
#include "proto/event.h"
#include "proto/icmp.h"
#include "proto/udp.h"

bool preempt_flow(struct env *env)
{
	return udp_preempt(env) || icmp_preempt(env);
}

bool preempt_descriptor(struct env *env)
{
	event_limit_reached(env, LIMIT_OPEN_FILES);
	return preempt_flow(env);
}

int preempt_insert(struct env *env, struct flow *f)
{
	int rc = flow_table_insert(&env->flows, f, env->now_ns);

	if (rc == -ENOSPC) {
		event_limit_reached(env, LIMIT_FLOWS);
		if (preempt_flow(env))
			rc = flow_table_insert(&env->flows, f, env->now_ns);
	}
	if (rc) {
		env->stats.flow_refused++;
		return rc;
	}
	env->stats.flow_opened++;
	if (f->dir == FLOW_OUT)
		f->name = flow_name_get(dns_name_of(env, &f->key.peer));
	return 0;
}
