/* ctl/ctl_session.c: calls in portions, whatever the dialect; and QMP: greeting, negotiation, requests
 * and replies. */
#include "ctl/ctl_session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a step costs, in units of about a quarter of a microsecond. */
enum {
	COST_REQUEST = 64,
	COST_REQUEST_BYTES = 64 /* per unit */,
	COST_ITEM = 32,
	COST_PRINTED_BYTES = 16 /* per unit, of an item or a reply where that is more */,
	COST_CONTINUE = 1,
	COST_ORDINARY = COST_REQUEST + COST_ITEM /* of a step that everyone may do in a turn */
};

static const char generic_error[] = "GenericError", not_found[] = "CommandNotFound";

void ctl_session_init(struct ctl_session *s, const struct ctl_dialect *dialect,
		      const struct ctl_target *target, const struct ctl_info *info,
		      enum ctl_authority authority)
{
	*s = (struct ctl_session){ .dialect = dialect,
				   .target = target,
				   .info = info,
				   .authority = authority,
				   .caller = { .fd = -1 },
				   .in = ctl_buf_init(dialect->request_max),
				   .out = ctl_buf_init(CTL_BACKLOG_MAX),
				   .frame = { .max_commas = CTL_REQUEST_COMMAS_MAX } };
	if (dialect->greet)
		dialect->greet(s);
}

static void end_call(struct ctl_session *s)
{
	if (s->call.drop)
		s->call.drop(&s->call);
	ctl_doc_free(s->call.doc);
	memset(&s->call, 0, sizeof(s->call));
	s->result = NULL;
}

void ctl_session_free(struct ctl_session *s)
{
	end_call(s);
	if (s->negotiated)
		ctl_subscriber_free(&s->subscriber);
	if (s->caller.fd >= 0)
		close(s->caller.fd);
	ctl_buf_free(&s->in);
	ctl_buf_free(&s->out);
}

void ctl_session_take_fd(struct ctl_session *s, int fd)
{
	assert(ctl_session_takes_fds(s));
	if (s->caller.fd >= 0)
		close(s->caller.fd);
	s->caller.fd = fd;
}

size_t ctl_session_room(const struct ctl_session *s)
{
	return s->hangup ? 0 : s->dialect->request_max - ctl_buf_len(&s->in);
}

void ctl_session_input(struct ctl_session *s, const char *text, size_t len)
{
	assert(len <= ctl_session_room(s));
	ctl_buf_append(&s->in, text, len);
	s->pending = true;
}

void ctl_session_end_input(struct ctl_session *s)
{
	s->ended = true;
	s->pending = true;
}

unsigned ctl_session_cost(size_t len)
{
	return COST_REQUEST + (unsigned)len / COST_REQUEST_BYTES;
}

void ctl_session_fail(struct ctl_session *s, const char *class, const char *desc)
{
	s->dialect->error(s, class, desc);
	end_call(s);
}

void ctl_session_refuse(struct ctl_session *s, const char *desc)
{
	end_call(s);
	s->request = (struct ctl_request){ 0 };
	ctl_session_fail(s, generic_error, desc);
	s->hangup = true;
}

int ctl_session_prepare(struct ctl_session *s, const char *noun)
{
	struct ctl_call *call = &s->call;
	const struct ctl_message *m = call->method->args;
	void *args = ctl_doc_alloc(call->doc, m->size);

	s->result = ctl_doc_alloc(call->doc, call->method->result->size);
	if (!args || !s->result)
		return ctl_fail(call, -ENOMEM, "no memory");
	call->args = args;
	call->info = s->info;
	call->caller = &s->caller;
	call->subscriber = &s->subscriber;
	if (call->method->change && s->authority != CTL_MAY_CHANGE)
		return ctl_fail(call, -EPERM, "'%s' changes something; this socket may only look",
				call->method->name);
	return ctl_doc_decode(call->doc, s->request.arguments, m, args, noun, call->error);
}

/* What it cost to print what stands in `out` behind its first `before` bytes. */
static unsigned cost_printed(const struct ctl_session *s, size_t before)
{
	unsigned cost = (unsigned)(ctl_buf_len(&s->out) - before) / COST_PRINTED_BYTES;

	return cost > COST_ITEM ? cost : COST_ITEM;
}

/* Goes on with the call; the cost. */
static unsigned continue_call(struct ctl_session *s)
{
	size_t before = ctl_buf_len(&s->out);
	struct ctl_call *call = &s->call;
	const struct ctl_method *m = call->method;
	unsigned cost;
	int outcome;

	memset(s->result, 0, m->result->size);
	call->cost = 0;
	outcome = m->look ? m->look(call, s->target->env, s->result)
			  : m->change(call, s->target, s->result);
	call->started = true;
	cost = call->cost; /* the call may be over below */
	switch (outcome) {
	case CTL_DONE:
		if (s->dialect->done(s))
			end_call(s);
		return cost_printed(s, before) + cost;
	case CTL_ITEM:
		s->dialect->item(s);
		call->n_items++;
		return cost_printed(s, before) + cost;
	case CTL_CONTINUE:
		return COST_CONTINUE + cost;
	default:
		assert(!call->n_items && "a list fails only at first");
		ctl_session_fail(s, generic_error, call->error);
		return COST_ITEM + cost;
	}
}

void ctl_session_work(struct ctl_session *s, unsigned units)
{
	unsigned spent = 0, cost = 1;

	if (s->debt > units) {
		s->debt -= units;
		return;
	}
	while (cost && spent < units) {
		if (s->hangup || ctl_buf_len(&s->out) >= CTL_BACKLOG_STOP)
			break;
		if (!s->call.method && s->negotiated) /* never within a reply */
			ctl_subscriber_take(&s->subscriber, &s->out);
		cost = s->call.method ? continue_call(s) : s->dialect->next_request(s);
		spent += cost;
	}
	if (units < COST_ORDINARY)
		units = COST_ORDINARY;
	s->debt = spent > units ? spent - units : 0;
	if (!cost)
		s->pending = false;
}

