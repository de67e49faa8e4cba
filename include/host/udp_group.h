/* host/udp_group.h: UDP sockets that talk with several: multicast groups, broadcast addresses.
 */
#ifndef HOST_UDP_GROUP_H
#define HOST_UDP_GROUP_H

#include "proto/env.h"

struct udp_datagram;
struct msghdr;

/* A socket that sends to `group` from `port`, or with 0 from one that the host picks, and that
 * anybody can answer to; `*local` is where datagrams come from.  While somebody else has the
 * port for all addresses, it only sends: answers are not to be taken from a service of the host.
 * `*hears` tells whether that is a socket of ours, and then whether this is one.  The descriptor,
 * or -errno (-EADDRINUSE, -EACCES: the port cannot be had). */
int udp_group_open(const struct env *env, const struct endpoint *group, uint16_t port,
		   struct endpoint *local, bool *hears);

/* A socket that hears what is sent to a multicast group's port, beside others that do: it has
 * joined the group.  The descriptor, or -errno. */
int udp_group_join(const struct env *env, const struct endpoint *group);

/* Room for what the kernel tells: TTL, TOS, the length of segments, the destination. */
#define UDP_CONTROL_MAX 128

/* Takes from a received message what `d` has of it, but for the payload. */
void udp_group_take(struct msghdr *m, struct udp_datagram *d);

#endif
