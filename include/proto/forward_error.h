/* proto/forward_error.h: why ports of the host are not forwarded. */
#ifndef PROTO_FORWARD_ERROR_H
#define PROTO_FORWARD_ERROR_H

#include "proto/forward_spec.h"

struct forward_error {
	char text[FORWARD_ERROR_MAX];
	int error; /* what keeps a port from being had, an errno; 0: it is about something else */
	struct forward_rule port; /* the rule of that port, and of no other */
};

#endif
