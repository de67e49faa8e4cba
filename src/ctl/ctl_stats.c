/* ctl/ctl_stats.c: query-stats: every counter, frames dropped by reason, flows ended by reason.
 */
#include <stdio.h>

#include "ctl/ctl_method.h"

/* "drop.runt"; the name lives as long as the request. */
static const char *prefixed(struct ctl_call *call, const char *prefix, const char *name)
{
	enum { NAME_MAX_BYTES = 64 };
	char *text = ctl_doc_alloc(call->doc, NAME_MAX_BYTES);

	if (text)
		snprintf(text, NAME_MAX_BYTES, "%s.%s", prefix, name);
	return text ? text : name;
}

int ctl_stats_query(struct ctl_call *call, const struct env *env, void *result)
{
	struct ctl_counter *c = result;
	uint64_t i = call->cursor++;

	if (i < n_stats_rows) {
		*c = (struct ctl_counter){ stats_rows[i].name,
					   stats_value(&env->stats, &stats_rows[i]),
					   stats_rows[i].text };
		return CTL_ITEM;
	}
	i -= n_stats_rows;
	if (i < N_DROPS - 1) { /* the first reason is none */
		enum drop drop = (enum drop)(i + 1);

		*c = (struct ctl_counter){ prefixed(call, "drop", drop_name(drop)),
					   env->stats.drops[drop], drop_text(drop) };
		return CTL_ITEM;
	}
	i -= N_DROPS - 1;
	if (i < N_FLOW_CLOSE_REASONS - 1) {
		enum flow_close_reason reason = (enum flow_close_reason)(i + 1);

		*c = (struct ctl_counter){
			prefixed(call, "closed", flow_close_reason_name(reason)),
			env->flows.by_reason[reason], "flows that ended for this reason"
		};
		return CTL_ITEM;
	}
	return CTL_DONE;
}
