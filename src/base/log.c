/* base/log.c: level, subsystem, sink, rate limit. */
#include "base/log.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/timerq.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES 512

static const char *const unit_names[] = { "daemon", "link", "flow", "arp",	"dhcp", "dns",
					  "udp",    "icmp", "tcp",  "forward", "host", "ctl" };
static_assert(sizeof(unit_names) / sizeof(unit_names[0]) == N_LOG_UNITS, "a name for each unit");

static const char *const level_names[] = { "error", "warning", "info", "debug" };

static void to_stderr(enum log_level level, enum log_unit unit, const char *line)
{
	if (level == LOG_LEVEL_INFO)
		fprintf(stderr, "%s\n", line);
	else
		fprintf(stderr, "%s: %s: %s\n", level_names[level], unit_names[unit], line);
}

static log_sink *current_sink = to_stderr;
static enum log_level current_level = LOG_LEVEL_INFO;
static log_observer *observer;
static void *observer_ctx;

void log_set_sink(log_sink *sink)
{
	current_sink = sink ? sink : to_stderr;
}

void log_set_observer(log_observer *fn, void *ctx)
{
	observer = fn;
	observer_ctx = ctx;
}

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_get_level(void)
{
	return current_level;
}

const char *log_unit_name(enum log_unit unit)
{
	return unit_names[unit];
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

/* What moves a terminal's cursor, or does more: C0, DEL and C1, of which U+009B begins what ESC [
 * does (ECMA-48 5.4), and the marks that turn the direction of text (UAX #9 2). */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void log_defuse(char *line)
{
	size_t left = strlen(line), n;
	uint32_t code;

	for (; left; line += n, left -= n) {
		n = utf8_decode(line, left, &code);
		if (n && !is_control(code))
			continue;
		n = n ? n : 1;
		memset(line, '?', n);
	}
}

void log_write(enum log_level level, enum log_unit unit, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	if (level > current_level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_defuse(line);
	current_sink(level, unit, line);
	if (observer && level <= LOG_LEVEL_WARN)
		observer(observer_ctx, level, unit, line);
}

void log_limited(struct log_limit *limit, uint64_t now_ns, enum log_level level,
		 enum log_unit unit, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;

	if (level > current_level)
		return;
	if (now_ns < limit->next_ns) {
		limit->held++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	limit->next_ns = now_ns + NS_PER_SEC;
	if (limit->held)
		log_write(level, unit, "%s (%u like it before)", line, limit->held);
	else
		log_write(level, unit, "%s", line);
	limit->held = 0;
}
