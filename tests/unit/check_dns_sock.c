/* Sockets to name servers: real ones, on the loopback interface, with the event loop. */
#include "host/dns_sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sock.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"
#include "wire/dns.h"

static struct fake_guest g;
static struct dns_sock_host host;
static struct upstream server;	     /* of the test, on a port that the kernel chose */
static int fd_server, fd_peer;	     /* its socket; the TCP connection that it accepted */
static uint8_t got[DNS_MESSAGE_MAX]; /* what the relay was told last */
static size_t got_len;
static int got_err;
static unsigned n_told;
static struct dns_try *const try = (struct dns_try *)&n_told;
static void *sock;

void dns_from_host(struct env *env, struct dns_try *t, int err, const uint8_t *msg, size_t len)
{
	ck_assert_ptr_eq(env, &g.env);
	ck_assert_ptr_eq(t, try);
	got_err = err;
	got_len = len;
	if (len)
		memcpy(got, msg, len);
	n_told++;
	loop_stop(host.loop);
}

static void listen_at(int type)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	struct endpoint at;

	fd_server = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd_server, 0);
	ck_assert_int_eq(bind(fd_server, (struct sockaddr *)&sin, len), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd_server, 1), 0);
	ck_assert_int_eq(getsockname(fd_server, (struct sockaddr *)&sin, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr(&at, (struct sockaddr *)&sin), 0);
	server = (struct upstream){ .addr = at.addr };
	host.port = at.port;
}

static void setup(int type)
{
	fake_guest_init(&g);
	g.env.now_ns = loop_clock_ns();
	host = (struct dns_sock_host){ &g.env, loop_new(&g.env.timers, &g.env), 0 };
	ck_assert_ptr_nonnull(host.loop);
	listen_at(type);
	fd_peer = -1;
	got_err = 0;
	got_len = n_told = 0;
}

static void finish(void)
{
	dns_sock_ops.close(sock);
	close(fd_server);
	if (fd_peer >= 0)
		close(fd_peer);
	loop_free(host.loop);
	fake_guest_free(&g);
}

static void give_up(struct timer *t, void *ctx)
{
	ck_abort_msg("nothing came from the socket in time");
}

/* Runs the loop until dns_from_host() is called. */
static void wait_for_it(void)
{
	struct timer guard = { .fire = give_up };

	timerq_set(&g.env.timers, &guard, loop_clock_ns() + 60 * NS_PER_SEC);
	loop_run(host.loop);
	timerq_cancel(&g.env.timers, &guard);
}

static void stop(struct timer *t, void *ctx)
{
	loop_stop(host.loop);
}

/* Runs the loop for a moment: nothing may be told. */
static void run_quietly(void)
{
	struct timer t = { .fire = stop };
	unsigned before = n_told;

	timerq_set(&g.env.timers, &t, loop_clock_ns() + 20 * NS_PER_MS);
	loop_run(host.loop);
	ck_assert_uint_eq(n_told, before);
}

static int open_sock(bool tcp, const char *msg)
{
	return dns_sock_ops.open(&host, try, &server, tcp, (const uint8_t *)msg, strlen(msg),
				 &sock);
}

START_TEST(udp_exchange)
{
	struct sockaddr_in client;
	socklen_t len = sizeof(client);
	char buf[64];

	setup(SOCK_DGRAM);
	ck_assert_int_eq(open_sock(false, "question"), 0);
	ck_assert_int_eq(
		recvfrom(fd_server, buf, sizeof(buf), 0, (struct sockaddr *)&client, &len), 8);
	ck_assert_int_eq(memcmp(buf, "question", 8), 0);
	ck_assert_int_eq(sendto(fd_server, "answer", 6, 0, (struct sockaddr *)&client, len), 6);
	wait_for_it();
	ck_assert_int_eq(got_err, 0);
	ck_assert_uint_eq(got_len, 6);
	ck_assert_int_eq(memcmp(got, "answer", 6), 0);
	/* and another, as the first may have been a forgery; an empty one as well */
	sendto(fd_server, "again", 5, 0, (struct sockaddr *)&client, len);
	sendto(fd_server, "", 0, 0, (struct sockaddr *)&client, len);
	wait_for_it();
	ck_assert_uint_eq(got_len, 5);
	wait_for_it();
	ck_assert_uint_eq(got_len, 0);
	ck_assert_int_eq(got_err, 0);
	finish();
}
END_TEST

