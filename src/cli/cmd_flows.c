/* cli/cmd_flows.c: posternctl flows. */
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"

#define INFO_MAX 400

enum { RED = 31, GREEN = 32, YELLOW = 33 };

/* Lively, waiting for an answer, or ended by more than its own ends. */
static unsigned state_colour(const char *state)
{
	static const struct {
		const char *state;
		unsigned colour;
	} colours[] = { { "ESTABLISHED", GREEN }, { "ASSURED", GREEN },	  { "REPLIED", GREEN },
			{ "CONNECTING", YELLOW }, { "SYN-SENT", YELLOW }, { "SYN-RECEIVED", YELLOW },
			{ "UNREPLIED", YELLOW },  { "finished", 0 },	  { "idle", 0 } };

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (!strcmp(state, colours[i].state))
			return colours[i].colour;
	return state[0] >= 'a' && state[0] <= 'z' ? RED : 0;
}

/* The last one is for details. */
static const struct column columns[] = {
	{ "ID", true },	  { "PROTO" },
	{ "DIR" },	  { "STATE", false, state_colour },
	{ "GUEST" },	  { "PEER" },
	{ "NAME" },	  { "OUT", true },
	{ "IN", true },	  { "OUT/s", true },
	{ "IN/s", true }, { "AGE", true },
	{ "IDLE", true }, { "" },
	{ NULL },
};

/* In the words of ss(8), as far as that has them. */
static const char *info_text(const struct ctl_flow_info *i, char *buf, size_t max)
{
	size_t len = (size_t)snprintf(buf, max, "queue:%" PRIu64, i->queue_out);

	if (i->has & CTL_FLOW_INFO_HAS_KERNEL)
		len += (size_t)snprintf(buf + len, max - len,
					" rtt:%.3f/%.3f mss:%" PRIu64 " cwnd:%" PRIu64
					" retrans:%" PRIu64 "/%" PRIu64 " send-q:%" PRIu64
					" recv-q:%" PRIu64,
					(double)i->rtt_us / 1000, (double)i->rttvar_us / 1000,
					i->mss, i->cwnd, i->unacked_retransmits, i->retransmits,
					i->send_queue, i->recv_queue);
	if (i->has & CTL_FLOW_INFO_HAS_WINDOW)
		len += (size_t)snprintf(buf + len, max - len, " snd_wnd:%" PRIu64, i->peer_window);
	if (i->has & CTL_FLOW_INFO_HAS_CONGESTION)
		len += (size_t)snprintf(buf + len, max - len, " %s", i->congestion);
	if (i->has & CTL_FLOW_INFO_HAS_TCP)
		snprintf(buf + len, max - len,
			 " guest: rtt:%.3f mss:%" PRIu64 " retrans:%" PRIu64 " unacked:%" PRIu64
			 " snd_wnd:%" PRIu64 " rcv_wnd:%" PRIu64,
			 (double)i->guest_rtt_us / 1000, i->guest_mss, i->guest_retransmits,
			 i->unacked, i->guest_window, i->window);
	return buf;
}

/* Why it ended, besides the reason. */
static const char *cause_text(const struct ctl_flow *f, char *buf, size_t max)
{
	snprintf(buf, max, "%s%s%s%s%s", f->has & CTL_FLOW_HAS_SILENT ? "silent:" : "",
		 f->has & CTL_FLOW_HAS_SILENT ? ctl_end_names[f->silent] : "",
		 f->has & CTL_FLOW_HAS_SILENT && f->has & CTL_FLOW_HAS_ERROR ? " " : "",
		 f->has & CTL_FLOW_HAS_ERROR ? "error:" : "",
		 f->has & CTL_FLOW_HAS_ERROR ? f->error : "");
	return buf;
}

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
	char text[TEXT_MAX], info[INFO_MAX];

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
	table_cell(t, "%s", f->has & CTL_FLOW_HAS_NAME ? f->name : "");
	table_cell(t, "%s", text_bytes(f->bytes_out, text));
	table_cell(t, "%s", text_bytes(f->bytes_in, text));
	table_cell(t, "%s", f->has & CTL_FLOW_HAS_IDLE ? text_bytes(f->rate_out, text) : "");
	table_cell(t, "%s", f->has & CTL_FLOW_HAS_IDLE ? text_bytes(f->rate_in, text) : "");
	table_cell(t, "%s", text_duration(f->age_ms, text));
	table_cell(
		t, "%s",
		text_duration(f->has & CTL_FLOW_HAS_CLOSED ? f->closed_ms : f->idle_ms, text));
	table_cell(t, "%s",
		   f->has & CTL_FLOW_HAS_INFO ? info_text(&f->info, info, INFO_MAX)
					      : cause_text(f, info, INFO_MAX));
}

/* All there are, unless a limit was given; those that ended come in one go. */
static bool more(void *args, size_t n, const void *last)
{
	struct ctl_flow_query *q = args;
	const struct ctl_flow *f = last;

	if (q->closed || q->where.has & CTL_FLOW_QUERY_HAS_LIMIT || n < CTL_FLOWS_LIMIT_DEFAULT)
		return false;
	q->where.has |= CTL_FLOW_QUERY_HAS_AFTER;
	q->after = f->id;
	if (f->has & CTL_FLOW_HAS_KEY) {
		q->where.has |= CTL_FLOW_QUERY_HAS_KEY;
		q->key = f->key;
	}
	return true;
}

const struct command cmd_flows = {
	.words = "flows",
	.help = "the flows that are open, or ended last",
	.method = "query-flows",
	.args = &ctl_flow_query_message,
	.result = &ctl_flow_message,
	.positional = (const char *const[]){ "proto", NULL },
	.letters = (const struct letter[]){ { 'i', "--info" }, { 0 } },
	.list = true,
	.watch = true,
	.columns = columns,
	.row = row,
	.more = more,
};
