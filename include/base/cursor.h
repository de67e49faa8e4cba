/* base/cursor.h: bounded reader and writer of wire bytes.
 *
 * Every byte of every protocol passes through one of these.  Errors are
 * sticky: a read past the end yields zero and sets `error`, so that a decoder
 * reads straight through and asks once at the end.  The only place where byte
 * order is known.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
	const uint8_t *p;   /* next byte */
	const uint8_t *end; /* one past the last */
	bool error;	    /* a read went past the end */
};

struct wr {
	uint8_t *start;
	uint8_t *p;
	uint8_t *end;
	bool error; /* a write went past the end; nothing was written there */
};

static inline struct rd rd_init(const void *data, size_t len)
{
	const uint8_t *p = data;

	return (struct rd){ .p = p, .end = p + len };
}

static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

/* A view of the next `len` bytes, which are skipped; NULL (and error) if there are fewer. */
static inline const uint8_t *rd_view(struct rd *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->error || rd_left(r) < len) {
		r->error = true;
		r->p = r->end;
		return NULL;
	}
	r->p += len;
	return p;
}

static inline void rd_skip(struct rd *r, size_t len)
{
	(void)rd_view(r, len);
}

/* A reader of the next `len` bytes, which are skipped here. */
static inline struct rd rd_sub(struct rd *r, size_t len)
{
	const uint8_t *p = rd_view(r, len);

	return p ? rd_init(p, len) : (struct rd){ .error = true };
}

/* Copies `len` bytes to `dst`, zeroes if there are fewer. */
static inline void rd_bytes(struct rd *r, void *dst, size_t len)
{
	const uint8_t *p = rd_view(r, len);

	if (p)
		memcpy(dst, p, len);
	else
		memset(dst, 0, len);
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_view(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint16_t rd_be16(struct rd *r)
{
	const uint8_t *p = rd_view(r, 2);

	return p ? get_be16(p) : 0;
}

static inline uint32_t rd_be32(struct rd *r)
{
	const uint8_t *p = rd_view(r, 4);

	return p ? get_be32(p) : 0;
}

static inline struct wr wr_init(void *buf, size_t len)
{
	uint8_t *p = buf;

	return (struct wr){ .start = p, .p = p, .end = p + len };
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

/* Also says that the end is never passed, which gcc 12 does not see for itself and warns of. */
static inline size_t wr_left(const struct wr *w)
{
	return w->p < w->end ? (size_t)(w->end - w->p) : 0;
}

/* Room for `len` bytes that the caller fills; NULL (and error) if there is less. */
static inline uint8_t *wr_reserve(struct wr *w, size_t len)
{
	uint8_t *p = w->p;

	if (w->error || wr_left(w) < len) {
		w->error = true;
		return NULL;
	}
	w->p += len;
	return p;
}

static inline void wr_bytes(struct wr *w, const void *src, size_t len)
{
	uint8_t *p = wr_reserve(w, len);

	if (p && len)
		memcpy(p, src, len);
}

static inline void wr_zero(struct wr *w, size_t len)
{
	uint8_t *p = wr_reserve(w, len);

	if (p)
		memset(p, 0, len);
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_reserve(w, 1);

	if (p)
		p[0] = v;
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline void wr_be16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_reserve(w, 2);

	if (p)
		put_be16(p, v);
}

static inline void wr_be32(struct wr *w, uint32_t v)
{
	uint8_t *p = wr_reserve(w, 4);

	if (p)
		put_be32(p, v);
}

/* Overwrites the 16-bit value at `offset` of what was written: lengths and checksums. */
static inline void wr_patch16(struct wr *w, size_t offset, uint16_t v)
{
	if (!w->error && offset + 2 <= wr_len(w))
		put_be16(w->start + offset, v);
	else
		w->error = true;
}

static inline void wr_patch32(struct wr *w, size_t offset, uint32_t v)
{
	if (!w->error && offset + 4 <= wr_len(w))
		put_be32(w->start + offset, v);
	else
		w->error = true;
}

#endif
