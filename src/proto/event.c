/* proto/event.c: see proto/event.h. */
#include "proto/event.h"

#include <assert.h>

static const char *const limit_names[] = {
	[LIMIT_FLOWS] = "flows",
	[LIMIT_OPEN_FILES] = "open-files",
	[LIMIT_DNS_QUERIES] = "dns-queries",
	[LIMIT_FRAGMENTS] = "fragments",
	[LIMIT_TCP_MEMORY] = "tcp-memory",
	[LIMIT_CONTROL_CLIENTS] = "control-clients",
	[LIMIT_NEW_FLOWS] = "new-flows",
};
static_assert(sizeof(limit_names) / sizeof(limit_names[0]) == N_LIMITS, "a name each");

const char *limit_name(enum limit limit)
{
	return limit_names[limit];
}

void env_drop(struct env *env, enum drop reason)
{
	env->stats.drops[reason]++;
	event_tell(env, &(struct event){ .kind = EVENT_FRAMES_DROPPED, .drop = reason });
	if (reason == DROP_FRAGMENT_LIMIT)
		event_limit_reached(env, LIMIT_FRAGMENTS);
}
