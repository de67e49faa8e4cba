/* proto/host_error.c: errors of the host's network, told to the guest as ICMP. */
#include "proto/host_error.h"

#include <errno.h>

#include "proto/guest.h"

static uint8_t code_from_errno(int error)
{
	switch (error) {
	case ENETUNREACH:
	case ENETDOWN:
		return ICMP_CODE_NET;
	case EPERM:
	case EACCES:
		return ICMP_CODE_ADMIN_PROHIBITED;
	case ECONNREFUSED:
		return ICMP_CODE_PORT;
	case EPROTONOSUPPORT:
	case ENOPROTOOPT:
		return ICMP_CODE_PROTOCOL;
	default:
		return ICMP_CODE_HOST;
	}
}

struct host_error host_error_from_errno(const struct net *net, int error)
{
	return (struct host_error){ .type = ICMP_TYPE_UNREACHABLE,
				    .code = code_from_errno(error),
				    .from = net->gateway };
}

/* The guest's packet as it must have looked; nobody kept it. */
static struct ip4_hdr rebuild_header(const struct host_error *e,
				     const struct host_error_packet *p)
{
	return (struct ip4_hdr){ .tos = p->tos,
				 .total_len = (uint16_t)(IP4_HEADER_LEN + p->len),
				 .dont_fragment = p->dont_fragment,
				 .ttl = e->type == ICMP_TYPE_TIME_EXCEEDED ? 1 : p->ttl,
				 .proto = p->proto,
				 .src = p->flow->key.guest,
				 .dst = p->flow->key.peer };
}

void host_error_send(struct env *env, const struct host_error *e,
		     const struct host_error_packet *p)
{
	uint8_t packet[IP4_HEADER_LEN + UDP_HEADER_LEN + HOST_ERROR_QUOTE_MAX];
	struct wr w = wr_init(packet, sizeof(packet));
	struct ip4_hdr ip = rebuild_header(e, p);
	struct pkt quoted = {
		.ip = packet, .ip4 = ip, .src = ip.src, .dst = ip.dst, .proto = p->proto
	};
	struct addr from = addr_eq(&e->from, &p->flow->peer.addr)
				   ? p->flow->key.peer
				   : net_to_guest(env->net, &e->from);

	if (e->type != ICMP_TYPE_UNREACHABLE && e->type != ICMP_TYPE_TIME_EXCEEDED &&
	    e->type != ICMP_TYPE_PARAMETER_PROBLEM)
		return;
	ip4_encode(&w, &ip);
	wr_bytes(&w, p->l4, p->l4_len < wr_left(&w) ? p->l4_len : wr_left(&w));
	quoted.ip_len = wr_len(&w);
	quoted.icmp.type = ICMP_TYPE_ECHO; /* the only ICMP that host sockets send */
	guest_send_icmp_error(env, &quoted, &from, e->type, e->code, e->mtu);
}
