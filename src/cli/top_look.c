/* cli/top_look.c: see cli/top_look.h. */
#include "cli/top_look.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

const char *const top_help[] = {
	"< >          sort by the key before or after this one",
	"r i o        sort by rate, rate in, rate out",
	"t a l N      sort by total, age, idle time, id",
	"R            the other way round",
	"f            tcp, udp, icmp, or all flows",
	"c            also those that ended",
	"n            names or addresses of peers",
	"up down      mark a flow; also PgUp PgDn Home End",
	"Esc          mark none",
	"k            close the marked flow",
	"+ -          more or less seconds between samples",
	"p            pause",
	"space        sample now",
	"^L           draw the screen anew",
	"h ?          this help",
	"q            quit",
	NULL,
};

void top_look_say(struct top_look *look, bool alarm, const char *fmt, ...)
{
	char raw[CTL_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_escape(raw, look->message, sizeof(look->message));
	look->alarm = alarm;
}

static void show_cursor(struct top_look *look)
{
	if (look->cursor_row < look->first)
		look->first = look->cursor_row;
	else if (look->cursor_row >= look->first + look->page)
		look->first = look->cursor_row - look->page + 1;
}

void top_look_follow(struct top_look *look, const struct top_model *m)
{
	size_t last = m->n_rows ? m->n_rows - 1 : 0;
	int row = look->cursor ? top_model_row(m, look->cursor) : -1;

	if (!look->page)
		look->page = 1;
	if (row >= 0)
		look->cursor_row = (size_t)row;
	else if (look->cursor_row > last)
		look->cursor_row = last;
	if (look->cursor)
		look->cursor = m->n_rows ? m->rows[look->cursor_row]->id : 0;
	if (look->first + look->page > m->n_rows)
		look->first = m->n_rows > look->page ? m->n_rows - look->page : 0;
	if (look->cursor)
		show_cursor(look);
}

/* The first key marks the row at the top. */
static void move(struct top_look *look, const struct top_model *m, long by)
{
	long row = look->cursor ? (long)look->cursor_row + by : (long)look->first;

	if (!m->n_rows)
		return;
	if (row < 0)
		row = 0;
	if (row >= (long)m->n_rows)
		row = (long)m->n_rows - 1;
	look->cursor = m->rows[row]->id;
	look->cursor_row = (size_t)row;
	show_cursor(look);
}

static bool move_key(struct top_look *look, const struct top_model *m, int key)
{
	long page = (long)look->page, all = (long)m->n_rows;

	switch (key) {
	case TOP_KEY_UP:
		move(look, m, -1);
		return true;
	case TOP_KEY_DOWN:
		move(look, m, 1);
		return true;
	case TOP_KEY_PAGE_UP:
		move(look, m, -page);
		return true;
	case TOP_KEY_PAGE_DOWN:
		move(look, m, page);
		return true;
	case TOP_KEY_HOME:
		move(look, m, -all);
		return true;
	case TOP_KEY_END:
		move(look, m, look->cursor ? all : 0);
		move(look, m, all);
		return true;
	case TOP_KEY_ESCAPE:
		look->cursor = 0;
		look->first = 0;
		return true;
	default:
		return false;
	}
}

static void arrange(struct top_look *look, struct top_model *m)
{
	if (top_model_arrange(m))
		top_look_say(look, true, "out of memory");
	top_look_follow(look, m);
}

/* All, each protocol, all. */
static void next_proto(struct top_model *m)
{
	m->proto = m->by_proto ? m->proto + 1 : 0;
	m->by_proto = ctl_proto_names[m->proto];
}

/* A key that changes the order or choice of rows. */
static bool order_key(struct top_model *m, int key)
{
	static const char direct[] = "riotalN"; /* by enum top_sort */
	const char *at = key && key < TOP_KEY_UP ? strchr(direct, key) : NULL;

	if (at)
		m->sort = (enum top_sort)(at - direct);
	else if (key == '>')
		m->sort = (m->sort + 1) % TOP_N_SORTS;
	else if (key == '<')
		m->sort = (m->sort + TOP_N_SORTS - 1) % TOP_N_SORTS;
	else if (key == 'R')
		m->reverse = !m->reverse;
	else if (key == 'f')
		next_proto(m);
	else
		return false;
	return true;
}

/* Whatever is not yes is no. */
static enum top_do answer_key(struct top_look *look, int key)
{
	look->closing = look->asking;
	look->asking = 0;
	if (key == 'y' || key == 'Y')
		return TOP_DO_CLOSE;
	top_look_say(look, false, "flow %" PRIu64 " stays", look->closing);
	return TOP_DO_DRAW;
}

static enum top_do close_key(struct top_look *look, const struct top_model *m)
{
	if (!look->cursor)
		top_look_say(look, false, "mark a flow first, with the arrow keys");
	else if (m->rows[look->cursor_row]->closed)
		top_look_say(look, false, "flow %" PRIu64 " has ended", look->cursor);
	else
		look->asking = look->cursor;
	return TOP_DO_DRAW;
}

static enum top_do delay_key(struct top_look *look, bool more)
{
	if (more && look->delay < TOP_DELAY_MAX)
		look->delay++;
	else if (!more && look->delay > 1)
		look->delay--;
	top_look_say(look, false, "a sample every %u s", look->delay);
	return TOP_DO_DRAW;
}

static enum top_do other_key(struct top_look *look, struct top_model *m, int key)
{
	switch (key) {
	case 'q':
		return TOP_DO_QUIT;
	case 'h':
	case '?':
		look->help = true;
		return TOP_DO_DRAW;
	case 'p':
		look->paused = !look->paused;
		return look->paused ? TOP_DO_DRAW : TOP_DO_SAMPLE;
	case ' ':
		return TOP_DO_SAMPLE;
	case 'n':
		look->addresses = !look->addresses;
		return TOP_DO_DRAW;
	case 'c':
		m->closed = !m->closed;
		arrange(look, m);
		return TOP_DO_SAMPLE;
	case 'k':
		return close_key(look, m);
	case '+':
	case '-':
		return delay_key(look, key == '+');
	case TOP_KEY_REDRAW:
		return TOP_DO_REDRAW;
	default:
		return TOP_DO_DRAW;
	}
}

enum top_do top_look_key(struct top_look *look, struct top_model *m, int key)
{
	if (look->asking)
		return answer_key(look, key);
	if (look->help) {
		look->help = false;
		return key == 'q' ? TOP_DO_QUIT : TOP_DO_DRAW;
	}
	if (!look->alarm)
		look->message[0] = '\0';
	if (move_key(look, m, key))
		return TOP_DO_DRAW;
	if (!order_key(m, key))
		return other_key(look, m, key);
	arrange(look, m);
	return TOP_DO_DRAW;
}
