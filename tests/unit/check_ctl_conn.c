/* Control clients on real sockets: how many, how slow, how gone. */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fake_guest.h"
#include "lib/suite.h"
#include "link/stream.h"
#include "proto/event.h"

#define DEADLINE_NS (20 * NS_PER_SEC)
#define NOBODY	    65534
#define CLIENTS_MAX 4

static struct fake_guest g;
static struct loop *loop;
static struct ctl *ctl;
static char folder[] = "/tmp/check_ctl_XXXXXX", path[64];

/* The other end of a connection, served by the same loop. */
struct client {
	struct watch watch;
	char text[1 << 20];
	size_t len;
	bool eof;
};

static void too_late(struct timer *t, void *ctx)
{
	ck_abort_msg("what was waited for did not happen");
}

static struct timer deadline = { .fire = too_late };

static unsigned n_wakeups;
static uint64_t ahead_ns; /* of the real clock, which deadlines that are set from now on follow */

static void wakeup(void *ctx, uint64_t now_ns)
{
	n_wakeups++;
	g.env.now_ns = now_ns + ahead_ns;
}

static void quit(void *ctx)
{
	loop_stop(loop);
}

static const struct ctl_daemon_ops ops = { .quit = quit };

static void start(void)
{
	int fd;

	fake_guest_init(&g);
	ahead_ns = 0;
	g.env.now_ns = loop_clock_ns();
	g.conf.limits.control_clients = CLIENTS_MAX;
	loop = loop_new(&g.env.timers, &g.env);
	loop_set_wakeup(loop, wakeup, NULL);
	ctl = ctl_new(&g.env, loop, &ops, NULL);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/control", folder);
	fd = unix_listen_private(path, 64);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ctl_listen(ctl, fd, &ctl_dialect_qmp, CTL_MAY_CHANGE), 0);
	timerq_set(&g.env.timers, &deadline, g.env.now_ns + DEADLINE_NS);
}

static void stop(void)
{
	timerq_cancel(&g.env.timers, &deadline);
	ctl_free(ctl);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	loop_free(loop);
	fake_guest_free(&g);
	unlink(path);
	rmdir(folder);
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
}

static void client_event(struct watch *w, unsigned events)
{
	struct client *c = (struct client *)w;
	ssize_t n;

	ck_assert_uint_lt(c->len, sizeof(c->text) - 1);
	n = recv(w->fd, c->text + c->len, sizeof(c->text) - 1 - c->len, MSG_DONTWAIT);
	if (n > 0)
		c->len += (size_t)n;
	else if (!n || errno != EAGAIN)
		c->eof = true;
	loop_stop(loop);
}

