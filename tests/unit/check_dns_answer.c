/* Name servers' answers: which are true, how long they last, what is patched in them. */
#include "wire/dns_answer.h"

#include "lib/fake_dns.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"

static uint8_t query[DNS_QUERY_MAX], msg[DNS_MESSAGE_MAX];
static struct dns_query q;
static size_t query_len, len;

static void ask(const char *name, uint16_t type)
{
	query_len = dns_make_query(query, 0x1234, name, type);
	ck_assert_int_eq(dns_query_decode(query, query_len, &q), 0);
}

static bool matches(const struct dns_made *how)
{
	len = dns_make_answer(msg, query, query_len, how);
	return dns_answer_matches(msg, len, 0x1234, &q);
}

START_TEST(true_and_false)
{
	ask("Www.example.org", DNS_TYPE_A);
	ck_assert(matches(&(struct dns_made){ .n_answers = 1 }));
	ck_assert(!matches(&(struct dns_made){ .n_answers = 1, .wrong_id = true }));
	ck_assert(!matches(&(struct dns_made){ .n_answers = 1, .wrong_question = true }));
	matches(&(struct dns_made){ .n_answers = 1 });
	msg[13] = 'w'; /* asked with W */
	ck_assert(!dns_answer_matches(msg, len, 0x1234, &q));
	msg[13] = 'W';
	ck_assert(dns_answer_matches(msg, len, 0x1234, &q));
	msg[2] &= 0x7f; /* a query */
	ck_assert(!dns_answer_matches(msg, len, 0x1234, &q));
	msg[2] |= 0x80 | 4 << 3; /* opcode NOTIFY */
	ck_assert(!dns_answer_matches(msg, len, 0x1234, &q));
}
END_TEST

START_TEST(other_type_or_class)
{
	ask("example.org", DNS_TYPE_A);
	matches(&(struct dns_made){ .n_answers = 1 });
	msg[query_len - 3] = DNS_TYPE_AAAA;
	ck_assert(!dns_answer_matches(msg, len, 0x1234, &q));
	msg[query_len - 3] = DNS_TYPE_A;
	msg[query_len - 1] = 3;
	ck_assert(!dns_answer_matches(msg, len, 0x1234, &q));
}
END_TEST

START_TEST(every_cut_is_false)
{
	ask("example.org", DNS_TYPE_A);
	matches(&(struct dns_made){ .n_answers = 1 });
	for (size_t cut = 0; cut < query_len; cut++)
		ck_assert(!dns_answer_matches(msg, cut, 0x1234, &q));
}
END_TEST

START_TEST(refusal_without_question)
{
	ask("example.org", DNS_TYPE_A);
	/* FORMERR, NOTIMP, REFUSED and SERVFAIL may come as a bare header; success may not */
	for (uint8_t rcode = 0; rcode < 16; rcode++) {
		uint8_t bare[DNS_HEADER_LEN] = { 0x12, 0x34, 0x81, 0x80 | rcode };

		ck_assert_int_eq(dns_answer_matches(bare, sizeof(bare), 0x1234, &q),
				 rcode == DNS_FORMERR || rcode == DNS_SERVFAIL ||
					 rcode == DNS_NOTIMP || rcode == DNS_REFUSED);
		bare[1] = 0x35;
		ck_assert(!dns_answer_matches(bare, sizeof(bare), 0x1234, &q));
	}
}
END_TEST

static uint32_t ttl_of(const struct dns_made *how)
{
	ck_assert(matches(how));
	return dns_answer_ttl(msg, len, &q);
}

START_TEST(positive_ttl)
{
	ask("example.org", DNS_TYPE_A);
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 2, .ttl = 60 }), 60);
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 2, .ttl = 0 }), 0);
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 1, .ttl = 0xffffffff }),
			  86400);
	/* the least of several */
	ttl_of(&(struct dns_made){ .n_answers = 2, .ttl = 60 });
	msg[len - 7] = 7;
	ck_assert_uint_eq(dns_answer_ttl(msg, len, &q), 7);
	/* an SOA beside an answer says nothing about it */
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 1,
						     .ttl = 60,
						     .soa = true,
						     .soa_ttl = 5,
						     .soa_minimum = 5 }),
			  60);
	/* an OPT has no TTL */
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 1, .ttl = 60, .opt = true }),
			  60);
}
END_TEST

