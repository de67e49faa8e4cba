/* proto/lease.h: who holds the guest's address of one family, since when and until when. */
#ifndef PROTO_LEASE_H
#define PROTO_LEASE_H

#include "base/log.h"
#include "proto/env.h"

#define LEASE_FOREVER UINT32_MAX /* seconds (RFC 2131 3.3, RFC 8415 7.7) */
#define LEASE_ID_MAX  255	 /* bytes of a client's identifier */

/* Where the client stands by the clock, if it does as it was told (RFC 2131 4.4, figure 5). */
enum lease_state {
	LEASE_NONE, /* expired, released, declined, or never granted */
	LEASE_BOUND,
	LEASE_RENEWING,	 /* past T1 */
	LEASE_REBINDING, /* past T2 */
	N_LEASE_STATES
};

/* Who sent a message. */
struct lease_client {
	struct mac mac;
	size_t id_len;		  /* 0: none */
	uint8_t id[LEASE_ID_MAX]; /* DHCPv4: client identifier (option 61); DHCPv6: DUID */
	uint32_t iaid;		  /* which of the client's leases (RFC 8415 4.2); DHCPv4: 0 */
	/* what it calls itself: letters, digits and "-._", '?' for anything else; "": none */
	char hostname[CONF_NAME_MAX];
};

/* What a client is told: seconds from the grant, LEASE_FOREVER without end. */
struct lease_times {
	uint32_t renew, rebind; /* T1 and T2 */
	uint32_t end;
};

/* Times are of the monotonic clock, TIMERQ_NEVER without end. */
struct lease {
	bool granted; /* all below is valid, up to the timer */
	struct addr addr;
	struct lease_client client;
	uint64_t since_ns;   /* this client's first grant */
	uint64_t granted_ns; /* the last grant */
	uint64_t renew_ns, rebind_ns, expiry_ns;
	uint64_t n_granted;  /* to this client */
	struct timer expiry; /* armed at the end of the lease, or earlier */
	struct log_limit log_limit;
};

/* Takes the name from the client's own words, which go into logs and terminals. */
void lease_client_name(struct lease_client *c, const char *text, size_t len);

/* The same identifier, or the same MAC where not both have one (RFC 2131 4.2). */
bool lease_client_eq(const struct lease_client *a, const struct lease_client *b);

/* Makes `l` one that nobody holds.  It must not move afterwards. */
void lease_init(struct lease *l);

/* Forgets the timer: `l` may be freed. */
void lease_free(struct lease *l, struct timerq *timers);

/* `l`, or NULL while nobody holds it. */
const struct lease *lease_held(const struct lease *l, uint64_t now_ns);

/* `c` was told that the address is its own: a new lease, or one more of the same. */
void lease_grant(struct env *env, struct lease *l, const struct lease_client *c,
		 const struct addr *addr, const struct lease_times *t);

/* Nobody holds it any more; `why` is "expired", "released" or "declined". */
void lease_end(struct env *env, struct lease *l, const char *why);

enum lease_state lease_state(const struct lease *l, uint64_t now_ns);
const char *lease_state_name(enum lease_state state);

#endif
