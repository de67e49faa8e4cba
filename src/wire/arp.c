/* wire/arp.c: ARP for IPv4 over Ethernet. */
#include "wire/arp.h"

#include <errno.h>

#define ARP_HARDWARE_ETHERNET 1
#define ARP_PROTOCOL_IP4      0x0800

int arp_decode(struct rd *r, struct arp_msg *m)
{
	uint16_t hardware = rd_be16(r), protocol = rd_be16(r);
	uint8_t hardware_len = rd_u8(r), protocol_len = rd_u8(r);
	uint8_t spa[4], tpa[4];

	m->op = rd_be16(r);
	rd_bytes(r, m->sha.b, MAC_LEN);
	rd_bytes(r, spa, 4);
	rd_bytes(r, m->tha.b, MAC_LEN);
	rd_bytes(r, tpa, 4);
	m->spa = addr_ip4_bytes(spa);
	m->tpa = addr_ip4_bytes(tpa);
	if (r->error || hardware != ARP_HARDWARE_ETHERNET || protocol != ARP_PROTOCOL_IP4 ||
	    hardware_len != MAC_LEN || protocol_len != 4)
		return -EINVAL;
	return 0;
}

void arp_encode(struct wr *w, const struct arp_msg *m)
{
	wr_be16(w, ARP_HARDWARE_ETHERNET);
	wr_be16(w, ARP_PROTOCOL_IP4);
	wr_u8(w, MAC_LEN);
	wr_u8(w, 4);
	wr_be16(w, m->op);
	wr_bytes(w, m->sha.b, MAC_LEN);
	wr_bytes(w, m->spa.b + 12, 4);
	wr_bytes(w, m->tha.b, MAC_LEN);
	wr_bytes(w, m->tpa.b + 12, 4);
}
