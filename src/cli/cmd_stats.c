/* cli/cmd_stats.c: posternctl stats. */
#include <inttypes.h>

#include "cli/command.h"

static const struct column columns[] = {
	{ "NAME", false }, { "VALUE", true }, { "DESCRIPTION", false }, { NULL, false }
};

static void row(struct table *t, const void *result)
{
	const struct ctl_counter *c = result;

	table_cell(t, "%s", c->name);
	table_cell(t, "%" PRIu64, c->value);
	table_cell(t, "%s", c->description);
}

const struct command cmd_stats = {
	.words = "stats",
	.help = "every counter, with what it counts",
	.method = "query-stats",
	.args = &ctl_nothing_message,
	.result = &ctl_counter_message,
	.list = true,
	.columns = columns,
	.row = row,
};
