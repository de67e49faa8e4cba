/* ctl/ctl_flows.c: query-flows and flow-close.
 *
 * A listing goes by id: the cursor is the id of the flow looked at last, so that flows may come
 * and go while a slow client reads.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "ctl/ctl_method.h"
#include "ctl/ctl_show.h"

/* The arguments of query-flows, read once a call of the handler. */
struct filter {
	struct ctl_flow_filter flow;
	const char *state; /* NULL: any */
};

static int read_filter(struct ctl_call *call, const struct ctl_flow_query *q, struct filter *f)
{
	*f = (struct filter){ .flow = { .by_proto = q->has & CTL_FLOW_QUERY_HAS_PROTO,
					.by_dir = q->has & CTL_FLOW_QUERY_HAS_DIR,
					.by_port = q->has & CTL_FLOW_QUERY_HAS_PORT,
					.proto = q->proto,
					.dir = q->dir,
					.port = q->port },
			      .state = q->has & CTL_FLOW_QUERY_HAS_STATE ? q->state : NULL };
	if (q->has & CTL_FLOW_QUERY_HAS_ADDR && ctl_flow_filter_net(&f->flow, q->addr))
		return ctl_fail(call, -EINVAL, "argument 'addr' must be an IP address or prefix");
	return 0;
}

static bool matches(const struct filter *f, const struct flow_key *key, enum flow_dir dir,
		    const struct endpoint *host, const struct endpoint *peer, const char *state)
{
	return (!f->state || !strcasecmp(f->state, state)) &&
	       ctl_flow_filter_matches(&f->flow, key, dir, host, peer);
}

static int next_open(struct ctl_call *call, const struct env *env, const struct filter *filter,
		     struct ctl_flow *result)
{
	const struct flow *f = flow_table_next(&env->flows, call->cursor);

	if (!f)
		return CTL_DONE;
	call->cursor = f->id;
	if (!matches(filter, &f->key, f->dir, &f->host, &f->peer, f->class->state(f)))
		return CTL_CONTINUE;
	ctl_show_flow(f, env->now_ns, result);
	return CTL_ITEM;
}

/* Newest first.  The cursor is how many had ended when the next one to show had, so that those
 * that end meanwhile move nothing. */
static int next_closed(struct ctl_call *call, const struct env *env,
		       const struct filter *filter, struct ctl_flow *result)
{
	const struct flow_table *t = &env->flows;
	const struct flow_closed *f;

	if (!call->cursor || t->n_closed - call->cursor >= FLOW_CLOSED_KEPT)
		return CTL_DONE;
	f = &t->closed[--call->cursor % FLOW_CLOSED_KEPT];
	if (!matches(filter, &f->key, f->dir, &f->host, &f->peer, "CLOSED"))
		return CTL_CONTINUE;
	ctl_show_closed_flow(f, env->now_ns, result);
	return CTL_ITEM;
}

int ctl_flows_query(struct ctl_call *call, const struct env *env, void *result)
{
	const struct ctl_flow_query *q = call->args;
	uint64_t limit = q->has & CTL_FLOW_QUERY_HAS_LIMIT ? q->limit : CTL_FLOWS_LIMIT_DEFAULT;
	struct filter filter;
	int rc = read_filter(call, q, &filter);

	if (rc)
		return rc;
	if (q->closed && q->has & CTL_FLOW_QUERY_HAS_AFTER)
		return ctl_fail(call, -EINVAL, "argument 'after' does not go with 'closed'");
	if (!call->started)
		call->cursor = q->closed ? env->flows.n_closed : q->after;
	if (call->n_items >= limit)
		return CTL_DONE;
	return q->closed ? next_closed(call, env, &filter, result)
			 : next_open(call, env, &filter, result);
}

int ctl_flows_close(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_flow_id *args = call->args;
	struct flow *f = flow_table_by_id(&target->env->flows, args->id);

	if (!f)
		return ctl_fail(call, -ENOENT, "there is no open flow %llu",
				(unsigned long long)args->id);
	log_info(FLOW, "flow %llu: closed by a control client", (unsigned long long)f->id);
	f->class->close(target->env, f, FLOW_CLOSED_BY_OPERATOR);
	return CTL_DONE;
}
