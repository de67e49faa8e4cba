/* link/stream.h: the guest's link over a UNIX stream socket.
 *
 * Each frame stands behind its length, 32 bits big-endian, as QEMU's `-netdev stream`
 * sends it.  One client at a time.
 */
#ifndef LINK_STREAM_H
#define LINK_STREAM_H

#include <stdbool.h>

#include "proto/env.h"

struct loop;
struct stream_link;

/* The guest's end in struct env: env->guest_ops and env->link are set to the new link.
 * `on_left` is called when the client of a one-off link (conf one_off) is gone.  NULL without
 * memory. */
struct stream_link *stream_link_new(struct env *env, struct loop *loop,
				    void (*on_left)(void *ctx), void *ctx);

/* Ends client and listener; does not remove the socket's file. */
void stream_link_free(struct stream_link *l);

/* Serves clients that connect to `fd_listen`, a listening UNIX socket, which is taken over. */
void stream_link_listen(struct stream_link *l, int fd_listen);

/* Serves `fd`, a connected socket, which is taken over. */
void stream_link_attach(struct stream_link *l, int fd);

/* Ends the client at an operator's wish; another may come.  Not from within a frame of its.  False
 * without one. */
bool stream_link_disconnect(struct stream_link *l);

/* Sends what is queued; called before the loop waits.  Whether frames of the guest wait for their
 * next turn. */
bool stream_link_flush(struct stream_link *l);

/* Makes a listening UNIX stream socket at `path`.  A socket file that nobody listens on is
 * replaced; -EADDRINUSE when somebody does, -EEXIST when `path` is not a socket,
 * -ENAMETOOLONG, or the system's -errno. */
int unix_listen(const char *path, int backlog);

/* As unix_listen(), with mode 0600: for what only we and root may talk to. */
int unix_listen_private(const char *path, int backlog);

/* Nobody can pass descriptors over this socket, nor over those that connect to it, where the
 * kernel offers that (Linux 6.16).  They would be closed unused, and that may take as long as
 * who passed them likes: SO_LINGER. */
void unix_refuse_fds(int fd);

#endif
