/* proto/forward.c: the table of port forwards: opening, closing, conflicts. */
#include "proto/forward.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "proto/event.h"
#include "proto/forward_conf.h"

/* What the kernel needs for an idle socket, in bytes; measured on Linux 6.18. */
#define TCP_SOCKET_COST	  4100
#define UDP_SOCKET_COST	  2800
#define COST_WORTH_SAYING (16u << 20)

struct forwards {
	struct env *env;
	const struct forward_host_ops *ops;
	void *host;
	struct forward_ports ports;
	struct list rules; /* in the order of their ids */
	unsigned n_rules;
	uint64_t next_id;
	uint64_t start_ns;
	struct forward_error last_error; /* of a port */
	uint64_t last_error_ns;
};

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
	return fs;
}

static struct forward *forward_of(struct list *l)
{
	return container_of(l, struct forward, link);
}

static void close_rule(struct forwards *fs, struct forward *f)
{
	list_remove(&f->link);
	fs->n_rules--;
	for (unsigned i = 0; i < forward_rule_n_ports(&f->rule); i++)
		if (f->sockets[i])
			fs->ops->close(f, f->sockets[i]);
	free(f->sockets);
	free(f);
}

void forwards_free(struct forwards *fs)
{
	if (!fs)
		return;
	while (!list_empty(&fs->rules))
		close_rule(fs, forward_of(fs->rules.next));
	free(fs);
}

__attribute__((format(printf, 3, 4))) static int fail(int err, struct forward_error *error,
						      const char *fmt, ...)
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

/* Whether both would have the kernel listen at the same place, were their ports the same. */
static bool overlap(const struct forward_rule *a, const struct forward_rule *b)
{
	return a->proto == b->proto && share_family(a, b) &&
	       (addr_eq(&a->addr, &b->addr) || addr_is_unspecified(&a->addr) ||
		addr_is_unspecified(&b->addr)) &&
	       (!a->interface[0] || !b->interface[0] || !strcmp(a->interface, b->interface));
}

/* Which rule has that port open where `r` wants it. */
static const struct forward *owner(const struct forwards *fs, const struct forward_rule *r,
				   uint16_t port)
{
	for (const struct list *l = fs->rules.next; l != &fs->rules; l = l->next) {
		const struct forward *f = container_of(l, struct forward, link);

		if (overlap(&f->rule, r) && port >= f->rule.first && port <= f->rule.last &&
		    f->sockets[port - f->rule.first])
			return f;
	}
	return NULL;
}

static int explain(const struct forwards *fs, const struct forward *f, uint16_t port, int err,
		   struct forward_error *error)
{
	struct forward_rule one = f->rule;
	char text[FORWARD_STR_MAX];

	one.first = one.last = port;
	forward_rule_print_host(&one, text);
	if (err == EACCES && port < fs->ports.unprivileged_first)
		fail(-err, error,
		     "%s: %s; ports below %u are reserved, see the sysctl "
		     "net.ipv4.ip_unprivileged_port_start",
		     text, strerror(err), fs->ports.unprivileged_first);
	else if (err == EMFILE)
		fail(-err, error, "%s: %s; the limit of open files does not allow for %u ports",
		     text, strerror(err), forward_rule_n_ports(&f->rule));
	else
		fail(-err, error, "%s: %s", text, strerror(err));
	return blame(error, &one, port, err);
}

