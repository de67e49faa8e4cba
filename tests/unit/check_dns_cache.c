/* The cache: lifetimes, order of eviction, both bounds. */
#include "proto/dns_cache.h"

#include "base/timerq.h"
#include "lib/fake_dns.h"
#include "lib/suite.h"

static struct dns_cache cache;
static uint8_t query[DNS_QUERY_MAX], msg[DNS_MESSAGE_MAX], buf[DNS_MESSAGE_MAX];
static size_t msg_len;

static uint64_t at(uint64_t seconds)
{
	return seconds * NS_PER_SEC;
}

/* Keeps an answer with TTL 60 for question number `i`. */
static void put(unsigned i, uint32_t ttl, uint64_t now_ns)
{
	uint16_t key = (uint16_t)i;

	msg_len =
		dns_make_answer(msg, query, dns_make_query(query, 1, "example.org", DNS_TYPE_A),
				&(struct dns_made){ .n_answers = 1, .ttl = 60 });
	dns_cache_put(&cache, (uint8_t *)&key, sizeof(key), msg, msg_len, ttl, now_ns);
}

static size_t get(unsigned i, uint64_t now_ns)
{
	uint16_t key = (uint16_t)i;

	return dns_cache_get(&cache, (uint8_t *)&key, sizeof(key), now_ns, buf);
}

START_TEST(ages_and_expires)
{
	ck_assert_int_eq(dns_cache_init(&cache, 16), 0);
	ck_assert_uint_eq(get(1, at(100)), 0);
	put(1, 60, at(100));
	ck_assert_uint_eq(get(1, at(100)), msg_len);
	ck_assert_int_eq(memcmp(buf, msg, msg_len), 0);
	ck_assert_uint_eq(get(1, at(159) + 1), msg_len);
	ck_assert_uint_eq(get_be32(buf + msg_len - 10), 1);
	ck_assert_uint_eq(get(1, at(160) - 1), msg_len);
	ck_assert_uint_eq(get(1, at(160)), 0);
	ck_assert_uint_eq(cache.n, 0);
	ck_assert_uint_eq(cache.bytes, 0);
	dns_cache_free(&cache);
}
END_TEST

START_TEST(replaces)
{
	ck_assert_int_eq(dns_cache_init(&cache, 16), 0);
	put(1, 60, at(0));
	put(1, 5, at(0));
	ck_assert_uint_eq(cache.n, 1);
	ck_assert_uint_eq(get(1, at(5)), 0);
	/* TTL 0 is not kept, and ends what was */
	put(1, 60, at(0));
	put(1, 0, at(0));
	ck_assert_uint_eq(get(1, at(0)), 0);
	dns_cache_free(&cache);
}
END_TEST

START_TEST(least_recently_used_goes)
{
	ck_assert_int_eq(dns_cache_init(&cache, 3), 0);
	put(1, 60, at(0));
	put(2, 60, at(0));
	put(3, 60, at(0));
	ck_assert(get(1, at(1)));
	put(4, 60, at(1));
	ck_assert_uint_eq(cache.n, 3);
	ck_assert_uint_eq(cache.evicted, 1);
	ck_assert(get(1, at(1)));
	ck_assert(!get(2, at(1)));
	ck_assert(get(3, at(1)));
	ck_assert(get(4, at(1)));
	dns_cache_free(&cache);
}
END_TEST

START_TEST(bytes_are_bounded)
{
	static uint8_t large[DNS_MESSAGE_MAX];

	ck_assert_int_eq(dns_cache_init(&cache, 100), 0); /* 100 KiB */
	for (unsigned i = 0; i < 50; i++) {
		dns_cache_put(&cache, (uint8_t *)&i, sizeof(i), large, 40000, 60, at(0));
		ck_assert_uint_le(cache.bytes, cache.bytes_max);
	}
	ck_assert_uint_eq(cache.n, 2);
	dns_cache_free(&cache);
	/* what never fits */
	ck_assert_int_eq(dns_cache_init(&cache, 10), 0);
	put(1, 60, at(0));
	dns_cache_put(&cache, (const uint8_t *)"x", 1, large, 40000, 60, at(0));
	ck_assert_uint_eq(cache.n, 1);
	dns_cache_free(&cache);
}
END_TEST

START_TEST(many)
{
	ck_assert_int_eq(dns_cache_init(&cache, 4096), 0);
	for (unsigned i = 0; i < 60000; i++)
		put(i, 60, at(0));
	ck_assert_uint_eq(cache.n, 4096);
	for (unsigned i = 0; i < 60000; i++)
		ck_assert_int_eq(get(i, at(0)) > 0, i >= 60000 - 4096);
	dns_cache_clear(&cache);
	ck_assert_uint_eq(cache.n, 0);
	ck_assert_uint_eq(cache.bytes, 0);
	ck_assert(!get(59999, at(0)));
	dns_cache_free(&cache);
}
END_TEST

START_TEST(none_wanted)
{
	ck_assert_int_eq(dns_cache_init(&cache, 0), 0);
	put(1, 60, at(0));
	ck_assert(!get(1, at(0)));
	dns_cache_free(&cache);
}
END_TEST

SUITE_MAIN("dns_cache", ages_and_expires, replaces, least_recently_used_goes, bytes_are_bounded,
	   many, none_wanted)
