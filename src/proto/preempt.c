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

void preempt_refused(struct env *env, enum flow_proto proto)
{
	env->stats.flow_refused++;
	env->flows.refused[proto]++;
}

/* Whether one more flow is within the rate of new ones. */
static bool may_come(struct env *env, enum flow_proto proto)
{
	if (bucket_is_open(&env->new_flows, env->now_ns)) {
		bucket_take(&env->new_flows, 1, env->now_ns);
		return true;
	}
	preempt_refused(env, proto);
	env->stats.flow_over_rate++;
	event_limit_reached(env, LIMIT_NEW_FLOWS);
	return false;
}

int preempt_insert(struct env *env, struct flow *f)
{
	int rc;

	if (env->new_flows.rate && !may_come(env, f->key.proto))
		return -ENOSPC;
	rc = flow_table_insert(&env->flows, f, env->now_ns);
	if (rc == -ENOSPC) {
		event_limit_reached(env, LIMIT_FLOWS);
		/* above a limit that was lowered, one that ends makes no room */
		if (env->flows.n <= env->flows.max && preempt_flow(env))
			rc = flow_table_insert(&env->flows, f, env->now_ns);
	}
	if (rc) {
		preempt_refused(env, f->key.proto);
		return rc;
	}
	env->stats.flow_opened++;
	if (f->dir == FLOW_OUT)
		f->name = flow_name_get(dns_name_of(env, &f->key.peer));
	return 0;
}
