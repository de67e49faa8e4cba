/* lib/fake_udp.h: the host's UDP sockets as the relay's tests see them: they keep what is sent
 * and hand out what the test puts in. */
#ifndef TESTS_LIB_FAKE_UDP_H
#define TESTS_LIB_FAKE_UDP_H

#include "proto/host_error.h"
#include "proto/udp.h"

#define FAKE_UDP_SOCKS 512
#define FAKE_UDP_KEPT  2048 /* datagrams a socket keeps or has ready */

struct fake_datagram {
	uint8_t *data;
	size_t len;
	struct host_ip ip; /* as set when it was sent */
};

struct fake_udp_sock {
	bool open, group;
	struct fake_udp *of;
	struct udp_flow *flow;
	struct endpoint peer;
	uint16_t port;
	struct host_ip ip;
	unsigned watched;
	int n_set_ip, n_sends; /* calls */
	struct fake_datagram *sent, *ready;
	size_t n_sent, n_ready, next_ready;
	struct host_error errors[8];
	int n_errors;
	int send_error;	     /* errno of the next send(); stays */
	int send_error_once; /* errno of the next send() alone, as of a pending ICMP error */
	int recv_error_once;
	size_t segment; /* of what recv() yields; 0: one datagram each */
	uint8_t reply_ttl, reply_tos;
	struct endpoint from; /* of a group's socket: who answers */
	bool to_all;	      /* ... to a broadcast address */
	int room; /* datagrams that send() still takes; -1: no limit */
};

struct fake_udp {
	struct fake_udp_sock socks[FAKE_UDP_SOCKS]; /* in order of open(), closed ones stay */
	size_t n_socks;
	int open_error;	 /* errno of open() */
	size_t open_max; /* sockets open at once; beyond it EMFILE; 0: no limit */
	size_t n_open;
};

extern const struct udp_host_ops fake_udp_ops;

void fake_udp_init(struct fake_udp *f);
/* Frees what is left; fails the test if a socket is open. */
void fake_udp_free(struct fake_udp *f);

/* The i-th socket opened; fails the test if there is none. */
struct fake_udp_sock *fake_udp_sock(struct fake_udp *f, size_t i);

/* Makes a datagram ready to be received. */
void fake_udp_put(struct fake_udp_sock *s, const void *data, size_t len);

/* Tells the relay of the socket's readiness, as long as it watches for it and there is some. */
void fake_udp_run(struct env *env, struct fake_udp *f);

#endif
