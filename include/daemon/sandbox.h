/* daemon/sandbox.h: locks the process in, layer by layer (postern(1), "SANDBOX"). */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <sys/types.h>

#include "proto/conf.h"
#include "proto/sandbox.h"

struct own_file;

#define SANDBOX_FILES_MAX 4

struct sandbox {
	struct sandbox_status layers[N_SANDBOX_LAYERS];
	struct own_file *files[SANDBOX_FILES_MAX]; /* their folders shall lead no further */
	uid_t root; /* what root of the host is for us: 0, unless that is a user like any other */
};

/* Once everything is open.  `paths`, which NULL ends, are followed on afterwards as
 * resolv_watch_folders() says.  With CONF_SANDBOX_AUTO, what cannot be had is logged; with
 * CONF_SANDBOX_STRICT the first such layer is the reason, as an error, and -errno is returned. */
int sandbox_enter(struct sandbox *s, enum conf_sandbox mode, const char *const paths[]);

#endif
