/* The flow table: lookup, limits, removal without tombstones, history. */
#include "flow/table.h"

#include <errno.h>

#include "lib/suite.h"

static struct flow_table table;

static const char *state(const struct flow *f)
{
	return "ESTABLISHED";
}

static const struct flow_class class = { .name = "tcp", .state = state };

static struct flow make(unsigned i)
{
	return (struct flow){ .class = &class,
			      .key = { .guest = addr_ip4(0x0a00020f),
				       .peer = addr_ip4(0xc6336400 | (i >> 16)),
				       .guest_port = (uint16_t)i,
				       .peer_port = 80,
				       .proto = FLOW_TCP } };
}

START_TEST(insert_lookup_remove)
{
	enum { N = 5000 };
	struct flow *flows = calloc(N, sizeof(*flows));

	ck_assert_int_eq(flow_table_init(&table, N), 0);
	for (unsigned i = 0; i < N; i++) {
		flows[i] = make(i);
		ck_assert_int_eq(flow_table_insert(&table, &flows[i], i), 0);
	}
	for (unsigned i = 0; i < N; i += 3)
		flow_table_remove(&table, &flows[i], FLOW_CLOSED_IDLE, N);
	for (unsigned i = 0; i < N; i++)
		ck_assert_ptr_eq(flow_table_lookup(&table, &flows[i].key),
				 i % 3 ? &flows[i] : NULL);
	for (unsigned i = 0; i < N; i++)
		if (i % 3)
			flow_table_remove(&table, &flows[i], FLOW_CLOSED_FINISHED, N);
	ck_assert_uint_eq(table.n, 0);
	ck_assert_uint_eq(table.n_closed, N);
	ck_assert_uint_eq(table.by_reason[FLOW_CLOSED_IDLE], (N + 2) / 3);
	ck_assert_uint_eq(table.by_proto_reason[FLOW_TCP][FLOW_CLOSED_IDLE], (N + 2) / 3);
	ck_assert(list_empty(&table.all));
	flow_table_free(&table);
	free(flows);
}
END_TEST

START_TEST(limit_and_duplicates)
{
	struct flow a = make(1), b = make(1), c = make(2);

	ck_assert_int_eq(flow_table_init(&table, 1), 0);
	ck_assert_int_eq(flow_table_insert(&table, &a, 0), 0);
	ck_assert_int_eq(flow_table_insert(&table, &c, 0), -ENOSPC);
	table.max = 2;
	ck_assert_int_eq(flow_table_insert(&table, &b, 0), -EEXIST);
	ck_assert_int_eq(flow_table_insert(&table, &c, 0), 0);
	ck_assert_uint_eq(a.id, 1);
	ck_assert_uint_eq(c.id, 2);
	ck_assert_ptr_eq(flow_table_by_id(&table, 2), &c);
	ck_assert_ptr_null(flow_table_by_id(&table, 3));
	flow_table_remove(&table, &a, FLOW_CLOSED_FINISHED, 0);
	flow_table_remove(&table, &c, FLOW_CLOSED_FINISHED, 0);
	flow_table_free(&table);
}
END_TEST