/* Tells of a port that could not be had; `f`: its rule, NULL if that is not opened either. */
static void note_failed(struct forwards *fs, const struct forward *f,
			const struct forward_error *error)
{
	const struct event_forward failed = { .id = f ? f->id : 0,
					      .port = error->port,
					      .reason = strerror(error->error),
					      .error = error->error };

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
		fail(-EADDRINUSE, error, "port %u is forwarded already: %s", port,
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

static int open_rule(struct forwards *fs, const struct forward_rule *rule,
		     struct forward_error *error)
{
	unsigned n = forward_rule_n_ports(rule);
	struct forward *f = calloc(1, sizeof(*f));
	void **sockets = calloc(n, sizeof(*sockets));
	int rc = 0;

	if (!f || !sockets) {
		free(f);
		free(sockets);
		return fail(-ENOMEM, error, "out of memory");
	}
	*f = (struct forward){
		.rule = *rule, .sockets = sockets, .id = fs->next_id++, .picked = !rule->first
	};
	list_append(&fs->rules, &f->link);
	fs->n_rules++;
	for (unsigned i = 0; i < n && !rc; i++)
		rc = open_port(fs, f, i, error);
	return rc;
}

/* Best-effort rules without a single port between them are a failure. */
static int check_opened(const struct forwards *fs, uint64_t first_id,
			struct forward_error *error)
{
	const struct forward *failed = NULL;

	for (const struct forward *f = forwards_next(fs, first_id - 1); f;
	     f = forwards_next(fs, f->id)) {
		if (f->rule.best_effort && f->n_open)
			return 0;
		if (f->n_failed && !failed)
			failed = f;
	}
	return failed ? explain(fs, failed, failed->failed_port, failed->failed_error, error)
		      : 0;
}

static void report(struct forwards *fs, uint64_t first_id)
{
	unsigned long cost = 0, n = 0;
	struct forward_error error;
	char text[FORWARD_STR_MAX];

	for (const struct forward *f = forwards_next(fs, first_id - 1); f;
	     f = forwards_next(fs, f->id)) {
		forward_rule_print(&f->rule, text);
		if (f->n_failed) {
			log_info(FORWARD, "%s: %u ports open, %u not; port %u: %s", text,
				 f->n_open, f->n_failed, f->failed_port,
				 strerror(f->failed_error));
			explain(fs, f, f->failed_port, f->failed_error, &error);
			note_failed(fs, f, &error);
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

/* Opens all or nothing; those that must be had first, so that best effort makes way for them.
 */
static int open_batch(struct forwards *fs, const struct forward_batch *b,
		      struct forward_error *error)
{
	uint64_t first_id = fs->next_id;
	const struct forward *f;
	int rc = 0;

	for (int best_effort = 0; best_effort < 2; best_effort++)
		for (int i = 0; i < b->n && !rc; i++)
			if (b->rules[i].best_effort == best_effort)
				rc = open_rule(fs, &b->rules[i], error);
	if (!rc)
		rc = check_opened(fs, first_id, error);
	if (!rc)
		report(fs, first_id);
	else if (error->error)
		note_failed(fs, NULL, error);
	while (rc && (f = forwards_next(fs, first_id - 1)))
		forwards_remove(fs, f->id);
	return rc;
}

/* Of a protocol that is off, the guest has no servers. */
static int check_proto(const struct forwards *fs, enum flow_proto proto, struct forward_error *error)
{
	const struct conf *c = fs->env->conf;

	if (proto == FLOW_TCP ? !c->no_tcp : !c->no_udp)
		return 0;
	return fail(-EPERM, error, "%s is switched off", proto == FLOW_TCP ? "TCP" : "UDP");
}

static int add_batch(struct forwards *fs, const struct forward_batch *b,
		     struct forward_error *error)
{
	int rc = b->n ? check_proto(fs, b->rules[0].proto, error) : 0;

	if (rc)
		return rc;
	if (fs->n_rules + (unsigned)b->n > FORWARD_RULES_MAX)
		return fail(-ENOSPC, error, "more than %d rules", FORWARD_RULES_MAX);
	return open_batch(fs, b, error);
}

int forwards_open(struct forwards *fs, struct forward_error *error)
{
	const struct conf *c = fs->env->conf;
	struct forward_batch *b = calloc(1, sizeof(*b));
	int rc;

	error->error = 0;
	if (!b)
		return fail(-ENOMEM, error, "out of memory");
	if (c->no_tcp && c->n_tcp_forwards)
		log_warn(FORWARD, "-t has no effect: TCP is off");
	if (c->no_udp && c->n_udp_forwards)
		log_warn(FORWARD, "-u has no effect: UDP is off");
	rc = forward_conf_read(c, &fs->ports, b, error->text);
	if (!rc)
		rc = add_batch(fs, b, error);
	free(b);
	return rc;
}

/* Reads a SPEC and hands its rules on; how many there were, or -errno. */
static int with_spec(struct forwards *fs, enum flow_proto proto, const char *spec,
		     int (*apply)(struct forwards *fs, const struct forward_batch *b,
				  struct forward_error *error),
		     struct forward_error *error)
{
	struct forward_batch *b = calloc(1, sizeof(*b));
	int rc;

	error->error = 0;
	if (!b)
		return fail(-ENOMEM, error, "out of memory");
	rc = forward_spec_parse(spec, proto, &fs->ports, b->rules, error->text);
	if (rc > 0) {
		b->n = rc;
		rc = apply(fs, b, error);
		if (!rc)
			rc = b->n;
	}
	free(b);
	return rc;
}

int forwards_add(struct forwards *fs, enum flow_proto proto, const char *spec,
		 uint64_t *first_id, struct forward_error *error)
{
	*first_id = fs->next_id;
	return with_spec(fs, proto, spec, add_batch, error);
}

int forwards_remove(struct forwards *fs, uint64_t id)
{
	struct list *pos, *tmp;
	char text[FORWARD_STR_MAX];

	list_for_each(pos, tmp, &fs->rules)
	{
		struct forward *f = forward_of(pos);

		if (f->id != id)
			continue;
		log_debug(FORWARD, "closed: %s", forward_rule_print(&f->rule, text));
		close_rule(fs, f);
		return 0;
	}
	return -ENOENT;
}

static bool rule_eq(const struct forward_rule *a, const struct forward_rule *b)
{
	return a->proto == b->proto && addr_eq(&a->addr, &b->addr) &&
	       a->both_families == b->both_families && !strcmp(a->interface, b->interface) && a->first == b->first &&
	       a->last == b->last && addr_eq(&a->target, &b->target) &&
	       a->target_first == b->target_first && a->best_effort == b->best_effort;
}

/* The id of such a rule; 0 if there is none. */
static uint64_t find_rule(const struct forwards *fs, const struct forward_rule *rule)
{
	for (const struct forward *f = forwards_next(fs, 0); f; f = forwards_next(fs, f->id))
		if (rule_eq(&f->rule, rule))
			return f->id;
	return 0;
}

static int remove_batch(struct forwards *fs, const struct forward_batch *b,
			struct forward_error *error)
{
	char text[FORWARD_STR_MAX];

	for (int i = 0; i < b->n; i++)
		if (!find_rule(fs, &b->rules[i]))
			return fail(-ENOENT, error, "there is no forward %s",
				    forward_rule_print(&b->rules[i], text));
	for (int i = 0; i < b->n; i++)
		forwards_remove(fs, find_rule(fs, &b->rules[i]));
	return 0;
}

int forwards_remove_spec(struct forwards *fs, enum flow_proto proto, const char *spec,
			 struct forward_error *error)
{
	return with_spec(fs, proto, spec, remove_batch, error);
}

/* What changes between two sets of rules. */
struct changes {
	struct forward_batch wanted, added;
	struct forward_batch closed; /* for the sake of one that is added */
};

static bool has_rule(const struct forward_batch *b, const struct forward_rule *rule)
{
	for (int i = 0; i < b->n; i++)
		if (rule_eq(&b->rules[i], rule))
			return true;
	return false;
}

/* Whether an added rule wants a place that `f` has. */
static bool is_in_the_way(const struct forward_batch *added, const struct forward *f)
{
	for (int i = 0; i < added->n; i++) {
		const struct forward_rule *r = &added->rules[i];

		if (overlap(r, &f->rule) && r->first <= f->rule.last && f->rule.first <= r->last)
			return true;
	}
	return false;
}

/* Closes the rules of the protocol with ids below `id` that nobody wants any more: all, or those in
 * the way. */
static void close_unwanted(struct forwards *fs, enum flow_proto proto, uint64_t id,
			   struct changes *c, bool all)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &fs->rules)
	{
		struct forward *f = forward_of(pos);

		if (f->rule.proto != proto || f->id >= id || has_rule(&c->wanted, &f->rule) ||
		    (!all && !is_in_the_way(&c->added, f)))
			continue;
		if (!all)
			c->closed.rules[c->closed.n++] = f->rule;
		close_rule(fs, f);
	}
}

static int read_specs(struct forwards *fs, enum flow_proto proto, const char *const *specs,
		      size_t n, struct changes *c, struct forward_error *error)
{
	struct forward_rule rules[FORWARD_RULES_MAX];
	int got;

	for (size_t i = 0; i < n; i++) {
		got = forward_spec_parse(specs[i], proto, &fs->ports, rules, error->text);
		if (got < 0)
			return got;
		if (c->wanted.n + got > FORWARD_RULES_MAX)
			return fail(-ENOSPC, error, "more than %d rules", FORWARD_RULES_MAX);
		memcpy(c->wanted.rules + c->wanted.n, rules, (size_t)got * sizeof(*rules));
		c->wanted.n += got;
	}
	for (int i = 0; i < c->wanted.n; i++)
		if (!find_rule(fs, &c->wanted.rules[i]))
			c->added.rules[c->added.n++] = c->wanted.rules[i];
	return 0;
}

static unsigned n_of_others(const struct forwards *fs, enum flow_proto proto)
{
	unsigned n = 0;

	for (const struct forward *f = forwards_next(fs, 0); f; f = forwards_next(fs, f->id))
		n += f->rule.proto != proto;
	return n;
}

static int apply_changes(struct forwards *fs, enum flow_proto proto, struct changes *c,
			 struct forward_error *error)
{
	struct forward_error again = { .error = 0 };
	uint64_t id = fs->next_id;
	int rc = c->wanted.n ? check_proto(fs, proto, error) : 0;

	if (rc)
		return rc;
	if (n_of_others(fs, proto) + (unsigned)c->wanted.n > FORWARD_RULES_MAX)
		return fail(-ENOSPC, error, "more than %d rules", FORWARD_RULES_MAX);
	close_unwanted(fs, proto, id, c, false);
	rc = open_batch(fs, &c->added, error);
	if (!rc)
		close_unwanted(fs, proto, id, c, true);
	else if (c->closed.n && open_batch(fs, &c->closed, &again))
		log_error(FORWARD, "what was closed cannot be opened again: %s", again.text);
	return rc;
}

int forwards_set(struct forwards *fs, enum flow_proto proto, const char *const *specs, size_t n,
		 struct forward_error *error)
{
	struct changes *c = calloc(1, sizeof(*c));
	int rc;

	error->error = 0;
	if (!c)
		return fail(-ENOMEM, error, "out of memory");
	rc = read_specs(fs, proto, specs, n, c, error);
	if (!rc)
		rc = apply_changes(fs, proto, c, error);
	free(c);
	return rc;
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

void forwards_network_changed(struct forwards *fs)
{
	char text[FORWARD_STR_MAX];
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &fs->rules)
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

bool forwards_wait(const struct forwards *fs)
{
	const struct guest *g = &fs->env->guest;
	uint64_t since = g->changed_ns > fs->start_ns ? g->changed_ns : fs->start_ns;

	return !g->connected && fs->env->now_ns < since + FORWARD_PATIENCE_NS;
}

bool forwards_has(const struct forwards *fs, enum flow_proto proto)
{
	for (const struct forward *f = forwards_next(fs, 0); f; f = forwards_next(fs, f->id))
		if (f->rule.proto == proto)
			return true;
	return false;
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
