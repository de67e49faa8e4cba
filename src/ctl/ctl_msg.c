/* ctl/ctl_msg.c: the tables of ctl/ctl_msg.h. */
#include "ctl/ctl_msg.h"

#include "ctl/ctl_member.h"

const char *const ctl_proto_names[] = { "tcp", "udp", "icmp", NULL };
const char *const ctl_forward_proto_names[] = { "tcp", "udp", NULL };
const char *const ctl_hostfwd_proto_names[] = { "tcp", "udp", "tcp4", "udp4", "tcp6", "udp6", NULL };
const char *const ctl_flow_sort_names[] = { "id",   "bytes",	"bytes_out", "bytes_in",
					    "rate", "rate_out", "rate_in",   "age",
					    "idle", NULL };
const char *const ctl_flow_how_names[] = { "reset", "finish", NULL };
const char *const ctl_flow_state_names[] = { "connecting",  "syn-sent",	  "syn-received",
					     "established", "fin-wait-1", "fin-wait-2",
					     "close-wait",  "closing",	  "last-ack",
					     "time-wait",   "unreplied",  "replied",
					     "assured",	    "closed",	  NULL };
const char *const ctl_close_reason_names[] = { "finished",     "idle",	     "guest-reset",
					       "peer-reset",   "refused",    "unreachable",
					       "timed-out",    "guest-left", "by-operator",
					       "host-error",   "preempted",  "shutdown",
					       "address-gone", NULL };
const char *const ctl_dir_names[] = { "out", "in", NULL };
const char *const ctl_end_names[] = { "guest", "peer", NULL };
const char *const ctl_source_names[] = { "flag", "host", "fallback", NULL };
const char *const ctl_layer_names[] = { "user", "user_namespace", "namespaces", "root", "capabilities",
					"no_new_privs", "no_core", "not_dumpable", "seccomp", NULL };
const char *const ctl_layer_state_names[] = { "off", "applied", "unavailable", NULL };
const char *const ctl_log_level_names[] = { "warning", "info", "debug", NULL };

const struct ctl_message ctl_nothing_message = { .size = sizeof(struct ctl_nothing) };

/* QMP clients look for the release under QEMU's name. */
static const struct ctl_field ctl_release_fields[] = {
	MEMBER(ctl_release, major, "major", CTL_UINT),
	MEMBER(ctl_release, minor, "minor", CTL_UINT),
	MEMBER(ctl_release, micro, "micro", CTL_UINT),
};
static MESSAGE(ctl_release);

static const struct ctl_field ctl_version_fields[] = {
	MEMBER(ctl_version, release, "qemu", CTL_OBJECT, .object = &ctl_release_message),
	MEMBER(ctl_version, package, "package", CTL_TEXT),
};
MESSAGE(ctl_version);

static const struct ctl_field ctl_hello_fields[] = {
	MEMBER(ctl_hello, version, "version", CTL_OBJECT, .object = &ctl_version_message),
	MEMBER(ctl_hello, capabilities, "capabilities", CTL_TEXT, .list = true),
};
static MESSAGE(ctl_hello);

static const struct ctl_field ctl_greeting_fields[] = {
	MEMBER(ctl_greeting, hello, "QMP", CTL_OBJECT, .object = &ctl_hello_message),
};
MESSAGE(ctl_greeting);

static const struct ctl_field ctl_request_fields[] = {
	MEMBER(ctl_request, execute, "execute", CTL_TEXT),
	MEMBER(ctl_request, arguments, "arguments", CTL_VALUE,
	       .has = CTL_REQUEST_HAS_ARGUMENTS),
	MEMBER(ctl_request, id, "id", CTL_VALUE, .has = CTL_REQUEST_HAS_ID),
};
MESSAGE(ctl_request);

static const struct ctl_field ctl_request_id_fields[] = {
	MEMBER(ctl_request, id, "id", CTL_VALUE, .has = CTL_REQUEST_HAS_ID),
};
const struct ctl_message ctl_request_id_message = { sizeof(struct ctl_request),
						    ctl_request_id_fields, 1 };

static const struct ctl_field ctl_forward_port_fields[] = { FORWARD_PORT(ctl_forward_port, ) };
static MESSAGE(ctl_forward_port);

static const struct ctl_field ctl_error_fields[] = {
	MEMBER(ctl_error, class, "class", CTL_TEXT),
	MEMBER(ctl_error, desc, "desc", CTL_TEXT),
	MEMBER(ctl_error, data, "data", CTL_OBJECT, .object = &ctl_forward_port_message,
	       .has = CTL_ERROR_HAS_DATA),
};
MESSAGE(ctl_error);

static const struct ctl_field ctl_reply_fields[] = {
	MEMBER(ctl_reply, value, "return", CTL_VALUE, .has = CTL_REPLY_HAS_RETURN),
	MEMBER(ctl_reply, error, "error", CTL_OBJECT, .object = &ctl_error_message,
	       .has = CTL_REPLY_HAS_ERROR),
};
MESSAGE(ctl_reply);

