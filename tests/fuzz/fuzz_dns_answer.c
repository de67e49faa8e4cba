/* A name server's answer from hostile bytes, which follow the query and its length (16 bits).
 */
#include <stdlib.h>

#include "wire/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* As the cache does with an answer that it keeps. */
static void keep(uint8_t *msg, size_t len, uint32_t ttl, const struct dns_query *q)
{
	static uint8_t padded[DNS_MESSAGE_MAX + 16];
	size_t stripped = dns_answer_strip(msg, len);
	struct wr w = wr_init(padded, sizeof(padded));

	check(stripped <= len);
	if (!stripped)
		return;
	check(dns_answer_ttl(msg, stripped, q) == ttl);
	wr_bytes(&w, msg, stripped);
	dns_opt_append(&w, q);
	check(!w.error && dns_answer_strip(padded, wr_len(&w)) == stripped);
	/* names may point at a TTL, so that an aged message need not be a sound one */
	dns_answer_age(msg, stripped, ttl - 1);
	dns_answer_age(msg, stripped, 1u << 31);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	size_t query_len = rd_be16(&r), len;
	const uint8_t *query = rd_view(&r, query_len);
	struct dns_query q;
	uint32_t ttl;
	uint8_t *msg;

	if (!query || dns_query_decode(query, query_len, &q))
		return 0;
	len = rd_left(&r);
	if (len > DNS_MESSAGE_MAX)
		return 0;
	msg = malloc(len + 1);
	rd_bytes(&r, msg, len);
	dns_answer_patch(msg, len, q.id, q.question, q.question_len);
	ttl = dns_answer_ttl(msg, len, &q);
	check(ttl <= DNS_TTL_MAX);
	if (dns_answer_matches(msg, len, q.id, &q) && ttl)
		keep(msg, len, ttl, &q);
	else
		dns_answer_age(msg, len, 1);
	free(msg);
	return 0;
}
