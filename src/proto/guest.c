/* proto/guest.c: builds IPv4 packets to the guest, in fragments where the MTU asks for it. */
#include "proto/guest.h"

#include <errno.h>

#include "base/checksum.h"

#define FRAGMENTS_MAX 1400 /* of 65,515 bytes at the smallest MTU, 68 */
#define QUOTE_MAX                                                                              \
	548 /* of the offending packet: the error stays within 576 bytes (RFC 1812 4.3.2.3) */

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

static void write_packet(struct env *env, struct wr *w, const struct guest_out *o,
			 const struct ip4_hdr *ip, const struct iovec *l4, int n)
{
	eth_encode(w, &(struct eth_hdr){ .dst = o->has_mac	       ? o->mac
						: env->guest.mac_known ? env->guest.mac
								       : MAC_BROADCAST,
					 .src = env->net->mac,
					 .type = ETHERTYPE_IP4 });
	ip4_encode(w, ip);
	copy_pieces(w, l4, n, ip->fragment_offset, ip->total_len - (size_t)IP4_HEADER_LEN);
}

int guest_send(struct env *env, const struct guest_out *o, const struct iovec *l4, int n)
{
	size_t len = 0, part_max = (env->net->mtu - (size_t)IP4_HEADER_LEN) / 8 * 8, n_parts,
	       done = 0;
	size_t frame_max;
	uint8_t *frames[FRAGMENTS_MAX];
	struct ip4_hdr ip = { .tos = o->tos,
			      .id = env->next_ip_id++,
			      .dont_fragment = o->dont_fragment,
			      .ttl = o->ttl ? o->ttl : IP4_TTL_DEFAULT,
			      .proto = o->proto,
			      .src = o->src,
			      .dst = o->dst };

	for (int i = 0; i < n; i++)
		len += l4[i].iov_len;
	if (len > IP4_LEN_MAX - IP4_HEADER_LEN)
		return -EMSGSIZE;
	if (o->dont_fragment || len <= env->net->mtu - (size_t)IP4_HEADER_LEN)
		part_max = len;
	n_parts = len ? (len + part_max - 1) / part_max : 1;
	frame_max = ETH_HEADER_LEN + IP4_HEADER_LEN + part_max;
	if (env->guest_ops->reserve(env->link, o->bulk, frame_max, (int)n_parts, frames) <
	    (int)n_parts)
		return -ENOBUFS;
	for (size_t i = 0; i < n_parts; i++) {
		size_t part = len - done < part_max ? len - done : part_max;
		struct wr w = wr_init(frames[i], frame_max);

		ip.fragment_offset = (uint16_t)done;
		ip.total_len = (uint16_t)(IP4_HEADER_LEN + part);
		ip.more_fragments = done + part < len;
		write_packet(env, &w, o, &ip, l4, n);
		done += part;
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

	if (len > IP4_LEN_MAX - IP4_HEADER_LEN - UDP_HEADER_LEN)
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

/* RFC 1122 3.2.2: no errors about these. */
static bool may_complain(const struct env *env, const struct pkt *p)
{
	if (p->ip4.fragment_offset || addr_is_multicast(&p->dst) ||
	    net_is_broadcast(env->net, &p->dst) || addr_is_unspecified(&p->src) ||
	    addr_is_multicast(&p->src))
		return false;
	return p->proto != IP_ICMP || (!p->fragment && (p->icmp.type == ICMP_TYPE_ECHO ||
							p->icmp.type == ICMP_TYPE_ECHO_REPLY));
}

void guest_send_icmp_error(struct env *env, const struct pkt *p, const struct addr *from,
			   uint8_t type, uint8_t code, uint16_t mtu)
{
	uint8_t message[ICMP_HEADER_LEN + QUOTE_MAX];
	struct wr w = wr_init(message, sizeof(message));
	struct guest_out out = { .src = *from, .dst = p->src, .proto = IP_ICMP };

	if (!may_complain(env, p))
		return;
	icmp_encode(&w, &(struct icmp_hdr){ .type = type, .code = code, .seq = mtu }, p->ip,
		    p->ip_len < QUOTE_MAX ? p->ip_len : QUOTE_MAX);
	guest_send(env, &out, &(struct iovec){ message, wr_len(&w) }, 1);
}
