/* cli/cmd_flows.c: posternctl flows. */
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"

static const struct column columns[] = {
	{ "ID", true },	    { "PROTO", false }, { "DIR", false }, { "STATE", false },
	{ "GUEST", false }, { "PEER", false },	{ "OUT", true },  { "IN", true },
	{ "AGE", true },    { "IDLE", true },	{ NULL, false },
};

/* An echo session has an identifier instead of ports. */
static const char *end_text(const struct ctl_flow *f, const struct endpoint *e,
			    char buf[static ENDPOINT_STR_MAX])
{
	if (e->port || strcmp(ctl_proto_names[f->proto], "icmp") != 0)
		return endpoint_print(e, buf);
	return addr_print(&e->addr, buf);
}

static void row(struct table *t, const void *result)
{
	const struct ctl_flow *f = result;
	char guest[ENDPOINT_STR_MAX], dest[ENDPOINT_STR_MAX], peer[ENDPOINT_STR_MAX];
	char text[TEXT_MAX];

	end_text(f, &f->peer, peer);
	table_cell(t, "%" PRIu64, f->id);
	table_cell(t, "%s", ctl_proto_names[f->proto]);
	table_cell(t, "%s", ctl_dir_names[f->dir]);
	table_cell(t, "%s", f->has & CTL_FLOW_HAS_REASON ? f->reason : f->state);
	table_cell(t, "%s", end_text(f, &f->guest, guest));
	if (f->has & CTL_FLOW_HAS_DEST)
		table_cell(t, "%s (%s)", end_text(f, &f->dest, dest), peer);
	else
		table_cell(t, "%s", peer);
	table_cell(t, "%s", text_bytes(f->bytes_out, text));
	table_cell(t, "%s", text_bytes(f->bytes_in, text));
	table_cell(t, "%s", text_duration(f->age_ms, text));
	table_cell(
		t, "%s",
		text_duration(f->has & CTL_FLOW_HAS_CLOSED ? f->closed_ms : f->idle_ms, text));
}

/* All there are, unless a limit was given; those that ended come in one go. */
static bool more(void *args, size_t n, const void *last)
{
	struct ctl_flow_query *q = args;

	if (q->closed || q->sort || q->where.has & CTL_FLOW_QUERY_HAS_LIMIT || n < CTL_FLOWS_LIMIT_DEFAULT)
		return false;
	q->where.has |= CTL_FLOW_QUERY_HAS_AFTER;
	q->after = ((const struct ctl_flow *)last)->id;
	return true;
}

const struct command cmd_flows = {
	.words = "flows",
	.help = "the flows that are open, or ended last",
	.method = "query-flows",
	.args = &ctl_flow_query_message,
	.result = &ctl_flow_message,
	.list = true,
	.columns = columns,
	.row = row,
	.more = more,
};
