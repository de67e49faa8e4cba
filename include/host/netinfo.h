/* host/netinfo.h: the host's own network, as far as the guest's is made after it. */
#ifndef HOST_NETINFO_H
#define HOST_NETINFO_H

#include "proto/conf.h"

/* One family. */
struct netinfo_ip {
	char interface[CONF_INTERFACE_MAX]; /* "" without one */
	unsigned index; /* its number, which is another when it has been away; 0 without one */
	bool has_address;
	bool has_route, has_gateway; /* a default route; it leads through a router */
	struct addr address, gateway;
	uint8_t prefix_len; /* of the address */
};

struct netinfo {
	struct netinfo_ip ip4, ip6;
};

/* Asks the kernel (rtnetlink(7)) for the interface named, or that of the family's default route
 * with the lowest metric if NULL: its address and the gateway of its default route.  Of several
 * IPv6 addresses that is one to be found by: not deprecated, not about to be given up as a
 * duplicate, global rather than unique local, stable rather than temporary (RFC 8981).  What the
 * host does not have stays unset.  0 or -errno; -ENODEV when no interface has that name. */
int netinfo_read(bool ip6, const char *interface, struct netinfo_ip *info);

#endif
