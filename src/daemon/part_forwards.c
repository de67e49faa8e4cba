/* daemon/part_forwards.c: opens the port forwards of the command line. */
#include <errno.h>

#include "base/log.h"
#include "daemon_priv.h"
#include "host/listen.h"

int part_forwards_start(struct daemon *d)
{
	struct forward_ports ports;
	struct forward_error error = { "out of memory" };
	int rc = -ENOMEM;

	listen_read_ports(&ports);
	d->listen = listen_new(&d->env, d->loop, d->edges);
	if (d->listen)
		d->env.forwards = forwards_new(&d->env, &listen_ops, d->listen, &ports);
	if (d->env.forwards)
		rc = forwards_open(d->env.forwards, &error);
	if (!rc)
		return 0;
	log_error(FORWARD, "%s", error.text);
	part_forwards_stop(d);
	return rc;
}

void part_forwards_stop(struct daemon *d)
{
	forwards_free(d->env.forwards);
	listen_free(d->listen);
}
