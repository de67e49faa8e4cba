/* proto/tcp/recvq.c: a ring of chunks.  Up to the first hole a length says what is there,
 * behind it a map of bits beside each chunk, which is made where a hole is.  So the number of
 * holes has no limit, and none makes another slow. */
#include "proto/tcp/recvq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_BYTES (2u << 20)
#define WORD_BITS   64u

struct tcp_chunk {
	union {
		struct tcp_chunk *next; /* while spare */
		uint8_t data[TCP_CHUNK_SIZE];
	};
};

/* Which bytes of a chunk came behind a hole.  A chunk that has all of them, or none and so no map,
 * is passed over whole: an ACK names ranges of the whole window. */
struct tcp_map {
	uint32_t n; /* how many */
	uint64_t words[TCP_CHUNK_SIZE / WORD_BITS];
};

struct tcp_recvq_store {
	struct tcp_chunk *chunks[TCP_RECVQ_CHUNKS];
	struct tcp_map *maps[TCP_RECVQ_CHUNKS]; /* NULL: none of the chunk's bytes */
	unsigned first;	 /* the chunk that base lies in */
	unsigned skip;	 /* of that chunk's bytes stand before base */
	/* offsets from base */
	uint32_t ready;	 /* the first hole, or the end */
	uint32_t end;	 /* of the last byte */
	uint32_t recent; /* a byte that came last behind a hole */
};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

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

/* The index of the chunk that holds stream offset `offset` from base; *in gets the place within
 * it. */
static unsigned index_at(const struct tcp_recvq_store *s, uint32_t offset, uint32_t *in)
{
	uint32_t place = s->skip + offset;

	*in = place % TCP_CHUNK_SIZE;
	return (s->first + place / TCP_CHUNK_SIZE) % TCP_RECVQ_CHUNKS;
}

static struct tcp_chunk **chunk_at(struct tcp_recvq_store *s, uint32_t offset, uint32_t *in)
{
	return &s->chunks[index_at(s, offset, in)];
}

/* Makes sure that chunks stand behind [start, end). */
static int back(struct tcp_recvq_store *s, struct tcp_chunk_pool *p, uint32_t start,
		uint32_t end)
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

/* Notes that [start, end) came, behind a hole. */
static int map(struct tcp_recvq_store *s, uint32_t start, uint32_t end)
{
	uint32_t in, n;

	for (uint32_t at = start; at < end; at += TCP_CHUNK_SIZE - in) {
		struct tcp_map **m = &s->maps[index_at(s, at, &in)];

		if (!*m && !(*m = calloc(1, sizeof(**m))))
			return -ENOBUFS;
	}
	for (uint32_t at = start; at < end; at += n) {
		struct tcp_map *m = s->maps[index_at(s, at, &in)];
		uint64_t *word = &m->words[in / WORD_BITS], bits;

		n = least(WORD_BITS - in % WORD_BITS, end - at);
		bits = ~0ull >> (WORD_BITS - n) << in % WORD_BITS;
		m->n += (uint32_t)__builtin_popcountll(bits & ~*word);
		*word |= bits;
	}
	s->end = end > s->end ? end : s->end;
	s->recent = start;
	return 0;
}

/* What is known of the byte at `offset`, which is not in order, and its neighbours. */
struct spot {
	uint64_t word;	/* the map's, or all ones or zeroes where the chunk is uniform */
	uint32_t place; /* of the byte */
	uint32_t len;	/* how many bytes the word stands for */
};

static struct spot spot_at(const struct tcp_recvq_store *s, uint32_t offset)
{
	uint32_t in;
	const struct tcp_map *m = s->maps[index_at(s, offset, &in)];

	if (!m || m->n == TCP_CHUNK_SIZE)
		return (struct spot){ m ? ~0ull : 0, in, TCP_CHUNK_SIZE };
	return (struct spot){ m->words[in / WORD_BITS], in % WORD_BITS, WORD_BITS };
}

static bool uniform(const struct spot *p)
{
	return p->len == TCP_CHUNK_SIZE;
}

