/* proto/icmp.h: relays the guest's ICMP echo requests (RFC 792).
 *
 * One flow for each identifier and destination, with a ping socket of its own.  TTL and TOS
 * reach the network and its ICMP errors come back, so that traceroute shows the true hops.
 * The gateway always answers: where it does not stand for the host, or the host allows no
 * ping sockets, postern itself does.
 */
#ifndef PROTO_ICMP_H
#define PROTO_ICMP_H

#include "proto/env.h"
#include "proto/udp_host.h"

struct icmp_flow;

/* An echo reply, as a ping socket received it. */
struct icmp_reply {
	uint16_t seq;
	uint8_t ttl, tos;
	size_t len;
	const uint8_t *payload; /* valid until the next recv() of any socket */
};

struct icmp_host_ops {
	/* A ping socket that talks with `peer`.  NULL and *err (an errno) on failure; EACCES
	 * and EPERM: the host allows none. */
	void *(*open)(void *host, struct icmp_flow *f, const struct addr *peer, int *err);
	void (*close)(void *sock);
	void (*local)(void *sock, struct endpoint *e);
	void (*set_ip)(void *sock, const struct host_ip *ip);
	/* Sends an echo request; 0 or -errno. */
	int (*send)(void *sock, uint16_t seq, const void *payload, size_t len);
	/* 0, or -errno (-EAGAIN: none). */
	int (*recv)(void *sock, struct icmp_reply *r);
	/* Takes the next ICMP error that came for the socket; 0, or -EAGAIN: no more. */
	int (*error)(void *sock, struct host_error *e);
};

/* `host` is handed to ops->open().  NULL without memory. */
struct icmp *icmp_new(struct env *env, const struct icmp_host_ops *ops, void *host);

/* All flows must have been closed. */
void icmp_free(struct icmp *icmp);

/* Echo requests are relayed; other types are dropped. */
enum drop icmp_from_guest(struct env *env, const struct pkt *p);

/* The guest's errors about packets that it cannot, or will not, deliver (RFC 792, RFC 4443 3.1, 3.2).
 * Those that refuse a datagram end its flow, and those that refuse a SYN the attempt to connect; those
 * that tell of a narrower path make packets smaller; others may pass by themselves (RFC 1122
 * 4.2.3.9) and change nothing. */
bool icmp_is_undelivered(const struct pkt *p);
enum drop icmp_undelivered_from_guest(struct env *env, const struct pkt *p);

/* Ends the oldest echo session.  False: there is none. */
bool icmp_preempt(struct env *env);

/* A reply or an error waits at the flow's socket. */
void icmp_from_host(struct env *env, struct icmp_flow *f);

#endif
