/* ctl/ctl_stats.c: query-stats: every counter, and what the daemon takes of memory. */
#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/ctl_event.h"
#include "ctl/ctl_method.h"
#include "loop/loop.h"
#include "proto/dns.h"
#include "proto/tcp/tcp.h"

/* A name that lives as long as the request. */
static const char *__attribute__((format(printf, 2, 3))) name(struct ctl_call *call,
							      const char *fmt, ...)
{
	enum { NAME_MAX_BYTES = 96 };
	char *text = ctl_doc_alloc(call->doc, NAME_MAX_BYTES);
	va_list ap;

	if (!text)
		return "?";
	va_start(ap, fmt);
	vsnprintf(text, NAME_MAX_BYTES, fmt, ap);
	va_end(ap);
	return text;
}

static bool show_counter(struct ctl_call *call, const struct env *env, uint64_t i,
			 struct ctl_counter *c)
{
	*c = (struct ctl_counter){ stats_rows[i].name, CTL_COUNTER,
				   stats_value(&env->stats, &stats_rows[i]),
				   stats_rows[i].text };
	return true;
}

static uint64_t n_counters(void)
{
	return n_stats_rows;
}

static bool show_opened(struct ctl_call *call, const struct env *env, uint64_t i,
			struct ctl_counter *c)
{
	*c = (struct ctl_counter){ name(call, "%s.opened", ctl_proto_names[i]), CTL_COUNTER,
				   env->flows.opened[i], "flows of this protocol opened" };
	return true;
}

static bool show_refused(struct ctl_call *call, const struct env *env, uint64_t i,
			 struct ctl_counter *c)
{
	*c = (struct ctl_counter){ name(call, "%s.refused", ctl_proto_names[i]), CTL_COUNTER,
				   env->flows.refused[i],
				   "flows of this protocol refused for lack of room or sockets" };
	return true;
}

static uint64_t n_protos(void)
{
	return N_FLOW_PROTOS;
}

/* The first reason is none, likewise of flows. */
static bool show_drop(struct ctl_call *call, const struct env *env, uint64_t i,
		      struct ctl_counter *c)
{
	enum drop drop = (enum drop)(i + 1);

	*c = (struct ctl_counter){ name(call, "drop.%s", drop_name(drop)), CTL_COUNTER,
				   env->stats.drops[drop], drop_text(drop) };
	return true;
}

static uint64_t n_drops(void)
{
	return N_DROPS - 1;
}

static bool show_closed(struct ctl_call *call, const struct env *env, uint64_t i,
			struct ctl_counter *c)
{
	enum flow_close_reason reason = (enum flow_close_reason)(i + 1);

	*c = (struct ctl_counter){ name(call, "closed.%s", flow_close_reason_name(reason)),
				   CTL_COUNTER, env->flows.by_reason[reason],
				   "flows that ended for this reason" };
	return true;
}

static uint64_t n_reasons(void)
{
	return N_FLOW_CLOSE_REASONS - 1;
}

static bool show_closed_of_proto(struct ctl_call *call, const struct env *env, uint64_t i,
				 struct ctl_counter *c)
{
	uint64_t proto = i / n_reasons();
	enum flow_close_reason reason = (enum flow_close_reason)(i % n_reasons() + 1);

	*c = (struct ctl_counter){ name(call, "%s.closed.%s", ctl_proto_names[proto],
					flow_close_reason_name(reason)),
				   CTL_COUNTER, env->flows.by_proto_reason[proto][reason],
				   "flows of this protocol that ended for this reason" };
	return true;
}

static uint64_t n_reasons_of_protos(void)
{
	return N_FLOW_PROTOS * n_reasons();
}

static bool show_problems(struct ctl_call *call, const struct env *env, uint64_t i,
			  struct ctl_counter *c)
{
	const struct ctl_events *ev = call->info->events;

