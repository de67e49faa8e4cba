/* proto/guest.c: builds IP packets to the guest, in fragments where the MTU asks for it. */
#include "proto/guest.h"

#include <errno.h>

#include "base/checksum.h"
#include "wire/icmp6.h"

#define FRAGMENTS_MAX 1400 /* of 65,515 bytes at the smallest MTU, 68 */
/* Of the offending packet: the error stays within 576 bytes (RFC 1812 4.3.2.3), or within the least
 * MTU of IPv6 (RFC 4443 2.4). */
#define QUOTE_MAX4 548
#define QUOTE_MAX6 (IP6_MTU_MIN - IP6_HEADER_LEN - ICMP_HEADER_LEN)

void guest_eth_encode(const struct env *env, struct wr *w, uint16_t type)
{
	eth_encode(w, &(struct eth_hdr){ .dst = env->guest.mac_known ? env->guest.mac
								     : MAC_BROADCAST,
					 .src = env->net->mac,
					 .type = type });
}

/* Copies `len` bytes of the pieces, from `offset` on. */
static void copy_pieces(struct wr *w, const struct iovec *piece, int n, size_t offset,
			size_t len)
{
	for (int i = 0; i < n && len; i++) {
		size_t part;

		if (offset >= piece[i].iov_len) {
			offset -= piece[i].iov_len;
			continue;
		}
		part = piece[i].iov_len - offset;
		if (part > len)
			part = len;
		wr_bytes(w, (const uint8_t *)piece[i].iov_base + offset, part);
		len -= part;
		offset = 0;
	}
}

/* A packet on its way: one header for all its fragments. */
struct outgoing {
	const struct guest_out *o;
	const struct iovec *l4;
	int n;
	size_t len; /* of the transport part */
	uint32_t id;
};

static void write_ip4(struct wr *w, const struct outgoing *p, size_t offset, size_t part)
{
	ip4_encode(w, &(struct ip4_hdr){ .tos = p->o->tos,
					 .total_len = (uint16_t)(IP4_HEADER_LEN + part),
					 .id = (uint16_t)p->id,
					 .dont_fragment = p->o->dont_fragment,
					 .more_fragments = offset + part < p->len,
					 .fragment_offset = (uint16_t)offset,
					 .ttl = p->o->ttl ? p->o->ttl : IP4_TTL_DEFAULT,
					 .proto = p->o->proto,
					 .src = p->o->src,
					 .dst = p->o->dst });
}

static void write_ip6(struct wr *w, const struct outgoing *p, size_t offset, size_t part)
{
	bool fragment = part < p->len;
	struct ip6_hdr h = { .traffic_class = p->o->tos,
			     .flow_label = p->o->flow_label,
			     .payload_len = (uint16_t)part,
			     .next_header = p->o->proto,
			     .hop_limit = p->o->ttl ? p->o->ttl : IP6_HOP_LIMIT_DEFAULT,
			     .src = p->o->src,
			     .dst = p->o->dst };

	if (fragment) {
		h.payload_len = (uint16_t)(IP6_FRAGMENT_LEN + part);
		h.next_header = IP6_FRAGMENT;
	}
	ip6_encode(w, &h);
	if (!fragment)
		return;
	wr_u8(w, p->o->proto);
	wr_u8(w, 0);
	wr_be16(w, (uint16_t)(offset | (offset + part < p->len)));
	wr_be32(w, p->id);
}

static void write_packet(const struct env *env, struct wr *w, const struct outgoing *p,
			 size_t offset, size_t part)
{
	bool ip4 = addr_is_ip4(&p->o->src);

	eth_encode(w, &(struct eth_hdr){ .dst = p->o->has_mac	       ? p->o->mac
						: env->guest.mac_known ? env->guest.mac
								       : MAC_BROADCAST,
					 .src = env->net->mac,
					 .type = ip4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6 });
	if (ip4)
		write_ip4(w, p, offset, part);
	else
		write_ip6(w, p, offset, part);
	copy_pieces(w, p->l4, p->n, offset, part);
}

/* How much of the transport part fits in each packet. */
static size_t part_max(const struct env *env, const struct outgoing *p, size_t header_len)
{
	size_t room = path_mtu(env, &p->o->dst) - header_len;

	if (p->o->dont_fragment || p->len <= room)
		return p->len ? p->len : 1;
	if (!addr_is_ip4(&p->o->src))
		room -= IP6_FRAGMENT_LEN;
	return room / 8 * 8;
}

