/* proto/tcp/recvq.h: bytes of the guest that the host side has not taken yet.
 *
 * Covers the stream from `base`, the first byte not handed over, to at most TCP_RECVQ_MAX
 * bytes further, in order or with holes.  Memory is taken in pieces, only where bytes are,
 * from a pool that all connections share; an empty queue owns none.
 */
#ifndef PROTO_TCP_RECVQ_H
#define PROTO_TCP_RECVQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define TCP_CHUNK_SIZE	  16384u
#define TCP_RECVQ_CHUNKS  33u /* half a megabyte, wherever in a chunk it begins */
#define TCP_RECVQ_MAX	  ((TCP_RECVQ_CHUNKS - 1) * TCP_CHUNK_SIZE)

/* Shared memory of all queues. */
struct tcp_chunk_pool {
	struct tcp_chunk *spare; /* kept for re-use, at most n_spare_max */
	size_t n_spare, n_spare_max;
	size_t n_used, n_max;	 /* chunks in queues, and at most */
};

struct tcp_range {
	uint32_t start, end; /* offsets from base, [start, end) */
};

struct tcp_recvq_store;

struct tcp_recvq {
	uint32_t base;		       /* sequence number of the first byte not handed over */
	struct tcp_recvq_store *store; /* NULL while empty */
};

void tcp_chunk_pool_init(struct tcp_chunk_pool *p, size_t bytes_max);
void tcp_chunk_pool_free(struct tcp_chunk_pool *p);

static inline bool tcp_recvq_empty(const struct tcp_recvq *q)
{
	return !q->store;
}

/* Copies `len` bytes that begin at sequence number `seq`, which is not before base.  0;
 * -ENOBUFS beyond the queue's length or without memory, when nothing was kept. */
int tcp_recvq_put(struct tcp_recvq *q, struct tcp_chunk_pool *p, uint32_t seq, const void *data,
		  size_t len);

/* How many bytes stand at base without a hole. */
size_t tcp_recvq_ready(const struct tcp_recvq *q);

/* Points `iov` at the ready bytes; returns the number of pieces, at most `max`. */
int tcp_recvq_iov(const struct tcp_recvq *q, struct iovec *iov, int max);

/* The host side took the first `len` ready bytes: base moves on. */
void tcp_recvq_consume(struct tcp_recvq *q, struct tcp_chunk_pool *p, size_t len);

/* The ranges behind the first hole, at most `max`, the one that grew last first (RFC 2018 4). */
int tcp_recvq_holes(const struct tcp_recvq *q, struct tcp_range *r, int max);

/* Drops everything. */
void tcp_recvq_clear(struct tcp_recvq *q, struct tcp_chunk_pool *p);

#endif
