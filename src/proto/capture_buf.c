/* proto/capture_buf.c: see proto/capture_buf.h. */
#include "proto/capture_buf.h"

#include <errno.h>
#include <stdlib.h>

#include "wire/pcapng.h"

int capture_buf_init(struct capture_buf *b, size_t size)
{
	*b = (struct capture_buf){ .data = malloc(size), .size = size };
	return b->data ? 0 : -ENOMEM;
}

void capture_buf_free(struct capture_buf *b)
{
	free(b->data);
	*b = (struct capture_buf){ 0 };
}

uint8_t *capture_buf_reserve(struct capture_buf *b, size_t len)
{
	if (capture_buf_is_empty(b))
		b->start = b->end = 0;
	if (b->wrapped)
		return b->start - b->end >= len ? b->data + b->end : NULL;
	if (b->size - b->end >= len)
		return b->data + b->end;
	if (b->start < len)
		return NULL;
	b->wrap = b->end;
	b->end = 0;
	b->wrapped = true;
	return b->data;
}

void capture_buf_commit(struct capture_buf *b, size_t len)
{
	b->end += len;
}

/* The first of two parts is empty now: the second one is all there is. */
static void unwrap(struct capture_buf *b)
{
	if (!b->wrapped || b->start < b->wrap)
		return;
	b->start = 0;
	b->wrapped = false;
}

void capture_buf_discard(struct capture_buf *b)
{
	b->start += pcapng_block_len(b->data + b->start);
	unwrap(b);
}

int capture_buf_pieces(const struct capture_buf *b, struct iovec pieces[static 2])
{
	if (capture_buf_is_empty(b))
		return 0;
	pieces[0] = (struct iovec){ b->data + b->start, (b->wrapped ? b->wrap : b->end) - b->start };
	pieces[1] = (struct iovec){ b->data, b->end };
	return b->wrapped ? 2 : 1;
}

unsigned capture_buf_consume(struct capture_buf *b, size_t n)
{
	unsigned whole = 0;

	while (n) {
		size_t part;

		if (!b->rest)
			b->rest = pcapng_block_len(b->data + b->start);
		part = n < b->rest ? n : b->rest;
		b->start += part;
		b->rest -= part;
		b->torn = b->rest ? b->torn + part : 0;
		n -= part;
		whole += !b->rest;
		unwrap(b);
	}
	return whole;
}