static const struct ctl_field ctl_capabilities_fields[] = {
	MEMBER(ctl_capabilities, enable, "enable", CTL_TEXT, .list = true,
	       .has = CTL_CAPABILITIES_HAS_ENABLE),
};
MESSAGE(ctl_capabilities);

static const struct ctl_field ctl_command_fields[] = {
	MEMBER(ctl_command, name, "name", CTL_TEXT),
};
MESSAGE(ctl_command);

/* query-schema */

static const char *const schema_kinds[] = { "command", "event", NULL };

static const struct ctl_field ctl_schema_fields[] = {
	MEMBER(ctl_schema, kind, "kind", CTL_CHOICE, .names = schema_kinds),
	MEMBER(ctl_schema, name, "name", CTL_TEXT),
	MEMBER(ctl_schema, changes, "changes", CTL_BOOL, .has = CTL_SCHEMA_IS_COMMAND),
	MEMBER(ctl_schema, arguments, "arguments", CTL_JSON, .has = CTL_SCHEMA_IS_COMMAND),
	MEMBER(ctl_schema, returns, "returns", CTL_JSON, .has = CTL_SCHEMA_IS_COMMAND),
	MEMBER(ctl_schema, data, "data", CTL_JSON, .has = CTL_SCHEMA_IS_EVENT),
};
MESSAGE(ctl_schema);

/* query-leases, query-status */

static const struct ctl_field ctl_lease_fields[] = {
	MEMBER(ctl_lease, address, "address", CTL_ADDR),
	MEMBER(ctl_lease, mac, "mac", CTL_MAC),
	MEMBER(ctl_lease, client_id, "client_id", CTL_TEXT, .has = CTL_LEASE_HAS_CLIENT_ID),
	MEMBER(ctl_lease, iaid, "iaid", CTL_UINT, .has = CTL_LEASE_HAS_IAID),
	MEMBER(ctl_lease, hostname, "hostname", CTL_TEXT, .has = CTL_LEASE_HAS_HOSTNAME),
	MEMBER(ctl_lease, state, "state", CTL_TEXT),
	MEMBER(ctl_lease, age_ms, "age_ms", CTL_UINT),
	MEMBER(ctl_lease, granted_ms, "granted_ms", CTL_UINT),
	MEMBER(ctl_lease, renew_ms, "renew_ms", CTL_UINT, .has = CTL_LEASE_HAS_END),
	MEMBER(ctl_lease, rebind_ms, "rebind_ms", CTL_UINT, .has = CTL_LEASE_HAS_END),
	MEMBER(ctl_lease, expires_ms, "expires_ms", CTL_UINT, .has = CTL_LEASE_HAS_END),
	MEMBER(ctl_lease, grants, "grants", CTL_UINT),
};
MESSAGE(ctl_lease);

/* query-status */

static const struct ctl_field ctl_guest_fields[] = {
	MEMBER(ctl_guest, connected, "connected", CTL_BOOL),
	MEMBER(ctl_guest, since_ms, "since_ms", CTL_UINT, .has = CTL_GUEST_HAS_SINCE),
	MEMBER(ctl_guest, client_pid, "client_pid", CTL_UINT, .has = CTL_GUEST_HAS_PID),
	MEMBER(ctl_guest, mac, "mac", CTL_MAC, .has = CTL_GUEST_HAS_MAC),
	MEMBER(ctl_guest, addr, "addr", CTL_ADDR, .has = CTL_GUEST_HAS_ADDR),
	MEMBER(ctl_guest, ip6, "ip6", CTL_ADDR, .list = true, .has = CTL_GUEST_HAS_IP6),
	MEMBER(ctl_guest, idle_ms, "idle_ms", CTL_UINT, .has = CTL_GUEST_HAS_SEEN),
};
static MESSAGE(ctl_guest);

static const struct ctl_field ctl_network_ip_fields[] = {
	MEMBER(ctl_network_ip, address, "address", CTL_ADDR),
	MEMBER(ctl_network_ip, prefix_len, "prefix_len", CTL_UINT),
	MEMBER(ctl_network_ip, gateway, "gateway", CTL_ADDR),
	MEMBER(ctl_network_ip, address_source, "address_source", CTL_CHOICE,
	       .names = ctl_source_names),
	MEMBER(ctl_network_ip, interface, "interface", CTL_TEXT,
	       .has = CTL_NETWORK_IP_HAS_INTERFACE),
	MEMBER(ctl_network_ip, loopback, "loopback", CTL_ADDR, .has = CTL_NETWORK_IP_HAS_LOOPBACK),
};
static MESSAGE(ctl_network_ip);

