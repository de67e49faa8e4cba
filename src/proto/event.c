/* proto/event.c: see proto/event.h. */
#include "proto/event.h"

void env_drop(struct env *env, enum drop reason)
{
	env->stats.drops[reason]++;
	event_tell(env, &(struct event){ .kind = EVENT_FRAMES_DROPPED, .drop = reason });
	if (reason == DROP_FRAGMENT_LIMIT)
		event_limit_reached(env, LIMIT_FRAGMENTS);
}
