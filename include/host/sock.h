/* host/sock.h: what host sockets of all protocols have in common. */
#ifndef HOST_SOCK_H
#define HOST_SOCK_H

#include "proto/host_error.h"
#include "proto/net.h"
#include "proto/udp_host.h"

struct cmsghdr;
struct sockaddr_storage;

/* Descriptors that flows leave alone, so that the control socket, the DNS relay and the guest's
 * link still find one when flows have taken all others. */
#define SOCK_FD_RESERVE 32

/* A non-blocking socket, closed on exec.  -EMFILE when only the reserve is left, or the system's
 * -errno. */
int sock_open(int family, int type, int protocol);

/* The next client of a listening TCP socket, as sock_open()'s.  -EMFILE: no descriptor is left
 * and the client goes on waiting.  -EUSERS: only the reserve is left and the client was reset.
 * Else the system's -errno. */
int sock_accept(int fd_listen, struct endpoint *client);

/* Closes a connected TCP socket such that the peer sees a reset. */
void sock_close_reset(int fd);

/* Our own end; the unspecified address and port 0 where there is none. */
void sock_local(int fd, struct endpoint *e);

/* Sets an option of type int; -errno on failure. */
int sock_set(int fd, int level, int option, int value);

/* Makes room for bursts of datagrams, as far as the host allows. */
void sock_set_udp_buffer(int fd);

/* The interface that what the guest sends to several leaves through, of one family; 0: which
 * one the host's routes say. */
unsigned sock_interface(const struct net_ip *ip);

/* Has the socket send to groups and broadcast addresses through that interface, and get none of
 * the groups that others of this host have joined. */
void sock_set_group(int fd, bool ip6, unsigned interface);

/* Has outbound traffic leave through the interface that it is to; 0 or -errno. */
int sock_bind_device(int fd, const struct net_ip *ip);

/* Binds to `port` (0: any) at the address and the interface that outbound traffic is to leave
 * from. These do not concern peers on the loopback interface.  0 or -errno. */
int sock_bind(int fd, const struct net *net, const struct addr *peer, uint16_t port);

enum sock_fragments {
	SOCK_MAY_FRAGMENT,	/* no DF; the host, too, may fragment */
	SOCK_FRAGMENT_OVERSIZE, /* what does not fit the path goes out in fragments, DF is set on the rest */
	SOCK_NEVER_FRAGMENT	/* DF is set, and what does not fit the interface is -EMSGSIZE */
};

/* How what is sent from now on meets an MTU that is too small for it.  Those that never fragment do not
 * look at what the host knows of the path: its routers tell of it, and so does the guest learn. */
void sock_set_fragments(int fd, bool ip6, enum sock_fragments f);

/* Makes TTL and TOS of what is sent those of `ip`; `set` is what was set before (ttl 0: the host's
 * default), and is brought up to date. */
void sock_set_ip(int fd, bool ip6, struct host_ip *set, const struct host_ip *ip);

/* Writes `e` as a socket address, as endpoint_to_sockaddr(); a link-local one, host or group, is of the
 * link that traffic of the guest leaves through. */
unsigned sock_peer(const struct net *net, const struct endpoint *e, struct sockaddr *sa);

/* The same where a link-local address is of the link of `interface`, if that is not "". */
unsigned sock_peer_on(const struct net *net, const struct endpoint *e, const char *interface,
		      struct sockaddr *sa);

/* Whether the host still has an address that a socket of ours was bound to.  Link-local ones of
 * IPv6 are not looked at, as they may be of any link. */
bool sock_has_addr(const struct addr *a);

/* Has the kernel tell TTL and TOS of what comes; of an IPv6 socket also those of IPv4. */
void sock_want_header(int fd, bool ip6);

/* Takes TTL (hop limit) or TOS (traffic class) from the control message, if it has one of them. */
void sock_take_header(const struct cmsghdr *c, uint8_t *ttl, uint8_t *tos);

/* Takes the length of the datagrams that the kernel put together (UDP_GRO), all but the last, from the
 * control message, if it has that. */
void sock_take_segment(const struct cmsghdr *c, size_t *len);

/* Has the socket queue the ICMP errors that come for it. */
void sock_set_errors(int fd, bool ip6);

/* Takes the next ICMP error from that queue; errors that this host
 * found itself are skipped: the call that failed told them already.  `*to`, unless NULL, is whom what it is
 * about was sent to.  0 or -EAGAIN. */
int sock_read_error(int fd, struct host_error *e, struct sockaddr_storage *to);

#endif
