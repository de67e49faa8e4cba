/* wire/eth.h: Ethernet II header (IEEE 802.3). */
#ifndef WIRE_ETH_H
#define WIRE_ETH_H

#include "base/addr.h"
#include "base/cursor.h"

#define ETH_HEADER_LEN	14
#define ETH_FRAME_MIN	60 /* without FCS; shorter ones to the guest are padded */
#define ETH_FRAME_MAX	(40 + 65535 + ETH_HEADER_LEN) /* with the largest IPv6 packet */

enum ethertype {
	ETHERTYPE_IP4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IP6 = 0x86dd,
	ETHERTYPE_QINQ = 0x88a8
};

struct eth_hdr {
	struct mac dst, src;
	uint16_t type;
};

void eth_decode(struct rd *r, struct eth_hdr *h);
void eth_encode(struct wr *w, const struct eth_hdr *h);

#endif
