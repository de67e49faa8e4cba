/* proto/host_error.c: errors of the host's network, told to the guest as ICMP. */
#include "proto/host_error.h"

#include <errno.h>

#include "wire/icmp6.h"

static enum guest_error error_of_errno(int error)
{
	switch (error) {
	case ENETUNREACH:
	case ENETDOWN:
		return GUEST_ERROR_NET;
	case EPERM:
	case EACCES:
		return GUEST_ERROR_PROHIBITED;
	case ECONNREFUSED:
		return GUEST_ERROR_PORT;
	case EPROTONOSUPPORT:
	case ENOPROTOOPT:
		return GUEST_ERROR_PROTOCOL;
	default:
		return GUEST_ERROR_HOST;
	}
}

struct host_error host_error_from_errno(const struct net *net, const struct addr *guest, int error)
{
	struct pkt p = { .src = *guest, .chain.proto_at = IP6_NEXT_HEADER_AT };

	return (struct host_error){ .icmp = guest_error_of(error_of_errno(error), &p),
				    .from = net_ip(net, guest)->gateway };
}

static bool is_relayed(const struct host_error *e, bool ip4)
{
	uint8_t type = e->icmp.type;

	if (!ip4)
		return type >= ICMP6_TYPE_UNREACHABLE && type <= ICMP6_TYPE_PARAMETER_PROBLEM;
	return type == ICMP_TYPE_UNREACHABLE || type == ICMP_TYPE_TIME_EXCEEDED ||
	       type == ICMP_TYPE_PARAMETER_PROBLEM;
}

static bool is_time_exceeded(const struct icmp_error *e, bool ip4)
{
	return e->type == (ip4 ? ICMP_TYPE_TIME_EXCEEDED : ICMP6_TYPE_TIME_EXCEEDED);
}

static bool is_too_big(const struct icmp_error *e, bool ip4)
{
	return ip4 ? e->type == ICMP_TYPE_UNREACHABLE && e->code == ICMP_CODE_FRAGMENTATION_NEEDED
		   : e->type == ICMP6_TYPE_PACKET_TOO_BIG;
}

static enum guest_error meaning4(uint8_t code)
{
	switch (code) {
	case ICMP_CODE_PORT:
		return GUEST_ERROR_PORT;
	case ICMP_CODE_PROTOCOL:
		return GUEST_ERROR_PROTOCOL;
	case ICMP_CODE_NET_PROHIBITED:
	case ICMP_CODE_HOST_PROHIBITED:
	case ICMP_CODE_ADMIN_PROHIBITED:
		return GUEST_ERROR_PROHIBITED;
	case ICMP_CODE_HOST:
		return GUEST_ERROR_HOST;
	default:
		return GUEST_ERROR_NET;
	}
}

static enum guest_error meaning6(uint8_t code)
{
	switch (code) {
	case ICMP6_CODE_PORT:
		return GUEST_ERROR_PORT;
	case ICMP6_CODE_ADMIN_PROHIBITED:
		return GUEST_ERROR_PROHIBITED;
	case ICMP6_CODE_ADDRESS:
		return GUEST_ERROR_HOST;
	default:
		return GUEST_ERROR_NET;
	}
}

/* The same packet's header is that much shorter in IPv4; less than IPv6's least MTU is never said. */
static uint32_t mtu_in_other_family(uint32_t mtu, bool ip4)
{
	const uint32_t differ = IP6_HEADER_LEN - IP4_HEADER_LEN;

	if (ip4)
		return mtu + differ < IP6_MTU_MIN ? IP6_MTU_MIN : mtu + differ;
	if (mtu < IP6_MTU_MIN)
		mtu = IP6_MTU_MIN;
	return (mtu < UINT16_MAX ? mtu : UINT16_MAX) - differ;
}

/* How `e`, of IPv4 or not, is said in the other family, to the guest's address; parameter problems are not: the
 * header was none of the guest's. */
static bool in_other_family(struct icmp_error *e, bool ip4, const struct addr *guest)
{
	struct pkt p = { .src = *guest, .chain.proto_at = IP6_NEXT_HEADER_AT };

	if (is_too_big(e, ip4)) {
		*e = (struct icmp_error){ ip4 ? ICMP6_TYPE_PACKET_TOO_BIG : ICMP_TYPE_UNREACHABLE,
					  ip4 ? 0 : ICMP_CODE_FRAGMENTATION_NEEDED,
					  mtu_in_other_family(e->rest, ip4) };
		return true;
	}
	if (is_time_exceeded(e, ip4)) {
		e->type = ip4 ? ICMP6_TYPE_TIME_EXCEEDED : ICMP_TYPE_TIME_EXCEEDED;
		return true;
	}
	if (e->type != (ip4 ? ICMP_TYPE_UNREACHABLE : ICMP6_TYPE_UNREACHABLE))
		return false;
	*e = guest_error_of(ip4 ? meaning4(e->code) : meaning6(e->code), &p);
	return true;
}

/* Writes the guest's header as it must have looked; nobody kept it. */
static void rebuild_header(struct wr *w, const struct icmp_error *e,
			   const struct host_error_packet *p)
{
	const struct flow_key *k = &p->flow->key;
	bool ip4 = addr_is_ip4(&k->guest);
	uint8_t ttl = is_time_exceeded(e, ip4) ? 1 : p->ttl;

	if (ip4)
		ip4_encode(w, &(struct ip4_hdr){ .tos = p->tos,
						 .total_len = (uint16_t)(IP4_HEADER_LEN + p->len),
						 .dont_fragment = p->dont_fragment,
						 .ttl = ttl,
						 .proto = p->proto,
						 .src = k->guest,
						 .dst = k->peer });
	else
		ip6_encode(w, &(struct ip6_hdr){ .traffic_class = p->tos,
						 .payload_len = (uint16_t)p->len,
						 .next_header = p->proto,
						 .hop_limit = ttl,
						 .src = k->guest,
						 .dst = k->peer });
}

/* Who says so in the guest's eyes. */
static struct addr sender(const struct net *net, const struct host_error *e, const struct flow *f)
{
	if (addr_eq(&e->from, &f->peer.addr))
		return f->key.peer;
	if (addr_is_ip4(&e->from) != addr_is_ip4(&f->key.guest))
		return net_ip(net, &f->key.guest)->gateway;
	return net_to_guest(net, &e->from);
}

bool host_error_send(struct env *env, const struct host_error *e,
		     const struct host_error_packet *p)
{
	const struct flow_key *k = &p->flow->key;
	uint8_t packet[IP6_HEADER_LEN + UDP_HEADER_LEN + HOST_ERROR_QUOTE_MAX];
	struct wr w = wr_init(packet, sizeof(packet));
	struct pkt quoted = { .ip = packet, .src = k->guest, .dst = k->peer, .proto = p->proto };
	struct addr from = sender(env->net, e, p->flow);
	bool ip4 = addr_is_ip4(&e->from);
	struct icmp_error icmp = e->icmp;

	if (!is_relayed(e, ip4) ||
	    (ip4 != addr_is_ip4(&k->guest) && !in_other_family(&icmp, ip4, &k->guest)))
		return false;
	rebuild_header(&w, &icmp, p);
	quoted.ip_header_len = wr_len(&w);
	wr_bytes(&w, p->l4, p->l4_len < wr_left(&w) ? p->l4_len : wr_left(&w));
	quoted.ip_len = wr_len(&w);
	return guest_send_icmp_error(env, &quoted, &from, &icmp);
}
