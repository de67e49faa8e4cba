/* ctl/ctl_slirp.c: the dialect of slirp4netns(1), "API SOCKET": one request a connection, without
 * greeting and negotiation.
 *
 * That program answers what its first read() brings, so that clients do not have to end their
 * half of the connection.  Here a request is answered once it is whole, or once nothing more
 * can come.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/ctl_session.h"

#define REQUEST_MAX 4096 /* a request is less than that */

static const struct ctl_method methods[] = {
	{ .name = "add_hostfwd",
	  .args = &ctl_hostfwd_add_message,
	  .result = &ctl_hostfwd_id_message,
	  .change = ctl_hostfwd_add },
	{ .name = "list_hostfwd",
	  .args = &ctl_nothing_message,
	  .result = &ctl_hostfwd_message,
	  .look = ctl_hostfwd_list,
	  .list = true },
	{ .name = "remove_hostfwd",
	  .args = &ctl_hostfwd_id_message,
	  .result = &ctl_nothing_message,
	  .change = ctl_hostfwd_remove },
};

static const struct ctl_method *find(const char *name)
{
	for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

static void reply_error(struct ctl_session *s, const char *class, const char *desc)
{
	const struct ctl_method *m = s->call.method;
	char text[CTL_ERROR_MAX + 64];
	struct ctl_hostfwd_error error = { text };

	if (m)
		snprintf(text, sizeof(text), "bad request: %s: %s", m->name, desc);
	else
		snprintf(text, sizeof(text), "%s", desc);
	ctl_buf_puts(&s->out, "{\"error\":");
	ctl_json_print(&s->out, &ctl_hostfwd_error_message, &error);
	ctl_buf_puts(&s->out, "}");
	s->hangup = true;
}

/* The argument that is at fault; NULL if there are no arguments at all. */
static const char *find_culprit(struct ctl_session *s)
{
	const struct ctl_message *m = s->call.method->args;
	void *args = ctl_doc_alloc(s->call.doc, m->size);

	for (unsigned i = 0; args && i < m->n_fields; i++) {
		const struct ctl_message one = { m->size, &m->fields[i], 1 };

		if (ctl_doc_decode(s->call.doc, s->request.arguments, &one, args, NULL,
				   s->call.error))
			return m->fields[i].name;
	}
	return NULL;
}

static void refuse_arguments(struct ctl_session *s)
{
	const char *name = find_culprit(s);

	if (name)
		ctl_fail(&s->call, 0, "bad arguments.%s", name);
	ctl_session_fail(s, NULL, s->call.error);
}

/* What the tables of arguments do not have is passed over, as in that program. */
static void start_call(struct ctl_session *s, const char *text, size_t len)
{
	struct ctl_call *call = &s->call;
	const struct ctl_method *m;

	s->request = (struct ctl_request){ 0 };
	call->doc = ctl_doc_parse(text, len, call->error);
	if (!call->doc) {
		ctl_session_fail(s, NULL, "bad request: cannot parse JSON");
		return;
	}
	if (ctl_doc_decode(call->doc, ctl_doc_root(call->doc), &ctl_request_message, &s->request, NULL,
			   call->error)) {
		ctl_session_fail(s, NULL, "bad request: no execute found");
		return;
	}
	m = find(s->request.execute);
	if (!m) {
		ctl_session_fail(s, NULL, "bad request: unknown execute");
		return;
	}
	call->method = m;
	if (!m->args->n_fields)
		s->request.arguments = NULL; /* whatever they are */
	if (ctl_session_prepare(s, NULL))
		refuse_arguments(s);
}

static unsigned next_request(struct ctl_session *s)
{
	size_t used;

	if (!ctl_session_room(s)) {
		ctl_session_refuse(s, "bad request: too large message");
		return ctl_session_cost(0);
	}
	ctl_buf_consume(&s->in,
			ctl_frame_skip(&s->frame, ctl_buf_text(&s->in), ctl_buf_len(&s->in)));
	switch (ctl_frame_scan(&s->frame, ctl_buf_text(&s->in), ctl_buf_len(&s->in), &used)) {
	case CTL_FRAME_MORE:
		if (!s->ended)
			return 0;
		break;
	case CTL_FRAME_OBJECT:
		start_call(s, ctl_buf_text(&s->in), used);
		return ctl_session_cost(used);
	case CTL_FRAME_GARBAGE:
	case CTL_FRAME_TOO_COMPLEX:
		break;
	}
	ctl_session_refuse(s, "bad request: cannot parse JSON");
	return ctl_session_cost(used);
}

/* The list comes twice: under "return", as that program's manual has it, and beside it, as the
 * program does. */
static const char *list_head(const struct ctl_session *s)
{
	return s->relisting ? "]},\"entries\":[" : "{\"return\":{\"entries\":[";
}

static void print_item(struct ctl_session *s)
{
	ctl_buf_puts(&s->out, s->call.n_items ? "," : list_head(s));
	ctl_json_print(&s->out, s->call.method->result, s->result);
}

static bool end_list(struct ctl_session *s)
{
	struct ctl_call *call = &s->call;

	if (!call->n_items)
		ctl_buf_puts(&s->out, list_head(s));
	if (s->relisting) {
		ctl_buf_puts(&s->out, "]}");
		return true;
	}
	s->relisting = true;
	call->started = false;
	call->cursor = call->n_items = 0;
	return false;
}

static bool reply(struct ctl_session *s)
{
	const struct ctl_method *m = s->call.method;

	if (m->list) {
		s->hangup = end_list(s);
		return s->hangup;
	}
	ctl_buf_puts(&s->out, "{\"return\":");
	ctl_json_print(&s->out, m->result, s->result);
	ctl_buf_puts(&s->out, "}");
	s->hangup = true;
	return true;
}

const struct ctl_dialect ctl_dialect_slirp = {
	.request_max = REQUEST_MAX,
	.next_request = next_request,
	.item = print_item,
	.done = reply,
	.error = reply_error,
};