/* What IPv4 has stands beside what both families have, as it did when it was alone. */
static const struct ctl_field ctl_network_fields[] = {
	MEMBER(ctl_network, ip4.address, "address", CTL_ADDR, .has = CTL_NETWORK_HAS_IP4),
	MEMBER(ctl_network, ip4.prefix_len, "prefix_len", CTL_UINT, .has = CTL_NETWORK_HAS_IP4),
	MEMBER(ctl_network, ip4.gateway, "gateway", CTL_ADDR, .has = CTL_NETWORK_HAS_IP4),
	MEMBER(ctl_network, ip4.address_source, "address_source", CTL_CHOICE,
	       .names = ctl_source_names, .has = CTL_NETWORK_HAS_IP4),
	MEMBER(ctl_network, ip4.interface, "interface", CTL_TEXT,
	       .has = CTL_NETWORK_HAS_INTERFACE),
	MEMBER(ctl_network, ip6, "ip6", CTL_OBJECT, .object = &ctl_network_ip_message,
	       .has = CTL_NETWORK_HAS_IP6),
	MEMBER(ctl_network, mac, "mac", CTL_MAC),
	MEMBER(ctl_network, mtu, "mtu", CTL_UINT),
	MEMBER(ctl_network, mtu_source, "mtu_source", CTL_CHOICE, .names = ctl_source_names),
	MEMBER(ctl_network, dns, "dns", CTL_ADDR, .list = true),
	MEMBER(ctl_network, dns_source, "dns_source", CTL_CHOICE, .names = ctl_source_names),
	MEMBER(ctl_network, search, "search", CTL_TEXT, .list = true),
	MEMBER(ctl_network, search_source, "search_source", CTL_CHOICE, .names = ctl_source_names),
	MEMBER(ctl_network, hostname, "hostname", CTL_TEXT, .has = CTL_NETWORK_HAS_HOSTNAME),
	MEMBER(ctl_network, fqdn, "fqdn", CTL_TEXT, .has = CTL_NETWORK_HAS_FQDN),
	MEMBER(ctl_network, ip4.loopback, "loopback", CTL_ADDR, .has = CTL_NETWORK_HAS_LOOPBACK),
};
MESSAGE(ctl_network);

static const struct ctl_field ctl_flow_count_fields[] = {
	MEMBER(ctl_flow_count, open, "open", CTL_UINT),
	MEMBER(ctl_flow_count, max, "max", CTL_UINT),
	MEMBER(ctl_flow_count, tcp, "tcp", CTL_UINT),
	MEMBER(ctl_flow_count, udp, "udp", CTL_UINT),
	MEMBER(ctl_flow_count, icmp, "icmp", CTL_UINT),
};
static MESSAGE(ctl_flow_count);

static const struct ctl_field ctl_rate_fields[] = {
	MEMBER(ctl_rate, max, "max", CTL_UINT),
	MEMBER(ctl_rate, burst, "burst", CTL_UINT),
	MEMBER(ctl_rate, used, "used", CTL_UINT),
	MEMBER(ctl_rate, waiting, "waiting", CTL_UINT),
};
static MESSAGE(ctl_rate);

static const struct ctl_field ctl_rates_fields[] = {
	MEMBER(ctl_rates, out, "out", CTL_OBJECT, .object = &ctl_rate_message),
	MEMBER(ctl_rates, in, "in", CTL_OBJECT, .object = &ctl_rate_message),
	MEMBER(ctl_rates, new_flows, "new_flows", CTL_OBJECT, .object = &ctl_rate_message),
};
static MESSAGE(ctl_rates);

static const struct ctl_field ctl_forward_failed_fields[] = {
	FORWARD_PORT(ctl_forward_failed, where.),
	MEMBER(ctl_forward_failed, reason, "reason", CTL_TEXT),
	MEMBER(ctl_forward_failed, age_ms, "age_ms", CTL_UINT),
};
static MESSAGE(ctl_forward_failed);

static const struct ctl_field ctl_forward_count_fields[] = {
	MEMBER(ctl_forward_count, rules, "rules", CTL_UINT),
	MEMBER(ctl_forward_count, open_ports, "open_ports", CTL_UINT),
	MEMBER(ctl_forward_count, failed_ports, "failed_ports", CTL_UINT),
	MEMBER(ctl_forward_count, last_error, "last_error", CTL_OBJECT,
	       .object = &ctl_forward_failed_message, .has = CTL_FORWARD_COUNT_HAS_ERROR),
};
static MESSAGE(ctl_forward_count);

static const struct ctl_field ctl_client_count_fields[] = {
	MEMBER(ctl_client_count, clients, "clients", CTL_UINT),
	MEMBER(ctl_client_count, max, "max", CTL_UINT),
};
static MESSAGE(ctl_client_count);

static const struct ctl_field ctl_layer_fields[] = {
	MEMBER(ctl_layer, layer, "layer", CTL_CHOICE, .names = ctl_layer_names),
	MEMBER(ctl_layer, state, "state", CTL_CHOICE, .names = ctl_layer_state_names),
	MEMBER(ctl_layer, reason, "reason", CTL_TEXT, .has = CTL_LAYER_HAS_REASON),
};
static MESSAGE(ctl_layer);