/* The first offset from `at` on that came (or, with `hole`, did not); at most the end. */
static uint32_t next(const struct tcp_recvq_store *s, uint32_t at, bool hole)
{
	while (at < s->end) {
		struct spot p = spot_at(s, at);
		uint64_t word = hole ? ~p.word : p.word;

		if (!uniform(&p))
			word >>= p.place;
		if (word)
			return least(at + (uint32_t)__builtin_ctzll(word), s->end);
		at += p.len - p.place;
	}
	return s->end;
}

/* Where the range begins that the byte at `at`, which came behind a hole, is in. */
static uint32_t range_start(const struct tcp_recvq_store *s, uint32_t at)
{
	while (at > s->ready) {
		struct spot p = spot_at(s, at - 1);
		uint64_t holes = ~p.word;

		if (!uniform(&p))
			holes <<= WORD_BITS - 1 - p.place;
		if (holes)
			return at - (uint32_t)__builtin_clzll(holes);
		at -= least(p.place + 1, at - s->ready);
	}
	return at;
}

/* [0, end) is there, and what stood behind that. */
static void advance(struct tcp_recvq_store *s, uint32_t end)
{
	if (end > s->end)
		s->end = end;
	if (end > s->ready)
		s->ready = next(s, end, true);
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
	if (!rc && offset > s->ready)
		rc = map(s, offset, offset + (uint32_t)len);
	if (rc) {
		if (!s->end)
			tcp_recvq_clear(q, p);
		return rc;
	}
	copy_in(s, offset, data, len);
	if (offset <= s->ready)
		advance(s, offset + (uint32_t)len);
	return 0;
}

size_t tcp_recvq_ready(const struct tcp_recvq *q)
{
	return q->store ? q->store->ready : 0;
}

int tcp_recvq_iov(const struct tcp_recvq *q, struct iovec *iov, int max)
{
	size_t ready = tcp_recvq_ready(q);
	uint32_t at = 0;
	int n = 0;

	while (at < ready && n < max) {
		uint32_t in;
		struct tcp_chunk **c = chunk_at(q->store, at, &in);
		size_t part =
			TCP_CHUNK_SIZE - in < ready - at ? TCP_CHUNK_SIZE - in : ready - at;

		iov[n++] = (struct iovec){ (*c)->data + in, part };
		at += (uint32_t)part;
	}
	return n;
}

void tcp_recvq_consume(struct tcp_recvq *q, struct tcp_chunk_pool *p, size_t len)
{
	struct tcp_recvq_store *s = q->store;

	q->base += (uint32_t)len;
	if (!len)
		return;
	s->ready -= (uint32_t)len;
	s->end -= (uint32_t)len;
	s->recent -= least(s->recent, (uint32_t)len);
	if (!s->end) {
		tcp_recvq_clear(q, p);
		return;
	}
	s->skip += (unsigned)len;
	for (; s->skip >= TCP_CHUNK_SIZE; s->skip -= TCP_CHUNK_SIZE) {
		give_chunk(p, s->chunks[s->first]);
		s->chunks[s->first] = NULL;
		free(s->maps[s->first]);
		s->maps[s->first] = NULL;
		s->first = (s->first + 1) % TCP_RECVQ_CHUNKS;
	}
}

int tcp_recvq_holes(const struct tcp_recvq *q, struct tcp_range *r, int max)
{
	const struct tcp_recvq_store *s = q->store;
	int n = 0;

	if (!s || s->ready == s->end || !max)
		return 0;
	if (s->recent > s->ready)
		r[n++] = (struct tcp_range){ range_start(s, s->recent),
					     next(s, s->recent, true) };
	for (uint32_t at = s->ready; n < max && (at = next(s, at, false)) < s->end;) {
		struct tcp_range found = { at, next(s, at, true) };

		at = found.end;
		if (!n || found.start != r[0].start)
			r[n++] = found;
	}
	return n;
}

void tcp_recvq_clear(struct tcp_recvq *q, struct tcp_chunk_pool *p)
{
	if (!q->store)
		return;
	for (unsigned i = 0; i < TCP_RECVQ_CHUNKS; i++)
		give_chunk(p, q->store->chunks[i]);
	for (unsigned i = 0; i < TCP_RECVQ_CHUNKS; i++)
		free(q->store->maps[i]);
	free(q->store);
	q->store = NULL;
}
