/* What guest, peers, clients and the network can do to UDP flows, in any order: each byte picks
 * a step, and the bytes behind it say with what. */
#include <errno.h>
#include <stdlib.h>

#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "proto/icmp.h"
#include "proto/udp.h"

#define STEPS_MAX 400 /* no more than the fakes can keep */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_guest g;
static struct fake_udp host;
static struct packet packets[STEPS_MAX];
static struct udp_client_sock listener;

static int listener_send(struct udp_client_sock *s, const struct udp_client *client,
			 struct udp_path *path, const struct host_ip *ip, const struct iovec *d, int n)
{
	return client->addr.port & 1 ? -EAGAIN : n;
}

static void want_write(struct udp_client_sock *s, bool want)
{
}

static void room(struct udp_client_sock *s)
{
}

static int read_errors(struct udp_client_sock *s)
{
	return 0;
}

static const struct udp_client_ops client_ops = { listener_send, want_write, room, read_errors };

static void guest_sends(struct rd *r, struct packet *p)
{
	uint8_t ports = rd_u8(r), ttl = rd_u8(r);
	size_t len = rd_u8(r) * 5u;
	uint32_t dst = ttl == 255 ? 0xe00000fb : ttl == 254 ? 0xffffffff : ports & 1 ? 0x0a000202 : 0;

	packet_udp(p, &(struct packet_ip){ .dst = dst, .ttl = ttl },
		   ports >> 4, (ports >> 1) & 3, NULL, len);
	udp_from_guest(&g.env, &p->pkt);
}

static void guest_complains(struct rd *r, struct packet *p)
{
	struct icmp_hdr h = { .type = rd_u8(r), .code = rd_u8(r) };
	size_t len = rd_u8(r);

	if (len > rd_left(r))
		len = rd_left(r);
	if (h.type == ICMP_TYPE_ECHO)
		return;
	packet_icmp(p, &(struct packet_ip){ 0 }, &h, rd_view(r, len), len);
	icmp_from_guest(&g.env, &p->pkt);
}

/* some look alike to the guest */
static struct udp_client client_at(uint8_t port)
{
	return (struct udp_client){ { addr_ip4(0x7f000001 + port % 3), port / 16 }, addr_ip4(0xcb007109), 0 };
}

/* Of what was sent to a peer, or to a client. */
static void network_complains(struct rd *r, struct fake_udp_sock *s, uint8_t port)
{
	struct host_error e = { .icmp.type = rd_u8(r), .icmp.code = rd_u8(r), .icmp.rest = rd_be16(r) };
	struct endpoint to = { addr_ip4(0x0a00020f), 1 };
	struct udp_client client = client_at(port);
	struct addr shown = net_to_guest(&g.net, &client.addr.addr);

	e.len = rd_u8(r) * 2u;
	e.from = e.icmp.code & 2 ? client.addr.addr : ADDR_LOOPBACK6;
	udp_client_error(&g.env, &listener, &client, &shown, &to, &e);
	if (!s)
		return;
	if (s->n_errors < 8)
		s->errors[s->n_errors++] = e;
	s->send_error_once = e.icmp.code & 1 ? ECONNREFUSED : 0;
}

static void client_sends(struct rd *r)
{
	static const uint8_t payload[2000];
	uint8_t port = rd_u8(r);
	struct udp_client client = client_at(port);
	struct addr shown = net_to_guest(&g.net, &client.addr.addr);
	struct endpoint to = { addr_ip4(0x0a00020f), 1 };

	udp_from_client(&g.env, &listener, &client, &shown, &to, payload, rd_u8(r) * 7u);
}

static void step(struct rd *r, struct packet *p)
{
	static const uint8_t reply[2550];
	uint8_t what = rd_u8(r), n = rd_u8(r);
	struct fake_udp_sock *s = host.n_socks ? &host.socks[n % host.n_socks] : NULL;

	switch (what % 10) {
	case 0:
		guest_sends(r, p);
		break;
	case 1:
		udp_batch_end(&g.env);
		break;
	case 2:
		if (s) {
			s->from = (struct endpoint){ addr_ip4(0xcb007109 + n / 128), n % 4 };
			s->to_all = n & 1;
			fake_udp_put(s, reply, n * 10u);
		}
		break;
	case 3:
		network_complains(r, s, n);
		break;
	case 4:
		udp_batch_end(&g.env); /* frames do not outlive it */
		fake_guest_advance(&g, n * NS_PER_SEC);
		break;
	case 5:
		g.room = n > 20 ? -1 : n;
		udp_room(&g.env);
		break;
	case 6:
		client_sends(r);
		break;
	case 7:
		guest_complains(r, p);
		break;
	case 8:
		if (s)
			s->room = n > 200 ? -1 : n % 4;
		break;
	case 9:
		host.open_max = n % 8;
		udp_client_writable(&g.env, &listener);
		break;
	}
}

static void close_all(enum flow_close_reason reason)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &g.env.flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(&g.env, f, reason);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	fake_guest_init(&g);
	fake_udp_init(&host);
	udp_client_sock_init(&listener, &client_ops, 53);
	g.env.flows.max = 12;
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &host);
	for (int i = 0; i < STEPS_MAX && rd_left(&r); i++) {
		step(&r, &packets[i]);
		fake_udp_run(&g.env, &host);
		fake_guest_clear(&g);
	}
	close_all(FLOW_CLOSED_GUEST_LEFT);
	if (g.env.timers.n || g.env.flows.n)
		abort();
	udp_free(g.env.udp);
	fake_udp_free(&host);
	fake_guest_free(&g);
	return 0;
}