static const struct ctl_field ctl_limit_fields[] = {
	MEMBER(ctl_limit, limit, "limit", CTL_TEXT),
	MEMBER(ctl_limit, used, "used", CTL_UINT),
	MEMBER(ctl_limit, max, "max", CTL_UINT),
	MEMBER(ctl_limit, hard, "hard", CTL_UINT, .has = CTL_LIMIT_HAS_HARD),
};
static MESSAGE(ctl_limit);

static const struct ctl_field ctl_problem_fields[] = {
	MEMBER(ctl_problem, level, "level", CTL_TEXT),
	MEMBER(ctl_problem, unit, "unit", CTL_TEXT),
	MEMBER(ctl_problem, text, "text", CTL_TEXT),
	MEMBER(ctl_problem, age_ms, "age_ms", CTL_UINT),
};
static MESSAGE(ctl_problem);

static const struct ctl_field ctl_status_fields[] = {
	MEMBER(ctl_status, version, "version", CTL_TEXT),
	MEMBER(ctl_status, pid, "pid", CTL_UINT),
	MEMBER(ctl_status, uid, "uid", CTL_UINT),
	MEMBER(ctl_status, uptime_ms, "uptime_ms", CTL_UINT),
	MEMBER(ctl_status, guest, "guest", CTL_OBJECT, .object = &ctl_guest_message),
	MEMBER(ctl_status, network, "network", CTL_OBJECT, .object = &ctl_network_message),
	MEMBER(ctl_status, flows, "flows", CTL_OBJECT, .object = &ctl_flow_count_message),
	MEMBER(ctl_status, rates, "rates", CTL_OBJECT, .object = &ctl_rates_message),
	MEMBER(ctl_status, forwards, "forwards", CTL_OBJECT,
	       .object = &ctl_forward_count_message),
	MEMBER(ctl_status, control, "control", CTL_OBJECT, .object = &ctl_client_count_message),
	MEMBER(ctl_status, sandbox, "sandbox", CTL_OBJECT, .list = true,
	       .object = &ctl_layer_message),
	MEMBER(ctl_status, leases, "leases", CTL_OBJECT, .list = true,
	       .object = &ctl_lease_message),
	MEMBER(ctl_status, limits, "limits", CTL_OBJECT, .list = true,
	       .object = &ctl_limit_message),
	MEMBER(ctl_status, problems, "problems", CTL_OBJECT, .list = true,
	       .object = &ctl_problem_message),
};
MESSAGE(ctl_status);

/* query-flows, flow-close */

/* The conditions begin both structs; in a request they stand beside what else there is. */
#define FLOW_WHERE(type)                                                                       \
	MEMBER(type, where.proto, "proto", CTL_CHOICE, .names = ctl_proto_names,               \
	       .has = CTL_FLOW_WHERE_HAS_PROTO, .help = "only this protocol"),                 \
	MEMBER(type, where.dir, "dir", CTL_CHOICE, .names = ctl_dir_names,                     \
	       .has = CTL_FLOW_WHERE_HAS_DIR,                                                  \
	       .help = "opened by the guest, or through a forward"),                           \
	MEMBER(type, where.state, "state", CTL_TEXT, .names = ctl_flow_state_names,            \
	       .has = CTL_FLOW_WHERE_HAS_STATE, .help = "only this state"),                    \
	MEMBER(type, where.addr, "addr", CTL_TEXT, .has = CTL_FLOW_WHERE_HAS_ADDR,             \
	       .help = "an end with this address, or in this prefix"),                         \
	MEMBER(type, where.port, "port", CTL_PORT, .has = CTL_FLOW_WHERE_HAS_PORT,             \
	       .help = "an end with this port"),                                               \
	MEMBER(type, where.src, "src", CTL_TEXT, .has = CTL_FLOW_WHERE_HAS_SRC,                \
	       .help = "address or prefix of the end that opened it"),                         \
	MEMBER(type, where.sport, "sport", CTL_PORT, .has = CTL_FLOW_WHERE_HAS_SPORT,          \
	       .help = "port of the end that opened it"),                                      \
	MEMBER(type, where.dst, "dst", CTL_TEXT, .has = CTL_FLOW_WHERE_HAS_DST,                \
	       .help = "address or prefix of the other end"),                                  \
	MEMBER(type, where.dport, "dport", CTL_PORT, .has = CTL_FLOW_WHERE_HAS_DPORT,          \
	       .help = "port of the other end"),                                               \
	MEMBER(type, where.name, "name", CTL_TEXT, .has = CTL_FLOW_WHERE_HAS_NAME,             \
	       .help = "the peer goes by this name, or by one below it")

