/* lib/ctl_talk.c: see lib/ctl_talk.h. */
#include "lib/ctl_talk.h"

#include <stdio.h>
#include <string.h>

#include "lib/fake_flow.h"
#include "lib/suite.h"

#define GREETING_START "{\"QMP\":{\"version\":{\"qemu\":{\"major\":"
#define TAKEN_MAX      (4 * CTL_BACKLOG_MAX)
#define ALL_UNITS      1000000

struct fake_guest talk_guest;
struct ctl_session talk_session;
unsigned talk_n_quits;
char talk_taken[TAKEN_MAX];

struct loop_turns talk_turns;
static struct ctl_info info;

unsigned talk_n_files;

static void quit(void *ctx)
{
	talk_n_quits++;
}

static uint64_t open_files(const void *daemon)
{
	return talk_n_files;
}

struct ctl_events talk_events;
static const struct ctl_daemon_ops ops = { .quit = quit, .open_files = open_files };
static struct ctl_target target = { &talk_guest.env, &ops, NULL, &talk_events };

void talk_input(const char *text)
{
	ctl_session_input(&talk_session, text, strlen(text));
}

size_t talk_take_behind(size_t len)
{
	size_t n = ctl_buf_len(&talk_session.out);

	ck_assert(!talk_session.out.failed);
	ck_assert_uint_lt(len + n, TAKEN_MAX);
	memcpy(talk_taken + len, ctl_buf_text(&talk_session.out), n);
	talk_taken[len + n] = '\0';
	ctl_buf_consume(&talk_session.out, n);
	return len + n;
}

static const char *work(void)
{
	size_t len = talk_take_behind(0);

	while (talk_session.pending && !talk_session.hangup) {
		ctl_session_work(&talk_session, ALL_UNITS);
		len = talk_take_behind(len);
		if (talk_session.call.method) /* what it waits for goes on */
			fake_guest_advance(&talk_guest, 1);
	}
	return talk_taken;
}

const char *talk_say(const char *text)
{
	talk_input(text);
	return work();
}

const char *talk_end(void)
{
	ctl_session_end_input(&talk_session);
	return work();
}

static void start(const struct ctl_dialect *dialect, enum ctl_authority authority)
{
	fake_guest_init(&talk_guest);
	talk_n_quits = talk_n_files = 0;
	talk_turns = (struct loop_turns){ 0 };
	info = (struct ctl_info){ .start_ns = talk_guest.env.now_ns - 5 * NS_PER_SEC,
				  .n_clients = 1,
				  .ops = &ops,
				  .events = &talk_events,
				  .turns = &talk_turns,
				  .fd_statm = -1 };
	ctl_events_init(&talk_events, &talk_guest.env);
	ctl_session_init(&talk_session, dialect, &target, &info, authority);
	talk_take_behind(0);
}

void talk_start_slirp(enum ctl_authority authority)
{
	start(&ctl_dialect_slirp, authority);
	ck_assert_str_eq(talk_taken, "");
}

void talk_start(enum ctl_authority authority)
{
	start(&ctl_dialect_qmp, authority);
	ck_assert_int_eq(strncmp(talk_taken, GREETING_START, strlen(GREETING_START)), 0);
}

void talk_start_negotiated(void)
{
	talk_start(CTL_MAY_CHANGE);
	ck_assert_str_eq(talk_say(TALK_NEGOTIATE), "{\"return\": {}}\r\n");
}

void talk_stop(void)
{
	ctl_session_free(&talk_session);
	ctl_events_free(&talk_events);
	fake_flow_close_all(&talk_guest.env);
	fake_guest_free(&talk_guest);
}

void talk_assert_contains(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text);
}

void talk_assert_error(const char *request, const char *class, const char *desc)
{
	char want[1024];

	snprintf(want, sizeof(want), "{\"error\": {\"class\":\"%s\",\"desc\":\"%s\"}}\r\n",
		 class, desc);
	ck_assert_str_eq(talk_say(request), want);
}

unsigned talk_count(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		n++;
	}
	return n;
}
