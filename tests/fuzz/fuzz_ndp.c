/* Neighbor discovery under a guest that says anything: records of ICMPv6 messages, or of what
 * the host changes to.  What comes out must be what a guest can read. */
#include <stdlib.h>

#include "base/log.h"
#include "base/name.h"
#include "lib/fake_guest.h"
#include "proto/guest_addr.h"
#include "proto/ndp.h"

/* The first byte of a record, beside the sender's choice; its second byte is a time in seconds,
 * the next two the length. */
#define RECORD_NET     0x80 /* a search list and a prefix length */
#define RECORD_IP6_OFF 0x40 /* ... and none of IPv6 */
#define RECORD_HOPS    0x20 /* hop limit 64 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_guest g;

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Options are whole, and none is without length; a search list has a name. */
static void check_options(const struct pkt *p, size_t at)
{
	struct rd r = rd_init(p->payload, p->payload_len);

	rd_skip(&r, at);
	while (rd_left(&r)) {
		uint8_t type = rd_u8(&r), units = rd_u8(&r);
		const uint8_t *value;

		check(units);
		value = rd_view(&r, units * 8u - 2);
		check(value);
		if (type == 31)
			check(units > 1 && value[6]);
	}
	check(!r.error);
}

static void check_frames(void)
{
	for (size_t i = 0; i < g.n_frames; i++) {
		struct pkt p;

		check(pkt_decode(g.frames[i].data, g.frames[i].len, &p) == DROP_NONE);
		check(p.eth.type == ETHERTYPE_IP6 && p.ip_len <= IP6_MTU_MIN && p.ttl == 255);
		check(p.icmp.type == 134 || p.icmp.type == 136);
		check_options(&p, p.icmp.type == 134 ? 8 : 16);
	}
	fake_guest_clear(&g);
}

static void give(uint8_t flags, const uint8_t *msg, size_t len)
{
	static const uint8_t sources[4][16] = { { 0 },
						{ 0xfe, 0x80, [15] = 0xf },
						{ 0x20, 1, 0xd, 0xb8, [15] = 0xf },
						{ 0xfe, 0x80, [15] = 2 } };
	static uint8_t frame[ETH_FRAME_MAX];
	struct wr w = wr_init(frame, sizeof(frame));
	struct ip6_hdr ip = { .payload_len = (uint16_t)len,
			      .next_header = IP_ICMP6,
			      .hop_limit = flags & RECORD_HOPS ? 64 : 255,
			      .src = addr_ip6_bytes(sources[flags & 3]),
			      .dst = ADDR_ALL_NODES6 };
	struct pkt p;

	if (flags & 4 && len >= 24) /* the group of the target */
		ip.dst = (struct addr){ .b = { 0xff, 2, [11] = 1, [12] = 0xff, msg[21], msg[22],
					       msg[23] } };
	eth_encode(&w, &(struct eth_hdr){ .src = fake_guest_mac, .type = ETHERTYPE_IP6 });
	ip6_encode(&w, &ip);
	wr_bytes(&w, msg, len);
	if (pkt_decode(frame, wr_len(&w), &p) == DROP_NONE)
		ndp_from_guest(&g.env, &p);
	check(g.n_frames <= 1);
}

/* A byte for the prefix length, names with a zero behind each. */
static void change_net(bool on, struct rd r)
{
	g.net.ip6.on = on;
	g.net.ip6.prefix_len = rd_u8(&r) % 129;
	g.net.n_search = 0;
	while (rd_left(&r) && g.net.n_search < CONF_SEARCH_MAX) {
		const uint8_t *end = memchr(r.p, 0, rd_left(&r));
		size_t len = end ? (size_t)(end - r.p) : rd_left(&r);

		if (!name_parse((const char *)r.p, len, g.net.search[g.net.n_search],
				CONF_NAME_MAX))
			g.net.n_search++;
		rd_skip(&r, len + 1);
	}
	ndp_announce(&g.env);
}

static void discard(enum log_level level, enum log_unit unit, const char *line)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	log_set_sink(discard);
	fake_guest_init(&g);
	g.env.ndp = ndp_new(&g.env);
	g.net.dns[0] = addr_of("2001:db8:2::3");
	g.net.n_dns = 1;
	while (rd_left(&r) >= 4) {
		uint8_t flags = rd_u8(&r);
		uint64_t wait_ns = rd_u8(&r) * NS_PER_SEC;
		size_t len = rd_be16(&r);

		fake_guest_advance(&g, wait_ns);
		check_frames();
		len = len < rd_left(&r) ? len : rd_left(&r);
		if (flags & RECORD_NET)
			change_net(!(flags & RECORD_IP6_OFF), rd_sub(&r, len));
		else
			give(flags, rd_view(&r, len), len);
		check_frames();
	}
	ndp_free(g.env.ndp);
	check(!g.env.timers.n && addr_is_ip4(&g.env.guest.addr) == g.env.guest.addr_known);
	fake_guest_free(&g);
	return 0;
}
