/* link/txbuf.h: frames on their way to the guest, in one buffer of bounded size.
 *
 * Frames are written in place, each behind its length, and leave in few large writes.  What
 * was begun is always finished: a byte count, not a frame, is what a write may stop at.
 */
#ifndef LINK_TXBUF_H
#define LINK_TXBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bulk data stops at TXBUF_BULK; the rest is for replies to the guest's own frames. */
#define TXBUF_BULK  (512u << 10)
#define TXBUF_SIZE  (TXBUF_BULK + (384u << 10))
/* What one frame of the guest can cause at most: an ICMP echo of 64 KiB in fragments,
 * or the ACKs of a full batch. */
#define TXBUF_REPLY (192u << 10)

struct txbuf {
	uint8_t *data;	    /* TXBUF_SIZE bytes */
	size_t start, end;  /* [start, end) is unsent */
	size_t stride;	    /* of the frames reserved now */
	bool starved;	    /* a reservation got less since this was cleared */
};

/* 0 or -ENOMEM. */
int txbuf_init(struct txbuf *t);
void txbuf_free(struct txbuf *t);

static inline size_t txbuf_pending(const struct txbuf *t)
{
	return t->end - t->start;
}

/* Whether one more frame of the guest may be handled. */
static inline bool txbuf_takes_reply(const struct txbuf *t)
{
	return txbuf_pending(t) + TXBUF_REPLY <= TXBUF_SIZE;
}

/* Whether bulk data would find room. */
static inline bool txbuf_takes_bulk(const struct txbuf *t)
{
	return txbuf_pending(t) < TXBUF_BULK / 2;
}

/* As struct guest_ops.  Frames shorter than Ethernet's minimum are padded with zeroes. */
int txbuf_reserve(struct txbuf *t, bool bulk, size_t frame_max, int n, uint8_t *frames[]);
size_t txbuf_commit(struct txbuf *t, int n, size_t last_len);

/* Writes to the non-blocking socket `fd` what it takes.  0 when all is sent, -EAGAIN when the
 * socket takes no more now, another -errno when it is broken. */
int txbuf_flush(struct txbuf *t, int fd);

/* Forgets what is unsent. */
void txbuf_reset(struct txbuf *t);

#endif
