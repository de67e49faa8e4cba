/* host/listen.h: the sockets of port forwards, as struct forward_host_ops. */
#ifndef HOST_LISTEN_H
#define HOST_LISTEN_H

#include "proto/forward.h"

struct edge_set;
struct listen;
struct loop;

extern const struct forward_host_ops listen_ops; /* `host` is a struct listen */

/* `edges` watches TCP listeners and the connections of their clients.  NULL without memory. */
struct listen *listen_new(struct env *env, struct loop *loop, struct edge_set *edges);

/* All its sockets must have been closed. */
void listen_free(struct listen *l);

/* Reads from /proc how the host deals out ports; the kernel's defaults where that fails. */
void listen_read_ports(struct forward_ports *ports);

#endif
