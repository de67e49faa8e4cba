/* Queries: what is understood and what is refused; the answers that we make, byte by byte. */
#include "wire/dns.h"

#include <errno.h>

#include "lib/fake_dns.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"

static uint8_t msg[70000];
static struct dns_query q;

/* id 0x1234, RD, one question: wWw.eXample A IN */
#define HEADER	 "12 34  01 00  00 01  00 00  00 00  00 00"
#define QUESTION "03 77 57 77  07 65 58 61 6d 70 6c 65  00  00 01  00 01"

static int decode(const char *hex)
{
	return dns_query_decode(msg, from_hex(hex, msg, sizeof(msg)), &q);
}

START_TEST(plain)
{
	uint8_t key[DNS_KEY_MAX];

	ck_assert_int_eq(decode(HEADER QUESTION), 0);
	ck_assert_uint_eq(q.id, 0x1234);
	ck_assert_uint_eq(q.flags, DNS_RD);
	assert_bytes(q.name, q.name_len, "03 77 77 77  07 65 78 61 6d 70 6c 65  00");
	ck_assert_uint_eq(q.qtype, DNS_TYPE_A);
	ck_assert_uint_eq(q.qclass, DNS_CLASS_IN);
	assert_bytes(q.question, q.question_len, QUESTION);
	ck_assert(!q.edns && !q.dnssec_ok && q.shareable);
	ck_assert_uint_eq(q.udp_size, 512);
	/* name in lower case, type, class, flags */
	assert_bytes(key, dns_query_key(&q, key),
		     "03 77 77 77  07 65 78 61 6d 70 6c 65  00  00 01  00 01  00");
}
END_TEST

START_TEST(root_and_longest_name)
{
	size_t len = dns_make_query(msg, 1, "", DNS_TYPE_SOA);

	ck_assert_int_eq(dns_query_decode(msg, len, &q), 0);
	ck_assert_uint_eq(q.name_len, 1);
	/* 3 labels of 63 and one of 61: 255 bytes with the root */
	memset(msg + DNS_HEADER_LEN, 'x', 300);
	msg[12] = msg[76] = msg[140] = 63;
	msg[204] = 61;
	msg[266] = 0;
	from_hex("00 01 00 01", msg + 267, 4);
	ck_assert_int_eq(dns_query_decode(msg, 271, &q), 0);
	ck_assert_uint_eq(q.name_len, 255);
	msg[204] = 62; /* 256 */
	msg[266] = 'x';
	msg[267] = 0;
	from_hex("00 01 00 01", msg + 268, 4);
	ck_assert_int_eq(dns_query_decode(msg, 272, &q), DNS_FORMERR);
}
END_TEST

START_TEST(not_to_be_answered)
{
	ck_assert_int_eq(decode(""), -EBADMSG);
	ck_assert_int_eq(decode("12 34 01 00 00 01 00 00 00 00 00"), -EBADMSG);
	/* QR: an answer */
	ck_assert_int_eq(decode("12 34  81 00  00 01  00 00  00 00  00 00" QUESTION), -EBADMSG);
}
END_TEST

START_TEST(refused)
{
	/* no question; two; fewer than announced; cut off; bytes left over */
	ck_assert_int_eq(decode("12 34  01 00  00 00  00 00  00 00  00 00"), DNS_FORMERR);
	ck_assert_int_eq(decode("12 34  01 00  00 02  00 00  00 00  00 00" QUESTION QUESTION),
			 DNS_FORMERR);
	ck_assert_int_eq(decode("12 34  01 00  00 02  00 00  00 00  00 00" QUESTION),
			 DNS_FORMERR);
	ck_assert_int_eq(decode(HEADER "03 77 57 77  07 65 58"), DNS_FORMERR);
	ck_assert_int_eq(decode(HEADER "03 77 57 77  00  00 01  00"), DNS_FORMERR);
	ck_assert_int_eq(decode(HEADER QUESTION "00"), DNS_FORMERR);
	ck_assert_uint_eq(q.id, 0x1234);
	/* a compressed question that points at itself, and into the header */
	ck_assert_int_eq(decode(HEADER "c0 0c  00 01  00 01"), DNS_FORMERR);
	ck_assert_int_eq(decode(HEADER "c0 04  00 01  00 01"), DNS_FORMERR);
	/* opcodes STATUS, NOTIFY, UPDATE */
	ck_assert_int_eq(decode("12 34  10 00  00 01  00 00  00 00  00 00" QUESTION),
			 DNS_NOTIMP);
	ck_assert_int_eq(decode("12 34  20 00  00 01  00 00  00 00  00 00" QUESTION),
			 DNS_NOTIMP);
	ck_assert_int_eq(decode("12 34  28 00  00 01  00 00  00 00  00 00" QUESTION),
			 DNS_NOTIMP);
	/* AXFR, IXFR: many messages long */
	ck_assert_int_eq(decode(HEADER "03 6f 72 67 00  00 fc  00 01"), DNS_REFUSED);
	ck_assert_int_eq(decode(HEADER "03 6f 72 67 00  00 fb  00 01"), DNS_REFUSED);
}
END_TEST

