/* Host-side TCP sockets over the real loopback: peeking, consuming, partial sends, ends,
 * errors. */
#include "host/tcp_sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/sock.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"
#include "loop/edge.h"
#include "proto/tcp/tcp.h"

#define DEADLINE_NS (20 * NS_PER_SEC)
#define STREAM_LEN  (8u << 20)

/* The relay's end, which only records what it was told. */
struct tcp_conn {
	unsigned told; /* events since the test last looked */
};

static struct fake_guest g;
static struct loop *loop;
static struct edge_set *edges;
static struct timer deadline;
static struct tcp_conn conn;
static const struct tcp_host_ops *const ops = &tcp_sock_ops;
static int fd_listen;
static struct endpoint listening;
static bool refuse_peek_off;

/* Stands before libc's, so that a kernel without SO_PEEK_OFF for TCP can be played. */
int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (refuse_peek_off && level == SOL_SOCKET && name == SO_PEEK_OFF) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

void tcp_from_host(struct env *env, struct tcp_conn *c, unsigned events)
{
	ck_assert_ptr_eq(env, &g.env);
	ck_assert_ptr_eq(c, &conn);
	c->told |= events;
	loop_stop(loop);
}

static void too_late(struct timer *t, void *ctx)
{
	ck_abort_msg("nothing was told in time");
}

/* Runs the loop until one of `events` is told; returns all that was told. */
static unsigned await(unsigned events)
{
	unsigned told = 0;

	deadline.fire = too_late;
	ck_assert_int_eq(timerq_set(&g.env.timers, &deadline, loop_clock_ns() + DEADLINE_NS),
			 0);
	while (!((told |= conn.told) & events)) {
		conn.told = 0;
		loop_run(loop);
	}
	conn.told = 0;
	timerq_cancel(&g.env.timers, &deadline);
	return told;
}

static void setup(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	fake_guest_init(&g);
	loop = loop_new(&g.env.timers, &g.env);
	edges = edge_set_new(loop, &g.env);
	ck_assert_ptr_nonnull(edges);
	tcp_sock_init(edges);
	conn.told = 0;
	refuse_peek_off = false;
	fd_listen = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd_listen, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd_listen, 8), 0);
	sock_local(fd_listen, &listening);
}

static void teardown(void)
{
	close(fd_listen);
	edge_set_free(edges);
	loop_free(loop);
	fake_guest_free(&g);
}

/* A connected pair: the host side under test, and the peer's plain, blocking socket. */
static void *dial(int *fd_peer)
{
	int err = -1;
	void *host = tcp_sock_dialer.connect(&g.env, &conn, &listening, &err);

	ck_assert_ptr_nonnull(host);
	ck_assert_int_eq(err, 0);
	await(TCP_HOST_WRITE);
	ck_assert_int_eq(ops->connected(host), 0);
	*fd_peer = accept(fd_listen, NULL, NULL);
	ck_assert_int_ge(*fd_peer, 0);
	return host;
}

static ssize_t peek(void *host, void *buf, size_t len, size_t offset)
{
	struct iovec iov[2] = { { buf, len / 3 }, { (char *)buf + len / 3, len - len / 3 } };

	return ops->peek(host, iov, 2, offset);
}

static void assert_peek(void *host, size_t len, size_t offset, const char *want)
{
	char buf[256];

	ck_assert_int_eq(peek(host, buf, len, offset), (ssize_t)strlen(want));
	ck_assert(!memcmp(buf, want, strlen(want)));
}

static void put(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 ^ i >> 8 ^ i >> 16);
}

START_TEST(connecting)
{
	struct endpoint own, seen;
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	int fd;
	void *host;

	setup();
	host = dial(&fd);
	ops->local(host, &own);
	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&sa, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr(&seen, (struct sockaddr *)&sa), 0);
	ck_assert(endpoint_eq(&own, &seen));
	ops->close(host, false);
	close(fd);
	teardown();
}
END_TEST

START_TEST(refused)
{
	struct endpoint closed;
	int err = -1;
	void *host;

	setup();
	closed = listening;
	close(fd_listen);
	host = tcp_sock_dialer.connect(&g.env, &conn, &closed, &err);
	ck_assert_ptr_nonnull(host);
	ck_assert_uint_ne(await(TCP_HOST_ERROR) & TCP_HOST_WRITE, 0);
	ck_assert_int_eq(ops->connected(host), -ECONNREFUSED);
	ck_assert_int_eq(ops->connected(host), -ECONNREFUSED);
	ops->close(host, false);
	fd_listen = -1;
	teardown();
}
END_TEST

