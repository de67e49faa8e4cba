/* proto/capture.c: starts captures, hands out what they hold, and ends them. */
#include "proto/capture.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "capture_priv.h"
#include "proto/event.h"

#define BUFFER_SIZE   (1u << 20)
#define WRITE_MAX     (1u << 20) /* bytes a turn of what has waited in a ring */
#define STALL_NS      (10 * NS_PER_SEC)
#define SECTION_TEXT  "postern " POSTERN_VERSION
#define PIECES_MAX    4

static const char *const end_names[] = {
	[CAPTURE_STOPPED] = "stopped",	       [CAPTURE_PACKET_LIMIT] = "packet-limit",
	[CAPTURE_SIZE_LIMIT] = "size-limit",   [CAPTURE_TIME_LIMIT] = "time-limit",
	[CAPTURE_READER_GONE] = "reader-gone", [CAPTURE_FAILED] = "failed",
	[CAPTURE_SHUTDOWN] = "shutdown",
};
static_assert(sizeof(end_names) / sizeof(end_names[0]) == N_CAPTURE_ENDS, "a name each");

const char *capture_end_name(enum capture_end end)
{
	return end_names[end];
}

const char *capture_state_name(enum capture_state state)
{
	static const char *const names[] = { "running", "ending", "ended" };

	return names[state];
}

/* The sink gets no more. */
static void finish(struct capture *c)
{
	struct captures *cs = c->all;
	size_t torn = c->buf.torn;

	if (c->head_done < c->head_len)
		torn = c->head_done;
	else if (c->tail_done < c->tail_len)
		torn += c->tail_done;
	timerq_cancel(&cs->env->timers, &c->timer);
	cs->ops->close(c->sink, torn);
	capture_buf_free(&c->buf);
	c->status.lost += c->status.buffered;
	cs->env->stats.capture_lost += c->status.buffered;
	c->status.buffered = 0;
	c->status.state = CAPTURE_ENDED;
	log_info(LINK, "capture %llu: ended: %s, %llu frames, %llu lost",
		 (unsigned long long)c->status.id, end_names[c->status.end],
		 (unsigned long long)c->status.written, (unsigned long long)c->status.lost);
	cs->n_open--;
	event_tell(cs->env,
		   &(struct event){ .kind = EVENT_CAPTURE_ENDED, .capture = c->status.id });
}

/* It runs no more, whatever becomes of what waits. */
static void set_end(struct capture *c, enum capture_end end)
{
	assert(c->status.state == CAPTURE_RUNNING);
	c->status.state = CAPTURE_ENDING;
	c->status.end = end;
	c->status.end_ns = c->all->env->now_ns;
	c->all->env->capturing--;
}

void capture_end(struct capture *c, enum capture_end end)
{
	struct env *env = c->all->env;
	struct wr w = wr_init(c->tail, sizeof(c->tail));

	set_end(c, end);
	pcapng_encode_statistics(
		&w, &(struct pcapng_statistics){ .start_ns = c->start_time_ns,
						 .end_ns = c->all->ops->clock_ns(),
						 .received = c->status.seen,
						 .accepted = c->status.matched,
						 .dropped = c->status.lost,
						 .delivered = c->status.written + c->status.buffered,
						 .comment = end_names[end] });
	c->tail_len = wr_len(&w);
	timerq_set(&env->timers, &c->timer, env->now_ns + STALL_NS);
}

static void fail(struct capture *c, int error)
{
	enum capture_end end = error == EPIPE ? CAPTURE_READER_GONE : CAPTURE_FAILED;

	if (c->status.state == CAPTURE_RUNNING)
		set_end(c, end);
	c->status.end = end;
	if (end == CAPTURE_FAILED) {
		c->status.error = error;
		c->all->env->stats.capture_failed++;
		log_warn(LINK, "capture %llu: cannot write: %s", (unsigned long long)c->status.id,
			 strerror(error));
	}
	finish(c);
}

/* What waits, in its order, up to WRITE_MAX bytes of it. */
static int pieces_of(struct capture *c, struct iovec pieces[static PIECES_MAX])
{
	size_t left = WRITE_MAX;
	int n = 0;

	if (c->head_done < c->head_len)
		pieces[n++] = (struct iovec){ c->head + c->head_done, c->head_len - c->head_done };
	n += capture_buf_pieces(&c->buf, pieces + n);
	if (c->tail_done < c->tail_len)
		pieces[n++] = (struct iovec){ c->tail + c->tail_done, c->tail_len - c->tail_done };
	for (int i = 0; i < n; i++) {
		if (pieces[i].iov_len >= left) {
			pieces[i].iov_len = left;
			return i + 1;
		}
		left -= pieces[i].iov_len;
	}
	return n;
}

