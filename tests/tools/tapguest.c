/*
 * tapguest: stands in for a QEMU guest on a `-netdev stream` link.
 *
 * Creates a TAP interface in the current network namespace and relays its
 * Ethernet frames to a UNIX stream socket, each behind a 32-bit big-endian
 * length, as QEMU does. The "guest" is then the namespace's own network stack,
 * which runs at full speed where no KVM is usable.
 *
 * With -o the frames come from a stack that takes the other side for a network card which completes
 * checksums and divides segments, as libkrun's guests do: checksums are unfinished, and segments
 * of TCP up to 64 KiB long, whatever the MTU.
 *
 * It prints "connected" when the link stands (each time, with -r), and ends
 * when its parent does. Neither side is read while what it said before cannot
 * be passed on, so that backpressure goes through.
 */
#include "tap.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX   (65535 + 14)
#define LENGTH_SIZE 4
#define BUF_SIZE    (1 << 20)

/* Exit status, beside 0 for a link ended by the other side and 1 for errors. */
#define STATUS_USAGE	 2
#define STATUS_BAD_FRAME 3

/* Bytes [start, end) of one direction wait to be passed on. */
struct buf {
	unsigned char data[BUF_SIZE];
	size_t start, end;
};

struct relay {
	int tap, sock;
	size_t vnet_len; /* of the header before each frame of the TAP, which stays there */
	bool tap_full;
	struct buf to_sock, to_tap;
};

struct options {
	struct tap_conf tap;
	const char *socket_path;
	int socket_fd; /* already connected, or -1 */
	long wait_ms;
	bool reconnect;
};

static struct virtio_net_hdr_mrg_rxbuf vnet;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		err(1, "set O_NONBLOCK");
}

/* A daemon that is still starting has no socket yet, or one that does not listen. */
static int connect_patiently(const char *path, long wait_ms)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	long deadline = now_ms() + wait_ms;

	if (strlen(path) >= sizeof(addr.sun_path))
		errx(STATUS_USAGE, "socket path '%s' is too long", path);
	strcpy(addr.sun_path, path);
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			err(1, "socket");
		if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			return fd;
		if ((errno != ENOENT && errno != ECONNREFUSED) || now_ms() >= deadline)
			err(1, "connect to %s", path);
		close(fd);
		nanosleep(&pause, NULL);
	}
}

/* Takes as many frames as the buffer surely holds, so that they leave in one write. */
static void tap_read(struct relay *relay)
{
	struct buf *buf = &relay->to_sock;

	while (buf->end + LENGTH_SIZE + FRAME_MAX <= sizeof(buf->data)) {
		unsigned char *at = buf->data + buf->end;
		struct iovec parts[] = { { &vnet, relay->vnet_len },
					 { at + LENGTH_SIZE, FRAME_MAX } };
		ssize_t len = readv(relay->tap, parts, 2);
		uint32_t length;

		if (len < 0 && errno != EAGAIN)
			err(1, "read TAP");
		len -= (ssize_t)relay->vnet_len;
		if (len <= 0)
			return;
		length = htonl((uint32_t)len);
		memcpy(at, &length, sizeof(length));
		buf->end += LENGTH_SIZE + (size_t)len;
	}
}

/* Returns false when the other side has gone. */
static bool sock_write(struct relay *relay)
{
	struct buf *buf = &relay->to_sock;
	ssize_t len =
		send(relay->sock, buf->data + buf->start, buf->end - buf->start, MSG_NOSIGNAL);

	if (len < 0)
		return errno == EAGAIN;
	buf->start += (size_t)len;
	if (buf->start == buf->end)
		buf->start = buf->end = 0;
	return true;
}

/* Returns false when the other side has gone. */
static bool sock_read(struct relay *relay)
{
	struct buf *buf = &relay->to_tap;
	ssize_t len;

	memmove(buf->data, buf->data + buf->start, buf->end - buf->start);
	buf->end -= buf->start;
	buf->start = 0;
	len = recv(relay->sock, buf->data + buf->end, sizeof(buf->data) - buf->end, 0);
	if (len < 0)
		return errno == EAGAIN;
	buf->end += (size_t)len;
	return len > 0;
}

/* Length of the frame at the buffer's start, or 0 when it has not come whole. */
static size_t frame_len(const struct buf *buf)
{
	size_t have = buf->end - buf->start;
	uint32_t length;

	if (have < LENGTH_SIZE)
		return 0;
	memcpy(&length, buf->data + buf->start, sizeof(length));
	length = ntohl(length);
	if (!length || length > FRAME_MAX)
		errx(STATUS_BAD_FRAME, "frame of %u bytes from the socket", length);
	return have - LENGTH_SIZE >= length ? length : 0;
}

