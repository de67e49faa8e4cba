/* lib/fake_groups.h: the host's side of multicast groups as tests see it. */
#ifndef TESTS_LIB_FAKE_GROUPS_H
#define TESTS_LIB_FAKE_GROUPS_H

#include "proto/multicast.h"

#define FAKE_GROUPS_SOCKS 4096

struct fake_group_sock {
	bool open, watched;
	struct fake_groups *of;
	struct multicast_listener *listener;
	struct endpoint at;
};

struct fake_groups {
	struct fake_group_sock
		socks[FAKE_GROUPS_SOCKS]; /* in order of open(), closed ones stay */
	size_t n_socks, n_open;
	int open_error; /* errno of open() */

	/* what the next recv() yields, once */
	struct endpoint from;
	const void *data;
	size_t len;
	uint8_t ttl;
};

extern const struct multicast_host_ops fake_groups_ops;

/* The open socket at a group and port; NULL: there is none. */
struct fake_group_sock *fake_groups_find(struct fake_groups *f, const char *group,
					 uint16_t port);

/* Somebody sends to the socket's group; told to the relay if it watches. */
void fake_groups_say(struct env *env, struct fake_group_sock *s, const struct endpoint *from,
		     const void *data, size_t len);

#endif
