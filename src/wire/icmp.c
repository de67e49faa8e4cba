/* wire/icmp.c: ICMP for IPv4. */
#include "wire/icmp.h"

void icmp_decode(struct rd *r, struct icmp_hdr *h)
{
	h->type = rd_u8(r);
	h->code = rd_u8(r);
	rd_skip(r, 2);
	h->id = rd_be16(r);
	h->seq = rd_be16(r);
}

void icmp_encode(struct wr *w, const struct icmp_hdr *h)
{
	wr_u8(w, h->type);
	wr_u8(w, h->code);
	wr_be16(w, 0);
	wr_be16(w, h->id);
	wr_be16(w, h->seq);
}