	if (i)
		*c = (struct ctl_counter){ "log.warnings", CTL_COUNTER,
					   ev->n_problems - ev->n_errors, "warnings logged" };
	else
		*c = (struct ctl_counter){ "log.errors", CTL_COUNTER, ev->n_errors,
					   "errors logged" };
	return true;
}

static uint64_t n_problem_levels(void)
{
	return 2;
}

static bool show_limit(struct ctl_call *call, const struct env *env, uint64_t i,
		       struct ctl_counter *c)
{
	*c = (struct ctl_counter){ name(call, "limit.%s", limit_name((enum limit)i)),
				   CTL_COUNTER, env->limits_reached[i],
				   "times that this limit was reached" };
	return true;
}

static uint64_t n_limits(void)
{
	return N_LIMITS;
}

static const struct {
	const char *name, *text;
	size_t offset;
} event_counts[] = {
	{ "events.told", "events that control clients wanted to hear of",
	  offsetof(struct ctl_events, n_told) },
	{ "events.summed", "events that were told of in the count of a later one",
	  offsetof(struct ctl_events, n_summed) },
	{ "events.lost", "events lost by control clients that did not read",
	  offsetof(struct ctl_events, n_lost) },
};

static bool show_events(struct ctl_call *call, const struct env *env, uint64_t i,
			struct ctl_counter *c)
{
	const char *events = (const char *)call->info->events;

	*c = (struct ctl_counter){ event_counts[i].name, CTL_COUNTER,
				   *(const uint64_t *)(events + event_counts[i].offset),
				   event_counts[i].text };
	return true;
}

static uint64_t n_event_counts(void)
{
	return sizeof(event_counts) / sizeof(event_counts[0]);
}

/* The rows are told of over several turns, but those that go together are of one moment. */
struct moment {
	struct loop_turns turns;
	struct dns_status dns;
};

/* NULL without memory. */
static const struct moment *moment_of(struct ctl_call *call, const struct env *env)
{
	struct moment *m = call->state;

	if (m)
		return m;
	m = call->state = ctl_doc_alloc(call->doc, sizeof(*m));
	if (m && call->info->turns)
		m->turns = *call->info->turns;
	if (m && env->dns)
		dns_get_status(env, &m->dns);
	return m;
}

static const struct {
	const char *name, *text;
	size_t offset;
} server_counts[] = {
	{ "queries", "queries to this name server", offsetof(struct dns_server, sent) },
	{ "answers", "answers of this name server", offsetof(struct dns_server, answers) },
	{ "timeouts", "queries to which this name server was silent for its time",
	  offsetof(struct dns_server, timeouts) },
	{ "failures", "queries that this name server refused or that did not reach it",
	  offsetof(struct dns_server, failures) },
};
#define N_SERVER_COUNTS (sizeof(server_counts) / sizeof(server_counts[0]))

static bool show_server(struct ctl_call *call, const struct env *env, uint64_t i,
			struct ctl_counter *c)
{
	const struct moment *m = moment_of(call, env);
	uint64_t which = i / N_SERVER_COUNTS, k = i % N_SERVER_COUNTS;
	const struct dns_server *s = m ? &m->dns.servers.all[which] : NULL;
	char at[UPSTREAM_STR_MAX];

	if (!m || which >= m->dns.servers.n)
		return false;
	*c = (struct ctl_counter){ name(call, "dns.upstream.%s.%s", upstream_print(&s->at, at),
					server_counts[k].name),
				   CTL_COUNTER,
				   *(const uint64_t *)((const char *)s + server_counts[k].offset),
				   server_counts[k].text };
	return true;
}

static uint64_t n_servers(void)
{
	return NET_UPSTREAMS_MAX * N_SERVER_COUNTS;
}

/* How many turns took up to 4^i microseconds; then how many there were, and their time. */
static bool show_turns(struct ctl_call *call, const struct env *env, uint64_t i,
		       struct ctl_counter *c)
{
	const struct moment *m = call->info->turns ? moment_of(call, env) : NULL;
	const struct loop_turns *t = m ? &m->turns : NULL;
	uint64_t n = 0;

