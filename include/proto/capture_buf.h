/* proto/capture_buf.h: blocks of a capture that wait to be written, in one piece of memory.
 *
 * Each block is in one piece, so that it is encoded in place; they leave in their order, in writes
 * that may end anywhere, or are discarded whole, the oldest first.
 */
#ifndef PROTO_CAPTURE_BUF_H
#define PROTO_CAPTURE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct capture_buf {
	uint8_t *data;
	size_t size;
	size_t start, end; /* what waits is between them */
	bool wrapped;	   /* ... or from `start` to `wrap`, and from the front to `end` */
	size_t wrap;
	size_t torn; /* bytes taken of a block whose rest is at `start` */
	size_t rest; /* of that block */
};

/* 0 or -ENOMEM. */
int capture_buf_init(struct capture_buf *b, size_t size);
void capture_buf_free(struct capture_buf *b);

/* Room for a block of up to `len` bytes; NULL if there is none.  Void unless it is committed. */
uint8_t *capture_buf_reserve(struct capture_buf *b, size_t len);

/* The block is in the room reserved, with `len` bytes. */
void capture_buf_commit(struct capture_buf *b, size_t len);

/* Discards the oldest block, none of which is taken yet; there must be one. */
void capture_buf_discard(struct capture_buf *b);

/* What waits, in up to two pieces; how many. */
int capture_buf_pieces(const struct capture_buf *b, struct iovec pieces[static 2]);

/* Takes `n` bytes off; how many blocks are whole with them. */
unsigned capture_buf_consume(struct capture_buf *b, size_t n);

static inline bool capture_buf_is_empty(const struct capture_buf *b)
{
	return b->start == b->end && !b->wrapped;
}

#endif