START_TEST(negative_ttl)
{
	struct dns_made no = { .soa = true, .soa_ttl = 30, .soa_minimum = 20 };

	ask("example.org", DNS_TYPE_A);
	ck_assert_uint_eq(ttl_of(&no), 20);
	no.rcode = DNS_NXDOMAIN;
	ck_assert_uint_eq(ttl_of(&no), 20);
	no.soa_minimum = 40;
	ck_assert_uint_eq(ttl_of(&no), 30);
	no.soa_ttl = no.soa_minimum = 100000;
	ck_assert_uint_eq(ttl_of(&no), 10800);
	/* RFC 2308 5: without SOA not at all */
	no.soa = false;
	ck_assert_uint_eq(ttl_of(&no), 0);
	no.rcode = DNS_NOERROR;
	ck_assert_uint_eq(ttl_of(&no), 0);
}
END_TEST

START_TEST(alias_to_nothing)
{
	/* a record that is not the type asked for, such as a CNAME's, does not make it positive
	 */
	ask("example.org", DNS_TYPE_AAAA);
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 1, .ttl = 60 }), 0);
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 1,
						     .ttl = 60,
						     .soa = true,
						     .soa_ttl = 100,
						     .soa_minimum = 50 }),
			  50);
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 1,
						     .ttl = 40,
						     .soa = true,
						     .soa_ttl = 100,
						     .soa_minimum = 50 }),
			  40);
	ask("example.org", DNS_TYPE_ANY);
	ck_assert_uint_eq(ttl_of(&(struct dns_made){ .n_answers = 1, .ttl = 60 }), 60);
}
END_TEST

START_TEST(not_kept)
{
	struct dns_made how = { .n_answers = 1, .ttl = 60 };

	ask("example.org", DNS_TYPE_A);
	for (unsigned rcode = 1; rcode < 16; rcode++) {
		how.rcode = rcode;
		ck_assert_uint_eq(ttl_of(&how), 0);
	}
	how.rcode = DNS_NOERROR;
	how.flags = DNS_TC;
	ck_assert_uint_eq(ttl_of(&how), 0);
	how.flags = 0;
	/* cut anywhere, or longer than its records */
	ttl_of(&how);
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_uint_eq(dns_answer_ttl(msg, cut, &q), 0);
	ck_assert_uint_eq(dns_answer_ttl(msg, len, &q), 60);
	msg[len] = 0;
	ck_assert_uint_eq(dns_answer_ttl(msg, len + 1, &q), 0);
	/* an extended rcode (BADCOOKIE is 23) */
	ttl_of(&how);
	len = dns_add_opt(msg, len, 1232, 1u << 24, NULL, 0);
	ck_assert_uint_eq(dns_answer_ttl(msg, len, &q), 0);
}
END_TEST

START_TEST(names_in_loops)
{
	ask("example.org", DNS_TYPE_A);
	ttl_of(&(struct dns_made){ .n_answers = 1, .ttl = 60 });
	put_be16(msg + query_len, (uint16_t)(0xc000 | query_len)); /* points at itself */
	ck_assert_uint_eq(dns_answer_ttl(msg, len, &q), 0);
	put_be16(msg + query_len, 0xffff); /* behind the end */
	ck_assert_uint_eq(dns_answer_ttl(msg, len, &q), 0);
	put_be16(msg + len - 6, 5); /* more data than there is */
	ck_assert_uint_eq(dns_answer_ttl(msg, len, &q), 0);
}
END_TEST

