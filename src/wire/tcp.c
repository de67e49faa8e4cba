/* wire/tcp.c: TCP segment header and options. */
#include "wire/tcp.h"

#include <errno.h>

enum option_kind {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_SACK = 5
};

static void decode_sack(struct rd *o, struct tcp_hdr *h)
{
	while (rd_left(o) >= 8 && h->n_sack < TCP_SACK_BLOCKS_MAX) {
		struct tcp_sack_block *b = &h->sack[h->n_sack++];

		b->left = rd_be32(o);
		b->right = rd_be32(o);
	}
}

static void decode_option(uint8_t kind, struct rd o, struct tcp_hdr *h)
{
	size_t len = rd_left(&o);

	if (kind == OPT_MSS && len == 2) {
		h->mss = rd_be16(&o);
	} else if (kind == OPT_WSCALE && len == 1) {
		h->has_wscale = true;
		h->wscale = rd_u8(&o);
		if (h->wscale > TCP_WSCALE_MAX)
			h->wscale = TCP_WSCALE_MAX;
	} else if (kind == OPT_SACK_PERMITTED && len == 0) {
		h->sack_permitted = true;
	} else if (kind == OPT_SACK) {
		decode_sack(&o, h);
	}
}

static void decode_options(struct rd o, struct tcp_hdr *h)
{
	while (rd_left(&o)) {
		uint8_t kind = rd_u8(&o), len;

		if (kind == OPT_END)
			return;
		if (kind == OPT_NOP)
			continue;
		len = rd_u8(&o);
		if (o.error || len < 2 || rd_left(&o) < len - 2u)
			return;
		decode_option(kind, rd_sub(&o, len - 2u), h);
	}
}

int tcp_decode(struct rd *r, struct tcp_hdr *h)
{
	struct rd options;

	*h = (struct tcp_hdr){ 0 };
	h->sport = rd_be16(r);
	h->dport = rd_be16(r);
	h->seq = rd_be32(r);
	h->ack = rd_be32(r);
	h->header_len = (uint8_t)((rd_u8(r) >> 4) * 4);
	h->flags = rd_u8(r);
	h->window = rd_be16(r);
	rd_skip(r, 4);
	if (r->error || h->header_len < TCP_HEADER_LEN)
		return -EINVAL;
	if (h->header_len == TCP_HEADER_LEN)
		return 0;
	options = rd_sub(r, h->header_len - (size_t)TCP_HEADER_LEN);
	if (r->error)
		return -EINVAL;
	decode_options(options, h);
	return 0;
}

static void encode_options(struct wr *w, const struct tcp_hdr *h)
{
	if (h->mss) {
		wr_u8(w, OPT_MSS);
		wr_u8(w, 4);
		wr_be16(w, h->mss);
	}
	if (h->sack_permitted) {
		wr_u8(w, OPT_NOP);
		wr_u8(w, OPT_NOP);
		wr_u8(w, OPT_SACK_PERMITTED);
		wr_u8(w, 2);
	}
	if (h->has_wscale) {
		wr_u8(w, OPT_NOP);
		wr_u8(w, OPT_WSCALE);
		wr_u8(w, 3);
		wr_u8(w, h->wscale);
	}
	if (h->n_sack) {
		wr_u8(w, OPT_NOP);
		wr_u8(w, OPT_NOP);
		wr_u8(w, OPT_SACK);
		wr_u8(w, (uint8_t)(2 + 8 * h->n_sack));
		for (int i = 0; i < h->n_sack; i++) {
			wr_be32(w, h->sack[i].left);
			wr_be32(w, h->sack[i].right);
		}
	}
}

size_t tcp_encode(struct wr *w, const struct tcp_hdr *h)
{
	size_t start = wr_len(w), len;

	wr_be16(w, h->sport);
	wr_be16(w, h->dport);
	wr_be32(w, h->seq);
	wr_be32(w, h->ack);
	wr_u8(w, 0);
	wr_u8(w, h->flags);
	wr_be16(w, h->window);
	wr_be32(w, 0);
	encode_options(w, h);
	if (w->error)
		return 0;
	len = wr_len(w) - start;
	w->start[start + 12] = (uint8_t)(len / 4 << 4);
	return len;
}
