/* proto/tcp/recvq.c: a ring of chunks plus a sorted list of the ranges that it holds. */
#include "proto/tcp/recvq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_BYTES (2u << 20)

struct tcp_chunk {
	union {
		struct tcp_chunk *next; /* while spare */
		uint8_t data[TCP_CHUNK_SIZE];
	};
};

struct tcp_recvq_store {
	struct tcp_chunk *chunks[TCP_RECVQ_CHUNKS];
	unsigned first;	  /* the chunk that base lies in */
	unsigned skip;	  /* of that chunk's bytes stand before base */
	unsigned n_ranges;
	unsigned last_put; /* index of the range that grew last */
	struct tcp_range ranges[TCP_RECVQ_RANGES];
};

void tcp_chunk_pool_init(struct tcp_chunk_pool *p, size_t bytes_max)
{
	*p = (struct tcp_chunk_pool){ .n_max = bytes_max / TCP_CHUNK_SIZE,
				      .n_spare_max = SPARE_BYTES / TCP_CHUNK_SIZE };
}

void tcp_chunk_pool_free(struct tcp_chunk_pool *p)
{
	struct tcp_chunk *c;

	while ((c = p->spare)) {
		p->spare = c->next;
		free(c);
	}
	p->n_spare = 0;
}

static struct tcp_chunk *take_chunk(struct tcp_chunk_pool *p)
{
	struct tcp_chunk *c = p->spare;

	if (p->n_used >= p->n_max)
		return NULL;
	if (c) {
		p->spare = c->next;
		p->n_spare--;
	} else {
		c = malloc(sizeof(*c));
	}
	p->n_used += c != NULL;
	return c;
}

static void give_chunk(struct tcp_chunk_pool *p, struct tcp_chunk *c)
{
	if (!c)
		return;
	p->n_used--;
	if (p->n_spare >= p->n_spare_max) {
		free(c);
		return;
	}
	c->next = p->spare;
	p->spare = c;
	p->n_spare++;
}

/* The chunk that holds stream offset `offset` from base; *in gets the place within it. */
static struct tcp_chunk **chunk_at(struct tcp_recvq_store *s, uint32_t offset, uint32_t *in)
{
	uint32_t place = s->skip + offset;

	*in = place % TCP_CHUNK_SIZE;
	return &s->chunks[(s->first + place / TCP_CHUNK_SIZE) % TCP_RECVQ_CHUNKS];
}

/* Makes sure that chunks stand behind [start, end). */
static int back(struct tcp_recvq_store *s, struct tcp_chunk_pool *p, uint32_t start, uint32_t end)
{
	uint32_t in;

	for (uint32_t at = start; at < end; at += TCP_CHUNK_SIZE - in) {
		struct tcp_chunk **c = chunk_at(s, at, &in);

		if (!*c && !(*c = take_chunk(p)))
			return -ENOBUFS;
	}
	return 0;
}

static void copy_in(struct tcp_recvq_store *s, uint32_t offset, const uint8_t *data, size_t len)
{
	while (len) {
		uint32_t in;
		struct tcp_chunk **c = chunk_at(s, offset, &in);
		size_t part = TCP_CHUNK_SIZE - in < len ? TCP_CHUNK_SIZE - in : len;

		memcpy((*c)->data + in, data, part);
		offset += (uint32_t)part;
		data += part;
		len -= part;
	}
}

/* Adds [start, end), merging what it touches.  -ENOBUFS when there are too many ranges. */
static int add_range(struct tcp_recvq_store *s, uint32_t start, uint32_t end)
{
	struct tcp_range *r = s->ranges;
	unsigned i = 0, n;

	while (i < s->n_ranges && r[i].end < start)
		i++;
	n = i;
	while (n < s->n_ranges && r[n].start <= end) {
		start = r[n].start < start ? r[n].start : start;
		end = r[n].end > end ? r[n].end : end;
		n++;
	}
	if (n == i && s->n_ranges == TCP_RECVQ_RANGES)
		return -ENOBUFS;
	memmove(&r[i + 1], &r[n], (s->n_ranges - n) * sizeof(*r));
	s->n_ranges = s->n_ranges - (n - i) + 1;
	r[i] = (struct tcp_range){ start, end };
	s->last_put = i;
	return 0;
}

