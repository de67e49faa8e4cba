/* proto/forward_change.c: changes of the table of forwards.
 *
 * Theory of operation: sixty thousand ports are as many sockets, which take the kernel a second
 * to make.  So a change is worked on a few ports a wake-up.  What it takes away is closed
 * before anything is opened, where that stands in the way, else behind it; what it adds is in a
 * list of its own until all is open.  There is one change at a time.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "forward_priv.h"
#include "proto/forward_conf.h"

#define PORTS_A_TURN 32 /* half a millisecond, or a few of them */

enum stage {
	OPENING,   /* what is added */
	RESTORING, /* what was closed for it in vain */
	CLEARING   /* only closing is left to do */
};

struct forward_change {
	enum flow_proto proto;
	bool replaces;		     /* rules of the protocol that are not wanted go */
	struct forward_batch wanted; /* if it does: what is there at the end */
	struct forward_batch added;
	struct forward_batch closed; /* for the sake of one that is added */
	int n;			     /* rules that were asked for */
	enum stage stage;
	bool best_effort; /* of a batch, those that must be had come first, and these make way
			     for them */
	int next;	  /* of the batch that is being opened */
	int failed;	  /* -errno */
	struct forward_error reason;
	int rc;
	uint64_t first_id;
	struct forward_error error;
	struct forward_outcome *outcome; /* NULL: nobody waits for it */
};

bool forwards_changing(const struct forwards *fs)
{
	return fs->change;
}

void forwards_drop_change(struct forwards *fs)
{
	timerq_cancel(&fs->env->timers, &fs->timer);
	free(fs->change);
	fs->change = NULL;
}

static bool adds(const struct forward_change *c, enum flow_proto proto)
{
	for (int i = 0; i < c->added.n; i++)
		if (c->added.rules[i].proto == proto)
			return true;
	return false;
}

bool forwards_has(const struct forwards *fs, enum flow_proto proto)
{
	for (const struct forward *f = forwards_next(fs, 0); f; f = forwards_next(fs, f->id))
		if (f->rule.proto == proto)
			return true;
	return fs->change && adds(fs->change, proto);
}

/* What is to be changed */

static bool rule_eq(const struct forward_rule *a, const struct forward_rule *b)
{
	return a->proto == b->proto && addr_eq(&a->addr, &b->addr) &&
	       a->both_families == b->both_families && !strcmp(a->interface, b->interface) &&
	       a->first == b->first && a->last == b->last && addr_eq(&a->target, &b->target) &&
	       a->target_first == b->target_first && a->best_effort == b->best_effort;
}

/* NULL if there is none. */
static struct forward *find_rule(const struct forwards *fs, const struct forward_rule *rule)
{
	for (struct list *l = fs->rules.next; l != &fs->rules; l = l->next)
		if (rule_eq(&forward_of(l)->rule, rule))
			return forward_of(l);
	return NULL;
}

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

		if (forward_overlap(r, &f->rule) && r->first <= f->rule.last &&
		    f->rule.first <= r->last)
			return true;
	}
	return false;
}

/* Retires the rules of the protocol that nobody wants any more: all, or those in the way. */
static void retire_unwanted(struct forwards *fs, struct forward_change *c, bool all)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &fs->rules)
	{
		struct forward *f = forward_of(pos);

		if (f->rule.proto != c->proto || has_rule(&c->wanted, &f->rule) ||
		    (!all && !is_in_the_way(&c->added, f)))
			continue;
		if (!all)
			c->closed.rules[c->closed.n++] = f->rule;
		forward_retire(fs, f);
	}
}

/* Of a protocol that is off, the guest has no servers. */
static int check_proto(const struct forwards *fs, enum flow_proto proto, struct forward_error *error)
{
	const struct conf *c = fs->env->conf;

	if (proto == FLOW_TCP ? !c->no_tcp : !c->no_udp)
		return 0;
	return forward_fail(-EPERM, error, "%s is switched off",
			    proto == FLOW_TCP ? "TCP" : "UDP");
}

static int read_specs(const struct forwards *fs, const struct forward_request *r,
		      struct forward_batch *b, struct forward_error *error)
{
	struct forward_rule rules[FORWARD_RULES_MAX];

	for (size_t i = 0; i < r->n_specs; i++) {
		int n = forward_spec_parse(r->specs[i], r->proto, &fs->ports, rules, error->text);

		if (n < 0)
			return n;
		if (b->n + n > FORWARD_RULES_MAX)
			return forward_fail(-ENOSPC, error, "more than %d rules",
					    FORWARD_RULES_MAX);
		memcpy(b->rules + b->n, rules, (size_t)n * sizeof(*rules));
		b->n += n;
	}
	return b->n && r->verb != FORWARD_REMOVE ? check_proto(fs, r->proto, error) : 0;
}

