/* The keys of posternctl top: the mark that stays on its flow, the question before one is closed. */
#include "cli/top_look.h"

#include <string.h>

#include "lib/suite.h"

static struct top_look look;
static struct top_model model;
static uint64_t uptime_ms;

/* A sample with flows, each with its id and bytes. */
static void sample(const uint64_t flows[][2], size_t n)
{
	const struct ctl_status status = { .version = "1", .pid = 1, .uptime_ms = ++uptime_ms };
	struct top_sample s = { 0 };

	top_sample_status(&s, &status);
	for (size_t i = 0; i < n; i++) {
		const struct ctl_flow f = { .id = flows[i][0], .bytes_in = flows[i][1], .state = "OPEN" };

		ck_assert_int_eq(top_sample_flow(&s, &f), 0);
	}
	ck_assert_int_eq(top_model_take(&model, &s), 0);
	top_look_follow(&look, &model);
}
#define SAMPLE(...)                                                                            \
	sample((const uint64_t[][2]){ __VA_ARGS__ },                                           \
	       sizeof((const uint64_t[][2]){ __VA_ARGS__ }) / sizeof(uint64_t[2]))

static enum top_do press(int key)
{
	return top_look_key(&look, &model, key);
}

static void fresh(size_t page)
{
	top_model_free(&model);
	model = (struct top_model){ .sort = TOP_SORT_TOTAL };
	look = (struct top_look){ .delay = 2, .page = page };
}

START_TEST(mark_stays_on_its_flow)
{
	fresh(10);
	SAMPLE({ 1, 30 }, { 2, 20 }, { 3, 10 });
	ck_assert_uint_eq(look.cursor, 0);
	press(TOP_KEY_DOWN);
	ck_assert_uint_eq(look.cursor, 1);
	press(TOP_KEY_DOWN);
	ck_assert_uint_eq(look.cursor, 2);
	SAMPLE({ 1, 30 }, { 2, 90 }, { 3, 50 });
	ck_assert_uint_eq(look.cursor, 2);
	ck_assert_uint_eq(look.cursor_row, 0);
	press(TOP_KEY_DOWN);
	ck_assert_uint_eq(look.cursor, 3);
	SAMPLE({ 1, 30 }, { 2, 90 }); /* gone: what is in its place now */
	ck_assert_uint_eq(look.cursor, 1);
	press('R');
	ck_assert_uint_eq(look.cursor, 1);
	ck_assert_uint_eq(look.cursor_row, 0);
	SAMPLE({ 5, 1 });
	ck_assert_uint_eq(look.cursor, 5);
	sample(NULL, 0);
	ck_assert_uint_eq(look.cursor, 0);
	for (int key = 0; key <= TOP_KEY_REDRAW; key++) /* none of them needs a flow */
		press(key);
}
END_TEST

START_TEST(scrolls)
{
	fresh(3);
	SAMPLE({ 1, 9 }, { 2, 8 }, { 3, 7 }, { 4, 6 }, { 5, 5 }, { 6, 4 }, { 7, 3 });
	press(TOP_KEY_END);
	ck_assert_uint_eq(look.cursor, 7);
	ck_assert_uint_eq(look.first, 4);
	press(TOP_KEY_PAGE_UP);
	ck_assert_uint_eq(look.cursor, 4);
	ck_assert_uint_eq(look.first, 3);
	press(TOP_KEY_HOME);
	ck_assert_uint_eq(look.cursor, 1);
	press(TOP_KEY_UP);
	ck_assert_uint_eq(look.cursor, 1);
	press(TOP_KEY_PAGE_DOWN);
	ck_assert_uint_eq(look.cursor, 4);
	ck_assert_uint_eq(look.first, 1);
	look.page = 1; /* a smaller window */
	top_look_follow(&look, &model);
	ck_assert_uint_eq(look.first, 3);
	look.page = 100;
	top_look_follow(&look, &model);
	ck_assert_uint_eq(look.first, 0);
	press(TOP_KEY_ESCAPE);
	ck_assert_uint_eq(look.cursor, 0);
}
END_TEST

