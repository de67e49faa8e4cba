/* proto/forward.c: the table of port forwards: opening, closing, conflicts. */
#include "proto/forward.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "forward_priv.h"
#include "proto/event.h"

/* What the kernel needs for an idle socket, in bytes; measured on Linux 6.18. */
#define TCP_SOCKET_COST	  4100
#define UDP_SOCKET_COST	  2800
#define COST_WORTH_SAYING (16u << 20)

struct forwards *forwards_new(struct env *env, const struct forward_host_ops *ops, void *host,
			      const struct forward_ports *ports)
{
	struct forwards *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	*fs = (struct forwards){ .env = env,
				 .ops = ops,
				 .host = host,
				 .ports = *ports,
				 .next_id = 1,
				 .start_ns = env->now_ns };
	list_init(&fs->rules);
	list_init(&fs->opening);
	list_init(&fs->closing);
	return fs;
}

static void free_rule(struct forward *f)
{
	list_remove(&f->link);
	free(f->sockets);
	free(f);
}

void forward_retire(struct forwards *fs, struct forward *f)
{
	list_remove(&f->link);
	list_append(&fs->closing, &f->link);
	fs->n_rules--;
	f->next = 0;
}

void forwards_close_next(struct forwards *fs)
{
	struct forward *f = forward_of(fs->closing.next);
	unsigned n = forward_rule_n_ports(&f->rule);

	while (f->next < n && !f->sockets[f->next])
		f->next++;
	if (f->next < n)
		fs->ops->close(f, f->sockets[f->next++]);
	else
		free_rule(f);
}

static void retire_all(struct forwards *fs, struct list *list)
{
	while (!list_empty(list))
		forward_retire(fs, forward_of(list->next));
}

void forwards_free(struct forwards *fs)
{
	if (!fs)
		return;
	forwards_drop_change(fs);
	retire_all(fs, &fs->rules);
	retire_all(fs, &fs->opening);
	while (!list_empty(&fs->closing))
		forwards_close_next(fs);
	free(fs);
}

int forward_fail(int err, struct forward_error *error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	return err;
}

/* It is about a port of a rule. */
static int blame(struct forward_error *error, const struct forward_rule *rule, uint16_t port,
		 int err)
{
	error->error = err;
	error->port = *rule;
	error->port.first = error->port.last = port;
	return -err;
}

static bool share_family(const struct forward_rule *a, const struct forward_rule *b)
{
	return a->both_families || b->both_families ||
	       addr_is_ip4(&a->addr) == addr_is_ip4(&b->addr);
}

bool forward_overlap(const struct forward_rule *a, const struct forward_rule *b)
{
	return a->proto == b->proto && share_family(a, b) &&
	       (addr_eq(&a->addr, &b->addr) || addr_is_unspecified(&a->addr) ||
		addr_is_unspecified(&b->addr)) &&
	       (!a->interface[0] || !b->interface[0] || !strcmp(a->interface, b->interface));
}

/* Which rule of a list has that port open where `r` wants it. */
static const struct forward *owner_in(const struct list *list, const struct forward_rule *r,
				      uint16_t port)
{
	for (const struct list *l = list->next; l != list; l = l->next) {
		const struct forward *f = container_of(l, struct forward, link);

		if (forward_overlap(&f->rule, r) && port >= f->rule.first &&
		    port <= f->rule.last && f->sockets[port - f->rule.first])
			return f;
	}
	return NULL;
}

static const struct forward *owner(const struct forwards *fs, const struct forward_rule *r,
				   uint16_t port)
{
	const struct forward *f = owner_in(&fs->rules, r, port);

	return f ? f : owner_in(&fs->opening, r, port);
}

static int explain(const struct forwards *fs, const struct forward *f, uint16_t port, int err,
		   struct forward_error *error)
{
	struct forward_rule one = f->rule;
	char text[FORWARD_STR_MAX];

	one.first = one.last = port;
	forward_rule_print_host(&one, text);
	if (err == EACCES && port < fs->ports.unprivileged_first)
		forward_fail(-err, error,
			     "%s: %s; ports below %u are reserved, see the sysctl "
			     "net.ipv4.ip_unprivileged_port_start",
			     text, strerror(err), fs->ports.unprivileged_first);
	else if (err == EMFILE)
		forward_fail(-err, error,
			     "%s: %s; the limit of open files does not allow for %u ports", text,
			     strerror(err), forward_rule_n_ports(&f->rule));
	else
		forward_fail(-err, error, "%s: %s", text, strerror(err));
	return blame(error, &one, port, err);
}

void forward_note_failed(struct forwards *fs, const struct forward *f,
			 const struct forward_error *error)
{
	const struct event_forward failed = { .id = f ? f->id : 0,
					      .port = error->port,
					      .reason = strerror(error->error),
					      .error = error->error };

	if (!error->error)
		return;
	fs->last_error = *error;
	fs->last_error_ns = fs->env->now_ns;
	event_tell(fs->env,
		   &(struct event){ .kind = EVENT_FORWARD_FAILED, .forward = &failed });
	event_no_descriptor(fs->env, error->error);
}

const struct forward_error *forwards_last_error(const struct forwards *fs, uint64_t *at_nsp)
{
	*at_nsp = fs->last_error_ns;
	return fs->last_error.error ? &fs->last_error : NULL;
}

/* Best effort is about ports that others have, not about what the daemon itself lacks. */
static bool may_leave_out(const struct forward *f, int err)
{
	return f->rule.best_effort && err != EMFILE && err != ENFILE && err != ENOMEM &&
	       err != ENOBUFS && err != ENODEV;
}

