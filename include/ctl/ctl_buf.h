/* ctl/ctl_buf.h: a growing, bounded buffer of text, taken from the front as it is used up. */
#ifndef CTL_CTL_BUF_H
#define CTL_CTL_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct ctl_buf {
	char *memory;
	size_t start, end, cap; /* the text is memory[start] to memory[end - 1] */
	size_t max;		/* bytes of text at most */
	bool failed;		/* something did not fit, or there was no memory; it stays so */
};

/* Holds at most `max` bytes; while it is empty, it takes no more than 4 KiB of memory. */
static inline struct ctl_buf ctl_buf_init(size_t max)
{
	return (struct ctl_buf){ .max = max };
}

static inline const char *ctl_buf_text(const struct ctl_buf *b)
{
	return b->memory ? b->memory + b->start : "";
}

static inline size_t ctl_buf_len(const struct ctl_buf *b)
{
	return b->end - b->start;
}

/* Appends all of it, or nothing and sets `failed`. */
void ctl_buf_append(struct ctl_buf *b, const char *text, size_t len);
void ctl_buf_puts(struct ctl_buf *b, const char *text);

/* Takes `len` bytes off the front. */
void ctl_buf_consume(struct ctl_buf *b, size_t len);

void ctl_buf_free(struct ctl_buf *b);

#endif
