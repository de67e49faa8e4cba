/* The queue of the guest's bytes: chunks, holes, limits, the pool, and a plain array beside. */
#include "proto/tcp/recvq.h"

#include <errno.h>
#include <string.h>

#include "lib/must.h"
#include "lib/rng.h"
#include "lib/suite.h"

#define RANGES 64u	   /* more than there are at any time in a random run */
#define STREAM (1u << 20) /* the byte with sequence number n is stream[n % STREAM] */

static uint8_t stream[STREAM];
static struct tcp_recvq q;
static struct tcp_chunk_pool pool;

static void begin(uint32_t base, size_t n_chunks)
{
	struct rng rng = rng_init(7);

	for (size_t i = 0; i < STREAM; i++)
		stream[i] = (uint8_t)rng_below(&rng, 256);
	q = (struct tcp_recvq){ .base = base };
	tcp_chunk_pool_init(&pool, n_chunks * TCP_CHUNK_SIZE);
}

static void end(void)
{
	tcp_recvq_clear(&q, &pool);
	ck_assert(tcp_recvq_empty(&q));
	ck_assert_uint_eq(pool.n_used, 0);
	tcp_chunk_pool_free(&pool);
	ck_assert_uint_eq(pool.n_spare, 0);
}

/* Puts bytes of the stream, `offset` behind base. */
static int put(uint32_t offset, uint32_t len)
{
	static uint8_t copy[STREAM];
	uint32_t seq = q.base + offset, at = seq % STREAM, part = STREAM - at;

	if (len > STREAM)
		len = STREAM;
	part = part < len ? part : len;
	memcpy(copy, stream + at, part);
	memcpy(copy + part, stream, len - part);
	return tcp_recvq_put(&q, &pool, seq, copy, len);
}

/* All ready bytes are those of the stream; in how many pieces. */
static int check_ready(size_t want)
{
	struct iovec iov[TCP_RECVQ_CHUNKS + 1];
	int n = tcp_recvq_iov(&q, iov, TCP_RECVQ_CHUNKS + 1);
	uint32_t seq = q.base;
	size_t total = 0;

	must(tcp_recvq_ready(&q) == want);
	for (int i = 0; i < n; i++) {
		const uint8_t *p = iov[i].iov_base;

		must(iov[i].iov_len > 0);
		total += iov[i].iov_len;
		for (size_t j = 0; j < iov[i].iov_len; j++, seq++)
			must(p[j] == stream[seq % STREAM]);
	}
	must(total == want);
	return n;
}

static void assert_hole_range(int max, int i, uint32_t start, uint32_t stop)
{
	struct tcp_range r[RANGES];

	ck_assert_int_gt(tcp_recvq_holes(&q, r, max), i);
	ck_assert_uint_eq(r[i].start, start);
	ck_assert_uint_eq(r[i].end, stop);
}

START_TEST(empty)
{
	struct tcp_range r;
	struct iovec iov;

	begin(5, 100);
	ck_assert(tcp_recvq_empty(&q));
	ck_assert_uint_eq(tcp_recvq_ready(&q), 0);
	ck_assert_int_eq(tcp_recvq_iov(&q, &iov, 1), 0);
	ck_assert_int_eq(tcp_recvq_holes(&q, &r, 1), 0);
	ck_assert_int_eq(put(0, 0), 0);
	ck_assert(tcp_recvq_empty(&q)); /* no bytes, no memory */
	end();
}
END_TEST

