/* ctl/ctl_msg.h: what the control socket carries: requests, arguments and results as plain
 * structs, each with a table of its members.
 *
 * The daemon and posternctl share them.  The JSON codec, the checks of arguments and the
 * options of posternctl all follow from the tables.
 */
#ifndef CTL_CTL_MSG_H
#define CTL_CTL_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define CTL_UINT_MAX  ((uint64_t)1 << 53) /* integers up to here survive every JSON parser */
#define CTL_ERROR_MAX 256		  /* text of an error, with its terminating zero */

/* What a member is in JSON, and in the struct. */
enum ctl_kind {
	CTL_BOOL,   /* true or false: bool */
	CTL_UINT,   /* integer: uint64_t */
	CTL_PORT,   /* integer 0..65535: uint16_t */
	CTL_TEXT,   /* string: const char * */
	CTL_CHOICE, /* string, one of `names`: unsigned, its index */
	CTL_ADDR,   /* string: struct addr */
	CTL_MAC,    /* string: struct mac */
	CTL_OBJECT, /* object: a struct that `object` describes */
	CTL_VALUE,  /* anything: const struct ctl_value *; only to be decoded */
	CTL_JSON    /* anything: const char *, its text; only to be printed */
};

/* A member. */
struct ctl_field {
	const char *name;
	enum ctl_kind kind;
	bool list;     /* an array of such: struct ctl_list */
	uint32_t has;  /* optional: its bit in the struct's first member, a uint32_t; 0: always
			  there */
	size_t offset; /* in the struct */
	uint64_t min, max;		  /* CTL_UINT; a max of 0 is CTL_UINT_MAX */
	const char *const *names; /* CTL_CHOICE; NULL ends them; CTL_TEXT: what is usual */
	const struct ctl_message *object; /* CTL_OBJECT */
	const char *help;		  /* arguments: what it is for */
};

struct ctl_list {
	const void *items;
	size_t n;
};

/* A struct. */
struct ctl_message {
	size_t size;
	const struct ctl_field *fields;
	unsigned n_fields;
};

extern const char *const ctl_proto_names[];	    /* by enum flow_proto */
extern const char *const ctl_forward_proto_names[]; /* likewise: those that have ports */
extern const char *const ctl_flow_sort_names[];	    /* by enum ctl_flow_sort */
extern const char *const ctl_flow_how_names[];	    /* by enum ctl_flow_how */
extern const char *const ctl_flow_state_names[];    /* all there are, in lower case */
extern const char *const ctl_close_reason_names[];  /* by enum flow_close_reason, from this on: */
#define CTL_CLOSE_REASON_FIRST 1
extern const char *const ctl_dir_names[];	    /* by enum flow_dir */
extern const char *const ctl_end_names[]; /* by enum flow_end, from FLOW_END_GUEST on */
extern const char *const ctl_source_names[];	    /* by enum net_source */
extern const char *const ctl_layer_names[];	    /* by enum sandbox_layer */
extern const char *const ctl_layer_state_names[];   /* by enum sandbox_state */

extern const char *const ctl_log_level_names[];	    /* those that can be chosen */

/* The frame of the protocol. */

struct ctl_nothing { /* no arguments, no result */
	char none;
};

struct ctl_release {
	uint64_t major, minor, micro;
};

struct ctl_version {
	struct ctl_release release;
	const char *package;
};

struct ctl_hello {
	struct ctl_version version;
	struct ctl_list capabilities; /* const char * */
};

struct ctl_greeting {
	struct ctl_hello hello;
};

struct ctl_value; /* a JSON value of a parsed document, see ctl/ctl_json.h */

struct ctl_request {
#define CTL_REQUEST_HAS_ARGUMENTS 0x1u
#define CTL_REQUEST_HAS_ID	  0x2u
	uint32_t has;
	const char *execute;
	const struct ctl_value *arguments, *id;
};

/* A port of the host that is not forwarded, and why. */
struct ctl_forward_port {
#define CTL_FORWARD_PORT_HAS_HOST_ADDR 0x01u
#define CTL_FORWARD_PORT_HAS_INTERFACE 0x02u
	uint32_t has;
	unsigned proto;
	struct addr host_addr; /* as in struct ctl_forward */
	const char *interface;
	uint16_t host_port;
	uint64_t error; /* an errno of this machine, and its name */
	const char *error_name;
};

