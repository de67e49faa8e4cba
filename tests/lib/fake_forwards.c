/* lib/fake_forwards.c: see lib/fake_forwards.h. */
#include "lib/fake_forwards.h"

#include <errno.h>

#include "lib/must.h"

#define PICKED 40000 /* what port 0 becomes */

unsigned fake_forwards_n_open;

static void *open_port(void *host, struct forward *f, uint16_t *port, int *err)
{
	if (*port == 80) {
		*err = EADDRINUSE;
		return NULL;
	}
	if (!*port)
		*port = PICKED;
	fake_forwards_n_open++;
	return &fake_forwards_n_open;
}

static void close_port(const struct forward *f, void *socket)
{
	fake_forwards_n_open--;
}

static bool is_stranded(const struct forward *f, void *socket)
{
	return false;
}

static const struct forward_host_ops ops = { open_port, close_port, is_stranded };
static const struct forward_ports ports = { 32768, 60999, 1024 };

void fake_forwards_open(struct env *env)
{
	env->forwards = forwards_new(env, &ops, NULL, &ports);
	must(env->forwards && !fake_forwards_n_open);
}

void fake_forwards_close(struct env *env)
{
	forwards_free(env->forwards);
	env->forwards = NULL;
	must(!fake_forwards_n_open);
}
