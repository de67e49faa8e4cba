/* proto/udp_echo.h: knows our own datagrams to groups when they come back.
 *
 * The host hands datagrams to groups and broadcast addresses to its own listeners as well, ours
 * among them; the guest must not hear itself.  The source alone does not tell: a service of the
 * host may send from the same address and port.  So what was sent is remembered for a moment.
 */
#ifndef PROTO_UDP_ECHO_H
#define PROTO_UDP_ECHO_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/hash.h"

#define UDP_ECHOES 256 /* as many as a batch can send before anything is read */

struct udp_echoes {
	struct hash_key key;
	struct {
		uint64_t hash;
		uint64_t until_ns; /* 0: none */
	} sent[UDP_ECHOES];
	unsigned next;
};

void udp_echo_init(struct udp_echoes *e);

/* The datagram went from `from` to a group's port. */
void udp_echo_sent(struct udp_echoes *e, uint64_t now_ns, const struct endpoint *from,
		   uint16_t port, const void *data, size_t len);

/* Whether a datagram that came is one of those; each comes back to a socket once. */
bool udp_echo_came(struct udp_echoes *e, uint64_t now_ns, const struct endpoint *from,
		   uint16_t port, const void *data, size_t len);

#endif
