/* daemon/part_stats.c: tells in the log, now and then, what the counters have gained. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon_priv.h"

#define LINE_MAX_BYTES 400

static void tell(struct env *env, struct stats *told)
{
	char line[LINE_MAX_BYTES] = "";
	size_t len = 0;

	for (unsigned i = 0; i < n_stats_rows; i++) {
		const struct stats_row *row = &stats_rows[i];
		uint64_t gain = stats_value(&env->stats, row) - stats_value(told, row);
		char one[LINE_MAX_BYTES / 4];
		size_t one_len;

		if (!gain)
			continue;
		one_len = (size_t)snprintf(one, sizeof(one), " %s +%" PRIu64, row->name, gain);
		if (len + one_len >= sizeof(line)) {
			log_info(DAEMON, "counters:%s", line);
			len = 0;
		}
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s", one);
	}
	if (len)
		log_info(DAEMON, "counters:%s", line);
	*told = env->stats;
}

static void set_timer(struct daemon *d)
{
	uint64_t deadline_ns = d->env.now_ns + d->conf.stats_s * NS_PER_SEC;

	if (timerq_set(&d->env.timers, &d->stats_timer, deadline_ns))
		log_warn(DAEMON, "no more is told of counters: out of memory");
}

static void fire(struct timer *t, void *ctx)
{
	struct daemon *d = container_of(t, struct daemon, stats_timer);

	tell(&d->env, &d->stats_told);
	set_timer(d);
}

int part_stats_start(struct daemon *d)
{
	d->stats_timer.fire = fire;
	if (d->conf.stats_s)
		set_timer(d);
	return 0;
}

void part_stats_adjust(struct daemon *d)
{
	d->stats_told = d->env.stats;
	timerq_cancel(&d->env.timers, &d->stats_timer);
	if (d->conf.stats_s)
		set_timer(d);
}

void part_stats_stop(struct daemon *d)
{
	timerq_cancel(&d->env.timers, &d->stats_timer);
}
