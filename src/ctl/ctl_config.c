/* ctl/ctl_config.c: query-config, config-set, log-level, client-disconnect. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl_method.h"
#include "proto/forward.h"

#define FLAG_MAX 64 /* an option's name between "--" and "=" */

/* What is being listed; of the room there is. */
struct listing {
	struct ctl_doc *doc;
	struct ctl_option *options;
	const char **flags;
	size_t n_options, n_flags;
	bool failed;
};

static void *take(struct listing *l, size_t size)
{
	void *p = ctl_doc_alloc(l->doc, size);

	l->failed |= !p;
	return p;
}

/* "--option=value", as the daemon would be started with. */
static void add_flag(struct listing *l, const struct ctl_option *o)
{
	size_t max = FLAG_MAX + (o->has & CTL_OPTION_HAS_VALUE ? strlen(o->value) : 0);
	char *flag = take(l, max);

	if (!flag)
		return;
	if (o->has & CTL_OPTION_HAS_VALUE)
		snprintf(flag, max, "--%s=%s", o->name, o->value);
	else
		snprintf(flag, max, "--%s", o->name);
	l->flags[l->n_flags++] = flag;
}

static void add(struct listing *l, const struct ctl_option *o)
{
	l->options[l->n_options++] = *o;
	if (!o->initial)
		add_flag(l, o);
}

/* What the command line says of forwards is what there was at first. */
static bool is_forwards(const struct ctl_option *o)
{
	return !strcmp(o->name, "tcp-ports") || !strcmp(o->name, "udp-ports");
}

static void add_forward(struct listing *l, const struct forward *f)
{
	char *spec = take(l, FORWARD_STR_MAX);

	if (!spec)
		return;
	add(l, &(struct ctl_option){
		       .has = CTL_OPTION_HAS_VALUE,
		       .name = f->rule.proto == FLOW_TCP ? "tcp-ports" : "udp-ports",
		       .value = forward_rule_print_spec(&f->rule, spec),
	       });
}

int ctl_config_query(struct ctl_call *call, const struct env *env, void *result)
{
	struct ctl_config *c = result;
	const struct ctl_info *info = call->info;
	struct listing l = { .doc = call->doc };
	const struct forward *f = NULL;
	struct ctl_option o;
	unsigned n = 0;

	if (!info->ops->option_at)
		return ctl_fail(call, -ENOTSUP, "there are no options here");
	while (info->ops->option_at(info->daemon, n, &o))
		n++;
	l.options = take(&l, (n + FORWARD_RULES_MAX) * sizeof(*l.options));
	l.flags = take(&l, (n + FORWARD_RULES_MAX) * sizeof(*l.flags));
	for (unsigned i = 0; !l.failed && i < n && info->ops->option_at(info->daemon, i, &o); i++)
		if (!is_forwards(&o))
			add(&l, &o);
	while (!l.failed && env->forwards && (f = forwards_next(env->forwards, f ? f->id : 0)))
		add_forward(&l, f);
	if (l.failed)
		return ctl_fail(call, -ENOMEM, "no memory");
	c->options = (struct ctl_list){ l.options, l.n_options };
	c->flags = (struct ctl_list){ l.flags, l.n_flags };
	return CTL_DONE;
}

static int set(struct ctl_call *call, const struct ctl_target *target, const char *option,
	       const char *const *values, size_t n)
{
	if (!target->ops->option_set)
		return ctl_fail(call, -ENOTSUP, "there are no options here");
	return target->ops->option_set(target->daemon, option, values, n, call->error);
}

int ctl_config_set(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_config_set *args = call->args;
	int rc = set(call, target, args->option, args->values.items, args->values.n);

	return rc < 0 ? rc : CTL_DONE;
}

/* Each of the two options undoes the other. */
int ctl_config_log_level(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	static const char *const names[] = { "quiet", NULL, "debug" }; /* of the levels' options */
	const struct ctl_log_level *args = call->args;
	const char *on = "on", *off = "off", *name = names[args->level];
	int rc = set(call, target, "quiet", &off, 1);

	if (rc >= 0)
		rc = set(call, target, "debug", &off, 1);
	if (rc >= 0 && name)
		rc = set(call, target, name, &on, 1);
	return rc < 0 ? rc : CTL_DONE;
}

int ctl_client_disconnect(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	if (!target->ops->disconnect)
		return ctl_fail(call, -ENOTSUP, "there is no link here");
	if (!target->ops->disconnect(target->daemon))
		return ctl_fail(call, -ENOTCONN, "no client is connected");
	return CTL_DONE;
}