START_TEST(closing_is_asked)
{
	fresh(10);
	SAMPLE({ 1, 2 }, { 2, 1 });
	ck_assert_int_eq(press('k'), TOP_DO_DRAW);
	ck_assert_uint_eq(look.asking, 0);
	ck_assert_str_ne(look.message, "");
	press(TOP_KEY_DOWN);
	press('k');
	ck_assert_uint_eq(look.asking, 1);
	SAMPLE({ 1, 2 }, { 2, 9 }); /* it is that flow, whatever happens meanwhile */
	ck_assert_int_eq(press('n'), TOP_DO_DRAW);
	ck_assert_uint_eq(look.asking, 0);
	ck_assert(!look.addresses); /* was the answer, and nothing else */
	press('k');
	ck_assert_int_eq(press('q'), TOP_DO_DRAW); /* not yes, and no more than that */
	press('k');
	SAMPLE({ 2, 9 });
	ck_assert_int_eq(press('y'), TOP_DO_CLOSE);
	ck_assert_uint_eq(look.closing, 1);
}
END_TEST

START_TEST(orders)
{
	unsigned sort = 0;

	fresh(10);
	SAMPLE({ 1, 1 }, { 2, 2 });
	for (const char *p = "riotalN"; *p; p++) {
		press(*p);
		ck_assert_uint_eq(model.sort, sort++);
	}
	ck_assert_uint_eq(model.rows[0]->id, 1);
	press('R');
	ck_assert_uint_eq(model.rows[0]->id, 2);
	press('>');
	ck_assert_uint_eq(model.sort, TOP_SORT_RATE);
	press('<');
	ck_assert_uint_eq(model.sort, TOP_SORT_ID);
	press('<');
	ck_assert_uint_eq(model.sort, TOP_SORT_IDLE);
}
END_TEST

START_TEST(choices)
{
	fresh(10);
	SAMPLE({ 1, 1 });
	press('f');
	ck_assert(model.by_proto);
	ck_assert_str_eq(ctl_proto_names[model.proto], "tcp");
	press('f');
	ck_assert_str_eq(ctl_proto_names[model.proto], "udp");
	ck_assert_uint_eq(model.n_rows, 0);
	press('f');
	ck_assert_str_eq(ctl_proto_names[model.proto], "icmp");
	press('f');
	ck_assert(!model.by_proto);
	ck_assert_uint_eq(model.n_rows, 1);
	ck_assert_int_eq(press('c'), TOP_DO_SAMPLE);
	ck_assert(model.closed);
	ck_assert_int_eq(press('p'), TOP_DO_DRAW);
	ck_assert(look.paused);
	ck_assert_int_eq(press('p'), TOP_DO_SAMPLE);
	ck_assert_int_eq(press(' '), TOP_DO_SAMPLE);
	press('n');
	ck_assert(look.addresses);
	press('-');
	press('-');
	ck_assert_uint_eq(look.delay, 1);
	press('+');
	ck_assert_uint_eq(look.delay, 2);
	press('h');
	ck_assert(look.help);
	press('k'); /* any key */
	ck_assert(!look.help);
	ck_assert_int_eq(press(TOP_KEY_REDRAW), TOP_DO_REDRAW);
	ck_assert_int_eq(press('q'), TOP_DO_QUIT);
}
END_TEST

START_TEST(messages)
{
	fresh(10);
	top_look_say(&look, true, "%s", "\x1b[2J no");
	ck_assert_str_eq(look.message, "\\x1b[2J no");
	press('r');
	ck_assert_str_ne(look.message, ""); /* what went wrong stays until it is right */
	look.alarm = false;
	press('r');
	ck_assert_str_eq(look.message, "");
}
END_TEST

SUITE_MAIN("top_look", mark_stays_on_its_flow, scrolls, closing_is_asked, orders, choices, messages)
