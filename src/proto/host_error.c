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

static bool is_time_exceeded(const struct host_error *e, bool ip4)
{
	return e->icmp.type == (ip4 ? ICMP_TYPE_TIME_EXCEEDED : ICMP6_TYPE_TIME_EXCEEDED);
}

/* Writes the guest's header as it must have looked; nobody kept it. */
static void rebuild_header(struct wr *w, const struct host_error *e,
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

void host_error_send(struct env *env, const struct host_error *e,
		     const struct host_error_packet *p)
{
	const struct flow_key *k = &p->flow->key;
	uint8_t packet[IP6_HEADER_LEN + UDP_HEADER_LEN + HOST_ERROR_QUOTE_MAX];
	struct wr w = wr_init(packet, sizeof(packet));
	struct pkt quoted = { .ip = packet, .src = k->guest, .dst = k->peer, .proto = p->proto };
	struct addr from = addr_eq(&e->from, &p->flow->peer.addr) ? k->peer
								  : net_to_guest(env->net, &e->from);

	if (!is_relayed(e, addr_is_ip4(&k->guest)))
		return;
	rebuild_header(&w, e, p);
	quoted.ip_header_len = wr_len(&w);
	wr_bytes(&w, p->l4, p->l4_len < wr_left(&w) ? p->l4_len : wr_left(&w));
	quoted.ip_len = wr_len(&w);
	guest_send_icmp_error(env, &quoted, &from, &e->icmp);
}
