/* wire/ip4.c: IPv4 header. */
#include "wire/ip4.h"

#include <errno.h>

#include "base/checksum.h"

#define FLAG_DF	    0x4000
#define FLAG_MF	    0x2000
#define OFFSET_MASK 0x1fff

int ip4_decode(struct rd *r, struct ip4_hdr *h)
{
	uint8_t version_ihl = rd_u8(r);
	uint16_t fragment;
	uint8_t src[4], dst[4];

	h->header_len = (uint8_t)((version_ihl & 0xf) * 4);
	h->tos = rd_u8(r);
	h->total_len = rd_be16(r);
	h->id = rd_be16(r);
	fragment = rd_be16(r);
	h->dont_fragment = fragment & FLAG_DF;
	h->more_fragments = fragment & FLAG_MF;
	h->fragment_offset = (uint16_t)((fragment & OFFSET_MASK) * 8);
	h->ttl = rd_u8(r);
	h->proto = rd_u8(r);
	rd_skip(r, 2);
	rd_bytes(r, src, 4);
	rd_bytes(r, dst, 4);
	h->src = addr_ip4_bytes(src);
	h->dst = addr_ip4_bytes(dst);
	if (version_ihl >> 4 != 4 || h->header_len < IP4_HEADER_LEN || h->total_len < h->header_len)
		return -EINVAL;
	rd_skip(r, h->header_len - (size_t)IP4_HEADER_LEN);
	return r->error ? -EINVAL : 0;
}

void ip4_encode(struct wr *w, const struct ip4_hdr *h)
{
	size_t start = wr_len(w);
	uint16_t fragment = (uint16_t)(h->fragment_offset / 8 | (h->dont_fragment ? FLAG_DF : 0) |
				       (h->more_fragments ? FLAG_MF : 0));

	wr_u8(w, 4 << 4 | IP4_HEADER_LEN / 4);
	wr_u8(w, h->tos);
	wr_be16(w, h->total_len);
	wr_be16(w, h->id);
	wr_be16(w, fragment);
	wr_u8(w, h->ttl);
	wr_u8(w, h->proto);
	wr_be16(w, 0);
	wr_bytes(w, h->src.b + 12, 4);
	wr_bytes(w, h->dst.b + 12, 4);
	if (!w->error)
		wr_patch16(w, start + 10,
			   checksum_finish(checksum_add(0, w->start + start, IP4_HEADER_LEN)));
}
