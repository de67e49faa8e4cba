/* posternctl top without a terminal: samples, rates, the order of rows, and lines of every width. */
#include "cli/top_layout.h"

#include <errno.h>
#include <string.h>

#include "lib/suite.h"

static struct top_sample sample;
static struct top_model model;

static void begin(uint64_t uptime_ms, uint64_t pid)
{
	const struct ctl_status status = { .version = "1.2.3",
					   .pid = pid,
					   .uptime_ms = uptime_ms,
					   .guest = { .connected = true },
					   .flows = { .open = 2, .max = 10, .tcp = 1, .udp = 1 } };

	top_sample_status(&sample, &status);
}

static void counter(const char *name, uint64_t value)
{
	const struct ctl_counter c = { .name = name, .value = value, .description = "" };

	top_sample_counter(&sample, &c);
}

static void add(struct ctl_flow f)
{
	if (!f.state)
		f.state = "ESTABLISHED";
	ck_assert_int_eq(top_sample_flow(&sample, &f), 0);
}

static void flow(uint64_t id, uint64_t in, uint64_t out, uint64_t age_ms)
{
	add((struct ctl_flow){ .id = id, .bytes_in = in, .bytes_out = out, .age_ms = age_ms });
}

static void ended(uint64_t id, uint64_t in, uint64_t closed_ms)
{
	add((struct ctl_flow){ .has = CTL_FLOW_HAS_REASON | CTL_FLOW_HAS_CLOSED,
			       .id = id,
			       .bytes_in = in,
			       .age_ms = 500,
			       .reason = "finished",
			       .closed_ms = closed_ms });
}

static void take(void)
{
	ck_assert_int_eq(top_model_take(&model, &sample), 0);
	ck_assert_uint_eq(sample.n_flows, 0);
}

static const struct top_flow *row_of(uint64_t id)
{
	int row = top_model_row(&model, id);

	ck_assert_int_ge(row, 0);
	return model.rows[row];
}

