/* What the guest may say of the packets that it got: a TCP connection and a UDP flow of each family
 * send, and each step of the input lets time pass, more be sent, or the guest complain of one of
 * the latest packets, with some of its bytes changed. */
#include "base/checksum.h"
#include "lib/fake_guest.h"
#include "lib/fake_host.h"
#include "lib/fake_udp.h"
#include "lib/must.h"
#include "lib/packets.h"
#include "lib/tcp_holds.h"
#include "proto/tcp/conn.h"
#include "proto/udp.h"
#include "wire/icmp6.h"

#define STEPS_MAX 200
#define WRITE_MAX 60000 /* of one host side */
#define KEPT	  8
#define KEPT_LEN  128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The beginnings of the latest packets to the guest. */
static struct {
	uint8_t ip[KEPT_LEN];
	size_t len;
} kept[KEPT];
static unsigned n_kept;

static struct fake_guest g;
static struct fake_udp udp_host;
static struct fake_host hosts[2]; /* of IPv4, of IPv6 */
static struct packet packet;

static void look(const struct fake_frame *f)
{
	size_t len = f->len - ETH_HEADER_LEN;
	struct pkt p;
	uint64_t sum;

	must(pkt_decode(f->data, f->len, &p) == DROP_NONE && p.ip_len <= g.net.mtu);
	if (!p.fragment && (p.proto == IP_TCP || p.proto == IP_UDP)) {
		sum = checksum_add_pseudo(0, &p.src, &p.dst, p.proto, (uint32_t)p.l4_len);
		must(!checksum_finish(checksum_add(sum, p.l4, p.l4_len)));
	}
	len = len < KEPT_LEN ? len : KEPT_LEN;
	memcpy(kept[n_kept % KEPT].ip, f->data + ETH_HEADER_LEN, len);
	kept[n_kept++ % KEPT].len = len;
}

static void check_all(void)
{
	const struct path_mtus *m = &g.env.path_mtus;

	must(m->n <= PATH_MTU_PATHS);
	for (unsigned i = 0; i < m->n; i++) {
		bool ip4 = addr_is_ip4(&m->paths[i].dst);

		must(m->paths[i].mtu < g.net.mtu);
		must(m->paths[i].mtu >= (ip4 ? PATH_MTU_MIN4 : IP6_MTU_MIN));
		/* nobody is narrowed but whom something was sent to */
		must(addr_eq(&m->paths[i].dst, ip4 ? &g.net.ip4.guest : &g.net.ip6.guest));
	}
	for (size_t i = 0; i < g.n_frames; i++)
		look(&g.frames[i]);
	fake_guest_clear(&g);
	for (int i = 0; i < 2; i++)
		tcp_must_hold(&g.env, &hosts[i]);
}

static void complain(struct rd *r)
{
	uint8_t which = rd_u8(r), type = rd_u8(r), code = rd_u8(r), n_changes = rd_u8(r) % 4;
	uint16_t high = rd_u8(r), mtu = rd_be16(r);
	uint8_t bytes[KEPT_LEN];
	size_t len;

	if (!n_kept)
		return;
	which %= n_kept < KEPT ? n_kept : KEPT;
	len = kept[which].len;
	memcpy(bytes, kept[which].ip, len);
	for (; n_changes; n_changes--) {
		uint8_t at = rd_u8(r);

		bytes[at % len] ^= rd_u8(r);
	}
	len -= rd_u8(r) % 16 ? 0 : rd_u8(r) % len;
	/* mostly what narrows a path */
	if (bytes[0] >> 4 == 6)
		packet_icmp6(&packet, &(struct packet_ip6){ 0 },
			     &(struct icmp_hdr){ type & 7 ? ICMP6_TYPE_PACKET_TOO_BIG : ICMP6_TYPE_UNREACHABLE,
						 code & 7 ? 0 : code, high & 0x80, mtu },
			     bytes, len);
	else
		packet_icmp(&packet, &(struct packet_ip){ 0 },
			    &(struct icmp_hdr){ ICMP_TYPE_UNREACHABLE,
						type & 7 ? ICMP_CODE_FRAGMENTATION_NEEDED : code, high, mtu },
			    bytes, len);
	demux_from_guest(&g.env, packet.frame, packet.len);
	demux_batch_end(&g.env);
}

