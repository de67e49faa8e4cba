/* proto/icmp_error.c: what the guest says of packets that it cannot, or will not, deliver. */
#include "proto/icmp.h"

#include "proto/path_mtu.h"
#include "proto/tcp/tcp.h"
#include "proto/udp.h"
#include "wire/icmp6.h"

/* A packet of ours as an error quotes it. */
struct quote {
	struct flow_key key;
	size_t len; /* of the whole packet */
	uint32_t seq; /* of TCP; else anything */
};

/* What names the flow of an echo reply is its identifier. */
static bool read_echo(struct rd *r, struct quote *q)
{
	uint8_t type = rd_u8(r);

	rd_skip(r, 3);
	q->key.guest_port = rd_be16(r);
	q->key.proto = FLOW_ICMP;
	return type == (addr_is_ip4(&q->key.guest) ? ICMP_TYPE_ECHO_REPLY : ICMP6_TYPE_ECHO_REPLY);
}

/* UDP and TCP begin with the ports, and TCP's sequence number comes next: eight bytes, which all
 * errors quote (RFC 792). */
static void read_ports(struct rd *r, struct quote *q, enum flow_proto proto)
{
	q->key.proto = proto;
	q->key.peer_port = rd_be16(r);
	q->key.guest_port = rd_be16(r);
	q->seq = rd_be32(r);
}

/* DROP_NONE with *known: the packet could be one of a flow. */
static enum drop read_quote(const struct pkt *p, struct quote *q, bool *known)
{
	struct pkt quoted;
	struct rd r;

	*known = false;
	if (pkt_decode_quote(p->payload, p->payload_len, &quoted) != DROP_NONE)
		return DROP_ICMP_HEADER;
	if (quoted.fragment_offset || addr_is_ip4(&quoted.dst) != addr_is_ip4(&p->src))
		return DROP_NONE;
	*q = (struct quote){ .key = { .guest = quoted.dst, .peer = quoted.src } };
	q->len = addr_is_ip4(&quoted.dst) ? get_be16(quoted.ip + 2)
					  : IP6_HEADER_LEN + (size_t)get_be16(quoted.ip + 4);
	r = rd_init(quoted.l4, quoted.l4_len);
	*known = true;
	if (quoted.proto == IP_UDP)
		read_ports(&r, q, FLOW_UDP);
	else if (quoted.proto == IP_TCP)
		read_ports(&r, q, FLOW_TCP);
	else
		*known = (quoted.proto == IP_ICMP || quoted.proto == IP_ICMP6) && read_echo(&r, q);
	return *known && r.error ? DROP_ICMP_HEADER : DROP_NONE;
}

/* The guest, or a firewall of its own, refuses what we sent it; what it quotes names the flow. */
static enum drop refused(struct env *env, const struct pkt *p)
{
	struct endpoint guest, peer;
	struct quote q;
	bool known;
	enum drop reason = read_quote(p, &q, &known);

	if (reason != DROP_NONE || !known || !addr_eq(&q.key.guest, &p->src))
		return reason;
	guest = (struct endpoint){ q.key.guest, q.key.guest_port };
	peer = (struct endpoint){ q.key.peer, q.key.peer_port };
	if (q.key.proto == FLOW_UDP)
		udp_refused_by_guest(env, &guest, &peer);
	else if (q.key.proto == FLOW_TCP)
		tcp_refused_by_guest(env, &guest, &peer, q.seq);
	return DROP_NONE;
}

/* Whether we can have sent such a packet, and one that `mtu` does not take: nobody who cannot see
 * what we send shall narrow a path (RFC 5927 7). */
static bool is_credible(const struct env *env, const struct quote *q, uint32_t mtu)
{
	const struct flow *f = flow_table_lookup(&env->flows, &q->key);

	if (q->len <= mtu || !f || !f->packets_in)
		return false;
	return q->key.proto != FLOW_TCP || tcp_in_flight(env, &q->key, q->seq);
}

/* A router of the guest's side, mostly the guest itself, has no room for a packet of ours. */
static enum drop too_big(struct env *env, const struct pkt *p, uint32_t mtu)
{
	struct quote q;
	bool known;
	enum drop reason = read_quote(p, &q, &known);

	if (reason != DROP_NONE)
		return reason;
	if (!known || !is_credible(env, &q, mtu)) {
		env->stats.path_mtu_ignored++;
		return DROP_NONE;
	}
	env->stats.path_mtu_lowered += path_mtu_lower(env, &q.key.guest, mtu);
	if (q.key.proto == FLOW_TCP)
		tcp_send_smaller(env, &q.key, q.len);
	return DROP_NONE;
}

/* Whether the guest will not have it either when it is sent again (RFC 1122 3.2.2.1). */
static bool is_refusal(const struct icmp_hdr *h, bool ip4)
{
	if (!ip4)
		return h->code == ICMP6_CODE_PORT || h->code == ICMP6_CODE_ADMIN_PROHIBITED;
	return h->code == ICMP_CODE_PORT || h->code == ICMP_CODE_PROTOCOL ||
	       h->code == ICMP_CODE_NET_PROHIBITED || h->code == ICMP_CODE_HOST_PROHIBITED ||
	       h->code == ICMP_CODE_ADMIN_PROHIBITED;
}

bool icmp_is_undelivered(const struct pkt *p)
{
	if (addr_is_ip4(&p->src))
		return p->icmp.type == ICMP_TYPE_UNREACHABLE;
	return p->icmp.type == ICMP6_TYPE_UNREACHABLE || p->icmp.type == ICMP6_TYPE_PACKET_TOO_BIG;
}

enum drop icmp_undelivered_from_guest(struct env *env, const struct pkt *p)
{
	const struct icmp_hdr *h = &p->icmp;
	bool ip4 = addr_is_ip4(&p->src);

	if (!ip4 && h->type == ICMP6_TYPE_PACKET_TOO_BIG)
		return too_big(env, p, (uint32_t)h->id << 16 | h->seq);
	if (ip4 && h->code == ICMP_CODE_FRAGMENTATION_NEEDED)
		return too_big(env, p, h->seq);
	return is_refusal(h, ip4) ? refused(env, p) : DROP_NONE;
}