int tcp_recvq_put(struct tcp_recvq *q, struct tcp_chunk_pool *p, uint32_t seq, const void *data,
		  size_t len)
{
	uint32_t offset = seq - q->base;
	struct tcp_recvq_store *s = q->store;
	int rc;

	if (!len)
		return 0;
	if (offset > TCP_RECVQ_MAX || len > TCP_RECVQ_MAX - offset)
		return -ENOBUFS;
	if (!s)
		s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOBUFS;
	q->store = s;
	rc = back(s, p, offset, offset + (uint32_t)len);
	if (!rc)
		rc = add_range(s, offset, offset + (uint32_t)len);
	if (!rc)
		copy_in(s, offset, data, len);
	else if (!s->n_ranges)
		tcp_recvq_clear(q, p);
	return rc;
}

size_t tcp_recvq_ready(const struct tcp_recvq *q)
{
	const struct tcp_recvq_store *s = q->store;

	return s && s->n_ranges && !s->ranges[0].start ? s->ranges[0].end : 0;
}

int tcp_recvq_iov(const struct tcp_recvq *q, struct iovec *iov, int max)
{
	size_t ready = tcp_recvq_ready(q);
	uint32_t at = 0;
	int n = 0;

	while (at < ready && n < max) {
		uint32_t in;
		struct tcp_chunk **c = chunk_at(q->store, at, &in);
		size_t part = TCP_CHUNK_SIZE - in < ready - at ? TCP_CHUNK_SIZE - in : ready - at;

		iov[n++] = (struct iovec){ (*c)->data + in, part };
		at += (uint32_t)part;
	}
	return n;
}

/* Moves all ranges down by `len`, which ends at most where the first one does. */
static void shift_ranges(struct tcp_recvq_store *s, uint32_t len)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_ranges; i++) {
		struct tcp_range r = s->ranges[i];

		if (r.end > len)
			s->ranges[n++] = (struct tcp_range){ r.start > len ? r.start - len : 0,
							     r.end - len };
	}
	if (n < s->n_ranges && s->last_put)
		s->last_put--;
	s->n_ranges = n;
}

void tcp_recvq_consume(struct tcp_recvq *q, struct tcp_chunk_pool *p, size_t len)
{
	struct tcp_recvq_store *s = q->store;

	q->base += (uint32_t)len;
	if (!len)
		return;
	shift_ranges(s, (uint32_t)len);
	if (!s->n_ranges) {
		tcp_recvq_clear(q, p);
		return;
	}
	s->skip += (unsigned)len;
	for (; s->skip >= TCP_CHUNK_SIZE; s->skip -= TCP_CHUNK_SIZE) {
		give_chunk(p, s->chunks[s->first]);
		s->chunks[s->first] = NULL;
		s->first = (s->first + 1) % TCP_RECVQ_CHUNKS;
	}
}

int tcp_recvq_holes(const struct tcp_recvq *q, struct tcp_range *r, int max)
{
	const struct tcp_recvq_store *s = q->store;
	unsigned from;
	int n = 0;

	if (!s)
		return 0;
	from = s->n_ranges && !s->ranges[0].start ? 1 : 0;
	if (s->last_put >= from && s->last_put < s->n_ranges && n < max)
		r[n++] = s->ranges[s->last_put];
	for (unsigned i = from; i < s->n_ranges && n < max; i++)
		if (i != s->last_put)
			r[n++] = s->ranges[i];
	return n;
}

void tcp_recvq_clear(struct tcp_recvq *q, struct tcp_chunk_pool *p)
{
	if (!q->store)
		return;
	for (unsigned i = 0; i < TCP_RECVQ_CHUNKS; i++)
		give_chunk(p, q->store->chunks[i]);
	free(q->store);
	q->store = NULL;
}