static const struct ctl_field ctl_flow_query_fields[] = {
	FLOW_WHERE(ctl_flow_query),
	MEMBER(ctl_flow_query, closed, "closed", CTL_BOOL, .has = CTL_FLOW_QUERY_HAS_CLOSED,
	       .help = "those that ended last, newest first"),
	MEMBER(ctl_flow_query, reason, "reason", CTL_CHOICE, .names = ctl_close_reason_names,
	       .has = CTL_FLOW_QUERY_HAS_REASON,
	       .help = "of those: only what ended for this reason"),
	MEMBER(ctl_flow_query, sort, "sort", CTL_CHOICE, .names = ctl_flow_sort_names,
	       .has = CTL_FLOW_QUERY_HAS_SORT,
	       .help = "by this, largest first; id: oldest first"),
	MEMBER(ctl_flow_query, key, "key", CTL_UINT,
	       .has = CTL_FLOW_QUERY_HAS_KEY,
	       .help = "with sort and after: the key of that flow"),
	MEMBER(ctl_flow_query, info, "info", CTL_BOOL, .has = CTL_FLOW_QUERY_HAS_INFO,
	       .help = "with queues, windows and round-trip times"),
	MEMBER(ctl_flow_query, after, "after", CTL_UINT, .has = CTL_FLOW_QUERY_HAS_AFTER,
	       .help = "only flows that a listing has behind this one, an id"),
	MEMBER(ctl_flow_query, limit, "limit", CTL_UINT, .has = CTL_FLOW_QUERY_HAS_LIMIT,
	       .min = 1, .max = CTL_FLOWS_LIMIT_MAX, .help = "as many at most"),
};
MESSAGE(ctl_flow_query);

static const struct ctl_field endpoint_fields[] = {
	MEMBER(endpoint, addr, "addr", CTL_ADDR),
	MEMBER(endpoint, port, "port", CTL_PORT),
};
const struct ctl_message ctl_endpoint_message = { sizeof(struct endpoint), endpoint_fields, 2 };

static const struct ctl_field ctl_flow_info_fields[] = {
	MEMBER(ctl_flow_info, queue_out, "queue_out", CTL_UINT),
	MEMBER(ctl_flow_info, unacked, "unacked", CTL_UINT, .has = CTL_FLOW_INFO_HAS_TCP),
	MEMBER(ctl_flow_info, window, "window", CTL_UINT, .has = CTL_FLOW_INFO_HAS_TCP),
	MEMBER(ctl_flow_info, guest_window, "guest_window", CTL_UINT, .has = CTL_FLOW_INFO_HAS_TCP),
	MEMBER(ctl_flow_info, guest_mss, "guest_mss", CTL_UINT, .has = CTL_FLOW_INFO_HAS_TCP),
	MEMBER(ctl_flow_info, guest_retransmits, "guest_retransmits", CTL_UINT,
	       .has = CTL_FLOW_INFO_HAS_TCP),
	MEMBER(ctl_flow_info, guest_rtt_us, "guest_rtt_us", CTL_UINT, .has = CTL_FLOW_INFO_HAS_RTT),
	MEMBER(ctl_flow_info, rtt_us, "rtt_us", CTL_UINT, .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, rttvar_us, "rttvar_us", CTL_UINT, .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, mss, "mss", CTL_UINT, .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, cwnd, "cwnd", CTL_UINT, .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, retransmits, "retransmits", CTL_UINT, .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, unacked_retransmits, "unacked_retransmits", CTL_UINT,
	       .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, unanswered, "unanswered", CTL_UINT, .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, send_queue, "send_queue", CTL_UINT, .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, recv_queue, "recv_queue", CTL_UINT, .has = CTL_FLOW_INFO_HAS_KERNEL),
	MEMBER(ctl_flow_info, peer_window, "peer_window", CTL_UINT, .has = CTL_FLOW_INFO_HAS_WINDOW),
	MEMBER(ctl_flow_info, congestion, "congestion", CTL_TEXT,
	       .has = CTL_FLOW_INFO_HAS_CONGESTION),
};
static MESSAGE(ctl_flow_info);

