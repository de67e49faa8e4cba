/* ctl/ctl_forwards.c: query-forwards, forward-add, forward-set, forward-remove. */
#include <errno.h>
#include <string.h>

#include "ctl/ctl_method.h"
#include "ctl/ctl_session.h"
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

/* A change that is waited for; the call's own. */
struct wait {
	struct forwards *forwards;
	struct forward_outcome outcome;
	bool listing; /* it is over, and `cursor` counts */
};

static void forget(struct ctl_call *call)
{
	struct wait *w = call->state;

	forwards_forget(w->forwards, &w->outcome);
}

/* In the next turn of the loop, for no turn has more work than this. */
static int wait_a_turn(struct ctl_call *call)
{
	call->cost = CTL_WORK_PER_TURN;
	return CTL_CONTINUE;
}

int ctl_forwards_change(struct ctl_call *call, struct env *env, const struct forward_request *r,
			const struct forward_outcome **o)
{
	struct wait *w = call->state;

	if (!env->forwards)
		return ctl_fail(call, -ENOTSUP, "there are no forwards here");
	if (!w && forwards_changing(env->forwards))
		return wait_a_turn(call);
	if (!w) {
		w = call->state = ctl_doc_alloc(call->doc, sizeof(*w));
		if (!w)
			return ctl_fail(call, -ENOMEM, "no memory");
		w->forwards = env->forwards;
		call->drop = forget;
		forwards_begin(env->forwards, r, &w->outcome);
	}
	if (!w->outcome.over)
		return wait_a_turn(call);
	if (w->outcome.rc < 0)
		return fail(call, w->outcome.rc, &w->outcome.error);
	*o = &w->outcome;
	return CTL_DONE;
}

/* Whether the list begins with this call. */
static bool begins_to_list(struct ctl_call *call)
{
	struct wait *w = call->state;
	bool begins = !w->listing;

	w->listing = true;
	return begins;
}

/* Lists what it opened: the rules with the highest ids. */
int ctl_forwards_add(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_forward_add *args = call->args;
	struct forward_request r = { FORWARD_ADD, (enum flow_proto)args->proto, &args->spec,
				     1 };
	const struct forward_outcome *o;
	int rc = ctl_forwards_change(call, target->env, &r, &o);

	if (rc != CTL_DONE || !o->rc)
		return rc;
	if (begins_to_list(call))
		call->cursor = o->first_id - 1;
	return next_forward(call, target->env, result);
}

/* Lists all forwards of the protocol. */
int ctl_forwards_set(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_forward_set *args = call->args;
	struct forward_request r = { FORWARD_SET, (enum flow_proto)args->proto,
				     args->specs.items, args->specs.n };
	const struct forward_outcome *o;
	int rc = ctl_forwards_change(call, target->env, &r, &o);

	if (rc != CTL_DONE)
		return rc;
	do
		rc = next_forward(call, target->env, result);
	while (rc == CTL_ITEM && ((struct ctl_forward *)result)->proto != args->proto);
	return rc;
}

int ctl_forwards_remove(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const unsigned by_spec = CTL_FORWARD_REMOVE_HAS_PROTO | CTL_FORWARD_REMOVE_HAS_SPEC;
	const struct ctl_forward_remove *args = call->args;
	struct forward_request by_id = { .verb = FORWARD_REMOVE_ID, .id = args->id };
	struct forward_request by_text = { FORWARD_REMOVE, (enum flow_proto)args->proto,
					   &args->spec, 1 };
	const struct forward_outcome *o;

	if (args->has != CTL_FORWARD_REMOVE_HAS_ID && args->has != by_spec)
		return ctl_fail(call, -EINVAL,
				"either 'id', or 'proto' and 'spec' must be given");
	return ctl_forwards_change(call, target->env, args->has == by_spec ? &by_text : &by_id,
				   &o);
}
