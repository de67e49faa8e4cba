/* flow/table.h: the one flow table: keyed hash, limits, close history. */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include "base/hash.h"
#include "flow/flow.h"

#define FLOW_CLOSED_KEPT 256 /* ended flows that stay listed */

/* What remains to be shown of a flow that ended. */
struct flow_closed {
	uint64_t id;
	struct flow_key key;
	enum flow_dir dir;
	struct endpoint host, peer;
	struct flow_name *name;
	uint64_t forward;
	const char *state; /* in which it was */
	uint64_t created_ns, closed_ns;
	uint64_t bytes_out, bytes_in, packets_out, packets_in;
	enum flow_close_reason reason;
	int error; /* as in struct flow, likewise */
	enum flow_end silent;
};

/* A place in the order of ids. */
struct flow_ref {
	uint64_t id;
	struct flow *flow; /* NULL: it ended */
};

struct flow_table {
	struct hash_key key;
	struct flow **slots;
	size_t n_slots; /* a power of two */
	size_t n;	/* flows */
	size_t max;	/* flows at most */
	size_t by_proto[N_FLOW_PROTOS];
	uint64_t opened[N_FLOW_PROTOS], refused[N_FLOW_PROTOS]; /* ever */
	uint64_t next_id;
	struct list all;       /* oldest first */
	struct flow_ref *refs; /* by id, with holes */
	size_t n_refs, cap_refs;
	struct flow_names names;
	struct flow_closed closed[FLOW_CLOSED_KEPT];
	uint64_t n_closed; /* ever; the newest is closed[(n_closed - 1) % FLOW_CLOSED_KEPT] */
	uint64_t by_reason[N_FLOW_CLOSE_REASONS];
	uint64_t by_proto_reason[N_FLOW_PROTOS][N_FLOW_CLOSE_REASONS];

	/* Hears of each flow that was taken out, before it is freed; NULL: nobody. */
	void (*removed)(void *ctx, const struct flow *f, const struct flow_closed *closed);
	void *removed_ctx;
};

/* 0 or -ENOMEM. */
int flow_table_init(struct flow_table *t, size_t max);

/* The table must be empty of flows. */
void flow_table_free(struct flow_table *t);

/* NULL if there is none. */
struct flow *flow_table_lookup(const struct flow_table *t, const struct flow_key *key);

/* flow_label() of a flow that may be gone. */
uint32_t flow_table_label(const struct flow_table *t, const struct flow_key *key);

/* By user-visible id; NULL if there is none. */
struct flow *flow_table_by_id(const struct flow_table *t, uint64_t id);

/* The open flow with the lowest id above `id`; NULL at the end.  Flows may come and go between
 * two calls: a walk over many wake-ups meets every flow that lives through it once. */
struct flow *flow_table_next(const struct flow_table *t, uint64_t id);

/* Puts a flow whose class, key and dir are set under its key and gives it its id.  0, -ENOMEM,
 * -ENOSPC at the limit, -EEXIST when the key is taken. */
int flow_table_insert(struct flow_table *t, struct flow *f, uint64_t now_ns);

/* Takes it out and remembers how it ended; the caller frees it.  Its timer must be cancelled by
 * the caller. */
void flow_table_remove(struct flow_table *t, struct flow *f, enum flow_close_reason reason,
		       uint64_t now_ns);

#endif
