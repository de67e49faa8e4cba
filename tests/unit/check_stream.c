/* The link: framing, padding, bounds, backpressure, over a socket pair. */
#include "link/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cursor.h"
#include "lib/fake_guest.h"
#include "lib/fake_host.h"
#include "lib/must.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "link/txbuf.h"
#include "loop/loop.h"

static struct txbuf t;

START_TEST(short_frames_are_padded)
{
	uint8_t *frame;

	ck_assert_int_eq(txbuf_init(&t), 0);
	ck_assert_int_eq(txbuf_reserve(&t, false, 42, 1, &frame), 1);
	memset(frame, 0xaa, 42);
	ck_assert_uint_eq(txbuf_commit(&t, 1, 42), 60);
	ck_assert_uint_eq(txbuf_pending(&t), 64);
	ck_assert_uint_eq(get_be32(t.data), 60);
	ck_assert_uint_eq(t.data[4 + 41], 0xaa);
	ck_assert_uint_eq(t.data[4 + 42], 0);
	ck_assert_uint_eq(t.data[4 + 59], 0);
	txbuf_free(&t);
}
END_TEST

START_TEST(several_frames_in_one_reservation)
{
	uint8_t *frames[3];

	ck_assert_int_eq(txbuf_init(&t), 0);
	ck_assert_int_eq(txbuf_reserve(&t, true, 1514, 3, frames), 3);
	ck_assert_ptr_eq(frames[1], frames[0] + 1514 + 4);
	txbuf_commit(&t, 3, 100);
	ck_assert_uint_eq(txbuf_pending(&t), 2 * (1514 + 4) + 100 + 4);
	ck_assert_uint_eq(get_be32(t.data + 1518), 1514);
	ck_assert_uint_eq(get_be32(t.data + 2 * 1518), 100);
	txbuf_free(&t);
}
END_TEST

START_TEST(bulk_ends_before_replies_do)
{
	uint8_t *frame;
	unsigned n = 0;

	ck_assert_int_eq(txbuf_init(&t), 0);
	while (txbuf_reserve(&t, true, 65000, 1, &frame) == 1) {
		txbuf_commit(&t, 1, 65000);
		ck_assert_uint_lt(++n, 100);
	}
	ck_assert(t.starved);
	ck_assert_uint_le(txbuf_pending(&t), TXBUF_BULK);
	ck_assert(txbuf_takes_reply(&t));
	ck_assert_int_eq(txbuf_reserve(&t, false, 65000, 1, &frame), 1);
	txbuf_free(&t);
}
END_TEST

/* Not all replies answer the guest: whoever finds no room must be called again. */
START_TEST(refused_replies_are_remembered)
{
	uint8_t *frame;
	unsigned n = 0;

	ck_assert_int_eq(txbuf_init(&t), 0);
	while (txbuf_reserve(&t, false, 65000, 1, &frame) == 1) {
		ck_assert(!t.starved);
		txbuf_commit(&t, 1, 65000);
		ck_assert_uint_lt(++n, 100);
	}
	ck_assert(t.starved);
	txbuf_free(&t);
}
END_TEST