static struct tcp_hdr header_of(const struct tcp_conn *c)
{
	return (struct tcp_hdr){ .sport = 40000, .dport = 80, .flags = TCP_ACK, .window = 60000,
				 .seq = c->rcv_nxt, .ack = c->snd_nxt };
}

static void guest_sends(bool ip6, const struct tcp_hdr *h)
{
	if (ip6)
		packet_tcp6(&packet, &(struct packet_ip6){ 0 }, h, NULL, 0);
	else
		packet_tcp(&packet, &(struct packet_ip){ 0 }, h, NULL, 0);
	demux_from_guest(&g.env, packet.frame, packet.len);
	demux_batch_end(&g.env);
}

static void host_writes(struct fake_host *h, size_t len)
{
	if (h->conn && h->n_written + len <= WRITE_MAX)
		fake_host_write(&g.env, h, len, len == 255 * 32);
}

static void step(struct rd *r)
{
	static const uint8_t datagram[2048];
	uint8_t what = rd_u8(r), n = rd_u8(r);
	struct fake_host *h = &hosts[what >> 7];

	switch (what % 5) {
	case 0:
		host_writes(h, n * 32u);
		break;
	case 1:
		if (h->conn) {
			struct tcp_hdr ack = header_of(h->conn);

			ack.ack -= n & 1 ? 0 : n;
			guest_sends(what >> 7, &ack);
		}
		break;
	case 2:
		fake_udp_put(&udp_host.socks[what >> 7], datagram, n * 8u);
		fake_udp_run(&g.env, &udp_host);
		break;
	case 3:
		fake_guest_advance(&g, n * NS_PER_SEC / 4);
		break;
	default:
		complain(r);
		break;
	}
}

static void open_flows(bool ip6)
{
	struct tcp_hdr syn = { .sport = 40000, .dport = 80, .flags = TCP_SYN, .window = 60000,
			       .mss = 1460, .sack_permitted = true };
	struct tcp_hdr ack;

	hosts[ip6] = (struct fake_host){ .seed = 11, .peer_seed = 22 };
	fake_dialer_next(&hosts[ip6], 0);
	guest_sends(ip6, &syn);
	tcp_from_host(&g.env, hosts[ip6].conn, TCP_HOST_WRITE);
	ack = header_of(hosts[ip6].conn);
	guest_sends(ip6, &ack);
	if (ip6)
		packet_udp6(&packet, &(struct packet_ip6){ 0 }, 5000, 7, NULL, 1);
	else
		packet_udp(&packet, &(struct packet_ip){ 0 }, 5000, 7, NULL, 1);
	demux_from_guest(&g.env, packet.frame, packet.len);
	demux_batch_end(&g.env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	n_kept = 0;
	fake_guest_init(&g);
	fake_udp_init(&udp_host);
	g.env.flows.key = (struct hash_key){ { 0 } };
	must(tcp_new(&g.env, &fake_dialer));
	g.env.tcp->isn_key = (struct hash_key){ { 0 } };
	must((g.env.udp = udp_new(&g.env, &fake_udp_ops, &udp_host)));
	open_flows(false);
	open_flows(true);
	for (int i = 0; i < STEPS_MAX && rd_left(&r); i++) {
		step(&r);
		check_all();
	}
	demux_guest_down(&g.env);
	must(!g.env.flows.n && !g.env.path_mtus.n);
	tcp_free(&g.env);
	udp_free(g.env.udp);
	fake_udp_free(&udp_host);
	fake_guest_free(&g);
	return 0;
}
