/* ctl/ctl_buf.c: see ctl/ctl_buf.h. */
#include "ctl/ctl_buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 4096

/* Room for `len` more bytes behind the text, which moves to the front of the memory when that
 * suffices. */
static bool reserve(struct ctl_buf *b, size_t len)
{
	size_t used = ctl_buf_len(b), cap = b->cap ? b->cap : CAP_MIN;
	char *memory;

	if (len > b->max || used > b->max - len)
		return false;
	if (b->cap - b->end >= len)
		return true;
	if (b->start && b->cap - used >= len && b->start >= used) {
		memcpy(b->memory, b->memory + b->start, used);
	} else {
		while (cap - used < len)
			cap *= 2;
		memory = malloc(cap);
		if (!memory)
			return false;
		if (used)
			memcpy(memory, b->memory + b->start, used);
		free(b->memory);
		b->memory = memory;
		b->cap = cap;
	}
	b->start = 0;
	b->end = used;
	return true;
}

void ctl_buf_append(struct ctl_buf *b, const char *text, size_t len)
{
	if (!len || b->failed)
		return;
	if (!reserve(b, len)) {
		b->failed = true;
		return;
	}
	memcpy(b->memory + b->end, text, len);
	b->end += len;
}

void ctl_buf_puts(struct ctl_buf *b, const char *text)
{
	ctl_buf_append(b, text, strlen(text));
}

void ctl_buf_consume(struct ctl_buf *b, size_t len)
{
	assert(len <= ctl_buf_len(b));
	b->start += len;
	if (b->start < b->end)
		return;
	b->start = b->end = 0;
	if (b->cap == CAP_MIN)
		return;
	free(b->memory);
	b->memory = NULL;
	b->cap = 0;
}

void ctl_buf_free(struct ctl_buf *b)
{
	free(b->memory);
	*b = (struct ctl_buf){ 0 };
}
