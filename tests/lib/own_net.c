/* lib/own_net.c: a network namespace of the test's own. */
#include "lib/own_net.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

int own_net_ip(const char *args)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s >/dev/null 2>&1", args);
	return system(command);
}

const char *own_net_enter(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return "no network namespace can be made";
	if (own_net_ip("link add probe type veth peer name probed") || own_net_ip("link del probe"))
		return "ip(8) cannot make interfaces here";
	return NULL;
}
