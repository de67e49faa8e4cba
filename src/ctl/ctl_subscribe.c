/* ctl/ctl_subscribe.c: events-subscribe. */
#include <errno.h>

#include "ctl/ctl_event.h"
#include "ctl/ctl_method.h"

/* Changes nothing but what this client hears. */
int ctl_events_subscribe(struct ctl_call *call, const struct env *env, void *result)
{
	const struct ctl_subscribe *args = call->args;
	const unsigned *chosen = args->events.items;
	struct ctl_flow_filter flows = { .by_proto = args->has & CTL_SUBSCRIBE_HAS_PROTO,
					 .by_dir = args->has & CTL_SUBSCRIBE_HAS_DIR,
					 .proto = args->proto,
					 .dir = args->dir,
					 .any = { .by_port = args->has & CTL_SUBSCRIBE_HAS_PORT,
						  .port = args->port } };
	uint32_t kinds = args->has & CTL_SUBSCRIBE_HAS_EVENTS ? 0 : CTL_EVENTS_ALL;

	if (args->has & CTL_SUBSCRIBE_HAS_ADDR && ctl_end_filter_net(&flows.any, args->addr))
		return ctl_fail(call, -EINVAL,
				"argument 'addr' must be an IP address or prefix");
	for (size_t i = 0; i < args->events.n; i++)
		kinds |= 1u << chosen[i];
	ctl_subscriber_choose(call->subscriber, kinds, &flows);
	return CTL_DONE;
}
