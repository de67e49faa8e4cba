/* proto/tcp/host.h: the host side of a TCP connection, as the relay sees it.
 *
 * A socket of the host (host/tcp_sock), a service inside the daemon (DNS over TCP), or a
 * fake in tests.  Every call returns at once.
 *
 * Readiness is told with tcp_from_host() and is edge-triggered, as EPOLLET: once when bytes
 * or the end arrive, once when room for send() returns after it took less than all, once when
 * a connect is decided or an error strikes.  The relay remembers what it did not serve.  (Level
 * triggering would spin: bytes that the guest has not acknowledged yet stay in the socket, so
 * it is readable for as long as anything is in flight.)  It is never told from within one of
 * these calls.
 */
#ifndef PROTO_TCP_HOST_H
#define PROTO_TCP_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/addr.h"

struct env;
struct flow_kernel;
struct tcp_conn;

enum tcp_host_event {
	TCP_HOST_READ = 1,  /* bytes or the end of the stream can be peeked */
	TCP_HOST_WRITE = 2, /* send() would take bytes; a pending connect is decided */
	TCP_HOST_ERROR = 4, /* the connection broke, connected() says why; what came before that
			     * can still be peeked */
	TCP_HOST_END = 8    /* the peer ended its stream, perhaps behind bytes not peeked yet */
};

struct tcp_host_ops {
	/* 0 once connected and whole, -EINPROGRESS, or the reason of the failure as -errno. */
	int (*connected)(void *host);
	/* Takes bytes that the guest sent; how many, -EAGAIN for none now, another -errno when
	 * the connection is broken.  Less than all means that there is no more room now. */
	ssize_t (*send)(void *host, const struct iovec *iov, int n);
	/* Copies bytes for the guest without consuming them, from `offset` bytes behind the
	 * first unconsumed one.  0: end of the stream stands there.  -EAGAIN: nothing yet.
	 * Less than asked for means that there is no more now, unless the end stands there. */
	ssize_t (*peek)(void *host, const struct iovec *iov, int n, size_t offset);
	/* The guest acknowledged the first `len` unconsumed bytes, all peeked before. */
	int (*consume)(void *host, size_t len);
	/* The guest sent FIN, and all before it has been sent. */
	void (*shutdown)(void *host);
	/* Frees `host`; with `reset` the peer sees a reset rather than an orderly end. */
	void (*close)(void *host, bool reset);
	/* Our end of the socket, once known; port 0 where there is none. */
	void (*local)(void *host, struct endpoint *e);
	/* From now on the peer counts as one that has ended its stream behind what it sent so far:
	 * END is told.  NULL where that cannot be. */
	void (*hang_up)(void *host);
	/* What the kernel knows; false: nothing.  NULL: there is no kernel's socket. */
	bool (*info)(void *host, struct flow_kernel *k);
};

/* Opens the host side for a guest's SYN. */
struct tcp_dialer {
	const struct tcp_host_ops *ops;
	/* Begins to connect to `dst` (already mapped); NULL and *err (an errno) on failure. */
	void *(*connect)(struct env *env, struct tcp_conn *conn, const struct endpoint *dst, int *err);
};

#endif