START_TEST(not_even_begun)
{
	struct endpoint far = { addr_ip4(0xc0000201), 80 };
	int err = 0;

	setup();
	strcpy(g.net.ip4.outbound_interface, "no-such-device");
	ck_assert_ptr_null(tcp_sock_dialer.connect(&g.env, &conn, &far, &err));
	ck_assert_int_eq(err, ENODEV);
	g.net.ip4.outbound_interface[0] = '\0';
	g.net.ip4.outbound_set = true;
	g.net.ip4.outbound = addr_ip4(0xcb007101);
	ck_assert_ptr_null(tcp_sock_dialer.connect(&g.env, &conn, &far, &err));
	ck_assert_int_eq(err, EADDRNOTAVAIL);
	teardown();
}
END_TEST

static int connect_plain(void)
{
	struct sockaddr_storage sa;
	unsigned len = endpoint_to_sockaddr(&listening, (struct sockaddr *)&sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

/* The last descriptors are not for flows; a client is reset rather than left waiting. */
START_TEST(descriptor_limit)
{
	struct rlimit before, low;
	struct endpoint client;
	int err = 0, fd_peer, fd_free;
	char c;

	setup();
	fd_peer = connect_plain();
	fd_free = dup(fd_peer); /* what the next descriptor would be */
	close(fd_free);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)fd_free + SOCK_FD_RESERVE;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_ptr_null(tcp_sock_dialer.connect(&g.env, &conn, &listening, &err));
	ck_assert_int_eq(err, EMFILE);
	ck_assert_int_eq(sock_accept(fd_listen, &client), -EUSERS);
	ck_assert_int_eq(recv(fd_peer, &c, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	low.rlim_cur++;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_int_eq(sock_open(AF_INET, SOCK_STREAM, 0), fd_free);
	close(fd_free);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(fd_peer);
	teardown();
}
END_TEST

static void peek_consume_and_again(void)
{
	int fd;
	void *host = dial(&fd);
	char buf[8];

	ck_assert_int_eq(peek(host, buf, sizeof(buf), 0), -EAGAIN);
	put(fd, "0123456789");
	await(TCP_HOST_READ);
	assert_peek(host, 4, 0, "0123");
	assert_peek(host, 4, 4, "4567");
	assert_peek(host, 4, 0, "0123"); /* sent again */
	assert_peek(host, 9, 8, "89");
	ck_assert_int_eq(peek(host, buf, 4, 10), -EAGAIN);
	ck_assert_int_eq(ops->consume(host, 3), 0);
	assert_peek(host, 4, 0, "3456");
	assert_peek(host, 40, 4, "789");
	ck_assert_int_eq(peek(host, buf, 4, 7), -EAGAIN);
	/* what comes while all else is in flight is told */
	conn.told = 0;
	put(fd, "abc");
	await(TCP_HOST_READ);
	assert_peek(host, 40, 7, "abc");
	ck_assert_int_eq(ops->consume(host, 10), 0);
	ck_assert_int_eq(peek(host, buf, 4, 0), -EAGAIN);
	ck_assert_int_lt(ops->consume(host, 1), 0);
	ops->close(host, false);
	close(fd);
}

START_TEST(peeks)
{
	setup();
	peek_consume_and_again();
	teardown();
}
END_TEST

START_TEST(peeks_without_peek_off)
{
	setup();
	refuse_peek_off = true;
	peek_consume_and_again();
	teardown();
}
END_TEST

static void end_behind_bytes_in_flight(void)
{
	int fd;
	void *host = dial(&fd);
	char buf[8];

	put(fd, "hello");
	await(TCP_HOST_READ);
	assert_peek(host, 8, 0, "hello");
	ck_assert_int_eq(peek(host, buf, 8, 5), -EAGAIN);
	shutdown(fd, SHUT_WR);
	await(TCP_HOST_READ);
	ck_assert_int_eq(peek(host, buf, 8, 5), 0);
	ck_assert_int_eq(peek(host, buf, 8, 5), 0);
	assert_peek(host, 8, 2, "llo");
	ck_assert_int_eq(ops->consume(host, 5), 0);
	ck_assert_int_eq(peek(host, buf, 8, 0), 0);
	/* the other direction goes on */
	ck_assert_int_eq(ops->send(host, &(struct iovec){ buf, 3 }, 1), 3);
	ck_assert_int_eq(recv(fd, buf, 8, 0), 3);
	ops->shutdown(host);
	ck_assert_int_eq(recv(fd, buf, 8, 0), 0);
	ops->close(host, false);
	close(fd);
}

START_TEST(ends)
{
	setup();
	end_behind_bytes_in_flight();
	teardown();
}
END_TEST

START_TEST(ends_without_peek_off)
{
	setup();
	refuse_peek_off = true;
	end_behind_bytes_in_flight();
	teardown();
}
END_TEST

static size_t n_wrong(const uint8_t *buf, ssize_t len, size_t from)
{
	size_t n = 0;

	for (ssize_t i = 0; i < len; i++)
		n += buf[i] != pattern(from + (size_t)i);
	return n;
}

/* Bytes in flight are peeked at any offset, in any order, while others come and go. */
static void random_peeks(unsigned seed)
{
	size_t sent = 0, consumed = 0, seen = 0;
	uint8_t buf[20000];
	int fd;
	void *host = dial(&fd);

	srandom(seed);
	for (int i = 0; i < 4000; i++) {
		size_t len = (size_t)random() % sizeof(buf), offset;
		ssize_t got;

		if (sent - consumed < 60000 && random() % 2) {
			for (size_t k = 0; k < len; k++)
				buf[k] = pattern(sent + k);
			ck_assert_int_eq(write(fd, buf, len), (ssize_t)len);
			sent += len;
		}
		offset = random() % 3 ? seen - consumed
				      : (size_t)random() % (seen - consumed + 1);
		got = peek(host, buf, len, offset);
		if (len && got == -EAGAIN)
			ck_assert_uint_ge(consumed + offset, seen);
		else
			ck_assert_int_ge(got, 0);
		ck_assert_uint_eq(n_wrong(buf, got, consumed + offset), 0);
		if (got > 0 && consumed + offset + (size_t)got > seen)
			seen = consumed + offset + (size_t)got;
		if (random() % 4 == 0) {
			len = (size_t)random() % (seen - consumed + 1);
			ck_assert_int_eq(ops->consume(host, len), 0);
			consumed += len;
		}
	}
	ck_assert_uint_gt(seen, 1u << 20);
	ops->close(host, false);
	close(fd);
}

START_TEST(peeks_at_random)
{
	setup();
	random_peeks(1);
	refuse_peek_off = true;
	random_peeks(2);
	teardown();
}
END_TEST

/* Sends until the socket is full, lets the peer read, goes on when told. */
START_TEST(partial_sends)
{
	uint8_t *data = malloc(STREAM_LEN), *back = malloc(STREAM_LEN);
	size_t sent = 0, received = 0;
	bool was_full = false;
	int fd;
	void *host;

	setup();
	for (size_t i = 0; i < STREAM_LEN; i++)
		data[i] = pattern(i);
	host = dial(&fd);
	while (received < STREAM_LEN) {
		struct iovec iov[2] = { { data + sent, (STREAM_LEN - sent) / 2 } };
		ssize_t n;

		iov[1] = (struct iovec){ data + sent + iov[0].iov_len,
					 STREAM_LEN - sent - iov[0].iov_len };
		conn.told = 0;
		n = sent < STREAM_LEN ? ops->send(host, iov, 2) : 0;
		if (n > 0)
			sent += (size_t)n;
		else
			ck_assert(sent == STREAM_LEN || n == -EAGAIN);
		if (sent < STREAM_LEN) {
			ck_assert_int_eq(ops->send(host, iov, 0), 0);
			was_full = true;
		}
		while (received < sent) {
			n = recv(fd, back + received, sent - received, 0);
			ck_assert_int_gt(n, 0);
			received += (size_t)n;
		}
		if (sent < STREAM_LEN)
			await(TCP_HOST_WRITE);
	}
	ck_assert(was_full);
	ck_assert(!memcmp(data, back, STREAM_LEN));
	ops->close(host, false);
	close(fd);
	free(data);
	free(back);
	teardown();
}
END_TEST

static void reset_by_peer(int fd)
{
	struct linger at_once = { 1, 0 };

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(fd);
}

static void reset_behind_bytes(void)
{
	char buf[8];
	int fd;
	void *host = dial(&fd);

	put(fd, "bye");
	await(TCP_HOST_READ);
	assert_peek(host, 2, 0, "by"); /* the guest's window is closed now */
	reset_by_peer(fd);
	await(TCP_HOST_ERROR);
	assert_peek(host, 8, 2, "e");
	ck_assert_int_eq(peek(host, buf, 8, 3), -ECONNRESET);
	ck_assert_int_eq(peek(host, buf, 8, 3), -ECONNRESET);
	ck_assert_int_eq(ops->send(host, &(struct iovec){ buf, 3 }, 1), -ECONNRESET);
	ck_assert_int_eq(ops->connected(host), -ECONNRESET);
	ops->close(host, true);
}

START_TEST(resets)
{
	setup();
	reset_behind_bytes();
	refuse_peek_off = true;
	reset_behind_bytes();
	teardown();
}
END_TEST

/* A reset that a send() finds before the loop does is no end of the stream afterwards. */
START_TEST(reset_found_by_send)
{
	char buf[8] = "x";
	int fd;
	void *host;

	setup();
	host = dial(&fd);
	reset_by_peer(fd);
	ck_assert_int_eq(ops->send(host, &(struct iovec){ buf, 1 }, 1), -ECONNRESET);
	ck_assert_int_eq(peek(host, buf, 8, 0), -ECONNRESET);
	ck_assert_uint_ne(await(TCP_HOST_READ) & TCP_HOST_ERROR, 0);
	ops->close(host, false);
	teardown();
}
END_TEST

/* Nothing more is read behind a FIN, so only an event of its own can tell a reset then. */
START_TEST(reset_behind_end)
{
	char buf[8];
	int fd;
	void *host;

	setup();
	host = dial(&fd);
	ck_assert_int_eq(ops->send(host, &(struct iovec){ (char[]){ "late" }, 4 }, 1), 4);
	ck_assert_int_eq(recv(fd, buf, 1, MSG_PEEK), 1);
	shutdown(fd, SHUT_WR);
	await(TCP_HOST_READ);
	ck_assert_int_eq(peek(host, buf, 8, 0), 0);
	close(fd); /* with unread bytes: a reset */
	await(TCP_HOST_ERROR);
	ck_assert_int_lt(ops->connected(host), 0);
	ops->close(host, true);
	teardown();
}
END_TEST

START_TEST(closing)
{
	char c;
	int fd;

	setup();
	ops->close(dial(&fd), true);
	ck_assert_int_eq(recv(fd, &c, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(fd);
	ops->close(dial(&fd), false);
	ck_assert_int_eq(recv(fd, &c, 1, 0), 0);
	close(fd);
	teardown();
}
END_TEST

START_TEST(accepted)
{
	struct endpoint client, own;
	int fd, fd_peer;
	void *host;

	setup();
	fd_peer = connect_plain();
	fd = sock_accept(fd_listen, &client);
	ck_assert_int_ge(fd, 0);
	sock_local(fd_peer, &own);
	ck_assert(endpoint_eq(&own, &client));
	host = tcp_sock_adopt(fd);
	tcp_sock_set_conn(host, &conn);
	ck_assert_int_eq(ops->connected(host), 0);
	put(fd_peer, "in");
	await(TCP_HOST_READ);
	assert_peek(host, 8, 0, "in");
	ops->close(host, false);
	close(fd_peer);
	teardown();
}
END_TEST

/* Urgent data is part of the stream for the guest, and offsets stay right around it.  Peeks as
 * the relay does: until less comes than was asked for, then again when told. */
static void urgent_byte(void)
{
	char buf[16], seen[16];
	size_t n = 0, consumed = 0;
	int fd;
	void *host = dial(&fd);

	put(fd, "abc");
	ck_assert_int_eq(send(fd, "X", 1, MSG_OOB), 1);
	put(fd, "def");
	shutdown(fd, SHUT_WR);
	for (ssize_t got = -EAGAIN; got;) {
		await(TCP_HOST_READ);
		got = peek(host, buf, sizeof(buf), n - consumed);
		if (got > 0) {
			ck_assert_uint_le(n + (size_t)got, 7);
			memcpy(seen + n, buf, (size_t)got);
			n += (size_t)got;
		} else if (got == -EAGAIN) {
			ck_assert_int_eq(ops->consume(host, n - consumed), 0);
			consumed = n;
		}
	}
	ck_assert_uint_eq(n, 7);
	ck_assert(!memcmp(seen, "abcXdef", 7));
	ops->close(host, false);
	close(fd);
}

START_TEST(urgent)
{
	setup();
	urgent_byte();
	refuse_peek_off = true;
	urgent_byte();
	teardown();
}
END_TEST

SUITE_MAIN("tcp_sock", connecting, refused, not_even_begun, descriptor_limit, peeks,
	   peeks_without_peek_off, ends, ends_without_peek_off, peeks_at_random, partial_sends,
	   resets, reset_found_by_send, reset_behind_end, closing, accepted, urgent)
