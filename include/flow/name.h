/* flow/name.h: names of peers, shared by all that refer to them, and bounded together.
 *
 * A name goes when nobody refers to it any more: neither the memory of what the guest was told
 * (proto/dns_names), nor a flow, nor the record of one that ended.
 */
#ifndef FLOW_NAME_H
#define FLOW_NAME_H

#include <stddef.h>
#include <stdint.h>

#define FLOW_NAMES_BYTES_MAX (2u << 20) /* of all names, with what goes with them */

struct flow_name {
	uint32_t refs;
	char text[];
};

struct flow_names {
	size_t bytes;
};

/* A name with one reference; NULL without memory, or where there is no room for it. */
struct flow_name *flow_name_new(struct flow_names *names, const char *text);

/* One reference more; NULL stays NULL. */
struct flow_name *flow_name_get(struct flow_name *name);

/* One less. */
void flow_name_put(struct flow_names *names, struct flow_name *name);

#endif
