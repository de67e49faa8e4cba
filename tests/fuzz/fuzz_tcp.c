/* What a guest, host sides, a link and time can do to TCP connections, in any order: each byte
 * picks a step, and the bytes behind it say with what.
 *
 * A segment's payload is always what the guest's stream has at its place, and so the host sides
 * can check all that they get; what the relay sends is checked likewise. */
#include <errno.h>
#include <stdlib.h>

#include "base/checksum.h"
#include "lib/fake_guest.h"
#include "lib/fake_host.h"
#include "lib/must.h"
#include "lib/tcp_holds.h"
#include "proto/tcp/conn.h"

#define STEPS_MAX 400
#define HOSTS	  4
#define BATCH_MAX 32
#define WRITE_MAX 50000 /* of one host side: the fake link keeps so many frames a step */
#define PEER	  0xc6336402u
#define PORT	  40000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake_guest g;
static struct fake_host hosts[HOSTS];
static uint8_t *batch[BATCH_MAX];
static size_t n_batch;

static struct flow_key key_of(uint8_t which)
{
	return (struct flow_key){ .guest = g.net.ip4.guest,
				  .peer = addr_ip4(PEER),
				  .guest_port = (uint16_t)(PORT + which % 2),
				  .peer_port = (uint16_t)(80 + which / 2 % 2),
				  .proto = FLOW_TCP };
}

static struct tcp_conn *conn_of(uint8_t which)
{
	struct flow_key key = key_of(which);

	return (struct tcp_conn *)flow_table_lookup(&g.env.flows, &key);
}

static struct fake_host *free_host(void)
{
	for (int i = 0; i < HOSTS; i++)
		if (!hosts[i].open) {
			hosts[i] = (struct fake_host){ .seed = 11, .peer_seed = 22 };
			return &hosts[i];
		}
	return NULL;
}

static void end_batch(void)
{
	demux_batch_end(&g.env);
	while (n_batch)
		free(batch[--n_batch]);
}

/* A number of the connection, or a plain one, and a distance from it. */
static uint32_t pick_number(struct rd *r, const struct tcp_conn *c)
{
	uint8_t from = rd_u8(r);
	uint32_t distance = (uint32_t)(int16_t)rd_be16(r);
	const struct tcp_conn none = { 0 };

	if (from & 0x80)
		distance *= 1u << (from >> 4 & 7);
	if (!c)
		c = &none;
	switch (from % 8) {
	case 0:
		return c->rcv_nxt + distance;
	case 1:
		return c->rcv_adv + distance;
	case 2:
		return c->irs + distance;
	case 3:
		return c->snd_nxt + distance;
	case 4:
		return c->snd_una + distance;
	case 5:
		return c->fin_seq + distance;
	case 6:
		return c->snd_una - c->snd_wnd_max + distance;
	default:
		return distance;
	}
}

static struct tcp_hdr pick_header(struct rd *r, uint8_t which, const struct tcp_conn *c)
{
	struct flow_key key = key_of(which);
	struct tcp_hdr h = { .sport = key.guest_port,
			     .dport = key.peer_port,
			     .flags = rd_u8(r) };
	uint8_t options = rd_u8(r);

	h.seq = pick_number(r, c);
	h.ack = pick_number(r, c);
	h.window = rd_be16(r);
	if (options & 1)
		h.mss = (uint16_t)(200 + rd_u8(r) * 8);
	h.has_wscale = options & 2;
	h.wscale = options >> 4;
	h.sack_permitted = options & 4;
	for (h.n_sack = 0; options & 8 && h.n_sack < 2; h.n_sack++) {
		h.sack[h.n_sack].left = pick_number(r, c);
		h.sack[h.n_sack].right = h.sack[h.n_sack].left + rd_be16(r);
	}
	return h;
}

