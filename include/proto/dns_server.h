/* proto/dns_server.h: the host's name servers: their counters, and in which order to ask them.
 *
 * The order is that of resolv.conf, whose first server may know names that the others do not.
 * Only one that was silent several times in a row is asked last for a while.
 */
#ifndef PROTO_DNS_SERVER_H
#define PROTO_DNS_SERVER_H

#include "proto/net.h"

#define DNS_SERVER_ERROR_MAX 64

struct dns_server {
	struct upstream at;
	uint64_t sent, answers;
	uint64_t timeouts; /* no answer in time; it may have come later */
	uint64_t failures; /* SERVFAIL, REFUSED, or the socket broke */
	unsigned silent;   /* timeouts since the last answer */
	uint64_t answered_ns;
	uint64_t avoid_until_ns;
	char last_error[DNS_SERVER_ERROR_MAX]; /* "": none yet */
	uint64_t last_error_ns;
};

struct dns_servers {
	struct dns_server all[NET_UPSTREAMS_MAX];
	unsigned n;
};

/* Takes over the list of net; servers that stay keep their counters.  Whether it changed. */
bool dns_servers_follow(struct dns_servers *s, const struct net *net);

/* NULL for one that is not in the list (any more). */
struct dns_server *dns_servers_find(struct dns_servers *s, const struct upstream *at);

/* Stores the servers in the order in which to ask; returns how many. */
unsigned dns_servers_order(const struct dns_servers *s, uint64_t now_ns,
			   struct upstream order[static NET_UPSTREAMS_MAX]);

/* What became of a query to `at`; no-ops for a server not in the list. */
void dns_server_sent(struct dns_servers *s, const struct upstream *at);
void dns_server_answered(struct dns_servers *s, const struct upstream *at, uint64_t now_ns);
void dns_server_failed(struct dns_servers *s, const struct upstream *at, uint64_t now_ns,
		       const char *error);
/* The query was sent at `sent_ns`.  The server's place in the order stays if it answered
 * another one since then, or over TCP, which it may lack. */
void dns_server_timed_out(struct dns_servers *s, const struct upstream *at, uint64_t sent_ns,
			  uint64_t now_ns, bool tcp);

#endif
