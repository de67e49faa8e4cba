/* host/udp_port.h: which UDP ports of the host are ours to share.
 *
 * Of sockets that share a port, one that is connected gets what its peer sends, before any other. So a
 * flow of the guest from the port of a service would take from the service whichever peer the guest
 * names. A port is therefore asked for alone first, and shared with sockets of ours alone.
 */
#ifndef HOST_UDP_PORT_H
#define HOST_UDP_PORT_H

#include "base/list.h"
#include "proto/net.h"

/* A socket of ours that others of ours may share its port with. */
struct udp_port {
	struct list link;
	uint16_t port;
	bool ip4, ip6;
	bool wide; /* for all addresses of the host, so that who probes finds it */
};

/* Remembers the socket while it is open.  It lets others share its port from now on. */
void udp_port_hold(struct udp_port *p, int fd);
void udp_port_release(struct udp_port *p);

/* Whether a socket of ours has the port, and no service for all addresses of the host. */
bool udp_port_is_ours(bool ip4, uint16_t port);

/* Whether somebody has the port for all addresses of the host. */
bool udp_port_is_taken(bool ip4, uint16_t port);

/* Binds as sock_bind() does, alone or beside sockets of ours: 0 or -errno. */
int udp_port_bind(int fd, const struct net *net, const struct addr *peer, uint16_t port);

#endif
