/* proto/event.h: what happens, told at once to the one who listens: the control service.
 *
 * Telling costs a test of a bit as long as nobody wants to hear of that kind.
 */
#ifndef PROTO_EVENT_H
#define PROTO_EVENT_H

#include <errno.h>

#include "proto/env.h"
#include "proto/forward_spec.h"

struct lease;

enum event_kind {
	EVENT_CLIENT_CONNECTED,
	EVENT_CLIENT_DISCONNECTED,
	EVENT_GUEST_SEEN, /* its first frame, or the first from another hardware address */
	EVENT_LEASE_GRANTED,
	EVENT_LEASE_RENEWED,
	EVENT_LEASE_ENDED,
	EVENT_NETWORK_CHANGED,
	EVENT_RESOLVERS_CHANGED,
	EVENT_FLOW_OPENED,
	EVENT_FLOW_CLOSED,
	EVENT_FORWARD_FAILED,
	EVENT_LIMIT_REACHED,
	EVENT_FRAMES_DROPPED,
	EVENT_WARNING,
	EVENT_CONFIG_CHANGED,
	EVENT_CAPTURE_STARTED,
	EVENT_CAPTURE_ENDED,
	EVENT_SHUTDOWN,
	N_EVENTS
};

/* A port of the host that could not be had, or a client of a forward that did not come through.
 */
struct event_forward {
	uint64_t id;		  /* of the rule; 0: it is not open */
	struct forward_rule port; /* the rule of that port, and of no other */
	bool has_client;
	struct endpoint client;
	int error;	    /* errno */
	const char *reason; /* the same in words, which last */
};

/* An option that has another value now; none: its default, NULL: it takes none, and is on. */
struct event_config {
	const char *option;
	const char *const *values;
	size_t n;
};

/* Valid, with all it points to, for the time of the call. */
struct event {
	enum event_kind kind;
	const char *reason;		     /* CLIENT_DISCONNECTED, LEASE_ENDED */
	const struct lease *lease;	     /* LEASE_* */
	const struct event_forward *forward; /* FORWARD_FAILED */
	enum limit limit;		     /* LIMIT_REACHED */
	enum drop drop;			     /* FRAMES_DROPPED */
	const struct event_config *config;   /* CONFIG_CHANGED */
	uint64_t capture;		     /* CAPTURE_*: its id */
};

struct event_ops {
	/* Only for kinds whose bit is set in env->events_wanted. */
	void (*tell)(void *listener, const struct event *e);
};

static inline bool event_is_wanted(const struct env *env, enum event_kind kind)
{
	return env->events_wanted & 1u << kind;
}

static inline void event_tell(struct env *env, const struct event *e)
{
	if (event_is_wanted(env, e->kind))
		env->event_ops->tell(env->listener, e);
}

static inline void event_limit_reached(struct env *env, enum limit limit)
{
	env->limits_reached[limit]++;
	event_tell(env, &(struct event){ .kind = EVENT_LIMIT_REACHED, .limit = limit });
}

/* `err`, an errno, is why there is no descriptor for something. */
static inline void event_no_descriptor(struct env *env, int err)
{
	if (err == EMFILE || err == ENFILE)
		event_limit_reached(env, LIMIT_OPEN_FILES);
}

#endif
