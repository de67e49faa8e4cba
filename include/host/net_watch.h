/* host/net_watch.h: notices when the host's addresses, default routes or links change. */
#ifndef HOST_NET_WATCH_H
#define HOST_NET_WATCH_H

#include "loop/loop.h"

struct mnl_socket;

struct net_watch {
	struct loop *loop;
	struct timerq *timers;
	void (*changed)(void *ctx);
	void *ctx;
	struct mnl_socket *nl; /* NULL: none */
	struct watch watch;
	struct timer settled; /* changes come in bursts: told once they are over */
};

/* Calls `changed` soon after something changed that netinfo_read() may tell of, in this network
 * namespace.  What it is has to be read; it may be nothing.  Without netlink(7) that never
 * happens, which is logged. */
void net_watch_init(struct net_watch *w, struct loop *loop, struct timerq *timers,
		    void (*changed)(void *ctx), void *ctx);
void net_watch_end(struct net_watch *w);

#endif
