/* ctl/ctl_method.h: the methods of the protocol, and a call of one.
 *
 * A handler knows neither JSON nor sockets: it gets its arguments as a checked struct and fills
 * its result.  What only looks gets a const environment; a connection that may only look has no
 * other way to it.
 */
#ifndef CTL_CTL_METHOD_H
#define CTL_CTL_METHOD_H

#include <sys/types.h>

#include "ctl/ctl_json.h"
#include "proto/env.h"

/* What the daemon does for us, which is in the layer above. */
struct ctl_daemon_ops {
	void (*quit)(void *daemon); /* ends the loop */
	/* The option at place `i` of those given, then of those that have a default; its texts are
	 * valid until something is changed.  False behind the last. */
	bool (*option_at)(const void *daemon, unsigned i, struct ctl_option *o);
	/* Gives an option these values, none for its default, and puts them into effect.  0, or -errno
	 * with the reason in `error`, and nothing is changed. */
	int (*option_set)(void *daemon, const char *option, const char *const *values, size_t n,
			  char error[static CTL_ERROR_MAX]);
	/* How many descriptors are open; 0: the system does not tell.  NULL: nobody knows. */
	uint64_t (*open_files)(const void *daemon);
	/* Ends the guest's link; false when nobody is there. */
	bool (*disconnect)(void *daemon);
};

/* Facts about the control service itself and the daemon, to look at. */
struct ctl_info {
	uint64_t start_ns;
	unsigned n_clients;
	const struct ctl_daemon_ops *ops;
	const void *daemon;
	const struct ctl_events *events;
	const struct loop_turns *turns; /* NULL: there is no loop */
	int fd_statm; /* our own in /proc, which is out of sight in the sandbox; -1: there is none */
};

/* What can be changed. */
struct ctl_target {
	struct env *env;
	const struct ctl_daemon_ops *ops;
	void *daemon;
	struct ctl_events *events;
};

struct ctl_subscriber;
struct forward_outcome;
struct forward_request;

/* The client that calls. */
struct ctl_caller {
	pid_t pid;
	uid_t uid;
	int fd; /* the descriptor that it passed last, until a method takes it; -1: none */
};

struct ctl_call {
	const struct ctl_method *method; /* NULL: no call is under way */
	const struct ctl_info *info;
	struct ctl_caller *caller;
	struct ctl_subscriber *subscriber; /* what the client is told unasked */
	const void *args;    /* as the method's table says */
	struct ctl_doc *doc; /* the request, and memory for what results point to */
	bool started;	     /* a list: the handler was called before */
	void *state;	     /* the handler's own, of the document's memory */
	void (*drop)(struct ctl_call *
			     call); /* called when it is over, also where the client has gone */
	unsigned cost;	     /* what this step of the handler cost besides, in units of work */
	uint64_t cursor;     /* the handler's own, from 0: where a list goes on */
	uint64_t n_items;    /* a list: elements given so far */
	char error[CTL_ERROR_MAX];
	const struct ctl_forward_port *failed_port; /* of the document's memory, which the error
						     * is about; NULL: none */
};

/* Besides 0 or -errno, with the reason in call->error. */
enum ctl_outcome {
	CTL_DONE,    /* the result is filled; a list has ended, and `result` is not used */
	CTL_ITEM,    /* a list: `result` is its next element, and there may be more */
	CTL_CONTINUE /* a list: nothing to show yet, call again */
};

typedef int ctl_look_fn(struct ctl_call *call, const struct env *env, void *result);
typedef int ctl_change_fn(struct ctl_call *call, const struct ctl_target *target, void *result);

struct ctl_method {
	const char *name;
	const struct ctl_message *args, *result;
	ctl_look_fn *look;     /* either this */
	ctl_change_fn *change; /* or this */
	bool list; /* returns an array: the handler is called once an element; fails only at
		      first */
};

/* NULL if there is none. */
const struct ctl_method *ctl_method_find(const char *name);

/* In the order of the table; NULL behind the last. */
const struct ctl_method *ctl_method_at(uint64_t i);

/* Stores the text in call->error; returns `err`, to be returned on. */
int ctl_fail(struct ctl_call *call, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The handlers, each group in a file of its own. */
ctl_look_fn ctl_qmp_capabilities, ctl_qmp_query_version, ctl_qmp_query_commands;
ctl_look_fn ctl_status_query;
ctl_look_fn ctl_flows_query;
ctl_change_fn ctl_flows_close;
ctl_look_fn ctl_stats_query;
ctl_look_fn ctl_forwards_query;
ctl_look_fn ctl_hostfwd_list;
ctl_change_fn ctl_hostfwd_add, ctl_hostfwd_remove;
ctl_change_fn ctl_forwards_add, ctl_forwards_remove, ctl_forwards_set;
ctl_look_fn ctl_leases_query;
ctl_look_fn ctl_dns_query;
ctl_look_fn ctl_events_subscribe;
ctl_look_fn ctl_schema_query;
ctl_look_fn ctl_captures_query;
ctl_change_fn ctl_captures_start, ctl_captures_stop;
ctl_look_fn ctl_config_query;
ctl_change_fn ctl_config_set, ctl_config_log_level;
ctl_change_fn ctl_client_disconnect;
ctl_change_fn ctl_quit;

/* A list of `n` texts of `size` bytes each, as results have it; false without memory. */
bool ctl_list_texts(struct ctl_call *call, const char *texts, size_t size, size_t n,
		    struct ctl_list *list);

/* Makes a change of the forwards: CTL_CONTINUE until it is over, then CTL_DONE with how it went
 * in *o, or -errno.  Another that is under way is waited for. */
int ctl_forwards_change(struct ctl_call *call, struct env *env, const struct forward_request *r,
			const struct forward_outcome **o);

/* What the greeting and query-version say of us. */
struct ctl_version ctl_qmp_version(void);

#endif