static int check_number(unsigned n_stay, const struct forward_batch *b, struct forward_error *error)
{
	if (n_stay + (unsigned)b->n <= FORWARD_RULES_MAX)
		return 0;
	return forward_fail(-ENOSPC, error, "more than %d rules", FORWARD_RULES_MAX);
}

static int prepare_add(struct forwards *fs, const struct forward_request *r,
		       struct forward_change *c)
{
	int rc = read_specs(fs, r, &c->added, &c->error);

	c->n = c->added.n;
	return rc ? rc : check_number(fs->n_rules, &c->added, &c->error);
}

static unsigned n_of_others(const struct forwards *fs, enum flow_proto proto)
{
	unsigned n = 0;

	for (const struct forward *f = forwards_next(fs, 0); f; f = forwards_next(fs, f->id))
		n += f->rule.proto != proto;
	return n;
}

static int prepare_set(struct forwards *fs, const struct forward_request *r,
		       struct forward_change *c)
{
	int rc = read_specs(fs, r, &c->wanted, &c->error);

	if (!rc)
		rc = check_number(n_of_others(fs, r->proto), &c->wanted, &c->error);
	if (rc)
		return rc;
	for (int i = 0; i < c->wanted.n; i++)
		if (!find_rule(fs, &c->wanted.rules[i]))
			c->added.rules[c->added.n++] = c->wanted.rules[i];
	c->n = c->wanted.n;
	c->replaces = true;
	retire_unwanted(fs, c, false);
	return 0;
}

static int prepare_remove(struct forwards *fs, const struct forward_request *r,
			  struct forward_change *c)
{
	char text[FORWARD_STR_MAX];
	int rc = read_specs(fs, r, &c->wanted, &c->error);
	struct forward *f;

	if (rc)
		return rc;
	for (int i = 0; i < c->wanted.n; i++)
		if (!find_rule(fs, &c->wanted.rules[i]))
			return forward_fail(-ENOENT, &c->error, "there is no forward %s",
					    forward_rule_print(&c->wanted.rules[i], text));
	for (int i = 0; i < c->wanted.n; i++)
		if ((f = find_rule(fs, &c->wanted.rules[i]))) /* it may be named twice */
			forward_retire(fs, f);
	c->n = c->wanted.n;
	return 0;
}

static int prepare_remove_id(struct forwards *fs, const struct forward_request *r,
			     struct forward_change *c)
{
	for (struct list *l = fs->rules.next; l != &fs->rules; l = l->next) {
		if (forward_of(l)->id != r->id)
			continue;
		forward_retire(fs, forward_of(l));
		c->n = 1;
		return 0;
	}
	return forward_fail(-ENOENT, &c->error, "there is no forward %llu",
			    (unsigned long long)r->id);
}

static int (*const prepare[])(struct forwards *fs, const struct forward_request *r,
			      struct forward_change *c) = {
	[FORWARD_ADD] = prepare_add,
	[FORWARD_SET] = prepare_set,
	[FORWARD_REMOVE] = prepare_remove,
	[FORWARD_REMOVE_ID] = prepare_remove_id,
};

/* Doing it */

static const struct forward_rule *next_rule(struct forward_change *c)
{
	const struct forward_batch *b = c->stage == RESTORING ? &c->closed : &c->added;

	for (;;) {
		while (c->next < b->n) {
			const struct forward_rule *r = &b->rules[c->next++];

			if (r->best_effort == c->best_effort)
				return r;
		}
		if (c->best_effort)
			return NULL;
		c->best_effort = true;
		c->next = 0;
	}
}

/* False: all is open, or it failed. */
static bool open_next(struct forwards *fs, struct forward_change *c)
{
	const struct forward_rule *rule;
	bool more;

	if (c->failed)
		return false;
	c->failed = forward_open_next(fs, &more, &c->reason);
	if (more)
		return true;
	rule = next_rule(c);
	if (rule)
		c->failed = forward_begin(fs, rule, &c->reason);
	return rule;
}

static void give_up_opening(struct forwards *fs, struct forward_change *c, int rc)
{
	while (!list_empty(&fs->opening))
		forward_retire(fs, forward_of(fs->opening.next));
	forward_note_failed(fs, NULL, &c->reason);
	if (c->stage == RESTORING) {
		log_error(FORWARD, "what was closed cannot be opened again: %s", c->reason.text);
		c->stage = CLEARING;
		return;
	}
	c->rc = rc;
	c->error = c->reason;
	c->reason = (struct forward_error){ .error = 0 };
	c->stage = RESTORING;
	c->best_effort = false;
	c->next = c->failed = 0;
}

static void end_opening(struct forwards *fs, struct forward_change *c)
{
	int rc = c->failed ? c->failed : forwards_check_opened(fs, &c->reason);

	if (rc) {
		give_up_opening(fs, c, rc);
		return;
	}
	forwards_admit(fs);
	if (c->replaces && c->stage == OPENING)
		retire_unwanted(fs, c, true);
	c->stage = CLEARING;
}

