/* cli/out_json.c: lays out the text of a result anew, without reading numbers or strings: what
 * the daemon wrote is what comes out. */
#include "cli/out_json.h"

#include <string.h>

#define INDENT 4

static void new_line(const struct json_out *j)
{
	if (j->pretty)
		fprintf(j->out, "\n%*s", (int)(j->depth * INDENT), "");
}

static void put_in_string(struct json_out *j, char c)
{
	fputc(c, j->out);
	if (j->escaped)
		j->escaped = false;
	else if (c == '\\')
		j->escaped = true;
	else if (c == '"')
		j->in_string = false;
}

/* White space between tokens is ours to choose. */
static void put(struct json_out *j, char c)
{
	bool closes = c == '}' || c == ']';

	if (j->in_string) {
		put_in_string(j, c);
		return;
	}
	if (strchr(" \t\r\n", c))
		return;
	if (closes)
		j->depth--;
	if (j->opened != closes) /* an empty pair stays together */
		new_line(j);
	j->opened = c == '{' || c == '[';
	if (j->opened)
		j->depth++;
	j->in_string = c == '"';
	fputc(c, j->out);
	if (c == ',' && j->pretty)
		new_line(j);
	else if (c == ',' || c == ':')
		fputc(' ', j->out);
}

static void put_text(struct json_out *j, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put(j, text[i]);
}

static struct ctl_buf text_of(const struct ctl_doc *reply, const struct ctl_value *value)
{
	struct ctl_buf b = ctl_buf_init((size_t)1 << 30);

	ctl_doc_echo(reply, value, &b);
	return b;
}

void json_out_value(FILE *out, bool pretty, const struct ctl_doc *reply,
		    const struct ctl_value *value)
{
	struct json_out j = { .out = out, .pretty = pretty };
	struct ctl_buf b = text_of(reply, value);

	put_text(&j, ctl_buf_text(&b), ctl_buf_len(&b));
	fputc('\n', out);
	ctl_buf_free(&b);
}

struct json_out json_out_array(FILE *out, bool pretty)
{
	struct json_out j = { .out = out, .pretty = pretty };

	put(&j, '[');
	return j;
}

void json_out_elements(struct json_out *j, const struct ctl_doc *reply,
		       const struct ctl_value *array)
{
	struct ctl_buf b = text_of(reply, array);

	if (ctl_value_next(array, NULL)) {
		if (j->n_elements++)
			put(j, ',');
		put_text(j, ctl_buf_text(&b) + 1,
			 ctl_buf_len(&b) - 2); /* without its brackets */
	}
	ctl_buf_free(&b);
}

void json_out_array_end(struct json_out *j)
{
	put(j, ']');
	fputc('\n', j->out);
}
