/* lib/fake_host.h: the host side of a TCP connection, in memory: an application that writes a
 * known stream and checks the one it reads. */
#ifndef TESTS_LIB_FAKE_HOST_H
#define TESTS_LIB_FAKE_HOST_H

#include "proto/tcp/tcp.h"

struct fake_host {
	struct tcp_conn *conn; /* NULL until known */
	bool open;	       /* the relay holds it */
	bool reset;	       /* its peer saw a reset: asked for, or bytes were left unread */

	/* to the guest: byte i of the stream is fake_host_byte(seed, i) */
	uint32_t seed;
	uint64_t n_written;  /* stands in the socket or went through */
	uint64_t n_consumed; /* acknowledged by the guest */
	bool ended;	     /* a FIN stands behind the last byte */

	/* from the guest */
	uint32_t peer_seed;
	uint64_t n_taken; /* checked, in order */
	size_t room;	  /* what send() takes before -EAGAIN */
	bool wants_room;  /* send() was refused: tell when room returns */
	bool shut;	  /* the guest's FIN came through */

	int connect_error; /* an errno; what connected() tells */
	int error;	   /* an errno for send() and peek() from now on */
};

extern const struct tcp_host_ops fake_host_ops;

uint8_t fake_host_byte(uint32_t seed, uint64_t i);

/* A dialer whose connect hands out the host that fake_dialer_next() named. */
extern const struct tcp_dialer fake_dialer;
void fake_dialer_next(struct fake_host *h, int err);

void fake_host_set_conn(void *host, struct tcp_conn *conn);

/* The application writes `n` more bytes, or ends; the relay is told. */
void fake_host_write(struct env *env, struct fake_host *h, uint64_t n, bool end);

/* The application reads: send() takes `n` bytes more. */
void fake_host_read(struct env *env, struct fake_host *h, size_t n);

#endif