START_TEST(strip_opt)
{
	size_t plain_len;

	ask("example.org", DNS_TYPE_A);
	plain_len =
		dns_make_answer(msg, query, query_len, &(struct dns_made){ .n_answers = 2 });
	ck_assert_uint_eq(dns_answer_strip(msg, plain_len), plain_len);
	len = dns_add_opt(msg, plain_len, 1232, 0, "\0\12\0\2ab", 6);
	ck_assert_uint_eq(dns_answer_strip(msg, len), plain_len);
	ck_assert_uint_eq(get_be16(msg + 10), 0);
	/* two: the second remains behind the first, as would a signature */
	len = dns_add_opt(msg, plain_len, 1232, 0, NULL, 0);
	len = dns_add_opt(msg, len, 1232, 0, NULL, 0);
	ck_assert_uint_eq(dns_answer_strip(msg, len), 0);
}
END_TEST

START_TEST(strip_opt_at_pointer)
{
	/* the root written as a pointer to the question's last label */
	ask("", DNS_TYPE_A);
	len = dns_make_answer(msg, query, query_len, &(struct dns_made){ .n_answers = 1 });
	len = dns_add_opt(msg, len, 1232, 0, NULL, 0);
	memmove(msg + len - 10, msg + len - 11, 11);
	put_be16(msg + len - 11, 0xc00c);
	ck_assert_uint_eq(dns_answer_strip(msg, len + 1), 0);
}
END_TEST

START_TEST(age)
{
	ask("example.org", DNS_TYPE_A);
	len = dns_make_answer(msg, query, query_len,
			      &(struct dns_made){ .n_answers = 1,
						  .ttl = 60,
						  .soa = true,
						  .soa_ttl = 300,
						  .soa_minimum = 20,
						  .flags = DNS_AA });
	dns_answer_age(msg, len, 50);
	/* QR RD RA, no longer AA; A: 10 s left; SOA: 250 s, its minimum as it was */
	assert_bytes(msg, len,
		     "12 34  81 80  00 01  00 01  00 01  00 00"
		     "07 65 78 61 6d 70 6c 65  03 6f 72 67  00  00 01  00 01"
		     "c0 0c  00 01  00 01  00 00 00 0a  00 04  c6 33 64 01"
		     "00  00 06  00 01  00 00 00 fa  00 16  00 00 00 00 00 00 00 00 00 00 00 00"
		     "00 00 00 00 00 00  00 00 00 14");
	dns_answer_age(msg, len, 100);
	ck_assert_uint_eq(get_be32(msg + query_len + 6), 0);
}
END_TEST

START_TEST(patch)
{
	uint8_t other[DNS_QUERY_MAX];
	size_t n = dns_make_query(other, 7, "EXAMPLE.org", DNS_TYPE_A);

	ask("example.org", DNS_TYPE_A);
	len = dns_make_answer(msg, query, query_len, &(struct dns_made){ .n_answers = 1 });
	dns_answer_patch(msg, len, 7, other + DNS_HEADER_LEN, n - DNS_HEADER_LEN);
	ck_assert_uint_eq(get_be16(msg), 7);
	ck_assert_int_eq(memcmp(msg + 12, other + 12, n - 12), 0);
	/* no question to patch */
	dns_answer_patch(msg, 11, 8, other + DNS_HEADER_LEN, n - DNS_HEADER_LEN);
	ck_assert_uint_eq(get_be16(msg), 7);
	memset(msg + 4, 0, 8);
	msg[12] = 99;
	dns_answer_patch(msg, 12, 8, other + DNS_HEADER_LEN, n - DNS_HEADER_LEN);
	ck_assert_uint_eq(get_be16(msg), 8);
	ck_assert_uint_eq(msg[12], 99);
}
END_TEST

SUITE_MAIN("dns_answer", true_and_false, other_type_or_class, every_cut_is_false,
	   refusal_without_question, positive_ttl, negative_ttl, alias_to_nothing, not_kept,
	   names_in_loops, strip_opt, strip_opt_at_pointer, age, patch)
