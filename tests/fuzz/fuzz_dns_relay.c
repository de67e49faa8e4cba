/* The DNS relay between a guest, name servers and time that do anything in any order.
 *
 * Each step is a byte that says what happens (low 4 bits) and to whom (high 4 bits), a length
 * (16 bits), and that many bytes. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "proto/dns.h"
#include "proto/dns_tcp.h"
#include "wire/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOCKS 64
#define CONNS 4

struct tcp_conn {
	void *host;
};

static struct sock {
	struct dns_try *try;
	uint8_t question[DNS_QUESTION_MAX];
	size_t question_len;
	uint16_t id;
} socks[SOCKS];
static struct tcp_conn conns[CONNS];
static struct env env;
static uint8_t buf[DNS_MESSAGE_MAX + 64];

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int reserve(void *link, bool bulk, size_t frame_max, int n, uint8_t *frames[])
{
	static uint8_t frame[64][1514];

	check(frame_max <= sizeof(frame[0]) && n <= 64);
	for (int i = 0; i < n; i++)
		frames[i] = frame[i];
	return n;
}

static void commit(void *link, int n, size_t last_len)
{
}

static int open_sock(void *host, struct dns_try *try, const struct upstream *server, bool tcp,
		     const uint8_t *msg, size_t len, void **sockp)
{
	struct dns_query q;

	check(!dns_query_decode(msg, len, &q)); /* nothing malformed goes out */
	for (struct sock *s = socks; s < socks + SOCKS; s++) {
		if (s->try)
			continue;
		s->try = try;
		s->id = q.id;
		s->question_len = q.question_len;
		memcpy(s->question, q.question, q.question_len);
		*sockp = s;
		return 0;
	}
	return -EMFILE;
}

static int resend(void *sock, const uint8_t *msg, size_t len)
{
	return len % 16 ? 0 : -ECONNREFUSED;
}

static void close_sock(void *sock)
{
	struct sock *s = sock;

	check(s->try);
	s->try = NULL;
}

void tcp_from_host(struct env *e, struct tcp_conn *conn, unsigned events)
{
	check(conn->host && events);
}

static void to_conn(struct tcp_conn *c, const uint8_t *p, size_t len)
{
	const struct tcp_host_ops *ops = dns_tcp_service.ops;
	ssize_t n;

	if (!c->host)
		c->host = dns_tcp_service.open(&env, c);
	if (!c->host)
		return;
	n = ops->send(c->host, &(struct iovec){ (void *)p, len }, 1);
	check(n <= (ssize_t)len);
	if (n < 0 && n != -EAGAIN) {
		ops->close(c->host, true);
		c->host = NULL;
	}
}

static void from_conn(struct tcp_conn *c, size_t len)
{
	const struct tcp_host_ops *ops = dns_tcp_service.ops;
	struct iovec iov[2] = { { buf, 1 }, { buf + 1, sizeof(buf) - 1 } };
	ssize_t n;

	if (!c->host)
		return;
	n = ops->peek(c->host, iov, 2, len);
	check(n <= (ssize_t)sizeof(buf));
	if (n > 0)
		check(!ops->consume(c->host, (size_t)n));
}

static void end_conn(struct tcp_conn *c, bool close)
{
	if (c->host && close)
		dns_tcp_service.ops->close(c->host, false);
	else if (c->host)
		dns_tcp_service.ops->shutdown(c->host);
	if (close)
		c->host = NULL;
}

static void answer(struct sock *s, const uint8_t *p, size_t len, bool forged)
{
	if (!s->try)
		return;
	memcpy(buf, p, len);
	if (!forged)
		dns_answer_patch(buf, len, s->id, s->question, s->question_len);
	dns_from_host(&env, s->try, 0, buf, len);
}

static void step(unsigned what, unsigned whom, const uint8_t *p, size_t len)
{
	struct pkt pkt = { .src = env.net->ip4.guest,
			   .dst = env.net->dns_relay[0],
			   .udp = { .sport = (uint16_t)(1000 + whom) },
			   .payload = p,
			   .payload_len = len };

	env.now_ns += NS_PER_MS;
	switch (what) {
	case 0:
		dns_from_guest(&env, &pkt);
		break;
	case 1:
	case 2:
		answer(&socks[whom], p, len, what == 2);
		break;
	case 3:
		if (socks[whom].try)
			dns_from_host(&env, socks[whom].try, ECONNREFUSED, NULL, 0);
		break;
	case 4:
		env.now_ns += len * 100 * NS_PER_MS;
		break;
	case 5:
		to_conn(&conns[whom % CONNS], p, len);
		break;
	case 6:
		from_conn(&conns[whom % CONNS], len);
		break;
	case 7:
		end_conn(&conns[whom % CONNS], len & 1);
		break;
	case 8:
		env.net->n_upstreams = whom % 4;
		break;
	default:
		dns_guest_down(&env);
	}
	timerq_run(&env.timers, env.now_ns, SIZE_MAX, &env);
}

static void discard(enum log_level level, enum log_unit unit, const char *line)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guest_ops guest_ops = { reserve, commit };
	static const struct dns_ops dns_ops = { open_sock, resend, close_sock };
	static const struct conf conf = { .timeouts.dns_query = 2,
					  .limits = { .dns_cache = 4, .dns_pending = 12 },
					  .n_records = 1,
					  .records = { { "a.test", { .b = { 0x20, 1 } } } } };
	struct net net = { .ip4 = { .on = true, .guest = addr_ip4(0x0a00020f) },
			   .mtu = 1500,
			   .n_dns_relay = 1,
			   .dns_relay = { addr_ip4(0x0a000203) },
			   .n_upstreams = 2,
			   .upstreams = { { .addr = addr_ip4(0xc0000201) },
					  { .addr = addr_ip4(0xc0000202) },
					  { .addr = addr_ip4(0xc0000203) } } };
	struct rd r = rd_init(data, size);

	log_set_sink(discard);
	env = (struct env){ .conf = &conf, .net = &net, .guest_ops = &guest_ops };
	env.dns = dns_new(&env, &dns_ops, NULL);
	while (rd_left(&r) >= 3) {
		uint8_t op = rd_u8(&r);
		size_t len = rd_be16(&r);

		if (len > rd_left(&r))
			len = rd_left(&r);
		step(op & 0xf, op >> 4, rd_view(&r, len), len);
	}
	for (unsigned i = 0; i < CONNS; i++)
		end_conn(&conns[i], true);
	dns_free(env.dns);
	for (unsigned i = 0; i < SOCKS; i++)
		check(!socks[i].try);
	check(timerq_next(&env.timers) == TIMERQ_NEVER);
	timerq_free(&env.timers);
	return 0;
}
