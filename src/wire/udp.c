/* wire/udp.c: UDP header. */
#include "wire/udp.h"

void udp_decode(struct rd *r, struct udp_hdr *h)
{
	h->sport = rd_be16(r);
	h->dport = rd_be16(r);
	h->len = rd_be16(r);
	h->checksum = rd_be16(r);
}

void udp_encode(struct wr *w, const struct udp_hdr *h)
{
	wr_be16(w, h->sport);
	wr_be16(w, h->dport);
	wr_be16(w, h->len);
	wr_be16(w, h->checksum);
}