/* The ids of the rows. */
static void expect_rows(const uint64_t *ids, size_t n)
{
	ck_assert_uint_eq(model.n_rows, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(model.rows[i]->id, ids[i]);
}
#define ROWS(...)                                                                              \
	expect_rows((const uint64_t[]){ __VA_ARGS__ },                                         \
		    sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void fresh(struct top_model how)
{
	top_sample_free(&sample);
	top_model_free(&model);
	model = how;
}

START_TEST(first_sample_has_no_rates)
{
	char text[TEXT_MAX];

	fresh((struct top_model){ 0 });
	begin(1000, 1);
	flow(1, 5000, 100, 1000);
	take();
	ck_assert(!row_of(1)->has_rate);
	ck_assert(!model.totals.has_rates);
	ck_assert_str_eq(top_rate_text(false, 7, text), "-");
}
END_TEST

START_TEST(rates)
{
	fresh((struct top_model){ 0 });
	begin(1000, 1);
	flow(1, 5000, 100, 1000);
	counter("link.bytes-out", 100);
	counter("link.bytes-in", 1000);
	counter("drop.runt", 1);
	counter("drop.ethertype", 1);
	counter("dns.queries", 5);
	counter("dns.queries-tcp", 1000);
	take();
	begin(3000, 1);
	/* asked 500 ms later than the status: its own age says so */
	flow(1, 10000, 100, 3500);
	/* opened since */
	flow(2, 600, 20, 1);
	counter("dns.queries", 9);
	counter("drop.ethertype", 7);
	counter("drop.runt", 1);
	counter("link.bytes-in", 5000);
	counter("link.bytes-out", 100);
	take();
	ck_assert(row_of(1)->has_rate);
	ck_assert_uint_eq(row_of(1)->rate_in, 2000);
	ck_assert_uint_eq(row_of(1)->rate_out, 0);
	ck_assert_uint_eq(row_of(2)->rate_in, 300);
	ck_assert_uint_eq(row_of(2)->rate_out, 10);
	ck_assert(model.totals.has_rates);
	ck_assert_uint_eq(model.totals.in, 0);
	ck_assert_uint_eq(model.totals.out, 2000);
	ck_assert_uint_eq(model.totals.drops, 3);
	ck_assert_uint_eq(model.totals.dns_queries, 2);
}
END_TEST

START_TEST(flows_that_go)
{
	fresh((struct top_model){ .sort = TOP_SORT_ID, .closed = true });
	begin(1000, 1);
	flow(1, 100, 0, 900);
	flow(2, 100, 0, 900);
	flow(3, 100, 0, 900);
	take();
	begin(3000, 1);
	/* 1 is gone without a trace; 2 ended; 3 ended while the answers came; 4 came and went; 5 ended
	 * long ago, and is listed only now */
	flow(3, 150, 0, 2900);
	ended(5, 9000, 2500);
	ended(4, 50, 100);
	ended(3, 300, 1);
	ended(2, 1100, 1500);
	take();
	ROWS(2, 3, 4, 5);
	ck_assert_uint_eq(row_of(2)->rate_in, 500);
	ck_assert(row_of(3)->closed);
	ck_assert_str_eq(row_of(3)->state, "finished");
	ck_assert_uint_eq(row_of(3)->rate_in, 100);
	ck_assert_uint_eq(row_of(4)->rate_in, 25);
	ck_assert_uint_eq(row_of(5)->rate_in, 0);
	ck_assert_int_eq(top_model_row(&model, 1), -1);
	model.closed = false;
	ck_assert_int_eq(top_model_arrange(&model), 0);
	ck_assert_uint_eq(model.n_rows, 0);
}
END_TEST

START_TEST(counters_that_go_back)
{
	fresh((struct top_model){ 0 });
	begin(1000, 1);
	flow(1, 5000, 5000, 1000);
	flow(2, 0, 0, 1000);
	counter("link.bytes-in", 5000);
	take();
	begin(2000, 1);
	flow(1, 4000, 7000, 3000);
	flow(2, 9000, 9000, 1000); /* an age that stands still */
	counter("link.bytes-in", 4000);
	take();
	ck_assert_uint_eq(row_of(1)->rate_in, 0);
	ck_assert_uint_eq(row_of(1)->rate_out, 1000);
	ck_assert_uint_eq(row_of(2)->rate_in, 0);
	ck_assert_uint_eq(model.totals.out, 0);
}
END_TEST

/* Its ids begin anew. */
START_TEST(another_daemon)
{
	const struct {
		uint64_t uptime_ms, pid;
	} others[] = { { 9000, 2 }, { 900, 1 }, { 1000, 1 } };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fresh((struct top_model){ 0 });
		begin(1000, 1);
		flow(1, 0, 0, 1000);
		take();
		begin(others[i].uptime_ms, others[i].pid);
		flow(1, 5000, 0, 2000);
		take();
		ck_assert(!row_of(1)->has_rate);
		ck_assert(!model.totals.has_rates);
	}
}
END_TEST

START_TEST(peaks)
{
	uint64_t total = 0;

	fresh((struct top_model){ 0 });
	begin(1000, 1);
	take();
	for (uint64_t i = 1; i <= TOP_HISTORY + 1; i++) {
		begin(1000 + i * 1000, 1);
		counter("link.bytes-out", total += i == 1 ? 9000 : 10);
		take();
		ck_assert_uint_eq(model.totals.in, i == 1 ? 9000 : 10);
		ck_assert_uint_eq(model.totals.peak_in, i <= TOP_HISTORY ? 9000 : 10);
	}
}
END_TEST

START_TEST(orders)
{
	fresh((struct top_model){ 0 });
	begin(1000, 1);
	for (uint64_t id = 1; id <= 4; id++)
		flow(id, 0, 0, 0);
	take();
	begin(2000, 1);
	add((struct ctl_flow){ .id = 1, .age_ms = 1000, .bytes_in = 10, .bytes_out = 90, .idle_ms = 3 });
	add((struct ctl_flow){ .id = 2, .age_ms = 1000, .bytes_in = 50, .bytes_out = 50, .idle_ms = 1 });
	add((struct ctl_flow){ .id = 3, .age_ms = 1000, .bytes_in = 70, .bytes_out = 0, .idle_ms = 2 });
	add((struct ctl_flow){ .id = 4, .age_ms = 500, .bytes_in = 0, .bytes_out = 150, .idle_ms = 3 });
	take();
	ROWS(4, 1, 2, 3); /* of 1 and 2, which are equal, the older comes first, */
	model.reverse = true;
	top_model_arrange(&model);
	ROWS(3, 1, 2, 4); /* the other way round as well */
	model.reverse = false;
	model.sort = TOP_SORT_IN;
	top_model_arrange(&model);
	ROWS(3, 2, 1, 4);
	model.sort = TOP_SORT_OUT;
	top_model_arrange(&model);
	ROWS(4, 1, 2, 3);
	model.sort = TOP_SORT_TOTAL;
	top_model_arrange(&model);
	ROWS(4, 1, 2, 3);
	model.sort = TOP_SORT_AGE;
	top_model_arrange(&model);
	ROWS(1, 2, 3, 4);
	model.sort = TOP_SORT_IDLE;
	top_model_arrange(&model);
	ROWS(2, 3, 1, 4);
	model.sort = TOP_SORT_ID;
	model.reverse = true;
	top_model_arrange(&model);
	ROWS(4, 3, 2, 1);
}
END_TEST

START_TEST(filters)
{
	fresh((struct top_model){ .by_proto = true, .proto = 1, .sort = TOP_SORT_ID });
	begin(1000, 1);
	for (uint64_t id = 1; id <= 6; id++)
		add((struct ctl_flow){ .id = id, .proto = (unsigned)(id % 3) });
	take();
	ROWS(1, 4);
	model.proto = 2;
	top_model_arrange(&model);
	ROWS(2, 5);
	model.by_proto = false;
	top_model_arrange(&model);
	ROWS(1, 2, 3, 4, 5, 6);
}
END_TEST

START_TEST(hostile_texts)
{
	char long_state[200];
	const struct ctl_status status = { .version = "\x1b[2J" };

	fresh((struct top_model){ 0 });
	memset(long_state, 'A', sizeof(long_state) - 1);
	long_state[sizeof(long_state) - 1] = '\0';
	top_sample_status(&sample, &status);
	ck_assert_str_eq(sample.version, "\\x1b[2J");
	add((struct ctl_flow){ .id = 1, .state = "\x1b]0;x\x07" });
	add((struct ctl_flow){ .id = 2, .state = long_state });
	add((struct ctl_flow){ .id = 3, .has = CTL_FLOW_HAS_NAME, .name = "\xff\x1b.example" });
	ck_assert_str_eq(sample.flows[0].state, "\\x1b]0;x\\x07");
	ck_assert_uint_eq(strlen(sample.flows[1].state), TOP_STATE_MAX - 1);
	ck_assert_str_eq(sample.flows[2].name, "\\xff\\x1b.example");
}
END_TEST

static struct top_flow widest(void)
{
	struct top_flow f = { .id = UINT64_MAX,
			      .bytes_in = UINT64_MAX / 4,
			      .bytes_out = UINT64_MAX / 4,
			      .age_ms = UINT64_MAX,
			      .idle_ms = UINT64_MAX,
			      .has_rate = true,
			      .rate_in = UINT64_MAX,
			      .rate_out = UINT64_MAX,
			      .peer.port = 65535,
			      .guest.port = 65535 };

	memset(f.state, 'S', TOP_STATE_MAX - 1);
	memset(f.name, 'n', TOP_NAME_MAX - 1);
	memset(&f.peer.addr, 0xfe, sizeof(f.peer.addr));
	memset(&f.guest.addr, 0xfe, sizeof(f.guest.addr));
	return f;
}

START_TEST(every_width)
{
	char line[TOP_LINE_MAX];
	struct top_flow small = { .id = 1 }, large = widest();
	unsigned at;

	for (unsigned width = 0; width < TOP_LINE_MAX + 50; width++) {
		const uint64_t ids[] = { 1, 99999, UINT64_MAX };

		for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
			struct top_layout l = top_layout_fit(width, ids[i]);

			/* the rates stay, whatever the width */
			ck_assert_uint_ge(strlen(top_heads(&l, line)), 11);
			if (width >= 12)
				ck_assert_uint_le(strlen(line), width);
			ck_assert_uint_eq(strlen(top_row(&l, &small, true, line)),
					  strlen(top_heads(&l, (char[TOP_LINE_MAX]){ 0 })));
			ck_assert_uint_eq(strlen(top_row(&l, &large, true, line)),
					  strlen(top_row(&l, &small, false, line)));
			for (unsigned s = 0; s < TOP_N_SORTS; s++)
				ck_assert_uint_le(top_sorted_head(&l, s, &at) + at,
						  strlen(top_heads(&l, line)));
		}
		at = top_bar_line("Out", true, UINT64_MAX, UINT64_MAX, width, &at, line);
		ck_assert_uint_le(strlen(line), width > 12 ? width : 12);
	}
}
END_TEST

