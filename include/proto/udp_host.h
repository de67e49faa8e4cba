/* proto/udp_host.h: the host side of a UDP flow, as the relay sees it.
 *
 * A socket of the host (host/udp_sock) or a fake in tests.  Every call returns at once.
 * Readiness is level-triggered and told with udp_from_host(), only while the relay asks for
 * it with watch().
 */
#ifndef PROTO_UDP_HOST_H
#define PROTO_UDP_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/addr.h"

struct udp_flow;
struct host_error;

enum udp_host_event {
	UDP_HOST_READ = 1, /* a datagram or an error waits */
	UDP_HOST_WRITE = 2 /* send() would take a datagram */
};

/* IP header fields of what the guest sends, carried over to the host's packets. */
struct host_ip {
	uint8_t ttl, tos;
	bool dont_fragment;
};

/* What a socket found out about the way to a peer. */
struct udp_path {
	size_t segment_max; /* longer datagrams leave one by one */
	size_t oversize;    /* datagrams from this length on do not fit the interface */
};

#define UDP_PATH_UNKNOWN { SIZE_MAX, SIZE_MAX }

/* What recv() yields: one datagram, or several of the same origin that the host put together. */
struct udp_datagram {
	struct iovec payload; /* before recv(): where it may go */
	size_t segment;	      /* of each datagram but the last, which may be shorter */
	uint8_t ttl, tos;     /* 0: not known */
	/* of sockets for groups alone */
	struct endpoint from;
	bool to_all; /* sent to a broadcast address */
};

struct udp_host_ops {
	/* A socket that talks with `peer` alone, from `port` if that can be had, else (or with
	 * 0) from one that the host picks.  NULL and *err (an errno) on failure. */
	void *(*open)(void *host, struct udp_flow *f, const struct endpoint *peer,
		      uint16_t port, int *err);
	/* A socket that sends to `group`, a multicast or broadcast address, and gets what anybody
	 * sends to its port; else as open().  Where a service of the host has the port, that
	 * keeps what is sent to it, and our socket only sends. */
	void *(*open_group)(void *host, struct udp_flow *f, const struct endpoint *group,
			    uint16_t port, int *err);
	void (*close)(void *sock);
	/* Our end. */
	void (*local)(void *sock, struct endpoint *e);
	/* For all datagrams sent from now on.  Without `dont_fragment` the host never sets DF;
	 * with it, on what fits the interface that it leaves through, for routers to say what fits
	 * the path; larger datagrams still go out, in fragments. */
	void (*set_ip)(void *sock, const struct host_ip *ip);
	/* Sends datagrams in order; how many were taken, or -errno when the first was not
	 * (-EAGAIN: no room now). */
	int (*send)(void *sock, const struct iovec *datagrams, int n);
	/* Receives up to `n` times; how often that yielded something, or -errno (-EAGAIN: nothing
	 * is there). */
	int (*recv)(void *sock, struct udp_datagram *datagrams, int n);
	/* Takes the next ICMP error that came for the socket; 0, or -EAGAIN: no more. */
	int (*error)(void *sock, struct host_error *e);
	/* Which enum udp_host_event bits are wanted from now on. */
	void (*watch)(void *sock, unsigned events);
};

#endif
