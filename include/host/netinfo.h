/* host/netinfo.h: the host's own network, as far as the guest's is made after it. */
#ifndef HOST_NETINFO_H
#define HOST_NETINFO_H

#include "proto/conf.h"

struct netinfo {
	char interface[CONF_INTERFACE_MAX]; /* "" without one */
	bool has_address, has_gateway;
	struct addr address, gateway;
	uint8_t prefix_len;
};

/* Asks the kernel (rtnetlink(7)) for the interface named, or that of the IPv4 default route
 * with the lowest metric if NULL: its address and the gateway of its default route.  What the
 * host does not have stays unset.  0 or -errno; -ENODEV when no interface has that name. */
int netinfo_read(const char *interface, struct netinfo *info);

#endif
