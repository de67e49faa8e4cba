/* ctl/ctl_flows.c: query-flows and flow-close.
 *
 * A listing goes by id: the cursor is the id of the flow looked at last, so that flows may come
 * and go while a slow client reads.  One that is sorted by a value goes in passes: all flows
 * are looked at, in portions, and of those that stand behind the one that was shown last, the
 * first ones are kept in a heap of bounded size; then the heap is sorted, and its flows are
 * shown as they are by then.  A client goes on where it has left off in the same way: by key
 * and id.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "ctl/ctl_method.h"
#include "ctl/ctl_show.h"

/* In units of work. */
#define INFO_COST  16
#define CLOSE_COST 128

/* A flow in the heap, whose root has the smallest key.  The largest is shown first. */
struct ranked {
	uint64_t key, id;
};

/* What lasts from the first call of the handler to the last. */
struct listing {
	struct ctl_flow_filter filter;
	uint64_t limit;
	char congestion[FLOW_CONGESTION_MAX]; /* of the flow that is shown */
	bool resumes;			      /* only flows behind `last` are wanted */
	struct ranked last;
	bool collected; /* all flows were looked at in this pass */
	size_t n_ranked, n_sorted;
	uint64_t n_closed, end; /* flow-close: how many; ids from here on are left alone */
	struct ranked ranked[];
};

static struct listing *new_listing(struct ctl_call *call, const struct ctl_flow_where *where,
				   size_t n_ranked)
{
	struct listing *l =
		ctl_doc_alloc(call->doc, sizeof(*l) + n_ranked * sizeof(l->ranked[0]));
	char error[CTL_ERROR_MAX];

	if (!l) {
		ctl_fail(call, -ENOMEM, "no memory");
		return NULL;
	}
	if (ctl_flow_filter_read(&l->filter, where, error)) {
		ctl_fail(call, -EINVAL, "%s", error);
		return NULL;
	}
	call->state = l;
	return l;
}

/* The next flow by id that is meant; NULL with *outcome. */
static struct flow *next_flow(struct ctl_call *call, const struct env *env, int *outcome)
{
	const struct listing *l = call->state;
	struct flow *f = flow_table_next(&env->flows, call->cursor);

	*outcome = f ? CTL_CONTINUE : CTL_DONE;
	if (!f)
		return NULL;
	call->cursor = f->id;
	return ctl_flow_filter_matches(&l->filter, f) ? f : NULL;
}

static int show(struct ctl_call *call, const struct env *env, const struct flow *f,
		struct ctl_flow *result)
{
	const struct ctl_flow_query *q = call->args;
	struct listing *l = call->state;

	ctl_show_flow(env, f, result);
	if (q->info) {
		ctl_show_flow_info(f, l->congestion, result);
		call->cost = INFO_COST;
	}
	return CTL_ITEM;
}

static int next_open(struct ctl_call *call, const struct env *env, struct ctl_flow *result)
{
	int outcome;
	const struct flow *f = next_flow(call, env, &outcome);

	return f ? show(call, env, f, result) : outcome;
}

/* Newest first.  The cursor is how many had ended when the next one to show had, so that those
 * that end meanwhile move nothing. */
static int next_closed(struct ctl_call *call, const struct env *env, struct ctl_flow *result)
{
	const struct ctl_flow_query *q = call->args;
	const struct listing *l = call->state;
	const struct flow_table *t = &env->flows;
	const struct flow_closed *f;

	if (!call->cursor || t->n_closed - call->cursor >= FLOW_CLOSED_KEPT)
		return CTL_DONE;
	f = &t->closed[--call->cursor % FLOW_CLOSED_KEPT];
	if (!ctl_flow_filter_matches_closed(&l->filter, f) ||
	    (q->where.has & CTL_FLOW_QUERY_HAS_REASON &&
	     q->reason + CTL_CLOSE_REASON_FIRST != (unsigned)f->reason))
		return CTL_CONTINUE;
	ctl_show_closed_flow(f, env->now_ns, result);
	return CTL_ITEM;
}

/* Sorted */

/* Ids are in the order of age, and need no heap. */
static bool has_keys(const struct ctl_flow_query *q)
{
	return q->sort != CTL_SORT_ID && q->sort != CTL_SORT_AGE;
}

