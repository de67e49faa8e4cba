/* proto/path_mtu.h: how large a packet may be on its way to an address of the guest's side (RFC 1191,
 * RFC 8201).
 *
 * Where the guest is itself a router, for a network narrower than our link, it tells of what it
 * cannot pass on.  What it told is believed for a while; then a larger packet tries the path again.
 */
#ifndef PROTO_PATH_MTU_H
#define PROTO_PATH_MTU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define PATH_MTU_PATHS 32 /* of more, the one that was told of first is forgotten */
/* RFC 791 asks for 68, but no network is so narrow; so much leaves room for more than headers. */
#define PATH_MTU_MIN4 128

struct path_mtu {
	struct addr dst;
	uint16_t mtu;
	uint64_t until_ns;
};

struct path_mtus {
	struct path_mtu paths[PATH_MTU_PATHS];
	unsigned n; /* in use, perhaps out of date */
};

struct env;

/* Bytes of the largest IP packet to `dst` that the way there is known to take. */
uint16_t path_mtu(const struct env *env, const struct addr *dst);

/* A router said that packets to `dst` may have `mtu` bytes, 0 for one that does not know (RFC 1191
 * 5).  Whether that is news: more than is known, or less than IPv6 allows, is not believed. */
bool path_mtu_lower(struct env *env, const struct addr *dst, uint32_t mtu);

#endif