/* A frame half written is finished before the next, whatever the socket takes at a time. */
START_TEST(partial_writes_resume)
{
	static uint8_t got[4 << 20];
	size_t n_got = 0, off = 0;
	int fd[2], rc, n_frames = 0, small = 4096;
	uint8_t *frame, sent = 0, seen = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	ck_assert_int_eq(txbuf_init(&t), 0);
	while (sent < 20 || txbuf_pending(&t)) {
		ssize_t n;

		while (sent < 20 && txbuf_reserve(&t, true, 40001, 1, &frame) == 1) {
			memset(frame, sent++, 40001);
			txbuf_commit(&t, 1, 40001);
		}
		rc = txbuf_flush(&t, fd[0]);
		ck_assert(rc == 0 || rc == -EAGAIN);
		while ((n = read(fd[1], got + n_got, sizeof(got) - n_got)) > 0)
			n_got += (size_t)n;
	}
	while (off < n_got) {
		ck_assert_uint_eq(get_be32(got + off), 40001);
		for (size_t i = 0; i < 40001; i++)
			must(got[off + 4 + i] == seen);
		off += 4 + 40001;
		seen++;
		n_frames++;
	}
	ck_assert_int_eq(n_frames, 20);
	txbuf_free(&t);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

#define FLOOD 200

static struct {
	struct fake_guest g;
	struct loop *loop;
	struct stream_link *link;
	uint64_t opened, most; /* flows, and at most between two waits of the loop */
	unsigned turns;
} flood;

static bool flood_idle(void *ctx)
{
	uint64_t now;
	bool more = stream_link_flush(flood.link);

	now = flood.g.env.stats.flow_opened;
	if (now - flood.opened > flood.most)
		flood.most = now - flood.opened;
	flood.opened = now;
	if (now == FLOOD || ++flood.turns > 1000)
		loop_stop(flood.loop);
	return more;
}

/* A batch of SYNs is worked off in turns, so that others have theirs, although the guest reads
 * nothing meanwhile and nothing more comes from it. */
START_TEST(flood_of_flows_in_turns)
{
	static struct packet p;
	static uint8_t batch[FLOOD * 100];
	struct wr w = wr_init(batch, sizeof(batch));
	int fd[2];

	fake_guest_init(&flood.g);
	ck_assert_ptr_nonnull(tcp_new(&flood.g.env, &fake_dialer));
	fake_dialer_next(NULL, ECONNREFUSED);
	flood.loop = loop_new(&flood.g.env.timers, &flood.g.env);
	flood.link = stream_link_new(&flood.g.env, flood.loop, NULL, NULL);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	stream_link_attach(flood.link, fd[0]);
	for (uint16_t i = 0; i < FLOOD; i++) {
		packet_tcp(&p, &(struct packet_ip){ 0 },
			   &(struct tcp_hdr){ .sport = (uint16_t)(1000 + i),
					      .dport = 80,
					      .flags = TCP_SYN },
			   NULL, 0);
		wr_be32(&w, (uint32_t)p.len);
		wr_bytes(&w, p.frame, p.len);
	}
	ck_assert(!w.error);
	ck_assert_int_eq(write(fd[1], batch, wr_len(&w)), (ssize_t)wr_len(&w));
	loop_set_idle(flood.loop, flood_idle, NULL);
	loop_run(flood.loop);
	ck_assert_uint_eq(flood.opened, FLOOD);
	ck_assert_uint_le(flood.most, 32);
	stream_link_free(flood.link);
	loop_free(flood.loop);
	close(fd[1]);
	tcp_free(&flood.g.env);
	fake_guest_free(&flood.g);
}
END_TEST

static char folder[32];
static struct sockaddr_un place = { .sun_family = AF_UNIX };

/* A socket file that nobody listens on any more. */
static void leave_stale(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(!bind(fd, (struct sockaddr *)&place, sizeof(place)));
	close(fd);
}

static void make_place(void)
{
	strcpy(folder, "/tmp/check_stream.XXXXXX");
	must(mkdtemp(folder));
	snprintf(place.sun_path, sizeof(place.sun_path), "%s/socket", folder);
}

static void remove_place(void)
{
	unlink(place.sun_path);
	ck_assert_int_eq(rmdir(folder), 0);
}

/* One of several that start: tells whether it has the place, and keeps that until `fd_end`
 * ends. */
static _Noreturn void contend(int fd_begin, int fd_result, int fd_end)
{
	char byte;
	int rc;

	must(!read(fd_begin, &byte, 1));
	rc = unix_listen(place.sun_path, 1);
	must(rc >= 0 || rc == -EADDRINUSE);
	byte = rc >= 0;
	must(write(fd_result, &byte, 1) == 1);
	must(!read(fd_end, &byte, 1));
	_exit(0);
}

/* Of those who find a stale socket together, one has the place. */
START_TEST(one_replaces_a_stale_socket)
{
	enum { ROUNDS = 200, N = 4 };

	make_place();
	for (int round = 0; round < ROUNDS; round++) {
		int begin[2], result[2], end[2], winners = 0;
		char byte;

		leave_stale();
		must(!pipe(begin) && !pipe(result) && !pipe(end));
		for (int i = 0; i < N; i++) {
			pid_t child = fork();

			must(child >= 0);
			if (child)
				continue;
			close(begin[1]);
			close(end[1]);
			contend(begin[0], result[1], end[0]);
		}
		close(result[1]);
		close(begin[1]);
		for (int i = 0; i < N; i++) {
			must(read(result[0], &byte, 1) == 1);
			winners += byte;
		}
		ck_assert_int_eq(winners, 1);
		close(end[1]);
		while (wait(NULL) > 0)
			;
		close(begin[0]);
		close(result[0]);
		close(end[0]);
		unlink(place.sun_path);
	}
	remove_place();
}
END_TEST

/* A lock that somebody else holds for good keeps nobody from starting, nor does it last. */
START_TEST(lock_is_no_condition)
{
	int fd_lock, fd;

	make_place();
	leave_stale();
	fd_lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(flock(fd_lock, LOCK_SH), 0);
	fd = unix_listen(place.sun_path, 1);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unix_listen(place.sun_path, 1), -EADDRINUSE);
	ck_assert_int_eq(flock(fd_lock, LOCK_EX | LOCK_NB), 0);
	close(fd_lock);
	close(fd);
	remove_place();
}
END_TEST

SUITE_MAIN("stream", one_replaces_a_stale_socket, lock_is_no_condition, short_frames_are_padded,
	   several_frames_in_one_reservation, bulk_ends_before_replies_do,
	   refused_replies_are_remembered, partial_writes_resume, flood_of_flows_in_turns)