int guest_send(struct env *env, const struct guest_out *o, const struct iovec *l4, int n)
{
	bool ip4 = addr_is_ip4(&o->src);
	size_t header_len = ip4 ? IP4_HEADER_LEN : IP6_HEADER_LEN, part, n_parts, frame_max;
	struct outgoing p = { .o = o, .l4 = l4, .n = n, .id = env->next_ip_id++ };
	uint8_t *frames[FRAGMENTS_MAX];

	for (int i = 0; i < n; i++)
		p.len += l4[i].iov_len;
	if (p.len > (ip4 ? IP4_LEN_MAX - IP4_HEADER_LEN : IP6_LEN_MAX - IP6_HEADER_LEN))
		return -EMSGSIZE;
	part = part_max(env, &p, header_len);
	n_parts = p.len ? (p.len + part - 1) / part : 1;
	frame_max = ETH_HEADER_LEN + header_len + (n_parts > 1 && !ip4 ? IP6_FRAGMENT_LEN : 0) + part;
	if (env->guest_ops->reserve(env->link, o->bulk, frame_max, (int)n_parts, frames) <
	    (int)n_parts)
		return -ENOBUFS;
	for (size_t i = 0; i < n_parts; i++) {
		struct wr w = wr_init(frames[i], frame_max);
		size_t offset = i * part;

		write_packet(env, &w, &p, offset, p.len - offset < part ? p.len - offset : part);
		if (i + 1 == n_parts)
			env->guest_ops->commit(env->link, (int)n_parts, wr_len(&w));
	}
	return 0;
}

int guest_send_udp(struct env *env, const struct guest_out *o, uint16_t sport, uint16_t dport,
		   const void *payload, size_t len)
{
	uint8_t header[UDP_HEADER_LEN];
	struct wr w = wr_init(header, sizeof(header));
	struct guest_out out = *o;
	uint16_t checksum;
	uint64_t sum;

	if (len > IP6_LEN_MAX - IP6_HEADER_LEN - UDP_HEADER_LEN) /* IPv4's bound is below */
		return -EMSGSIZE;
	out.proto = IP_UDP;
	udp_encode(&w, &(struct udp_hdr){ .sport = sport,
					  .dport = dport,
					  .len = (uint16_t)(UDP_HEADER_LEN + len) });
	sum = checksum_add_pseudo(0, &o->src, &o->dst, IP_UDP,
				  (uint32_t)(UDP_HEADER_LEN + len));
	sum = checksum_add(sum, header, sizeof(header));
	checksum = checksum_finish(checksum_add(sum, payload, len));
	put_be16(header + 6, checksum ? checksum : 0xffff); /* zero means none (RFC 768) */
	return guest_send(
		env, &out,
		(struct iovec[]){ { header, sizeof(header) }, { (void *)payload, len } }, 2);
}

int guest_send_icmp(struct env *env, const struct guest_out *o, const struct icmp_hdr *h,
		    const void *payload, size_t len)
{
	bool ip4 = addr_is_ip4(&o->src);
	uint8_t header[ICMP_HEADER_LEN];
	struct wr w = wr_init(header, sizeof(header));
	struct guest_out out = *o;
	uint64_t sum = 0;

	out.proto = ip4 ? IP_ICMP : IP_ICMP6;
	icmp_encode(&w, h);
	if (!ip4)
		sum = checksum_add_pseudo(0, &o->src, &o->dst, IP_ICMP6,
					  (uint32_t)(ICMP_HEADER_LEN + len));
	sum = checksum_add(sum, header, sizeof(header));
	put_be16(header + ICMP_CHECKSUM_OFFSET, checksum_finish(checksum_add(sum, payload, len)));
	return guest_send(
		env, &out,
		(struct iovec[]){ { header, sizeof(header) }, { (void *)payload, len } }, 2);
}

/* Whether the packet carries, or may be a part of, an ICMP message other than those that may be
 * complained about. */
