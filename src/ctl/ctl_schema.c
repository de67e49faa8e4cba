/* ctl/ctl_schema.c: query-schema: the tables of messages as JSON Schema (draft 2020-12). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl_event_msg.h"
#include "ctl/ctl_method.h"

#define SCHEMA_MAX (256 * 1024) /* bytes of one message's */

static void print_object(struct ctl_buf *out, const struct ctl_message *m, bool is_closed);

static void print_range(struct ctl_buf *out, uint64_t min, uint64_t max)
{
	char text[96];

	snprintf(text, sizeof(text),
		 "{\"type\": \"integer\", \"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64 "}",
		 min, max);
	ctl_buf_puts(out, text);
}

static void print_choice(struct ctl_buf *out, const char *const *names)
{
	ctl_buf_puts(out, "{\"enum\": [");
	for (unsigned i = 0; names[i]; i++) {
		ctl_buf_puts(out, i ? ", \"" : "\"");
		ctl_buf_puts(out, names[i]);
		ctl_buf_puts(out, "\"");
	}
	ctl_buf_puts(out, "]}");
}

/* Counters may go beyond what arguments can say. */
static void print_uint(struct ctl_buf *out, const struct ctl_field *f, bool is_closed)
{
	print_range(out, f->min, f->max ? f->max : is_closed ? CTL_UINT_MAX : UINT64_MAX);
}

static void print_type(struct ctl_buf *out, const struct ctl_field *f, bool is_closed)
{
	switch (f->kind) {
	case CTL_BOOL:
		ctl_buf_puts(out, "{\"type\": \"boolean\"}");
		break;
	case CTL_UINT:
		print_uint(out, f, is_closed);
		break;
	case CTL_PORT:
		print_range(out, f->min, UINT16_MAX);
		break;
	case CTL_TEXT:
		ctl_buf_puts(out, "{\"type\": \"string\"}");
		break;
	case CTL_CHOICE:
		print_choice(out, f->names);
		break;
	case CTL_ADDR:
		ctl_buf_puts(out, "{\"type\": \"string\", \"anyOf\": [{\"format\": \"ipv4\"}, "
				  "{\"format\": \"ipv6\"}]}");
		break;
	case CTL_MAC:
		ctl_buf_puts(out, "{\"type\": \"string\", "
				  "\"pattern\": \"^([0-9a-f]{2}:){5}[0-9a-f]{2}$\"}");
		break;
	case CTL_OBJECT:
		print_object(out, f->object, is_closed);
		break;
	case CTL_VALUE:
	case CTL_JSON:
		ctl_buf_puts(out, "{}");
		break;
	}
}

static void print_field(struct ctl_buf *out, const struct ctl_field *f, bool is_closed)
{
	ctl_buf_puts(out, "\"");
	ctl_buf_puts(out, f->name);
	ctl_buf_puts(out, "\": ");
	if (f->list)
		ctl_buf_puts(out, "{\"type\": \"array\", \"items\": ");
	print_type(out, f, is_closed);
	if (f->list)
		ctl_buf_puts(out, "}");
}

/* `is_closed`: members that are not named are errors; else they are to be passed over. */
static void print_object(struct ctl_buf *out, const struct ctl_message *m, bool is_closed)
{
	unsigned n = 0;

	ctl_buf_puts(out, "{\"type\": \"object\", \"properties\": {");
	for (unsigned i = 0; i < m->n_fields; i++) {
		ctl_buf_puts(out, i ? ", " : "");
		print_field(out, &m->fields[i], is_closed);
	}
	ctl_buf_puts(out, "}, \"required\": [");
	for (unsigned i = 0; i < m->n_fields; i++) {
		if (m->fields[i].has)
			continue;
		ctl_buf_puts(out, n++ ? ", \"" : "\"");
		ctl_buf_puts(out, m->fields[i].name);
		ctl_buf_puts(out, "\"");
	}
	ctl_buf_puts(out, is_closed ? "], \"additionalProperties\": false}" : "]}");
}

/* The schema of a message, or of an array of such, in the request's memory; NULL without any.
 */
static const char *schema_of(struct ctl_call *call, const struct ctl_message *m, bool is_closed,
			     bool list)
{
	struct ctl_buf b = ctl_buf_init(SCHEMA_MAX);
	char *text = NULL;

	if (list)
		ctl_buf_puts(&b, "{\"type\": \"array\", \"items\": ");
	print_object(&b, m, is_closed);
	if (list)
		ctl_buf_puts(&b, "}");
	if (!b.failed)
		text = ctl_doc_alloc(call->doc, ctl_buf_len(&b) + 1);
	if (text)
		memcpy(text, ctl_buf_text(&b), ctl_buf_len(&b));
	ctl_buf_free(&b);
	return text;
}

static int show_method(struct ctl_call *call, const struct ctl_method *m, struct ctl_schema *s)
{
	*s = (struct ctl_schema){ .has = CTL_SCHEMA_IS_COMMAND,
				  .name = m->name,
				  .changes = m->change,
				  .arguments = schema_of(call, m->args, true, false),
				  .returns = schema_of(call, m->result, false, m->list) };
	return s->arguments && s->returns ? CTL_ITEM : CTL_CONTINUE;
}

static int show_event(struct ctl_call *call, unsigned kind, struct ctl_schema *s)
{
	*s = (struct ctl_schema){ .has = CTL_SCHEMA_IS_EVENT,
				  .kind = 1,
				  .name = ctl_event_names[kind],
				  .data = schema_of(call, ctl_event_data[kind], false, false) };
	return s->data ? CTL_ITEM : CTL_CONTINUE;
}

/* Commands, then events.  Without memory something is left out: a list fails only at first. */
int ctl_schema_query(struct ctl_call *call, const struct env *env, void *result)
{
	uint64_t n_methods = 0, i = call->cursor++;
	const struct ctl_method *m = ctl_method_at(i);

	if (m)
		return show_method(call, m, result);
	while (ctl_method_at(n_methods))
		n_methods++;
	i -= n_methods;
	return ctl_event_names[i] ? show_event(call, (unsigned)i, result) : CTL_DONE;
}