	if (!t)
		return false;
	for (uint64_t k = 0; k <= i && k <= LOOP_TURN_BOUNDS; k++)
		n += t->n[k];
	if (i < LOOP_TURN_BOUNDS)
		*c = (struct ctl_counter){ name(call, "loop.up-to-%uus", 1u << 2 * i),
					   CTL_COUNTER, n,
					   "turns of the loop that took no longer" };
	else if (i == LOOP_TURN_BOUNDS)
		*c = (struct ctl_counter){ "loop.turns", CTL_COUNTER, n, "turns of the loop" };
	else
		*c = (struct ctl_counter){ "loop.time-ns", CTL_COUNTER, t->sum_ns,
					   "nanoseconds that they took together" };
	return true;
}

static uint64_t n_turns(void)
{
	return LOOP_TURN_BOUNDS + 2;
}

/* 0: not known. */
static uint64_t resident_bytes(int fd_statm)
{
	char text[128], *end;
	ssize_t len = fd_statm < 0 ? -1 : pread(fd_statm, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return 0;
	text[len] = '\0';
	strtoull(text, &end, 10); /* all that is mapped; then what is resident, in pages */
	return strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

enum memory { RESIDENT, TCP_QUEUES, TCP_SPARE, DNS_CACHE, N_MEMORIES };

static const struct {
	const char *name, *text;
} memories[] = {
	[RESIDENT] = { "memory.resident-bytes", "memory of the process that is resident" },
	[TCP_QUEUES] = { "memory.tcp-queue-bytes",
			 "memory for bytes of the guest that wait for host sockets" },
	[TCP_SPARE] = { "memory.tcp-spare-bytes", "memory kept at hand for such" },
	[DNS_CACHE] = { "memory.dns-cache-bytes", "memory for answers of name servers" },
};
static_assert(sizeof(memories) / sizeof(memories[0]) == N_MEMORIES, "a row each");

static bool show_memory(struct ctl_call *call, const struct env *env, uint64_t i,
			struct ctl_counter *c)
{
	const struct moment *m;

	*c = (struct ctl_counter){ memories[i].name, CTL_GAUGE, 0, memories[i].text };
	switch ((enum memory)i) {
	case RESIDENT:
		c->value = resident_bytes(call->info->fd_statm);
		return c->value;
	case TCP_QUEUES:
		c->value = env->tcp ? tcp_get_memory(env).used : 0;
		return true;
	case TCP_SPARE:
		c->value = env->tcp ? tcp_get_memory(env).spare : 0;
		return true;
	case DNS_CACHE:
		m = moment_of(call, env);
		c->value = m ? m->dns.cache_bytes : 0;
		return true;
	case N_MEMORIES:
		break;
	}
	return false;
}

static uint64_t n_memories(void)
{
	return N_MEMORIES;
}

static const struct {
	uint64_t (*count)(void);
	/* False: there is no such value. */
	bool (*show)(struct ctl_call *call, const struct env *env, uint64_t i,
		     struct ctl_counter *c);
} groups[] = {
	{ n_counters, show_counter },
	{ n_servers, show_server },
	{ n_protos, show_opened },
	{ n_protos, show_refused },
	{ n_drops, show_drop },
	{ n_reasons, show_closed },
	{ n_reasons_of_protos, show_closed_of_proto },
	{ n_problem_levels, show_problems },
	{ n_limits, show_limit },
	{ n_event_counts, show_events },
	{ n_turns, show_turns },
	{ n_memories, show_memory },
};

int ctl_stats_query(struct ctl_call *call, const struct env *env, void *result)
{
	uint64_t i = call->cursor++;

	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		if (i < groups[g].count())
			return groups[g].show(call, env, i, result) ? CTL_ITEM : CTL_CONTINUE;
		i -= groups[g].count();
	}
	return CTL_DONE;
}
