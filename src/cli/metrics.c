/* cli/metrics.c: the families of metrics, each with its samples right behind its head.
 *
 * OpenMetrics 1.0, or the older text format of Prometheus, which differs in one thing: there a counter's
 * head has the name of its samples.  Types of which the older one knows nothing are not used.
 * What is known only as text, such as the version, is a label of a gauge that is 1.
 */
#include "cli/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 128

enum type { COUNTER, GAUGE, HISTOGRAM };

static const char *const type_names[] = { "counter", "gauge", "histogram" };

/* Backslashes, quotation marks and line breaks are written as the format has them. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text == '\n')
			fputs("\\n", out);
		else
			fprintf(out, *text == '\\' || *text == '"' ? "\\%c" : "%c", *text);
}

/* `unit`: NULL, or what `name` ends with. */
static void print_head(FILE *out, const char *name, enum type type, const char *unit,
		       const char *help)
{
	fprintf(out, "# TYPE %s %s\n", name, type_names[type]);
	if (unit)
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s ", name);
	print_escaped(out, help);
	fputc('\n', out);
}

/* `name` is without the ending of a counter's samples. */
static void print_counter_head(FILE *out, const struct metrics *m, const char *name,
			       const char *unit, const char *help)
{
	char head[NAME_MAX_BYTES + sizeof("_total")];

	snprintf(head, sizeof(head), "%s%s", name, m->for_collector ? "_total" : "");
	print_head(out, head, COUNTER, m->for_collector ? NULL : unit, help);
}

static void print_label(FILE *out, const char *name, const char *value, char before)
{
	fprintf(out, "%c%s=\"", before, name);
	print_escaped(out, value);
	fputc('"', out);
}

/* A sample up to its value, whose name ends with `ending`; `labels` and `values` end with NULL. */
static void begin_sample(FILE *out, const struct metrics *m, const char *name, const char *ending,
			 const char *const labels[], const char *const values[])
{
	char before = '{';

	fprintf(out, "%s%s", name, ending);
	if (m->guest) {
		print_label(out, "guest", m->guest, before);
		before = ',';
	}
	for (unsigned i = 0; labels[i]; i++) {
		print_label(out, labels[i], values[i], before);
		before = ',';
	}
	fputs(before == ',' ? "} " : " ", out);
}

static const char *const no_labels[] = { NULL };

/* A sample with one label. */
static void print_labelled(FILE *out, const struct metrics *m, const char *name, const char *label,
			   const char *value, uint64_t n)
{
	begin_sample(out, m, name, "", (const char *const[]){ label, NULL },
		     (const char *const[]){ value, NULL });
	fprintf(out, "%" PRIu64 "\n", n);
}

/* One without. */
static void print_plain(FILE *out, const struct metrics *m, const char *name, const char *ending,
			uint64_t n)
{
	begin_sample(out, m, name, ending, no_labels, no_labels);
	fprintf(out, "%" PRIu64 "\n", n);
}

static void print_gauge(FILE *out, const struct metrics *m, const char *name, const char *help,
			uint64_t n)
{
	print_head(out, name, GAUGE, NULL, help);
	print_plain(out, m, name, "", n);
}

static void print_seconds(FILE *out, const struct metrics *m, const char *name, const char *help,
			  uint64_t ms)
{
	print_head(out, name, GAUGE, "seconds", help);
	begin_sample(out, m, name, "", no_labels, no_labels);
	fprintf(out, "%" PRIu64 ".%03" PRIu64 "\n", ms / 1000, ms % 1000);
}

/* query-status */

static void print_daemon(FILE *out, const struct metrics *m)
{
	const struct ctl_status *s = m->status;

	print_head(out, "postern_build_info", GAUGE, NULL, "always 1, with the version of the daemon");
	print_labelled(out, m, "postern_build_info", "version", s->version, 1);
	print_seconds(out, m, "postern_uptime_seconds", "time since the daemon started", s->uptime_ms);
	print_gauge(out, m, "postern_guest_connected", "whether a guest is on the link",
		    s->guest.connected);
	if (s->guest.has & CTL_GUEST_HAS_SEEN)
		print_seconds(out, m, "postern_guest_idle_seconds",
			      "time since the last frame of the guest", s->guest.idle_ms);
	print_gauge(out, m, "postern_leases", "addresses that the guest holds by DHCP and DHCPv6",
		    s->leases.n);
	print_head(out, "postern_flows_open", GAUGE, NULL, "flows that are open, by protocol");
	print_labelled(out, m, "postern_flows_open", "protocol", "tcp", s->flows.tcp);
	print_labelled(out, m, "postern_flows_open", "protocol", "udp", s->flows.udp);
	print_labelled(out, m, "postern_flows_open", "protocol", "icmp", s->flows.icmp);
}

