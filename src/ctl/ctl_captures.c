/* ctl/ctl_captures.c: query-captures, capture-start, capture-stop. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl_capture_msg.h"
#include "ctl/ctl_method.h"
#include "ctl/ctl_show.h"
#include "proto/capture.h"

/* The client's words again, as far as they still mean something; `addr` takes a text. */
static void show_spec(const struct capture_spec *s, char addr[static CTL_PREFIX_TEXT],
		      struct ctl_capture_start *c)
{
	char text[ADDR_STR_MAX];

	*c = (struct ctl_capture_start){
		.has = (s->proto ? CTL_CAPTURE_HAS_PROTO : 0) | (s->dir ? CTL_CAPTURE_HAS_DIR : 0) |
		       (s->flow ? CTL_CAPTURE_HAS_FLOW : 0) |
		       (s->addr_set ? CTL_CAPTURE_HAS_ADDR : 0) |
		       (s->port ? CTL_CAPTURE_HAS_PORT : 0) |
		       (s->dropped ? CTL_CAPTURE_HAS_DROPPED : 0) |
		       (s->snaplen ? CTL_CAPTURE_HAS_SNAPLEN : 0) |
		       (s->headers ? CTL_CAPTURE_HAS_HEADERS : 0) |
		       (s->packets ? CTL_CAPTURE_HAS_PACKETS : 0) |
		       (s->bytes ? CTL_CAPTURE_HAS_BYTES : 0) |
		       (s->seconds ? CTL_CAPTURE_HAS_SECONDS : 0) |
		       (s->ring ? CTL_CAPTURE_HAS_RING : 0) |
		       (s->why[0] ? CTL_CAPTURE_HAS_WHY : 0),
		.proto = s->proto ? s->proto - 1u : 0,
		.dir = s->dir ? s->dir - 1u : 0,
		.flow = s->flow,
		.addr = addr,
		.port = s->port,
		.dropped = s->dropped,
		.snaplen = s->snaplen,
		.headers = s->headers,
		.packets = s->packets,
		.bytes = s->bytes,
		.seconds = s->seconds,
		.ring = s->ring,
		.why = s->why,
	};
	if (s->addr_set)
		snprintf(addr, CTL_PREFIX_TEXT, "%s/%u", addr_print(&s->addr, text),
			 s->prefix_len);
}

void ctl_show_capture(const struct capture_status *s, const struct capture_spec *spec,
		      uint64_t now_ns, char addr[static CTL_PREFIX_TEXT], struct ctl_capture *c)
{
	bool runs = s->state == CAPTURE_RUNNING;

	*c = (struct ctl_capture){
		.has = (runs ? 0 : CTL_CAPTURE_HAS_REASON) |
		       (s->error ? CTL_CAPTURE_HAS_ERROR : 0) |
		       (spec->path ? CTL_CAPTURE_HAS_PATH : 0),
		.id = s->id,
		.state = capture_state_name(s->state),
		.reason = capture_end_name(s->end),
		.error = strerror(s->error),
		.sink = s->sink,
		.path = spec->path,
		.pid = (uint64_t)spec->pid,
		.uid = spec->uid,
		.age_ms = ((runs ? now_ns : s->end_ns) - s->start_ns) / NS_PER_MS,
		.seen = s->seen,
		.matched = s->matched,
		.written = s->written,
		.waiting = s->buffered,
		.overwritten = s->overwritten,
		.lost = s->lost,
		.size = s->bytes,
	};
	show_spec(spec, addr, &c->spec);
}

static int show(struct ctl_call *call, const struct env *env, const struct capture_status *s,
		const struct capture_spec *spec, struct ctl_capture *c)
{
	char *addr = ctl_doc_alloc(call->doc, CTL_PREFIX_TEXT);

	if (!addr)
		return ctl_fail(call, -ENOMEM, "no memory");
	ctl_show_capture(s, spec, env->now_ns, addr, c);
	return CTL_DONE;
}

