/* host/icmp_sock.h: ping sockets (SOCK_DGRAM with IPPROTO_ICMP), which need no privilege where
 * net.ipv4.ping_group_range has the process's group. */
#ifndef HOST_ICMP_SOCK_H
#define HOST_ICMP_SOCK_H

#include "loop/loop.h"
#include "proto/icmp.h"

/* What sockets are opened with; outlives them.  Handed to icmp_new(). */
struct icmp_socks {
	struct loop *loop;
	struct env *env;
};

extern const struct icmp_host_ops icmp_sock_ops;

#endif
