/* DNS over TCP: framing in any pieces, pipelining, bounds, ends; the TCP relay is played here.
 */
#include "proto/dns_tcp.h"

#include <errno.h>

#include "lib/fake_dns.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"

#define RELAY 0x0a000203 /* 10.0.2.3 */

static struct fake_guest g;
static struct fake_dns up;
static uint8_t stream[1 << 20], got[1 << 20], query[DNS_QUERY_MAX];
static const struct tcp_host_ops *ops;

/* What the TCP relay would keep: one entry a connection. */
struct tcp_conn {
	void *host;
	unsigned events; /* told, not served yet */
};
static struct tcp_conn conns[DNS_TCP_CLIENTS_MAX + 8];
static bool inside; /* one of the operations is being called */

void tcp_from_host(struct env *env, struct tcp_conn *conn, unsigned events)
{
	ck_assert_ptr_eq(env, &g.env);
	ck_assert(!inside);
	conn->events |= events;
}

static void setup(void)
{
	fake_guest_init(&g);
	g.net.dns_relay[0] = addr_ip4(RELAY);
	g.net.n_dns_relay = 1;
	g.net.upstreams[0].addr = addr_ip4(0xc0000201); /* 192.0.2.1 */
	g.net.upstreams[1].addr = addr_ip4(0xc0000202);
	g.net.n_upstreams = 2;
	memset(&up, 0, sizeof(up));
	memset(conns, 0, sizeof(conns));
	up.env = &g.env;
	g.env.dns = dns_new(&g.env, &fake_dns_ops, &up);
	ck_assert_ptr_nonnull(g.env.dns);
	ops = dns_tcp_service.ops;
}

static void *open_conn(unsigned i)
{
	inside = true;
	conns[i].host = dns_tcp_service.open(&g.env, &conns[i]);
	inside = false;
	if (conns[i].host)
		ck_assert_int_eq(ops->connected(conns[i].host), 0);
	return conns[i].host;
}

static void close_conn(unsigned i)
{
	inside = true;
	if (conns[i].host)
		ops->close(conns[i].host, false);
	conns[i].host = NULL;
	inside = false;
}

static void finish(void)
{
	for (unsigned i = 0; i < sizeof(conns) / sizeof(conns[0]); i++)
		close_conn(i);
	dns_free(g.env.dns);
	for (unsigned i = 0; i < up.n; i++)
		ck_assert_ptr_null(up.tries[i].try);
	ck_assert_uint_eq(timerq_next(&g.env.timers), TIMERQ_NEVER);
	fake_guest_free(&g);
}

static ssize_t send_bytes(unsigned i, const uint8_t *p, size_t len)
{
	struct iovec iov[2] = { { (void *)p, len / 2 },
				{ (void *)(p + len / 2), len - len / 2 } };
	ssize_t n;

	inside = true;
	n = ops->send(conns[i].host, iov, 2);
	inside = false;
	return n;
}

/* What can be peeked from `offset` on, into got[], through pieces of odd sizes. */
static ssize_t peek(unsigned i, size_t offset)
{
	struct iovec iov[4] = {
		{ got, 1 }, { got + 1, 0 }, { got + 1, 6 }, { got + 7, sizeof(got) - 7 }
	};

	return ops->peek(conns[i].host, iov, 4, offset);
}

/* Lets the service's timers fire; the events told of the connection since the last call. */
static unsigned events(unsigned i)
{
	unsigned e;

	fake_guest_advance(&g, 0);
	e = conns[i].events;
	conns[i].events = 0;
	return e;
}

/* A query behind its length, at `p`; returns the length of both. */
static size_t frame(uint8_t *p, uint16_t id, const char *name)
{
	size_t len = dns_make_query(p + 2, id, name, DNS_TYPE_A);

	put_be16(p, (uint16_t)len);
	return len + 2;
}

static const struct dns_made good = { .n_answers = 1, .ttl = 60 };

/* Takes one answer, which must be what the server says to `asked`. */
static void assert_answer(unsigned i, const uint8_t *asked, size_t asked_len,
			  const struct dns_made *how)
{
	static uint8_t want[DNS_MESSAGE_MAX];
	size_t len = dns_make_answer(want, asked, asked_len, how);

	ck_assert_int_ge(peek(i, 0), (ssize_t)len + 2);
	ck_assert_uint_eq(get_be16(got), len);
	ck_assert_int_eq(memcmp(got + 2, want, len), 0);
	ck_assert_int_eq(ops->consume(conns[i].host, len + 2), 0);
}

START_TEST(serves_its_own_address_only)
{
	struct endpoint e = { addr_ip4(RELAY), 53 };

	setup();
	ck_assert(dns_tcp_service.serves(&g.env, &e));
	e.port = 853;
	ck_assert(!dns_tcp_service.serves(&g.env, &e));
	e = (struct endpoint){ addr_ip4(0x08080808), 53 };
	ck_assert(!dns_tcp_service.serves(&g.env, &e));
	finish();
}
END_TEST

