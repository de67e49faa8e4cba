/* daemon/daemon.c: starts the parts in order, runs the loop, and stops them the other way
 * round.
 *
 * Everything that can fail does so before the process that called us is let go; and it is let
 * go only when the guest's socket listens and the pid file is written.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl/ctl.h"
#include "daemon_priv.h"
#include "daemon/logging.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/process.h"
#include "link/stream.h"
#include "loop/loop.h"
#include "proto/event.h"

#define REASON_MAX 512

static void on_wakeup(void *ctx, uint64_t now_ns)
{
	struct daemon *d = ctx;

	d->env.now_ns = now_ns;
}

/* Who is faster than the sender of a burst reads it in many small pieces, each of which costs a write
 * to the guest.  While those who wait for the processor have it, the guest among them, a large piece
 * gathers; where nobody does, this returns at once. */
static void let_gather(struct env *env)
{
	if (env->burst)
		sched_yield();
	env->burst = false;
}

static bool on_idle(void *ctx)
{
	struct daemon *d = ctx;
	bool more = demux_run_ready(&d->env);

	ctl_turn(d->ctl);
	more |= stream_link_flush(d->link);
	more |= part_capture_flush(d);
	let_gather(&d->env);
	return more;
}

static void on_end(void *ctx, int signo)
{
	struct daemon *d = ctx;

	log_info(DAEMON, "ending: %s", strsignal(signo));
	loop_stop(d->loop);
}

static int pid_start(struct daemon *d)
{
	const char *path = d->conf.pid_path;
	int rc = 0;

	d->pid_file = PID_FILE_NONE;
	if (path)
		rc = pid_file_open(&d->pid_file, path);
	if (rc)
		log_error(DAEMON, "cannot open pid file '%s': %s", path, strerror(-rc));
	return rc;
}

static void pid_stop(struct daemon *d)
{
	pid_file_remove(&d->pid_file);
}

/* The socket is ours: who had it before has let go of the pid file first, perhaps a moment ago.  We,
 * too, let go of it before others can have the socket. */
static int pid_settle(struct daemon *d)
{
	const char *path = d->conf.pid_path;
	int rc = path ? pid_file_reopen(&d->pid_file, path) : 0;

	if (rc)
		log_error(DAEMON, "cannot open pid file '%s': %s", path, strerror(-rc));
	return rc;
}

static int loop_start(struct daemon *d)
{
	d->loop = loop_new(&d->env.timers, &d->env);
	if (!d->loop) {
		log_error(DAEMON, "the system gives no event loop: %s", strerror(errno));
		return -ENOMEM;
	}
	d->env.conf = &d->conf;
	d->env.sandbox = d->sandbox.layers;
	d->env.now_ns = loop_clock_ns();
	loop_set_wakeup(d->loop, on_wakeup, d);
	loop_on_signal(d->loop, SIGTERM, on_end, d);
	loop_on_signal(d->loop, SIGINT, on_end, d);
	loop_on_signal(d->loop, SIGQUIT, on_end, d);
	if (!process_ignores(SIGHUP)) /* as under nohup(1) */
		loop_on_signal(d->loop, SIGHUP, on_end, d);
	return 0;
}

static void loop_end(struct daemon *d)
{
	loop_free(d->loop);
	timerq_free(&d->env.timers);
}

static int flows_start(struct daemon *d)
{
	int rc = flow_table_init(&d->env.flows, d->conf.limits.flows);

	if (rc)
		log_error(FLOW, "no memory for %u flows", d->conf.limits.flows);
	return rc;
}

static void flows_stop(struct daemon *d)
{
	flow_table_free(&d->env.flows);
}

/* Nobody waits for us because of a manager that cannot be told. */
static int manager_start(struct daemon *d)
{
	int rc = notify_open(&d->fd_manager);

	if (rc)
		log_warn(DAEMON, "the service manager cannot be told: %s", strerror(-rc));
	return 0;
}

static void manager_stop(struct daemon *d)
{
	if (d->fd_manager >= 0)
		close(d->fd_manager);
}

/* The last part: all others run. */
static int ready_start(struct daemon *d)
{
	int rc = d->conf.pid_path ? pid_file_write(&d->pid_file) : 0;

	if (rc) {
		log_error(DAEMON, "cannot write pid file '%s': %s", d->conf.pid_path,
			  strerror(-rc));
		return rc;
	}
	loop_set_idle(d->loop, on_idle, d);
	logging_started();
	if (d->fd_parent >= 0) {
		rc = process_ready(d->fd_parent);
		if (rc) {
			log_error(DAEMON, "the process that started us is gone");
			return rc;
		}
	}
	rc = notify_send(d->fd_manager, "READY=1");
	if (rc)
		log_warn(DAEMON, "the service manager cannot be told: %s", strerror(-rc));
	return 0;
}