static const struct ctl_field ctl_flow_fields[] = {
	MEMBER(ctl_flow, id, "id", CTL_UINT),
	MEMBER(ctl_flow, proto, "proto", CTL_CHOICE, .names = ctl_proto_names),
	MEMBER(ctl_flow, dir, "dir", CTL_CHOICE, .names = ctl_dir_names),
	MEMBER(ctl_flow, state, "state", CTL_TEXT),
	MEMBER(ctl_flow, guest, "guest", CTL_OBJECT, .object = &ctl_endpoint_message),
	MEMBER(ctl_flow, dest, "dest", CTL_OBJECT, .object = &ctl_endpoint_message,
	       .has = CTL_FLOW_HAS_DEST),
	MEMBER(ctl_flow, host, "host", CTL_OBJECT, .object = &ctl_endpoint_message,
	       .has = CTL_FLOW_HAS_HOST),
	MEMBER(ctl_flow, peer, "peer", CTL_OBJECT, .object = &ctl_endpoint_message),
	MEMBER(ctl_flow, name, "name", CTL_TEXT, .has = CTL_FLOW_HAS_NAME),
	MEMBER(ctl_flow, forward, "forward", CTL_UINT, .has = CTL_FLOW_HAS_FORWARD),
	MEMBER(ctl_flow, bytes_out, "bytes_out", CTL_UINT),
	MEMBER(ctl_flow, bytes_in, "bytes_in", CTL_UINT),
	MEMBER(ctl_flow, packets_out, "packets_out", CTL_UINT),
	MEMBER(ctl_flow, packets_in, "packets_in", CTL_UINT),
	MEMBER(ctl_flow, rate_out, "rate_out", CTL_UINT, .has = CTL_FLOW_HAS_IDLE),
	MEMBER(ctl_flow, rate_in, "rate_in", CTL_UINT, .has = CTL_FLOW_HAS_IDLE),
	MEMBER(ctl_flow, age_ms, "age_ms", CTL_UINT),
	MEMBER(ctl_flow, idle_ms, "idle_ms", CTL_UINT, .has = CTL_FLOW_HAS_IDLE),
	MEMBER(ctl_flow, timeout_ms, "timeout_ms", CTL_UINT, .has = CTL_FLOW_HAS_TIMEOUT),
	MEMBER(ctl_flow, reason, "reason", CTL_TEXT, .has = CTL_FLOW_HAS_REASON),
	MEMBER(ctl_flow, silent, "silent", CTL_CHOICE, .names = ctl_end_names,
	       .has = CTL_FLOW_HAS_SILENT),
	MEMBER(ctl_flow, error, "error", CTL_TEXT, .has = CTL_FLOW_HAS_ERROR),
	MEMBER(ctl_flow, error_number, "errno", CTL_UINT, .has = CTL_FLOW_HAS_ERROR),
	MEMBER(ctl_flow, closed_ms, "closed_ms", CTL_UINT, .has = CTL_FLOW_HAS_CLOSED),
	MEMBER(ctl_flow, last_state, "last_state", CTL_TEXT, .has = CTL_FLOW_HAS_CLOSED),
	MEMBER(ctl_flow, key, "key", CTL_UINT, .has = CTL_FLOW_HAS_KEY),
	MEMBER(ctl_flow, info, "info", CTL_OBJECT, .object = &ctl_flow_info_message,
	       .has = CTL_FLOW_HAS_INFO),
};
MESSAGE(ctl_flow);

static const struct ctl_field ctl_flow_close_fields[] = {
	MEMBER(ctl_flow_close, id, "id", CTL_UINT, .min = 1, .has = CTL_FLOW_CLOSE_HAS_ID,
	       .help = "the id of the flow"),
	FLOW_WHERE(ctl_flow_close),
	MEMBER(ctl_flow_close, how, "how", CTL_CHOICE, .names = ctl_flow_how_names,
	       .has = CTL_FLOW_CLOSE_HAS_HOW,
	       .help = "with a reset at once, or as if both ends had finished"),
};
MESSAGE(ctl_flow_close);

static const struct ctl_field ctl_flows_closed_fields[] = {
	MEMBER(ctl_flows_closed, flows, "flows", CTL_UINT),
};
MESSAGE(ctl_flows_closed);

/* query-stats */

static const char *const counter_kinds[] = { "counter", "gauge", NULL };

static const struct ctl_field ctl_counter_fields[] = {
	MEMBER(ctl_counter, name, "name", CTL_TEXT),
	MEMBER(ctl_counter, kind, "kind", CTL_CHOICE, .names = counter_kinds),
	MEMBER(ctl_counter, value, "value", CTL_UINT),
	MEMBER(ctl_counter, description, "description", CTL_TEXT),
};
MESSAGE(ctl_counter);

/* query-forwards, forward-add, forward-remove */

static const struct ctl_field ctl_forward_fields[] = {
	MEMBER(ctl_forward, id, "id", CTL_UINT),
	MEMBER(ctl_forward, proto, "proto", CTL_CHOICE, .names = ctl_forward_proto_names),
	MEMBER(ctl_forward, host_addr, "host_addr", CTL_ADDR, .has = CTL_FORWARD_HAS_HOST_ADDR),
	MEMBER(ctl_forward, interface, "interface", CTL_TEXT, .has = CTL_FORWARD_HAS_INTERFACE),
	MEMBER(ctl_forward, host_port, "host_port", CTL_PORT),
	MEMBER(ctl_forward, host_port_last, "host_port_last", CTL_PORT),
	MEMBER(ctl_forward, guest_addr, "guest_addr", CTL_ADDR,
	       .has = CTL_FORWARD_HAS_GUEST_ADDR),
	MEMBER(ctl_forward, guest_port, "guest_port", CTL_PORT),
	MEMBER(ctl_forward, guest_port_last, "guest_port_last", CTL_PORT),
	MEMBER(ctl_forward, best_effort, "best_effort", CTL_BOOL),
	MEMBER(ctl_forward, open_ports, "open_ports", CTL_UINT),
	MEMBER(ctl_forward, failed_ports, "failed_ports", CTL_UINT),
	MEMBER(ctl_forward, failed_port, "failed_port", CTL_PORT,
	       .has = CTL_FORWARD_HAS_FAILED),
	MEMBER(ctl_forward, failed_reason, "failed_reason", CTL_TEXT,
	       .has = CTL_FORWARD_HAS_FAILED),
	MEMBER(ctl_forward, failed_error, "failed_errno", CTL_UINT,
	       .has = CTL_FORWARD_HAS_FAILED),
	MEMBER(ctl_forward, failed_error_name, "failed_errname", CTL_TEXT,
	       .has = CTL_FORWARD_HAS_FAILED),
	MEMBER(ctl_forward, clients, "clients", CTL_UINT),
	MEMBER(ctl_forward, refused, "refused", CTL_UINT),
};
MESSAGE(ctl_forward);