static void print_limits(FILE *out, const struct metrics *m)
{
	const struct ctl_list *list = &m->status->limits;
	const struct ctl_limit *limits = list->items;

	print_head(out, "postern_limit_used", GAUGE, NULL,
		   "how much is used of what is limited, such as flows and control clients");
	for (size_t i = 0; i < list->n; i++)
		print_labelled(out, m, "postern_limit_used", "limit", limits[i].limit, limits[i].used);
	print_head(out, "postern_limit_max", GAUGE, NULL, "how much there may be of it");
	for (size_t i = 0; i < list->n; i++)
		print_labelled(out, m, "postern_limit_max", "limit", limits[i].limit, limits[i].max);
	print_head(out, "postern_limit_hard", GAUGE, NULL,
		   "how far the system would let the daemon raise it");
	for (size_t i = 0; i < list->n; i++)
		if (limits[i].has & CTL_LIMIT_HAS_HARD)
			print_labelled(out, m, "postern_limit_hard", "limit", limits[i].limit,
				       limits[i].hard);
}

static void print_sandbox(FILE *out, const struct metrics *m)
{
	const struct ctl_list *list = &m->status->sandbox;
	const struct ctl_layer *layers = list->items;

	print_head(out, "postern_sandbox_layer", GAUGE, NULL,
		   "whether a layer of the sandbox is in force");
	for (size_t i = 0; i < list->n; i++)
		print_labelled(out, m, "postern_sandbox_layer", "layer", ctl_layer_names[layers[i].layer],
			       layers[i].state == CTL_LAYER_APPLIED);
}

/* query-dns */

static uint64_t n_queries(const struct ctl_dns_server *s)
{
	return s->queries;
}

static uint64_t n_answers(const struct ctl_dns_server *s)
{
	return s->answers;
}

static uint64_t n_timeouts(const struct ctl_dns_server *s)
{
	return s->timeouts;
}

static uint64_t n_failures(const struct ctl_dns_server *s)
{
	return s->failures;
}

static const struct {
	const char *name, *help;
	uint64_t (*count)(const struct ctl_dns_server *s);
} server_families[] = {
	{ "postern_dns_server_queries", "queries to a name server of the host", n_queries },
	{ "postern_dns_server_answers", "answers of a name server", n_answers },
	{ "postern_dns_server_timeouts", "queries to which it was silent", n_timeouts },
	{ "postern_dns_server_failures", "queries that it refused or that did not reach it",
	  n_failures },
};

static void print_servers(FILE *out, const struct metrics *m)
{
	const struct ctl_list *list = &m->dns->servers;
	const struct ctl_dns_server *servers = list->items;
	char sample[NAME_MAX_BYTES];

	for (size_t f = 0; f < sizeof(server_families) / sizeof(server_families[0]); f++) {
		const char *name = server_families[f].name;

		print_counter_head(out, m, name, NULL, server_families[f].help);
		snprintf(sample, sizeof(sample), "%s_total", name);
		for (size_t i = 0; i < list->n; i++)
			print_labelled(out, m, sample, "server", servers[i].addr,
				       server_families[f].count(&servers[i]));
	}
}

/* query-stats */

/* Counters that are one family, apart by what stands at a place of their names: of
 * "tcp.closed.idle", with the pattern "*.closed.*", "tcp" and "idle". */
struct labelled {
	const char *pattern, *name, *help;
	const char *labels[3]; /* one for each star, and NULL */
};

static const struct labelled labelled[] = {
	{ "drop.*",
	  "postern_dropped_frames",
	  "frames of the guest that were dropped, by reason",
	  { "reason" } },
	{ "*.opened",
	  "postern_flows_opened",
	  "flows that were opened, by protocol",
	  { "protocol" } },
	{ "*.refused",
	  "postern_flows_refused",
	  "flows refused for lack of room or sockets, by protocol",
	  { "protocol" } },
	{ "*.closed.*",
	  "postern_flows_closed",
	  "flows that ended, by protocol and reason",
	  { "protocol", "reason" } },
	{ "limit.*",
	  "postern_limits_reached",
	  "times that a limit was reached, by limit",
	  { "limit" } },
	{ "log.*", "postern_problems", "what was logged, by level", { "level" } },
};

/* These are the sums of others, what query-dns tells as well, or part of the histogram. */
static const char *const left_out[] = { "flow.opened", "flow.refused", "closed.*", "dns.upstream.*",
					"loop.*" };

static bool is_proto(const char *text, size_t len)
{
	for (unsigned i = 0; ctl_proto_names[i]; i++)
		if (strlen(ctl_proto_names[i]) == len && !strncmp(ctl_proto_names[i], text, len))
			return true;
	return false;
}

/* Whether `name` is like the pattern, a star at whose beginning stands for a protocol, one at whose
 * end for anything; stores what they stand for. */
