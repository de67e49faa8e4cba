/*
 * wan: a long wire between two network namespaces, for kernels without netem.
 *
 * Creates a TAP interface in each namespace and carries every frame from one to
 * the other DELAY microseconds later, one way. Segmentation offload passes
 * through whole (virtio-net headers), so that the wire itself carries several
 * Gbit/s; the loss rate counts such frames. A reordered frame overtakes all
 * that are on their way. Each direction has a chance and a queue of its own; for
 * what finds the queue of QUEUE_SIZE bytes full there is that of the interface,
 * which counts what it drops. The same SEED loses the same frames.
 *
 * It prints "ready" when the wire stands, and ends when its parent does.
 */
#include "tap.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_SIZE	    (64u << 20)
#define FRAME_MAX	    70000
#define INTERFACE_QUEUE_LEN 10000 /* windows of several streams in frames of 1,500 bytes */
#define READ_BATCH	    64
#define REORDER_MAX	    2000 /* longer frames are several segments, which keep their place */
#define IDLE_US		    1000000
#define PPM		    1000000
#define US_PER_SECOND	    1000000ull

/* Stands before each frame in a queue. */
struct head {
	uint64_t due_us;
	uint32_t len;
};

/* One direction: a ring of frames in the order of their time, and its own chance. */
struct way {
	unsigned char *ring;
	size_t read_pos, write_pos, used;
	int fd_in, fd_out;
	unsigned short chance_state[3];
	long place, lost_place; /* among the frames of which one is lost */
};

struct fault_rates {
	long loss_ppm, reorder_ppm;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * US_PER_SECOND + (uint64_t)now.tv_nsec / 1000;
}

/* NS is a path such as /proc/PID/ns/net, or a name that ip-netns(8) knows. */
static void netns_enter(const char *ns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s%s", strchr(ns, '/') ? "" : "/run/netns/", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "enter %s", path);
	close(fd);
}

/* Where frames are lost they are single segments, each with its own chance. */
static int wire_end(const char *ns, const char *name, const struct fault_rates *rates)
{
	netns_enter(ns);
	return tap_open(&(struct tap_conf){ .name = name,
					    .queue_len = INTERFACE_QUEUE_LEN,
					    .offload = true,
					    .segment = !rates->loss_ppm });
}

static void way_init(struct way *way, int fd_in, int fd_out, unsigned short seed)
{
	*way = (struct way){ .ring = malloc(QUEUE_SIZE),
			     .fd_in = fd_in,
			     .fd_out = fd_out,
			     .chance_state = { seed } };
	if (!way->ring)
		err(1, "malloc");
}

static void way_put(struct way *way, const void *data, size_t len)
{
	size_t to_end = QUEUE_SIZE - way->write_pos;
	size_t first = len < to_end ? len : to_end;

	memcpy(way->ring + way->write_pos, data, first);
	memcpy(way->ring, (const unsigned char *)data + first, len - first);
	way->write_pos = (way->write_pos + len) % QUEUE_SIZE;
	way->used += len;
}

static void way_peek(const struct way *way, size_t offset, void *data, size_t len)
{
	size_t pos = (way->read_pos + offset) % QUEUE_SIZE;
	size_t first = len < QUEUE_SIZE - pos ? len : QUEUE_SIZE - pos;

	memcpy(data, way->ring + pos, first);
	memcpy((unsigned char *)data + first, way->ring, len - first);
}

static void way_pop(struct way *way, size_t len)
{
	way->read_pos = (way->read_pos + len) % QUEUE_SIZE;
	way->used -= len;
}

static bool way_chance(struct way *way, long ppm)
{
	return nrand48(way->chance_state) % PPM < ppm;
}

/* One of as many frames as the rate says is lost, at a place that chance gives: neither regular
 * nor, in a short run, much more or less than the rate. */
static bool way_loses(struct way *way, long ppm)
{
	long every = ppm ? PPM / ppm : 0;

	if (!every)
		return false;
	if (way->place == 0)
		way->lost_place = nrand48(way->chance_state) % every;
	way->place = (way->place + 1) % every;
	return way->place == way->lost_place;
}

