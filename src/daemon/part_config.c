/* daemon/part_config.c: what control clients see and change of the options, while all runs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl/ctl_method.h"
#include "daemon/logging.h"
#include "daemon/netconf.h"
#include "daemon/options.h"
#include "daemon_priv.h"
#include "link/stream.h"
#include "loop/loop.h"
#include "proto/dns.h"
#include "proto/event.h"

static void quit(void *ctx)
{
	struct daemon *d = ctx;

	loop_stop(d->loop);
}

static bool disconnect(void *ctx)
{
	struct daemon *d = ctx;

	return stream_link_disconnect(d->link);
}

static bool is_given(const struct daemon *d, const struct option_row *row)
{
	for (unsigned i = 0; i < d->settings.n; i++)
		if (d->settings.all[i].row == row)
			return true;
	return false;
}

static bool option_at(const void *ctx, unsigned i, struct ctl_option *o)
{
	const struct daemon *d = ctx;
	const struct setting *s = i < d->settings.n ? &d->settings.all[i] : NULL;
	const struct option_row *row = s ? s->row : NULL;
	const char *value = s ? s->value : NULL;

	i -= d->settings.n;
	for (unsigned k = 0; !row && k < n_option_rows; k++)
		if (option_rows[k].initial && !is_given(d, &option_rows[k]) && !i--)
			row = &option_rows[k];
	if (!row)
		return false;
	if (!s)
		value = row->initial;
	*o = (struct ctl_option){ .has = value ? CTL_OPTION_HAS_VALUE : 0,
				  .name = row->name,
				  .value = value,
				  .initial = !s,
				  .live = row->live };
	return true;
}

static int refuse(char *error, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char *error, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, CTL_ERROR_MAX, fmt, ap);
	va_end(ap);
	return err;
}

/* An option without a value is on or off: a single NULL, or nothing. */
static int read_switch(const struct option_row *row, const char *const **values, size_t *n,
		       char *error)
{
	static const char *const on[] = { NULL };

	if (*n && (*n > 1 || (strcmp(**values, "on") != 0 && strcmp(**values, "off") != 0)))
		return refuse(error, -EINVAL, "--%s is on or off", row->name);
	if (*n && !strcmp(**values, "off"))
		*n = 0;
	*values = on;
	return 0;
}

/* What goes together as options may still not do so while we run. */
static int check_running(const struct daemon *d, const struct conf *c, char *error)
{
	if (d->net.ip6.on && !netconf_mtu_has_ip6(c))
		return refuse(error, -EINVAL, "--mtu '%u' is too small for the guest's IPv6", c->mtu);
	return 0;
}

/* Shorter times count for flows that are there, too: each looks at its deadline anew. */
static void look_at_deadlines(struct env *env)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &env->flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		if (timer_armed(&f->timer))
			timerq_set_earlier(&env->timers, &f->timer, env->now_ns);
	}
}

static bool is_other_rate(const struct conf *a, const struct conf *b)
{
	return memcmp(&a->rate_in, &b->rate_in, sizeof(a->rate_in)) != 0 ||
	       memcmp(&a->rate_out, &b->rate_out, sizeof(a->rate_out)) != 0 ||
	       a->limits.new_flows != b->limits.new_flows;
}

/* Puts d->conf into effect, which was `old`. */
static void put_into_effect(struct daemon *d, const struct conf *old)
{
	struct env *env = &d->env;

	logging_set_level(&d->conf);
	env->flows.max = d->conf.limits.flows;
	if (memcmp(&old->timeouts, &d->conf.timeouts, sizeof(old->timeouts)) != 0)
		look_at_deadlines(env);
	if (is_other_rate(old, &d->conf))
		env_set_rates(env);
	if (netconf_reconfigure(&d->conf, &d->host, &d->resolvers.last, &d->net))
		demux_network_changed(env);
}

static void tell(struct daemon *d, const struct option_row *row, const char *const *values,
		 size_t n)
{
	struct event_config config = { row->name, values, n };

	log_info(CTL, "--%s%s%s%s", row->name, n && values[0] ? " is now " : n ? " is on" : " is as by default",
		 n && values[0] ? values[0] : "", n > 1 ? " and more" : "");
	event_tell(&d->env, &(struct event){ .kind = EVENT_CONFIG_CHANGED, .config = &config });
}

/* Takes over a configuration that was checked. */
static int commit(struct daemon *d, struct conf *next, char *error)
{
	struct conf old = d->conf;

	next->fd = old.fd; /* which went out of the way of the standard ones */
	if (dns_configure(&d->env, next))
		return refuse(error, -ENOMEM, "out of memory");
	d->conf = *next;
	put_into_effect(d, &old);
	*next = old;
	return 0;
}

static int option_set(void *ctx, const char *option, const char *const *values, size_t n,
		      char error[static CTL_ERROR_MAX])
{
	const struct option_row *row = options_find(option);
	struct daemon *d = ctx;
	struct settings next;
	static struct conf conf;
	int rc;

	if (!row)
		return refuse(error, -ENOENT, "there is no option '%.60s'", option);
	if (!row->live)
		return refuse(error, -EBUSY, "--%s cannot be changed while postern runs: %s", row->name,
			      row->fixed ? row->fixed : "it takes effect at the start");
	if (!row->argument && read_switch(row, &values, &n, error))
		return -EINVAL;
	if (settings_have(&d->settings, row, values, n))
		return 0;
	if (settings_change(&next, &d->settings, row, values, n))
		return refuse(error, -ENOMEM, "out of memory");
	rc = options_apply(&next, &conf, error, CTL_ERROR_MAX);
	if (!rc)
		rc = check_running(d, &conf, error);
	if (!rc)
		rc = commit(d, &conf, error);
	if (!rc) {
		struct settings old = d->settings;

		d->settings = next;
		next = old;
		tell(d, row, values, n);
	}
	settings_drop(&next, row);
	conf_free(&conf);
	return rc;
}

const struct ctl_daemon_ops daemon_ops = { quit, option_at, option_set, disconnect };
