/* daemon/netconf.h: the guest's network, made of the command line and the host's state; pure. */
#ifndef DAEMON_NETCONF_H
#define DAEMON_NETCONF_H

#include "proto/net.h"

struct netinfo;
struct resolv_conf;

/* Makes the guest's network like the host's, except for what the command line says.  Where the
 * host has no address or no gateway, or with --private, it is a network of the guest's own. */
void netconf_make(const struct conf *c, const struct netinfo *host, const struct resolv_conf *rc,
		  struct net *net);

/* Takes over resolvers and search list after resolv.conf changed.  Addresses stay what they are:
 * the guest has its lease. */
void netconf_update_dns(const struct conf *c, const struct resolv_conf *rc, struct net *net);

#endif
