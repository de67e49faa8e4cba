/* lib/packets.c: packets as the guest sends them. */
#include "lib/packets.h"

#include "base/checksum.h"
#include "lib/fake_guest.h"
#include "lib/must.h"

static struct ip4_hdr header(const struct packet_ip *ip, uint8_t proto, size_t len)
{
	return (struct ip4_hdr){ .tos = ip->tos,
				 .total_len = (uint16_t)(IP4_HEADER_LEN + len),
				 .id = 0x1234,
				 .dont_fragment = ip->dont_fragment,
				 .ttl = ip->ttl ? ip->ttl : 64,
				 .proto = proto,
				 .src = addr_ip4(ip->src ? ip->src : 0x0a00020f),
				 .dst = addr_ip4(ip->dst ? ip->dst : 0xc6336402) };
}

static struct wr begin(struct packet *p, const struct ip4_hdr *ip)
{
	struct wr w = wr_init(p->frame, sizeof(p->frame));

	eth_encode(&w, &(struct eth_hdr){ .dst = fake_gateway_mac,
					  .src = fake_guest_mac,
					  .type = ETHERTYPE_IP4 });
	ip4_encode(&w, ip);
	return w;
}

static void put_payload(struct wr *w, const void *payload, size_t len)
{
	if (payload)
		wr_bytes(w, payload, len);
	else
		wr_zero(w, len);
}

static void end(struct packet *p, struct wr *w, const void *payload, size_t len)
{
	put_payload(w, payload, len);
	must(!w->error);
	p->len = wr_len(w);
	must(pkt_decode(p->frame, p->len, &p->pkt) == DROP_NONE);
}

void packet_udp(struct packet *p, const struct packet_ip *ip, uint16_t sport, uint16_t dport,
		const void *payload, size_t len)
{
	struct ip4_hdr h = header(ip, IP_UDP, UDP_HEADER_LEN + len);
	struct wr w = begin(p, &h);

	udp_encode(&w, &(struct udp_hdr){ .sport = sport,
					  .dport = dport,
					  .len = (uint16_t)(UDP_HEADER_LEN + len),
					  .checksum = 0xbeef });
	end(p, &w, payload, len);
}

void write_icmp(struct wr *w, const struct icmp_hdr *h, const void *payload, size_t len)
{
	size_t start = wr_len(w);

	icmp_encode(w, h);
	wr_bytes(w, payload, len);
	must(!w->error);
	wr_patch16(w, start + ICMP_CHECKSUM_OFFSET,
		   checksum_finish(checksum_add(0, w->start + start, ICMP_HEADER_LEN + len)));
}

void packet_icmp(struct packet *p, const struct packet_ip *ip, const struct icmp_hdr *icmp,
		 const void *payload, size_t len)
{
	static const uint8_t zeroes[PACKET_MAX];
	struct ip4_hdr h = header(ip, IP_ICMP, ICMP_HEADER_LEN + len);
	struct wr w = begin(p, &h);

	write_icmp(&w, icmp, payload ? payload : zeroes, len);
	end(p, &w, NULL, 0);
}

void packet_tcp(struct packet *p, const struct packet_ip *ip, const struct tcp_hdr *tcp,
		const void *payload, size_t len)
{
	uint8_t options[TCP_HEADER_MAX];
	struct wr w = wr_init(options, sizeof(options));
	size_t header_len = tcp_encode(&w, tcp);
	struct ip4_hdr h = header(ip, IP_TCP, header_len + len);

	w = begin(p, &h);
	wr_bytes(&w, options, header_len);
	end(p, &w, payload, len);
}

void packet_fragment(struct packet *p, const struct packet_ip *ip, uint8_t proto, uint16_t id,
		     uint16_t offset, bool more, const void *data, size_t len)
{
	struct ip4_hdr h = header(ip, proto, len);
	struct wr w;

	h.id = id;
	h.fragment_offset = offset;
	h.more_fragments = more;
	w = begin(p, &h);
	end(p, &w, data, len);
}

static void begin6(struct packet *p, struct wr *w, const struct packet_ip6 *ip, uint8_t proto,
		   size_t len)
{
	struct ip6_hdr h = { .traffic_class = ip->traffic_class,
			     .payload_len = (uint16_t)len,
			     .next_header = proto,
			     .hop_limit = ip->hop_limit ? ip->hop_limit : 64,
			     .src = ip->src,
			     .dst = ip->dst };

	if (addr_is_unspecified(&h.src) && !ip->unspecified)
		h.src = addr_of("2001:db8:2::f");
	if (addr_is_unspecified(&h.dst))
		h.dst = addr_of("2001:db8:1::2");
	*w = wr_init(p->frame, sizeof(p->frame));
	eth_encode(w, &(struct eth_hdr){ .dst = fake_gateway_mac,
					 .src = fake_guest_mac,
					 .type = ETHERTYPE_IP6 });
	ip6_encode(w, &h);
}

/* Puts the checksum of the transport part into the two bytes at `at` of it. */
static void end6(struct packet *p, struct wr *w, size_t at)
{
	const uint8_t *ip = p->frame + ETH_HEADER_LEN, *l4 = ip + IP6_HEADER_LEN;
	size_t len = wr_len(w) - ETH_HEADER_LEN - IP6_HEADER_LEN;
	struct addr src = addr_ip6_bytes(ip + 8), dst = addr_ip6_bytes(ip + 24);
	uint64_t sum =
		checksum_add_pseudo(0, &src, &dst, ip[IP6_NEXT_HEADER_AT], (uint32_t)len);
	uint16_t checksum = checksum_finish(checksum_add(sum, l4, len));

	wr_patch16(w, ETH_HEADER_LEN + IP6_HEADER_LEN + at, checksum ? checksum : 0xffff);
	end(p, w, NULL, 0);
}

void packet_udp6(struct packet *p, const struct packet_ip6 *ip, uint16_t sport, uint16_t dport,
		 const void *payload, size_t len)
{
	struct wr w;

	begin6(p, &w, ip, IP_UDP, UDP_HEADER_LEN + len);
	udp_encode(&w, &(struct udp_hdr){ .sport = sport,
					  .dport = dport,
					  .len = (uint16_t)(UDP_HEADER_LEN + len) });
	put_payload(&w, payload, len);
	end6(p, &w, 6);
}

void packet_icmp6(struct packet *p, const struct packet_ip6 *ip, const struct icmp_hdr *icmp,
		  const void *payload, size_t len)
{
	struct wr w;

	begin6(p, &w, ip, IP_ICMP6, ICMP_HEADER_LEN + len);
	icmp_encode(&w, icmp);
	put_payload(&w, payload, len);
	end6(p, &w, ICMP_CHECKSUM_OFFSET);
}

void packet_tcp6(struct packet *p, const struct packet_ip6 *ip, const struct tcp_hdr *tcp,
		 const void *payload, size_t len)
{
	uint8_t header[TCP_HEADER_MAX];
	struct wr w = wr_init(header, sizeof(header));
	size_t header_len = tcp_encode(&w, tcp);

	begin6(p, &w, ip, IP_TCP, header_len + len);
	wr_bytes(&w, header, header_len);
	put_payload(&w, payload, len);
	end6(p, &w, TCP_CHECKSUM_OFFSET);
}
