/* host/tcp_sock.h: TCP connections of the host, as struct tcp_host_ops. */
#ifndef HOST_TCP_SOCK_H
#define HOST_TCP_SOCK_H

#include "proto/tcp/host.h"

struct edge_set;

extern const struct tcp_host_ops tcp_sock_ops;
extern const struct tcp_dialer tcp_sock_dialer;

/* Where the sockets are watched; its context is the struct env.  Comes before all else. */
void tcp_sock_init(struct edge_set *edges);

/* Options that every socket of a flow needs; a listening socket hands them on to those that it
 * accepts. */
void tcp_sock_set_options(int fd);

/* For tcp_sock_ops, from an accepted socket, which is taken over (closed with a reset on
 * failure).  NULL without memory. */
void *tcp_sock_adopt(int fd);

/* Whom its events belong to. */
void tcp_sock_set_conn(void *host, struct tcp_conn *conn);

#endif
