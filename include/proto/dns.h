/* proto/dns.h: the DNS relay: answers what the guest asks at port 53 of the addresses that it
 * was told as name servers, over UDP and TCP.
 *
 * A query is answered from the static names (proto/dns_static), from the cache
 * (proto/dns_cache), or by the host's name servers (proto/dns_lookup), in this order.  Answers
 * of these go to the guest unchanged but for the id.  Over TCP: proto/dns_tcp.
 */
#ifndef PROTO_DNS_H
#define PROTO_DNS_H

#include "proto/dns_server.h"
#include "proto/env.h"

struct dns;
struct dns_tcp;
struct dns_try;

/* Sockets towards the host's name servers. */
struct dns_ops {
	/* Opens a socket of its own for one message, at a random source port and such that only
	 * `server` can answer it, from its port for names, sends the message (over TCP: once connected, behind its
	 * length), and tells with dns_from_host() what comes of it; never from within this
	 * call. 0 and the socket, or -errno. */
	int (*open)(void *host, struct dns_try *try, const struct upstream *server, bool tcp,
		    const uint8_t *msg, size_t len, void **sockp);
	/* Sends the message again (UDP only).  0 or -errno. */
	int (*resend)(void *sock, const uint8_t *msg, size_t len);
	void (*close)(void *sock);
};

/* Who asked, and how the answer gets there. */
struct dns_client {
	/* The message is not kept. */
	void (*answer)(struct env *env, const struct dns_client *c, const uint8_t *msg,
		       size_t len);
	bool tcp;
	struct dns_tcp *conn;  /* TCP */
	struct endpoint guest; /* UDP */
	struct addr relay;     /* UDP: the address that the guest asked */
};

/* What query-dns shows. */
struct dns_status {
	enum net_source source; /* of the addresses told to the guest */
	struct dns_servers servers;
	size_t cache_entries, cache_entries_max, cache_bytes, cache_bytes_max;
	size_t pending, pending_max; /* queries that wait for a name server */
	unsigned n_records;
	struct dns_status_record {
		char name[CONF_NAME_MAX];
		struct addr addr;
	} records[CONF_RECORDS_MAX + 4]; /* those of --dns-record, then the built-in names */
};

/* NULL without memory, or when a name in env->conf->records is none (which is logged). */
struct dns *dns_new(struct env *env, const struct dns_ops *ops, void *host);

/* Takes over records and limits of `c`, which env->conf will be; a cache of another size is empty.
 * 0, or -ENOMEM and nothing is changed. */
int dns_configure(struct env *env, const struct conf *c);

/* TCP must have been freed before, as its connections to the relay end here. */
void dns_free(struct dns *d);

/* Whether the relay answers at `dst`: port 53 of an address that net_is_dns() knows. */
bool dns_serves(struct env *env, const struct endpoint *dst);

/* A UDP datagram to where dns_serves() says so. */
enum drop dns_from_guest(struct env *env, const struct pkt *p);

/* A message for `try` arrived from its server, or (`err`, an errno) its socket broke. */
void dns_from_host(struct env *env, struct dns_try *try, int err, const uint8_t *msg,
		   size_t len);

/* The guest's client left: nobody waits for answers any more. */
void dns_guest_down(struct env *env);

/* The name that the guest asked for when it was told this address; NULL when there is none.  To be
 * kept, it needs flow_name_get(). */
struct flow_name *dns_name_of(const struct env *env, const struct addr *addr);

void dns_get_status(const struct env *env, struct dns_status *s);

/* Answers one query, now or later, through client->answer().  DROP_DNS for one that is
 * malformed: it is told so (FORMERR) where it can be. */
enum drop dns_ask(struct env *env, const uint8_t *msg, size_t len, const struct dns_client *c);

/* A client over TCP is gone: its queries need no answers any more. */
void dns_forget(struct env *env, const struct dns_tcp *conn);

#endif
