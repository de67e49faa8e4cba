/* cli/top.c: posternctl top on a terminal: what is waited for is a key, a signal, an answer of the daemon,
 * and the time of the next question.
 */
#include "cli/top.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/top_ask.h"
#include "cli/top_view.h"

#define RETRY_MS   1000	 /* between attempts to connect */
#define PATIENCE_MS 2000 /* until it is said that the daemon does not answer */
#define TICK_MS	   500	 /* while that is so */
#define MESSAGE_MS 4000	 /* a message stays */
#define TIMEOUT_MS (CLIENT_TIMEOUT_SECONDS * 1000)

enum { FD_KEYS, FD_SIGNALS, FD_DAEMON, N_FDS };

struct top {
	struct top_model model;
	struct top_look look;
	struct top_ask ask;
	const char *path;
	int signals;
	uint64_t asked_ms;   /* when the sample under way was begun */
	uint64_t heard_ms;   /* when something came from the daemon, or was asked */
	uint64_t next_ms;    /* when the next sample is due, or the next attempt to connect */
	uint64_t message_ms; /* when the message goes */
	uint64_t left;	     /* samples; 0: no limit */
	bool done;
};

static bool busy(const struct top *t)
{
	return t->ask.step != TOP_STEP_NONE;
}

static void keep_message(struct top *t)
{
	t->message_ms = top_now_ms() + MESSAGE_MS;
}

static void drop_message(struct top *t)
{
	t->look.message[0] = '\0';
	t->look.alarm = false;
}

static void take_sample(struct top *t)
{
	bool first = !t->model.has_sample;

	if (top_model_take(&t->model, &t->ask.sample))
		top_look_say(&t->look, true, "out of memory");
	else if (t->message_ms <= top_now_ms())
		drop_message(t);
	top_look_follow(&t->look, &t->model);
	t->next_ms = t->asked_ms + (uint64_t)t->look.delay * 1000;
	if (!first && t->left && !--t->left)
		t->done = true;
}

static void handle(struct top *t, enum top_answer answer)
{
	switch (answer) {
	case TOP_ANSWER_NONE:
		return;
	case TOP_ANSWER_SAMPLE:
		take_sample(t);
		return;
	case TOP_ANSWER_CLOSED:
		top_look_say(&t->look, false, "flow %" PRIu64 " is closed", t->look.closing);
		keep_message(t);
		t->next_ms = 0;
		return;
	case TOP_ANSWER_REFUSED:
		top_look_say(&t->look, true, "%s", t->ask.error);
		keep_message(t);
		t->next_ms = top_now_ms() + (uint64_t)t->look.delay * 1000;
		return;
	case TOP_ANSWER_FAILED:
		top_look_say(&t->look, true, "%s; trying again", t->ask.error);
		t->message_ms = 0; /* stays until there is a sample */
		t->next_ms = top_now_ms() + RETRY_MS;
		return;
	}
}

/* Asks what is due, and says what takes long. */
static void step(struct top *t)
{
	uint64_t now = top_now_ms();

	if (busy(t) && now >= t->heard_ms + TIMEOUT_MS) {
		top_ask_give_up(&t->ask);
		snprintf(t->ask.error, sizeof(t->ask.error), "no answer within %d seconds",
			 CLIENT_TIMEOUT_SECONDS);
		handle(t, TOP_ANSWER_FAILED);
	} else if (busy(t) && now >= t->heard_ms + PATIENCE_MS) {
		top_look_say(&t->look, true, "no answer for %" PRIu64 " s", (now - t->heard_ms) / 1000);
		t->message_ms = 0;
	} else if (!busy(t) && now >= t->next_ms && t->ask.client->fd < 0) {
		t->asked_ms = t->heard_ms = now;
		handle(t, top_ask_connect(&t->ask, t->path));
	} else if (!busy(t) && now >= t->next_ms && !t->look.paused) {
		t->asked_ms = t->heard_ms = now;
		t->ask.ended = t->model.closed;
		handle(t, top_ask_sample(&t->ask));
	}
}

/* Milliseconds until step() has something to do; -1: for ever. */
static int patience(const struct top *t)
{
	uint64_t now = top_now_ms(), due = t->next_ms;

	if (busy(t))
		return TICK_MS;
	if (t->look.paused && t->ask.client->fd >= 0)
		return -1;
	return now < due ? (int)(due - now) : 0;
}

static void close_flow(struct top *t)
{
	if (t->ask.client->fd < 0) {
		top_look_say(&t->look, true, "there is no connection to the daemon");
		return;
	}
	if (!busy(t))
		t->heard_ms = top_now_ms();
	handle(t, top_ask_close_flow(&t->ask, t->look.closing));
}

static void obey(struct top *t, enum top_do what)
{
	switch (what) {
	case TOP_DO_DRAW:
		break;
	case TOP_DO_SAMPLE:
		if (t->ask.client->fd >= 0)
			t->next_ms = 0;
		break;
	case TOP_DO_CLOSE:
		close_flow(t);
		break;
	case TOP_DO_REDRAW:
		top_view_redraw();
		break;
	case TOP_DO_QUIT:
		t->done = true;
		break;
	}
	if (t->look.message[0] && !t->look.alarm)
		keep_message(t);
}

static void read_keys(struct top *t, short events)
{
	int key;

	while (!t->done && (key = top_view_key()) >= 0) {
		if (key) {
			obey(t, top_look_key(&t->look, &t->model, key));
			events &= (short)~POLLHUP;
		}
	}
	if (events & (POLLHUP | POLLERR | POLLNVAL))
		t->done = true; /* the terminal is gone */
}

static void read_signals(struct top *t)
{
	struct signalfd_siginfo info;

	while (read(t->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			top_view_resize();
		else
			t->done = true;
	}
}

static void loop(struct top *t)
{
	while (!t->done) {
		struct pollfd fds[N_FDS] = {
			[FD_KEYS] = { .fd = STDIN_FILENO, .events = POLLIN },
			[FD_SIGNALS] = { .fd = t->signals, .events = POLLIN },
		};

		step(t);
		if (t->message_ms && t->message_ms <= top_now_ms() && !busy(t))
			drop_message(t);
		top_view_draw(&t->model, &t->look);
		fds[FD_DAEMON] = (struct pollfd){ .fd = busy(t) ? t->ask.client->fd : -1, .events = POLLIN };
		if (poll(fds, N_FDS, patience(t)) < 0 && errno != EINTR)
			break;
		if (fds[FD_SIGNALS].revents)
			read_signals(t);
		if (fds[FD_DAEMON].revents) {
			t->heard_ms = top_now_ms();
			handle(t, top_ask_read(&t->ask));
		}
		if (fds[FD_KEYS].revents)
			read_keys(t, fds[FD_KEYS].revents);
	}
}

/* Signals come through a descriptor, so that the terminal is always given back. */
static int take_signals(sigset_t *old)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, old);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int top_live(struct client *client, const struct top_args *args, char error[static CTL_ERROR_MAX])
{
	struct top t = { .model = top_model_of(args),
			 .look = { .delay = top_delay(args) },
			 .ask = { .client = client },
			 .path = client->path,
			 .left = args->rounds };
	sigset_t old;
	int err = 0;

	t.signals = take_signals(&old);
	if (t.signals < 0) {
		snprintf(error, CTL_ERROR_MAX, "no signals: %s", strerror(errno));
		err = -1;
	} else if (!(err = top_view_open(text_wants_colours(stdout), error))) {
		loop(&t);
		top_view_close();
	}
	if (t.signals >= 0)
		close(t.signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	top_sample_free(&t.ask.sample);
	top_model_free(&t.model);
	return err;
}
