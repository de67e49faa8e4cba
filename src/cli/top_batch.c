/* cli/top_batch.c: posternctl top as text. */
#include <inttypes.h>
#include <poll.h>

#include "cli/top.h"
#include "cli/top_ask.h"
#include "cli/top_layout.h"

static const struct column columns[] = {
	{ "ID", true },	     { "PROTO", false }, { "DIR", false },  { "STATE", false },
	{ "GUEST", false },  { "PEER", false },	 { "IN/s", true },  { "OUT/s", true },
	{ "TOTAL", true },   { "AGE", true },	 { "IDLE", true },  { NULL, false },
};

static void add_row(struct table *t, const struct top_flow *f)
{
	char text[TOP_END_MAX];

	table_cell(t, "%" PRIu64, f->id);
	table_cell(t, "%s", ctl_proto_names[f->proto]);
	table_cell(t, "%s", ctl_dir_names[f->dir]);
	table_cell(t, "%s", f->state);
	table_cell(t, "%s", top_guest_text(f, text));
	table_cell(t, "%s", top_peer_text(f, true, text));
	table_cell(t, "%s", top_rate_text(f->has_rate, f->rate_in, text));
	table_cell(t, "%s", top_rate_text(f->has_rate, f->rate_out, text));
	table_cell(t, "%s", text_bytes(f->bytes_in + f->bytes_out, text));
	table_cell(t, "%s", text_duration(f->age_ms, text));
	table_cell(t, "%s", text_duration(f->idle_ms, text));
}

static void print(const struct top_model *m, FILE *out)
{
	struct table t = table_init(columns);
	char line[TOP_LINE_MAX];

	fprintf(out, "%s\n", top_daemon_line(&m->now, line));
	fprintf(out, "%s\n", top_flows_line(m, line));
	fprintf(out, "%s\n", top_rates_line(&m->totals, line));
	for (size_t i = 0; i < m->n_rows; i++)
		add_row(&t, m->rows[i]);
	table_print(&t, out);
	table_free(&t);
	fputc('\n', out);
}

/* Waits for the next sample, and takes it. */
static int sample(struct top_ask *a, struct top_model *m)
{
	struct pollfd fd = { .fd = a->client->fd, .events = POLLIN };
	enum top_answer answer = top_ask_sample(a);

	while (answer == TOP_ANSWER_NONE) {
		if (!poll(&fd, 1, CLIENT_TIMEOUT_SECONDS * 1000)) {
			snprintf(a->error, sizeof(a->error), "no answer within %d seconds",
				 CLIENT_TIMEOUT_SECONDS);
			return -1;
		}
		answer = top_ask_read(a);
	}
	if (answer != TOP_ANSWER_SAMPLE)
		return -1;
	if (!top_model_take(m, &a->sample))
		return 0;
	snprintf(a->error, sizeof(a->error), "out of memory");
	return -1;
}

int top_batch(struct client *client, const struct top_args *args, FILE *out,
	      char error[static CTL_ERROR_MAX])
{
	struct top_ask ask = { .client = client, .ended = args->closed };
	struct top_model model = top_model_of(args);
	uint64_t now, due = top_now_ms(), left = args->rounds;
	int err = sample(&ask, &model);

	while (!err) {
		due += (uint64_t)top_delay(args) * 1000;
		now = top_now_ms();
		if (now < due)
			poll(NULL, 0, (int)(due - now));
		else
			due = now; /* the daemon takes longer than the delay */
		err = sample(&ask, &model);
		if (!err)
			print(&model, out);
		/* when nobody reads it any more, the caller finds out, too */
		if (fflush(out) || (left && !--left))
			break;
	}
	if (err)
		snprintf(error, CTL_ERROR_MAX, "%s", ask.error);
	top_sample_free(&ask.sample);
	top_model_free(&model);
	return err;
}
