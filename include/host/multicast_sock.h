/* host/multicast_sock.h: the host's sockets that hear groups. */
#ifndef HOST_MULTICAST_SOCK_H
#define HOST_MULTICAST_SOCK_H

#include "loop/loop.h"
#include "proto/multicast.h"

/* What sockets are opened with; outlives them.  Handed to multicast_new(). */
struct multicast_socks {
	struct loop *loop;
	struct env *env;
};

extern const struct multicast_host_ops multicast_sock_ops;

#endif