static size_t take(size_t *done, size_t len, size_t n)
{
	size_t part = len - *done < n ? len - *done : n;

	*done += part;
	return part;
}

static void taken(struct capture *c, size_t n)
{
	struct iovec pieces[2];
	size_t waits = 0;
	unsigned whole;

	c->status.bytes += n;
	n -= take(&c->head_done, c->head_len, n);
	for (int i = capture_buf_pieces(&c->buf, pieces); i > 0; i--)
		waits += pieces[i - 1].iov_len;
	if (waits > n)
		waits = n;
	whole = capture_buf_consume(&c->buf, waits);
	c->status.written += whole;
	c->status.buffered -= whole;
	take(&c->tail_done, c->tail_len, n - waits);
}

/* Hands out what waits, or a part of it.  Whether there is more that the sink may take. */
static bool flush(struct capture *c)
{
	struct iovec pieces[PIECES_MAX];
	ssize_t rc;
	int n;

	if (c->spec.ring && c->status.state == CAPTURE_RUNNING)
		return false;
	n = pieces_of(c, pieces);
	rc = n ? c->all->ops->write(c->sink, pieces, n) : 0;
	if (rc == -EAGAIN)
		return false;
	if (rc < 0) {
		fail(c, (int)-rc);
		return false;
	}
	taken(c, (size_t)rc);
	if (pieces_of(c, pieces)) {
		if (c->status.state == CAPTURE_ENDING) /* it moves: the time begins anew */
			timerq_set(&c->all->env->timers, &c->timer, c->all->env->now_ns + STALL_NS);
		return true;
	}
	if (c->status.state == CAPTURE_ENDING)
		finish(c);
	return false;
}

bool captures_flush(struct captures *cs)
{
	bool more = false;

	if (!cs->n_open)
		return false;
	for (unsigned i = 0; i < CAPTURES_KEPT; i++)
		if (cs->slots[i].status.id && cs->slots[i].status.state != CAPTURE_ENDED)
			more |= flush(&cs->slots[i]);
	return more;
}

uint8_t *capture_make_room(struct capture *c, size_t len)
{
	uint8_t *room = capture_buf_reserve(&c->buf, len);

	while (!room && c->spec.ring) {
		capture_buf_discard(&c->buf);
		c->status.overwritten++;
		c->status.buffered--;
		room = capture_buf_reserve(&c->buf, len);
	}
	if (room)
		return room;
	flush(c);
	return c->status.state == CAPTURE_RUNNING ? capture_buf_reserve(&c->buf, len) : NULL;
}

static void timer_fired(struct timer *t, void *ctx)
{
	struct capture *c = container_of(t, struct capture, timer);

	if (c->status.state == CAPTURE_RUNNING)
		capture_end(c, CAPTURE_TIME_LIMIT);
	else
		fail(c, ETIMEDOUT);
}

/* The file's first blocks tell who asked for it, and why. */
static void encode_head(struct capture *c)
{
	struct wr w = wr_init(c->head, sizeof(c->head));
	char who[CAPTURE_WHY_MAX + 80];

	snprintf(who, sizeof(who), "capture %llu, for process %lld of user %lld%s%s",
		 (unsigned long long)c->status.id, (long long)c->spec.pid, (long long)c->spec.uid,
		 c->spec.why[0] ? ": " : "", c->spec.why);
	pcapng_encode_section(&w, &(struct pcapng_section){ SECTION_TEXT, who });
	pcapng_encode_interface(&w, &(struct pcapng_interface){
					    .name = "guest",
					    .description = "the guest's link, at postern's end",
					    .snaplen = c->spec.snaplen });
	c->head_len = c->size = wr_len(&w);
}

/* A place for one more: a free one, else that of the one that ended and is the oldest. */
static struct capture *find_place(struct captures *cs)
{
	struct capture *found = NULL;

