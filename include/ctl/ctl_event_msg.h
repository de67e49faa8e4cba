/* ctl/ctl_event_msg.h: what the control socket says unasked, and how a client chooses of it. */
#ifndef CTL_CTL_EVENT_MSG_H
#define CTL_CTL_EVENT_MSG_H

#include "ctl/ctl_msg.h"

/* By enum event_kind: the names, which NULL ends, and what `data` is. */
extern const char *const ctl_event_names[];
extern const struct ctl_message *const ctl_event_data[];

struct ctl_timestamp {
	uint64_t seconds, microseconds; /* of the wall clock */
};

/* The frame of all of them. */
struct ctl_event {
#define CTL_EVENT_HAS_EVENT 0x1u /* else it is a reply, not an event */
	uint32_t has;
	const char *event;
	const struct ctl_value *data;
	struct ctl_timestamp timestamp;
};

/* What `data` is. */

struct ctl_event_client {
#define CTL_EVENT_CLIENT_HAS_PID    0x1u
#define CTL_EVENT_CLIENT_HAS_REASON 0x2u
	uint32_t has;
	uint64_t pid;
	const char *reason;
	uint64_t count; /* since the last event of this kind, likewise in what follows */
};

struct ctl_event_guest {
	struct mac mac;
	uint64_t count;
};

struct ctl_event_lease {
#define CTL_EVENT_LEASE_HAS_REASON 0x1u
	uint32_t has;
	struct ctl_lease lease;
	const char *reason;
	uint64_t count;
};

struct ctl_event_forward {
	/* further bits of where.has */
#define CTL_EVENT_FORWARD_HAS_ID     0x10u
#define CTL_EVENT_FORWARD_HAS_CLIENT 0x20u
	struct ctl_forward_port where;
	uint64_t id; /* of the forward, where it is open */
	struct endpoint client;
	const char *reason;
	uint64_t count;
};

struct ctl_event_count {
	const char *name; /* of a limit, or of a reason */
	uint64_t count;
};

struct ctl_event_lost {
	uint64_t count;
};

struct ctl_event_warning {
	const char *level, *unit, *text;
};

/* events-subscribe */

struct ctl_subscribe {
#define CTL_SUBSCRIBE_HAS_EVENTS 0x01u
#define CTL_SUBSCRIBE_HAS_PROTO	 0x02u
#define CTL_SUBSCRIBE_HAS_DIR	 0x04u
#define CTL_SUBSCRIBE_HAS_ADDR	 0x08u
#define CTL_SUBSCRIBE_HAS_PORT	 0x10u
	uint32_t has;
	struct ctl_list events; /* unsigned: their indices */
	unsigned proto, dir;
	const char *addr;
	uint16_t port;
};

extern const struct ctl_message ctl_event_message, ctl_event_client_message,
	ctl_event_guest_message, ctl_event_lease_message, ctl_event_forward_message,
	ctl_event_limit_message, ctl_event_drop_message, ctl_event_lost_message,
	ctl_event_warning_message, ctl_subscribe_message;

#endif
