/* daemon/part_sandbox.c: the sandbox around all parts that open something. */
#include "config.h"
#include "ctl/ctl.h"
#include "daemon_priv.h"
#include "daemon/logging.h"

#define PATHS_MAX 4 /* with the NULL that ends them */

int part_sandbox_start(struct daemon *d)
{
	const char *paths[PATHS_MAX] = { RESOLV_CONF_PATH };
	unsigned n = 1;
	int rc;

	if (logging_uses_path())
		paths[n++] = logging_uses_path();
#ifdef POSTERN_SANITIZERS
	paths[n] = "/proc/self"; /* where they look at the process */
#endif
	d->sandbox.files[0] = &d->link_file;
	d->sandbox.files[1] = &d->control_file;
	d->sandbox.files[2] = &d->status_file;
	d->sandbox.files[3] = &d->api_file;
	d->sandbox.files[4] = &d->pid_file.file;
	d->sandbox.files[5] = &d->fds;
	rc = sandbox_enter(&d->sandbox, &d->conf, paths);
	if (!rc)
		ctl_set_root(d->ctl, d->sandbox.root);
	return rc;
}

void part_sandbox_stop(struct daemon *d)
{
}
