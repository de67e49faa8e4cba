/* daemon/sandbox.h: locks the process in, layer by layer (postern(1), "SANDBOX"). */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <sys/types.h>

#include "proto/conf.h"
#include "proto/sandbox.h"

struct own_file;

#define SANDBOX_FILES_MAX 6

struct sandbox {
	struct sandbox_status layers[N_SANDBOX_LAYERS];
	struct own_file *files[SANDBOX_FILES_MAX]; /* their folders shall lead no further */
	uid_t root; /* what root of the host is for us: 0, unless that is a user like any other */
};

/* Once everything is open: becomes the user that the settings name, and lays the layers that they
 * ask for.  `paths`, which NULL ends, are followed on afterwards as resolv_watch_folders() says.
 * What keeps us from starting is told as an error, and -errno is returned: with
 * CONF_SANDBOX_STRICT, the first layer that cannot be had, and a user that is named.  With
 * CONF_SANDBOX_AUTO, any other layer is logged. */
int sandbox_enter(struct sandbox *s, const struct conf *c, const char *const paths[]);

#endif