struct ctl_error {
#define CTL_ERROR_HAS_DATA 0x1u
	uint32_t has;
	const char *class, *desc;
	struct ctl_forward_port data; /* what the error is about; so far, only these have any */
};

struct ctl_reply {
#define CTL_REPLY_HAS_RETURN 0x1u
#define CTL_REPLY_HAS_ERROR  0x2u
	uint32_t has;
	const struct ctl_value *value;
	struct ctl_error error;
};

struct ctl_capabilities {
#define CTL_CAPABILITIES_HAS_ENABLE 0x1u
	uint32_t has;
	struct ctl_list enable; /* const char * */
};

struct ctl_command {
	const char *name;
};

/* query-schema */

struct ctl_schema {
#define CTL_SCHEMA_IS_COMMAND 0x1u
#define CTL_SCHEMA_IS_EVENT   0x2u
	uint32_t has;
	unsigned kind;
	const char *name;
	bool changes;
	const char *arguments, *returns, *data; /* JSON Schema */
};

/* query-status */

struct ctl_guest {
#define CTL_GUEST_HAS_MAC  0x1u
#define CTL_GUEST_HAS_ADDR 0x2u
#define CTL_GUEST_HAS_SEEN 0x4u
#define CTL_GUEST_HAS_IP6  0x8u
#define CTL_GUEST_HAS_PID  0x10u
#define CTL_GUEST_HAS_SINCE 0x20u
	uint32_t has;
	bool connected;
	uint64_t since_ms; /* it came or left */
	uint64_t client_pid;
	struct mac mac;
	struct addr addr;    /* of IPv4 */
	struct ctl_list ip6; /* struct addr: the one used last first */
	uint64_t idle_ms;    /* since its last frame */
};

/* One family. */
struct ctl_network_ip {
#define CTL_NETWORK_IP_HAS_INTERFACE 0x1u
#define CTL_NETWORK_IP_HAS_LOOPBACK  0x2u
	uint32_t has;
	struct addr address, gateway;
	uint64_t prefix_len;
	unsigned address_source; /* enum net_source, likewise the others */
	const char *interface;
	struct addr loopback; /* the guest's name for the host's loopback */
};

struct ctl_network {
	/* the first two are those of `ip4`, whose members stand in the network's own object */
#define CTL_NETWORK_HAS_INTERFACE CTL_NETWORK_IP_HAS_INTERFACE
#define CTL_NETWORK_HAS_LOOPBACK  CTL_NETWORK_IP_HAS_LOOPBACK
#define CTL_NETWORK_HAS_HOSTNAME  0x4u
#define CTL_NETWORK_HAS_FQDN	  0x8u
#define CTL_NETWORK_HAS_IP4	  0x10u
#define CTL_NETWORK_HAS_IP6	  0x20u
	uint32_t has;
	struct ctl_network_ip ip4, ip6;
	struct mac mac;
	uint64_t mtu;
	unsigned mtu_source;
	struct ctl_list dns; /* struct addr */
	unsigned dns_source;
	struct ctl_list search; /* const char * */
	unsigned search_source;
	const char *hostname, *fqdn;
};

struct ctl_flow_count {
	uint64_t open, max, tcp, udp, icmp;
};

struct ctl_rate {
	uint64_t max, burst; /* a second, and at once; 0: no limit */
	uint64_t used;	     /* of the burst, now */
	uint64_t waiting;    /* connections in line */
};

struct ctl_rates {
	struct ctl_rate out, in, new_flows;
};

struct ctl_client_count {
	uint64_t clients, max;
};

struct ctl_layer {
#define CTL_LAYER_HAS_REASON 0x1u
#define CTL_LAYER_APPLIED    1u /* the state's number */
	uint32_t has;
	unsigned layer, state; /* enum sandbox_layer, sandbox_state */
	const char *reason;    /* why it is not applied */
};

/* A limit of an option --max-*, or one that is built in. */
struct ctl_limit {
#define CTL_LIMIT_HAS_HARD 0x1u
	uint32_t has;
	const char *limit;
	uint64_t used, max;
	uint64_t hard; /* so far the system would let us raise it */
};

/* The port that could not be had last. */
struct ctl_forward_failed {
	struct ctl_forward_port where;
	const char *reason;
	uint64_t age_ms;
};

struct ctl_forward_count {
#define CTL_FORWARD_COUNT_HAS_ERROR 0x1u
	uint32_t has;
	uint64_t rules, open_ports, failed_ports;
	struct ctl_forward_failed last_error;
};

