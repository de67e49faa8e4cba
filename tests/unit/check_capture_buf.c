/* The buffer of blocks: order and wholeness, whatever is put in, taken and discarded. */
#include "proto/capture_buf.h"

#include "base/cursor.h"
#include "lib/must.h"
#include "lib/rng.h"
#include "lib/suite.h"

#define SIZE 1000

/* Puts in block number `n`, which its bytes tell; whether there was room. */
static bool put(struct capture_buf *b, uint32_t n, size_t len)
{
	uint8_t *p = capture_buf_reserve(b, len + 8);

	if (!p)
		return false;
	must(p >= b->data && p + len + 8 <= b->data + b->size);
	memset(p, (int)n, len);
	put_be32(p, n);
	put_be32(p + 4, (uint32_t)len);
	capture_buf_commit(b, len);
	return true;
}

static size_t pending(const struct capture_buf *b)
{
	struct iovec pieces[2];
	size_t n = 0;

	for (int i = capture_buf_pieces(b, pieces); i > 0; i--)
		n += pieces[i - 1].iov_len;
	return n;
}

/* Copies what waits. */
static size_t look(const struct capture_buf *b, uint8_t out[SIZE])
{
	struct iovec pieces[2];
	int n = capture_buf_pieces(b, pieces);
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		memcpy(out + len, pieces[i].iov_base, pieces[i].iov_len);
		len += pieces[i].iov_len;
	}
	return len;
}

START_TEST(fills_and_empties)
{
	struct capture_buf b;
	unsigned n = 0;

	ck_assert_int_eq(capture_buf_init(&b, SIZE), 0);
	ck_assert(capture_buf_is_empty(&b));
	while (put(&b, n, 100))
		n++;
	ck_assert_uint_eq(n, 9);
	ck_assert_uint_eq(pending(&b), 900);
	ck_assert_uint_eq(capture_buf_consume(&b, 150), 1);
	ck_assert_uint_eq(b.torn, 50);
	ck_assert(put(&b, 9, 100)); /* at the front, for there is no room behind */
	ck_assert(!put(&b, 10, 100));
	ck_assert_uint_eq(capture_buf_consume(&b, 850), 9);
	ck_assert_uint_eq(b.torn, 0);
	ck_assert(capture_buf_is_empty(&b));
	capture_buf_free(&b);
}
END_TEST

/* A stream of blocks of all lengths comes out as it went in, though writes end anywhere. */
START_TEST(any_order)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct rng rng = rng_init(seed);
		uint32_t in = 0, out = 0;
		struct capture_buf b;
		uint8_t text[SIZE];

		must(!capture_buf_init(&b, SIZE));
		for (int step = 0; step < 500; step++) {
			size_t len = 8 + rng_below(&rng, 300), n;

			if (rng_below(&rng, 2)) {
				in += put(&b, in, len);
				continue;
			}
			if (!b.torn && !capture_buf_is_empty(&b) && !rng_below(&rng, 4)) {
				capture_buf_discard(&b);
				out++;
				continue;
			}
			n = look(&b, text);
			if (n && !b.torn)
				must(get_be32(text) == out);
			len = rng_below(&rng, n + 1);
			out += capture_buf_consume(&b, len);
			must(pending(&b) == n - len);
		}
		out += capture_buf_consume(&b, pending(&b));
		must(in == out && capture_buf_is_empty(&b));
		capture_buf_free(&b);
	}
}
END_TEST

SUITE_MAIN("capture_buf", fills_and_empties, any_order)