START_TEST(in_order_across_chunks)
{
	begin(0xfffffff0, 100); /* and across the wrap */
	ck_assert_int_eq(put(0, 100), 0);
	ck_assert_int_eq(check_ready(100), 1);
	ck_assert_uint_eq(pool.n_used, 1);
	ck_assert_int_eq(put(100, 2 * TCP_CHUNK_SIZE), 0);
	ck_assert_int_eq(check_ready(100 + 2 * TCP_CHUNK_SIZE), 3);
	ck_assert_uint_eq(pool.n_used, 3);
	tcp_recvq_consume(&q, &pool, 0);
	check_ready(100 + 2 * TCP_CHUNK_SIZE);
	tcp_recvq_consume(&q, &pool, TCP_CHUNK_SIZE - 1);
	ck_assert_uint_eq(pool.n_used, 3); /* one byte is left in the first */
	ck_assert_uint_eq(q.base, TCP_CHUNK_SIZE - 17);
	check_ready(101 + TCP_CHUNK_SIZE);
	tcp_recvq_consume(&q, &pool, 1);
	ck_assert_uint_eq(pool.n_used, 2);
	check_ready(100 + TCP_CHUNK_SIZE);
	tcp_recvq_consume(&q, &pool, TCP_CHUNK_SIZE + 50);
	ck_assert_uint_eq(pool.n_used, 1);
	check_ready(50);
	tcp_recvq_consume(&q, &pool, 50);
	ck_assert(tcp_recvq_empty(&q));
	ck_assert_uint_eq(pool.n_used, 0);
	ck_assert_uint_eq(q.base, 0xfffffff0 + 100 + 2 * TCP_CHUNK_SIZE);
	end();
}
END_TEST

START_TEST(holes_are_filled)
{
	begin(0xffffe000, 100);
	ck_assert_int_eq(put(1000, 500), 0);
	ck_assert_uint_eq(tcp_recvq_ready(&q), 0);
	ck_assert(!tcp_recvq_empty(&q));
	assert_hole_range(4, 0, 1000, 1500);
	ck_assert_int_eq(put(40000, 500), 0);
	ck_assert_uint_eq(pool.n_used, 2); /* none where no bytes are */
	assert_hole_range(4, 0, 40000, 40500);
	assert_hole_range(4, 1, 1000, 1500);
	ck_assert_int_eq(put(1500, 10),
			 0); /* the one that grew last comes first (RFC 2018 4) */
	assert_hole_range(4, 0, 1000, 1510);
	assert_hole_range(1, 0, 1000, 1510);
	ck_assert_int_eq(put(0, 1000), 0);
	check_ready(1510);
	assert_hole_range(4, 0, 40000, 40500); /* what is in order is no hole's end */
	ck_assert_int_eq(put(1400, 39000), 0); /* overlaps both */
	check_ready(40500);
	end();
}
END_TEST

START_TEST(twice_the_same)
{
	begin(77, 100);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(put(0, 3000), 0);
		ck_assert_int_eq(put(1000, 1000), 0);
		ck_assert_int_eq(put(2500, 1000), 0);
	}
	check_ready(3500);
	end();
}
END_TEST

START_TEST(length_limit)
{
	begin(0x80000000 - 1000, 100);
	ck_assert_int_eq(put(0, TCP_RECVQ_MAX + 1), -ENOBUFS);
	ck_assert(tcp_recvq_empty(&q));
	ck_assert_int_eq(put(TCP_RECVQ_MAX, 1), -ENOBUFS);
	ck_assert_int_eq(put(TCP_RECVQ_MAX + 1, 1), -ENOBUFS);
	ck_assert_int_eq(put(-1u, 1), -ENOBUFS); /* before base */
	ck_assert_int_eq(put(TCP_RECVQ_MAX - 1, 1), 0);
	ck_assert_int_eq(put(0, TCP_RECVQ_MAX - 1), 0);
	check_ready(TCP_RECVQ_MAX);
	/* again from every place in a chunk: the ring has one chunk more than the length needs
	 */
	tcp_recvq_consume(&q, &pool, TCP_CHUNK_SIZE - 1);
	ck_assert_int_eq(put(TCP_RECVQ_MAX - TCP_CHUNK_SIZE + 1, TCP_CHUNK_SIZE), -ENOBUFS);
	ck_assert_int_eq(put(TCP_RECVQ_MAX - TCP_CHUNK_SIZE + 1, TCP_CHUNK_SIZE - 1), 0);
	ck_assert_uint_eq(pool.n_used, TCP_RECVQ_CHUNKS);
	check_ready(TCP_RECVQ_MAX);
	end();
}
END_TEST