START_TEST(one_query)
{
	size_t len;

	setup();
	ck_assert_ptr_nonnull(open_conn(0));
	len = frame(stream, 0x1234, "Www.example.org");
	ck_assert_int_eq(send_bytes(0, stream, len), (ssize_t)len);
	/* the query goes upstream as it is, by TCP */
	ck_assert_uint_eq(up.n, 1);
	ck_assert(up.tries[0].tcp);
	ck_assert_uint_eq(up.tries[0].len, len - 2);
	ck_assert_int_eq(memcmp(up.tries[0].msg + 2, stream + 4, len - 4), 0);
	ck_assert_int_eq(peek(0, 0), -EAGAIN);
	ck_assert_uint_eq(events(0), 0);
	fake_dns_answer(&up, 0, &good);
	ck_assert_uint_eq(events(0), TCP_HOST_READ);
	assert_answer(0, stream + 2, len - 2, &good);
	ck_assert_int_eq(peek(0, 0), -EAGAIN);
	/* the second time it comes from the cache, without an event from within send() */
	ck_assert_int_eq(send_bytes(0, stream, len), (ssize_t)len);
	ck_assert_uint_eq(conns[0].events, 0);
	ck_assert_uint_eq(events(0), TCP_HOST_READ);
	assert_answer(0, stream + 2, len - 2, &good);
	ck_assert_uint_eq(up.n, 1);
	ck_assert_uint_eq(g.env.stats.dns_queries_tcp, 2);
	finish();
}
END_TEST

START_TEST(any_pieces)
{
	size_t len = 0, part;

	for (part = 1; part < 70; part++) {
		size_t lens[3], done = 0;

		setup();
		open_conn(0);
		len = 0;
		for (unsigned i = 0; i < 3; i++) {
			static const char *const names[] = { "a.example", "bb.example",
							     "ccc.example" };

			lens[i] = frame(stream + len, (uint16_t)i, names[i]);
			len += lens[i];
		}
		while (done < len) {
			size_t n = len - done < part ? len - done : part;

			ck_assert_int_eq(send_bytes(0, stream + done, n), (ssize_t)n);
			done += n;
		}
		ck_assert_uint_eq(up.n, 3);
		/* answers in the order in which they come, not of the queries (RFC 7766 7) */
		fake_dns_answer(&up, 2, &good);
		fake_dns_answer(&up, 0, &good);
		fake_dns_answer(&up, 1, &good);
		assert_answer(0, stream + lens[0] + lens[1] + 2, lens[2] - 2, &good);
		assert_answer(0, stream + 2, lens[0] - 2, &good);
		assert_answer(0, stream + lens[0] + 2, lens[1] - 2, &good);
		finish();
	}
}
END_TEST

START_TEST(peek_at_every_offset)
{
	static uint8_t all[2048];
	size_t len = 0;
	ssize_t n;

	setup();
	open_conn(0);
	len = frame(stream, 1, "a.example");
	len += frame(stream + len, 2, "b.example");
	send_bytes(0, stream, len);
	fake_dns_answer(&up, 0, &good);
	fake_dns_answer(&up, 1, &good);
	n = peek(0, 0);
	memcpy(all, got, (size_t)n);
	/* whatever was acknowledged, the rest is there from any offset */
	for (size_t consumed = 0; consumed < (size_t)n; consumed++) {
		for (size_t offset = 0; consumed + offset < (size_t)n; offset++) {
			ck_assert_int_eq(peek(0, offset), n - (ssize_t)(consumed + offset));
			ck_assert_int_eq(memcmp(got, all + consumed + offset,
						(size_t)n - consumed - offset),
					 0);
		}
		ck_assert_int_eq(peek(0, (size_t)n - consumed), -EAGAIN);
		ck_assert_int_eq(ops->consume(conns[0].host, 1), 0);
	}
	ck_assert_int_eq(ops->consume(conns[0].host, 1), -EINVAL);
	finish();
}
END_TEST

START_TEST(largest_answer)
{
	static uint8_t large[DNS_MESSAGE_MAX];
	size_t len;

	setup();
	open_conn(0);
	len = frame(stream, 7, "example.org");
	send_bytes(0, stream, len);
	memset(large, 0x5a, sizeof(large));
	dns_make_answer(large, up.tries[0].msg, up.tries[0].len, &good);
	dns_from_host(&g.env, up.tries[0].try, 0, large, sizeof(large));
	ck_assert_int_eq(peek(0, 0), 65537);
	ck_assert_uint_eq(get_be16(got), 65535);
	ck_assert_uint_eq(get_be16(got + 2), 7);
	ck_assert_int_eq(memcmp(got + 4, large + 2, sizeof(large) - 2), 0);
	finish();
}
END_TEST

