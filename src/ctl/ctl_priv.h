/* ctl/ctl_priv.h: what ctl.c and ctl_conn.c share. */
#ifndef CTL_CTL_PRIV_H
#define CTL_CTL_PRIV_H

#include "base/list.h"
#include "ctl/ctl.h"

#define CTL_STALL_NS  (30 * NS_PER_SEC) /* a client that takes nothing of what waits for it */
#define CTL_RESUME_NS NS_PER_SEC	/* until accept() is tried again without descriptors */

struct ctl_listener {
	struct ctl *ctl;
	struct watch watch;
	int fd;
	const struct ctl_dialect *dialect;
	enum ctl_authority authority;
	unsigned n_clients;
};

struct ctl {
	struct loop *loop;
	struct ctl_target target;
	struct ctl_info info;
	struct ctl_events events;
	struct list conns;
	struct ctl_listener listeners[CTL_LISTENERS_MAX];
	unsigned n_listeners;
	uid_t root; /* who may connect besides our own user */
	struct timer resume; /* armed while accept() is paused */
};

/* Takes over `fd`, a connected non-blocking socket of a client of `l`, also on failure, and greets
 * the client.  With a `refusal`, that is all it is told before the connection ends.  0 or
 * -ENOMEM. */
int ctl_conn_open(struct ctl_listener *l, int fd, const char *refusal);

/* Ends the client whose link in ctl.conns this is, with a last try to give it what waits. */
void ctl_conn_farewell(struct list *link);

/* A client of `l` has gone, and its descriptor with it. */
void ctl_conn_ended(struct ctl_listener *l);

#endif
