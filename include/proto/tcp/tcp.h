/* proto/tcp/tcp.h: the TCP relay: what the rest of the daemon calls.
 *
 * One struct tcp_conn a connection: the guest's end is a TCP of our own (RFC 9293), the
 * host's end is a struct tcp_host_ops.
 */
#ifndef PROTO_TCP_TCP_H
#define PROTO_TCP_TCP_H

#include "proto/env.h"
#include "proto/tcp/host.h"

/* `dialer` opens host sockets.  NULL without memory. */
struct tcp *tcp_new(struct env *env, const struct tcp_dialer *dialer);

/* All flows must have been closed; a NULL env->tcp is fine. */
void tcp_free(struct env *env);

enum drop tcp_from_guest(struct env *env, const struct pkt *p);

/* Answers a segment that belongs to no connection (RFC 9293 3.10.7.1). */
void tcp_reset_stray(struct env *env, const struct pkt *p);

/* An ICMP error of the guest refuses the segment of ours with sequence number `seq`: that ends an
 * attempt to connect to the guest, and nothing else (RFC 1122 4.2.3.9, RFC 5927 5.2). */
void tcp_refused_by_guest(struct env *env, const struct endpoint *guest,
			  const struct endpoint *peer, uint32_t seq);

/* Whether a segment of ours that began at `seq` waits for its ACK. */
bool tcp_in_flight(const struct env *env, const struct flow_key *key, uint32_t seq);

/* A packet of this connection, of `len` bytes, did not fit the path to the guest's address, whose MTU
 * is known meanwhile: what is in flight is sent again, in smaller segments. */
void tcp_send_smaller(struct env *env, const struct flow_key *key, size_t len);

/* Hands the batch's data to the host sockets and acknowledges what was taken. */
void tcp_batch_end(struct env *env);

/* Goes on with connections whose turn ended for fairness; whether there are still some. */
bool tcp_run_ready(struct env *env);

/* The link has room again: connections that waited for it go on. */
void tcp_room(struct env *env);

/* The guest's link went away: what this guest is owed is not for the next. */
void tcp_guest_down(struct env *env);

/* The host side of `conn` is ready for `events` (enum tcp_host_event bits). */
void tcp_from_host(struct env *env, struct tcp_conn *conn, unsigned events);

/* Opens a connection to the guest for an accepted client of a forward.  `host` is connected and
 * taken over, also on failure, when it is closed with a reset.  `client` is the address that the
 * guest shall see (already mapped).  0, -ENOMEM, -ENOSPC (flow limit), -EEXIST (the guest still
 * has a connection with this client's port). The client's host side and rule are for show. */
int tcp_open_to_guest(struct env *env, const struct tcp_host_ops *ops, void *host,
		      void (*set_conn)(void *host, struct tcp_conn *conn),
		      const struct endpoint *guest, const struct endpoint *client,
		      const struct endpoint *peer);

/* Bytes of the guest that wait for host sockets: what they take, what may be taken for them, and what
 * is kept at hand for the next. */
struct tcp_memory {
	size_t used, max, spare;
};

struct tcp_memory tcp_get_memory(const struct env *env);

/* A service inside the daemon that answers TCP of the guest (DNS).  NULL when `dst` is not
 * one's own. */
struct tcp_service {
	const struct tcp_host_ops *ops;
	bool (*serves)(struct env *env, const struct endpoint *dst);
	void *(*open)(struct env *env, struct tcp_conn *conn);
};

void tcp_set_service(struct tcp *t, const struct tcp_service *service);

#endif