/* Time alone changes that of rates, and no other. */
static uint64_t key_of(const struct flow *f, unsigned sort, uint64_t now_ns)
{
	float out = flow_rate_at(f->rate_out, f->rated_ns, now_ns);
	float in = flow_rate_at(f->rate_in, f->rated_ns, now_ns);

	switch ((enum ctl_flow_sort)sort) {
	case CTL_SORT_BYTES:
		return f->bytes_out + f->bytes_in;
	case CTL_SORT_BYTES_OUT:
		return f->bytes_out;
	case CTL_SORT_BYTES_IN:
		return f->bytes_in;
	case CTL_SORT_RATE:
		return (uint64_t)(out + in);
	case CTL_SORT_RATE_OUT:
		return (uint64_t)out;
	case CTL_SORT_RATE_IN:
		return (uint64_t)in;
	case CTL_SORT_IDLE:
		return CTL_UINT_MAX - f->used_ns / NS_PER_US;
	case CTL_SORT_AGE:
	case CTL_SORT_ID:
		break;
	}
	return 0;
}

/* Of equal keys, the older flow counts as larger. */
static bool is_less(const struct ranked *a, const struct ranked *b)
{
	return a->key < b->key || (a->key == b->key && a->id > b->id);
}

static void swap(struct ranked *a, struct ranked *b)
{
	struct ranked kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_down(struct ranked *heap, size_t n)
{
	size_t at = 0, child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && is_less(&heap[child + 1], &heap[child]))
			child++;
		if (!is_less(&heap[child], &heap[at]))
			return;
		swap(&heap[at], &heap[child]);
		at = child;
	}
}