static int connect_to(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(un.sun_path, path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static struct client *client_new(void)
{
	struct client *c = calloc(1, sizeof(*c));

	watch_init(&c->watch, loop, connect_to(), client_event);
	return c;
}

static void client_close(struct client *c)
{
	watch_stop(&c->watch);
	close(c->watch.fd);
	free(c);
}

/* Runs the loop until `part` has come, or the connection has ended. */
static void client_wait(struct client *c, const char *part)
{
	while (!c->eof && !strstr(c->text, part)) {
		watch_set(&c->watch, LOOP_READ);
		loop_run(loop);
	}
	watch_stop(&c->watch);
	ck_assert_msg(!*part || strstr(c->text, part), "'%s' is not in '%s'", part, c->text);
}

static void client_wait_eof(struct client *c)
{
	while (!c->eof) {
		watch_set(&c->watch, LOOP_READ);
		loop_run(loop);
	}
	watch_stop(&c->watch);
}

static void client_say(struct client *c, const char *text)
{
	c->len = 0;
	memset(c->text, 0, sizeof(c->text));
	ck_assert_int_eq(send(c->watch.fd, text, strlen(text), MSG_NOSIGNAL),
			 (ssize_t)strlen(text));
}

/* A client behind the negotiation. */
static struct client *client_ready(void)
{
	struct client *c = client_new();

	client_wait(c, "\"capabilities\":[]}}\r\n");
	client_say(c, "{\"execute\": \"qmp_capabilities\"}");
	client_wait(c, "{\"return\": {}}\r\n");
	return c;
}

/* Runs the loop until the service counts `n` clients, the one that asks included. */
static void wait_clients(struct client *c, unsigned n)
{
	char want[64];

	snprintf(want, sizeof(want), "\"control\":{\"clients\":%u,", n);
	do {
		client_say(c, "{\"execute\": \"query-status\"}");
		client_wait(c, "}}\r\n");
	} while (!strstr(c->text, want));
}

START_TEST(socket_is_private)
{
	struct stat st;

	start();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	client_close(client_ready());
	stop();
}
END_TEST

START_TEST(number_of_clients_is_bounded)
{
	struct client *clients[CLIENTS_MAX], *more;

	start();
	for (int i = 0; i < CLIENTS_MAX; i++)
		clients[i] = client_ready();
	more = client_new();
	client_wait_eof(more);
	ck_assert_ptr_nonnull(strstr(more->text, "there are too many control clients"));
	client_close(more);
	client_wait(clients[0], "{\"limit\":\"control-clients\",\"count\":1}");
	/* the others go on, and who leaves makes room */
	client_close(clients[1]);
	wait_clients(clients[0], CLIENTS_MAX - 1);
	clients[1] = client_ready();
	for (int i = 0; i < CLIENTS_MAX; i++)
		client_close(clients[i]);
	stop();
}
END_TEST

/* A client that asks without reading: it stops being read, others are served, and it is cut off
 * when nothing has moved for too long. */
START_TEST(client_that_does_not_read)
{
	static const char request[] = "{\"execute\": \"query-stats\"}";
	struct client *slow, *other;
	size_t sent = 0;
	ssize_t n;

	start();
	slow = client_ready();
	other = client_ready();
	for (;;) {
		n = send(slow->watch.fd, request, strlen(request), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			sent += (size_t)n;
		else if (errno != EAGAIN)
			ck_abort_msg("send: %s", strerror(errno));
		wait_clients(other, 2);
		if (n < 0)
			break;
		ck_assert_uint_lt(sent, 4 << 20);
	}
	ck_assert_int_eq(timerq_run(&g.env.timers, g.env.now_ns + DEADLINE_NS / 2, 10, &g.env),
			 0);
	timerq_cancel(&g.env.timers, &deadline);
	ck_assert_int_eq(timerq_run(&g.env.timers, g.env.now_ns + 31 * NS_PER_SEC, 10, &g.env),
			 1);
	timerq_set(&g.env.timers, &deadline, g.env.now_ns + DEADLINE_NS);
	wait_clients(other, 1);
	client_wait_eof(slow);
	client_close(slow);
	client_close(other);
	stop();
}
END_TEST

/* The time that a client has for an answer counts anew when it takes some, and ends with the answer. */
START_TEST(client_that_takes_its_time)
{
	static const char schema[] = "{\"execute\": \"query-schema\", \"id\": 1}";
	struct client *slow, *other;
	uint64_t begin_ns;
	char some[65536], requests[8 * sizeof(schema)] = "";

	start();
	slow = client_ready();
	other = client_ready();
	timerq_cancel(&g.env.timers, &deadline);
	client_say(slow, schema);
	client_wait(slow, "], \"id\": 1}\r\n");
	wait_clients(other, 2);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);

	for (int i = 0; i < 8; i++)
		strcat(requests, schema);
	client_say(slow, requests);
	begin_ns = g.env.now_ns;
	for (int i = 0; i < 500; i++) /* until the kernel takes no more for it */
		wait_clients(other, 2);
	ahead_ns = 20 * NS_PER_SEC;
	ck_assert_int_gt(recv(slow->watch.fd, some, sizeof(some), MSG_DONTWAIT), 0);
	for (int i = 0; i < 10; i++)
		wait_clients(other, 2);
	ck_assert_int_eq(timerq_run(&g.env.timers, begin_ns + 45 * NS_PER_SEC, 10, &g.env), 0);
	ck_assert_int_eq(timerq_run(&g.env.timers, begin_ns + 60 * NS_PER_SEC, 10, &g.env), 1);
	wait_clients(other, 1);
	timerq_set(&g.env.timers, &deadline, g.env.now_ns + DEADLINE_NS);
	client_close(slow);
	client_close(other);
	stop();
}
END_TEST

/* A slow reader gets all of it, in order. */
START_TEST(client_that_reads_late)
{
	enum { N = 40 };
	static char requests[N * 64];
	struct client *c;

	start();
	c = client_ready();
	for (int i = 0; i < N; i++)
		sprintf(requests + strlen(requests),
			"{\"execute\": \"query-stats\", \"id\": %d}", i);
	client_say(c, requests);
	client_wait(c, "\"id\": 39}\r\n");
	for (int i = 0, at = 0; i < N; i++) {
		char want[16];
		const char *p;

		snprintf(want, sizeof(want), "], \"id\": %d}", i);
		p = strstr(c->text + at, want);
		ck_assert_ptr_nonnull(p);
		at = (int)(p - c->text);
	}
	client_close(c);
	stop();
}
END_TEST

START_TEST(half_closed_client_gets_its_reply)
{
	struct client *c;

	start();
	c = client_ready();
	client_say(c, "{\"execute\": \"query-version\"}{\"execute\": \"query-");
	shutdown(c->watch.fd, SHUT_WR);
	client_wait_eof(c);
	ck_assert_ptr_nonnull(strstr(c->text, "\"package\""));
	client_close(c);
	/* also what takes many turns */
	c = client_ready();
	client_say(c, "{\"execute\": \"query-stats\"}{\"execute\": \"query-schema\", \"id\": 2}");
	shutdown(c->watch.fd, SHUT_WR);
	client_wait_eof(c);
	ck_assert_ptr_nonnull(strstr(c->text, "], \"id\": 2}\r\n"));
	client_close(c);
	stop();
}
END_TEST

START_TEST(clients_that_vanish)
{
	static const char *const last_words[] = { "", "{", "{\"execute\": \"query-stats\"}",
						  "\xff", "x" };
	struct client *other, *c;

	start();
	other = client_ready();
	for (int i = 0; i < 50; i++) {
		c = client_new();
		client_say(c, last_words[i % 5]);
		client_close(c);
	}
	wait_clients(other, 1);
	client_close(other);
	stop();
}
END_TEST

START_TEST(too_large_a_request_ends_the_client)
{
	static char text[CTL_REQUEST_MAX + 2];
	struct client *c;

	start();
	memset(text, ' ', sizeof(text) - 1);
	text[0] = '{';
	c = client_ready();
	client_say(c, text);
	client_wait_eof(c);
	ck_assert_ptr_nonnull(strstr(c->text, "the request is too large"));
	client_close(c);
	stop();
}
END_TEST

/* Without descriptors, accepting rests until there are some, and nothing spins meanwhile. */
START_TEST(no_descriptors)
{
	struct rlimit limit, none;
	struct client *c, *more, *last;
	int spare[8];

	start();
	c = client_ready();
	more = client_new();
	last = client_new();
	for (int i = 0; i < 8; i++)
		spare[i] = dup(0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)spare[0];
	for (int i = 0; i < 8; i++)
		close(spare[i]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	wait_clients(c, 1);
	ck_assert_uint_gt(g.env.limits_reached[LIMIT_OPEN_FILES], 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	n_wakeups = 0;
	client_wait(more, "\"QMP\""); /* tried again after a while */
	ck_assert_uint_lt(n_wakeups, 20);

	client_close(last);
	client_close(more);
	client_close(c);
	stop();
}
END_TEST

/* Who leaves hands on its descriptor at once, rather than when accepting is tried again. */
START_TEST(descriptor_of_who_left)
{
	struct client *c, *other, *more;
	struct rlimit limit, none;
	int lowest;

	start();
	c = client_ready();
	other = client_ready();
	more = client_new();
	lowest = dup(0);
	close(lowest);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)lowest;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ahead_ns = 2 * DEADLINE_NS; /* it would be tried again when this test has failed */
	for (unsigned n = 0; n < 3 || !g.env.limits_reached[LIMIT_OPEN_FILES]; n++)
		wait_clients(other, 2);
	client_close(c);
	client_wait(more, "\"QMP\"");
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	client_close(more);
	client_close(other);
	stop();
}
END_TEST

/* Whoever is neither root nor us is told so; by the file's mode it does not get that far. */
START_TEST(other_users_are_refused)
{
	struct client *c;
	pid_t child;
	int status;

	if (geteuid()) {
		puts("other_users_are_refused: skipped, needs root");
		return;
	}
	start();
	ck_assert_int_eq(chmod(folder, 0755) | chmod(path, 0666), 0);
	child = fork();
	if (!child) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		int fd = connect_to();
		char text[1024];
		ssize_t len = 0, n;

		while ((n = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
			len += n;
		text[len] = '\0';
		_exit(strstr(text, "only root and the daemon's own user") ? 0 : 2);
	}
	c = client_ready();
	while (!waitpid(child, &status, WNOHANG))
		wait_clients(c, 1);
	ck_assert_int_eq(status, 0);
	client_close(c);
	stop();
}
END_TEST

START_TEST(quit_answers_first)
{
	struct client *c, *other;

	start();
	other = client_ready();
	c = client_ready();
	client_say(c, "{\"execute\": \"quit\"}");
	loop_run(loop);
	event_tell(&g.env, &(struct event){ .kind = EVENT_SHUTDOWN });
	ctl_free(ctl);
	ctl = NULL;
	client_wait_eof(c);
	ck_assert_ptr_eq(strstr(c->text, "{\"return\": {}}\r\n"), c->text);
	client_wait_eof(other);
	ck_assert_ptr_nonnull(strstr(other->text, "\"event\": \"SHUTDOWN\""));
	client_close(other);
	client_close(c);
	stop();
}
END_TEST

/* A second socket whose clients may look and no more. */
START_TEST(socket_for_looking)
{
	struct client *c;
	int fd;

	start();
	unlink(path);
	fd = unix_listen_private(path, 64);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ctl_listen(ctl, fd, &ctl_dialect_qmp, CTL_MAY_LOOK), 0);
	c = client_ready();
	client_say(c, "{\"execute\": \"quit\"}");
	client_wait(c, "'quit' changes something; this socket may only look");
	wait_clients(c, 1);
	client_close(c);
	stop();
}
END_TEST

/* Another socket beside, to which clients connect from now on. */
static void listen_beside(const char *name, const struct ctl_dialect *dialect,
			  enum ctl_authority authority)
{
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = unix_listen_private(path, 64);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ctl_listen(ctl, fd, dialect, authority), 0);
}

static void refused_beside(const char *name)
{
	struct client *c;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	c = client_new();
	client_wait_eof(c);
	ck_assert_ptr_nonnull(strstr(c->text, "there are too many control clients"));
	client_close(c);
}

/* Clients of the other sockets, all together, leave a quarter of the places to those of the
 * control socket, which may take those of the others too. */
START_TEST(places_kept_for_control)
{
	struct client *half, *look[2], *control[3];

	start();
	listen_beside("api", &ctl_dialect_slirp, CTL_MAY_CHANGE);
	half = client_new();
	client_say(half, "{");
	listen_beside("status", &ctl_dialect_qmp, CTL_MAY_LOOK);
	look[0] = client_ready();
	look[1] = client_ready();
	wait_clients(look[0], 3);
	refused_beside("status");
	refused_beside("api");
	snprintf(path, sizeof(path), "%s/control", folder);
	control[0] = client_ready();
	refused_beside("control");
	client_close(half);
	wait_clients(look[0], 3);
	snprintf(path, sizeof(path), "%s/status", folder);
	half = client_ready();
	client_close(half);
	client_close(look[1]);
	wait_clients(look[0], 2);
	snprintf(path, sizeof(path), "%s/control", folder);
	control[1] = client_ready();
	control[2] = client_ready();
	refused_beside("status");

	client_close(look[0]);
	for (int i = 0; i < 3; i++)
		client_close(control[i]);
	unlink(path);
	snprintf(path, sizeof(path), "%s/api", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/status", folder);
	stop();
}
END_TEST

/* A third one, whose dialect has one request and one answer a connection: it ends with that, and one
 * that brings no request to its end lives on beside the others. */
START_TEST(socket_of_slirp_dialect)
{
	static const char request[] = "{\"execute\": \"list_hostfwd\"}";
	struct client *half, *c;
	int fd;

	start();
	unlink(path);
	fd = unix_listen_private(path, 64);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ctl_listen(ctl, fd, &ctl_dialect_slirp, CTL_MAY_CHANGE), 0);
	half = client_new();
	client_say(half, "{\"execute\":");
	for (int i = 0; i < 2 * CLIENTS_MAX; i++) {
		c = client_new();
		client_say(c, request);
		client_wait_eof(c);
		ck_assert_str_eq(c->text, "{\"return\":{\"entries\":[]},\"entries\":[]}");
		client_close(c);
	}
	ck_assert_uint_eq(half->len, 0);
	shutdown(half->watch.fd, SHUT_WR);
	client_wait_eof(half);
	ck_assert_str_eq(half->text, "{\"error\":{\"desc\":\"bad request: cannot parse JSON\"}}");
	client_close(half);
	stop();
}
END_TEST

SUITE_MAIN("ctl_conn", socket_is_private, number_of_clients_is_bounded,
	   client_that_does_not_read, client_that_takes_its_time, client_that_reads_late,
	   half_closed_client_gets_its_reply, clients_that_vanish,
	   too_large_a_request_ends_the_client, no_descriptors, descriptor_of_who_left,
	   other_users_are_refused, quit_answers_first, socket_for_looking,
	   places_kept_for_control, socket_of_slirp_dialect)
