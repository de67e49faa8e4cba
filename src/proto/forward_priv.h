/* proto/forward_priv.h: what the files of forwards share.
 *
 *	proto/forward.c         the table: rules, their sockets, conflicts
 *	proto/forward_change.c  changes of it, which go on in portions
 */
#ifndef PROTO_FORWARD_PRIV_H
#define PROTO_FORWARD_PRIV_H

#include "proto/forward.h"

struct forward_change;

struct forwards {
	struct env *env;
	const struct forward_host_ops *ops;
	void *host;
	struct forward_ports ports;
	struct list rules;   /* in the order of their ids */
	struct list opening; /* rules when all of them are open; nobody is shown them before */
	struct list closing; /* rules no more, with sockets left */
	unsigned n_rules;    /* of the first two lists */
	uint64_t next_id;
	uint64_t start_ns;
	struct forward_error last_error; /* of a port */
	uint64_t last_error_ns;
	struct forward_change *change; /* NULL: none is under way */
	struct timer timer;	       /* goes on with it */
};

static inline struct forward *forward_of(struct list *l)
{
	return container_of(l, struct forward, link);
}

/* Returns `err`, with the reason in `error`. */
__attribute__((format(printf, 3, 4))) int forward_fail(int err, struct forward_error *error,
						       const char *fmt, ...);

/* Whether both would have the kernel listen at the same place, were their ports the same. */
bool forward_overlap(const struct forward_rule *a, const struct forward_rule *b);

/* Puts a rule at the end of `opening`, no port of it open.  0 or -ENOMEM. */
int forward_begin(struct forwards *fs, const struct forward_rule *rule, struct forward_error *error);

/* Opens the next port of the rule that is last in `opening`.  0, also where best effort goes
 * without it, or -errno.  False in *more: there is none. */
int forward_open_next(struct forwards *fs, bool *more, struct forward_error *error);

/* Best-effort rules without a single port between them are a failure of the whole. */
int forwards_check_opened(const struct forwards *fs, struct forward_error *error);

/* Makes rules of what is open, and tells. */
void forwards_admit(struct forwards *fs);

/* Tells of a port that could not be had, if `error` is about one; `f`: its rule, NULL if that is not
 * opened either. */
void forward_note_failed(struct forwards *fs, const struct forward *f,
			 const struct forward_error *error);

/* It is a rule no more: its sockets are to be closed. */
void forward_retire(struct forwards *fs, struct forward *f);

/* Closes a socket of what is in `closing`, or frees a rule that has none left. */
void forwards_close_next(struct forwards *fs);

/* Lets go of a change that is under way. */
void forwards_drop_change(struct forwards *fs);

#endif
