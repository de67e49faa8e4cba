/* DNS queries from hostile bytes; what we answer ourselves must be a true answer to them. */
#include <stdlib.h>

#include "wire/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct addr addrs[2] = { { .b = { 0x20, 0x01, 0x0d, 0xb8 } },
					      { .b = { [10] = 0xff, 0xff, 192, 0, 2, 1 } } };
	static const struct dns_query none;
	uint8_t msg[DNS_REPLY_MAX], key[DNS_KEY_MAX];
	struct wr w = wr_init(msg, sizeof(msg));
	struct dns_query q = none;
	int refusal = dns_query_decode(data, size, &q);

	if (refusal < 0)
		return 0;
	dns_reply_encode(&w, &q, refusal ? (unsigned)refusal : DNS_NOERROR, addrs,
			 refusal ? 0 : 2, 5);
	check(!w.error);
	check(!q.question_len || dns_answer_matches(msg, wr_len(&w), q.id, &q));
	if (refusal)
		return 0;
	check(dns_query_key(&q, key) <= DNS_KEY_MAX);
	if (q.qtype == DNS_TYPE_A || q.qtype == DNS_TYPE_AAAA)
		check(dns_answer_ttl(msg, wr_len(&w), &q) == 5);
	check(dns_answer_strip(msg, wr_len(&w)) == wr_len(&w) - (q.edns ? 11 : 0));
	w = wr_init(msg, sizeof(msg));
	dns_truncated_encode(&w, &q, DNS_QR);
	check(!w.error && dns_answer_matches(msg, wr_len(&w), q.id, &q));
	return 0;
}