/* As many holes as there can be: every other byte, from behind. */
START_TEST(many_holes)
{
	struct tcp_range r[4];

	begin(0xffffff80, 100);
	for (uint32_t i = TCP_RECVQ_MAX; i; i -= 2)
		must(!put(i - 1, 1));
	check_ready(0);
	ck_assert_uint_eq(pool.n_used, TCP_RECVQ_CHUNKS - 1);
	assert_hole_range(4, 0, 1, 2);
	assert_hole_range(4, 3, 7, 8);
	ck_assert_int_eq(put(300000, 1), 0); /* joins two */
	assert_hole_range(4, 0, 299999, 300002);
	ck_assert_int_eq(put(0, 1), 0);
	check_ready(2);
	tcp_recvq_consume(&q, &pool, 2);
	assert_hole_range(4, 0, 299997, 300000);
	assert_hole_range(4, 1, 1, 2);
	ck_assert_int_eq(put(0, TCP_RECVQ_MAX / 2), 0);
	check_ready(TCP_RECVQ_MAX / 2);
	ck_assert_int_eq(tcp_recvq_holes(&q, r, 4), 4);
	ck_assert_uint_eq(r[0].start, 299997);
	for (uint32_t i = TCP_RECVQ_MAX / 2; i < TCP_RECVQ_MAX - 2; i += 2)
		must(!put(i, 1));
	check_ready(TCP_RECVQ_MAX - 2);
	ck_assert_int_eq(tcp_recvq_holes(&q, r, 4), 0);
	end();
}
END_TEST

START_TEST(pool_limit)
{
	begin(1, 3);
	ck_assert_int_eq(put(0, 4 * TCP_CHUNK_SIZE), -ENOBUFS);
	ck_assert(tcp_recvq_empty(&q)); /* nothing was kept, no memory either */
	ck_assert_uint_eq(pool.n_used, 0);
	ck_assert_int_eq(put(TCP_CHUNK_SIZE, 10), 0);
	ck_assert_int_eq(put(0, 3 * TCP_CHUNK_SIZE + 1), -ENOBUFS);
	ck_assert_int_eq(put(0, 3 * TCP_CHUNK_SIZE), 0);
	check_ready(3 * TCP_CHUNK_SIZE);
	ck_assert_int_eq(put(3 * TCP_CHUNK_SIZE, 1), -ENOBUFS);
	check_ready(3 * TCP_CHUNK_SIZE);
	tcp_recvq_consume(&q, &pool, TCP_CHUNK_SIZE);
	ck_assert_int_eq(put(2 * TCP_CHUNK_SIZE, 1), 0);
	check_ready(2 * TCP_CHUNK_SIZE + 1);
	end();
}
END_TEST

START_TEST(spare_chunks_are_bounded)
{
	struct tcp_recvq many[8] = { 0 };

	begin(0, 1000);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(tcp_recvq_put(&many[i], &pool, 0, stream, TCP_RECVQ_MAX), 0);
	ck_assert_uint_eq(pool.n_used, 8 * (TCP_RECVQ_CHUNKS - 1));
	for (int i = 0; i < 8; i++)
		tcp_recvq_clear(&many[i], &pool);
	ck_assert_uint_eq(pool.n_used, 0);
	ck_assert_uint_eq(pool.n_spare, pool.n_spare_max);
	ck_assert_uint_lt(pool.n_spare_max, 200);
	ck_assert_int_eq(put(0, TCP_CHUNK_SIZE), 0); /* comes from there */
	ck_assert_uint_eq(pool.n_spare, pool.n_spare_max - 1);
	end();
}
END_TEST

/* Beside the queue: which bytes, counted from base, it has. */
static struct {
	char has[TCP_RECVQ_MAX + 1];
	unsigned n_ranges;
	struct tcp_range ranges[RANGES + 1];
} model;

/* Rebuilds the model's list of ranges from its map. */
static void find_ranges(void)
{
	char *at = model.has, *stop = model.has + TCP_RECVQ_MAX;

	model.n_ranges = 0;
	while ((at = memchr(at, 1, (size_t)(stop - at)))) {
		char *gap = memchr(at, 0, (size_t)(stop + 1 - at)); /* the last one is 0 */

		must(model.n_ranges < RANGES);
		model.ranges[model.n_ranges++] =
			(struct tcp_range){ (uint32_t)(at - model.has),
					    (uint32_t)(gap - model.has) };
		at = gap;
	}
}