static void sift_up(struct ranked *heap, size_t at)
{
	for (; at && is_less(&heap[at], &heap[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&heap[at], &heap[(at - 1) / 2]);
}

static void rank(struct listing *l, struct ranked r)
{
	if (l->n_ranked < l->limit) {
		l->ranked[l->n_ranked] = r;
		sift_up(l->ranked, l->n_ranked++);
	} else if (is_less(&l->ranked[0], &r)) {
		l->ranked[0] = r;
		sift_down(l->ranked, l->n_ranked);
	}
}

static int collect(struct ctl_call *call, const struct env *env)
{
	const struct ctl_flow_query *q = call->args;
	struct listing *l = call->state;
	int outcome;
	const struct flow *f = next_flow(call, env, &outcome);
	struct ranked r;

	if (f) {
		r = (struct ranked){ key_of(f, q->sort, env->now_ns), f->id };
		if (!l->resumes || is_less(&r, &l->last))
			rank(l, r);
	}
	if (outcome != CTL_DONE)
		return CTL_CONTINUE;
	l->collected = true;
	l->n_sorted = l->n_ranked;
	call->cursor = 0;
	return CTL_CONTINUE;
}

/* One step: the smallest of those that are not sorted yet goes behind them. */
static int sort_one(struct listing *l)
{
	swap(&l->ranked[0], &l->ranked[--l->n_sorted]);
	sift_down(l->ranked, l->n_sorted);
	return CTL_CONTINUE;
}

/* All of the heap was shown, but for those that had ended by then: others take their places. */
static int end_pass(struct ctl_call *call)
{
	struct listing *l = call->state;

	if (l->n_ranked < l->limit)
		return CTL_DONE;
	l->resumes = true;
	l->collected = false;
	l->n_ranked = 0;
	call->cursor = 0;
	return CTL_CONTINUE;
}

static int next_sorted(struct ctl_call *call, const struct env *env, struct ctl_flow *result)
{
	struct listing *l = call->state;
	const struct flow *f;

	if (!l->collected)
		return collect(call, env);
	if (l->n_sorted > 1)
		return sort_one(l);
	if (call->cursor == l->n_ranked)
		return end_pass(call);
	l->last = l->ranked[call->cursor++];
	f = flow_table_by_id(&env->flows, l->last.id);
	if (!f)
		return CTL_CONTINUE;
	show(call, env, f, result);
	result->has |= CTL_FLOW_HAS_KEY;
	result->key = l->last.key;
	return CTL_ITEM;
}

/* query-flows */

/* Whether the arguments go together. */
static int check_query(struct ctl_call *call, const struct ctl_flow_query *q)
{
	bool after = q->where.has & CTL_FLOW_QUERY_HAS_AFTER;
	bool key = q->where.has & CTL_FLOW_QUERY_HAS_KEY;

	if (!q->closed && q->where.has & CTL_FLOW_QUERY_HAS_REASON)
		return ctl_fail(call, -EINVAL, "argument 'reason' goes with 'closed' alone");
	if (q->closed && (q->sort || after))
		return ctl_fail(call, -EINVAL, "argument '%s' does not go with 'closed'",
				q->sort ? "sort" : "after");
	if (has_keys(q) && after != key)
		return ctl_fail(
			call, -EINVAL,
			"with this 'sort', arguments 'after' and 'key' go together");
	if (!has_keys(q) && key)
		return ctl_fail(call, -EINVAL,
				"argument 'key' does not go with this order of flows");
	return 0;
}

static int start_query(struct ctl_call *call, const struct env *env)
{
	const struct ctl_flow_query *q = call->args;
	uint64_t limit = q->where.has & CTL_FLOW_QUERY_HAS_LIMIT ? q->limit : CTL_FLOWS_LIMIT_DEFAULT;
	struct listing *l;
	int err = check_query(call, q);

	if (err)
		return err;
	l = new_listing(call, &q->where, has_keys(q) ? limit : 0);
	if (!l)
		return -EINVAL;
	l->limit = limit;
	l->resumes = q->where.has & CTL_FLOW_QUERY_HAS_KEY;
	l->last = (struct ranked){ q->key, q->after };
	call->cursor = q->closed ? env->flows.n_closed : has_keys(q) ? 0 : q->after;
	return 0;
}

int ctl_flows_query(struct ctl_call *call, const struct env *env, void *result)
{
	const struct ctl_flow_query *q = call->args;
	int rc = call->started ? 0 : start_query(call, env);

	if (rc)
		return rc;
	if (call->n_items >= ((const struct listing *)call->state)->limit)
		return CTL_DONE;
	if (has_keys(q))
		return next_sorted(call, env, result);
	return q->closed ? next_closed(call, env, result) : next_open(call, env, result);
}

/* flow-close */

static void end_flow(struct env *env, struct flow *f, unsigned how)
{
	log_info(FLOW, "flow %llu: closed by a control client", (unsigned long long)f->id);
	if (how == CTL_FLOW_FINISH && f->class->finish)
		f->class->finish(env, f);
	else
		f->class->close(env, f, FLOW_CLOSED_BY_OPERATOR);
}

static int close_one(struct ctl_call *call, struct env *env, struct ctl_flows_closed *result)
{
	const struct ctl_flow_close *args = call->args;
	struct flow *f = flow_table_by_id(&env->flows, args->id);

	if (!f)
		return ctl_fail(call, -ENOENT, "there is no open flow %llu",
				(unsigned long long)args->id);
	end_flow(env, f, args->how);
	result->flows = 1;
	return CTL_DONE;
}

/* Flows that are opened while it goes on are left alone. */
int ctl_flows_close(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_flow_close *args = call->args;
	struct ctl_flows_closed *closed = result;
	bool by_id = args->where.has & CTL_FLOW_CLOSE_HAS_ID;
	struct listing *l = call->state;
	struct flow *f;
	int outcome;

	if (by_id == !!(args->where.has & CTL_FLOW_WHERE_ALL))
		return ctl_fail(call, -EINVAL,
				by_id ? "argument 'id' does not go with others but 'how'"
				      : "either 'id' or a condition must be there");
	if (by_id)
		return close_one(call, target->env, closed);
	if (!l) {
		l = new_listing(call, &args->where, 0);
		if (!l)
			return -EINVAL;
		l->end = target->env->flows.next_id;
	}
	f = next_flow(call, target->env, &outcome);
	if (outcome == CTL_DONE || call->cursor >= l->end) {
		closed->flows = l->n_closed;
		return CTL_DONE;
	}
	if (f) {
		end_flow(target->env, f, args->how);
		call->cost = CLOSE_COST;
		l->n_closed++;
	}
	return CTL_CONTINUE;
}
