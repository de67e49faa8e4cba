/* cli/top_ask.c: see cli/top_ask.h. */
#include "cli/top_ask.h"

#include <string.h>

void top_ask_give_up(struct top_ask *a)
{
	client_close(a->client);
	top_sample_free(&a->sample);
	a->step = TOP_STEP_NONE;
	a->close_id = 0;
	a->quiet = false;
}

static enum top_answer failed(struct top_ask *a)
{
	top_ask_give_up(a);
	return TOP_ANSWER_FAILED;
}

static int send_quiet(struct top_ask *a)
{
	struct ctl_subscribe none = { .has = CTL_SUBSCRIBE_HAS_EVENTS };

	return client_send(a->client, "events-subscribe", &ctl_subscribe_message, &none, a->error);
}

static int send_flow_query(struct top_ask *a)
{
	struct ctl_flow_query q = { .closed = a->step == TOP_STEP_ENDED };

	if (q.closed) {
		q.where.has = CTL_FLOW_QUERY_HAS_CLOSED;
	} else {
		q.where.has = CTL_FLOW_QUERY_HAS_AFTER;
		q.after = a->after;
	}
	return client_send(a->client, "query-flows", &ctl_flow_query_message, &q, a->error);
}

static int send_close(struct top_ask *a)
{
	struct ctl_flow_close args = { .where.has = CTL_FLOW_CLOSE_HAS_ID, .id = a->close_id };

	a->close_id = 0;
	return client_send(a->client, "flow-close", &ctl_flow_close_message, &args, a->error);
}

/* Sends the request of a step, whose reply comes next. */
static enum top_answer go(struct top_ask *a, enum top_step step)
{
	static const struct ctl_nothing nothing;
	int err = 0;

	a->step = step;
	switch (step) {
	case TOP_STEP_QUIET:
		err = send_quiet(a);
		break;
	case TOP_STEP_STATUS:
		err = client_send(a->client, "query-status", &ctl_nothing_message, &nothing, a->error);
		break;
	case TOP_STEP_COUNTERS:
		err = client_send(a->client, "query-stats", &ctl_nothing_message, &nothing, a->error);
		break;
	case TOP_STEP_FLOWS:
	case TOP_STEP_ENDED:
		err = send_flow_query(a);
		break;
	case TOP_STEP_CLOSE:
		err = send_close(a);
		break;
	case TOP_STEP_NONE:
	case TOP_STEP_HELLO:
		break;
	}
	return err ? failed(a) : TOP_ANSWER_NONE;
}

enum top_answer top_ask_connect(struct top_ask *a, const char *path)
{
	if (client_connect(a->client, path, a->error))
		return failed(a);
	a->step = TOP_STEP_HELLO;
	return TOP_ANSWER_NONE;
}

enum top_answer top_ask_sample(struct top_ask *a)
{
	a->after = 0;
	return go(a, a->quiet ? TOP_STEP_STATUS : TOP_STEP_QUIET);
}

enum top_answer top_ask_close_flow(struct top_ask *a, uint64_t id)
{
	a->close_id = id;
	return a->step == TOP_STEP_NONE ? go(a, TOP_STEP_CLOSE) : TOP_ANSWER_NONE;
}

/* Each element of an array; how many, or -1. */
static int take_list(struct top_ask *a, struct ctl_doc *doc, const struct ctl_value *array)
{
	const struct ctl_value *v = NULL;
	struct ctl_counter counter;
	struct ctl_flow flow;
	int n = 0;

	for (; (v = ctl_value_next(array, v)); n++) {
		if (a->step == TOP_STEP_COUNTERS) {
			if (ctl_doc_decode(doc, v, &ctl_counter_message, &counter, NULL, a->error))
				return -1;
			top_sample_counter(&a->sample, &counter);
		} else {
			if (ctl_doc_decode(doc, v, &ctl_flow_message, &flow, NULL, a->error))
				return -1;
			if (top_sample_flow(&a->sample, &flow)) {
				snprintf(a->error, sizeof(a->error), "out of memory");
				return -1;
			}
			a->after = flow.id;
		}
	}
	return n;
}

static int take_status(struct top_ask *a, struct ctl_doc *doc, const struct ctl_value *value)
{
	struct ctl_status status;

	if (ctl_doc_decode(doc, value, &ctl_status_message, &status, NULL, a->error))
		return -1;
	top_sample_status(&a->sample, &status);
	return 0;
}

/* A reply that makes no sense ends the connection. */
static int take(struct top_ask *a, struct ctl_doc *doc, const struct ctl_value *value)
{
	switch (a->step) {
	case TOP_STEP_STATUS:
		return take_status(a, doc, value);
	case TOP_STEP_COUNTERS:
	case TOP_STEP_FLOWS:
	case TOP_STEP_ENDED:
		return take_list(a, doc, value);
	case TOP_STEP_NONE:
	case TOP_STEP_HELLO:
	case TOP_STEP_QUIET:
	case TOP_STEP_CLOSE:
		break;
	}
	return 0;
}

/* Nothing is asked any more, unless a flow waits to be closed. */
static enum top_answer end(struct top_ask *a, enum top_answer answer)
{
	a->step = TOP_STEP_NONE;
	if (a->close_id && go(a, TOP_STEP_CLOSE) == TOP_ANSWER_FAILED)
		return TOP_ANSWER_FAILED;
	return answer;
}

/* Behind a reply with `n` elements. */
static enum top_answer next(struct top_ask *a, int n)
{
	switch (a->step) {
	case TOP_STEP_NONE:
	case TOP_STEP_HELLO:
		return top_ask_sample(a);
	case TOP_STEP_QUIET:
		a->quiet = true;
		return go(a, TOP_STEP_STATUS);
	case TOP_STEP_STATUS:
		return go(a, TOP_STEP_COUNTERS);
	case TOP_STEP_COUNTERS:
		return go(a, TOP_STEP_FLOWS);
	case TOP_STEP_FLOWS:
		if (n >= CTL_FLOWS_LIMIT_DEFAULT)
			return go(a, TOP_STEP_FLOWS);
		return a->ended ? go(a, TOP_STEP_ENDED) : end(a, TOP_ANSWER_SAMPLE);
	case TOP_STEP_ENDED:
		return end(a, TOP_ANSWER_SAMPLE);
	case TOP_STEP_CLOSE:
		break;
	}
	return end(a, TOP_ANSWER_CLOSED);
}

enum top_answer top_ask_read(struct top_ask *a)
{
	const struct ctl_value *value;
	struct ctl_doc *doc;
	int n;

	switch (client_receive(a->client, &doc, &value, a->error)) {
	case CLIENT_NOTHING_YET:
		return TOP_ANSWER_NONE;
	case CLIENT_FAILED:
		return failed(a);
	case CLIENT_REFUSED:
		/* a greeting that is none: there are too many clients, or we are not welcome */
		if (a->step == TOP_STEP_HELLO)
			return failed(a);
		top_sample_free(&a->sample);
		return end(a, TOP_ANSWER_REFUSED);
	case CLIENT_REPLIED:
		break;
	}
	n = take(a, doc, value);
	ctl_doc_free(doc);
	return n < 0 ? failed(a) : next(a, n);
}