static const struct ctl_field ctl_forward_add_fields[] = {
	MEMBER(ctl_forward_add, proto, "proto", CTL_CHOICE, .names = ctl_forward_proto_names,
	       .help = "of the clients"),
	MEMBER(ctl_forward_add, spec, "spec", CTL_TEXT,
	       .help = "which ports, as the options -t and -u of postern have it"),
};
MESSAGE(ctl_forward_add);

static const struct ctl_field ctl_forward_remove_fields[] = {
	MEMBER(ctl_forward_remove, proto, "proto", CTL_CHOICE, .names = ctl_forward_proto_names,
	       .has = CTL_FORWARD_REMOVE_HAS_PROTO, .help = "of the clients"),
	MEMBER(ctl_forward_remove, spec, "spec", CTL_TEXT, .has = CTL_FORWARD_REMOVE_HAS_SPEC,
	       .help = "as it was when the forwards were made"),
	MEMBER(ctl_forward_remove, id, "id", CTL_UINT, .min = 1,
	       .has = CTL_FORWARD_REMOVE_HAS_ID,
	       .help = "instead of protocol and ports: the id of a forward"),
};
MESSAGE(ctl_forward_remove);

/* add_hostfwd, list_hostfwd, remove_hostfwd */

static const struct ctl_field ctl_hostfwd_add_fields[] = {
	MEMBER(ctl_hostfwd_add, proto, "proto", CTL_CHOICE, .names = ctl_hostfwd_proto_names),
	MEMBER(ctl_hostfwd_add, host_addr, "host_addr", CTL_TEXT,
	       .has = CTL_HOSTFWD_ADD_HAS_HOST_ADDR),
	MEMBER(ctl_hostfwd_add, host_port, "host_port", CTL_UINT, .min = 1, .max = 65535),
	MEMBER(ctl_hostfwd_add, guest_addr, "guest_addr", CTL_TEXT,
	       .has = CTL_HOSTFWD_ADD_HAS_GUEST_ADDR),
	MEMBER(ctl_hostfwd_add, guest_port, "guest_port", CTL_UINT, .min = 1, .max = 65535),
};
MESSAGE(ctl_hostfwd_add);

static const struct ctl_field ctl_hostfwd_id_fields[] = {
	MEMBER(ctl_hostfwd_id, id, "id", CTL_UINT, .min = 1),
};
MESSAGE(ctl_hostfwd_id);

static const struct ctl_field ctl_hostfwd_fields[] = {
	MEMBER(ctl_hostfwd, id, "id", CTL_UINT),
	MEMBER(ctl_hostfwd, proto, "proto", CTL_CHOICE, .names = ctl_forward_proto_names),
	MEMBER(ctl_hostfwd, host_addr, "host_addr", CTL_ADDR, .has = CTL_HOSTFWD_HAS_HOST_ADDR),
	MEMBER(ctl_hostfwd, host_addr6, "host_addr6", CTL_ADDR, .has = CTL_HOSTFWD_HAS_HOST_ADDR6),
	MEMBER(ctl_hostfwd, host_port, "host_port", CTL_PORT),
	MEMBER(ctl_hostfwd, guest_addr, "guest_addr", CTL_ADDR, .has = CTL_HOSTFWD_HAS_GUEST_ADDR),
	MEMBER(ctl_hostfwd, guest_addr6, "guest_addr6", CTL_ADDR,
	       .has = CTL_HOSTFWD_HAS_GUEST_ADDR6),
	MEMBER(ctl_hostfwd, guest_port, "guest_port", CTL_PORT),
	MEMBER(ctl_hostfwd, interface, "interface", CTL_TEXT, .has = CTL_HOSTFWD_HAS_INTERFACE),
	MEMBER(ctl_hostfwd, host_port_last, "host_port_last", CTL_PORT,
	       .has = CTL_HOSTFWD_HAS_RANGE),
	MEMBER(ctl_hostfwd, guest_port_last, "guest_port_last", CTL_PORT,
	       .has = CTL_HOSTFWD_HAS_RANGE),
};
MESSAGE(ctl_hostfwd);

static const struct ctl_field ctl_hostfwd_error_fields[] = {
	MEMBER(ctl_hostfwd_error, desc, "desc", CTL_TEXT),
};
MESSAGE(ctl_hostfwd_error);

