/* daemon/netconf_priv.h: what the two halves of netconf share. */
#ifndef DAEMON_NETCONF_PRIV_H
#define DAEMON_NETCONF_PRIV_H

#include "daemon/netconf.h"
#include "host/netinfo.h"

/* Host parts of the private layouts. */
enum { PRIVATE_GATEWAY = 2, PRIVATE_DNS = 3, PRIVATE_GUEST = 15, PRIVATE_GUEST6 = 0x15 };

/* An address of a family's private network. */
struct addr netconf_private_addr(const struct conf_ip *c, uint8_t host_part);

/* Fills one family of `net`. */
void netconf_make_ip4(const struct conf *c, const struct netinfo_ip *host, struct net_ip *ip);
void netconf_make_ip6(const struct conf *c, const struct netinfo_ip *host, struct net_ip *ip);

#endif
