/* link/txbuf.c: frames on their way to the guest. */
#include "link/txbuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cursor.h"
#include "wire/eth.h"

#define PREFIX_LEN 4 /* the frame's length */

int txbuf_init(struct txbuf *t)
{
	*t = (struct txbuf){ .data = malloc(TXBUF_SIZE) };
	return t->data ? 0 : -ENOMEM;
}

void txbuf_free(struct txbuf *t)
{
	free(t->data);
	t->data = NULL;
}

void txbuf_reset(struct txbuf *t)
{
	t->start = t->end = 0;
}

/* Moves what is unsent to the front, so that all free room is in one piece. */
static void compact(struct txbuf *t)
{
	if (!t->start)
		return;
	memmove(t->data, t->data + t->start, txbuf_pending(t));
	t->end -= t->start;
	t->start = 0;
}

int txbuf_reserve(struct txbuf *t, bool bulk, size_t frame_max, int n, uint8_t *frames[])
{
	size_t limit = bulk ? TXBUF_BULK : TXBUF_SIZE, pending = txbuf_pending(t), fit;

	t->stride = PREFIX_LEN + (frame_max > ETH_FRAME_MIN ? frame_max : ETH_FRAME_MIN);
	fit = pending < limit ? (limit - pending) / t->stride : 0;
	if ((size_t)n > fit) {
		t->starved = true;
		n = (int)fit;
	}
	if (n <= 0)
		return 0;
	if (t->end + t->stride * (size_t)n > TXBUF_SIZE || !pending)
		compact(t);
	for (int i = 0; i < n; i++)
		frames[i] = t->data + t->end + t->stride * (size_t)i + PREFIX_LEN;
	return n;
}

size_t txbuf_commit(struct txbuf *t, int n, size_t last_len)
{
	uint8_t *p = t->data + t->end;
	size_t last_padded = last_len > ETH_FRAME_MIN ? last_len : ETH_FRAME_MIN;

	for (int i = 0; i + 1 < n; i++) {
		put_be32(p, (uint32_t)(t->stride - PREFIX_LEN));
		p += t->stride;
	}
	put_be32(p, (uint32_t)last_padded);
	memset(p + PREFIX_LEN + last_len, 0, last_padded - last_len);
	p += PREFIX_LEN + last_padded;
	t->end = (size_t)(p - t->data);
	return last_padded + (size_t)(n - 1) * (t->stride - PREFIX_LEN);
}

int txbuf_flush(struct txbuf *t, int fd)
{
	while (t->start < t->end) {
		ssize_t sent = send(fd, t->data + t->start, txbuf_pending(t),
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		t->start += (size_t)sent;
	}
	txbuf_reset(t);
	return 0;
}
