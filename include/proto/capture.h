/* proto/capture.h: frames of the guest's link, written as pcapng for whoever asked.
 *
 * Theory of operation.  The link and the demultiplexer show each frame to the captures, and only
 * while env->capturing says that one runs: without, a frame costs a look at that.  A frame from the
 * guest is shown once it was handled, for then its flow and the reason of a drop are known; the
 * frames that it caused on the way to the guest are held back until then, so that an answer stands
 * behind its question.
 *
 * Each capture has a buffer of blocks, which goes to its sink at the end of a turn of the loop, in few
 * large writes.  A sink that takes no more is not waited for: what does not fit in the buffer is
 * lost and counted.  With a ring nothing is written before the end, and the oldest goes first.
 *
 * A capture runs until it is stopped, reaches a limit or fails.  Then it is ending until its sink
 * took what is left, and ended, when it is only listed.
 */
#ifndef PROTO_CAPTURE_H
#define PROTO_CAPTURE_H

#include <sys/types.h>
#include <sys/uio.h>

#include "proto/env.h"

#define CAPTURES_MAX	 4 /* running or ending */
#define CAPTURES_KEPT	 8 /* with those that have ended */
#define CAPTURE_WHY_MAX	 200
#define CAPTURE_SIZE_MIN 4096 /* of the limit of bytes: the file's own blocks take some */
#define CAPTURE_RING_MIN (128u << 10)
#define CAPTURE_RING_MAX (64u << 20)

enum capture_proto { CAPTURE_ANY_PROTO, CAPTURE_ARP, CAPTURE_ICMP, CAPTURE_TCP, CAPTURE_UDP };
enum capture_dir { CAPTURE_BOTH_DIRS, CAPTURE_FROM_GUEST, CAPTURE_TO_GUEST };

/* What is captured, and how much of it.  All zeroes is everything. */
struct capture_spec {
	/* which frames: all that is said must hold */
	enum capture_proto proto;
	enum capture_dir dir;
	uint64_t flow; /* by id */
	bool addr_set;
	struct addr addr; /* one end has this address, or is in this prefix ... */
	unsigned prefix_len;
	uint16_t port; /* ... and has this port */
	bool dropped;  /* only frames of the guest that went no further */

	/* of each frame */
	uint32_t snaplen; /* so many bytes at most */
	bool headers;	  /* only its headers, up to that of the transport */

	/* until */
	uint64_t packets, bytes, seconds;
	size_t ring; /* bytes: the last frames only, written at the end */

	/* who asked for it */
	pid_t pid;
	uid_t uid;
	char why[CAPTURE_WHY_MAX + 1];
	const char
		*path; /* of the file, which lives as long as the captures; NULL: not known */
};

enum capture_state { CAPTURE_RUNNING, CAPTURE_ENDING, CAPTURE_ENDED };

enum capture_end {
	CAPTURE_STOPPED,
	CAPTURE_PACKET_LIMIT,
	CAPTURE_SIZE_LIMIT,
	CAPTURE_TIME_LIMIT,
	CAPTURE_READER_GONE,
	CAPTURE_FAILED, /* a write */
	CAPTURE_SHUTDOWN,
	N_CAPTURE_ENDS
};

/* What there is to see of one. */
struct capture_status {
	uint64_t id; /* never used twice in a daemon's life, from 1 */
	enum capture_state state;
	const char *sink;     /* what it goes to, as capture_ops.kind() says */
	enum capture_end end; /* unless it runs */
	int error;	      /* errno, with CAPTURE_FAILED */
	uint64_t start_ns, end_ns;
	uint64_t seen;	      /* frames while it ran */
	uint64_t matched;     /* ... that were asked for */
	uint64_t lost;	      /* ... that the buffer had no room for, or were left in it */
	uint64_t overwritten; /* ... that left the ring */
	uint64_t buffered;    /* ... that wait in the buffer */
	uint64_t written;     /* ... that the sink has */
	uint64_t bytes;	      /* that the sink has */
};

/* Where captures go to: the outside of this unit.  `sink` is one capture's. */
struct capture_ops {
	/* Takes over `fd`, also on failure.  0, -EINVAL when it cannot be used, or another -errno. */
	int (*open)(void *host, int fd, void **sinkp);
	/* "file", "pipe", "socket" or "device". */
	const char *(*kind)(const void *sink);
	/* Bytes taken; -EAGAIN when it takes none now: captures_flush() is called when it does; -EPIPE
	 * when nobody reads it; another -errno. */
	ssize_t (*write)(void *sink, const struct iovec *pieces, int n);
	/* The end; the last `torn` bytes taken are of a block whose rest does not come. */
	void (*close)(void *sink, size_t torn);
	/* Nanoseconds since 1970. */
	uint64_t (*clock_ns)(void);
};

struct captures;

/* Sets env->captures.  NULL without memory. */
struct captures *captures_new(struct env *env, const struct capture_ops *ops, void *host);

/* Ends all, with what their sinks take at once. */
void captures_end(struct captures *cs);

/* Likewise, if that was not done. */
void captures_free(struct captures *cs);

/* Starts a capture to `fd`, which is taken over also on failure.  0; -EMFILE when CAPTURES_MAX are
 * under way; -ENOMEM; or as capture_ops.open(). */
int captures_start(struct captures *cs, const struct capture_spec *spec, int fd, uint64_t *idp);

/* Ends one that runs; one that is ending already loses what is left.  -ENOENT if there is none. */
int captures_stop(struct captures *cs, uint64_t id);

/* The sink is broken, which no write has told yet. */
void captures_sink_failed(struct captures *cs, const void *sink, int error);

/* The end of a turn: hands out what waits.  Whether there is more that waits for nothing. */
bool captures_flush(struct captures *cs);

/* The one with the lowest id above `id`, NULL at the end; valid until another is started. */
const struct capture_status *captures_next(const struct captures *cs, uint64_t id,
					   const struct capture_spec **specp);

const char *capture_end_name(enum capture_end end);
const char *capture_state_name(enum capture_state state);

#endif
