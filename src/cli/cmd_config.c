/* cli/cmd_config.c: posternctl config, config set, log level, client disconnect. */
#include "cli/command.h"

static const struct column columns[] = {
	{ "OPTION", false },
	{ "VALUE", false },
	{ "", false },
	{ NULL, false },
};

static void show(FILE *out, const void *result)
{
	const struct ctl_config *c = result;
	const struct ctl_option *o = c->options.items;
	struct table t = table_init(columns);

	for (size_t i = 0; i < c->options.n; i++) {
		table_cell(&t, "%s", o[i].name);
		table_cell(&t, "%s", o[i].has & CTL_OPTION_HAS_VALUE ? o[i].value : "on");
		table_cell(&t, "%s%s%s", o[i].initial ? "default" : "",
			   o[i].initial && !o[i].live ? ", " : "", o[i].live ? "" : "fixed");
	}
	table_print(&t, out);
	table_free(&t);
}

const struct command cmd_config = {
	.words = "config",
	.help = "the options that are in effect",
	.method = "query-config",
	.args = &ctl_nothing_message,
	.result = &ctl_config_message,
	.show = show,
};

static const char *const set_places[] = { "option", "values", NULL };

const struct command cmd_config_set = {
	.words = "config set",
	.help = "change an option while the daemon runs",
	.method = "config-set",
	.args = &ctl_config_set_message,
	.result = &ctl_nothing_message,
	.positional = set_places,
};

static const char *const level_places[] = { "level", NULL };

const struct command cmd_log_level = {
	.words = "log level",
	.help = "how much is logged",
	.method = "log-level",
	.args = &ctl_log_level_message,
	.result = &ctl_nothing_message,
	.positional = level_places,
};

const struct command cmd_client_disconnect = {
	.words = "client disconnect",
	.help = "end the guest's link; its client may come again",
	.method = "client-disconnect",
	.args = &ctl_nothing_message,
	.result = &ctl_nothing_message,
};
