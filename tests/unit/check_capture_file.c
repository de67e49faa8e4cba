/* What captures are written to: files, pipes and sockets, full, broken and of the wrong kind. */
#include "link/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fake_guest.h"
#include "lib/suite.h"
#include "loop/edge.h"
#include "loop/loop.h"

static struct fake_guest g;
static struct capture_files files;
static struct loop *loop;
static char block[64 << 10];

static void begin(void)
{
	fake_guest_init(&g);
	loop = loop_new(&g.env.timers, &g.env);
	files = (struct capture_files){ &g.env, edge_set_new(loop, &g.env), NULL };
	ck_assert_ptr_nonnull(captures_new(&g.env, &capture_file_ops, &files));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static void end(void)
{
	captures_free(g.env.captures);
	edge_set_free(files.edges);
	loop_free(loop);
	fake_guest_free(&g);
}

static int open_sink(int fd, void **sinkp)
{
	return capture_file_ops.open(&files, fd, sinkp);
}

static ssize_t write_sink(void *sink, size_t len)
{
	const struct iovec pieces[] = { { block, len / 2 }, { block, len - len / 2 } };

	return capture_file_ops.write(sink, pieces, 2);
}

START_TEST(wrong_kinds)
{
	struct sockaddr_storage any = { .ss_family = AF_UNIX };
	int fds[2], listener = socket(AF_UNIX, SOCK_STREAM, 0), datagrams = socket(AF_UNIX, SOCK_DGRAM, 0);
	void *sink;

	begin();
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&any, sizeof(any.ss_family)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(open_sink(fds[0], &sink), -EINVAL);
	ck_assert_int_eq(close(fds[0]), -1); /* it was taken over */
	close(fds[1]);
	ck_assert_int_eq(open_sink(listener, &sink), -EINVAL);
	ck_assert_int_eq(open_sink(datagrams, &sink), -EINVAL);
	ck_assert_int_eq(open_sink(open("/dev/zero", O_RDWR), &sink), -EINVAL);
	ck_assert_int_eq(open_sink(open("/", O_RDONLY), &sink), -EINVAL);
	ck_assert_int_eq(open_sink(-1, &sink), -EBADF);
	end();
}
END_TEST

static void assert_kind(int fd, const char *kind)
{
	void *sink;

	ck_assert_int_eq(open_sink(fd, &sink), 0);
	ck_assert_str_eq(capture_file_ops.kind(sink), kind);
	capture_file_ops.close(sink, 0);
}

START_TEST(kinds)
{
	int ends[2], pair[2];

	begin();
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_kind(memfd_create("capture", 0), "file");
	assert_kind(ends[1], "pipe");
	assert_kind(pair[1], "socket");
	assert_kind(open("/dev/null", O_WRONLY), "device");
	close(ends[0]);
	close(pair[0]);
	end();
}
END_TEST

START_TEST(file_is_cut)
{
	const struct rlimit before = { 10000, RLIM_INFINITY }, after = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = memfd_create("capture", 0), kept = dup(fd);
	void *sink;

	begin();
	ck_assert_int_eq((int)write(fd, block, 100), 100); /* what stood there */
	ck_assert_int_eq(open_sink(fd, &sink), 0);
	ck_assert_int_eq((int)write_sink(sink, 9000), 9000);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq((int)write_sink(sink, 2000), 900);
	ck_assert_int_eq((int)write_sink(sink, 1100), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &after), 0);
	capture_file_ops.close(sink, 900);
	ck_assert_int_eq((int)lseek(kept, 0, SEEK_CUR), 9100);
	ck_assert_int_eq((int)lseek(kept, 0, SEEK_END), 9100);

	/* what others have written behind it stays */
	ck_assert_int_eq((int)lseek(kept, 5000, SEEK_SET), 5000);
	ck_assert_int_eq(open_sink(dup(kept), &sink), 0);
	ck_assert_int_eq((int)write_sink(sink, 1000), 1000);
	capture_file_ops.close(sink, 900);
	ck_assert_int_eq((int)lseek(kept, 0, SEEK_CUR), 6000);
	ck_assert_int_eq((int)lseek(kept, 0, SEEK_END), 9100);
	close(kept);
	end();
}
END_TEST

