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

static void end(struct packet *p, struct wr *w, const void *payload, size_t len)
{
	if (payload)
		wr_bytes(w, payload, len);
	else
		wr_zero(w, len);
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

void packet_icmp(struct packet *p, const struct packet_ip *ip, const struct icmp_hdr *icmp,
		 const void *payload, size_t len)
{
	static const uint8_t zeroes[PACKET_MAX];
	struct ip4_hdr h = header(ip, IP_ICMP, ICMP_HEADER_LEN + len);
	struct wr w = begin(p, &h);

	icmp_encode(&w, icmp, payload ? payload : zeroes, len);
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