static int open_port(struct forwards *fs, struct forward *f, unsigned i,
		     struct forward_error *error)
{
	uint16_t port = (uint16_t)(f->rule.first + i), wanted = port;
	const struct forward *other = port ? owner(fs, &f->rule, port) : NULL;
	char text[FORWARD_STR_MAX];
	int err = 0;

	if (other && f->rule.best_effort)
		return 0;
	if (other) {
		forward_fail(-EADDRINUSE, error, "port %u is forwarded already: %s", port,
			     forward_rule_print(&other->rule, text));
		return blame(error, &f->rule, port, EADDRINUSE);
	}
	f->sockets[i] = fs->ops->open(fs->host, f, &port, &err);
	if (f->sockets[i]) {
		f->n_open++;
		if (!wanted)
			f->rule.first = f->rule.last = port;
		return 0;
	}
	if (!may_leave_out(f, err))
		return explain(fs, f, port, err, error);
	if (!f->n_failed++) {
		f->failed_port = port;
		f->failed_error = err;
	}
	return 0;
}

int forward_begin(struct forwards *fs, const struct forward_rule *rule, struct forward_error *error)
{
	struct forward *f = calloc(1, sizeof(*f));
	void **sockets = calloc(forward_rule_n_ports(rule), sizeof(*sockets));

	if (!f || !sockets) {
		free(f);
		free(sockets);
		return forward_fail(-ENOMEM, error, "out of memory");
	}
	*f = (struct forward){
		.rule = *rule, .sockets = sockets, .id = fs->next_id++, .picked = !rule->first
	};
	list_append(&fs->opening, &f->link);
	fs->n_rules++;
	return 0;
}

int forward_open_next(struct forwards *fs, bool *more, struct forward_error *error)
{
	struct forward *f = list_empty(&fs->opening) ? NULL : forward_of(fs->opening.prev);

	*more = f && f->next < forward_rule_n_ports(&f->rule);
	return *more ? open_port(fs, f, f->next++, error) : 0;
}

int forwards_check_opened(const struct forwards *fs, struct forward_error *error)
{
	const struct forward *failed = NULL;

	for (struct list *l = fs->opening.next; l != &fs->opening; l = l->next) {
		const struct forward *f = forward_of(l);

		if (f->rule.best_effort && f->n_open)
			return 0;
		if (f->n_failed && !failed)
			failed = f;
	}
	return failed ? explain(fs, failed, failed->failed_port, failed->failed_error, error)
		      : 0;
}

static void report(struct forwards *fs)
{
	unsigned long cost = 0, n = 0;
	struct forward_error error;
	char text[FORWARD_STR_MAX];

	for (struct list *l = fs->opening.next; l != &fs->opening; l = l->next) {
		const struct forward *f = forward_of(l);

		forward_rule_print(&f->rule, text);
		if (f->n_failed) {
			log_info(FORWARD, "%s: %u ports open, %u not; port %u: %s", text,
				 f->n_open, f->n_failed, f->failed_port,
				 strerror(f->failed_error));
			explain(fs, f, f->failed_port, f->failed_error, &error);
			forward_note_failed(fs, f, &error);
		} else {
			log_info(FORWARD, "%s", text);
		}
		n += f->n_open;
		cost += f->n_open *
			(f->rule.proto == FLOW_TCP ? TCP_SOCKET_COST : UDP_SOCKET_COST);
	}
	if (cost >= COST_WORTH_SAYING)
		log_info(FORWARD,
			 "%lu ports are open, which costs about %lu MB of kernel memory", n,
			 cost >> 20);
}

void forwards_admit(struct forwards *fs)
{
	report(fs);
	while (!list_empty(&fs->opening)) {
		struct list *l = fs->opening.next;

		list_remove(l);
		list_append(&fs->rules, l);
	}
}

static bool is_stranded(const struct forwards *fs, const struct forward *f)
{
	for (unsigned i = 0; f->rule.interface[0] && i < forward_rule_n_ports(&f->rule); i++)
		if (f->sockets[i])
			return fs->ops->is_stranded(f, f->sockets[i]);
	return false;
}

/* The old socket stays until there is another: the interface may still have to come. */
static void reopen_port(struct forwards *fs, struct forward *f, unsigned i)
{
	uint16_t port = (uint16_t)(f->rule.first + i);
	int err = 0;
	void *fresh = f->sockets[i] ? fs->ops->open(fs->host, f, &port, &err) : NULL;

	if (!fresh)
		return;
	fs->ops->close(f, f->sockets[i]);
	f->sockets[i] = fresh;
}

static void reopen_stranded(struct forwards *fs, struct list *rules)
{
	char text[FORWARD_STR_MAX];
	struct list *pos, *tmp;

	list_for_each(pos, tmp, rules)
	{
		struct forward *f = forward_of(pos);

		if (!is_stranded(fs, f))
			continue;
		for (unsigned i = 0; i < forward_rule_n_ports(&f->rule); i++)
			reopen_port(fs, f, i);
		if (!is_stranded(fs, f))
			log_info(FORWARD, "opened anew: %s", forward_rule_print(&f->rule, text));
	}
}

void forwards_network_changed(struct forwards *fs)
{
	reopen_stranded(fs, &fs->rules);
	reopen_stranded(fs, &fs->opening);
}

bool forwards_wait(const struct forwards *fs)
{
	const struct guest *g = &fs->env->guest;
	uint64_t since = g->changed_ns > fs->start_ns ? g->changed_ns : fs->start_ns;

	return !g->connected && fs->env->now_ns < since + FORWARD_PATIENCE_NS;
}

const struct forward *forwards_next(const struct forwards *fs, uint64_t id)
{
	for (const struct list *l = fs->rules.next; l != &fs->rules; l = l->next) {
		const struct forward *f = container_of(l, struct forward, link);

		if (f->id > id)
			return f;
	}
	return NULL;
}
