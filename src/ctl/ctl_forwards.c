/* ctl/ctl_forwards.c: query-forwards, forward-add, forward-set, forward-remove. */
#include <errno.h>
#include <string.h>

#include "ctl/ctl_method.h"
#include "ctl/ctl_show.h"
#include "proto/forward.h"

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown";
}

void ctl_show_forward_port(const struct forward_rule *port, int error,
			   struct ctl_forward_port *c)
{
	*c = (struct ctl_forward_port){
		.has = (port->both_families ? 0 : CTL_FORWARD_PORT_HAS_HOST_ADDR) |
		       (port->interface[0] ? CTL_FORWARD_PORT_HAS_INTERFACE : 0),
		.proto = port->proto,
		.host_addr = port->addr,
		.interface = port->interface,
		.host_port = port->first,
		.error = (uint64_t)error,
		.error_name = error_name(error),
	};
}

/* The error of a call: where it is about a port, for programs, too. */
static int fail(struct ctl_call *call, int rc, const struct forward_error *error)
{
	struct ctl_forward_port *port =
		error->error ? ctl_doc_alloc(call->doc, sizeof(*port)) : NULL;
	struct forward_error *copy = port ? ctl_doc_alloc(call->doc, sizeof(*copy)) : NULL;

	if (copy) {
		*copy = *error;
		ctl_show_forward_port(&copy->port, copy->error, port);
		call->failed_port = port;
	}
	return ctl_fail(call, rc, "%s", error->text);
}

static void show_forward(const struct forward *f, struct ctl_forward *c)
{
	const struct forward_rule *r = &f->rule;
	unsigned n = forward_rule_n_ports(r);

	*c = (struct ctl_forward){
		.has = (r->both_families ? 0 : CTL_FORWARD_HAS_HOST_ADDR) |
		       (r->interface[0] ? CTL_FORWARD_HAS_INTERFACE : 0) |
		       (addr_is_unspecified(&r->target) ? 0 : CTL_FORWARD_HAS_GUEST_ADDR) |
		       (f->n_failed ? CTL_FORWARD_HAS_FAILED : 0),
		.id = f->id,
		.proto = r->proto,
		.host_addr = r->addr,
		.interface = r->interface,
		.host_port = r->first,
		.host_port_last = r->last,
		.guest_addr = r->target,
		.guest_port = r->target_first,
		.guest_port_last = (uint16_t)(r->target_first + n - 1),
		.best_effort = r->best_effort,
		.open_ports = f->n_open,
		.failed_ports = f->n_failed,
		.failed_port = f->failed_port,
		.failed_reason = strerror(f->failed_error),
		.failed_error = (uint64_t)f->failed_error,
		.failed_error_name = error_name(f->failed_error),
		.clients = f->n_clients,
		.refused = f->n_refused,
	};
}

/* The cursor is the id of the rule shown last. */
static int next_forward(struct ctl_call *call, const struct env *env, void *result)
{
	const struct forward *f =
		env->forwards ? forwards_next(env->forwards, call->cursor) : NULL;

	if (!f)
		return CTL_DONE;
	call->cursor = f->id;
	show_forward(f, result);
	return CTL_ITEM;
}

int ctl_forwards_query(struct ctl_call *call, const struct env *env, void *result)
{
	return next_forward(call, env, result);
}

/* Opens on the first call, then lists what it opened: the rules with the highest ids. */
int ctl_forwards_add(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_forward_add *args = call->args;
	struct env *env = target->env;
	struct forward_error error;
	uint64_t first_id;
	int n;

	if (call->started)
		return next_forward(call, env, result);
	if (!env->forwards)
		return ctl_fail(call, -ENOTSUP, "there are no forwards here");
	n = forwards_add(env->forwards, (enum flow_proto)args->proto, args->spec, &first_id,
			 &error);
	if (n < 0)
		return fail(call, n, &error);
	call->cursor = first_id - 1;
	return n ? next_forward(call, env, result) : CTL_DONE;
}

/* Changes on the first call, then lists all forwards of the protocol. */
int ctl_forwards_set(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_forward_set *args = call->args;
	struct env *env = target->env;
	struct forward_error error;
	int rc = 0;

	if (!env->forwards)
		return ctl_fail(call, -ENOTSUP, "there are no forwards here");
	if (!call->started)
		rc = forwards_set(env->forwards, (enum flow_proto)args->proto,
				  args->specs.items, args->specs.n, &error);
	if (rc)
		return fail(call, rc, &error);
	do
		rc = next_forward(call, env, result);
	while (rc == CTL_ITEM && ((struct ctl_forward *)result)->proto != args->proto);
	return rc;
}

int ctl_forwards_remove(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const unsigned by_spec = CTL_FORWARD_REMOVE_HAS_PROTO | CTL_FORWARD_REMOVE_HAS_SPEC;
	const struct ctl_forward_remove *args = call->args;
	struct forwards *forwards = target->env->forwards;
	struct forward_error error;
	int rc;

	if (args->has != CTL_FORWARD_REMOVE_HAS_ID && args->has != by_spec)
		return ctl_fail(call, -EINVAL,
				"either 'id', or 'proto' and 'spec' must be given");
	if (!forwards)
		return ctl_fail(call, -ENOTSUP, "there are no forwards here");
	if (args->has == by_spec) {
		rc = forwards_remove_spec(forwards, (enum flow_proto)args->proto, args->spec,
					  &error);
		return rc < 0 ? fail(call, rc, &error) : CTL_DONE;
	}
	if (forwards_remove(forwards, args->id))
		return ctl_fail(call, -ENOENT, "there is no forward %llu",
				(unsigned long long)args->id);
	return CTL_DONE;
}