/* Guest and hosts learn that the flows end, as far as the link takes it at once. */
static void ready_stop(struct daemon *d)
{
	struct list *pos, *tmp;

	notify_send(d->fd_manager, "STOPPING=1");
	event_tell(&d->env, &(struct event){ .kind = EVENT_SHUTDOWN });
	list_for_each(pos, tmp, &d->env.flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(&d->env, f, FLOW_CLOSED_SHUTDOWN);
	}
	stream_link_flush(d->link);
	part_capture_end(d);
}

static const struct daemon_part parts[] = {
	{ loop_start, loop_end },	  /* first: from here on signals end us in good order */
	{ part_ctl_make, part_ctl_free }, /* early, to hear what goes wrong in the others */
	{ part_link_make,
	  part_link_close }, /* its end tells others that there is no trace of us */
	{ pid_start, pid_stop },
	{ part_capture_start, part_capture_stop },
	{ flows_start, flows_stop },
	{ part_net_start, part_net_stop },
	{ part_services_start, part_services_stop },
	{ part_forwards_start, part_forwards_stop },
	{ part_ctl_start, part_ctl_stop },
	{ part_link_start, part_link_stop },
	{ pid_settle, pid_stop },
	{ manager_start, manager_stop },
	{ part_stats_start, part_stats_stop },
	{ part_sandbox_start, part_sandbox_stop },
	{ ready_start, ready_stop },
};

static int run(struct daemon *d)
{
	const unsigned n_parts = sizeof(parts) / sizeof(parts[0]);
	unsigned started = 0;

	while (started < n_parts && !parts[started].start(d))
		started++;
	if (started == n_parts)
		loop_run(d->loop);
	for (unsigned i = started; i > 0; i--)
		parts[i - 1].stop(d);
	return started == n_parts ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The descriptor of the guest's link goes out of the way of the standard ones. */
static int take_fd(struct conf *c, char *reason, size_t max)
{
	int fd = c->fd < 0 ? c->fd : process_take_fd(c->fd);

	if (fd < 0 && c->fd >= 0) {
		snprintf(reason, max, "--fd '%d': %s", c->fd, strerror(-fd));
		return fd;
	}
	c->fd = fd;
	return 0;
}

/* What we were given open. */
static int take_sockets(struct daemon *d, char *reason, size_t max)
{
	int rc = take_fd(&d->conf, reason, max);

	if (!rc)
		rc = activation_take(&d->activation, reason, max);
	if (!rc && d->conf.fd >= 0 && d->activation.fds[ACTIVATION_GUEST] >= 0) {
		snprintf(reason, max, "--fd and a socket 'guest' from the service manager exclude each "
				      "other");
		rc = -EINVAL;
	}
	return rc;
}

static void close_others(const struct daemon *d)
{
	int keep[N_ACTIVATION_SOCKETS + 1] = { d->conf.fd };

	memcpy(keep + 1, d->activation.fds, sizeof(d->activation.fds));
	process_close_others(keep, N_ACTIVATION_SOCKETS + 1);
}

/* Leaves the caller's surroundings, and the caller itself; 0 or -errno after a message. */
static int settle(struct daemon *d)
{
	int rc = 0;

	close_others(d);
	process_raise_file_limit();
	process_reset_signals();
	d->fd_parent = -1;
	if (!d->conf.foreground) {
		rc = process_fork();
		if (rc < 0) {
			process_complain("cannot fork: %s", strerror(-rc));
			return rc;
		}
		d->fd_parent = rc;
	}
	rc = logging_open(&d->conf);
	if (!rc && d->conf.wants_stderr)
		log_warn(DAEMON, "--stderr has no effect: with --foreground, that is where the log goes");
	return rc;
}

int daemon_main(int argc, char **argv)
{
	static struct daemon d;
	char reason[REASON_MAX];
	int outcome, status = EXIT_FAILURE;

	if (process_fill_stdio())
		return EXIT_FAILURE;
	outcome = options_parse(&d.settings, &d.conf, argc, argv, reason, sizeof(reason));
	if (outcome == OPTIONS_RUN && take_sockets(&d, reason, sizeof(reason)))
		outcome = -EBADF;
	switch (outcome) {
	case OPTIONS_HELP:
		options_print_help(stdout);
		status = EXIT_SUCCESS;
		break;
	case OPTIONS_VERSION:
		options_print_version(stdout);
		status = EXIT_SUCCESS;
		break;
	case OPTIONS_RUN:
		activation_show(&d.activation, argc, argv);
		if (!settle(&d))
			status = run(&d);
		logging_close();
		break;
	case OPTIONS_USAGE: /* people's mistake, not a program's: a second line helps */
		process_complain("%s", reason);
		options_print_hint(stderr);
		break;
	default:
		process_complain("%s", reason);
	}
	conf_free(&d.conf);
	settings_free(&d.settings);
	return status;
}
