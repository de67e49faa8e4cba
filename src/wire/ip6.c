/* wire/ip6.c: IPv6 header and extension headers. */
#include "wire/ip6.h"

#include <errno.h>

#include "wire/icmp.h"
#include "wire/icmp6.h"
#include "wire/ip4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define OPTION_PAD1 0
#define OPTION_PADN 1

/* What the two high bits of an unknown option's type ask for (RFC 8200 4.2). */
enum option_action { ACTION_SKIP, ACTION_DISCARD, ACTION_REPORT, ACTION_REPORT_UNICAST };

int ip6_decode(struct rd *r, struct ip6_hdr *h)
{
	uint32_t first = rd_be32(r);
	uint8_t src[16], dst[16];

	h->traffic_class = (uint8_t)(first >> 20);
	h->flow_label = first & 0xfffff;
	h->payload_len = rd_be16(r);
	h->next_header = rd_u8(r);
	h->hop_limit = rd_u8(r);
	rd_bytes(r, src, sizeof(src));
	rd_bytes(r, dst, sizeof(dst));
	if (r->error || first >> 28 != 6)
		return -EINVAL;
	h->src = addr_ip6_bytes(src);
	h->dst = addr_ip6_bytes(dst);
	return addr_is_ip4(&h->src) || addr_is_ip4(&h->dst) ? -EINVAL : 0;
}

void ip6_encode(struct wr *w, const struct ip6_hdr *h)
{
	wr_be32(w, 6u << 28 | (uint32_t)h->traffic_class << 20 | (h->flow_label & 0xfffff));
	wr_be16(w, h->payload_len);
	wr_u8(w, h->next_header);
	wr_u8(w, h->hop_limit);
	wr_bytes(w, h->src.b, 16);
	wr_bytes(w, h->dst.b, 16);
}

static int problem(struct ip6_chain *c, uint8_t code, size_t at)
{
	c->problem = true;
	c->problem_code = code;
	c->problem_at = (uint32_t)at;
	return -EPROTO;
}

/* Hop-by-hop and destination options: none is known, so each type says what to do with it. */
static int walk_options(struct rd *o, size_t at, struct ip6_chain *c)
{
	size_t len = rd_left(o);

	while (rd_left(o)) {
		size_t type_at = at + (len - rd_left(o));
		uint8_t type = rd_u8(o);

		if (type == OPTION_PAD1)
			continue;
		rd_skip(o, rd_u8(o));
		if (o->error)
			return -EINVAL;
		if (type == OPTION_PADN)
			continue;
		switch ((enum option_action)(type >> 6)) {
		case ACTION_SKIP:
			break;
		case ACTION_DISCARD:
			return -ECANCELED;
		case ACTION_REPORT:
			c->problem_of_groups = true;
			return problem(c, ICMP6_CODE_OPTION, type_at);
		case ACTION_REPORT_UNICAST:
			return problem(c, ICMP6_CODE_OPTION, type_at);
		}
	}
	return 0;
}

static int walk_fragment(struct rd *r, uint16_t at, uint16_t named_at, struct ip6_chain *c)
{
	uint16_t offset;

	c->proto = rd_u8(r);
	rd_skip(r, 1);
	offset = rd_be16(r);
	c->fragment_id = rd_be32(r);
	if (r->error)
		return -EINVAL;
	c->more_fragments = offset & 1;
	c->fragment_offset = offset & 0xfff8;
	c->fragment = c->more_fragments || c->fragment_offset;
	c->unfragmented_len = at;
	c->fragment_at = named_at;
	c->proto_at = at;
	c->len = (uint16_t)(at + IP6_FRAGMENT_LEN);
	return 0;
}

/* A header that tells its own length, in units of eight bytes without the first. */
static int walk_sized(struct rd *r, uint8_t type, uint16_t at, struct ip6_chain *c)
{
	struct rd body;
	uint8_t units;
	size_t len;

	c->proto = rd_u8(r);
	units = rd_u8(r);
	len = units * 8u + 8;
	body = rd_sub(r, len - 2);
	if (r->error || at + len > IP6_HEADER_LEN + IP6_EXTENSIONS_LEN)
		return -EINVAL;
	c->proto_at = at;
	c->len = (uint16_t)(at + len);
	if (type != IP6_ROUTING)
		return walk_options(&body, at + 2u, c);
	rd_skip(&body, 1);
	/* no routing type is known here; at the end of its way it does not matter (RFC 8200 4.4) */
	return rd_u8(&body) ? problem(c, ICMP6_CODE_FIELD, at + 2u) : 0;
}

int ip6_walk(struct rd *r, uint8_t next, struct ip6_chain *c)
{
	*c = (struct ip6_chain){ .proto = next, .proto_at = IP6_NEXT_HEADER_AT, .len = IP6_HEADER_LEN };
	for (int i = 0; !c->fragment; i++) {
		uint8_t type = c->proto;
		int rc;

		if (type != IP6_HOP_BY_HOP && type != IP6_ROUTING && type != IP6_FRAGMENT &&
		    type != IP6_DESTINATION_OPTIONS)
			return 0;
		if (i == IP6_EXTENSIONS_MAX)
			return -EINVAL;
		if (type == IP6_HOP_BY_HOP && i) /* only right behind the IPv6 header */
			return problem(c, ICMP6_CODE_NEXT_HEADER, c->proto_at);
		rc = type == IP6_FRAGMENT ? walk_fragment(r, c->len, c->proto_at, c)
					  : walk_sized(r, type, c->len, c);
		if (rc)
			return rc;
	}
	return 0;
}

bool ip6_has_all_headers(uint8_t next, const uint8_t *data, size_t len)
{
	while (next == IP6_HOP_BY_HOP || next == IP6_ROUTING || next == IP6_DESTINATION_OPTIONS) {
		size_t size = len > 1 ? (data[1] + 1u) * 8 : 8;

		if (size > len)
			return false;
		next = data[0];
		data += size;
		len -= size;
	}
	switch (next) {
	case IP_TCP:
		return len >= TCP_HEADER_LEN;
	case IP_UDP:
		return len >= UDP_HEADER_LEN;
	case IP_ICMP6:
		return len >= ICMP_HEADER_LEN;
	default:
		return true; /* of what is not relayed, nothing is put together for anybody */
	}
}
