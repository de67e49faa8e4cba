/* cli/top_layout.c: see cli/top_layout.h. */
#include "cli/top_layout.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define PEER_WANTED   20 /* for less, columns are left out */
#define PEER_WIDE     40 /* from here on, the guest's end gets more */
#define GUEST_PORT    6	 /* ":65535" */
#define GUEST_IP4     21
#define GUEST_IP6     47
#define ID_MIN	      5
#define BAR_MIN	      8
#define BAR_TEXT      9 /* "   1.2M/s" */

static const struct {
	const char *head;
	unsigned width;
	bool right;
	unsigned rank; /* what is left out first has the lowest; 0: what stays */
} columns[TOP_N_COLUMNS] = {
	[TOP_COLUMN_ID] = { "ID", ID_MIN, true, 8 },
	[TOP_COLUMN_PROTO] = { "PROTO", 5, false, 7 },
	[TOP_COLUMN_DIR] = { "DIR", 3, false, 2 },
	[TOP_COLUMN_STATE] = { "STATE", 11, false, 4 },
	[TOP_COLUMN_GUEST] = { "GUEST", GUEST_PORT, false, 6 },
	[TOP_COLUMN_PEER] = { "PEER", 0, false, 0 },
	[TOP_COLUMN_IN] = { "IN/s", 5, true, 0 },
	[TOP_COLUMN_OUT] = { "OUT/s", 5, true, 0 },
	[TOP_COLUMN_TOTAL] = { "TOTAL", 5, true, 5 },
	[TOP_COLUMN_AGE] = { "AGE", 6, true, 1 },
	[TOP_COLUMN_IDLE] = { "IDLE", 6, true, 3 },
};
#define RANKS 8

/* Both rates together stand in no column. */
static const enum top_column sorted_columns[TOP_N_SORTS] = {
	[TOP_SORT_RATE] = TOP_N_COLUMNS,      [TOP_SORT_IN] = TOP_COLUMN_IN,
	[TOP_SORT_OUT] = TOP_COLUMN_OUT,      [TOP_SORT_TOTAL] = TOP_COLUMN_TOTAL,
	[TOP_SORT_AGE] = TOP_COLUMN_AGE,      [TOP_SORT_IDLE] = TOP_COLUMN_IDLE,
	[TOP_SORT_ID] = TOP_COLUMN_ID,
};

static unsigned digits(uint64_t n)
{
	unsigned count = 1;

	for (; n >= 10; n /= 10)
		count++;
	return count;
}

/* Of all columns but the peer's, with a blank behind each. */
static unsigned width_of_others(const struct top_layout *l)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < TOP_N_COLUMNS; i++)
		if (l->widths[i])
			sum += l->widths[i] + 1;
	return sum;
}

static void leave_out(struct top_layout *l, unsigned rank)
{
	for (unsigned i = 0; i < TOP_N_COLUMNS; i++)
		if (columns[i].rank == rank)
			l->widths[i] = 0;
}

/* Room beyond what the peer wants first makes the guest's end wider. */
static void share(struct top_layout *l, unsigned room)
{
	unsigned *guest = &l->widths[TOP_COLUMN_GUEST], more;

	if (*guest && room >= PEER_WANTED + GUEST_IP4 - GUEST_PORT) {
		l->guest_ports = false;
		room -= GUEST_IP4 - *guest;
		*guest = GUEST_IP4;
		more = room > PEER_WIDE ? room - PEER_WIDE : 0;
		if (more > GUEST_IP6 - GUEST_IP4)
			more = GUEST_IP6 - GUEST_IP4;
		*guest += more;
		room -= more;
	}
	l->widths[TOP_COLUMN_PEER] = room;
}

struct top_layout top_layout_fit(unsigned width, uint64_t max_id)
{
	struct top_layout l = { .guest_ports = true };
	unsigned others;

	if (width > TOP_LINE_MAX - 1)
		width = TOP_LINE_MAX - 1;
	for (unsigned i = 0; i < TOP_N_COLUMNS; i++)
		l.widths[i] = columns[i].width;
	if (digits(max_id) > ID_MIN)
		l.widths[TOP_COLUMN_ID] = digits(max_id);
	for (unsigned rank = 1; rank <= RANKS && width_of_others(&l) + PEER_WANTED > width; rank++)
		leave_out(&l, rank);
	others = width_of_others(&l);
	share(&l, width > others ? width - others : 0);
	return l;
}

static void add(char *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(char *buf, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + len, TOP_LINE_MAX - len, fmt, ap);
	va_end(ap);
}

/* Of an end, the port stays. */
static void add_cut(char *buf, const char *text, int width)
{
	const char *port = strrchr(text, ':');
	int len = port ? (int)strlen(port) : 0;

	if (len + 1 >= width)
		len = 0;
	add(buf, "%.*s+%s", width - 1 - len, text, len ? port : "");
}

/* A cell as wide as its column, with a blank before it unless it is the first. */
static void add_cell(const struct top_layout *l, enum top_column column, const char *text, char *buf)
{
	int width = (int)l->widths[column];

	if (!width)
		return;
	add(buf, "%s", *buf ? " " : "");
	if ((int)strlen(text) > width)
		add_cut(buf, text, width);
	else
		add(buf, "%*s", columns[column].right ? width : -width, text);
}