START_TEST(longer_than_any_query)
{
	static const uint8_t padding[DNS_QUERY_MAX] = { 0, 12, 0x0f, 0xf0 };
	size_t len = dns_make_query(msg, 1, "example.org", DNS_TYPE_A);

	memset(msg + len, 0, sizeof(msg) - len);
	ck_assert_int_eq(dns_query_decode(msg,
					  dns_add_opt(msg, len, 1232, 0, padding,
						      DNS_QUERY_MAX - len - 11),
					  &q),
			 DNS_FORMERR); /* the option's length is wrong */
	put_be16(msg + len + 13, (uint16_t)(DNS_QUERY_MAX - len - 15));
	ck_assert_int_eq(dns_query_decode(msg, DNS_QUERY_MAX, &q), 0);
	put_be16(msg + len + 9, (uint16_t)(DNS_QUERY_MAX - len - 10));
	put_be16(msg + len + 13, (uint16_t)(DNS_QUERY_MAX - len - 14));
	ck_assert_int_eq(dns_query_decode(msg, DNS_QUERY_MAX + 1, &q), DNS_FORMERR);
}
END_TEST

#define HEADER_AR "12 34  01 00  00 01  00 00  00 00  00 01"

START_TEST(edns)
{
	/* OPT: root, type 41, size 1232, rcode 0, version 0, DO, no options */
	ck_assert_int_eq(decode(HEADER_AR QUESTION "00  00 29  04 d0  00 00 80 00  00 00"), 0);
	ck_assert(q.edns && q.dnssec_ok && q.shareable);
	ck_assert_uint_eq(q.udp_size, 1232);
	/* a size below 512 means 512 (RFC 6891 6.2.3) */
	ck_assert_int_eq(decode(HEADER_AR QUESTION "00  00 29  00 10  00 00 00 00  00 00"), 0);
	ck_assert(q.edns && !q.dnssec_ok);
	ck_assert_uint_eq(q.udp_size, 512);
	/* version 1 */
	ck_assert_int_eq(decode(HEADER_AR QUESTION "00  00 29  04 d0  00 01 00 00  00 00"),
			 DNS_BADVERS);
	/* two of them; not at the root */
	ck_assert_int_eq(decode("12 34  01 00  00 01  00 00  00 00  00 02" QUESTION
				"00  00 29  04 d0  00 00 80 00  00 00"
				"00  00 29  04 d0  00 00 80 00  00 00"),
			 DNS_FORMERR);
	ck_assert_int_eq(decode(HEADER_AR QUESTION "c0 0c  00 29  04 d0  00 00 80 00  00 00"),
			 DNS_FORMERR);
	/* an option that ends behind the record */
	ck_assert_int_eq(
		decode(HEADER_AR QUESTION "00  00 29  04 d0  00 00 80 00  00 04  00 0a 00 01"),
		DNS_FORMERR);
	ck_assert_int_eq(
		decode(HEADER_AR QUESTION "00  00 29  04 d0  00 00 80 00  00 02  00 0a"),
		DNS_FORMERR);
}
END_TEST

START_TEST(shareable)
{
	/* cookie, keepalive: between these two hosts */
	ck_assert_int_eq(decode(HEADER_AR QUESTION
				"00  00 29  04 d0  00 00 00 00  00 10"
				"00 0a 00 08  01 02 03 04 05 06 07 08  00 0b 00 00"),
			 0);
	ck_assert(q.shareable);
	/* client subnet (RFC 7871): another answer */
	ck_assert_int_eq(decode(HEADER_AR QUESTION "00  00 29  04 d0  00 00 00 00  00 0b  00 "
						   "08 00 07  00 01 18 00 c6 33 64"),
			 0);
	ck_assert(!q.shareable);
	/* a TSIG record signs the message */
	ck_assert_int_eq(
		decode(HEADER_AR QUESTION "01 6b 00  00 fa  00 ff  00 00 00 00  00 00"), 0);
	ck_assert(!q.shareable);
	/* recursion not desired */
	ck_assert_int_eq(decode("12 34  00 00  00 01  00 00  00 00  00 00" QUESTION), 0);
	ck_assert(!q.shareable);
}
END_TEST

