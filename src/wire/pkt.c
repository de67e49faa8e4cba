/* wire/pkt.c: one pass over a frame, Ethernet to transport header. */
#include "wire/pkt.h"

#include <errno.h>

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

static enum drop decode_l4(struct pkt *p)
{
	struct rd r = rd_init(p->l4, p->l4_len);

	switch (p->proto) {
	case IP_UDP:
		return decode_udp(p, &r);
	case IP_TCP:
		return decode_tcp(p, &r);
	case IP_ICMP:
	case IP_ICMP6:
		return decode_icmp(p, &r);
	default:
		return DROP_NONE;
	}
}

static enum drop decode_ip4(struct pkt *p, struct rd *r, bool quote)
{
	size_t left = rd_left(r);
	struct ip4_hdr h;

	if (ip4_decode(r, &h))
		return DROP_IP4_HEADER;
	if (h.total_len > left && !quote)
		return DROP_IP4_LENGTH;
	p->ip_len = h.total_len < left ? h.total_len : left;
	p->ip_header_len = h.header_len;
	p->src = h.src;
	p->dst = h.dst;
	p->proto = h.proto;
	p->ttl = h.ttl;
	p->tos = h.tos;
	p->dont_fragment = h.dont_fragment;
	p->more_fragments = h.more_fragments;
	p->fragment_offset = h.fragment_offset;
	p->fragment_id = h.id;
	p->fragment = h.more_fragments || h.fragment_offset;
	return DROP_NONE;
}

/* A packet whose extension headers are in order, or ask for an answer; see struct ip6_chain. */
static enum drop decode_chain(struct pkt *p, struct rd *r, uint8_t next)
{
	int rc = ip6_walk(r, next, &p->chain);

	p->proto = p->chain.proto;
	p->ip_header_len = p->chain.len;
	p->fragment = p->chain.fragment;
	p->more_fragments = p->chain.more_fragments;
	p->fragment_offset = p->chain.fragment_offset;
	p->fragment_id = p->chain.fragment_id;
	p->dont_fragment = true;
	if (rc == -EPROTO || rc == -ECANCELED)
		return DROP_IP6_OPTION;
	return rc ? DROP_IP6_EXTENSION : DROP_NONE;
}

static enum drop decode_ip6(struct pkt *p, struct rd *r, bool quote)
{
	struct ip6_hdr h;
	struct rd body;
	size_t len;

	if (ip6_decode(r, &h))
		return DROP_IP6_HEADER;
	if (h.payload_len > rd_left(r) && !quote)
		return DROP_IP6_LENGTH;
	len = h.payload_len < rd_left(r) ? h.payload_len : rd_left(r);
	body = rd_sub(r, len);
	p->ip_len = IP6_HEADER_LEN + len;
	p->src = h.src;
	p->dst = h.dst;
	p->ttl = h.hop_limit;
	p->tos = h.traffic_class;
	return decode_chain(p, &body, h.next_header);
}

/* Up to the transport header. */
static enum drop decode_network(struct pkt *p, struct rd r, bool ip6, bool quote)
{
	enum drop reason;

	p->ip = r.p;
	p->chain.problem = false;
	reason = ip6 ? decode_ip6(p, &r, quote) : decode_ip4(p, &r, quote);
	if (reason != DROP_NONE)
		return reason;
	p->l4 = p->ip + p->ip_header_len;
	p->l4_len = p->ip_len - p->ip_header_len;
	return DROP_NONE;
}

static enum drop decode_ip(struct pkt *p, struct rd r, bool ip6)
{
	enum drop reason = decode_network(p, r, ip6, false);

	return reason != DROP_NONE || p->fragment ? reason : decode_l4(p);
}

static bool is_ip6(const uint8_t *ip, size_t len)
{
	return len && ip[0] >> 4 == 6;
}

enum drop pkt_decode_ip(const uint8_t *ip, size_t len, struct pkt *p)
{
	return decode_ip(p, rd_init(ip, len), is_ip6(ip, len));
}

enum drop pkt_decode_quote(const uint8_t *ip, size_t len, struct pkt *p)
{
	return decode_network(p, rd_init(ip, len), is_ip6(ip, len), true);
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
	case ETHERTYPE_IP6:
		return decode_ip(p, r, p->eth.type == ETHERTYPE_IP6);
	case ETHERTYPE_VLAN:
	case ETHERTYPE_QINQ:
		return DROP_VLAN;
	default:
		return DROP_NONE;
	}
}