static void tap_write(struct relay *relay)
{
	struct buf *buf = &relay->to_tap;
	size_t len;

	relay->tap_full = false;
	vnet = (struct virtio_net_hdr_mrg_rxbuf){ .num_buffers = 1 };
	while ((len = frame_len(buf))) {
		struct iovec parts[] = { { &vnet, relay->vnet_len },
					 { buf->data + buf->start + LENGTH_SIZE, len } };
		ssize_t done = writev(relay->tap, parts, 2);

		if (done < 0 && errno == EAGAIN) {
			relay->tap_full = true;
			return;
		}
		/* EIO: the interface is down; EINVAL: a runt. Both are lost as on a wire. */
		if (done < 0 && errno != EIO && errno != EINVAL)
			err(1, "write TAP");
		buf->start += LENGTH_SIZE + len;
	}
}

/* Relays until the socket's other side leaves. */
static void relay_run(struct relay *relay)
{
	for (;;) {
		bool sending = relay->to_sock.end > 0;
		struct pollfd fds[] = {
			{ .fd = relay->tap,
			  .events = (short)((sending ? 0 : POLLIN) |
					    (relay->tap_full ? POLLOUT : 0)) },
			{ .fd = relay->sock,
			  .events = (short)((sending ? POLLOUT : 0) |
					    (relay->tap_full ? 0 : POLLIN)) },
		};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			err(1, "poll");
		if (fds[0].revents & POLLOUT)
			tap_write(relay);
		if (fds[0].revents & POLLIN)
			tap_read(relay);
		if (relay->to_sock.end && !sock_write(relay))
			return;
		if (fds[1].revents & (POLLIN | POLLHUP | POLLERR) && !relay->tap_full) {
			if (!sock_read(relay))
				return;
			tap_write(relay);
		}
	}
}

static void relay_reset(struct relay *relay, int sock)
{
	relay->sock = sock;
	relay->tap_full = false;
	relay->to_sock.start = relay->to_sock.end = 0;
	relay->to_tap.start = relay->to_tap.end = 0;
}

static _Noreturn void usage(void)
{
	fputs("usage: tapguest [-or] [-a MAC] [-m MTU] [-w SECONDS] IFNAME SOCKET\n"
	      "       tapguest [-o] [-a MAC] [-m MTU] -f FD IFNAME\n"
	      "  -f FD       use the connected socket FD\n"
	      "  -o          leave checksums and the segmentation of TCP to the other side\n"
	      "  -r          connect again when the other side leaves\n"
	      "  -w SECONDS  wait so long for the socket to listen (default 10)\n",
	      stderr);
	exit(STATUS_USAGE);
}

static struct options options_parse(int argc, char **argv)
{
	struct options opts = { .socket_fd = -1, .wait_ms = 10000 };
	int opt;

	while ((opt = getopt(argc, argv, "a:f:m:orw:")) != -1) {
		switch (opt) {
		case 'a':
			opts.tap.mac = optarg;
			break;
		case 'f':
			opts.socket_fd = atoi(optarg);
			break;
		case 'm':
			opts.tap.mtu = atoi(optarg);
			break;
		case 'o':
			opts.tap.offload = opts.tap.segment = true;
			break;
		case 'r':
			opts.reconnect = true;
			break;
		case 'w':
			opts.wait_ms = 1000L * atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != (opts.socket_fd < 0 ? 2 : 1) ||
	    (opts.reconnect && opts.socket_fd >= 0))
		usage();
	opts.tap.name = argv[optind];
	opts.socket_path = argv[optind + 1];
	return opts;
}

int main(int argc, char **argv)
{
	struct options opts = options_parse(argc, argv);
	static struct relay relay;

	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		err(1, "prctl");
	relay.tap = tap_open(&opts.tap);
	relay.vnet_len = opts.tap.offload ? sizeof(vnet) : 0;
	do {
		int sock = opts.socket_fd >= 0
				   ? opts.socket_fd
				   : connect_patiently(opts.socket_path, opts.wait_ms);

		set_nonblocking(sock);
		puts("connected");
		fflush(stdout);
		relay_reset(&relay, sock);
		relay_run(&relay);
		close(sock);
	} while (opts.reconnect);
	return 0;
}