START_TEST(key_tells_apart)
{
	static const char *const queries[] = {
		HEADER QUESTION,
		HEADER "03 77 57 77  07 65 58 61 6d 70 6c 65  00  00 1c  00 01", /* AAAA */
		HEADER "03 77 57 77  07 65 58 61 6d 70 6c 65  00  00 01  00 03", /* CH */
		"12 34  01 10  00 01  00 00  00 00  00 00" QUESTION,		 /* CD */
		"12 34  01 20  00 01  00 00  00 00  00 00" QUESTION,		 /* AD */
		HEADER_AR QUESTION "00  00 29  04 d0  00 00 80 00  00 00",	 /* DO */
	};
	enum { N = sizeof(queries) / sizeof(queries[0]) };
	uint8_t keys[N][DNS_KEY_MAX];

	for (unsigned i = 0; i < N; i++) {
		ck_assert_int_eq(decode(queries[i]), 0);
		ck_assert_uint_eq(dns_query_key(&q, keys[i]), 18);
		for (unsigned j = 0; j < i; j++)
			ck_assert_int_ne(memcmp(keys[i], keys[j], 18), 0);
	}
}
END_TEST

static void assert_reply(unsigned rcode, const struct addr *addrs, unsigned n, const char *hex)
{
	static uint8_t reply[DNS_REPLY_MAX];
	struct wr w = wr_init(reply, sizeof(reply));

	dns_reply_encode(&w, &q, rcode, addrs, n, 5);
	ck_assert(!w.error);
	assert_bytes(reply, wr_len(&w), hex);
}

START_TEST(replies_are_exact)
{
	struct addr addrs[2] = { addr_ip4(0x0a000202) };

	ck_assert_int_eq(addr_parse("2001:db8::1", &addrs[1]), 0);
	decode(HEADER QUESTION);
	/* QR RD RA SERVFAIL, the question */
	assert_reply(DNS_SERVFAIL, NULL, 0,
		     "12 34  81 82  00 01  00 00  00 00  00 00" QUESTION);
	/* QR AA RD RA; no such record */
	assert_reply(DNS_NOERROR, NULL, 0, "12 34  85 80  00 01  00 00  00 00  00 00" QUESTION);
	/* name of the question, A IN, TTL 5, 10.0.2.2; AAAA likewise */
	assert_reply(DNS_NOERROR, addrs, 2,
		     "12 34  85 80  00 01  00 02  00 00  00 00" QUESTION
		     "c0 0c  00 01  00 01  00 00 00 05  00 04  0a 00 02 02"
		     "c0 0c  00 1c  00 01  00 00 00 05  00 10"
		     "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01");
	/* CD comes back; OPT: our size 1232, DO */
	decode("12 34  01 10  00 01  00 00  00 00  00 01" QUESTION
	       "00  00 29  10 00  00 00 80 00  00 00");
	assert_reply(DNS_SERVFAIL, NULL, 0,
		     "12 34  81 92  00 01  00 00  00 00  00 01" QUESTION
		     "00  00 29  04 d0  00 00 80 00  00 00");
	/* BADVERS is 16: the upper bits stand in the OPT */
	decode(HEADER_AR QUESTION "00  00 29  04 d0  00 07 00 00  00 00");
	assert_reply(DNS_BADVERS, NULL, 0,
		     "12 34  81 80  00 01  00 00  00 00  00 01" QUESTION
		     "00  00 29  04 d0  01 00 00 00  00 00");
	/* nothing of the question could be read; UPDATE */
	decode(HEADER "05");
	assert_reply(DNS_FORMERR, NULL, 0, "12 34  81 81  00 00  00 00  00 00  00 00");
	decode("12 34  28 00  00 01  00 00  00 00  00 00" QUESTION);
	assert_reply(DNS_NOTIMP, NULL, 0, "12 34  a8 84  00 00  00 00  00 00  00 00");
}
END_TEST

START_TEST(truncated_is_exact)
{
	uint8_t reply[DNS_REPLY_MAX];
	struct wr w = wr_init(reply, sizeof(reply));

	decode(HEADER_AR QUESTION "00  00 29  04 d0  00 00 00 00  00 00");
	dns_truncated_encode(&w, &q, DNS_QR | DNS_RD | DNS_RA);
	/* QR TC RD RA */
	assert_bytes(reply, wr_len(&w),
		     "12 34  83 80  00 01  00 00  00 00  00 01" QUESTION
		     "00  00 29  04 d0  00 00 00 00  00 00");
}
END_TEST

START_TEST(names)
{
	static const char *const bad[] = {
		"",	 ".",
		"a..b",	 ".a",
		"a.b..", "0123456789012345678901234567890123456789012345678901234567890123.org"
	};
	uint8_t name[DNS_NAME_MAX], dotted[DNS_NAME_MAX];
	int len = dns_name_encode("Host.Internal", name);

	assert_bytes(name, (size_t)len, "04 68 6f 73 74  08 69 6e 74 65 72 6e 61 6c  00");
	ck_assert_int_eq(dns_name_encode("host.internal.", dotted), len);
	ck_assert_int_eq(memcmp(name, dotted, (size_t)len), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(dns_name_encode(bad[i], name), -EINVAL);
}
END_TEST

SUITE_MAIN("dns_query", plain, root_and_longest_name, not_to_be_answered, refused,
	   longer_than_any_query, edns, shareable, key_tells_apart, replies_are_exact,
	   truncated_is_exact, names)
