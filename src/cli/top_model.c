/* cli/top_model.c: see cli/top_model.h. */
#include "cli/top_model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MS_PER_SECOND 1000

const char *const top_sort_names[] = { "rate", "in", "out", "total", "age", "idle", "id", NULL };

/* Samples */

void top_sample_status(struct top_sample *s, const struct ctl_status *status)
{
	const struct ctl_guest *g = &status->guest;

	text_escape(status->version, s->version, sizeof(s->version));
	s->pid = status->pid;
	s->uptime_ms = status->uptime_ms;
	s->connected = g->connected;
	if (g->has & CTL_GUEST_HAS_MAC)
		mac_print(&g->mac, s->mac);
	if (g->has & CTL_GUEST_HAS_ADDR)
		addr_print(&g->addr, s->addr);
	if (g->ip6.n)
		addr_print(g->ip6.items, s->addr6);
	s->count = status->flows;
}

void top_sample_counter(struct top_sample *s, const struct ctl_counter *c)
{
	if (!strcmp(c->name, "link.bytes-out"))
		s->link_in = c->value;
	else if (!strcmp(c->name, "link.bytes-in"))
		s->link_out = c->value;
	else if (!strcmp(c->name, "dns.queries"))
		s->dns_queries = c->value;
	else if (!strncmp(c->name, "drop.", strlen("drop.")))
		s->drops += c->value;
}

int top_sample_flow(struct top_sample *s, const struct ctl_flow *f)
{
	bool closed = f->has & CTL_FLOW_HAS_CLOSED;
	struct top_flow *t;

	if (s->n_flows == s->cap_flows) {
		size_t cap = s->cap_flows ? s->cap_flows * 2 : 256;

		t = realloc(s->flows, cap * sizeof(*t));
		if (!t)
			return -ENOMEM;
		s->flows = t;
		s->cap_flows = cap;
	}
	t = &s->flows[s->n_flows++];
	*t = (struct top_flow){ .id = f->id,
				.proto = f->proto,
				.dir = f->dir,
				.closed = closed,
				.guest = f->guest,
				.peer = f->peer,
				.bytes_in = f->bytes_in,
				.bytes_out = f->bytes_out,
				.age_ms = f->age_ms,
				.idle_ms = closed ? f->closed_ms : f->idle_ms };
	text_escape(f->has & CTL_FLOW_HAS_REASON ? f->reason : f->state, t->state,
		    sizeof(t->state));
	if (f->has & CTL_FLOW_HAS_NAME)
		text_escape(f->name, t->name, sizeof(t->name));
	return 0;
}

void top_sample_free(struct top_sample *s)
{
	free(s->flows);
	*s = (struct top_sample){ 0 };
}

/* One that ended stands before itself as it was when it was still open. */
static int compare_ids(const void *a, const void *b)
{
	const struct top_flow *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (int)y->closed - (int)x->closed;
}

/* By id, each once: a flow may have ended between the answers that the sample was made of. */
static void put_in_order(struct top_sample *s)
{
	size_t n = 0;

	if (s->n_flows)
		qsort(s->flows, s->n_flows, sizeof(*s->flows), compare_ids);
	for (size_t i = 0; i < s->n_flows; i++)
		if (!n || s->flows[n - 1].id != s->flows[i].id)
			s->flows[n++] = s->flows[i];
	s->n_flows = n;
}

/* Rates */

/* What a counter grew by, a second.  One that went back has begun anew. */
static uint64_t rate(uint64_t before, uint64_t now, uint64_t ms)
{
	if (now <= before || !ms)
		return 0;
	return (uint64_t)((double)(now - before) * MS_PER_SECOND / (double)ms);
}

/* Between the samples passed `ms`; for a flow that is open in both, its age says that better. */
static void rate_flow(struct top_flow *f, const struct top_flow *before, uint64_t ms)
{
	static const struct top_flow nothing = { .id = 0 };

	if (before && !f->closed)
		ms = f->age_ms > before->age_ms ? f->age_ms - before->age_ms : 0;
	if (!before)
		before = &nothing;
	f->has_rate = true;
	f->rate_in = rate(before->bytes_in, f->bytes_in, ms);
	f->rate_out = rate(before->bytes_out, f->bytes_out, ms);
}

/* One that ended before the last sample may be seen only now, when those that ended are shown. */
static bool ended_before(const struct top_flow *f, uint64_t ms)
{
	return f->closed && f->idle_ms > ms;
}

/* Both are in the order of their ids. */
static void rate_flows(struct top_sample *now, const struct top_sample *before, uint64_t ms)
{
	size_t at = 0;

	for (size_t i = 0; i < now->n_flows; i++) {
		struct top_flow *f = &now->flows[i];

		while (at < before->n_flows && before->flows[at].id < f->id)
			at++;
		if (at < before->n_flows && before->flows[at].id == f->id)
			rate_flow(f, &before->flows[at], ms);
		else if (ended_before(f, ms))
			f->has_rate = true;
		else
			rate_flow(f, NULL, ms);
	}
}

