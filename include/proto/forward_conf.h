/* proto/forward_conf.h: the forwards of the command line, read together. */
#ifndef PROTO_FORWARD_CONF_H
#define PROTO_FORWARD_CONF_H

#include "proto/conf.h"
#include "proto/forward_spec.h"

/* Rules that are opened together. */
struct forward_batch {
	struct forward_rule rules[FORWARD_RULES_MAX];
	int n;
};

/* All -t and -u, none of a protocol that is off.  0, or -EINVAL with the reason, which begins with the option, in `error`. */
int forward_conf_read(const struct conf *c, const struct forward_ports *ports,
		      struct forward_batch *b, char error[static FORWARD_ERROR_MAX]);

#endif
