/* wire/eth.c: Ethernet II header. */
#include "wire/eth.h"

void eth_decode(struct rd *r, struct eth_hdr *h)
{
	rd_bytes(r, h->dst.b, MAC_LEN);
	rd_bytes(r, h->src.b, MAC_LEN);
	h->type = rd_be16(r);
}

void eth_encode(struct wr *w, const struct eth_hdr *h)
{
	wr_bytes(w, h->dst.b, MAC_LEN);
	wr_bytes(w, h->src.b, MAC_LEN);
	wr_be16(w, h->type);
}
