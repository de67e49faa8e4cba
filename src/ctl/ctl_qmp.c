/* ctl/ctl_qmp.c: the methods that QMP itself has. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "ctl/ctl_method.h"

struct ctl_version ctl_qmp_version(void)
{
	struct ctl_version v = { .package = "postern-" POSTERN_VERSION };
	unsigned major = 0, minor = 0, micro = 0;

	sscanf(POSTERN_VERSION, "%u.%u.%u", &major, &minor, &micro);
	v.release = (struct ctl_release){ major, minor, micro };
	return v;
}

/* The negotiation; that it happens once, and before all else, is the session's business. */
int ctl_qmp_capabilities(struct ctl_call *call, const struct env *env, void *result)
{
	const struct ctl_capabilities *args = call->args;
	const char *const *enable = args->enable.items;

	if (args->enable.n)
		return ctl_fail(call, -EINVAL, "capability '%.60s' is not offered", enable[0]);
	return CTL_DONE;
}

int ctl_qmp_query_version(struct ctl_call *call, const struct env *env, void *result)
{
	*(struct ctl_version *)result = ctl_qmp_version();
	return CTL_DONE;
}

int ctl_qmp_query_commands(struct ctl_call *call, const struct env *env, void *result)
{
	const struct ctl_method *m = ctl_method_at(call->cursor++);

	if (!m)
		return CTL_DONE;
	((struct ctl_command *)result)->name = m->name;
	return CTL_ITEM;
}

int ctl_quit(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	log_info(CTL, "ending, as a control client asked");
	target->ops->quit(target->daemon);
	return CTL_DONE;
}