/* QMP */

static void greet(struct ctl_session *s)
{
	struct ctl_greeting greeting = { .hello = { .version = ctl_qmp_version() } };

	ctl_json_print(&s->out, &ctl_greeting_message, &greeting);
	ctl_buf_puts(&s->out, "\r\n");
}

static void print_id(struct ctl_session *s)
{
	if (!(s->request.has & CTL_REQUEST_HAS_ID))
		return;
	ctl_buf_puts(&s->out, ", \"id\": ");
	ctl_doc_echo(s->call.doc, s->request.id, &s->out);
}

static void reply_error(struct ctl_session *s, const char *class, const char *desc)
{
	const struct ctl_forward_port *port = s->call.failed_port;
	struct ctl_error error = { .has = port ? CTL_ERROR_HAS_DATA : 0,
				   .class = class,
				   .desc = desc };

	if (port)
		error.data = *port;
	ctl_buf_puts(&s->out, "{\"error\": ");
	ctl_json_print(&s->out, &ctl_error_message, &error);
	print_id(s);
	ctl_buf_puts(&s->out, "}\r\n");
}

/* Begins the call of a request whose envelope is in order; the class of the error if it may not
 * be, with the text in call->error. */
static const char *admit(struct ctl_session *s)
{
	const struct ctl_method *m = ctl_method_find(s->request.execute);
	bool negotiates = m && m->look == ctl_qmp_capabilities;
	struct ctl_call *call = &s->call;

	if (!s->negotiated && !negotiates)
		ctl_fail(call, 0, "'qmp_capabilities' must come before all other commands");
	else if (s->negotiated && negotiates)
		ctl_fail(call, 0, "'qmp_capabilities' was done already");
	else if (!m)
		ctl_fail(call, 0, "command '%.60s' is not known", s->request.execute);
	else
		call->method = m;
	return call->method ? NULL : not_found;
}

/* The envelope.  Where it is not in order, the answer has the id all the same: clients find by
 * it what was refused. */
static int decode_request(struct ctl_session *s)
{
	struct ctl_doc *doc = s->call.doc;
	const struct ctl_value *root = ctl_doc_root(doc);
	char ignored[CTL_ERROR_MAX];
	int err = ctl_doc_decode(doc, root, &ctl_request_message, &s->request, "request member",
				 s->call.error);

	if (err)
		ctl_doc_decode(doc, root, &ctl_request_id_message, &s->request, NULL, ignored);
	return err;
}

static void start_call(struct ctl_session *s, const char *text, size_t len)
{
	struct ctl_call *call = &s->call;
	const char *class = generic_error;

	s->request = (struct ctl_request){ 0 };
	call->doc = ctl_doc_parse(text, len, call->error);
	if (call->doc && !decode_request(s)) {
		class = admit(s);
		if (!class && !ctl_session_prepare(s, "argument"))
			return;
	}
	ctl_session_fail(s, class ? class : generic_error, call->error);
}

static void print_item(struct ctl_session *s)
{
	ctl_buf_puts(&s->out, s->call.n_items ? ", " : "{\"return\": [");
	ctl_json_print(&s->out, s->call.method->result, s->result);
}

static void event_waits(struct ctl_subscriber *sub)
{
	struct ctl_session *s = container_of(sub, struct ctl_session, subscriber);

	s->pending = true;
	if (s->wake)
		s->wake(s);
}

static void negotiated(struct ctl_session *s)
{
	s->negotiated = true;
	ctl_subscriber_init(&s->subscriber, s->target->events);
	s->subscriber.wake = event_waits;
}

static bool reply(struct ctl_session *s)
{
	const struct ctl_method *m = s->call.method;

	if (!m->list) {
		ctl_buf_puts(&s->out, "{\"return\": ");
		ctl_json_print(&s->out, m->result, s->result);
	} else {
		ctl_buf_puts(&s->out, s->call.n_items ? "]" : "{\"return\": []");
	}
	print_id(s);
	ctl_buf_puts(&s->out, "}\r\n");
	if (m->look == ctl_qmp_capabilities)
		negotiated(s);
	return true;
}

static unsigned next_request(struct ctl_session *s)
{
	size_t used;

	ctl_buf_consume(&s->in,
			ctl_frame_skip(&s->frame, ctl_buf_text(&s->in), ctl_buf_len(&s->in)));
	switch (ctl_frame_scan(&s->frame, ctl_buf_text(&s->in), ctl_buf_len(&s->in), &used)) {
	case CTL_FRAME_MORE:
		if (!ctl_session_room(s))
			ctl_session_refuse(s, "the request is too large");
		return 0;
	case CTL_FRAME_OBJECT:
		start_call(s, ctl_buf_text(&s->in), used);
		break;
	case CTL_FRAME_GARBAGE:
		s->request = (struct ctl_request){ 0 };
		ctl_session_fail(s, generic_error, "a request must be a JSON object");
		break;
	case CTL_FRAME_TOO_COMPLEX:
		ctl_session_refuse(s,
				   "the request is nested too deeply or has too many members");
		break;
	}
	ctl_buf_consume(&s->in, used);
	return ctl_session_cost(used);
}

const struct ctl_dialect ctl_dialect_qmp = {
	.request_max = CTL_REQUEST_MAX,
	.takes_fds = true,
	.greet = greet,
	.next_request = next_request,
	.item = print_item,
	.done = reply,
	.error = reply_error,
};
