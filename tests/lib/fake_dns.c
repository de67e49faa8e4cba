/* lib/fake_dns.c: makes DNS messages; records what is asked upstream. */
#include "lib/fake_dns.h"

#include <errno.h>

#include "lib/suite.h"

static int fake_open(void *host, struct dns_try *try, const struct upstream *server, bool tcp,
		     const uint8_t *msg, size_t len, void **sockp)
{
	struct fake_dns *f = host;
	struct fake_dns_try *t = &f->tries[f->n];

	if (f->err)
		return f->err;
	if (f->unreachable && addr_eq(f->unreachable, &server->addr))
		return -ENETUNREACH;
	ck_assert_uint_lt(f->n, FAKE_DNS_TRIES);
	ck_assert_uint_le(len, sizeof(t->msg));
	*t = (struct fake_dns_try){ .try = try, .server = *server, .tcp = tcp, .len = len };
	memcpy(t->msg, msg, len);
	f->n++;
	*sockp = &t->try;
	t->try = try;
	return 0;
}

static int fake_resend(void *sock, const uint8_t *msg, size_t len)
{
	struct fake_dns_try *t = container_of(sock, struct fake_dns_try, try);

	ck_assert(!t->tcp);
	ck_assert_uint_eq(len, t->len);
	ck_assert_int_eq(memcmp(msg, t->msg, len), 0);
	t->n_resent++;
	return 0;
}

static void fake_close(void *sock)
{
	struct dns_try **try = sock;

	ck_assert_ptr_nonnull(*try);
	*try = NULL;
}

const struct dns_ops fake_dns_ops = { .open = fake_open,
				      .resend = fake_resend,
				      .close = fake_close };

size_t dns_make_query(uint8_t *msg, uint16_t id, const char *name, uint16_t type)
{
	struct wr w = wr_init(msg, DNS_QUERY_MAX);

	wr_be16(&w, id);
	wr_be16(&w, DNS_RD);
	wr_be16(&w, 1);
	wr_zero(&w, 6);
	while (*name) {
		size_t label = strcspn(name, ".");

		wr_u8(&w, (uint8_t)label);
		wr_bytes(&w, name, label);
		name += label + (name[label] == '.');
	}
	wr_u8(&w, 0);
	wr_be16(&w, type);
	wr_be16(&w, DNS_CLASS_IN);
	ck_assert(!w.error);
	return wr_len(&w);
}

size_t dns_add_opt(uint8_t *msg, size_t len, uint16_t udp_size, uint32_t ttl,
		   const void *options, size_t options_len)
{
	struct wr w = wr_init(msg + len, DNS_MESSAGE_MAX - len);

	wr_u8(&w, 0);
	wr_be16(&w, DNS_TYPE_OPT);
	wr_be16(&w, udp_size);
	wr_be32(&w, ttl);
	wr_be16(&w, (uint16_t)options_len);
	wr_bytes(&w, options, options_len);
	ck_assert(!w.error);
	put_be16(msg + 10, (uint16_t)(get_be16(msg + 10) + 1));
	return len + wr_len(&w);
}

static void add_soa(struct wr *w, uint32_t ttl, uint32_t minimum)
{
	wr_u8(w, 0);
	wr_be16(w, DNS_TYPE_SOA);
	wr_be16(w, DNS_CLASS_IN);
	wr_be32(w, ttl);
	wr_be16(w, 22);
	wr_zero(w, 2 + 16);
	wr_be32(w, minimum);
}

static size_t question_end(const uint8_t *query)
{
	size_t end = DNS_HEADER_LEN;

	while (query[end])
		end += query[end] + 1u;
	return end + 5;
}

size_t dns_make_answer(uint8_t *msg, const uint8_t *query, size_t query_len,
		       const struct dns_made *how)
{
	struct wr w = wr_init(msg, DNS_MESSAGE_MAX);

	ck_assert_uint_ge(query_len, question_end(query));
	wr_be16(&w, get_be16(query) ^ how->wrong_id);
	wr_be16(&w, (uint16_t)(DNS_QR | DNS_RD | DNS_RA | how->flags | how->rcode));
	wr_be16(&w, 1);
	wr_be16(&w, (uint16_t)how->n_answers);
	wr_be16(&w, how->soa);
	wr_be16(&w, 0);
	wr_bytes(&w, query + DNS_HEADER_LEN, question_end(query) - DNS_HEADER_LEN);
	for (unsigned i = 0; i < how->n_answers; i++) {
		wr_be16(&w, 0xc00c);
		wr_be16(&w, DNS_TYPE_A);
		wr_be16(&w, DNS_CLASS_IN);
		wr_be32(&w, how->ttl);
		wr_be16(&w, 4);
		wr_be32(&w, 0xc6336401 + i);
	}
	if (how->soa)
		add_soa(&w, how->soa_ttl, how->soa_minimum);
	ck_assert(!w.error);
	if (how->wrong_question)
		msg[DNS_HEADER_LEN + 1] ^= 1;
	return how->opt ? dns_add_opt(msg, wr_len(&w), 1232, 0, NULL, 0) : wr_len(&w);
}

void fake_dns_answer(struct fake_dns *f, unsigned i, const struct dns_made *how)
{
	static uint8_t msg[DNS_MESSAGE_MAX];
	size_t len;

	ck_assert_uint_lt(i, f->n);
	ck_assert_ptr_nonnull(f->tries[i].try);
	len = dns_make_answer(msg, f->tries[i].msg, f->tries[i].len, how);
	dns_from_host(f->env, f->tries[i].try, 0, msg, len);
}
