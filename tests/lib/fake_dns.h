/* lib/fake_dns.h: DNS messages for tests, and name servers that say what the test wants.
 *
 *	len = dns_make_query(msg, 0x1234, "www.example.org", DNS_TYPE_A);
 *	...                                   // the relay asks upstream: fake.tries[0]
 *	fake_dns_answer(&fake, 0, &(struct dns_made){ .ttl = 60, .n_answers = 1 });
 */
#ifndef TESTS_LIB_FAKE_DNS_H
#define TESTS_LIB_FAKE_DNS_H

#include "proto/dns.h"
#include "wire/dns_answer.h"

#define FAKE_DNS_TRIES 4096

struct fake_dns_try {
	struct dns_try *try; /* NULL: closed */
	struct upstream server;
	bool tcp;
	unsigned n_resent;
	uint8_t msg[DNS_QUERY_MAX];
	size_t len;
};

struct fake_dns {
	struct env *env;
	struct fake_dns_try tries[FAKE_DNS_TRIES];
	unsigned n;
	int err;			/* what open() says */
	const struct addr *unreachable; /* open() says -ENETUNREACH for this server */
};

extern const struct dns_ops fake_dns_ops;

/* A query with RD set, without EDNS; returns its length. */
size_t dns_make_query(uint8_t *msg, uint16_t id, const char *name, uint16_t type);

/* Appends an OPT record to a query or an answer; returns the new length. */
size_t dns_add_opt(uint8_t *msg, size_t len, uint16_t udp_size, uint32_t ttl,
		   const void *options, size_t options_len);

/* How an answer shall look. */
struct dns_made {
	unsigned rcode, flags; /* flags besides QR, RD and RA */
	unsigned n_answers;    /* A records 198.51.100.1, .2, ... */
	uint32_t ttl;
	bool soa; /* in the authority section, with... */
	uint32_t soa_ttl, soa_minimum;
	bool opt;
	bool wrong_id, wrong_question;
};

/* The answer to a query of dns_make_query(); returns its length. */
size_t dns_make_answer(uint8_t *msg, const uint8_t *query, size_t query_len,
		       const struct dns_made *how);

/* The server of try number `i` answers. */
void fake_dns_answer(struct fake_dns *f, unsigned i, const struct dns_made *how);

#endif