/* The cursor is the id of the one shown last. */
int ctl_captures_query(struct ctl_call *call, const struct env *env, void *result)
{
	const struct capture_spec *spec;
	const struct capture_status *s =
		env->captures ? captures_next(env->captures, call->cursor, &spec) : NULL;
	int rc;

	if (!s)
		return CTL_DONE;
	call->cursor = s->id;
	rc = show(call, env, s, spec, result);
	return rc ? rc : CTL_ITEM;
}

/* A remark goes into the log: one line of it. */
static int take_why(struct ctl_call *call, const char *why, struct capture_spec *spec)
{
	if (strlen(why) > CAPTURE_WHY_MAX)
		return ctl_fail(call, -EINVAL, "argument 'why' must not be longer than %d bytes",
				CAPTURE_WHY_MAX);
	for (const char *p = why; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return ctl_fail(call, -EINVAL,
					"argument 'why' must not have control characters");
	strcpy(spec->why, why);
	return 0;
}

static_assert(CAPTURE_UDP == 4 && CAPTURE_TO_GUEST == 2, "the names are those of the numbers, but for 0");

static int take_spec(struct ctl_call *call, const struct ctl_capture_start *args,
		     struct capture_spec *spec)
{
	struct ctl_end_filter filter = { .by_net = false };

	*spec = (struct capture_spec){
		.proto = args->has & CTL_CAPTURE_HAS_PROTO ? (enum capture_proto)(args->proto + 1)
							   : CAPTURE_ANY_PROTO,
		.dir = args->has & CTL_CAPTURE_HAS_DIR ? (enum capture_dir)(args->dir + 1)
						       : CAPTURE_BOTH_DIRS,
		.flow = args->flow,
		.port = args->port,
		.dropped = args->dropped,
		.snaplen = (uint32_t)args->snaplen,
		.headers = args->headers,
		.packets = args->packets,
		.bytes = args->bytes,
		.seconds = args->seconds,
		.ring = args->ring,
		.pid = call->caller->pid,
		.uid = call->caller->uid,
	};
	if (args->bytes && args->ring)
		return ctl_fail(call, -EINVAL, "argument 'bytes' does not go with 'ring'");
	if (args->has & CTL_CAPTURE_HAS_ADDR) {
		if (ctl_end_filter_net(&filter, args->addr))
			return ctl_fail(call, -EINVAL,
					"argument 'addr' must be an IP address or prefix");
		spec->addr_set = true;
		spec->addr = filter.net;
		spec->prefix_len = filter.prefix_len;
	}
	return args->has & CTL_CAPTURE_HAS_WHY ? take_why(call, args->why, spec) : 0;
}

static int explain(struct ctl_call *call, int err)
{
	if (err == -EMFILE)
		return ctl_fail(call, err, "%d captures are under way already", CAPTURES_MAX);
	if (err == -EINVAL)
		return ctl_fail(call, err, "the descriptor that came with the request is no file, pipe or "
					   "stream socket that can be written to");
	return ctl_fail(call, err, "the capture cannot be started: %s", strerror(-err));
}

int ctl_captures_start(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	struct env *env = target->env;
	const struct capture_status *started;
	const struct capture_spec *shown;
	struct capture_spec spec;
	int rc, fd = call->caller->fd;
	uint64_t id;

	if (!env->captures)
		return ctl_fail(call, -ENOTSUP, "there are no captures here");
	rc = take_spec(call, call->args, &spec);
	if (rc)
		return rc;
	if (fd < 0)
		return ctl_fail(call, -EBADF, "no file descriptor came with the request");
	call->caller->fd = -1;
	rc = captures_start(env->captures, &spec, fd, &id);
	if (rc)
		return explain(call, rc);
	started = captures_next(env->captures, id - 1, &shown);
	return show(call, env, started, shown, result);
}

int ctl_captures_stop(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_capture_id *args = call->args;
	struct captures *captures = target->env->captures;

	if (!captures || captures_stop(captures, args->id))
		return ctl_fail(call, -ENOENT, "there is no capture %llu under way",
				(unsigned long long)args->id);
	return CTL_DONE;
}