static uint64_t highest(const uint64_t *values, size_t n)
{
	uint64_t max = 0;

	for (size_t i = 0; i < n; i++)
		if (values[i] > max)
			max = values[i];
	return max;
}

static void rate_totals(struct top_model *m, const struct top_sample *now, uint64_t ms)
{
	const struct top_sample *before = &m->now;
	struct top_totals *t = &m->totals;
	size_t at = m->n_history++ % TOP_HISTORY;
	size_t n = m->n_history < TOP_HISTORY ? m->n_history : TOP_HISTORY;

	*t = (struct top_totals){ .has_rates = true,
				  .in = rate(before->link_in, now->link_in, ms),
				  .out = rate(before->link_out, now->link_out, ms),
				  .drops = rate(before->drops, now->drops, ms),
				  .dns_queries = rate(before->dns_queries, now->dns_queries, ms) };
	m->history_in[at] = t->in;
	m->history_out[at] = t->out;
	t->peak_in = highest(m->history_in, n);
	t->peak_out = highest(m->history_out, n);
}

int top_model_take(struct top_model *m, struct top_sample *s)
{
	bool follows = m->has_sample && s->pid == m->now.pid && s->uptime_ms > m->now.uptime_ms;

	put_in_order(s);
	if (follows) {
		rate_flows(s, &m->now, s->uptime_ms - m->now.uptime_ms);
		rate_totals(m, s, s->uptime_ms - m->now.uptime_ms);
	} else {
		m->totals = (struct top_totals){ .has_rates = false };
		m->n_history = 0;
	}
	top_sample_free(&m->now);
	m->now = *s;
	m->has_sample = true;
	*s = (struct top_sample){ 0 };
	return top_model_arrange(m);
}

/* Rows */

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* In the usual order of the key: the largest first, but the one used last first, and the oldest
 * id. */
static int compare_keys(enum top_sort sort, const struct top_flow *a, const struct top_flow *b)
{
	switch (sort) {
	case TOP_SORT_IN:
		return compare(b->rate_in, a->rate_in);
	case TOP_SORT_OUT:
		return compare(b->rate_out, a->rate_out);
	case TOP_SORT_TOTAL:
		return compare(b->bytes_in + b->bytes_out, a->bytes_in + a->bytes_out);
	case TOP_SORT_AGE:
		return compare(b->age_ms, a->age_ms);
	case TOP_SORT_IDLE:
		return compare(a->idle_ms, b->idle_ms);
	case TOP_SORT_ID:
		return compare(a->id, b->id);
	case TOP_SORT_RATE:
	case TOP_N_SORTS:
		break;
	}
	return compare(b->rate_in + b->rate_out, a->rate_in + a->rate_out);
}

static int compare_rows(const void *x, const void *y, void *model)
{
	const struct top_flow *a = *(const struct top_flow *const *)x;
	const struct top_flow *b = *(const struct top_flow *const *)y;
	const struct top_model *m = model;
	int order = compare_keys(m->sort, a, b);

	return order ? (m->reverse ? -order : order) : compare(a->id, b->id);
}

int top_model_arrange(struct top_model *m)
{
	const struct top_sample *s = &m->now;

	free(m->rows);
	m->n_rows = 0;
	m->rows = malloc((s->n_flows + 1) * sizeof(m->rows[0]));
	if (!m->rows)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_flows; i++)
		if ((m->closed || !s->flows[i].closed) &&
		    (!m->by_proto || s->flows[i].proto == m->proto))
			m->rows[m->n_rows++] = &s->flows[i];
	qsort_r(m->rows, m->n_rows, sizeof(m->rows[0]), compare_rows, m);
	return 0;
}

int top_model_row(const struct top_model *m, uint64_t id)
{
	for (size_t i = 0; i < m->n_rows; i++)
		if (m->rows[i]->id == id)
			return (int)i;
	return -1;
}

void top_model_free(struct top_model *m)
{
	top_sample_free(&m->now);
	free(m->rows);
	m->rows = NULL;
	m->n_rows = 0;
}

/* Texts */

static const char *end_text(const struct top_flow *f, const struct endpoint *e,
			    char buf[static TOP_END_MAX])
{
	if (e->port || strcmp(ctl_proto_names[f->proto], "icmp") != 0)
		return endpoint_print(e, buf);
	return addr_print(&e->addr, buf);
}

const char *top_guest_text(const struct top_flow *f, char buf[static TOP_END_MAX])
{
	return end_text(f, &f->guest, buf);
}

const char *top_peer_text(const struct top_flow *f, bool names, char buf[static TOP_END_MAX])
{
	if (!names || !f->name[0])
		return end_text(f, &f->peer, buf);
	if (f->peer.port)
		snprintf(buf, TOP_END_MAX, "%s:%u", f->name, f->peer.port);
	else
		snprintf(buf, TOP_END_MAX, "%s", f->name);
	return buf;
}

const char *top_rate_text(bool known, uint64_t rate_now, char buf[static TEXT_MAX])
{
	if (known)
		return text_bytes(rate_now, buf);
	snprintf(buf, TEXT_MAX, "-");
	return buf;
}