const char *top_heads(const struct top_layout *l, char buf[static TOP_LINE_MAX])
{
	*buf = '\0';
	for (unsigned i = 0; i < TOP_N_COLUMNS; i++)
		add_cell(l, i, columns[i].head, buf);
	return buf;
}

unsigned top_sorted_head(const struct top_layout *l, enum top_sort sort, unsigned *at)
{
	enum top_column column = sorted_columns[sort];
	unsigned len;

	*at = 0;
	if (column == TOP_N_COLUMNS || !l->widths[column])
		return 0;
	for (unsigned i = 0; i < column; i++)
		if (l->widths[i])
			*at += l->widths[i] + 1;
	len = (unsigned)strlen(columns[column].head);
	if (columns[column].right)
		*at += l->widths[column] - len;
	return len;
}

static const char *cell_text(const struct top_layout *l, const struct top_flow *f, enum top_column column,
			     bool names, char buf[static TOP_END_MAX])
{
	switch (column) {
	case TOP_COLUMN_ID:
		snprintf(buf, TOP_END_MAX, "%" PRIu64, f->id);
		return buf;
	case TOP_COLUMN_PROTO:
		return ctl_proto_names[f->proto];
	case TOP_COLUMN_DIR:
		return ctl_dir_names[f->dir];
	case TOP_COLUMN_STATE:
		return f->state;
	case TOP_COLUMN_GUEST:
		if (!l->guest_ports)
			return top_guest_text(f, buf);
		snprintf(buf, TOP_END_MAX, ":%u", f->guest.port);
		return buf;
	case TOP_COLUMN_PEER:
		return top_peer_text(f, names, buf);
	case TOP_COLUMN_IN:
		return top_rate_text(f->has_rate, f->rate_in, buf);
	case TOP_COLUMN_OUT:
		return top_rate_text(f->has_rate, f->rate_out, buf);
	case TOP_COLUMN_TOTAL:
		return text_bytes(f->bytes_in + f->bytes_out, buf);
	case TOP_COLUMN_AGE:
		return text_duration(f->age_ms, buf);
	case TOP_COLUMN_IDLE:
	case TOP_N_COLUMNS:
		break;
	}
	return text_duration(f->idle_ms, buf);
}

const char *top_row(const struct top_layout *l, const struct top_flow *f, bool names,
		    char buf[static TOP_LINE_MAX])
{
	char text[TOP_END_MAX];

	*buf = '\0';
	for (unsigned i = 0; i < TOP_N_COLUMNS; i++)
		add_cell(l, i, cell_text(l, f, i, names, text), buf);
	return buf;
}

const char *top_daemon_line(const struct top_sample *s, char buf[static TOP_LINE_MAX])
{
	char up[TEXT_MAX];

	snprintf(buf, TOP_LINE_MAX, "postern %s, process %" PRIu64 ", up %s, ", s->version, s->pid,
		 text_duration(s->uptime_ms, up));
	if (!s->connected)
		add(buf, "no guest");
	else
		add(buf, "guest%s%s%s%s%s%s", *s->mac ? " " : "", s->mac, *s->addr ? " " : "", s->addr,
		    *s->addr6 ? " " : "", s->addr6);
	return buf;
}

const char *top_flows_line(const struct top_model *m, char buf[static TOP_LINE_MAX])
{
	const struct ctl_flow_count *c = &m->now.count;

	snprintf(buf, TOP_LINE_MAX,
		 "%" PRIu64 " of %" PRIu64 " flows: %" PRIu64 " tcp, %" PRIu64 " udp, %" PRIu64 " icmp",
		 c->open, c->max, c->tcp, c->udp, c->icmp);
	if (m->totals.has_rates)
		add(buf, "   drops %" PRIu64 "/s   DNS %" PRIu64 "/s", m->totals.drops,
		    m->totals.dns_queries);
	return buf;
}

const char *top_rates_line(const struct top_totals *t, char buf[static TOP_LINE_MAX])
{
	char in[TEXT_MAX], out[TEXT_MAX];

	snprintf(buf, TOP_LINE_MAX, "In %s/s, out %s/s", top_rate_text(t->has_rates, t->in, in),
		 top_rate_text(t->has_rates, t->out, out));
	return buf;
}

unsigned top_bar_line(const char *name, bool known, uint64_t rate, uint64_t peak, unsigned width,
		      unsigned *at, char buf[static TOP_LINE_MAX])
{
	char now_text[TEXT_MAX], peak_text[TEXT_MAX];
	unsigned room, filled;

	if (width > TOP_LINE_MAX - 1)
		width = TOP_LINE_MAX - 1;
	snprintf(buf, TOP_LINE_MAX, "%-3s %6s/s", name, top_rate_text(known, rate, now_text));
	*at = (unsigned)strlen(buf) + 2;
	if (width < *at + BAR_MIN + 1 + BAR_TEXT)
		return 0;
	room = width - *at - 1 - BAR_TEXT;
	filled = peak ? (unsigned)((double)rate / (double)peak * room + 0.5) : 0;
	if (filled > room)
		filled = room;
	add(buf, " [");
	for (unsigned i = 0; i < room; i++)
		add(buf, "%c", i < filled ? '|' : ' ');
	add(buf, "] %6s/s", top_rate_text(known, peak, peak_text));
	return filled;
}
