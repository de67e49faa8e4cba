/* wire/icmp.c: ICMP for IPv4. */
#include "wire/icmp.h"

#include "base/checksum.h"

void icmp_decode(struct rd *r, struct icmp_hdr *h)
{
	h->type = rd_u8(r);
	h->code = rd_u8(r);
	rd_skip(r, 2);
	h->id = rd_be16(r);
	h->seq = rd_be16(r);
}

void icmp_encode(struct wr *w, const struct icmp_hdr *h, const void *payload, size_t len)
{
	size_t start = wr_len(w);

	wr_u8(w, h->type);
	wr_u8(w, h->code);
	wr_be16(w, 0);
	wr_be16(w, h->id);
	wr_be16(w, h->seq);
	wr_bytes(w, payload, len);
	if (!w->error)
		wr_patch16(w, start + 2,
			   checksum_finish(checksum_add(0, w->start + start, ICMP_HEADER_LEN + len)));
}