/* What -ENOBUFS is allowed for. */
static bool may_refuse(uint32_t offset, uint32_t len)
{
	if (offset > TCP_RECVQ_MAX || len > TCP_RECVQ_MAX - offset)
		return true;
	return len / TCP_CHUNK_SIZE + 2 > pool.n_max - pool.n_used;
}

static void compare(uint32_t last_start, uint32_t last_end)
{
	struct tcp_range r[RANGES + 1];
	bool first = model.n_ranges && !model.ranges[0].start;
	int n = tcp_recvq_holes(&q, r, RANGES + 1), n_found = 0;

	check_ready(first ? model.ranges[0].end : 0);
	must(n == (int)model.n_ranges - first);
	for (int i = 0; i < n; i++)
		for (unsigned k = first; k < model.n_ranges; k++)
			n_found += !memcmp(&r[i], &model.ranges[k], sizeof(r[i]));
	must(n_found == n);
	if (last_end && n && last_start >= model.ranges[first].start)
		must(r[0].start <= last_start && r[0].end >= last_end);
	must(pool.n_used <= pool.n_max && pool.n_used <= TCP_RECVQ_CHUNKS);
}

static void random_put(struct rng *rng, uint32_t reach)
{
	uint32_t offset = (uint32_t)rng_below(rng, reach),
		 len = (uint32_t)rng_below(rng, reach / 10);
	bool refusable;
	int rc;

	if (rng_chance(rng, 200))
		offset = (uint32_t)tcp_recvq_ready(&q);
	if (rng_chance(rng, 100))
		len = (uint32_t)rng_below(rng, reach);
	if (!rng_chance(rng, 20) && offset + len > TCP_RECVQ_MAX)
		len = offset < TCP_RECVQ_MAX ? TCP_RECVQ_MAX - offset : 0;
	refusable = may_refuse(offset, len);
	rc = put(offset, len);
	must(!rc || (rc == -ENOBUFS && refusable));
	if (!rc)
		memset(model.has + offset, 1, len);
	find_ranges();
	compare(offset, rc || !len ? 0 : offset + len);
}

static void random_consume(struct rng *rng)
{
	size_t ready = tcp_recvq_ready(&q), n = rng_below(rng, ready + 1);

	if (rng_chance(rng, 300))
		n = ready;
	tcp_recvq_consume(&q, &pool, n);
	memmove(model.has, model.has + n, TCP_RECVQ_MAX - n);
	memset(model.has + TCP_RECVQ_MAX - n, 0, n);
	find_ranges();
	compare(0, 0);
	must(tcp_recvq_empty(&q) == !model.n_ranges);
}

static void run(uint64_t seed)
{
	struct rng rng = rng_init(seed);
	uint32_t reach =
		rng_chance(&rng, 100) ? TCP_RECVQ_MAX : (uint32_t)rng_below(&rng, 100000) + 20;

	q = (struct tcp_recvq){ .base = (uint32_t)(0u - rng_below(&rng, 200000)) };
	pool.n_max = rng_chance(&rng, 300) ? rng_below(&rng, 10) : 1000;
	memset(&model, 0, sizeof(model));
	for (int i = 0; i < 60; i++) {
		if (rng_chance(&rng, 700))
			random_put(&rng, reach);
		else
			random_consume(&rng);
	}
	tcp_recvq_clear(&q, &pool);
	must(!pool.n_used);
}

START_TEST(as_a_plain_array)
{
	begin(0, 1000);
	for (uint64_t seed = 1; seed <= 200; seed++)
		run(seed);
	end();
}
END_TEST

SUITE_MAIN("tcp_recvq", empty, in_order_across_chunks, holes_are_filled, twice_the_same,
	   length_limit, many_holes, pool_limit, spare_chunks_are_bounded, as_a_plain_array)