static bool stop_after_a_turn(void *ctx)
{
	unsigned *turns = ctx;

	if (++*turns > 1)
		loop_stop(loop);
	return true;
}

/* Serves what is ready, without waiting. */
static void run_once(void)
{
	unsigned turns = 0;

	loop_set_idle(loop, stop_after_a_turn, &turns);
	loop_run(loop);
}

START_TEST(full_pipe)
{
	int fds[2], kept;
	size_t total = 0;
	ssize_t n;
	void *sink;

	begin();
	ck_assert_int_eq(pipe(fds), 0);
	kept = dup(fds[1]);
	ck_assert_int_eq(open_sink(fds[1], &sink), 0);
	while ((n = write_sink(sink, sizeof(block))) > 0)
		total += (size_t)n;
	ck_assert_int_eq((int)n, -EAGAIN);
	ck_assert_uint_ge(total, 4096);
	ck_assert_int_gt((int)read(fds[0], block, sizeof(block)), 0);
	ck_assert_int_gt((int)write_sink(sink, 1000), 0);
	capture_file_ops.close(sink, 0);
	close(fds[0]); /* what happens to the pipe is nobody's business any more */
	run_once();
	close(kept);
	end();
}
END_TEST

static bool blocks(int fd)
{
	return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* Whoever else has the pipe open finds it as it was, once the last capture has ended. */
START_TEST(given_back)
{
	int fds[2], pair[2];
	void *first, *second, *third;

	begin();
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_WRONLY | O_APPEND), 0);
	ck_assert_int_eq(open_sink(dup(fds[1]), &first), 0);
	ck_assert_int_eq(open_sink(dup(pair[1]), &second), 0);
	ck_assert_int_eq(open_sink(dup(fds[1]), &third), 0);
	ck_assert(!blocks(fds[1]) && !blocks(pair[1]));
	capture_file_ops.close(first, 0);
	ck_assert(!blocks(fds[1]) && !blocks(pair[1])); /* the third would wait */
	capture_file_ops.close(third, 0);
	ck_assert(blocks(fds[1]) && !blocks(pair[1]));
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_APPEND, O_APPEND);
	capture_file_ops.close(second, 0);
	ck_assert(blocks(pair[1]));

	/* what did not block before does not either */
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_WRONLY | O_NONBLOCK), 0);
	assert_kind(dup(fds[1]), "pipe");
	ck_assert(!blocks(fds[1]));
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(pair[i]);
	}
	end();
}
END_TEST

static const struct capture_status *status(void)
{
	const struct capture_spec *spec;

	return captures_next(g.env.captures, 0, &spec);
}

/* That nobody reads is known at once, without a frame. */
START_TEST(reader_leaves)
{
	const struct capture_spec spec = { 0 };
	uint64_t id;
	int fds[2];

	begin();
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(captures_start(g.env.captures, &spec, fds[1], &id), 0);
	captures_flush(g.env.captures);
	run_once();
	ck_assert_int_eq(status()->state, CAPTURE_RUNNING);
	close(fds[0]);
	run_once();
	ck_assert_int_eq(status()->state, CAPTURE_ENDED);
	ck_assert_int_eq(status()->end, CAPTURE_READER_GONE);
	end();
}
END_TEST

START_TEST(stream_socket)
{
	const struct capture_spec spec = { 0 };
	uint64_t id;
	int fds[2];

	begin();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(captures_start(g.env.captures, &spec, fds[1], &id), 0);
	captures_flush(g.env.captures);
	ck_assert_int_gt((int)recv(fds[0], block, sizeof(block), MSG_DONTWAIT), 100);
	close(fds[0]);
	captures_stop(g.env.captures, id);
	captures_flush(g.env.captures);
	ck_assert_int_eq(status()->end, CAPTURE_READER_GONE);
	end();
}
END_TEST

SUITE_MAIN("capture_file", wrong_kinds, kinds, file_is_cut, full_pipe, given_back,
	   reader_leaves, stream_socket)
