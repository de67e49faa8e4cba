/* proto/icmp_unreachable.c: what the guest says of packets that it cannot, or will not, deliver. */
#include "proto/icmp.h"

#include "proto/tcp/tcp.h"
#include "proto/udp.h"
#include "wire/icmp6.h"

/* The guest, or a firewall of its own, refuses what we sent it; what it quotes names the flow. */
static enum drop refused(struct env *env, const struct pkt *p)
{
	struct endpoint guest, peer;
	struct pkt quoted;
	uint32_t seq;
	struct rd r;

	if (pkt_decode_quote(p->payload, p->payload_len, &quoted) != DROP_NONE)
		return DROP_ICMP_HEADER;
	if ((quoted.proto != IP_UDP && quoted.proto != IP_TCP) || quoted.fragment ||
	    !addr_eq(&quoted.dst, &p->src))
		return DROP_NONE;
	/* both begin with the ports; TCP's sequence number comes next */
	r = rd_init(quoted.l4, quoted.l4_len);
	peer = (struct endpoint){ quoted.src, rd_be16(&r) };
	guest = (struct endpoint){ quoted.dst, rd_be16(&r) };
	seq = rd_be32(&r);
	if (r.error)
		return DROP_ICMP_HEADER;
	if (quoted.proto == IP_UDP)
		udp_refused_by_guest(env, &guest, &peer);
	else
		tcp_refused_by_guest(env, &guest, &peer, seq);
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

bool icmp_is_unreachable(const struct pkt *p)
{
	return p->icmp.type == (addr_is_ip4(&p->src) ? ICMP_TYPE_UNREACHABLE : ICMP6_TYPE_UNREACHABLE);
}

enum drop icmp_unreachable_from_guest(struct env *env, const struct pkt *p)
{
	return is_refusal(&p->icmp, addr_is_ip4(&p->src)) ? refused(env, p) : DROP_NONE;
}