static bool is_icmp_error(const struct pkt *p)
{
	uint8_t type;

	if (p->proto != IP_ICMP && p->proto != IP_ICMP6)
		return false;
	if (p->ip_len <= p->ip_header_len || p->fragment_offset)
		return true;
	type = p->ip[p->ip_header_len];
	if (p->proto == IP_ICMP6)
		return type < ICMP6_TYPE_INFORMATIONAL || type == ICMP6_TYPE_REDIRECT;
	return type != ICMP_TYPE_ECHO && type != ICMP_TYPE_ECHO_REPLY;
}

/* Where the destination forbids errors; IPv6 makes an exception for options. */
static bool is_to_group(const struct env *env, const struct pkt *p)
{
	return net_is_group(env->net, &p->dst) && !(p->chain.problem && p->chain.problem_of_groups);
}

/* RFC 1122 3.2.2, RFC 4443 2.4 (e): no errors about these; about fragments other than the first only
 * IPv6 has some. */
static bool may_complain(const struct env *env, const struct pkt *p)
{
	return (!p->fragment_offset || !addr_is_ip4(&p->src)) && !is_to_group(env, p) &&
	       !addr_is_unspecified(&p->src) && !addr_is_multicast(&p->src) && !is_icmp_error(p);
}

static bool take_token(struct env *env, const struct pkt *p)
{
	bool taken = error_limit_take(&env->error_limit, &env->flows.key, p, env->now_ns);

	env->stats.icmp_errors_limited += !taken;
	return taken;
}

bool guest_send_icmp_error(struct env *env, const struct pkt *p, const struct addr *from,
			   const struct icmp_error *e)
{
	size_t max = addr_is_ip4(&p->src) ? QUOTE_MAX4 : QUOTE_MAX6;
	struct guest_out out = { .src = *from, .dst = p->src };
	struct icmp_hdr h = { e->type, e->code, (uint16_t)(e->rest >> 16), (uint16_t)e->rest };

	return may_complain(env, p) && take_token(env, p) &&
	       !guest_send_icmp(env, &out, &h, p->ip, p->ip_len < max ? p->ip_len : max);
}

struct icmp_error guest_error_of(enum guest_error e, const struct pkt *p)
{
	static const struct icmp_error errors[N_GUEST_ERRORS][2] = {
		[GUEST_ERROR_NET] = { { ICMP_TYPE_UNREACHABLE, ICMP_CODE_NET, 0 },
				      { ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_NO_ROUTE, 0 } },
		[GUEST_ERROR_HOST] = { { ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST, 0 },
				       { ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_ADDRESS, 0 } },
		[GUEST_ERROR_PROTOCOL] = { { ICMP_TYPE_UNREACHABLE, ICMP_CODE_PROTOCOL, 0 },
					   { ICMP6_TYPE_PARAMETER_PROBLEM, ICMP6_CODE_NEXT_HEADER,
					     0 } },
		[GUEST_ERROR_PORT] = { { ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0 },
				       { ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_PORT, 0 } },
		[GUEST_ERROR_PROHIBITED] = { { ICMP_TYPE_UNREACHABLE, ICMP_CODE_ADMIN_PROHIBITED,
					       0 },
					     { ICMP6_TYPE_UNREACHABLE,
					       ICMP6_CODE_ADMIN_PROHIBITED, 0 } },
		[GUEST_ERROR_TTL] = { { ICMP_TYPE_TIME_EXCEEDED, ICMP_CODE_TRANSIT, 0 },
				      { ICMP6_TYPE_TIME_EXCEEDED, ICMP_CODE_TRANSIT, 0 } },
		[GUEST_ERROR_REASSEMBLY] = { { ICMP_TYPE_TIME_EXCEEDED, ICMP_CODE_REASSEMBLY, 0 },
					     { ICMP6_TYPE_TIME_EXCEEDED, ICMP_CODE_REASSEMBLY,
					       0 } },
	};
	struct icmp_error found = errors[e][!addr_is_ip4(&p->src)];

	if (found.type == ICMP6_TYPE_PARAMETER_PROBLEM && !addr_is_ip4(&p->src))
		found.rest = p->chain.proto_at;
	return found;
}

void guest_send_error(struct env *env, const struct pkt *p, enum guest_error e)
{
	struct icmp_error error = guest_error_of(e, p);

	guest_send_icmp_error(env, p, &net_ip(env->net, &p->src)->gateway, &error);
}
