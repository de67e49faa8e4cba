/* What the guest, the host's network and time can do to the guest's groups, in any order: each
 * byte picks a step, and the bytes behind it say with what. */
#include "proto/multicast.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/fake_groups.h"
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"

#define STEPS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_guest g;
static struct fake_udp udp;
static struct fake_groups host;

static void guest_reports(struct rd *r, bool ip6)
{
	size_t len = rd_u8(r);
	struct pkt p = { .ttl = 1, .proto = ip6 ? IP_ICMP6 : IP_IGMP };

	if (len > rd_left(r))
		len = rd_left(r);
	p.l4 = rd_view(r, len);
	p.l4_len = len;
	if (p.l4)
		multicast_from_guest(&g.env, &p);
}

static void someone_says(uint8_t n)
{
	static const uint8_t text[2000];
	struct endpoint from = { addr_ip4(0xc0000205), n };
	struct fake_group_sock *s = host.n_socks ? &host.socks[n % host.n_socks] : NULL;

	if (s && s->open)
		fake_groups_say(&g.env, s, &from, text, n * 7u);
	host.data = NULL;
}

static void step(struct rd *r)
{
	uint8_t what = rd_u8(r), n = rd_u8(r);
	struct endpoint group = { addr_ip4(0xe00000f0 + n / 16), 5350u + n % 16 };

	switch (what % 8) {
	case 0:
	case 1:
		guest_reports(r, what % 8);
		break;
	case 2:
		someone_says(n);
		break;
	case 3:
		g.room = n > 100 ? -1 : n;
		multicast_room(&g.env);
		break;
	case 4:
		fake_guest_advance(&g, n * NS_PER_SEC);
		break;
	case 5:
		multicast_flow(&g.env, &group);
		break;
	case 6:
		host.open_error = n & 1 ? EADDRINUSE : 0;
		multicast_network_changed(&g.env);
		break;
	case 7:
		multicast_guest_down(&g.env);
		multicast_guest_up(&g.env);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	fake_guest_init(&g);
	fake_udp_init(&udp);
	memset(&host, 0, sizeof(host));
	g.conf.multicast = g.conf.multicast_usual = true;
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &udp);
	g.env.multicast = multicast_new(&g.env, &fake_groups_ops, &host);
	for (int i = 0; i < STEPS_MAX && rd_left(&r) && host.n_socks < FAKE_GROUPS_SOCKS / 2;
	     i++) {
		step(&r);
		fake_guest_clear(&g);
	}
	multicast_free(&g.env, g.env.multicast);
	if (g.env.timers.n || host.n_open)
		abort();
	udp_free(g.env.udp);
	fake_udp_free(&udp);
	fake_guest_free(&g);
	return 0;
}