/* A walk by id, with flows that come and go meanwhile. */
START_TEST(walk_by_id)
{
	enum { N = 2000, ROUNDS = 20 };
	struct flow *flows = calloc(N, sizeof(*flows));
	struct flow *f;
	unsigned n = 0;

	ck_assert_int_eq(flow_table_init(&table, N), 0);
	ck_assert_ptr_null(flow_table_next(&table, 0));
	for (unsigned i = 0; i < N; i++) {
		flows[i] = make(i);
		ck_assert_int_eq(flow_table_insert(&table, &flows[i], 0), 0);
	}
	/* flow 0 stays; all others end and come again with new ids */
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 1; i < N; i++)
			flow_table_remove(&table, &flows[i], FLOW_CLOSED_IDLE, 0);
		for (unsigned i = 1; i < N; i++)
			ck_assert_int_eq(flow_table_insert(&table, &flows[i], 0), 0);
	}
	ck_assert_uint_le(table.cap_refs, 2 * N + 256); /* the holes were closed */
	ck_assert_ptr_eq(flow_table_by_id(&table, 1), &flows[0]);
	ck_assert_ptr_null(flow_table_by_id(&table, 2));
	ck_assert_ptr_eq(flow_table_by_id(&table, flows[N - 1].id), &flows[N - 1]);
	for (f = flow_table_next(&table, 0); f; f = flow_table_next(&table, f->id)) {
		ck_assert_ptr_eq(f, &flows[n]);
		n++;
		if (f ==
		    &flows[1]) { /* ends while the walk stands on it, and so does the next */
			flow_table_remove(&table, &flows[1], FLOW_CLOSED_IDLE, 0);
			flow_table_remove(&table, &flows[2], FLOW_CLOSED_IDLE, 0);
			n++;
		}
	}
	ck_assert_uint_eq(n, N);
	ck_assert_ptr_null(flow_table_next(&table, UINT64_MAX));
	while ((f = flow_table_next(&table, 0)))
		flow_table_remove(&table, f, FLOW_CLOSED_SHUTDOWN, 0);
	flow_table_free(&table);
	free(flows);
}
END_TEST

/* Twenty bits, the same each time, and seldom those of another flow (RFC 6437 2). */
START_TEST(labels)
{
	unsigned n_same = 0;

	ck_assert_int_eq(flow_table_init(&table, 1), 0);
	for (unsigned i = 0; i < 1000; i++) {
		struct flow a = make(i), b = make(i + 1);
		uint32_t label = flow_table_label(&table, &a.key);

		ck_assert_uint_eq(label, flow_table_label(&table, &a.key));
		ck_assert_uint_lt(label, 1u << 20);
		n_same += label == flow_table_label(&table, &b.key);
	}
	ck_assert_uint_lt(n_same, 10);
	flow_table_free(&table);
}
END_TEST

static uint64_t rate_out(const struct flow *f, uint64_t now_ns)
{
	return (uint64_t)flow_rate_at(f->rate_out, f->rated_ns, now_ns);
}

START_TEST(rates)
{
	const uint64_t start = 1000 * NS_PER_SEC;
	struct flow f = make(0);
	uint64_t now = start;

	ck_assert_uint_eq(rate_out(&f, now), 0);
	/* what came once is forgotten within a second, however long ago the last was */
	flow_count(&f, now, 1000, 0);
	flow_count(&f, now, 1000, 24);
	ck_assert_uint_eq(rate_out(&f, now), 2000);
	ck_assert_uint_eq(rate_out(&f, now + NS_PER_SEC / 4), 1500);
	ck_assert_uint_eq(rate_out(&f, now + NS_PER_SEC - 1), 0);
	ck_assert_uint_eq(rate_out(&f, now + NS_PER_SEC), 0);
	ck_assert_uint_eq(rate_out(&f, UINT64_MAX), 0);
	ck_assert_uint_eq((uint64_t)f.rate_in, 24);
	now += NS_PER_SEC / 2;
	flow_count(&f, now, 0, 24);
	ck_assert_uint_eq((uint64_t)f.rate_in, 36);
	ck_assert_uint_eq(rate_out(&f, now), 1000);
	ck_assert_uint_eq(f.bytes_out, 2000);
	ck_assert_uint_eq(f.bytes_in, 48);
	/* 10 MB a second, in steps of a millisecond: known within some seconds, and nothing
	 * else remains */
	f.rate_out = 5e9f;
	for (unsigned ms = 0; ms < 25000; ms++)
		flow_count(&f, now += NS_PER_MS, 10000, 0);
	ck_assert_uint_ge(rate_out(&f, now), 9990000);
	ck_assert_uint_le(rate_out(&f, now), 10010000);
	ck_assert_uint_eq(rate_out(&f, now + NS_PER_SEC), 0);
}
END_TEST

SUITE_MAIN("table", insert_lookup_remove, limit_and_duplicates, walk_by_id, labels, rates)
