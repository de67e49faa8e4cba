/* daemon/netconf.h: the guest's network, made of the command line and the host's state; pure. */
#ifndef DAEMON_NETCONF_H
#define DAEMON_NETCONF_H

#include "proto/net.h"

struct netinfo;
struct netinfo_ip;
struct resolv_conf;

/* Makes the guest's network like the host's, except for what the command line says.  Where the
 * host has no IPv4 address or no gateway, or with --private, it is a network of the guest's own;
 * where it has no IPv6, so has the guest, except with --private6 or an address of its own. */
void netconf_make(const struct conf *c, const struct netinfo *host, const struct resolv_conf *rc,
		  struct net *net);

/* Takes over resolvers and search list after resolv.conf changed.  Addresses stay what they are:
 * the guest has its lease. */
void netconf_update_dns(const struct conf *c, const struct resolv_conf *rc, struct net *net);

/* Takes over the host's addresses after they changed: `net` is made anew but for the addresses
 * at which the relay answers, which the guest may still use.  Whether anything is different. */
bool netconf_update(const struct conf *c, const struct netinfo *host, const struct resolv_conf *rc,
		    struct net *net);

/* Takes over what may be changed while we run: MTU, names, time servers, resolvers.  The host is as
 * it was.  Whether the guest's network is another now. */
bool netconf_reconfigure(const struct conf *c, const struct netinfo *host,
			 const struct resolv_conf *rc, struct net *net);

/* Puts what the host had last in the place of what it has lost, so that a guest keeps its
 * addresses while the host is between two networks: its IPv4 until there is another, its IPv6
 * until there is another network of either family.  Whether that was so. */
bool netconf_hold(const struct conf *c, const struct netinfo *last, struct netinfo *now);

/* Whether the guest's addresses in a family are the host's, as far as no flag says otherwise. */
bool netconf_mirrors_ip4(const struct conf *c, const struct netinfo_ip *host);
bool netconf_mirrors_ip6(const struct conf *c, const struct netinfo_ip *host);

/* Whether the guest is to have IPv6, and whether packets of its MTU are large enough for that. */
bool netconf_wants_ip6(const struct conf *c, const struct netinfo_ip *host);
bool netconf_mtu_has_ip6(const struct conf *c);

#endif
