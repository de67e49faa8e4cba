/* host/udp_sock.h: the UDP relay's host sockets. */
#ifndef HOST_UDP_SOCK_H
#define HOST_UDP_SOCK_H

#include "base/list.h"
#include "loop/loop.h"
#include "proto/udp.h"

/* What sockets are opened with; outlives them.  Handed to udp_new(). */
struct udp_socks {
	struct loop *loop;
	struct env *env;
	struct list hearing; /* sockets for groups that have their port for all addresses */
};

void udp_socks_init(struct udp_socks *socks, struct loop *loop, struct env *env);

extern const struct udp_host_ops udp_sock_ops;

#endif
