/* Where log lines go before and after the start, and that none of the sinks stops us. */
#include "daemon/logging.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/process.h"
#include "lib/suite.h"

static struct conf conf;
static char log_path[] = "/dev/check_logging.log";
static int fd_stderr, fd_read;

/* A /dev of the test's own, for the system log's socket there. */
static const char *prepare(void)
{
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return "no mount namespace can be made";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/dev", "tmpfs", 0, NULL))
		return "/dev cannot be replaced";
	return NULL;
}

/* Catches standard error. */
static void setup(void)
{
	int fds[2];

	conf = (struct conf){ .fd = -1, .log_size = 1 << 20 };
	fd_stderr = dup(STDERR_FILENO);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	fd_read = fds[0];
	fcntl(fd_read, F_SETFL, O_NONBLOCK);
}

static void teardown(void)
{
	logging_close();
	log_set_level(LOG_LEVEL_INFO);
	dup2(fd_stderr, STDERR_FILENO);
	close(fd_stderr);
	close(fd_read);
	unlink(log_path);
}

/* What standard error got since the last call. */
static const char *caught(void)
{
	static char text[65536];
	ssize_t n = read(fd_read, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char *log_content(void)
{
	static char text[65536];
	FILE *f = fopen(log_path, "r");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

START_TEST(failure_is_the_only_line)
{
	setup();
	conf.foreground = true;
	ck_assert_int_eq(logging_open(&conf), 0);
	log_info(DAEMON, "a fact");
	log_warn(HOST, "a warning");
	log_error(FORWARD, "port 80 is taken");
	log_error(DAEMON, "what follows from it");
	ck_assert_str_eq(caught(), "postern: port 80 is taken\n");
	teardown();
}
END_TEST

START_TEST(foreground)
{
	setup();
	conf.foreground = true;
	ck_assert_int_eq(logging_open(&conf), 0);
	log_info(HOST, "a fact");
	log_warn(HOST, "a warning");
	log_debug(HOST, "a detail");
	ck_assert_str_eq(caught(), "");
	logging_started();
	ck_assert_str_eq(caught(), "a fact\nwarning: host: a warning\n");
	log_info(LINK, "guest \033[1mconnected\n");
	log_error(LINK, "broken");
	ck_assert_str_eq(caught(), "guest ?[1mconnected?\nerror: link: broken\n");
	teardown();
}
END_TEST

/* Nothing in a line moves a terminal's cursor or turns its text, whatever encoding it is in. */
START_TEST(nothing_drives_a_terminal)
{
	setup();
	conf.foreground = true;
	ck_assert_int_eq(logging_open(&conf), 0);
	logging_started();
	log_info(DHCP, "C0 \033]0;title\a, DEL \177, C1 \302\2332J, bare \2332J");
	ck_assert_str_eq(caught(), "C0 ?]0;title?, DEL ?, C1 ??2J, bare ?2J\n");
	log_info(DHCP, "turned \342\200\256 text, cut \342\200");
	ck_assert_str_eq(caught(), "turned ??? text, cut ??\n");
	log_info(DHCP, "a name: Gr\303\274\303\237e");
	ck_assert_str_eq(caught(), "a name: Gr\303\274\303\237e\n");
	process_complain("--mtu '%s' is too much", "1\nerror: \033[2J");
	ck_assert_str_eq(caught(), "postern: --mtu '1?error: ?[2J' is too much\n");
	teardown();
}
END_TEST

START_TEST(quiet_and_debug)
{
	setup();
	conf.foreground = conf.quiet = true;
	ck_assert_int_eq(logging_open(&conf), 0);
	log_info(HOST, "a fact");
	log_warn(HOST, "a warning");
	logging_started();
	log_info(HOST, "another");
	ck_assert_str_eq(caught(), "warning: host: a warning\n");
	logging_close();
	conf.quiet = false;
	conf.debug = true;
	ck_assert_int_eq(logging_open(&conf), 0);
	log_debug(HOST, "a detail");
	logging_started();
	ck_assert_str_eq(caught(), "debug: host: a detail\n");
	teardown();
}
END_TEST

START_TEST(log_file)
{
	const char *text;

	setup();
	conf.log_path = log_path;
	ck_assert_int_eq(logging_open(&conf), 0);
	log_info(HOST, "a fact");
	logging_started();
	ck_assert_str_eq(caught(), "a fact\n");
	log_info(LINK, "later");
	ck_assert_str_eq(caught(), "");
	text = log_content();
	ck_assert_ptr_nonnull(strstr(text, "Z info: host: a fact\n"));
	ck_assert_ptr_nonnull(strstr(text, "Z info: link: later\n"));
	teardown();
}
END_TEST

START_TEST(failure_is_in_the_file_too)
{
	setup();
	conf.log_path = log_path;
	ck_assert_int_eq(logging_open(&conf), 0);
	log_error(DAEMON, "no luck");
	ck_assert_str_eq(caught(), "postern: no luck\n");
	ck_assert_ptr_nonnull(strstr(log_content(), "Z error: daemon: no luck\n"));
	teardown();
}
END_TEST

START_TEST(file_that_cannot_be_opened)
{
	setup();
	conf.log_path = "/nowhere/log";
	ck_assert_int_eq(logging_open(&conf), -ENOENT);
	ck_assert_str_eq(
		caught(),
		"postern: cannot open log file '/nowhere/log': No such file or directory\n");
	teardown();
}
END_TEST

/* Nobody reads: lines are lost, and when somebody does they come again. */
START_TEST(full_pipe)
{
	setup();
	conf.foreground = true;
	ck_assert_int_eq(logging_open(&conf), 0);
	logging_started();
	for (int i = 0; i < 100000; i++)
		log_info(LINK, "a line of some length that fills a pipe, number %d", i);
	while (*caught())
		;
	log_info(LINK, "after");
	ck_assert_str_eq(caught(), "after\n");
	teardown();
}
END_TEST

static int system_log(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	unlink(a.sun_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* <30>Jan  1 12:00:00 postern[123]: host: a fact */
START_TEST(to_system_log)
{
	char text[1024] = "", month[4], unit[16], rest[64];
	int fd, priority, day, pid;

	setup();
	fd = system_log();
	ck_assert_int_eq(logging_open(&conf), 0);
	log_info(HOST, "a fact");
	ck_assert_int_eq(recv(fd, text, sizeof(text) - 1, 0), -1);
	logging_started();
	ck_assert_int_gt(recv(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_msg(sscanf(text, "<%d>%3s %d %*d:%*d:%*d postern[%d]: %15[a-z]: %63[^\n]",
			     &priority, month, &day, &pid, unit, rest) == 6,
		      "%s", text);
	ck_assert_int_eq(priority, 3 * 8 + 6); /* RFC 3164 4.1.1: daemon, informational */
	ck_assert_int_eq(pid, getpid());
	ck_assert_str_eq(unit, "host");
	ck_assert_str_eq(rest, "a fact");
	caught();
	log_error(LINK, "broken");
	ck_assert_int_gt(recv(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_int_eq(strncmp(text, "<27>", 4), 0);
	ck_assert_str_eq(caught(), "");
	close(fd);
	teardown();
}
END_TEST

/* One that does not read, one that is started anew, and none. */
START_TEST(system_log_away)
{
	char text[1024];
	int fd;

	setup();
	fd = system_log();
	ck_assert_int_eq(logging_open(&conf), 0);
	logging_started();
	for (int i = 0; i < 10000; i++)
		log_info(LINK, "number %d", i);
	close(fd);
	log_info(LINK, "lost");
	fd = system_log();
	log_info(LINK, "after");
	ck_assert_int_gt(recv(fd, text, sizeof(text), 0), 0);
	close(fd);
	unlink("/dev/log");
	log_info(LINK, "lost");
	ck_assert_str_eq(caught(), "");
	teardown();
}
END_TEST

SUITE_MAIN_AFTER(prepare, "logging", failure_is_the_only_line, foreground, nothing_drives_a_terminal, quiet_and_debug,
		 log_file, failure_is_in_the_file_too, file_that_cannot_be_opened, full_pipe,
		 to_system_log, system_log_away)