static void tell(const struct forward_change *c, struct forward_outcome *o)
{
	o->rc = c->rc ? c->rc : c->n;
	o->first_id = c->first_id;
	o->error = c->error;
	o->over = true;
}

/* The work of a port, or what comes between. */
static void step(struct forwards *fs)
{
	struct forward_change *c = fs->change;

	if (!list_empty(&fs->closing)) {
		forwards_close_next(fs);
	} else if (c->stage != CLEARING) {
		if (!open_next(fs, c))
			end_opening(fs, c);
	} else {
		if (c->outcome)
			tell(c, c->outcome);
		forwards_drop_change(fs);
	}
}

static void finish(struct forwards *fs)
{
	while (fs->change)
		step(fs);
}

/* In the next turn of the loop: not before all others had one. */
static void go_on_soon(struct forwards *fs)
{
	struct env *env = fs->env;

	if (fs->change && timerq_set(&env->timers, &fs->timer, env->now_ns + 1))
		finish(fs);
}

static void turn_due(struct timer *t, void *ctx)
{
	struct forwards *fs = container_of(t, struct forwards, timer);

	for (int i = 0; i < PORTS_A_TURN && fs->change; i++)
		step(fs);
	go_on_soon(fs);
}

/* Takes over a change that is prepared, or failed to be. */
static void begin(struct forwards *fs, struct forward_change *c, int rc,
		  struct forward_outcome *o)
{
	assert(!fs->change);
	fs->timer.fire = turn_due;
	c->first_id = fs->next_id;
	c->outcome = o;
	c->rc = rc;
	o->over = false;
	if (!rc) {
		fs->change = c;
		return;
	}
	tell(c, o);
	free(c);
}

static void fail_for_memory(struct forward_outcome *o)
{
	*o = (struct forward_outcome){ .over = true, .rc = -ENOMEM };
	forward_fail(-ENOMEM, &o->error, "out of memory");
}

static void begin_request(struct forwards *fs, const struct forward_request *r,
			  struct forward_outcome *o)
{
	struct forward_change *c = calloc(1, sizeof(*c));

	if (!c) {
		fail_for_memory(o);
		return;
	}
	c->proto = r->proto;
	begin(fs, c, prepare[r->verb](fs, r, c), o);
}

void forwards_begin(struct forwards *fs, const struct forward_request *r,
		    struct forward_outcome *o)
{
	begin_request(fs, r, o);
	go_on_soon(fs);
}

void forwards_forget(struct forwards *fs, const struct forward_outcome *o)
{
	if (fs->change && fs->change->outcome == o)
		fs->change->outcome = NULL;
}

/* At once */

static int do_request(struct forwards *fs, const struct forward_request *r,
		      struct forward_outcome *o)
{
	finish(fs);
	begin_request(fs, r, o);
	finish(fs);
	return o->rc;
}

int forwards_open(struct forwards *fs, struct forward_error *error)
{
	const struct conf *conf = fs->env->conf;
	struct forward_change *c = calloc(1, sizeof(*c));
	struct forward_outcome o;

	error->error = 0;
	if (!c)
		return forward_fail(-ENOMEM, error, "out of memory");
	if (conf->no_tcp && conf->n_tcp_forwards)
		log_warn(FORWARD, "-t has no effect: TCP is off");
	if (conf->no_udp && conf->n_udp_forwards)
		log_warn(FORWARD, "-u has no effect: UDP is off");
	begin(fs, c, forward_conf_read(conf, &fs->ports, &c->added, c->error.text), &o);
	finish(fs);
	*error = o.error;
	return o.rc < 0 ? o.rc : 0;
}

int forwards_add(struct forwards *fs, enum flow_proto proto, const char *spec,
		 uint64_t *first_id, struct forward_error *error)
{
	struct forward_request r = { FORWARD_ADD, proto, &spec, 1 };
	struct forward_outcome o;
	int rc = do_request(fs, &r, &o);

	*first_id = o.first_id;
	*error = o.error;
	return rc;
}

int forwards_set(struct forwards *fs, enum flow_proto proto, const char *const *specs, size_t n,
		 struct forward_error *error)
{
	struct forward_request r = { FORWARD_SET, proto, specs, n };
	struct forward_outcome o;
	int rc = do_request(fs, &r, &o);

	*error = o.error;
	return rc < 0 ? rc : 0;
}

int forwards_remove(struct forwards *fs, uint64_t id)
{
	struct forward_request r = { .verb = FORWARD_REMOVE_ID, .id = id };
	struct forward_outcome o;
	int rc = do_request(fs, &r, &o);

	return rc < 0 ? rc : 0;
}
