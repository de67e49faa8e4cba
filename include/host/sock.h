/* host/sock.h: what host sockets of all protocols have in common. */
#ifndef HOST_SOCK_H
#define HOST_SOCK_H

#include "proto/host_error.h"
#include "proto/net.h"
#include "proto/udp_host.h"

/* Sets an option of type int; -errno on failure. */
int sock_set(int fd, int level, int option, int value);

/* Binds to `port` (0: any) at the address and the interface that outbound traffic is to leave
 * from. These do not concern peers on the loopback interface.  0 or -errno. */
int sock_bind(int fd, const struct net *net, const struct addr *peer, uint16_t port);

/* Makes the IP header of what is sent that of `ip`; `set` is what was set before (ttl 0: the
 * host's default), and is brought up to date. */
void sock_set_ip(int fd, struct host_ip *set, const struct host_ip *ip);

/* Takes the next ICMP error from the queue of a socket with IP_RECVERR; errors that this host
 * found itself are skipped: the call that failed told them already.  0 or -EAGAIN. */
int sock_read_error(int fd, struct host_error *e);

#endif
