/* lib/sim_link.h: one direction of a link in virtual time: delays, drops, duplicates, reorders.
 */
#ifndef TESTS_LIB_SIM_LINK_H
#define TESTS_LIB_SIM_LINK_H

#include <stddef.h>

#include "base/list.h"
#include "base/timerq.h"
#include "lib/rng.h"

struct sim_frame {
	struct list list;
	uint64_t due_ns;
	size_t len;
	uint8_t data[];
};

struct sim_link {
	struct rng *rng;
	uint64_t delay_ns;
	unsigned drop_pm, dup_pm, reorder_pm; /* per mille */
	unsigned n_hurt; /* frames dropped, doubled or late: any of it may look like a loss */
	size_t n;	 /* frames under way */
	struct list frames; /* by due time, then as sent */
};

void sim_link_init(struct sim_link *l, struct rng *rng, uint64_t delay_ns);
void sim_link_free(struct sim_link *l);

/* Copies a frame onto the link. */
void sim_link_send(struct sim_link *l, uint64_t now_ns, const void *data, size_t len);

/* When the next frame arrives; TIMERQ_NEVER. */
uint64_t sim_link_next(const struct sim_link *l);

/* The next frame that has arrived, or NULL; the caller frees it. */
struct sim_frame *sim_link_take(struct sim_link *l, uint64_t now_ns);

#endif
