/* proto/capture_priv.h: what capture.c and capture_frame.c share. */
#ifndef PROTO_CAPTURE_PRIV_H
#define PROTO_CAPTURE_PRIV_H

#include "proto/capture.h"
#include "proto/capture_buf.h"
#include "wire/pcapng.h"

struct capture {
	struct capture_status status; /* id 0: the place is free */
	struct capture_spec spec;
	struct captures *all;
	void *sink;
	uint64_t start_time_ns; /* since 1970 */
	struct timer timer;	/* running: the limit of time; ending: until the sink must have moved */

	/* in the order in which they are written */
	uint8_t head[PCAPNG_SECTION_MAX + PCAPNG_INTERFACE_MAX];
	struct capture_buf buf;
	uint8_t tail[PCAPNG_STATISTICS_MAX]; /* once it is ending */
	size_t head_len, head_done, tail_len, tail_done;

	uint64_t size;	 /* of the file so far, with what waits */
	uint64_t stored; /* frames put into the buffer, ever */
	uint64_t n_lost; /* since the last one that was */
};

struct captures {
	struct env *env;
	const struct capture_ops *ops;
	void *host;
	struct capture slots[CAPTURES_KEPT];
	unsigned n_open; /* not ended */
	uint64_t next_id;

	/* a frame of the guest is being handled: when it came, and those to the guest since, each
	 * behind its length and its time */
	bool holding;
	uint64_t frame_time_ns;
	uint8_t *held;
	size_t held_len;
};

#define CAPTURE_HELD_SIZE (1u << 20)

/* Ends a capture that runs. */
void capture_end(struct capture *c, enum capture_end end);

/* Room for a block of up to `len` bytes, which the sink or older frames make if they have to; NULL
 * if there is none, or the capture has ended over it. */
uint8_t *capture_make_room(struct capture *c, size_t len);

#endif
