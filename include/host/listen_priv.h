/* host/listen_priv.h: what the listeners of both protocols share.
 *
 *	host/listen.c       opening, choice of the protocol
 *	host/listen_tcp.c   accepting clients
 *	host/listen_udp.c   datagrams both ways
 */
#ifndef HOST_LISTEN_PRIV_H
#define HOST_LISTEN_PRIV_H

#include "host/listen.h"
#include "loop/edge.h"

struct tcp_listener;
struct udp_listener;

struct listen {
	struct env *env;
	struct loop *loop;
	struct edge_set *edges;
	struct list paused; /* TCP listeners whose clients wait: for a descriptor, or a guest */
	struct timer resume;
	struct udp_rx *rx; /* the datagrams read last, of one listener */
};

/* Both take over `fd`, closed on failure too; NULL without memory. `ip6`: the socket is of
 * AF_INET6, whatever its clients are. */
struct tcp_listener *tcp_listener_new(struct listen *l, struct forward *f, int fd, uint16_t port);
void tcp_listener_free(struct tcp_listener *t);
int tcp_listener_fd(const struct tcp_listener *t);
struct udp_listener *udp_listener_new(struct listen *l, struct forward *f, int fd, bool ip6,
				      uint16_t port);
void udp_listener_free(struct udp_listener *u);
int udp_listener_fd(const struct udp_listener *u);

#endif