/* Each frame has memory of its own, for the batch: what reads beyond it or later is seen. */
static uint8_t *write_frame(const struct tcp_hdr *h, const struct tcp_conn *c, size_t len,
			    size_t *total)
{
	uint8_t buf[ETH_HEADER_LEN + IP4_HEADER_LEN + TCP_HEADER_MAX], *frame;
	struct wr w = wr_init(buf, sizeof(buf));
	size_t tcp_len;

	w.p += ETH_HEADER_LEN + IP4_HEADER_LEN;
	tcp_len = tcp_encode(&w, h);
	w.p = w.start;
	eth_encode(&w, &(struct eth_hdr){ fake_gateway_mac, fake_guest_mac, ETHERTYPE_IP4 });
	ip4_encode(&w,
		   &(struct ip4_hdr){ .total_len = (uint16_t)(IP4_HEADER_LEN + tcp_len + len),
				      .ttl = 64,
				      .proto = IP_TCP,
				      .src = g.net.ip4.guest,
				      .dst = addr_ip4(PEER) });
	*total = ETH_HEADER_LEN + IP4_HEADER_LEN + tcp_len;
	frame = malloc(*total + len);
	must(frame && tcp_len);
	memcpy(frame, buf, *total);
	for (size_t i = 0; i < len; i++)
		frame[(*total)++] = fake_host_byte(
			22, (uint32_t)(h->seq - (c ? c->irs : 0) - 1 + (uint32_t)i));
	return frame;
}

static void guest_sends(struct rd *r)
{
	uint8_t which = rd_u8(r);
	const struct tcp_conn *c = conn_of(which);
	struct tcp_hdr h = pick_header(r, which, c);
	size_t len = rd_u8(r), total;

	len = len > 200 ? (len - 199) * 1000 : len * 5;
	if (n_batch == BATCH_MAX)
		end_batch();
	batch[n_batch] = write_frame(&h, c, len, &total);
	demux_from_guest(&g.env, batch[n_batch++], total);
}

static void open_to_guest(uint8_t which)
{
	struct flow_key key = key_of(which);
	struct endpoint guest = { key.guest, key.guest_port },
			client = { key.peer, key.peer_port };
	struct fake_host *h = free_host();

	if (!h)
		return;
	h->open = true;
	tcp_open_to_guest(&g.env, &fake_host_ops, h, fake_host_set_conn, &guest, &client,
			  &client);
}

static void host_event(struct fake_host *h, uint8_t n)
{
	static const int errors[] = { ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH };

	if (!h->conn)
		return;
	if (n & TCP_HOST_ERROR && !h->error)
		h->error = errors[n >> 4 & 3];
	if (h->conn->state == TCP_CONNECTING && n & 8)
		h->connect_error = n & 16 ? ECONNREFUSED : n & 32 ? EINPROGRESS : 0;
	n &= TCP_HOST_READ | TCP_HOST_WRITE | TCP_HOST_ERROR;
	tcp_from_host(&g.env, h->conn, n | (h->ended || h->error ? TCP_HOST_END : 0u));
}

static void host_writes(struct fake_host *h, uint8_t n)
{
	uint64_t len = n > 200 ? (n - 199) * 500u : n;

	if (h->ended || h->error || !h->open)
		return;
	len = h->n_written + len > WRITE_MAX ? WRITE_MAX - h->n_written : len;
	fake_host_write(&g.env, h, len, n & 1);
}