static bool is_like(const char *pattern, const char *name, char parts[2][NAME_MAX_BYTES])
{
	size_t len = strcspn(name, "."), fixed;
	unsigned n = 0;

	if (*pattern == '*') {
		if (!is_proto(name, len))
			return false;
		snprintf(parts[n++], NAME_MAX_BYTES, "%.*s", (int)len, name);
		name += len;
		pattern++;
	}
	fixed = strcspn(pattern, "*");
	if (strncmp(name, pattern, fixed) != 0)
		return false;
	if (!pattern[fixed])
		return !name[fixed];
	snprintf(parts[n], NAME_MAX_BYTES, "%s", name + fixed);
	return true;
}

static void print_labelled_counters(FILE *out, const struct labelled *l, const struct metrics *m)
{
	char parts[2][NAME_MAX_BYTES];

	print_counter_head(out, m, l->name, NULL, l->help);
	for (size_t i = 0; i < m->n_counters; i++) {
		if (!is_like(l->pattern, m->counters[i].name, parts))
			continue;
		begin_sample(out, m, l->name, "_total", l->labels,
			     (const char *const[]){ parts[0], parts[1] });
		fprintf(out, "%" PRIu64 "\n", m->counters[i].value);
	}
}

static bool is_elsewhere(const char *name)
{
	char parts[2][NAME_MAX_BYTES];

	for (size_t i = 0; i < sizeof(labelled) / sizeof(labelled[0]); i++)
		if (is_like(labelled[i].pattern, name, parts))
			return true;
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (is_like(left_out[i], name, parts))
			return true;
	return false;
}

/* "link.bytes-in" becomes "postern_link_in_bytes": the unit stands last.  Whether there is one. */
static bool name_family(const char *name, char family[static NAME_MAX_BYTES])
{
	const char *unit = strstr(name, "bytes");
	int before = unit ? (int)(unit - name) : (int)strlen(name);
	const char *after = unit ? unit + strlen("bytes") : "";

	if (*after) /* one separator is enough */
		after++;
	snprintf(family, NAME_MAX_BYTES, "postern_%.*s%s%s", before, name, after,
		 !unit ? "" : *after ? "_bytes" : "bytes");
	for (char *p = family; *p; p++)
		if (*p == '.' || *p == '-')
			*p = '_';
	return unit;
}

static void print_counter(FILE *out, const struct metrics *m, const struct ctl_counter *c)
{
	char family[NAME_MAX_BYTES];
	const char *unit = name_family(c->name, family) ? "bytes" : NULL;
	bool grows = c->kind == CTL_COUNTER;

	if (grows)
		print_counter_head(out, m, family, unit, c->description);
	else
		print_head(out, family, GAUGE, unit, c->description);
	print_plain(out, m, family, grows ? "_total" : "", c->value);
}

static uint64_t value_of(const struct metrics *m, const char *name)
{
	for (size_t i = 0; i < m->n_counters; i++)
		if (!strcmp(m->counters[i].name, name))
			return m->counters[i].value;
	return 0;
}

static void print_bucket(FILE *out, const struct metrics *m, const char *name, const char *bound,
			 uint64_t n)
{
	begin_sample(out, m, name, "_bucket", (const char *const[]){ "le", NULL },
		     (const char *const[]){ bound, NULL });
	fprintf(out, "%" PRIu64 "\n", n);
}

/* The rows "loop.up-to-4us" are the buckets as they are wanted here: each has all that is shorter. */
static void print_turns(FILE *out, const struct metrics *m)
{
	static const char prefix[] = "loop.up-to-";
	static const char name[] = "postern_loop_turn_seconds";
	uint64_t ns = value_of(m, "loop.time-ns");

	print_head(out, name, HISTOGRAM, "seconds",
		   "time from a wake-up of the loop to its next wait, which is what others wait meanwhile");
	for (size_t i = 0; i < m->n_counters; i++) {
		const struct ctl_counter *c = &m->counters[i];
		char bound[NAME_MAX_BYTES];
		uint64_t us;

		if (strncmp(c->name, prefix, strlen(prefix)) != 0)
			continue;
		us = strtoull(c->name + strlen(prefix), NULL, 10);
		snprintf(bound, sizeof(bound), "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
		print_bucket(out, m, name, bound, c->value);
	}
	print_bucket(out, m, name, "+Inf", value_of(m, "loop.turns"));
	begin_sample(out, m, name, "_sum", no_labels, no_labels);
	fprintf(out, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
	print_plain(out, m, name, "_count", value_of(m, "loop.turns"));
}

void metrics_print(FILE *out, const struct metrics *m)
{
	print_daemon(out, m);
	print_limits(out, m);
	print_sandbox(out, m);
	print_servers(out, m);
	for (size_t i = 0; i < sizeof(labelled) / sizeof(labelled[0]); i++)
		print_labelled_counters(out, &labelled[i], m);
	for (size_t i = 0; i < m->n_counters; i++)
		if (!is_elsewhere(m->counters[i].name))
			print_counter(out, m, &m->counters[i]);
	print_turns(out, m);
	fputs("# EOF\n", out);
}
