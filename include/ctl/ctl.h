/* ctl/ctl.h: the control service: listening sockets and their clients. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "ctl/ctl_session.h"
#include "loop/loop.h"

struct ctl;

/* `quit` ends the loop when a client asks for it.  Uses env->timers.  NULL without memory. */
struct ctl *ctl_new(struct env *env, struct loop *loop, void (*quit)(void *ctx),
		    void *quit_ctx);

/* Ends all clients and closes the listening sockets. */
void ctl_free(struct ctl *c);

/* Accepts clients of root and of our own user on `fd`, a listening socket, which is taken over
 * also on failure.  0, or -ENOSPC beyond one socket for each authority. */
int ctl_listen(struct ctl *c, int fd, enum ctl_authority authority);

#endif
