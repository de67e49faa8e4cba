/* daemon/logging.c: the sinks of the log.  None of them is ever waited for. */
#include "daemon/logging.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/program.h"
#include "daemon/log_file.h"

#define LINE_MAX_BYTES 640 /* a message with its level and unit */
#define HELD_MAX       64
#define SYSLOG_PATH    "/dev/log"

struct held {
	enum log_level level;
	enum log_unit unit;
	char line[LINE_MAX_BYTES];
};

static struct log_file file = { .fd = -1 };
static int fd_syslog = -1;
static log_sink *lasting_sink;
static struct held held[HELD_MAX];
static unsigned n_held;
static bool reason_told;

/* Not the C library's syslog(): that waits when the system log does not read. */
static void to_syslog(enum log_level level, enum log_unit unit, const char *line)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = SYSLOG_PATH };
	char text[LINE_MAX_BYTES + 64], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	int len;

	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S",
		 localtime_r(&now, &tm)); /* RFC 3164 4.1.2 */
	len = snprintf(text, sizeof(text), "<%d>%s %s[%d]: %s: %s",
		       LOG_DAEMON | priorities[level], stamp, program_name(), (int)getpid(),
		       log_unit_name(unit), line);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	sendto(fd_syslog, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&a,
	       sizeof(a));
}

static void to_file(enum log_level level, enum log_unit unit, const char *line)
{
	char text[LINE_MAX_BYTES];

	snprintf(text, sizeof(text), "%s: %s: %s", log_level_name(level), log_unit_name(unit),
		 line);
	log_file_write(&file, text);
}

/* A pipe whose other end is not read would stop us: whether it takes a line is asked first. */
static void to_stderr(enum log_level level, enum log_unit unit, const char *line)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	char text[LINE_MAX_BYTES];
	int len;

	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return;
	if (level == LOG_LEVEL_INFO)
		len = snprintf(text, sizeof(text), "%s\n", line);
	else
		len = snprintf(text, sizeof(text), "%s: %s: %s\n", log_level_name(level),
			       log_unit_name(unit), line);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	if (write(STDERR_FILENO, text, (size_t)len) < 0) {
		/* nowhere to tell it */
	}
}

/* The first error is the reason why we do not start; what follows from it is for the file. */
static void while_starting(enum log_level level, enum log_unit unit, const char *line)
{
	if (level == LOG_LEVEL_ERROR) {
		if (!reason_told)
			dprintf(STDERR_FILENO, "%s: %s\n", program_name(), line);
		reason_told = true;
		to_file(level, unit, line);
	} else if (n_held < HELD_MAX) {
		struct held *h = &held[n_held++];

		h->level = level;
		h->unit = unit;
		snprintf(h->line, sizeof(h->line), "%s", line);
	}
}

static log_sink *choose_sink(const struct conf *c)
{
	if (c->log_path)
		return to_file;
	return c->foreground ? to_stderr : to_syslog;
}

void logging_adjust(const struct conf *c)
{
	file.max = c->log_size;
	log_set_level(c->debug ? LOG_LEVEL_DEBUG : c->quiet ? LOG_LEVEL_WARN : LOG_LEVEL_INFO);
}

int logging_open(const struct conf *c)
{
	int rc;

	reason_told = false;
	n_held = 0;
	lasting_sink = choose_sink(c);
	logging_adjust(c);
	log_set_sink(while_starting);
	if (c->log_path) {
		rc = log_file_open(&file, c->log_path, c->log_size);
		if (rc) {
			log_error(DAEMON, "cannot open log file '%s': %s", c->log_path,
				  strerror(-rc));
			return rc;
		}
	} else if (!c->foreground) {
		fd_syslog = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	}
	return 0;
}

void logging_started(void)
{
	for (unsigned i = 0; i < n_held; i++) {
		to_stderr(held[i].level, held[i].unit, held[i].line);
		if (lasting_sink != to_stderr)
			lasting_sink(held[i].level, held[i].unit, held[i].line);
	}
	n_held = 0;
	log_set_sink(lasting_sink);
}

const char *logging_uses_path(void)
{
	return lasting_sink == to_syslog ? SYSLOG_PATH : NULL;
}

void logging_close(void)
{
	log_set_sink(NULL);
	log_file_close(&file);
	if (fd_syslog >= 0)
		close(fd_syslog);
	fd_syslog = -1;
}