/* An error or a warning of the log. */
struct ctl_problem {
	const char *level, *unit, *text;
	uint64_t age_ms;
};

struct ctl_status {
	const char *version;
	uint64_t pid, uid, uptime_ms;
	struct ctl_guest guest;
	struct ctl_network network;
	struct ctl_flow_count flows;
	struct ctl_rates rates;
	struct ctl_forward_count forwards;
	struct ctl_client_count control;
	struct ctl_list sandbox; /* struct ctl_layer; empty: there is none */
	struct ctl_list leases;	 /* struct ctl_lease */
	struct ctl_list limits;	 /* struct ctl_limit */
	struct ctl_list problems; /* struct ctl_problem: those that were kept, the newest first */
};

/* query-flows, flow-close */

#define CTL_FLOWS_LIMIT_DEFAULT 1000
#define CTL_FLOWS_LIMIT_MAX	10000

/* Which flows are meant: those that meet all conditions. */
struct ctl_flow_where {
#define CTL_FLOW_WHERE_ALL 0x3ffu /* any of the following */
#define CTL_FLOW_WHERE_HAS_PROTO 0x001u
#define CTL_FLOW_WHERE_HAS_DIR	 0x002u
#define CTL_FLOW_WHERE_HAS_STATE 0x004u
#define CTL_FLOW_WHERE_HAS_ADDR	 0x008u
#define CTL_FLOW_WHERE_HAS_PORT	 0x010u
#define CTL_FLOW_WHERE_HAS_SRC	 0x020u
#define CTL_FLOW_WHERE_HAS_SPORT 0x040u
#define CTL_FLOW_WHERE_HAS_DST	 0x080u
#define CTL_FLOW_WHERE_HAS_DPORT 0x100u
#define CTL_FLOW_WHERE_HAS_NAME	 0x200u
	uint32_t has;
	unsigned proto, dir;
	const char *state;
	const char *addr, *src, *dst; /* addresses or prefixes: of any end, of who opened it, of whom to */
	uint16_t port, sport, dport;
	const char *name;
};

enum ctl_flow_sort {
	CTL_SORT_ID,
	CTL_SORT_BYTES,
	CTL_SORT_BYTES_OUT,
	CTL_SORT_BYTES_IN,
	CTL_SORT_RATE,
	CTL_SORT_RATE_OUT,
	CTL_SORT_RATE_IN,
	CTL_SORT_AGE,
	CTL_SORT_IDLE
};

struct ctl_flow_query {
#define CTL_FLOW_QUERY_HAS_CLOSED 0x1000u
#define CTL_FLOW_QUERY_HAS_AFTER  0x2000u
#define CTL_FLOW_QUERY_HAS_LIMIT  0x4000u
#define CTL_FLOW_QUERY_HAS_SORT	  0x8000u
#define CTL_FLOW_QUERY_HAS_INFO	  0x10000u
#define CTL_FLOW_QUERY_HAS_KEY 0x20000u
#define CTL_FLOW_QUERY_HAS_REASON    0x40000u
	struct ctl_flow_where where;
	bool closed, info;
	unsigned reason; /* its place in ctl_close_reason_names */
	unsigned sort;
	uint64_t after, key, limit;
};

/* What is found out for this; a flow's end towards the guest is ours, the other the kernel's. */
struct ctl_flow_info {
#define CTL_FLOW_INFO_HAS_TCP	     0x1u
#define CTL_FLOW_INFO_HAS_RTT	     0x2u
#define CTL_FLOW_INFO_HAS_KERNEL     0x4u
#define CTL_FLOW_INFO_HAS_WINDOW     0x8u
#define CTL_FLOW_INFO_HAS_CONGESTION 0x10u
	uint32_t has;
	uint64_t queue_out;
	uint64_t unacked, window, guest_window, guest_mss, guest_retransmits;
	uint64_t guest_rtt_us;
	uint64_t rtt_us, rttvar_us, mss, cwnd, retransmits, unacked_retransmits, unanswered;
	uint64_t send_queue, recv_queue;
	uint64_t peer_window;
	const char *congestion;
};

