/* lib/tcp_hand.c: one TCP connection of the guest, by hand. */
#include "lib/tcp_hand.h"

#include "base/checksum.h"
#include "lib/must.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "lib/tcp_holds.h"

#define GUEST_PORT 40000
#define PEER	   0xc6336402 /* 198.51.100.2 */
#define PEER6	   "2001:db8:1::2"
#define ACK_DELAY_NS (10 * NS_PER_MS)
#define PEER_PORT  80
#define BATCH_MAX  1024

struct hand hand;

/* The frames of this batch: the relay may look at them until it is over, and no longer. */
static struct packet *batch[BATCH_MAX];
static size_t n_batch;

static struct endpoint guest_end(void)
{
	return (struct endpoint){ hand.ip6 ? hand.g.net.ip6.guest : hand.g.net.ip4.guest, GUEST_PORT };
}

static struct endpoint peer_end(void)
{
	return (struct endpoint){ hand.ip6 ? addr_of(PEER6) : addr_ip4(PEER), PEER_PORT };
}

struct tcp_conn *hand_conn(void)
{
	struct endpoint guest = guest_end(), peer = peer_end();
	struct flow_key key = { .guest = guest.addr,
				.peer = peer.addr,
				.guest_port = guest.port,
				.peer_port = peer.port,
				.proto = FLOW_TCP };

	return (struct tcp_conn *)flow_table_lookup(&hand.g.env.flows, &key);
}

/* Initial sequence numbers grow with the clock: turns it to where `iss` comes next. */
static void choose_iss(uint32_t iss)
{
	uint32_t first;

	hand_reach(TCP_CONNECTING);
	first = hand_conn()->iss;
	tcp_abort(&hand.g.env, hand_conn(), FLOW_CLOSED_GUEST_LEFT);
	hand.g.env.now_ns += (uint64_t)(iss - first) * 4 * NS_PER_US;
}

static void begin(uint32_t irs, uint32_t iss, bool ip6)
{
	memset(&hand, 0, sizeof(hand));
	hand.ip6 = ip6;
	fake_guest_init(&hand.g);
	must(tcp_new(&hand.g.env, &fake_dialer));
	hand.irs = irs;
	hand.window = HAND_WINDOW >> HAND_WSCALE;
	hand.syn = (struct tcp_hdr){ .window = HAND_WINDOW,
				     .mss = HAND_MSS,
				     .has_wscale = true,
				     .wscale = HAND_WSCALE,
				     .sack_permitted = true };
	choose_iss(iss);
}

void hand_begin(uint32_t irs, uint32_t iss)
{
	begin(irs, iss, false);
}

void hand_begin6(uint32_t irs, uint32_t iss)
{
	begin(irs, iss, true);
}

void hand_end(void)
{
	struct tcp_conn *c = hand_conn();

	hand_expect_nothing();
	if (c)
		tcp_abort(&hand.g.env, c, FLOW_CLOSED_GUEST_LEFT);
	hand_batch();
	ck_assert_uint_eq(hand.g.env.flows.n, 0);
	ck_assert_uint_eq(hand.g.env.timers.n, timer_armed(&hand.g.env.tcp->delack_timer));
	ck_assert_uint_eq(hand.g.env.tcp->pool.n_used, 0);
	ck_assert(!hand.h.open);
	tcp_free(&hand.g.env);
	fake_guest_free(&hand.g);
}

static void send_header(const struct tcp_hdr *h, uint32_t len)
{
	static uint8_t payload[PACKET_MAX];
	struct packet *p = malloc(sizeof(*p));

	must(p && n_batch < BATCH_MAX && len <= sizeof(payload));
	batch[n_batch++] = p;
	for (uint32_t i = 0; i < len; i++)
		payload[i] = fake_host_byte(hand.h.peer_seed, h->seq - hand.irs - 1 + i);
	if (hand.ip6)
		packet_tcp6(p, &(struct packet_ip6){ .hop_limit = 64 }, h, payload, len);
	else
		packet_tcp(p, &(struct packet_ip){ .dst = PEER }, h, payload, len);
	demux_from_guest(&hand.g.env, p->frame, p->len);
}

void hand_send(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct tcp_hdr h =
		flags & TCP_SYN ? hand.syn : (struct tcp_hdr){ .window = hand.window };

	h.sport = GUEST_PORT;
	h.dport = PEER_PORT;
	h.seq = seq;
	h.ack = ack;
	h.flags = flags;
	memcpy(h.sack, hand.sack, sizeof(h.sack));
	h.n_sack = hand.n_sack;
	hand.n_sack = 0;
	send_header(&h, len);
}

void hand_batch(void)
{
	demux_batch_end(&hand.g.env);
	while (n_batch)
		free(batch[--n_batch]);
	tcp_must_hold(&hand.g.env, &hand.h);
}

void hand_ack(void)
{
	hand_send(TCP_ACK, hand.seq, hand.ack, 0);
	hand_batch();
}

