/* lib/packets.h: packets as the guest sends them, to hand to handlers. */
#ifndef TESTS_LIB_PACKETS_H
#define TESTS_LIB_PACKETS_H

#include "wire/pkt.h"

#define PACKET_MAX 70000

/* A frame and what pkt_decode() made of it. */
struct packet {
	struct pkt pkt;
	uint8_t frame[PACKET_MAX];
	size_t len;
};

struct packet_ip {
	uint32_t src, dst; /* 0: 10.0.2.15 and 198.51.100.2 */
	uint8_t ttl, tos;  /* ttl 0: 64 */
	bool dont_fragment;
};

struct packet_ip6 {
	struct addr src, dst; /* all zero: 2001:db8:2::f and 2001:db8:1::2 */
	uint8_t hop_limit, traffic_class; /* hop_limit 0: 64 */
	bool unspecified;     /* the source is :: */
};

/* Writes an ICMP message with the right checksum. */
void write_icmp(struct wr *w, const struct icmp_hdr *h, const void *payload, size_t len);

/* Each fails the test unless the packet decodes.  A NULL payload stands for zeroes. */
void packet_udp(struct packet *p, const struct packet_ip *ip, uint16_t sport, uint16_t dport,
		const void *payload, size_t len);
void packet_icmp(struct packet *p, const struct packet_ip *ip, const struct icmp_hdr *h,
		 const void *payload, size_t len);
void packet_tcp(struct packet *p, const struct packet_ip *ip, const struct tcp_hdr *h,
		const void *payload, size_t len);
/* Fragment of a datagram with this protocol. */
void packet_fragment(struct packet *p, const struct packet_ip *ip, uint8_t proto, uint16_t id,
		     uint16_t offset, bool more, const void *data, size_t len);

/* The same over IPv6, with the right checksum. */
void packet_udp6(struct packet *p, const struct packet_ip6 *ip, uint16_t sport, uint16_t dport,
		 const void *payload, size_t len);
void packet_icmp6(struct packet *p, const struct packet_ip6 *ip, const struct icmp_hdr *h,
		  const void *payload, size_t len);
void packet_tcp6(struct packet *p, const struct packet_ip6 *ip, const struct tcp_hdr *h,
		 const void *payload, size_t len);

#endif
