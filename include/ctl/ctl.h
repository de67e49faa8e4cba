/* ctl/ctl.h: the control service: listening sockets and their clients. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <sys/types.h>

#include "ctl/ctl_session.h"
#include "loop/loop.h"

#define CTL_LISTENERS_MAX 3

struct ctl;

/* Listens to `env` and to the log from here on, and to nobody else yet.  `ops` is what the
 * daemon around does when a client asks for it.  Uses env->timers.  NULL without memory. */
struct ctl *ctl_new(struct env *env, struct loop *loop, const struct ctl_daemon_ops *ops,
		    void *daemon);

/* To be called at the end of each turn of the loop, for clients that want to hear of new flows. */
void ctl_turn(struct ctl *c);

/* Ends all clients and closes the listening sockets, before what clients may ask for goes. */
void ctl_close(struct ctl *c);

/* Likewise, if that was not done, and listens no more. */
void ctl_free(struct ctl *c);

/* Accepts clients of root and of our own user on `fd`, a listening socket, which is taken over
 * also on failure.  0, or -ENOSPC beyond CTL_LISTENERS_MAX sockets. */
int ctl_listen(struct ctl *c, int fd, const struct ctl_dialect *dialect,
	       enum ctl_authority authority);

/* Who may connect besides our own user: 0 at first.  In a user namespace without root, all others
 * have the same user id; that one may be named, for there the permissions of the socket, which let in
 * nobody but its owner and root, decide. */
void ctl_set_root(struct ctl *c, uid_t root);

#endif
