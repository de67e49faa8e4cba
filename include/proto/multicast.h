/* proto/multicast.h: the groups that the guest is in, and what comes for them from the host's
 * network.
 *
 * The guest tells its groups by IGMP and MLD, and is asked now and then, as a router would. The
 * host joins a group for a port: those of the list on the command line, and those that the
 * guest itself sends to.  Without ports it cannot be done: a socket hears one port.
 */
#ifndef PROTO_MULTICAST_H
#define PROTO_MULTICAST_H

#include "proto/env.h"
#include "proto/multicast_host.h"

#define MULTICAST_GROUPS_MAX	64
#define MULTICAST_LISTENERS_MAX 64
#define MULTICAST_RECORDS_MAX	256 /* of a report that are looked at */

/* `host` is handed to ops->open().  NULL without memory. */
struct multicast *multicast_new(struct env *env, const struct multicast_host_ops *ops,
				void *host);

/* Leaves all groups; NULL is fine. */
void multicast_free(struct env *env, struct multicast *m);

/* Whether a packet is a message of MLD (of IGMP all are that have its protocol number). */
bool multicast_is_mld(const struct pkt *p);

/* An IGMP or MLD message.  Those of routers are dropped: the router is us. */
enum drop multicast_from_guest(struct env *env, const struct pkt *p);

/* The guest sends to a group: what others send to that port of it is for the guest as well, if
 * it is in the group. */
void multicast_flow(struct env *env, const struct endpoint *group);

/* A client has come, or gone. */
void multicast_guest_up(struct env *env);
void multicast_guest_down(struct env *env);

/* The host's network is another one: the groups are joined there. */
void multicast_network_changed(struct env *env);

/* A datagram waits at the socket of `l`. */
void multicast_from_host(struct env *env, struct multicast_listener *l);

/* The link has room again. */
void multicast_room(struct env *env);

#endif
