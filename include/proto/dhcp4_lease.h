/* proto/dhcp4_lease.h: who holds the guest's address, since when and until when. */
#ifndef PROTO_DHCP4_LEASE_H
#define PROTO_DHCP4_LEASE_H

#include "base/addr.h"
#include "base/timerq.h"
#include "wire/dhcp4.h"

#define DHCP4_LEASE_FOREVER UINT32_MAX /* seconds (RFC 2131 3.3) */

/* Where the client stands by the clock, if it does as it was told (RFC 2131 4.4, figure 5). */
enum dhcp4_lease_state {
	DHCP4_LEASE_NONE, /* expired, released, declined, or never granted */
	DHCP4_LEASE_BOUND,
	DHCP4_LEASE_RENEWING,  /* past T1 */
	DHCP4_LEASE_REBINDING, /* past T2 */
	N_DHCP4_LEASE_STATES
};

/* Who sent a message. */
struct dhcp4_client {
	struct mac mac;
	size_t client_id_len; /* option 61; 0: none */
	uint8_t client_id[DHCP4_CLIENT_ID_MAX];
	/* what it calls itself: letters, digits and "-._", '?' for anything else; "": none */
	char hostname[DHCP4_NAME_MAX];
};

/* All zeroes is no lease.  Times are of the monotonic clock, TIMERQ_NEVER without end. */
struct dhcp4_lease {
	bool granted; /* the rest is valid */
	struct addr addr;
	struct dhcp4_client client;
	uint64_t since_ns;   /* this client's first ACK */
	uint64_t granted_ns; /* the last ACK */
	uint64_t renew_ns, rebind_ns, expiry_ns;
	uint64_t n_granted;  /* ACKs to this client */
};

/* Fills in who sent `m`. */
void dhcp4_client_read(struct dhcp4_client *c, const struct dhcp4_msg *m);

/* The same identifier, or the same MAC where not both have one (RFC 2131 4.2). */
bool dhcp4_client_eq(const struct dhcp4_client *a, const struct dhcp4_client *b);

/* T1 and T2 of a lease (RFC 2131 4.4.5), in the unit of `lease`. */
static inline uint64_t dhcp4_t1(uint64_t lease)
{
	return lease / 2;
}

static inline uint64_t dhcp4_t2(uint64_t lease)
{
	return lease - lease / 8;
}

/* An ACK went to `c`: a new lease, or one more of the same. */
void dhcp4_lease_grant(struct dhcp4_lease *l, const struct dhcp4_client *c,
		       const struct addr *addr, uint32_t seconds, uint64_t now_ns);

enum dhcp4_lease_state dhcp4_lease_state(const struct dhcp4_lease *l, uint64_t now_ns);
const char *dhcp4_lease_state_name(enum dhcp4_lease_state state);

#endif