struct ctl_flow {
#define CTL_FLOW_HAS_HOST    0x01u
#define CTL_FLOW_HAS_DEST    0x02u
#define CTL_FLOW_HAS_IDLE    0x04u
#define CTL_FLOW_HAS_TIMEOUT 0x08u
#define CTL_FLOW_HAS_REASON  0x10u
#define CTL_FLOW_HAS_CLOSED  0x20u
#define CTL_FLOW_HAS_NAME    0x40u
#define CTL_FLOW_HAS_FORWARD 0x80u
#define CTL_FLOW_HAS_INFO    0x100u
#define CTL_FLOW_HAS_KEY 0x200u
#define CTL_FLOW_HAS_SILENT   0x400u
#define CTL_FLOW_HAS_ERROR    0x800u
	uint32_t has;
	uint64_t id;
	unsigned proto, dir;
	const char *state;
	struct endpoint guest;
	struct endpoint dest; /* what the guest calls the peer, where that is another address */
	struct endpoint host, peer;
	const char *name; /* that the guest asked for */
	uint64_t forward; /* the id of its rule */
	uint64_t bytes_out, bytes_in, packets_out, packets_in;
	uint64_t rate_out, rate_in; /* bytes a second, lately; where there is idle_ms */
	uint64_t age_ms, idle_ms, timeout_ms;
	const char *reason;
	unsigned silent;   /* which end did not answer: of ctl_end_names */
	const char *error; /* of the host's socket: "ECONNREFUSED", and its number */
	uint64_t error_number;
	uint64_t closed_ms; /* since it ended */
	const char *last_state; /* in which it was when it ended */
	uint64_t key;	/* its place in a listing that is sorted by a value of flows */
	struct ctl_flow_info info;
};

enum ctl_flow_how { CTL_FLOW_RESET, CTL_FLOW_FINISH };

/* Either the id, or which. */
struct ctl_flow_close {
#define CTL_FLOW_CLOSE_HAS_ID  0x1000u
#define CTL_FLOW_CLOSE_HAS_HOW 0x2000u
	struct ctl_flow_where where;
	uint64_t id;
	unsigned how;
};

struct ctl_flows_closed {
	uint64_t flows;
};

/* query-stats */

enum ctl_counter_kind { CTL_COUNTER, CTL_GAUGE };

struct ctl_counter {
	const char *name;
	unsigned kind; /* enum ctl_counter_kind */
	uint64_t value;
	const char *description;
};

/* query-forwards, forward-add, forward-remove */

struct ctl_forward {
#define CTL_FORWARD_HAS_INTERFACE  0x1u
#define CTL_FORWARD_HAS_GUEST_ADDR 0x2u
#define CTL_FORWARD_HAS_FAILED	   0x4u
#define CTL_FORWARD_HAS_HOST_ADDR  0x8u
	uint32_t has;
	uint64_t id;
	unsigned proto;
	struct addr host_addr; /* unspecified: any of its family; not there: any of both */
	const char *interface;
	uint16_t host_port, host_port_last;
	struct addr guest_addr; /* not there: the guest's, whatever it is */
	uint16_t guest_port, guest_port_last;
	bool best_effort;
	uint64_t open_ports, failed_ports;
	uint16_t failed_port; /* the first of them, and why: in words, and the errno */
	const char *failed_reason;
	uint64_t failed_error;
	const char *failed_error_name;
	uint64_t clients, refused; /* TCP clients, or UDP datagrams */
};

struct ctl_forward_add {
	unsigned proto;
	const char *spec;
};

/* Either the id, or what forward-add was given. */
struct ctl_forward_remove {
#define CTL_FORWARD_REMOVE_HAS_ID    0x1u
#define CTL_FORWARD_REMOVE_HAS_PROTO 0x2u
#define CTL_FORWARD_REMOVE_HAS_SPEC  0x4u
	uint32_t has;
	unsigned proto;
	const char *spec;
	uint64_t id;
};

/* The API of slirp4netns: add_hostfwd, list_hostfwd, remove_hostfwd. */

/* By enum flow_proto, for either family, then for IPv4, then for IPv6. */
extern const char *const ctl_hostfwd_proto_names[];
#define CTL_HOSTFWD_PROTOS 2 /* names a family */

struct ctl_hostfwd_add {
#define CTL_HOSTFWD_ADD_HAS_HOST_ADDR  0x1u
#define CTL_HOSTFWD_ADD_HAS_GUEST_ADDR 0x2u
	uint32_t has;
	unsigned proto; /* index of ctl_hostfwd_proto_names */
	const char *host_addr, *guest_addr; /* may be empty, as if it was not there */
	uint64_t host_port, guest_port;
};