START_TEST(columns_by_width)
{
	char line[TOP_LINE_MAX];
	struct top_layout l = top_layout_fit(80, 1);
	unsigned at, len;

	ck_assert_str_eq(top_heads(&l, line),
			 "   ID PROTO DIR STATE       GUEST  PEER                  IN/s OUT/s TOTAL   IDLE");
	ck_assert_uint_eq(strlen(line), 80);
	len = top_sorted_head(&l, TOP_SORT_OUT, &at);
	ck_assert_int_eq(strncmp(line + at, "OUT/s", len), 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_uint_eq(top_sorted_head(&l, TOP_SORT_AGE, &at), 0); /* is not there */
	ck_assert_uint_eq(top_sorted_head(&l, TOP_SORT_RATE, &at), 0);
	l = top_layout_fit(20, 1);
	ck_assert_str_eq(top_heads(&l, line), "PEER      IN/s OUT/s");
	l = top_layout_fit(140, 1);
	ck_assert_ptr_nonnull(strstr(top_heads(&l, line), " AGE "));
	ck_assert(!l.guest_ports);
}
END_TEST

START_TEST(bars)
{
	char line[TOP_LINE_MAX];
	unsigned at;

	ck_assert_uint_eq(top_bar_line("In", true, 500, 1000, 44, &at, line), 10);
	ck_assert_str_eq(line, "In     500/s [||||||||||          ]   1.0K/s");
	ck_assert_uint_eq(at, 14);
	ck_assert_uint_eq(top_bar_line("Out", true, 0, 0, 44, &at, line), 0);
	ck_assert_str_eq(line, "Out      0/s [                    ]      0/s");
	ck_assert_uint_eq(top_bar_line("Out", false, 0, 0, 12, &at, line), 0);
	ck_assert_str_eq(line, "Out      -/s");
}
END_TEST

START_TEST(names_and_ends)
{
	char text[TOP_END_MAX];
	struct top_flow f = { .peer = { .port = 443 }, .guest = { .port = 40000 } };

	ck_assert_int_eq(addr_parse("198.51.100.2", &f.peer.addr), 0);
	ck_assert_str_eq(top_peer_text(&f, true, text), "198.51.100.2:443");
	strcpy(f.name, "www.example");
	ck_assert_str_eq(top_peer_text(&f, true, text), "www.example:443");
	ck_assert_str_eq(top_peer_text(&f, false, text), "198.51.100.2:443");
	f.proto = 2; /* icmp */
	f.peer.port = 0;
	ck_assert_str_eq(top_peer_text(&f, false, text), "198.51.100.2");
	ck_assert_str_eq(top_peer_text(&f, true, text), "www.example");
}
END_TEST

START_TEST(cuts)
{
	char line[TOP_LINE_MAX];
	struct top_layout l = top_layout_fit(80, 1);
	struct top_flow f = { .id = 7, .peer.port = 40000, .guest.port = 22 };

	strcpy(f.state, "a-very-long-state");
	strcpy(f.name, "a-very-long-name.example");
	ck_assert_str_eq(top_row(&l, &f, true, line),
			 "    7 tcp   out a-very-lon+ :22    a-very-long-n+:40000     -     -     0   0.0s");
	l = top_layout_fit(20, 1);
	ck_assert_str_eq(top_row(&l, &f, true, line), "a+:40000     -     -");
	l = top_layout_fit(16, 1);
	ck_assert_str_eq(top_row(&l, &f, true, line), "a-v+     -     -");
}
END_TEST

SUITE_MAIN("top", first_sample_has_no_rates, rates, flows_that_go, counters_that_go_back, another_daemon,
	   peaks, orders, filters, hostile_texts, every_width, columns_by_width, cuts, bars, names_and_ends)