START_TEST(pipeline_is_bounded)
{
	size_t len = 0, first = 0, sixteen = 0;
	char name[] = "a.example";

	setup();
	open_conn(0);
	for (unsigned i = 0; i < 20; i++) {
		name[0] = (char)('a' + i);
		len += frame(stream + len, (uint16_t)i, name);
		if (!i)
			first = len;
		if (i == 15)
			sixteen = len;
	}
	ck_assert_int_eq(send_bytes(0, stream, len), (ssize_t)sixteen);
	ck_assert_uint_eq(up.n, 16);
	ck_assert_int_eq(send_bytes(0, stream + sixteen, len - sixteen), -EAGAIN);
	ck_assert_uint_eq(events(0), 0);
	fake_dns_answer(&up, 5, &good);
	ck_assert_uint_eq(events(0), TCP_HOST_READ | TCP_HOST_WRITE);
	ck_assert_int_eq(send_bytes(0, stream + sixteen, len - sixteen), (ssize_t)first);
	ck_assert_uint_eq(up.n, 17);
	finish();
}
END_TEST

START_TEST(unread_answers_are_bounded)
{
	static uint8_t large[40000];
	size_t len;

	setup();
	open_conn(0);
	for (unsigned i = 0; i < 2; i++) {
		len = frame(stream, (uint16_t)i, i ? "b.example" : "a.example");
		ck_assert_int_eq(send_bytes(0, stream, len), (ssize_t)len);
		dns_make_answer(large, up.tries[i].msg, up.tries[i].len, &good);
		dns_from_host(&g.env, up.tries[i].try, 0, large, sizeof(large));
	}
	len = frame(stream, 3, "c.example");
	ck_assert_int_eq(send_bytes(0, stream, len), -EAGAIN);
	ck_assert_uint_eq(events(0), TCP_HOST_READ);
	ck_assert_int_eq(ops->consume(conns[0].host, 14000), 0);
	ck_assert_uint_eq(events(0), 0);
	ck_assert_int_eq(ops->consume(conns[0].host, 1000), 0);
	ck_assert_uint_eq(events(0), TCP_HOST_WRITE);
	ck_assert_int_eq(send_bytes(0, stream, len), (ssize_t)len);
	finish();
}
END_TEST

START_TEST(half_close)
{
	size_t len;

	setup();
	open_conn(0);
	len = frame(stream, 1, "a.example");
	len += frame(stream + len, 2, "b.example");
	send_bytes(0, stream, len + 5); /* and a piece of another */
	inside = true;
	ops->shutdown(conns[0].host);
	inside = false;
	ck_assert_uint_eq(events(0), 0);
	ck_assert_int_eq(peek(0, 0), -EAGAIN);
	/* what was asked before is answered, then the end follows */
	fake_dns_answer(&up, 1, &good);
	ck_assert_uint_eq(events(0), TCP_HOST_READ);
	len = (size_t)peek(0, 0);
	ck_assert_int_eq(peek(0, len), -EAGAIN);
	fake_dns_answer(&up, 0, &good);
	ck_assert_uint_eq(events(0), TCP_HOST_READ);
	len = (size_t)peek(0, 0);
	ck_assert_int_eq(peek(0, len), 0);
	ops->consume(conns[0].host, len);
	ck_assert_uint_eq(events(0), TCP_HOST_READ);
	ck_assert_int_eq(peek(0, 0), 0);
	finish();
}
END_TEST

START_TEST(end_without_query)
{
	setup();
	open_conn(0);
	ops->shutdown(conns[0].host);
	ck_assert_uint_eq(events(0), TCP_HOST_READ);
	ck_assert_int_eq(peek(0, 0), 0);
	finish();
}
END_TEST

START_TEST(gone_while_asking)
{
	size_t len;

	setup();
	open_conn(0);
	open_conn(1);
	len = frame(stream, 1, "a.example");
	len += frame(stream + len, 2, "b.example");
	send_bytes(0, stream, len);
	len = frame(stream, 3, "a.example");
	send_bytes(1, stream, len);
	close_conn(0);
	/* nobody waits for b any more; for a there is another client */
	ck_assert_ptr_null(up.tries[1].try);
	fake_dns_answer(&up, 0, &good);
	ck_assert_uint_eq(events(1), TCP_HOST_READ);
	assert_answer(1, stream + 2, len - 2, &good);
	finish();
}
END_TEST

