/* base/log.h: one line a message, with a level and a subsystem.
 *
 * Messages go to the sink that the program sets (default: stderr).  What a guest, a
 * network or a control client can cause again and again is logged through a
 * log_limit, so that nobody can flood the log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_unit {
	LOG_UNIT_DAEMON,
	LOG_UNIT_LINK,
	LOG_UNIT_FLOW,
	LOG_UNIT_ARP,
	LOG_UNIT_DHCP,
	LOG_UNIT_DNS,
	LOG_UNIT_UDP,
	LOG_UNIT_ICMP,
	LOG_UNIT_TCP,
	LOG_UNIT_FORWARD,
	LOG_UNIT_HOST,
	LOG_UNIT_CTL,
	N_LOG_UNITS
};

/* Receives a finished line without newline. */
typedef void log_sink(enum log_level level, enum log_unit unit, const char *line);

/* NULL brings back the default. */
void log_set_sink(log_sink *sink);

/* Hears of each error and warning, whatever becomes of it, as the sink does.  NULL ends that. */
typedef void log_observer(void *ctx, enum log_level level, enum log_unit unit, const char *line);
void log_set_observer(log_observer *fn, void *ctx);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
const char *log_unit_name(enum log_unit unit);
const char *log_level_name(enum log_level level);

void log_write(enum log_level level, enum log_unit unit, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(unit, ...) log_write(LOG_LEVEL_ERROR, LOG_UNIT_##unit, __VA_ARGS__)
#define log_warn(unit, ...)  log_write(LOG_LEVEL_WARN, LOG_UNIT_##unit, __VA_ARGS__)
#define log_info(unit, ...)  log_write(LOG_LEVEL_INFO, LOG_UNIT_##unit, __VA_ARGS__)
#define log_debug(unit, ...)                                                                   \
	do {                                                                                   \
		if (log_get_level() >= LOG_LEVEL_DEBUG)                                        \
			log_write(LOG_LEVEL_DEBUG, LOG_UNIT_##unit, __VA_ARGS__);              \
	} while (0)

/* Puts a question mark in the place of all in a line that is not text: control characters, what
 * turns the direction of a line, malformed UTF-8.  Names that a guest, a network or the
 * environment chose may stand in it: nothing drives a terminal or looks like a line of its own.
 * Done by the functions above. */
void log_defuse(char *line);

/* Lets through one message a second; what was held back is counted and told with the next. */
struct log_limit {
	uint64_t next_ns;
	unsigned held;
};

/* As log_write(), limited; `now_ns` is the caller's monotonic clock. */
void log_limited(struct log_limit *limit, uint64_t now_ns, enum log_level level,
		 enum log_unit unit, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#define log_warn_limited(limit, now_ns, unit, ...) \
	log_limited(limit, now_ns, LOG_LEVEL_WARN, LOG_UNIT_##unit, __VA_ARGS__)
#define log_info_limited(limit, now_ns, unit, ...) \
	log_limited(limit, now_ns, LOG_LEVEL_INFO, LOG_UNIT_##unit, __VA_ARGS__)

#endif