static void check_checksums(const struct pkt *p)
{
	uint64_t sum = checksum_add_pseudo(0, &p->src, &p->dst, IP_TCP, (uint32_t)p->l4_len);

	must(hand.ip6 || checksum_finish(checksum_add(0, p->ip, p->ip_header_len)) == 0);
	must(checksum_finish(checksum_add(sum, p->l4, p->l4_len)) == 0);
}

bool hand_next(struct pkt *p)
{
	struct endpoint guest = guest_end(), peer = peer_end();
	const struct fake_frame *f;

	if (hand.n_seen == hand.g.n_frames)
		return false;
	f = fake_guest_frame(&hand.g, hand.n_seen++);
	must(pkt_decode(f->data, f->len, p) == DROP_NONE && p->proto == IP_TCP && !p->fragment);
	must(mac_eq(&p->eth.dst, &fake_guest_mac) && mac_eq(&p->eth.src, &fake_gateway_mac));
	must(addr_eq(&p->dst, &guest.addr) && addr_eq(&p->src, &peer.addr));
	must(p->tcp.sport == PEER_PORT && p->tcp.dport == GUEST_PORT);
	must(p->ip_len <= hand.g.net.mtu && f->len == p->ip_len + ETH_HEADER_LEN);
	check_checksums(p);
	for (size_t i = 0; i < p->payload_len; i++)
		must(p->payload[i] ==
		     fake_host_byte(hand.h.seed, p->tcp.seq - hand.iss - 1 + i));
	return true;
}

void hand_expect(uint8_t flags, uint32_t seq, uint32_t ack, size_t len)
{
	struct pkt p;

	ck_assert_msg(hand_next(&p), "no frame, where flags %#x were expected", flags);
	ck_assert_msg(p.tcp.flags == flags && p.tcp.seq == seq && p.payload_len == len &&
			      p.tcp.ack == (flags & TCP_ACK ? ack : 0),
		      "flags %#x seq %u ack %u len %zu, not flags %#x seq %u ack %u len %zu",
		      p.tcp.flags, p.tcp.seq - hand.iss, p.tcp.ack - hand.irs, p.payload_len,
		      flags, seq - hand.iss, ack - hand.irs, len);
}

void hand_expect_nothing(void)
{
	struct pkt p;

	if (hand_next(&p))
		ck_abort_msg("a frame too many: flags %#x seq %u ack %u len %zu", p.tcp.flags,
			     p.tcp.seq - hand.iss, p.tcp.ack - hand.irs, p.payload_len);
}

void hand_expect_late_ack(uint32_t seq, uint32_t ack)
{
	hand_expect_nothing();
	fake_guest_advance(&hand.g, ACK_DELAY_NS);
	hand_expect(TCP_ACK, seq, ack, 0);
}

void hand_forget(void)
{
	fake_guest_clear(&hand.g);
	hand.n_seen = 0;
}

static void open_from_guest(bool connected)
{
	fake_dialer_next(&hand.h, 0);
	hand_send(TCP_SYN, hand.irs, 0, 0);
	hand_batch();
	must(hand_conn());
	hand.iss = hand.ack = hand_conn()->iss;
	hand.seq = hand.irs + 1;
	if (!connected)
		return;
	tcp_from_host(&hand.g.env, hand.h.conn, TCP_HOST_WRITE);
	hand.ack++;
}

static void open_to_guest(void)
{
	struct endpoint guest = guest_end(), peer = peer_end();

	hand.h.open = true;
	must(!tcp_open_to_guest(&hand.g.env, &fake_host_ops, &hand.h, fake_host_set_conn,
				&guest, &peer, &peer));
	hand.iss = hand_conn()->iss;
	hand.ack = hand.iss + 1;
	hand.seq = hand.irs + 1;
}

static void host_ends(void)
{
	fake_host_write(&hand.g.env, &hand.h, 0, true);
	hand.ack++;
}

static void guest_ends(uint32_t ack)
{
	hand_send(TCP_FIN | TCP_ACK, hand.seq++, ack, 0);
	hand_batch();
}

/* From ESTABLISHED on. */
static void close_down_to(enum tcp_state s)
{
	if (s == TCP_CLOSE_WAIT || s == TCP_LAST_ACK) {
		guest_ends(hand.ack);
		if (s == TCP_LAST_ACK)
			host_ends();
	} else if (s != TCP_ESTABLISHED) {
		host_ends();
		if (s == TCP_FIN_WAIT_2 || s == TCP_TIME_WAIT)
			hand_ack();
		if (s == TCP_CLOSING || s == TCP_TIME_WAIT)
			guest_ends(s == TCP_CLOSING ? hand.ack - 1 : hand.ack);
	}
}

void hand_reach(enum tcp_state s)
{
	hand.h = (struct fake_host){ .seed = 11, .peer_seed = 22, .room = SIZE_MAX };
	if (s == TCP_SYN_SENT)
		open_to_guest();
	else
		open_from_guest(s != TCP_CONNECTING);
	if (s > TCP_SYN_RECEIVED) {
		hand_ack();
		close_down_to(s);
	}
	hand_forget();
	must(hand_conn()->state == s);
}