struct ctl_hostfwd_id {
	uint64_t id;
};

struct ctl_hostfwd {
#define CTL_HOSTFWD_HAS_HOST_ADDR   0x01u
#define CTL_HOSTFWD_HAS_HOST_ADDR6  0x02u
#define CTL_HOSTFWD_HAS_GUEST_ADDR  0x04u
#define CTL_HOSTFWD_HAS_GUEST_ADDR6 0x08u
#define CTL_HOSTFWD_HAS_INTERFACE   0x10u
#define CTL_HOSTFWD_HAS_RANGE	    0x20u
	uint32_t has;
	uint64_t id;
	unsigned proto;
	struct addr host_addr, host_addr6;
	uint16_t host_port;
	struct addr guest_addr, guest_addr6;
	uint16_t guest_port;
	/* what that API knows nothing of */
	const char *interface;
	uint16_t host_port_last, guest_port_last;
};

/* What an error is there. */
struct ctl_hostfwd_error {
	const char *desc;
};

/* Replaces all forwards of one protocol. */
struct ctl_forward_set {
	unsigned proto;
	struct ctl_list specs; /* const char * */
};

/* query-config, config-set, log-level */

struct ctl_option {
#define CTL_OPTION_HAS_VALUE 0x1u
	uint32_t has;
	const char *name, *value;
	bool initial; /* it was not given: this is its default */
	bool live;    /* may be changed while the daemon runs */
};

struct ctl_config {
	struct ctl_list flags;	 /* const char * */
	struct ctl_list options; /* struct ctl_option */
};

struct ctl_config_set {
	const char *option;
	struct ctl_list values; /* const char * */
};

struct ctl_log_level {
	unsigned level; /* its place in ctl_log_level_names */
};

/* query-leases */

struct ctl_lease {
#define CTL_LEASE_HAS_CLIENT_ID 0x1u
#define CTL_LEASE_HAS_HOSTNAME	0x2u
#define CTL_LEASE_HAS_END	0x4u
#define CTL_LEASE_HAS_IAID	0x8u
	uint32_t has;
	struct addr address;
	struct mac mac;
	const char *client_id; /* hexadecimal; DHCPv6: the DUID */
	uint64_t iaid;
	const char *hostname;
	const char *state;
	uint64_t age_ms, granted_ms;		  /* since the first and the last grant */
	uint64_t renew_ms, rebind_ms, expires_ms; /* until then; 0: now or before */
	uint64_t grants;
};

/* query-dns */

struct ctl_dns_server {
#define CTL_DNS_SERVER_HAS_ERROR   0x1u
#define CTL_DNS_SERVER_HAS_AVOIDED 0x2u
	uint32_t has;
	const char *addr; /* with the interface that a link-local one is on */
	uint64_t queries, answers, timeouts, failures;
	uint64_t avoided_ms; /* asked last for so long */
	const char *last_error;
	uint64_t last_error_ms; /* since */
};

struct ctl_dns_cache {
	uint64_t entries, max_entries, bytes, max_bytes;
};

struct ctl_dns_pending {
	uint64_t queries, max;
};

struct ctl_dns_record {
	const char *name;
	struct addr addr;
};

struct ctl_dns {
	bool relay;		     /* whether we answer; else the members below are empty */
	struct ctl_list relay_addrs; /* struct addr: where */
	struct ctl_list search;	     /* const char * */
	unsigned source;	     /* enum net_source: of what the guest is told */
	struct ctl_list servers;
	struct ctl_dns_cache cache;
	struct ctl_dns_pending pending;
	struct ctl_list records;
};

extern const struct ctl_message ctl_nothing_message, ctl_version_message, ctl_greeting_message,
	ctl_request_message, ctl_request_id_message, ctl_error_message, ctl_reply_message, ctl_capabilities_message,
	ctl_command_message, ctl_endpoint_message, ctl_network_message, ctl_schema_message, ctl_status_message, ctl_flow_query_message, ctl_flow_message,
	ctl_flow_close_message, ctl_flows_closed_message, ctl_counter_message, ctl_forward_message, ctl_forward_add_message,
	ctl_forward_remove_message, ctl_forward_set_message, ctl_config_message,
	ctl_config_set_message, ctl_log_level_message, ctl_hostfwd_add_message, ctl_hostfwd_id_message,
	ctl_hostfwd_message, ctl_hostfwd_error_message, ctl_lease_message, ctl_dns_message;

#endif
