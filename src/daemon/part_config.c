/* daemon/part_config.c: what control clients see and change of the options, while all runs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl/ctl_method.h"
#include "daemon/options.h"
#include "daemon_priv.h"
#include "link/stream.h"
#include "loop/loop.h"
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

/* The kernel says it as the folder's size, since Linux 6.2. */
static uint64_t open_files(const void *ctx)
{
	const struct daemon *d = ctx;
	struct stat st;

	return d->fds.fd_dir < 0 || fstat(d->fds.fd_dir, &st) ? 0 : (uint64_t)st.st_size;
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

static bool is_switch(const char *const *values, size_t n)
{
	return n == 1 && (!strcmp(*values, "on") || !strcmp(*values, "off"));
}

/* An option without a value is on or off: a single NULL, or nothing.  So can one be whose value
 * may be left out. */
static int read_switch(const struct option_row *row, const char *const **values, size_t *n,
		       char *error)
{
	static const char *const on[] = { NULL };

	if (*n && !is_switch(*values, *n))
		return row->argument ? 0
				     : refuse(error, -EINVAL, "--%s is on or off", row->name);
	if (*n && !strcmp(**values, "off"))
		*n = 0;
	*values = on;
	return 0;
}

static void tell(struct daemon *d, const struct option_row *row, const char *const *values,
		 size_t n)
{
	struct event_config config = { row->name, values, n };

	log_info(CTL, "--%s%s%s%s", row->name, n && values[0] ? " is now " : n ? " is on" : " is as by default",
		 n && values[0] ? values[0] : "", n > 1 ? " and more" : "");
	event_tell(&d->env, &(struct event){ .kind = EVENT_CONFIG_CHANGED, .config = &config });
}

static int option_set(void *ctx, const char *option, const char *const *values, size_t n,
		      char error[static CTL_ERROR_MAX])
{
	const struct option_row *row = options_find(option);
	const unsigned most = row && row->most ? row->most : 1;
	struct daemon *d = ctx;
	struct settings next;
	static struct conf conf;
	int rc;

	if (!row)
		return refuse(error, -ENOENT, "there is no option '%.60s'", option);
	if (!row->live)
		return refuse(error, -EBUSY, "--%s cannot be changed while postern runs: %s", row->name,
			      row->fixed ? row->fixed : "it takes effect at the start");
	if ((!row->argument || *row->argument == '[') && read_switch(row, &values, &n, error))
		return -EINVAL;
	if (n > most)
		return refuse(error, -E2BIG, "--%s: %zu values are too many, it takes %u",
			      row->name, n, most);
	if (settings_have(&d->settings, row, values, n))
		return 0;
	if (settings_change(&next, &d->settings, row, values, n))
		return refuse(error, -ENOMEM, "out of memory");
	rc = options_apply(&next, &conf, error, CTL_ERROR_MAX);
	if (!rc)
		rc = daemon_reconfigure(d, &conf, error, CTL_ERROR_MAX);
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

const struct ctl_daemon_ops daemon_ops = { quit, option_at, option_set, open_files,
					   disconnect };