static const struct ctl_field ctl_forward_set_fields[] = {
	MEMBER(ctl_forward_set, proto, "proto", CTL_CHOICE, .names = ctl_forward_proto_names,
	       .help = "of the clients"),
	MEMBER(ctl_forward_set, specs, "specs", CTL_TEXT, .list = true,
	       .help = "which ports, as the options -t and -u of postern have it; none: no forwards"),
};
MESSAGE(ctl_forward_set);

/* query-config, config-set, log-level */

static const struct ctl_field ctl_option_fields[] = {
	MEMBER(ctl_option, name, "option", CTL_TEXT),
	MEMBER(ctl_option, value, "value", CTL_TEXT, .has = CTL_OPTION_HAS_VALUE),
	MEMBER(ctl_option, initial, "default", CTL_BOOL),
	MEMBER(ctl_option, live, "live", CTL_BOOL),
};
static MESSAGE(ctl_option);

static const struct ctl_field ctl_config_fields[] = {
	MEMBER(ctl_config, flags, "flags", CTL_TEXT, .list = true),
	MEMBER(ctl_config, options, "options", CTL_OBJECT, .list = true,
	       .object = &ctl_option_message),
};
MESSAGE(ctl_config);

static const struct ctl_field ctl_config_set_fields[] = {
	MEMBER(ctl_config_set, option, "option", CTL_TEXT,
	       .help = "an option of postern, without dashes"),
	MEMBER(ctl_config_set, values, "values", CTL_TEXT, .list = true,
	       .help = "what it shall be, on or off where it takes no value; none: its default"),
};
MESSAGE(ctl_config_set);

static const struct ctl_field ctl_log_level_fields[] = {
	MEMBER(ctl_log_level, level, "level", CTL_CHOICE, .names = ctl_log_level_names,
	       .help = "of the least that is logged"),
};
MESSAGE(ctl_log_level);

/* query-dns */

static const struct ctl_field ctl_dns_server_fields[] = {
	MEMBER(ctl_dns_server, addr, "addr", CTL_TEXT),
	MEMBER(ctl_dns_server, queries, "queries", CTL_UINT),
	MEMBER(ctl_dns_server, answers, "answers", CTL_UINT),
	MEMBER(ctl_dns_server, timeouts, "timeouts", CTL_UINT),
	MEMBER(ctl_dns_server, failures, "failures", CTL_UINT),
	MEMBER(ctl_dns_server, avoided_ms, "avoided_ms", CTL_UINT,
	       .has = CTL_DNS_SERVER_HAS_AVOIDED),
	MEMBER(ctl_dns_server, last_error, "last_error", CTL_TEXT,
	       .has = CTL_DNS_SERVER_HAS_ERROR),
	MEMBER(ctl_dns_server, last_error_ms, "last_error_ms", CTL_UINT,
	       .has = CTL_DNS_SERVER_HAS_ERROR),
};
static MESSAGE(ctl_dns_server);

static const struct ctl_field ctl_dns_cache_fields[] = {
	MEMBER(ctl_dns_cache, entries, "entries", CTL_UINT),
	MEMBER(ctl_dns_cache, max_entries, "max_entries", CTL_UINT),
	MEMBER(ctl_dns_cache, bytes, "bytes", CTL_UINT),
	MEMBER(ctl_dns_cache, max_bytes, "max_bytes", CTL_UINT),
};
static MESSAGE(ctl_dns_cache);

static const struct ctl_field ctl_dns_pending_fields[] = {
	MEMBER(ctl_dns_pending, queries, "queries", CTL_UINT),
	MEMBER(ctl_dns_pending, max, "max", CTL_UINT),
};
static MESSAGE(ctl_dns_pending);

static const struct ctl_field ctl_dns_record_fields[] = {
	MEMBER(ctl_dns_record, name, "name", CTL_TEXT),
	MEMBER(ctl_dns_record, addr, "addr", CTL_ADDR),
};
static MESSAGE(ctl_dns_record);

static const struct ctl_field ctl_dns_fields[] = {
	MEMBER(ctl_dns, relay, "relay", CTL_BOOL),
	MEMBER(ctl_dns, relay_addrs, "relay_addrs", CTL_ADDR, .list = true),
	MEMBER(ctl_dns, search, "search", CTL_TEXT, .list = true),
	MEMBER(ctl_dns, source, "source", CTL_CHOICE, .names = ctl_source_names),
	MEMBER(ctl_dns, servers, "servers", CTL_OBJECT, .list = true,
	       .object = &ctl_dns_server_message),
	MEMBER(ctl_dns, cache, "cache", CTL_OBJECT, .object = &ctl_dns_cache_message),
	MEMBER(ctl_dns, pending, "pending", CTL_OBJECT, .object = &ctl_dns_pending_message),
	MEMBER(ctl_dns, records, "records", CTL_OBJECT, .list = true,
	       .object = &ctl_dns_record_message),
};
MESSAGE(ctl_dns);
