/* cli/top_view.c: see cli/top_view.h.
 *
 *    postern 0.1.0, process 4711, up 3h04m, guest ...     what is left out first
 *    12 of 65536 flows ...                                when there are few lines
 *    In  ... [||||    ] ...
 *    Out ... [||      ] ...
 *       ID PROTO ...
 *        1 tcp ...
 *    message, question, or keys
 */
#include "cli/top_view.h"

#include <inttypes.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "cli/top_layout.h"

#define ABOVE_MAX   4 /* lines above the heads */
#define OTHER_LINES 4 /* the heads, two rows at least, and the last line */
#define ESCAPE_MS   50 /* until an escape is the key itself, and no longer one that sends more */

enum { PAIR_BAR = 1, PAIR_HEAD, PAIR_ALARM, PAIR_ENDED };

static SCREEN *screen;
static bool has_colours;

static void prepare_colours(bool wanted)
{
	has_colours = wanted && has_colors() && start_color() == OK;
	if (!has_colours)
		return;
	use_default_colors();
	init_pair(PAIR_BAR, COLOR_GREEN, -1);
	init_pair(PAIR_HEAD, COLOR_BLACK, COLOR_GREEN);
	init_pair(PAIR_ALARM, COLOR_RED, -1);
	init_pair(PAIR_ENDED, COLOR_CYAN, -1);
}

int top_view_open(bool colours, char error[static CTL_ERROR_MAX])
{
	const char *term = getenv("TERM");
	int status;

	if (!isatty(STDIN_FILENO)) {
		snprintf(error, CTL_ERROR_MAX, "standard input is no terminal: --batch needs none");
		return -1;
	}
	if (setupterm(NULL, STDOUT_FILENO, &status) == OK) {
		del_curterm(cur_term); /* newterm() has its own, but leaks where there is none */
		screen = newterm(NULL, stdout, stdin);
	}
	if (!screen) {
		snprintf(error, CTL_ERROR_MAX, "a terminal '%s' is not known here: --batch needs none",
			 term ? term : "");
		return -1;
	}
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	prepare_colours(colours);
	return 0;
}

void top_view_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

void top_view_redraw(void)
{
	clearok(stdscr, TRUE);
}

void top_view_resize(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

int top_view_key(void)
{
	int key = getch();

	switch (key) {
	case ERR:
		return -1;
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	case KEY_F(1):
		return 'h';
	case KEY_F(10):
		return 'q';
	case 27:
		return TOP_KEY_ESCAPE;
	case 'L' - '@':
		return TOP_KEY_REDRAW;
	default:
		return key < TOP_KEY_UP ? key : 0;
	}
}

/* Colour, or what stands for it where there is none. */
static attr_t look_of(short pair, attr_t instead)
{
	return has_colours ? (attr_t)COLOR_PAIR(pair) : instead;
}

/* A line, as far as it fits. */
static void put(int y, attr_t look, const char *text)
{
	attrset((int)look);
	mvaddnstr(y, 0, text, COLS);
	attrset(A_NORMAL);
}

/* Likewise, with the look up to the edge. */
static void put_wide(int y, attr_t look, const char *text)
{
	put(y, look, text);
	mvchgat(y, 0, -1, look & ~A_COLOR, (short)PAIR_NUMBER(look), NULL);
}

static void put_bar(int y, const char *name, bool known, uint64_t rate, uint64_t peak)
{
	char line[TOP_LINE_MAX];
	unsigned at, filled = top_bar_line(name, known, rate, peak, (unsigned)COLS, &at, line);

	put(y, A_NORMAL, line);
	if (filled)
		mvchgat(y, (int)at, (int)filled, A_NORMAL, has_colours ? PAIR_BAR : 0, NULL);
}

/* Returns how many lines it took. */
static int draw_above(const struct top_model *m, int room)
{
	const struct top_totals *t = &m->totals;
	char line[TOP_LINE_MAX];
	int y = 0;

	if (room <= 0)
		return 0;
	if (room == 1) {
		put(0, A_BOLD, top_rates_line(t, line));
		return 1;
	}
	if (room >= ABOVE_MAX)
		put(y++, A_BOLD, top_daemon_line(&m->now, line));
	if (room >= ABOVE_MAX - 1)
		put(y++, A_NORMAL, top_flows_line(m, line));
	put_bar(y++, "In", t->has_rates, t->in, t->peak_in);
	put_bar(y++, "Out", t->has_rates, t->out, t->peak_out);
	return y;
}

static uint64_t highest_id(const struct top_model *m)
{
	return m->now.n_flows ? m->now.flows[m->now.n_flows - 1].id : 0;
}

static void draw_rows(const struct top_model *m, struct top_look *look, int y)
{
	struct top_layout layout = top_layout_fit((unsigned)COLS, highest_id(m));
	attr_t head = look_of(PAIR_HEAD, A_REVERSE);
	char line[TOP_LINE_MAX];
	unsigned at, len = top_sorted_head(&layout, m->sort, &at);

	if (y >= LINES - 1)
		return;
	put_wide(y, head, top_heads(&layout, line));
	if (len)
		mvchgat(y, (int)at, (int)len, A_BOLD | A_REVERSE, 0, NULL);
	look->page = LINES - 2 > y ? (size_t)(LINES - 2 - y) : 1;
	top_look_follow(look, m);
	for (size_t i = look->first; i < m->n_rows && ++y < LINES - 1; i++) {
		const struct top_flow *f = m->rows[i];

		top_row(&layout, f, !look->addresses, line);
		if (f->id == look->cursor)
			put_wide(y, A_REVERSE, line);
		else
			put(y, f->closed ? look_of(PAIR_ENDED, A_DIM) : A_NORMAL, line);
	}
}

static void draw_last(const struct top_model *m, const struct top_look *look)
{
	char line[TOP_LINE_MAX];
	int y = LINES - 1;

	if (look->asking) {
		snprintf(line, sizeof(line), "Close flow %" PRIu64 "? (y/n)", look->asking);
		put(y, A_BOLD, line);
	} else if (look->message[0]) {
		put(y, look->alarm ? look_of(PAIR_ALARM, 0) | A_BOLD : A_BOLD, look->message);
	} else {
		snprintf(line, sizeof(line), "%sh help  q quit  <> by %s%s  f %s  c %s  k close",
			 look->paused ? "PAUSED  " : "", top_sort_names[m->sort],
			 m->reverse ? " reversed" : "", m->by_proto ? ctl_proto_names[m->proto] : "all",
			 m->closed ? "open and ended" : "open");
		put(y, A_NORMAL, line);
	}
}

static void draw_help(void)
{
	for (int y = 0; top_help[y] && y < LINES - 1; y++)
		put(y, A_NORMAL, top_help[y]);
	put(LINES - 1, A_BOLD, "any key: back");
}

void top_view_draw(const struct top_model *m, struct top_look *look)
{
	int room = LINES - OTHER_LINES;

	erase();
	if (look->help) {
		draw_help();
	} else {
		if (m->has_sample)
			draw_rows(m, look, draw_above(m, room < ABOVE_MAX ? room : ABOVE_MAX));
		draw_last(m, look);
	}
	refresh();
}