START_TEST(udp_again)
{
	struct sockaddr_in client[2];
	socklen_t len = sizeof(client[0]);
	char buf[64];

	setup(SOCK_DGRAM);
	ck_assert_int_eq(open_sock(false, "question"), 0);
	ck_assert_int_eq(dns_sock_ops.resend(sock, (const uint8_t *)"question", 8), 0);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(recvfrom(fd_server, buf, sizeof(buf), 0,
					  (struct sockaddr *)&client[i], &len),
				 8);
		ck_assert_int_eq(memcmp(buf, "question", 8), 0);
	}
	ck_assert_int_eq(memcmp(&client[0], &client[1], len), 0); /* from the same port */
	finish();
}
END_TEST

START_TEST(udp_from_others_is_not_heard)
{
	struct sockaddr_in client;
	socklen_t len = sizeof(client);
	int stranger = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[64];

	setup(SOCK_DGRAM);
	ck_assert_int_eq(open_sock(false, "question"), 0);
	recvfrom(fd_server, buf, sizeof(buf), 0, (struct sockaddr *)&client, &len);
	ck_assert_int_lt(sendto(stranger, "lie", 3, 0, (struct sockaddr *)&client, len), 4);
	run_quietly();
	sendto(fd_server, "answer", 6, 0, (struct sockaddr *)&client, len);
	wait_for_it();
	ck_assert_uint_eq(got_len, 6);
	close(stranger);
	finish();
}
END_TEST

START_TEST(udp_refused)
{
	setup(SOCK_DGRAM);
	close(fd_server); /* the port unreachable comes at once */
	ck_assert_int_eq(open_sock(false, "question"), 0);
	wait_for_it();
	ck_assert_int_eq(got_err, ECONNREFUSED);
	finish();
}
END_TEST

START_TEST(udp_ports_differ)
{
	enum { N = 32 };
	struct sockaddr_in client;
	socklen_t len = sizeof(client);
	uint16_t last = 0;
	unsigned steps = 0;
	char buf[64];

	setup(SOCK_DGRAM);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(open_sock(false, "question"), 0);
		recvfrom(fd_server, buf, sizeof(buf), 0, (struct sockaddr *)&client, &len);
		steps += (uint16_t)(ntohs(client.sin_port) - last) < 16;
		last = ntohs(client.sin_port);
		if (i + 1 < N)
			dns_sock_ops.close(sock);
	}
	ck_assert_uint_lt(steps, N / 4); /* neither the same nor the next */
	finish();
}
END_TEST

START_TEST(largest_datagram)
{
	static uint8_t large[65507];
	struct sockaddr_in client;
	socklen_t len = sizeof(client);
	char buf[64];

	setup(SOCK_DGRAM);
	ck_assert_int_eq(open_sock(false, "question"), 0);
	recvfrom(fd_server, buf, sizeof(buf), 0, (struct sockaddr *)&client, &len);
	memset(large, 0x5a, sizeof(large));
	ck_assert_int_eq(
		sendto(fd_server, large, sizeof(large), 0, (struct sockaddr *)&client, len),
		sizeof(large));
	wait_for_it();
	ck_assert_uint_eq(got_len, sizeof(large));
	ck_assert_int_eq(memcmp(got, large, sizeof(large)), 0);
	finish();
}
END_TEST

/* Accepts the connection and takes the query. */
static void serve_tcp(void)
{
	char buf[64];

	ck_assert_int_eq(open_sock(true, "question"), 0);
	fd_peer = accept(fd_server, NULL, NULL);
	ck_assert_int_ge(fd_peer, 0);
	run_quietly(); /* it connects and sends */
	ck_assert_int_eq(recv(fd_peer, buf, sizeof(buf), 0), 10);
	ck_assert_int_eq(memcmp(buf, "\0\10question", 10), 0);
}

START_TEST(tcp_exchange)
{
	setup(SOCK_STREAM);
	serve_tcp();
	ck_assert_int_eq(send(fd_peer, "\0\6answer\0\5again\0\0", 17, 0), 17);
	wait_for_it();
	ck_assert_int_eq(got_err, 0);
	ck_assert_uint_eq(got_len, 6);
	ck_assert_int_eq(memcmp(got, "answer", 6), 0);
	wait_for_it();
	ck_assert_uint_eq(got_len, 5);
	wait_for_it();
	ck_assert_uint_eq(got_len, 0);
	ck_assert_int_eq(got_err, 0);
	close(fd_peer);
	fd_peer = -1;
	wait_for_it();
	ck_assert_int_eq(got_err, ECONNRESET);
	finish();
}
END_TEST