static void step(struct rd *r)
{
	uint8_t what = rd_u8(r), n;
	struct fake_host *h;

	if (what & 1) { /* most of all */
		guest_sends(r);
		return;
	}
	n = rd_u8(r);
	h = &hosts[n % HOSTS];
	end_batch(); /* nothing else happens within one */
	switch (what / 2 % 8) {
	case 0:
		host_writes(h, rd_u8(r));
		break;
	case 1:
		if (h->open)
			fake_host_read(&g.env, h, rd_u8(r) * 256u);
		break;
	case 2:
		host_event(h, rd_u8(r));
		break;
	case 3:
		fake_guest_advance(&g, n & 0x80 ? (n & 0x7f) * NS_PER_SEC : n * 10 * NS_PER_MS);
		break;
	case 4:
		g.room = n > 40 ? -1 : n;
		g.reply_room = n % 4;
		tcp_room(&g.env);
		break;
	case 5:
		open_to_guest(n);
		break;
	case 6:
		if (h->conn && n > 200)
			((struct flow *)h->conn)
				->class->close(&g.env, (struct flow *)h->conn,
					       FLOW_CLOSED_BY_OPERATOR);
		break;
	default:
		while (tcp_run_ready(&g.env))
			;
		break;
	}
}

static void check_frame(const struct fake_frame *f)
{
	const struct tcp_conn *c;
	struct flow_key key;
	struct pkt p;
	uint64_t sum;

	must(pkt_decode(f->data, f->len, &p) == DROP_NONE && p.ip_len <= g.net.mtu);
	if (p.proto != IP_TCP)
		return;
	sum = checksum_add_pseudo(0, &p.src, &p.dst, IP_TCP, (uint32_t)p.l4_len);
	must(!checksum_finish(checksum_add(sum, p.l4, p.l4_len)));
	key = (struct flow_key){ p.dst, p.src, p.tcp.dport, p.tcp.sport, FLOW_TCP };
	c = (struct tcp_conn *)flow_table_lookup(&g.env.flows, &key);
	for (size_t i = 0; c && i < p.payload_len; i++)
		must(p.payload[i] == fake_host_byte(11, p.tcp.seq - c->iss - 1 + i));
}

static void check_all(void)
{
	for (size_t i = 0; i < g.n_frames; i++)
		check_frame(&g.frames[i]);
	fake_guest_clear(&g);
	for (int i = 0; i < HOSTS && !n_batch; i++)
		tcp_must_hold(&g.env, &hosts[i]);
}

/* Numbers that wrap at once are worth more than others. */
static void begin(uint8_t n)
{
	static const uint32_t first[] = { 0xfffffff0, 0x7fffff00, 1000, 0xffff0000 };
	struct endpoint guest = { addr_ip4(0x0a00020f), PORT }, peer = { addr_ip4(PEER), 80 };
	struct tcp_conn *c;

	fake_guest_init(&g);
	g.env.flows.key = (struct hash_key){ { 0 } };
	must(tcp_new(&g.env, &fake_dialer));
	g.env.tcp->isn_key = (struct hash_key){ { 0 } };
	memset(hosts, 0, sizeof(hosts));
	hosts[0].open = true;
	must(!tcp_open_to_guest(&g.env, &fake_host_ops, &hosts[0], fake_host_set_conn, &guest,
				&peer, &peer));
	c = hosts[0].conn;
	g.env.now_ns += (uint64_t)(first[n % 4] - c->iss) * 4 * NS_PER_US;
	tcp_abort(&g.env, c, FLOW_CLOSED_GUEST_LEFT);
	fake_guest_clear(&g);
	g.net.mtu = n & 4 ? 1500 : 65520;
	g.conf.timeouts.tcp_connect = 20;
	g.env.flows.max = 3;
}

static void finish(void)
{
	struct list *pos, *tmp;

	end_batch();
	check_all();
	list_for_each(pos, tmp, &g.env.flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(&g.env, f, FLOW_CLOSED_SHUTDOWN);
	}
	must(!g.env.flows.n && !g.env.tcp->pool.n_used && list_empty(&g.env.tcp->touched));
	for (int i = 0; i < HOSTS; i++)
		must(!hosts[i].open);
	tcp_free(&g.env);
	must(!g.env.timers.n);
	fake_guest_free(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);

	begin(rd_u8(&r));
	for (int i = 0; i < STEPS_MAX && rd_left(&r); i++) {
		fake_dialer_next(free_host(), 0);
		step(&r);
		check_all();
	}
	finish();
	return 0;
}