	for (unsigned i = 0; i < CAPTURES_KEPT; i++) {
		struct capture *c = &cs->slots[i];

		if (c->status.id && c->status.state != CAPTURE_ENDED)
			continue;
		if (!found || c->status.id < found->status.id)
			found = c;
	}
	return found;
}

static int init(struct captures *cs, struct capture *c, const struct capture_spec *spec, void *sink)
{
	struct env *env = cs->env;

	*c = (struct capture){ .spec = *spec,
			       .all = cs,
			       .sink = sink,
			       .start_time_ns = cs->ops->clock_ns(),
			       .timer = { .fire = timer_fired } };
	if (!cs->held)
		cs->held = malloc(CAPTURE_HELD_SIZE);
	if (!cs->held || capture_buf_init(&c->buf, spec->ring ? spec->ring : BUFFER_SIZE))
		return -ENOMEM;
	if (spec->seconds && timerq_set(&env->timers, &c->timer,
					env->now_ns + spec->seconds * NS_PER_SEC)) {
		capture_buf_free(&c->buf);
		return -ENOMEM;
	}
	c->status.id = cs->next_id++;
	c->status.start_ns = env->now_ns;
	c->status.sink = cs->ops->kind(sink);
	encode_head(c);
	return 0;
}

int captures_start(struct captures *cs, const struct capture_spec *spec, int fd, uint64_t *idp)
{
	struct capture *c = find_place(cs);
	void *sink;
	int rc = cs->ops->open(cs->host, fd, &sink);

	if (rc)
		return rc;
	rc = cs->n_open == CAPTURES_MAX ? -EMFILE : init(cs, c, spec, sink);
	if (rc) {
		cs->ops->close(sink, 0);
		return rc;
	}
	cs->n_open++;
	cs->env->capturing++;
	*idp = c->status.id;
	log_info(LINK, "capture %llu: started for process %lld of user %lld%s%s",
		 (unsigned long long)*idp, (long long)spec->pid, (long long)spec->uid,
		 spec->why[0] ? ": " : "", spec->why);
	event_tell(cs->env, &(struct event){ .kind = EVENT_CAPTURE_STARTED, .capture = *idp });
	return 0;
}

int captures_stop(struct captures *cs, uint64_t id)
{
	for (unsigned i = 0; i < CAPTURES_KEPT; i++) {
		struct capture *c = &cs->slots[i];

		if (!id || c->status.id != id || c->status.state == CAPTURE_ENDED)
			continue;
		if (c->status.state == CAPTURE_RUNNING)
			capture_end(c, CAPTURE_STOPPED);
		else
			finish(c);
		return 0;
	}
	return -ENOENT;
}

void captures_sink_failed(struct captures *cs, const void *sink, int error)
{
	for (unsigned i = 0; i < CAPTURES_KEPT; i++) {
		struct capture *c = &cs->slots[i];

		if (c->status.id && c->status.state != CAPTURE_ENDED && c->sink == sink)
			fail(c, error);
	}
}

const struct capture_status *captures_next(const struct captures *cs, uint64_t id,
					   const struct capture_spec **specp)
{
	const struct capture *found = NULL;

	for (unsigned i = 0; i < CAPTURES_KEPT; i++) {
		const struct capture *c = &cs->slots[i];

		if (c->status.id > id && (!found || c->status.id < found->status.id))
			found = c;
	}
	*specp = found ? &found->spec : NULL;
	return found ? &found->status : NULL;
}

struct captures *captures_new(struct env *env, const struct capture_ops *ops, void *host)
{
	struct captures *cs = calloc(1, sizeof(*cs));

	if (!cs)
		return NULL;
	cs->env = env;
	cs->ops = ops;
	cs->host = host;
	cs->next_id = 1;
	env->captures = cs;
	return cs;
}

void captures_end(struct captures *cs)
{
	for (unsigned i = 0; i < CAPTURES_KEPT; i++) {
		struct capture *c = &cs->slots[i];

		if (!c->status.id || c->status.state == CAPTURE_ENDED)
			continue;
		if (c->status.state == CAPTURE_RUNNING)
			capture_end(c, CAPTURE_SHUTDOWN);
		while (flush(c))
			;
		if (c->status.state != CAPTURE_ENDED)
			finish(c);
	}
}

void captures_free(struct captures *cs)
{
	if (!cs)
		return;
	captures_end(cs);
	cs->env->captures = NULL;
	free(cs->held);
	free(cs);
}
