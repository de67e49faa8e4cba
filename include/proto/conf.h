/* proto/conf.h: the settings as the command line gave them.
 *
 * Plain data: daemon/options fills it, and daemon/reconfigure puts another in its place while
 * we run; the defaults named here are those of the table of options.  What depends on the state
 * of the host as well (addresses, resolvers) is in struct net.
 */
#ifndef PROTO_CONF_H
#define PROTO_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include "base/addr.h"

#define CONF_DNS_MAX	8
#define CONF_NTP_MAX	4
#define CONF_SEARCH_MAX 6
#define CONF_NAME_MAX	256 /* a domain name's text, with its terminating zero */
#define CONF_INTERFACE_MAX 16 /* an interface's name, likewise (IFNAMSIZ) */
#define CONF_MTU_MIN	68 /* RFC 791 3.2 */
#define CONF_RECORDS_MAX 64
#define CONF_MULTICAST_MAX 32

struct conf_dns_record {
	char name[CONF_NAME_MAX];
	struct addr addr;
};

/* When the relay says that a name has no IPv6 address. */
enum conf_filter { CONF_FILTER_OFF, CONF_FILTER_AUTO, CONF_FILTER_ON }; /* auto: without IPv6 */

/* How the process locks itself in: as far as the system lets it, wholly or not at all, never. */
enum conf_sandbox { CONF_SANDBOX_AUTO, CONF_SANDBOX_STRICT, CONF_SANDBOX_NONE };

/* Seconds, unless said otherwise. */
struct conf_timeouts {
	unsigned udp_oneway; /* a UDP flow without an answer; 30 */
	unsigned udp_stream; /* a UDP flow with traffic both ways; 120 */
	unsigned icmp;	     /* 60 */
	unsigned fragment;   /* incomplete datagrams from the guest; 30 (RFC 791 3.2) */
	unsigned dns_query;  /* one upstream server; 2 */
	unsigned tcp_connect; /* to the host's network; 0: the kernel's */
	unsigned tcp_syn;    /* a forward's SYN unanswered by the guest; 60 */
	unsigned tcp_idle;   /* an established connection whose guest is silent; 7200 */
	unsigned tcp_closing; /* half-closed connections likewise; 7200 */
	unsigned tcp_last_ack; /* our FIN unacknowledged after the guest's came; 60 */
	/* TIME-WAIT: long enough to answer a guest that did not see our last ACK; its link is a memory
	 * copy away, so no older segment is on the way, while RFC 9293 3.4.2 counts on two minutes
	 * of those; 1 */
	unsigned tcp_time_wait;
	unsigned dhcp_lease; /* 86400 */
};

/* How fast payload may pass in one direction. */
struct conf_rate {
	uint64_t bytes; /* a second; 0: no limit */
	uint64_t burst; /* bytes at once, after a pause */
};

struct conf_limits {
	unsigned flows;		  /* all protocols; 65536 */
	unsigned dns_cache;	  /* answers kept; 4096 */
	unsigned dns_pending;	  /* queries under way; 1024 */
	unsigned fragments;	  /* datagrams under reassembly; 64 */
	unsigned control_clients; /* 64 */
	unsigned new_flows;	  /* a second; 0: no limit; 0 */
};

/* What is there once for each family.  *_set says that the command line fixed it. */
struct conf_ip {
	bool off; /* the guest is not given this family */
	bool address_set, cidr_set, gateway_set;
	struct addr address;
	uint8_t cidr_len;    /* the length given with the address */
	struct addr gateway; /* IPv6: if link-local, that of the router; else only a name for the host */
	bool private_net;    /* a network of the guest's own, not the host's addresses */
	struct addr private_prefix;
	uint8_t private_prefix_len; /* IPv6: always 64 */

	bool map_loopback_set, map_guest_set;
	struct addr map_loopback, map_guest;
	bool outbound_set;
	struct addr outbound;
	const char *outbound_interface;

	bool dns_forward_set;
	struct addr dns_forward;
};

struct conf {
	/* link */
	const char *socket_path; /* NULL with fd */
	int fd;			 /* connected link, -1: none */
	bool one_off;

	/* process */
	bool foreground, quiet, debug, wants_stderr;
	unsigned stats_s; /* how often the log tells of counters, in seconds; 0: never */
	bool runas; /* become this user */
	uid_t uid;
	gid_t gid;
	const char *pid_path, *log_path, *control_path, *status_path, *api_path,
		*pcap_path;
	enum conf_sandbox sandbox;
	unsigned log_size; /* bytes that the log file may take; 1048576 */

	/* what the guest gets */
	struct conf_ip ip4, ip6;
	bool netmask_set; /* never together with ip4.cidr_set */
	uint8_t netmask_len;
	bool mtu_set;
	uint16_t mtu; /* 0: not told to the guest */
	struct mac mac;
	const char *interface;		/* template for address and route, NULL: default route's */
	const char *hostname, *fqdn;	/* NULL: none */

	/* DNS */
	struct addr dns[CONF_DNS_MAX];
	unsigned n_dns;
	bool dns_set; /* even when empty: "none" */
	char search[CONF_SEARCH_MAX][CONF_NAME_MAX];
	unsigned n_search;
	bool search_set;
	bool dns_host_set;
	struct addr dns_host;
	bool no_dns_relay, no_dhcp_dns, no_dhcp_search;
	enum conf_filter dns_filter_aaaa;
	struct conf_dns_record records[CONF_RECORDS_MAX];
	unsigned n_records;

	struct addr ntp[CONF_NTP_MAX]; /* time servers told to the guest */
	unsigned n_ntp;

	/* protocols switched off */
	bool no_tcp, no_udp, no_icmp, no_dhcp;
	bool no_ndp, no_ra, no_dhcp6; /* no_ra: neighbor discovery without being a router */

	bool no_map_gateway; /* the gateway does not stand for the host's loopback */

	/* forwards: the option texts, in order; proto/forward reads them */
	bool freebind; /* also at addresses that are not the host's */
	const char **tcp_forwards, **udp_forwards;
	unsigned n_tcp_forwards, n_udp_forwards;

	/* multicast: follow the guest's groups; where to listen when it is in one */
	bool multicast, multicast_usual;
	struct endpoint multicast_at[CONF_MULTICAST_MAX];
	unsigned n_multicast_at;

	struct conf_rate rate_out, rate_in; /* from the guest, and to it */
	struct conf_timeouts timeouts;
	struct conf_limits limits;
};

/* Whether the settings go together: combinations that no single option can see.  0, or -EINVAL
 * with the reason in `reason`, for people. */
int conf_validate(const struct conf *c, char *reason, size_t reason_max);

/* Frees what the lists of forwards took. */
void conf_free(struct conf *c);

#endif
