/* Sequences of fragments, from hostile bytes: each record is a fragment or a step in time. */
#include "base/checksum.h"
#include "lib/fake_guest.h"
#include "proto/reassembly.h"

#define RECORD_STEP_TIME 0xff

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_guest g;

/* Behind the fixed header, destination options with `flags` & 8. */
static void write_ip6(struct wr *w, uint8_t id, uint8_t flags, uint16_t offset, size_t len)
{
	bool options = flags & 8;

	eth_encode(w, &(struct eth_hdr){ .type = ETHERTYPE_IP6 });
	ip6_encode(w, &(struct ip6_hdr){ .payload_len = (uint16_t)(IP6_FRAGMENT_LEN + (options ? 8 : 0) + len),
					 .next_header = options ? IP6_DESTINATION_OPTIONS : IP6_FRAGMENT,
					 .hop_limit = 64,
					 .src = addr_of("2001:db8:2::f"),
					 .dst = addr_of("2001:db8:1::2") });
	if (options)
		wr_bytes(w, "\x2c\0\1\4\0\0\0\0", 8);
	wr_u8(w, flags & 2 ? IP_ICMP6 : flags & 16 ? IP6_DESTINATION_OPTIONS : IP_UDP);
	wr_u8(w, 0);
	wr_be16(w, (uint16_t)(offset / 8 * 8 | (flags & 1)));
	wr_be32(w, id & 3);
}

static void write_ip4(struct wr *w, uint8_t id, uint8_t flags, uint16_t offset, size_t len)
{
	struct ip4_hdr ip = { .total_len = (uint16_t)(IP4_HEADER_LEN + len),
			      .id = id & 3,
			      .more_fragments = flags & 1,
			      .fragment_offset = (uint16_t)(offset / 8 * 8),
			      .ttl = 64,
			      .proto = flags & 2 ? IP_ICMP : IP_UDP,
			      .src = addr_ip4(0x0a00020f),
			      .dst = addr_ip4(0xc6336402) };

	eth_encode(w, &(struct eth_hdr){ .type = ETHERTYPE_IP4 });
	ip4_encode(w, &ip);
}

static void give(uint8_t id, uint8_t flags, uint16_t offset, const uint8_t *payload, size_t len)
{
	static uint8_t frame[ETH_FRAME_MAX];
	struct wr w = wr_init(frame, sizeof(frame));
	struct pkt p, whole;
	bool complete;

	if (flags & 4)
		write_ip6(&w, id, flags, offset, len);
	else
		write_ip4(&w, id, flags, offset, len);
	wr_bytes(&w, payload, len);
	if (pkt_decode(frame, wr_len(&w), &p) != DROP_NONE || !p.fragment)
		return;
	if (reassembly_from_guest(&g.env, &p, &whole, &complete) != DROP_NONE || !complete)
		return;
	checksum_add(0, whole.ip, whole.ip_len); /* reads it all */
	if (whole.ip + whole.ip_len != whole.l4 + whole.l4_len)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	fake_guest_init(&g);
	g.conf.limits.fragments = 3;
	g.env.reassembly = reassembly_new(&g.env);
	while (rd_left(&r) >= 6) {
		uint8_t id = rd_u8(&r), flags = rd_u8(&r);
		uint16_t offset = rd_be16(&r);
		size_t len = rd_be16(&r);

		if (id == RECORD_STEP_TIME) {
			fake_guest_advance(&g, offset * NS_PER_SEC / 100);
			fake_guest_clear(&g);
			continue;
		}
		if (len > rd_left(&r))
			len = rd_left(&r);
		give(id, flags, offset, rd_view(&r, len), len);
	}
	reassembly_reset(&g.env);
	reassembly_free(g.env.reassembly);
	fake_guest_free(&g);
	return 0;
}
