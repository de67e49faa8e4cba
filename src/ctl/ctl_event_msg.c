/* ctl/ctl_event_msg.c: the tables of ctl/ctl_event_msg.h. */
#include "ctl/ctl_event_msg.h"

#include "ctl/ctl_capture_msg.h"
#include "ctl/ctl_member.h"

const char *const ctl_event_names[] = { "CLIENT_CONNECTED",
					"CLIENT_DISCONNECTED",
					"GUEST_SEEN",
					"LEASE_GRANTED",
					"LEASE_RENEWED",
					"LEASE_ENDED",
					"NETWORK_CHANGED",
					"RESOLVERS_CHANGED",
					"FLOW_OPENED",
					"FLOW_CLOSED",
					"FORWARD_FAILED",
					"LIMIT_REACHED",
					"FRAMES_DROPPED",
					"WARNING",
					"CONFIG_CHANGED",
					"CAPTURE_STARTED",
					"CAPTURE_ENDED",
					"SHUTDOWN",
					NULL };

static const struct ctl_field ctl_timestamp_fields[] = {
	MEMBER(ctl_timestamp, seconds, "seconds", CTL_UINT),
	MEMBER(ctl_timestamp, microseconds, "microseconds", CTL_UINT),
};
static MESSAGE(ctl_timestamp);

static const struct ctl_field ctl_event_fields[] = {
	MEMBER(ctl_event, event, "event", CTL_TEXT, .has = CTL_EVENT_HAS_EVENT),
	MEMBER(ctl_event, data, "data", CTL_VALUE, .has = CTL_EVENT_HAS_EVENT),
	MEMBER(ctl_event, timestamp, "timestamp", CTL_OBJECT, .object = &ctl_timestamp_message,
	       .has = CTL_EVENT_HAS_EVENT),
};
MESSAGE(ctl_event);

static const struct ctl_field ctl_event_client_fields[] = {
	MEMBER(ctl_event_client, pid, "pid", CTL_UINT, .has = CTL_EVENT_CLIENT_HAS_PID),
	MEMBER(ctl_event_client, reason, "reason", CTL_TEXT,
	       .has = CTL_EVENT_CLIENT_HAS_REASON),
	MEMBER(ctl_event_client, count, "count", CTL_UINT),
};
MESSAGE(ctl_event_client);

static const struct ctl_field ctl_event_guest_fields[] = {
	MEMBER(ctl_event_guest, mac, "mac", CTL_MAC),
	MEMBER(ctl_event_guest, count, "count", CTL_UINT),
};
MESSAGE(ctl_event_guest);

static const struct ctl_field ctl_event_lease_fields[] = {
	MEMBER(ctl_event_lease, lease, "lease", CTL_OBJECT, .object = &ctl_lease_message),
	MEMBER(ctl_event_lease, reason, "reason", CTL_TEXT, .has = CTL_EVENT_LEASE_HAS_REASON),
	MEMBER(ctl_event_lease, count, "count", CTL_UINT),
};
MESSAGE(ctl_event_lease);

static const struct ctl_field ctl_event_forward_fields[] = {
	MEMBER(ctl_event_forward, id, "id", CTL_UINT, .has = CTL_EVENT_FORWARD_HAS_ID),
	FORWARD_PORT(ctl_event_forward, where.),
	MEMBER(ctl_event_forward, client, "client", CTL_OBJECT, .object = &ctl_endpoint_message,
	       .has = CTL_EVENT_FORWARD_HAS_CLIENT),
	MEMBER(ctl_event_forward, reason, "reason", CTL_TEXT),
	MEMBER(ctl_event_forward, count, "count", CTL_UINT),
};
MESSAGE(ctl_event_forward);

static const struct ctl_field ctl_event_limit_fields[] = {
	MEMBER(ctl_event_count, name, "limit", CTL_TEXT),
	MEMBER(ctl_event_count, count, "count", CTL_UINT),
};
const struct ctl_message ctl_event_limit_message = { sizeof(struct ctl_event_count),
						     ctl_event_limit_fields, 2 };

static const struct ctl_field ctl_event_drop_fields[] = {
	MEMBER(ctl_event_count, name, "reason", CTL_TEXT),
	MEMBER(ctl_event_count, count, "count", CTL_UINT),
};
const struct ctl_message ctl_event_drop_message = { sizeof(struct ctl_event_count),
						    ctl_event_drop_fields, 2 };

static const struct ctl_field ctl_event_lost_fields[] = {
	MEMBER(ctl_event_lost, count, "count", CTL_UINT),
};
MESSAGE(ctl_event_lost);

static const struct ctl_field ctl_event_warning_fields[] = {
	MEMBER(ctl_event_warning, level, "level", CTL_TEXT),
	MEMBER(ctl_event_warning, unit, "unit", CTL_TEXT),
	MEMBER(ctl_event_warning, text, "text", CTL_TEXT),
};
MESSAGE(ctl_event_warning);

static const struct ctl_field ctl_subscribe_fields[] = {
	MEMBER(ctl_subscribe, events, "events", CTL_CHOICE, .list = true,
	       .names = ctl_event_names, .has = CTL_SUBSCRIBE_HAS_EVENTS,
	       .help = "only these; else all"),
	MEMBER(ctl_subscribe, proto, "proto", CTL_CHOICE, .names = ctl_proto_names,
	       .has = CTL_SUBSCRIBE_HAS_PROTO, .help = "of flows: only this protocol"),
	MEMBER(ctl_subscribe, dir, "dir", CTL_CHOICE, .names = ctl_dir_names,
	       .has = CTL_SUBSCRIBE_HAS_DIR,
	       .help = "of flows: opened by the guest, or through a forward"),
	MEMBER(ctl_subscribe, addr, "addr", CTL_TEXT, .has = CTL_SUBSCRIBE_HAS_ADDR,
	       .help = "of flows: an end with this address, or in this prefix"),
	MEMBER(ctl_subscribe, port, "port", CTL_PORT, .has = CTL_SUBSCRIBE_HAS_PORT,
	       .help = "of flows: an end with this port"),
};
MESSAGE(ctl_subscribe);

const struct ctl_message *const ctl_event_data[] = {
	&ctl_event_client_message, &ctl_event_client_message,  &ctl_event_guest_message,
	&ctl_event_lease_message,  &ctl_event_lease_message,   &ctl_event_lease_message,
	&ctl_network_message,	   &ctl_network_message,       &ctl_flow_message,
	&ctl_flow_message,	   &ctl_event_forward_message, &ctl_event_limit_message,
	&ctl_event_drop_message,   &ctl_event_warning_message, &ctl_config_set_message,
	&ctl_capture_message,	   &ctl_capture_message,       &ctl_nothing_message,
};
