/* A control client's whole stream: framing, dispatch, handlers; replies must be lines of JSON.
 *
 * The bits of the first byte: 0x01 may change things, 0x02 has negotiated, 0x80 speaks the dialect of
 * slirp4netns, whose one reply is an object; between them the length of the pieces that come. */
#include "ctl/ctl_session.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lib/fake_flow.h"
#include "lib/fake_forwards.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf conf = { .limits = { .control_clients = 64 } };
static struct net net = { .ip4 = { .on = true, .prefix_len = 24 }, .mtu = 1500 };
static struct env env = { .conf = &conf, .net = &net };
static struct ctl_session session;

#define NEGOTIATE "{\"execute\": \"qmp_capabilities\"}"

static void quit(void *ctx)
{
}

static const struct ctl_daemon_ops ops = { .quit = quit };

static void no_log(enum log_level level, enum log_unit unit, const char *line)
{
}

static void take_lines(void)
{
	const char *end;

	while ((end = memchr(ctl_buf_text(&session.out), '\n', ctl_buf_len(&session.out)))) {
		size_t len = (size_t)(end + 1 - ctl_buf_text(&session.out));
		char error[CTL_ERROR_MAX];
		struct ctl_doc *doc = ctl_doc_parse(ctl_buf_text(&session.out), len, error);

		if (!doc || end[-1] != '\r')
			abort();
		ctl_doc_free(doc);
		ctl_buf_consume(&session.out, len);
	}
}

static void take_object(void)
{
	char error[CTL_ERROR_MAX];
	struct ctl_doc *doc =
		ctl_doc_parse(ctl_buf_text(&session.out), ctl_buf_len(&session.out), error);

	if (!doc)
		abort();
	ctl_doc_free(doc);
}

static void work(const struct ctl_dialect *dialect)
{
	while (session.pending && !session.hangup) {
		ctl_session_work(&session, 64);
		if (dialect == &ctl_dialect_qmp)
			take_lines();
		/* a change of forwards goes on in turns of the loop, for which the call waits */
		timerq_run(&env.timers, ++env.now_ns, 1, &env);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ctl_events events;
	const struct ctl_dialect *dialect;
	struct ctl_target target = { &env, &ops, NULL, &events };
	struct ctl_info info = {
		.n_clients = 1, .ops = &ops, .events = &events, .fd_statm = -1
	};
	size_t step;

	if (!size)
		return 0;
	log_set_sink(no_log);
	if (flow_table_init(&env.flows, 64))
		abort();
	for (uint16_t port = 1; port <= 40; port++)
		fake_flow_open(&env, port);
	fake_forwards_open(&env);
	ctl_events_init(&events, &env);
	dialect = data[0] & 0x80 ? &ctl_dialect_slirp : &ctl_dialect_qmp;
	ctl_session_init(&session, dialect, &target, &info,
			 data[0] & 1 ? CTL_MAY_CHANGE : CTL_MAY_LOOK);
	if (data[0] & 2 && dialect == &ctl_dialect_qmp)
		ctl_session_input(&session, NEGOTIATE, sizeof(NEGOTIATE) - 1);
	step = (size_t)(data[0] >> 2 & 0x1f) + 1;
	for (data++, size--; size && !session.hangup; data += step, size -= step) {
		if (step > size)
			step = size;
		if (step > ctl_session_room(&session))
			step = ctl_session_room(&session);
		ctl_session_input(&session, (const char *)data, step);
		event_tell(&env, &(struct event){ .kind = EVENT_GUEST_SEEN });
		work(dialect);
	}
	ctl_session_end_input(&session);
	work(dialect);
	if (session.out.failed)
		abort();
	if (dialect == &ctl_dialect_slirp)
		take_object();
	fake_flow_close_all(&env); /* of which it may want to hear */
	ctl_session_free(&session);
	fake_forwards_close(&env);
	ctl_events_free(&events);
	flow_table_free(&env.flows);
	timerq_free(&env.timers);
	return 0;
}
