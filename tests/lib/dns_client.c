/* lib/dns_client.c: a guest that asks the relay over UDP. */
#include "lib/dns_client.h"

#include "lib/suite.h"

#define RELAY 0x0a000203 /* 10.0.2.3 */

struct fake_guest g;
struct fake_dns up;
uint8_t query[DNS_QUERY_MAX];
struct pkt answer;

void client_setup(unsigned n_servers)
{
	fake_guest_init(&g);
	g.net.dns_relay[0] = addr_ip4(RELAY);
	g.net.n_dns_relay = 1;
	for (unsigned i = 0; i < n_servers; i++)
		g.net.upstreams[i].addr = addr_ip4(0xc0000201 + i); /* 192.0.2.1, .2, ... */
	g.net.n_upstreams = n_servers;
	memset(&up, 0, sizeof(up));
	up.env = &g.env;
}

void client_start(unsigned n_servers)
{
	client_setup(n_servers);
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	ck_assert_ptr_nonnull(g.env.dns);
}

void client_finish(void)
{
	dns_free(g.env.dns);
	for (unsigned i = 0; i < up.n; i++)
		ck_assert_ptr_null(up.tries[i].try); /* every socket was closed */
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	fake_guest_free(&g);
}

enum drop client_from_guest(uint16_t port, const uint8_t *msg, size_t len)
{
	struct pkt p = { .src = g.net.ip4.guest,
			 .dst = addr_ip4(RELAY),
			 .proto = IP_UDP,
			 .udp = { .sport = port, .dport = DNS_PORT },
			 .payload = msg,
			 .payload_len = len };

	return dns_from_guest(&g.env, &p);
}

size_t client_ask_type(uint16_t id, const char *name, uint16_t type)
{
	size_t len = dns_make_query(query, id, name, type);

	ck_assert_int_eq(client_from_guest(GUEST_PORT, query, len), DROP_NONE);
	return len;
}

size_t client_ask(uint16_t id, const char *name)
{
	return client_ask_type(id, name, DNS_TYPE_A);
}

bool client_answered(void)
{
	static uint8_t frame[2048];

	if (!g.n_frames)
		return false;
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_le(g.frames[0].len, sizeof(frame));
	memcpy(frame, g.frames[0].data, g.frames[0].len);
	ck_assert_int_eq(pkt_decode(frame, g.frames[0].len, &answer), DROP_NONE);
	fake_guest_clear(&g);
	ck_assert_uint_eq(addr_get_ip4(&answer.src), RELAY);
	ck_assert(addr_eq(&answer.dst, &g.net.ip4.guest));
	ck_assert_uint_eq(answer.udp.sport, DNS_PORT);
	return true;
}

unsigned client_rcode(void)
{
	return DNS_RCODE(dns_answer_flags(answer.payload));
}

void client_assert_answer(size_t query_len, const struct dns_made *how)
{
	static uint8_t want[DNS_MESSAGE_MAX];
	size_t len;

	ck_assert(client_answered());
	len = dns_make_answer(want, query, query_len, how);
	ck_assert_uint_eq(answer.payload_len, len);
	ck_assert_int_eq(memcmp(answer.payload, want, len), 0);
}

size_t client_ask_edns(uint16_t id, uint16_t size, uint32_t ttl, const void *options, size_t n)
{
	size_t len = dns_make_query(query, id, "www.example.org", DNS_TYPE_A);

	len = dns_add_opt(query, len, size, ttl, options, n);
	ck_assert_int_eq(client_from_guest(GUEST_PORT, query, len), DROP_NONE);
	return len;
}
