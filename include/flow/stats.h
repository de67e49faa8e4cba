/* flow/stats.h: every counter, with its name and description. */
#ifndef FLOW_STATS_H
#define FLOW_STATS_H

#include <stdint.h>

#include "wire/drop.h"

/* X(field, name, description); grouped by unit, one a line. */
#define STATS_COUNTERS(X)                                                                         \
	X(link_clients, "link.clients", "guest links accepted")                                   \
	X(link_refused, "link.refused", "clients refused while another was connected")            \
	X(link_bad_length, "link.bad-length", "clients ended for a nonsense frame length")        \
	X(link_frames_in, "link.frames-in", "frames from the guest")                              \
	X(link_bytes_in, "link.bytes-in", "bytes of frames from the guest")                       \
	X(link_frames_out, "link.frames-out", "frames to the guest")                              \
	X(link_bytes_out, "link.bytes-out", "bytes of frames to the guest")                       \
	X(link_blocked, "link.blocked", "times the guest did not read what we had for it")        \
	X(capture_frames, "capture.frames", "frames put into captures")                           \
	X(capture_lost, "capture.lost", "frames that were to be captured and found no room")      \
	X(capture_failed, "capture.failed", "captures that ended because they could not be written") \
	X(arp_requests, "arp.requests", "ARP requests from the guest")                            \
	X(arp_replies, "arp.replies", "ARP replies to the guest")                                 \
	X(ndp_router_solicitations, "ndp.router-solicitations",                                   \
	  "router solicitations from the guest")                                                  \
	X(ndp_router_advertisements, "ndp.router-advertisements",                                 \
	  "router advertisements to the guest")                                                   \
	X(ndp_neighbor_solicitations, "ndp.neighbor-solicitations",                               \
	  "neighbor solicitations from the guest")                                                \
	X(ndp_neighbor_advertisements, "ndp.neighbor-advertisements",                             \
	  "neighbor advertisements to the guest")                                                 \
	X(ndp_left_out, "ndp.left-out", "options and names left out of router advertisements")    \
	X(dhcp_discovers, "dhcp.discovers", "DHCPDISCOVERs from the guest")                        \
	X(dhcp_requests, "dhcp.requests", "DHCPREQUESTs from the guest")                           \
	X(dhcp_declines, "dhcp.declines", "DHCPDECLINEs from the guest")                           \
	X(dhcp_releases, "dhcp.releases", "DHCPRELEASEs from the guest")                           \
	X(dhcp_informs, "dhcp.informs", "DHCPINFORMs from the guest")                              \
	X(dhcp_bootp_requests, "dhcp.bootp-requests", "BOOTP requests from the guest")             \
	X(dhcp_offers, "dhcp.offers", "DHCPOFFERs to the guest")                                   \
	X(dhcp_acks, "dhcp.acks", "DHCPACKs to the guest")                                         \
	X(dhcp_naks, "dhcp.naks", "DHCPNAKs to the guest")                                         \
	X(dhcp_bootp_replies, "dhcp.bootp-replies", "BOOTP replies to the guest")                  \
	X(dhcp_left_out, "dhcp.left-out", "options left out of replies that they did not fit")     \
	X(dhcp6_solicits, "dhcp6.solicits", "DHCPv6 Solicits from the guest")                     \
	X(dhcp6_requests, "dhcp6.requests", "DHCPv6 Requests from the guest")                     \
	X(dhcp6_confirms, "dhcp6.confirms", "DHCPv6 Confirms from the guest")                     \
	X(dhcp6_renews, "dhcp6.renews", "DHCPv6 Renews from the guest")                           \
	X(dhcp6_rebinds, "dhcp6.rebinds", "DHCPv6 Rebinds from the guest")                        \
	X(dhcp6_releases, "dhcp6.releases", "DHCPv6 Releases from the guest")                     \
	X(dhcp6_declines, "dhcp6.declines", "DHCPv6 Declines from the guest")                     \
	X(dhcp6_information_requests, "dhcp6.information-requests",                               \
	  "DHCPv6 Information-requests from the guest")                                           \
	X(dhcp6_advertises, "dhcp6.advertises", "DHCPv6 Advertises to the guest")                 \
	X(dhcp6_replies, "dhcp6.replies", "DHCPv6 Replies to the guest")                          \
	X(dhcp6_left_out, "dhcp6.left-out",                                                       \
	  "options left out of DHCPv6 messages that they did not fit")                            \
	X(dns_queries, "dns.queries", "DNS queries from the guest")                               \
	X(dns_queries_tcp, "dns.queries-tcp", "DNS queries over TCP")                             \
	X(dns_static, "dns.static", "DNS queries answered from static names")                     \
	X(dns_aaaa_filtered, "dns.aaaa-filtered", "DNS queries for IPv6 addresses told of none")  \
	X(dns_cache_hits, "dns.cache-hits", "DNS queries answered from the cache")                \
	X(dns_cache_misses, "dns.cache-misses", "DNS queries whose answer was not cached")        \
	X(dns_joined, "dns.joined", "DNS queries equal to one under way")                         \
	X(dns_limit, "dns.limit", "DNS queries refused because too many were under way")          \
	X(dns_servfail, "dns.servfail", "SERVFAIL answers made by the relay")                     \
	X(dns_truncated, "dns.truncated", "DNS answers too large for the client over UDP")        \
	X(dns_undelivered, "dns.undelivered", "DNS answers for which the link had no room")       \
	X(dns_tcp_clients, "dns.tcp-clients", "DNS clients over TCP")                             \
	X(dns_upstream_sent, "dns.upstream-sent", "queries to name servers")                      \
	X(dns_upstream_answers, "dns.upstream-answers", "answers of name servers")                \
	X(dns_upstream_timeouts, "dns.upstream-timeouts", "name servers silent for their time")   \
	X(dns_upstream_failures, "dns.upstream-failures",                                         \
	  "name servers that refused or could not be reached")                                    \
	X(dns_upstream_mismatches, "dns.upstream-mismatches",                                     \
	  "messages of name servers with a wrong id or question")                                 \
	X(flow_opened, "flow.opened", "flows opened")                                             \
	X(flow_refused, "flow.refused", "flows refused for lack of room or sockets")              \
	X(flow_over_rate, "flow.over-rate", "flows refused because too many came at a time")      \
	X(udp_over_rate_out, "udp.over-rate-out", "UDP datagrams from the guest beyond the rate") \
	X(udp_over_rate_in, "udp.over-rate-in", "UDP datagrams to the guest beyond the rate")     \
	X(udp_from_guest, "udp.datagrams-in", "UDP datagrams from the guest")                     \
	X(udp_to_guest, "udp.datagrams-out", "UDP datagrams to the guest")                        \
	X(udp_ports_changed, "udp.ports-changed", "UDP flows whose source port was not to be had") \
	X(udp_queued, "udp.queued", "UDP datagrams that a host socket did not take at once")      \
	X(udp_paused, "udp.paused", "times that a full link kept a UDP socket from being read")   \
	X(udp_preempted, "udp.preempted", "UDP flows ended early to make room")                   \
	X(udp_errors, "udp.errors-out", "ICMP errors about UDP to the guest")                     \
	X(multicast_reports, "multicast.reports", "IGMP and MLD reports from the guest")          \
	X(multicast_refused, "multicast.groups-refused",                                          \
	  "groups, or ports of groups, not joined: too many, or the host does not allow it")      \
	X(multicast_queries, "multicast.queries", "IGMP and MLD queries to the guest")            \
	X(multicast_datagrams, "multicast.datagrams", "UDP datagrams of groups to the guest")     \
	X(forward_clients, "forward.clients", "TCP clients of forwards")                          \
	X(forward_refused, "forward.refused", "TCP clients of forwards reset at once")            \
	X(forward_pauses, "forward.pauses", "times that clients had to wait for descriptors")     \
	X(forward_datagrams, "forward.datagrams", "UDP datagrams of forwards' clients")           \
	X(forward_lost, "forward.lost", "UDP datagrams of forwards' clients lost")                \
	X(forward_errors_lost, "forward.errors-lost",                                             \
	  "ICMP errors about answers to UDP clients of forwards that have no flow")               \
	X(icmp_requests, "icmp.requests", "ICMP echo requests from the guest")                    \
	X(icmp_replies, "icmp.replies", "ICMP echo replies of the network to the guest")          \
	X(icmp_own_replies, "icmp.own-replies", "ICMP echo replies of our own to the guest")      \
	X(icmp_errors, "icmp.errors-out", "ICMP errors about echo requests to the guest")         \
	X(icmp_lost, "icmp.lost", "ICMP echo replies dropped because the link was full")          \
	X(icmp_over_rate_out, "icmp.over-rate-out", "ICMP echo requests beyond the rate")         \
	X(icmp_over_rate_in, "icmp.over-rate-in", "ICMP echo replies beyond the rate")            \
	X(icmp_errors_limited, "icmp.errors-limited", "ICMP errors not sent: too many at a time") \
	X(path_mtu_lowered, "path-mtu.lowered", "narrower paths that the guest told of")          \
	X(path_mtu_ignored, "path-mtu.ignored",                                                   \
	  "errors of the guest about too big packets that we cannot have sent")                   \
	X(fragments_in, "fragments.in", "fragments from the guest")                               \
	X(fragments_whole, "fragments.whole", "datagrams put together from fragments")            \
	X(tcp_segments_in, "tcp.segments-in", "TCP segments from the guest")                      \
	X(tcp_segments_out, "tcp.segments-out", "TCP segments to the guest")                      \
	X(tcp_resets_out, "tcp.resets-out", "TCP resets to the guest")                            \
	X(tcp_retransmits, "tcp.retransmits", "TCP segments sent to the guest again")             \
	X(tcp_timeouts, "tcp.timeouts", "TCP retransmission timeouts towards the guest")          \
	X(tcp_fast_retransmits, "tcp.fast-retransmits", "TCP recoveries from duplicate ACKs")     \
	X(tcp_out_of_order, "tcp.out-of-order", "TCP segments from the guest kept out of order")  \
	X(tcp_duplicates, "tcp.duplicates", "TCP segments from the guest that were known whole")  \
	X(tcp_outside_window, "tcp.outside-window", "TCP segments outside the window")            \
	X(tcp_challenge_acks, "tcp.challenge-acks", "TCP challenge ACKs (RFC 5961)")              \
	X(tcp_queued, "tcp.queued-bytes", "bytes that a host socket did not take at once")        \
	X(tcp_memory_pressure, "tcp.memory-pressure", "TCP bytes not kept for lack of memory")    \
	X(tcp_zero_window_probes, "tcp.zero-window-probes", "TCP zero window probes to the guest") \
	X(tcp_keepalives, "tcp.keepalives", "TCP keep-alive probes to the guest")

struct stats {
#define X(field, name, text) uint64_t field;
	STATS_COUNTERS(X)
#undef X
	uint64_t drops[N_DROPS]; /* frames from the guest by reason */
};

/* A row for each field of STATS_COUNTERS, in order. */
struct stats_row {
	const char *name, *text;
	uint64_t offset; /* of the counter in struct stats */
};

extern const struct stats_row stats_rows[];
extern const unsigned n_stats_rows;

static inline uint64_t stats_value(const struct stats *s, const struct stats_row *row)
{
	return *(const uint64_t *)((const char *)s + row->offset);
}

#endif