START_TEST(tcp_byte_at_a_time)
{
	static const char answer[] = "\0\6answer";

	setup(SOCK_STREAM);
	serve_tcp();
	for (size_t i = 0; i < 8; i++) {
		ck_assert_int_eq(send(fd_peer, answer + i, 1, 0), 1);
		if (i < 7)
			run_quietly();
	}
	wait_for_it();
	ck_assert_uint_eq(got_len, 6);
	finish();
}
END_TEST

START_TEST(tcp_largest_answer)
{
	static uint8_t large[2 + DNS_MESSAGE_MAX];
	size_t done = 0;

	setup(SOCK_STREAM);
	serve_tcp();
	memset(large, 0x5a, sizeof(large));
	large[0] = large[1] = 0xff;
	while (done < sizeof(large)) {
		ssize_t n = send(fd_peer, large + done, sizeof(large) - done, MSG_DONTWAIT);

		if (n > 0)
			done += (size_t)n;
		else
			run_quietly();
	}
	wait_for_it();
	ck_assert_uint_eq(got_len, DNS_MESSAGE_MAX);
	ck_assert_int_eq(memcmp(got, large + 2, DNS_MESSAGE_MAX), 0);
	finish();
}
END_TEST

START_TEST(tcp_cut_off)
{
	setup(SOCK_STREAM);
	serve_tcp();
	ck_assert_int_eq(send(fd_peer, "\0\6ans", 5, 0), 5);
	close(fd_peer);
	fd_peer = -1;
	wait_for_it();
	ck_assert_int_eq(got_err, ECONNRESET);
	finish();
}
END_TEST

START_TEST(tcp_refused)
{
	int err;

	setup(SOCK_STREAM);
	close(fd_server);
	err = open_sock(true, "question");
	if (err) { /* the loopback interface may tell at once */
		ck_assert_int_eq(err, -ECONNREFUSED);
		loop_free(host.loop);
		fake_guest_free(&g);
		return;
	}
	wait_for_it();
	ck_assert_int_eq(got_err, ECONNREFUSED);
	finish();
}
END_TEST

START_TEST(no_descriptor_is_left)
{
	int before = dup(0), after;

	close(before);
	setup(SOCK_DGRAM);
	ck_assert_int_eq(open_sock(false, "question"), 0);
	finish();
	setup(SOCK_STREAM);
	serve_tcp();
	finish();
	/* a source address that this host does not have */
	setup(SOCK_DGRAM);
	g.net.ip4.outbound_set = true;
	g.net.ip4.outbound = addr_ip4(0xcb007101); /* 203.0.113.1 */
	server.addr = addr_ip4(0xc6336401);
	ck_assert_int_eq(open_sock(false, "question"), -EADDRNOTAVAIL);
	close(fd_server);
	loop_free(host.loop);
	fake_guest_free(&g);
	after = dup(0);
	close(after);
	ck_assert_int_eq(before, after);
}
END_TEST

/* RFC 4007 11.2: by its name, or by its number. */
START_TEST(the_link_of_a_resolver)
{
	char number[CONF_INTERFACE_MAX], number_and_more[CONF_INTERFACE_MAX];
	const unsigned lo = if_nametoindex("lo");
	const struct {
		const char *link;
		unsigned index;
	} cases[] = { { "lo", lo }, { number, lo }, { number_and_more, 0 }, { "no-such-link", 0 }, { "", 0 } };

	fake_guest_init(&g);
	snprintf(number, sizeof(number), "%u", lo);
	snprintf(number_and_more, sizeof(number_and_more), "%ux", lo);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_in6 sin6;
		struct endpoint e = { addr_of("fe80::1"), 53 };

		sock_peer_on(&g.net, &e, cases[i].link, (struct sockaddr *)&sin6);
		ck_assert_uint_eq(sin6.sin6_scope_id, cases[i].index);
		e.addr = addr_of("2001:db8::1"); /* means the same on all links */
		sock_peer_on(&g.net, &e, cases[i].link, (struct sockaddr *)&sin6);
		ck_assert_uint_eq(sin6.sin6_scope_id, 0);
	}
	fake_guest_free(&g);
}
END_TEST

SUITE_MAIN("dns_sock", the_link_of_a_resolver, udp_exchange, udp_again, udp_from_others_is_not_heard, udp_refused,
	   udp_ports_differ, largest_datagram, tcp_exchange, tcp_byte_at_a_time,
	   tcp_largest_answer, tcp_cut_off, tcp_refused, no_descriptor_is_left)
