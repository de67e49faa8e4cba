/* wire/pkt.c: one pass over a frame, Ethernet to transport header. */
#include "wire/pkt.h"

static void take_payload(struct pkt *p, const struct rd *r)
{
	p->payload = r->p;
	p->payload_len = rd_left(r);
}

static enum drop decode_udp(struct pkt *p, struct rd *r)
{
	size_t len = rd_left(r);

	udp_decode(r, &p->udp);
	if (r->error || p->udp.len < UDP_HEADER_LEN || p->udp.len > len)
		return DROP_UDP_HEADER;
	take_payload(p, r);
	p->payload_len = p->udp.len - (size_t)UDP_HEADER_LEN;
	return DROP_NONE;
}

static enum drop decode_tcp(struct pkt *p, struct rd *r)
{
	if (tcp_decode(r, &p->tcp))
		return DROP_TCP_HEADER;
	take_payload(p, r);
	return DROP_NONE;
}

static enum drop decode_icmp(struct pkt *p, struct rd *r)
{
	icmp_decode(r, &p->icmp);
	if (r->error)
		return DROP_ICMP_HEADER;
	take_payload(p, r);
	return DROP_NONE;
}

enum drop pkt_decode_l4(struct pkt *p)
{
	struct rd r = rd_init(p->l4, p->l4_len);

	switch (p->proto) {
	case IP_UDP:
		return decode_udp(p, &r);
	case IP_TCP:
		return decode_tcp(p, &r);
	case IP_ICMP:
		return decode_icmp(p, &r);
	default:
		return DROP_NONE;
	}
}

static enum drop decode_ip4(struct pkt *p, struct rd *r)
{
	size_t left = rd_left(r);

	p->ip = r->p;
	if (ip4_decode(r, &p->ip4))
		return DROP_IP4_HEADER;
	if (p->ip4.total_len > left)
		return DROP_IP4_LENGTH;
	p->ip_len = p->ip4.total_len;
	p->src = p->ip4.src;
	p->dst = p->ip4.dst;
	p->proto = p->ip4.proto;
	p->ttl = p->ip4.ttl;
	p->tos = p->ip4.tos;
	p->l4 = r->p;
	p->l4_len = p->ip_len - p->ip4.header_len;
	p->fragment = p->ip4.more_fragments || p->ip4.fragment_offset;
	return p->fragment ? DROP_NONE : pkt_decode_l4(p);
}

enum drop pkt_decode(const uint8_t *frame, size_t len, struct pkt *p)
{
	struct rd r = rd_init(frame, len);

	p->fragment = false;
	eth_decode(&r, &p->eth);
	if (r.error)
		return DROP_RUNT;
	p->l4 = r.p;
	p->l4_len = rd_left(&r);
	switch (p->eth.type) {
	case ETHERTYPE_IP4:
		return decode_ip4(p, &r);
	case ETHERTYPE_VLAN:
	case ETHERTYPE_QINQ:
		return DROP_VLAN;
	default:
		return DROP_NONE;
	}
}
