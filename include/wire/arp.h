/* wire/arp.h: ARP for IPv4 over Ethernet (RFC 826). */
#ifndef WIRE_ARP_H
#define WIRE_ARP_H

#include "base/addr.h"
#include "base/cursor.h"

#define ARP_WIRE_LEN 28

enum arp_op { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_msg {
	uint16_t op;
	struct mac sha; /* sender hardware address */
	struct addr spa; /* sender protocol address */
	struct mac tha;
	struct addr tpa;
};

/* 0, or -EINVAL when truncated or not Ethernet and IPv4. */
int arp_decode(struct rd *r, struct arp_msg *m);
void arp_encode(struct wr *w, const struct arp_msg *m);

#endif
