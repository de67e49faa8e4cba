/* proto/udp.h: the UDP relay: what the rest of the daemon calls.
 *
 * UDP has no connections; a flow is what a NAT makes of it (RFC 4787): the datagrams between
 * one port of the guest and one of a peer, until there are none for a while.  Each flow that
 * the guest opens has a host socket of its own, connected, so that only its peer can answer.
 * Flows of a forward's clients share the socket of the forward.  What the guest sends to a
 * multicast or broadcast address leaves through a socket that anybody can answer to; the guest
 * gets the answers with the address of who sent them.
 *
 * The guest's source port is kept where the host allows it.  TTL, TOS and DF of its packets
 * reach the network; ICMP errors that come back reach the guest.
 */
#ifndef PROTO_UDP_H
#define PROTO_UDP_H

#include "proto/env.h"
#include "proto/udp_host.h"

#define UDP_PAYLOAD_MAX	 65507 /* over IPv4: 65,535 less both headers */
#define UDP_PAYLOAD_MAX6 65527 /* over IPv6, whose length is without its header */

/* `host` is handed to ops->open().  NULL without memory. */
struct udp *udp_new(struct env *env, const struct udp_host_ops *ops, void *host);

/* All flows must have been closed. */
void udp_free(struct udp *u);

/* The payload stays in the frame until udp_batch_end(). */
enum drop udp_from_guest(struct env *env, const struct pkt *p);

/* Sends what the batch brought. */
void udp_batch_end(struct env *env);

/* The host side of `f` is ready for `events` (enum udp_host_event bits). */
void udp_from_host(struct env *env, struct udp_flow *f, unsigned events);

/* The link has room again: sockets that waited for it are read again. */
void udp_room(struct env *env);

/* Ends the oldest flow that saw no lively exchange.  False: there is none. */
bool udp_preempt(struct env *env);

/* The guest told with an ICMP error that nothing receives at `guest` what came from `peer` (as
 * the guest sees it): ends the flow, so that the host refuses what else comes. */
void udp_refused_by_guest(struct env *env, const struct endpoint *guest,
			  const struct endpoint *peer);

/* Forwards: a client as the host's network has it. */
struct udp_client {
	struct endpoint addr;
	struct addr local; /* which of our addresses it sends to; unspecified: unknown */
	unsigned link;	   /* if its address is link-local, the index of the interface; else 0 */
	uint8_t ttl, tos;  /* of its datagram; 0: not known */
};

/* The listening socket of a forward, from which the guest's answers go to its clients. */
struct udp_client_sock;

struct udp_client_ops {
	/* Sends datagrams to the client, from where it sends to, with the header of `ip` as
	 * udp_host_ops.set_ip(); else as udp_host_ops.send().  `path` is the flow's. */
	int (*send)(struct udp_client_sock *s, const struct udp_client *to, struct udp_path *path,
		    const struct host_ip *ip, const struct iovec *datagrams, int n);
	/* Whether udp_client_writable() shall be called once send() would take a datagram. */
	void (*want_write)(struct udp_client_sock *s, bool want);
	/* The link has room again, after udp_from_client() returned -ENOBUFS. */
	void (*room)(struct udp_client_sock *s);
	/* Takes the ICMP errors that came, of all clients, and hands them to forward_udp_error(); how
	 * many there were. */
	int (*read_errors)(struct udp_client_sock *s);
};

struct udp_client_sock {
	const struct udp_client_ops *ops;
	uint16_t port; /* ours */
	uint64_t forward; /* the id of its rule */
	/* kept by the relay */
	struct list flows, waiting;
	unsigned n_queued; /* flows with datagrams that the socket did not take yet */
};

void udp_client_sock_init(struct udp_client_sock *s, const struct udp_client_ops *ops,
			  uint16_t port);

/* Whether the link takes a datagram now; if not, ops->room() will be called. */
bool udp_client_room(struct env *env, struct udp_client_sock *s);

/* Hands the guest a datagram that `client` sent to socket `via`; the guest sees `shown` for the
 * client's address, and another port when it has a flow with a client that looks alike.  0;
 * -ENOBUFS: the link is full, try the same datagram again after ops->room(); else the datagram
 * is lost: -ENETDOWN (no guest on the link), -ENOSPC (no room for a new flow), -EEXIST (too many
 * clients look alike), -EMSGSIZE (the guest's family cannot carry it), -ENOMEM. */
int udp_from_client(struct env *env, struct udp_client_sock *via,
		    const struct udp_client *client, const struct addr *shown,
		    const struct endpoint *guest, const void *data, size_t len);

/* Tells the guest of an ICMP error about what it sent to `client`, whom it knows as udp_from_client() had
 * it.  0, or -ENOENT: it has sent nothing to such a client, or its flow has ended. */
int udp_client_error(struct env *env, const struct udp_client_sock *via,
		     const struct udp_client *client, const struct addr *shown,
		     const struct endpoint *guest, const struct host_error *e);

void udp_client_writable(struct env *env, struct udp_client_sock *s);

/* The socket is about to be closed: ends its flows. */
void udp_client_sock_end(struct env *env, struct udp_client_sock *s);

#endif
