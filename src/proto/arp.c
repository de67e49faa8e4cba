/* proto/arp.c: answers the guest's ARP requests. */
#include "proto/arp.h"

#include "proto/guest.h"
#include "proto/guest_addr.h"
#include "wire/arp.h"

static void send(struct env *env, bool bulk, const struct mac *dst, const struct arp_msg *m)
{
	uint8_t *frame;
	struct wr w;

	if (env->guest_ops->reserve(env->link, bulk, ETH_HEADER_LEN + ARP_WIRE_LEN, 1, &frame) < 1)
		return;
	w = wr_init(frame, ETH_HEADER_LEN + ARP_WIRE_LEN);
	eth_encode(&w, &(struct eth_hdr){ .dst = *dst, .src = env->net->mac, .type = ETHERTYPE_ARP });
	arp_encode(&w, m);
	env->guest_ops->commit(env->link, 1, wr_len(&w));
}

enum drop arp_from_guest(struct env *env, const struct pkt *p)
{
	struct rd r = rd_init(p->l4, p->l4_len);
	struct arp_msg m;

	if (arp_decode(&r, &m))
		return DROP_ARP;
	if (m.op != ARP_REQUEST)
		return DROP_NONE;
	env->stats.arp_requests++;
	if (addr_eq(&m.tpa, &m.spa) || guest_addr_is_own(env, &m.tpa))
		return DROP_NONE;
	env->stats.arp_replies++;
	send(env, false, &p->eth.src,
	     &(struct arp_msg){ .op = ARP_REPLY,
				.sha = env->net->mac,
				.spa = m.tpa,
				.tha = m.sha,
				.tpa = m.spa });
	return DROP_NONE;
}

void arp_announce(struct env *env)
{
	if (!env->net->ip4.on)
		return;
	send(env, true, &MAC_BROADCAST,
	     &(struct arp_msg){ .op = ARP_REQUEST,
				.sha = env->net->mac,
				.spa = env->net->ip4.gateway,
				.tpa = env->net->ip4.guest });
}