static bool way_has_room(const struct way *way)
{
	return way->used + sizeof(struct head) + FRAME_MAX <= QUEUE_SIZE;
}

/* A frame that the interface does not take is lost, as on a wire. */
static void frame_write(int fd, const unsigned char *frame, size_t len)
{
	ssize_t done = write(fd, frame, len);

	(void)done;
}

static void way_fill(struct way *way, uint64_t delay_us, const struct fault_rates *rates)
{
	static unsigned char frame[FRAME_MAX];

	for (int i = 0; i < READ_BATCH && way_has_room(way); i++) {
		ssize_t len = read(way->fd_in, frame, sizeof(frame));
		struct head head;

		if (len <= 0)
			return;
		head = (struct head){ now_us() + delay_us, (uint32_t)len };
		if (way_loses(way, rates->loss_ppm))
			continue;
		/* The queue is in order of time, so a frame is not put behind but sent ahead.
		 */
		if (len < REORDER_MAX && way_chance(way, rates->reorder_ppm)) {
			frame_write(way->fd_out, frame, head.len);
			continue;
		}
		way_put(way, &head, sizeof(head));
		way_put(way, frame, head.len);
	}
}

/* Sends what is due. Returns when the next frame is, or UINT64_MAX. */
static uint64_t way_drain(struct way *way)
{
	static unsigned char frame[FRAME_MAX];
	struct head head;

	while (way->used) {
		way_peek(way, 0, &head, sizeof(head));
		if (head.due_us > now_us())
			return head.due_us;
		way_peek(way, sizeof(head), frame, head.len);
		frame_write(way->fd_out, frame, head.len);
		way_pop(way, sizeof(head) + head.len);
	}
	return UINT64_MAX;
}

/* A way without room is not read: its frames then wait in the interface's queue. */
static void wait_until(uint64_t deadline_us, const struct way way[2])
{
	struct pollfd fds[2];
	uint64_t now = now_us(), wait_us = deadline_us > now ? deadline_us - now : 0;
	struct timespec timeout = { .tv_sec = (time_t)(wait_us / US_PER_SECOND),
				    .tv_nsec = (long)(wait_us % US_PER_SECOND) * 1000 };

	for (int i = 0; i < 2; i++)
		fds[i] = (struct pollfd){ .fd = way_has_room(&way[i]) ? way[i].fd_in : -1,
					  .events = POLLIN };
	if (ppoll(fds, 2, &timeout, NULL) < 0 && errno != EINTR)
		err(1, "ppoll");
}

int main(int argc, char **argv)
{
	struct fault_rates rates = { 0, 0 };
	struct way way[2];
	unsigned short seed = 0;
	uint64_t delay_us;
	int fd_a, fd_b;

	if (argc < 6 || argc > 9) {
		fputs("usage: wan NS_A IF_A NS_B IF_B DELAY_US "
		      "[LOSS_PPM [REORDER_PPM [SEED]]]\n",
		      stderr);
		return 2;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		err(1, "prctl");
	delay_us = strtoull(argv[5], NULL, 0);
	if (argc > 6)
		rates.loss_ppm = atol(argv[6]);
	if (argc > 7)
		rates.reorder_ppm = atol(argv[7]);
	if (argc > 8)
		seed = (unsigned short)atol(argv[8]);
	fd_a = wire_end(argv[1], argv[2], &rates);
	fd_b = wire_end(argv[3], argv[4], &rates);
	way_init(&way[0], fd_a, fd_b, seed);
	way_init(&way[1], fd_b, fd_a, seed);
	puts("ready");
	fflush(stdout);
	for (;;) {
		uint64_t deadline_us = now_us() + IDLE_US;

		for (int i = 0; i < 2; i++) {
			uint64_t next_us;

			way_fill(&way[i], delay_us, &rates);
			next_us = way_drain(&way[i]);
			if (next_us < deadline_us)
				deadline_us = next_us;
		}
		wait_until(deadline_us, way);
	}
}
