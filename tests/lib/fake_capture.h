/* lib/fake_capture.h: where the captures of a test go, and what is in them. */
#ifndef TESTS_LIB_FAKE_CAPTURE_H
#define TESTS_LIB_FAKE_CAPTURE_H

#include "proto/capture.h"

#define FAKE_SINKS	    16
#define FAKE_CAPTURE_FRAMES 16384

/* What was written to one capture. */
struct fake_sink {
	uint8_t *data;
	size_t len;
	size_t room; /* bytes that it still takes, then `error` or -EAGAIN; at first without limit */
	int error;   /* errno */
	bool closed;
	size_t torn;
};

struct fake_capture {
	struct fake_sink sinks[FAKE_SINKS]; /* in order of open() */
	size_t n_sinks;
	int open_error;
};

extern const struct capture_ops fake_capture_ops;

/* The fake clock, since 1970; each look at it takes a nanosecond. */
extern uint64_t fake_capture_time_ns;

void fake_capture_init(struct fake_capture *f);
/* Frees what was written; fails the test if a sink is open. */
void fake_capture_free(struct fake_capture *f);

/* A frame in a file. */
struct captured {
	unsigned direction; /* enum pcapng_direction */
	uint64_t time_ns, n_lost;
	size_t len, original_len;
	const uint8_t *data;
	char comments[128]; /* with a comma between them */
};

/* The frames of a file, from its first block on, which may be cut between any two of them; fails the
 * test if it is no such.  How many; `*has_end` tells whether the statistics are there. */
size_t fake_capture_read(const struct fake_sink *s, struct captured frames[FAKE_CAPTURE_FRAMES],
			 bool *has_end);

/* Whether `text` is anywhere in the file. */
bool fake_capture_has(const struct fake_sink *s, const char *text);

#endif