START_TEST(malformed)
{
	struct dns_made formerr = { .rcode = DNS_FORMERR };
	size_t len;

	setup();
	open_conn(0);
	/* lengths 0 and 5, an answer: no answer, and the stream goes on */
	len = from_hex("00 00  00 05 01 02 03 04 05", stream, sizeof(stream));
	frame(stream + len, 1, "a.example");
	stream[len + 2 + 2] |= 0x80;
	len += frame(query, 1, "a.example");
	ck_assert_int_eq(send_bytes(0, stream, len), (ssize_t)len);
	ck_assert_uint_eq(g.env.stats.drops[DROP_DNS], 3);
	ck_assert_int_eq(peek(0, 0), -EAGAIN);
	/* no question: FORMERR */
	len = from_hex("00 0c  00 07  01 00  00 00  00 00  00 00  00 00", stream,
		       sizeof(stream));
	ck_assert_int_eq(send_bytes(0, stream, len), (ssize_t)len);
	ck_assert_int_eq(peek(0, 0), 14);
	assert_bytes(got, 14, "00 0c  00 07  81 81  00 00  00 00  00 00  00 00");
	ops->consume(conns[0].host, 14);
	len = frame(stream, 1, "a.example");
	ck_assert_int_eq(send_bytes(0, stream, len), (ssize_t)len);
	fake_dns_answer(&up, 0, &formerr);
	assert_answer(0, stream + 2, len - 2, &formerr);
	/* a length that no query has breaks the connection */
	len = from_hex("10 01", stream, sizeof(stream));
	ck_assert_int_eq(send_bytes(0, stream, len), -EMSGSIZE);
	ck_assert_int_eq(send_bytes(0, stream, len), -EPIPE);
	finish();
}
END_TEST

START_TEST(silent_servers)
{
	size_t len;

	setup();
	open_conn(0);
	len = frame(stream, 1, "a.example");
	send_bytes(0, stream, len);
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	ck_assert_uint_eq(up.n, 2);
	ck_assert(up.tries[1].tcp);
	fake_guest_advance(&g, 2 * NS_PER_SEC);
	ck_assert_uint_eq(events(0), TCP_HOST_READ);
	assert_answer(0, stream + 2, len - 2, &(struct dns_made){ .rcode = DNS_SERVFAIL });
	finish();
}
END_TEST

START_TEST(idle_clients_make_room)
{
	size_t len;

	setup();
	for (unsigned i = 0; i < DNS_TCP_CLIENTS_MAX; i++)
		ck_assert_ptr_nonnull(open_conn(i));
	/* the first has asked and waits, the second asked and has its answer unread */
	len = frame(stream, 1, "a.example");
	send_bytes(0, stream, len);
	len = frame(stream, 2, "b.example");
	send_bytes(1, stream, len);
	fake_dns_answer(&up, 1, &good);
	ck_assert_ptr_nonnull(open_conn(DNS_TCP_CLIENTS_MAX));
	fake_guest_advance(&g, 0);
	ck_assert_uint_eq(events(0), 0);
	ck_assert_uint_eq(events(1), TCP_HOST_READ);
	ck_assert_int_gt(peek(1, 0), 0);
	ck_assert_uint_eq(events(2), TCP_HOST_READ);
	ck_assert_int_eq(peek(2, 0), 0); /* ended */
	ck_assert_int_eq(send_bytes(2, stream, len), -EPIPE);
	ck_assert_int_eq(peek(3, 0), -EAGAIN);
	finish();
}
END_TEST

START_TEST(busy_clients_are_bounded)
{
	size_t len;

	setup();
	for (unsigned i = 0; i < DNS_TCP_CLIENTS_MAX; i++) {
		ck_assert_ptr_nonnull(open_conn(i));
		len = frame(stream, (uint16_t)i, "a.example");
		send_bytes(i, stream, len);
		if (i % 2) /* the guest's FIN does not hide what is kept for it */
			ops->shutdown(conns[i].host);
	}
	ck_assert_ptr_null(open_conn(DNS_TCP_CLIENTS_MAX));
	ck_assert_uint_eq(g.env.stats.dns_limit, 1);
	close_conn(5);
	ck_assert_ptr_nonnull(open_conn(DNS_TCP_CLIENTS_MAX));
	finish();
	/* all were given back */
	setup();
	for (unsigned i = 0; i < DNS_TCP_CLIENTS_MAX; i++)
		ck_assert_ptr_nonnull(open_conn(i));
	fake_guest_advance(&g, 0);
	for (unsigned i = 0; i < DNS_TCP_CLIENTS_MAX; i++)
		ck_assert_uint_eq(events(i), 0);
	finish();
}
END_TEST

SUITE_MAIN("dns_tcp", serves_its_own_address_only, one_query, any_pieces, peek_at_every_offset,
	   largest_answer, pipeline_is_bounded, unread_answers_are_bounded, half_close,
	   end_without_query, gone_while_asking, malformed, silent_servers,
	   idle_clients_make_room, busy_clients_are_bounded)
