/* proto/multicast_host.h: the host's side of groups, as the relay sees it.
 *
 * A socket of the host (host/multicast_sock) or a fake in tests.  Every call returns at once.
 */
#ifndef PROTO_MULTICAST_HOST_H
#define PROTO_MULTICAST_HOST_H

#include <stdbool.h>

#include "base/addr.h"

struct multicast_listener;
struct udp_datagram;

struct multicast_host_ops {
	/* A socket that has joined the group and hears what is sent to its port, beside others
	 * of the host.  Readiness is told with multicast_from_host(), while it is watched,
	 * which it is from the start.  NULL and *err (an errno) on failure. */
	void *(*open)(void *host, struct multicast_listener *l, const struct endpoint *group,
		      int *err);
	void (*close)(void *sock);
	/* Receives a datagram; 0 or -errno (-EAGAIN: nothing is there). */
	int (*recv)(void *sock, struct udp_datagram *d);
	void (*watch)(void *sock, bool wanted);
};

#endif
