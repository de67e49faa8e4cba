/* cli/cmd_captures.c: posternctl captures, capture, capture stop. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cli/command.h"
#include "ctl/ctl_capture_msg.h"

static const struct column columns[] = {
	{ "ID", true },		{ "STATE", false }, { "FRAMES", true }, { "LOST", true },
	{ "SIZE", true },	{ "AGE", true },    { "PID", true },	{ "USER", true },
	{ "FRAMES OF", false }, { "TO", false },    { "WHY", false },	{ NULL, false },
};

static void add_word(char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds a word, as far as there is room. */
static void add_word(char *text, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	if (len && len + 1 < TEXT_MAX)
		text[len++] = ' ';
	va_start(ap, fmt);
	vsnprintf(text + len, TEXT_MAX - len, fmt, ap);
	va_end(ap);
}

/* "tcp port 80 from-guest", "all" */
static const char *print_filter(const struct ctl_capture_start *s, char text[static TEXT_MAX])
{
	*text = '\0';
	if (s->has & CTL_CAPTURE_HAS_PROTO)
		add_word(text, "%s", ctl_capture_proto_names[s->proto]);
	if (s->has & CTL_CAPTURE_HAS_FLOW)
		add_word(text, "flow %" PRIu64, s->flow);
	if (s->has & CTL_CAPTURE_HAS_ADDR)
		add_word(text, "addr %s", s->addr);
	if (s->has & CTL_CAPTURE_HAS_PORT)
		add_word(text, "port %u", s->port);
	if (s->has & CTL_CAPTURE_HAS_DIR)
		add_word(text, "%s", ctl_capture_dir_names[s->dir]);
	if (s->dropped)
		add_word(text, "dropped");
	if (!*text)
		add_word(text, "all");
	return text;
}

static void row(struct table *t, const void *result)
{
	const struct ctl_capture *c = result;
	char text[TEXT_MAX];

	table_cell(t, "%" PRIu64, c->id);
	if (c->has & CTL_CAPTURE_HAS_ERROR)
		table_cell(t, "%s: %s", c->reason, c->error);
	else
		table_cell(t, "%s", c->has & CTL_CAPTURE_HAS_REASON ? c->reason : c->state);
	table_cell(t, "%" PRIu64, c->written + c->waiting);
	table_cell(t, "%" PRIu64, c->lost);
	table_cell(t, "%s", text_bytes(c->size, text));
	table_cell(t, "%s", text_duration(c->age_ms, text));
	table_cell(t, "%" PRIu64, c->pid);
	table_cell(t, "%" PRIu64, c->uid);
	table_cell(t, "%s", print_filter(&c->spec, text));
	table_cell(t, "%s", c->has & CTL_CAPTURE_HAS_PATH ? c->path : c->sink);
	table_cell(t, "%s", c->spec.has & CTL_CAPTURE_HAS_WHY ? c->spec.why : "");
}

const struct command cmd_captures = {
	.words = "captures",
	.help = "the captures of the guest's link that run, or ended last",
	.method = "query-captures",
	.args = &ctl_nothing_message,
	.result = &ctl_capture_message,
	.list = true,
	.columns = columns,
	.row = row,
};

static void show_started(FILE *out, const void *result)
{
	const struct ctl_capture *c = result;

	fprintf(out, "capture %" PRIu64 " runs\n", c->id);
}

const struct command cmd_capture = {
	.words = "capture",
	.help = "write frames of the guest's link to a file as pcapng, or to standard output for '-'",
	.method = "capture-start",
	.args = &ctl_capture_start_message,
	.result = &ctl_capture_message,
	.file = true,
	.show = show_started,
};

const struct command cmd_capture_stop = {
	.words = "capture stop",
	.help = "end a capture",
	.method = "capture-stop",
	.args = &ctl_capture_id_message,
	.result = &ctl_nothing_message,
	.positional = (const char *const[]){ "id", NULL },
};
