/* daemon/sandbox_layer.h: layers of the sandbox that are more than one call.
 *
 * Each returns 0 when it is in force, -errno when it cannot be had.
 */
#ifndef DAEMON_SANDBOX_LAYER_H
#define DAEMON_SANDBOX_LAYER_H

#include <sys/types.h>

/* A user namespace in which only our own user and group are mapped; *unmapped is the user id
 * that all others have there. */
int sandbox_enter_user_namespace(uid_t *unmapped);

/* Mount, IPC and UTS namespaces. */
int sandbox_enter_namespaces(void);

/* In a mount namespace of our own: makes an empty file system the root, in which only the folders
 * on the way to each of `paths` are seen, read-only, with none of the folders in them.  NULL ends the paths. */
int sandbox_change_root(const char *const paths[]);

/* Hides the folders that lie in those of `kept` and lead to none of them.  NULL ends these. */
int sandbox_hide_folders(const char *const kept[]);

/* A filter that ends the process at a system call that it has no use for. */
int sandbox_filter_calls(void);

#endif
