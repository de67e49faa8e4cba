/* wire/drop.h: why a frame from the guest went no further; each reason is a counter. */
#ifndef WIRE_DROP_H
#define WIRE_DROP_H

/* X(identifier, name in statistics, description) */
#define DROP_REASONS(X)                                                                        \
	X(RUNT, "runt", "frame shorter than an Ethernet header")                               \
	X(VLAN, "vlan", "frame with a VLAN tag")                                               \
	X(ETHERTYPE, "ethertype", "unknown ethertype")                                         \
	X(IP4_HEADER, "ip4-header", "IPv4 header truncated or malformed")                      \
	X(IP4_LENGTH, "ip4-length", "IPv4 total length larger than the frame")                 \
	X(IP4, "ip4", "IPv4 packet while the guest has no IPv4")                               \
	X(IP6, "ip6", "IPv6 packet while the guest has no IPv6")                               \
	X(IP6_HEADER, "ip6-header", "IPv6 header truncated or malformed")                      \
	X(IP6_LENGTH, "ip6-length", "IPv6 payload length larger than the frame")               \
	X(IP6_EXTENSION, "ip6-extension", "IPv6 extension headers malformed or too many")      \
	X(IP6_OPTION, "ip6-option", "IPv6 option or route that its packet must not go on without") \
	X(IP_SOURCE, "ip-source", "source address that no guest may use")                      \
	X(IP_DESTINATION, "ip-destination", "destination address that is not relayed")         \
	X(IP_TTL, "ip-ttl", "TTL or hop limit of zero in a packet that is to be relayed")      \
	X(IP_PROTOCOL, "ip-protocol", "IP protocol that is not relayed")                       \
	X(FRAGMENT_BOUNDS, "fragment-bounds", "fragment beyond 65535 bytes or malformed")      \
	X(FRAGMENT_OVERLAP, "fragment-overlap", "fragments that contradict each other")        \
	X(FRAGMENT_LIMIT, "fragment-limit", "too many fragments or bytes awaiting reassembly") \
	X(FRAGMENT_TIMEOUT, "fragment-timeout", "datagram not complete in time")               \
	X(UDP_HEADER, "udp-header", "UDP header truncated or length wrong")                    \
	X(UDP_PORT, "udp-port", "UDP datagram to port 0")                                      \
	X(TCP_HEADER, "tcp-header", "TCP header truncated or malformed")                       \
	X(TCP_FLAGS, "tcp-flags", "impossible TCP flags")                                      \
	X(ICMP_HEADER, "icmp-header", "ICMP message truncated or malformed")                   \
	X(ICMP_TYPE, "icmp-type", "ICMP type that is not relayed")                             \
	X(MULTICAST, "multicast", "IGMP or MLD message malformed or not a report")            \
	X(NDP, "ndp", "neighbor discovery message malformed or not of this link")              \
	X(ARP, "arp", "ARP packet malformed or not for Ethernet and IPv4")                     \
	X(DHCP, "dhcp", "DHCP message malformed or not for a server")                          \
	X(DHCP6, "dhcp6", "DHCPv6 message malformed or not for a server")                      \
	X(DNS, "dns", "DNS message malformed")                                                 \
	X(FLOW_LIMIT, "flow-limit", "no room for a new flow")                                  \
	X(HOST_SOCKET, "host-socket", "the host gave no socket for the flow")                  \
	X(HOST_SEND, "host-send", "the host refused to send the datagram")                     \
	X(HOST_QUEUE, "host-queue", "too much waits for the host's socket to take it")         \
	X(MEMORY, "memory", "no memory")

enum drop {
	DROP_NONE,
#define X(id, name, text) DROP_##id,
	DROP_REASONS(X)
#undef X
	N_DROPS
};

/* Stable name, for statistics; DROP_NONE has none. */
const char *drop_name(enum drop reason);
const char *drop_text(enum drop reason);

#endif
