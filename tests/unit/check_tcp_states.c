/* Each state against each segment and each event of the host side, as RFC 9293 3.10.7 and
 * RFC 5961 have them. */
#include <errno.h>

#include "lib/must.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "lib/tcp_hand.h"
#include "proto/icmp.h"
#include "wire/icmp6.h"

#define A TCP_ACK
#define F TCP_FIN
#define R TCP_RST
#define S TCP_SYN

/* Where a segment stands: against what the relay expects next, or the end of its window... */
enum seq_from { NXT, EDGE };
/* ... and what it acknowledges: against the relay's oldest unacknowledged number, the next that
 * it sends, or the oldest that an ACK may have (RFC 5961 5.2). */
enum ack_from { UNA, ALL, OLD };

struct segment {
	uint8_t flags;
	enum seq_from from;
	int seq;
	enum ack_from ack_from;
	int ack;
	uint32_t len;
};

#define SAME N_TCP_STATES
#define GONE (N_TCP_STATES + 1)

enum answer {
	NO_ANSWER,
	AN_ACK,	   /* of all that came in order */
	LATE_ACK,  /* the same, when no answer came to take it along */
	A_RESET,   /* with the sequence number that the segment acknowledges (3.10.7.1) */
	A_SYN_ACK, /* once more */
};

/* What becomes of the connection. */
static const struct outcome {
	const char *word;
	enum answer answer;
	unsigned state; /* enum tcp_state, SAME or GONE */
	uint32_t taken; /* numbers that rcv_nxt moves on; payload of it goes to the host side */
	enum { OPEN, CLOSED, RESET } host;
	bool challenge, shut, reopened;
} outcomes[] = {
	{ ".", NO_ANSWER, SAME },
	{ "ack", AN_ACK, SAME },
	{ "cha", AN_ACK, SAME, .challenge = true },
	{ "rst", A_RESET, SAME },
	{ "syn", A_SYN_ACK, SAME },
	{ "take", AN_ACK, SAME, .taken = 10 },
	{ "late", LATE_ACK, SAME, .taken = 10 },
	{ "gone", NO_ANSWER, GONE, .host = RESET },
	{ "done", NO_ANSWER, GONE, .host = CLOSED },
	{ "new", NO_ANSWER, TCP_CONNECTING, .reopened = true },
	{ "A>ES", NO_ANSWER, TCP_ESTABLISHED },
	{ "S>ES", AN_ACK, TCP_ESTABLISHED },
	{ "S>SR", A_SYN_ACK, TCP_SYN_RECEIVED },
	{ "D>ES", LATE_ACK, TCP_ESTABLISHED, .taken = 10 },
	{ "A>F2", NO_ANSWER, TCP_FIN_WAIT_2 },
	{ "D>F2", AN_ACK, TCP_FIN_WAIT_2, .taken = 10 },
	{ "A>TW", NO_ANSWER, TCP_TIME_WAIT, .host = CLOSED },
	{ "a>TW", AN_ACK, TCP_TIME_WAIT, .host = CLOSED },
	{ "F>CW", LATE_ACK, TCP_CLOSE_WAIT, .taken = 1, .shut = true },
	{ "F>CL", AN_ACK, TCP_CLOSING, .taken = 1, .shut = true },
	{ "F>TW", AN_ACK, TCP_TIME_WAIT, .taken = 1, .shut = true, .host = CLOSED },
};

/* clang-format off */
static const struct row {
	const char *name;
	struct segment s;
	const char *outcome; /* a word for each state */
} rows[] = {
/*	Flags,  sequence,  ACK,     len	 CONN SY-S SY-R ESTA FW-1 FW-2 CL-W CLSG L-AC T-WT */
{ "ACK of all",
	{ A,	NXT, 0,	   ALL, 0 },	 ".    .    A>ES .    A>F2 .    .    A>TW done ." },
{ "ACK of what was known",
	{ A,	NXT, 0,	   UNA, 0 },	 ".    rst  rst  .    .    .    .    .    .    ." },
{ "old ACK",
	{ A,	NXT, 0,	   UNA, -1 },	 ".    rst  rst  .    .    .    .    .    .    ." },
{ "oldest ACK that may be",
	{ A,	NXT, 0,	   OLD, 0 },	 ".    rst  rst  .    .    .    .    .    .    ." },
{ "ACK older than that",
	{ A,	NXT, 0,	   OLD, -1 },	 ".    rst  rst  cha  cha  cha  cha  cha  cha  cha" },
{ "ACK of what was not sent",
	{ A,	NXT, 0,	   ALL, 1 },	 ".    rst  rst  cha  cha  cha  cha  cha  cha  cha" },
{ "ACK from the edge of the window",
	{ A,	EDGE, 0,   ALL, 0 },	 ".    .    A>ES .    A>F2 .    .    A>TW done ." },
{ "ACK from behind the window",
	{ A,	EDGE, 1,   ALL, 0 },	 ".    .    ack  ack  ack  ack  ack  ack  ack  ack" },
{ "keep-alive",
	{ A,	NXT, -1,   UNA, 0 },	 ".    rst  ack  ack  ack  ack  ack  ack  ack  ack" },
{ "keep-alive with a byte",
	{ A,	NXT, -1,   UNA, 0, 1 },	 ".    rst  ack  ack  ack  ack  ack  ack  ack  ack" },
{ "data",
	{ A,	NXT, 0,	   UNA, 0, 10 }, ".    rst  rst  late take take ack  ack  ack  ack" },
{ "data with ACK of all",
	{ A,	NXT, 0,	   ALL, 0, 10 }, ".    .    D>ES late D>F2 take ack  a>TW done ack" },
{ "data without ACK",
	{ 0,	NXT, 0,	   UNA, 0, 10 }, ".    .    .    .    .    .    .    .    .    ." },
{ "data that came before",
	{ A,	NXT, -10,  UNA, 0, 10 }, ".    rst  ack  ack  ack  ack  ack  ack  ack  ack" },
{ "data behind the window",
	{ A,	EDGE, 0,   UNA, 0, 10 }, ".    rst  ack  ack  ack  ack  ack  ack  ack  ack" },
{ "data of which half came before",
	{ A,	NXT, -10,  UNA, 0, 20 }, ".    rst  rst  take take take ack  ack  ack  ack" },
{ "data behind a hole",
	{ A,	NXT, 5,	   UNA, 0, 10 }, ".    rst  rst  ack  ack  ack  ack  ack  ack  ack" },
{ "data across the edge of the window",
	{ A,	EDGE, -5,  UNA, 0, 10 }, ".    rst  rst  ack  ack  ack  ack  ack  ack  ack" },
{ "no flags",
	{ 0,	NXT, 0,	   UNA, 0 },	 ".    .    .    .    .    .    .    .    .    ." },
{ "FIN",
	{ F|A,	NXT, 0,	   UNA, 0 },	 ".    rst  rst  F>CW F>CL F>TW ack  ack  ack  ack" },
{ "FIN with ACK of all",
	{ F|A,	NXT, 0,	   ALL, 0 },	 ".    .    F>CW F>CW F>TW F>TW ack  a>TW done ack" },
{ "FIN behind a hole",
	{ F|A,	NXT, 5,	   UNA, 0 },	 ".    rst  rst  ack  ack  ack  ack  ack  ack  ack" },
{ "FIN that came before",
	{ F|A,	NXT, -1,   UNA, 0 },	 ".    rst  ack  ack  ack  ack  ack  ack  ack  ack" },
{ "FIN without ACK",
	{ F,	NXT, 0,	   UNA, 0 },	 ".    .    .    .    .    .    .    .    .    ." },
{ "RST",
	{ R,	NXT, 0,	   UNA, 0 },	 "gone .    gone gone gone gone gone done done done" },
{ "RST with ACK of all",
	{ R|A,	NXT, 0,	   ALL, 0 },	 "gone gone gone gone gone gone gone done done done" },
{ "RST with a wrong ACK",
	{ R|A,	NXT, 0,	   ALL, 9 },	 "gone .    gone gone gone gone gone done done done" },
{ "RST elsewhere in the window",
	{ R,	NXT, 1,	   UNA, 0 },	 ".    .    cha  cha  cha  cha  cha  cha  cha  cha" },
{ "RST behind the window",
	{ R,	EDGE, 1,   UNA, 0 },	 ".    .    .    .    .    .    .    .    .    ." },
{ "RST before the window",
	{ R,	NXT, -1,   UNA, 0 },	 ".    .    .    .    .    .    .    .    .    ." },
{ "RST and SYN",
	{ R|S,	NXT, 0,	   UNA, 0 },	 "gone .    gone gone gone gone gone done done done" },
{ "SYN of long ago",
	{ S,	NXT, -1000,UNA, 0 },	 "new  S>SR cha  cha  cha  cha  cha  cha  cha  cha" },
{ "SYN once more",
	{ S,	NXT, -1,   UNA, 0 },	 ".    S>SR syn  cha  cha  cha  cha  cha  cha  cha" },
{ "SYN in the window",
	{ S,	NXT, 1,	   UNA, 0 },	 "new  S>SR cha  cha  cha  cha  cha  cha  cha  new" },
{ "SYN and ACK",
	{ S|A,	NXT, 1,	   ALL, 0 },	 ".    S>ES cha  cha  cha  cha  cha  cha  cha  cha" },
{ "SYN and ACK of something else",
	{ S|A,	NXT, 1,	   ALL, 1 },	 ".    rst  cha  cha  cha  cha  cha  cha  cha  cha" },
{ "SYN and FIN",
	{ S|F,	NXT, 1,	   UNA, 0 },	 ".    S>SR cha  cha  cha  cha  cha  cha  cha  cha" },
};
/* clang-format on */

/* Initial sequence numbers: away from the wrap, and such that something wraps at once. */
static const uint32_t numbers[][2] = { { 1000, 2000000000 },
				       { 0xffffffff, 0xffffffff },
				       { 0xfffffffe, 0x7fffffff },
				       { 0xfffffff0, 0xfffffffd },
				       { 0x7ffffff0, 0x7ffffffe } };

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static const struct outcome *outcome_of(const char *words, unsigned state)
{
	char word[8];

	for (unsigned i = 0;; i++) {
		int n;

		must(sscanf(words, "%7s%n", word, &n) == 1);
		words += n;
		if (i == state)
			break;
	}
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (!strcmp(outcomes[i].word, word))
			return &outcomes[i];
	ck_abort_msg("no such outcome: %s", word);
}

static uint32_t seq_of(const struct tcp_conn *c, const struct segment *s)
{
	uint32_t from = c->rcv_nxt;

	if (c->state == TCP_SYN_SENT)
		from = hand.seq;
	else if (s->from == EDGE)
		from = c->state == TCP_CONNECTING ? hand.seq + 65535 : c->rcv_adv;
	return from + (uint32_t)s->seq;
}

static uint32_t ack_of(const struct tcp_conn *c, const struct segment *s)
{
	uint32_t from = s->ack_from == UNA   ? c->snd_una
			: s->ack_from == ALL ? c->snd_nxt
					     : c->snd_una - c->snd_wnd_max;

	return from + (uint32_t)s->ack;
}

static void check_answer(const struct outcome *o, const struct segment *s, uint32_t seg_seq,
			 uint32_t seg_ack)
{
	switch (o->answer) {
	case NO_ANSWER:
		break;
	case AN_ACK:
		hand_expect(A, hand.ack,
			    s->flags & S && !o->challenge ? seg_seq + 1 : hand.seq + o->taken,
			    0);
		break;
	case LATE_ACK:
		hand_expect_late_ack(hand.ack, hand.seq + o->taken);
		break;
	case A_RESET:
		hand_expect(R, seg_ack, 0, 0);
		break;
	case A_SYN_ACK:
		hand_expect(S | A, hand.iss, seg_seq + 1, 0);
		break;
	}
	hand_expect_nothing();
}

static void check_host(const struct outcome *o, const struct segment *s, uint64_t id)
{
	struct tcp_conn *c = hand_conn();

	if (o->reopened) {
		ck_assert_uint_ne(c->flow.id, id);
		return;
	}
	ck_assert(!c || c->flow.id == id);
	ck_assert_uint_eq(hand.h.n_taken, o->taken == 10 ? 10 : 0);
	if (o->shut)
		ck_assert(hand.h.shut);
	if (o->host == RESET)
		ck_assert(!hand.h.open && hand.h.reset);
	if (o->host == CLOSED)
		ck_assert(!hand.h.open && !hand.h.reset);
	ck_assert(!c || c->host == NULL || hand.h.open);
}

static void check_cell(const struct row *r, enum tcp_state state)
{
	const struct outcome *o = outcome_of(r->outcome, state);
	uint64_t challenges, id;
	uint32_t seq, ack;
	struct tcp_conn *c;
	static struct fake_host other;

	other = (struct fake_host){ .room = SIZE_MAX };
	hand_reach(state);
	c = hand_conn();
	id = c->flow.id;
	seq = seq_of(c, &r->s);
	ack = ack_of(c, &r->s);
	challenges = hand.g.env.stats.tcp_challenge_acks;
	fake_dialer_next(&other, 0);
	hand_send(r->s.flags, seq, ack, r->s.len);
	hand_batch();
	c = hand_conn();
	if (o->state == GONE)
		ck_assert_ptr_null(c);
	else
		ck_assert_uint_eq(c->state, o->state == SAME ? state : o->state);
	check_answer(o, &r->s, seq, ack);
	check_host(o, &r->s, id);
	ck_assert_uint_eq(hand.g.env.stats.tcp_challenge_acks - challenges, o->challenge);
}

START_TEST(each_segment_in_each_state)
{
	for (size_t n = 0; n < N_NUMBERS; n++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			for (unsigned s = 0; s < N_TCP_STATES; s++) {
				if (getenv("TEST_VERBOSE"))
					fprintf(stderr, "%s in %s (%zu)\n", rows[i].name,
						tcp_state_name(s), n);
				hand_begin(numbers[n][0], numbers[n][1]);
				check_cell(&rows[i], s);
				hand_end();
			}
}
END_TEST

/* What the table remembers of the flow that ended last. */
static const struct flow_closed *last_closed(void)
{
	const struct flow_table *t = &hand.g.env.flows;

	ck_assert_ptr_null(hand_conn());
	return &t->closed[(t->n_closed - 1) % FLOW_CLOSED_KEPT];
}

static enum flow_close_reason last_reason(void)
{
	return last_closed()->reason;
}

/* The host's socket said so. */
static void assert_failed(enum flow_close_reason reason, int error)
{
	ck_assert_int_eq(last_reason(), reason);
	ck_assert_int_eq(last_closed()->error, error);
	ck_assert_int_eq(last_closed()->silent,
			 error == ETIMEDOUT ? FLOW_END_PEER : FLOW_END_NONE);
}

static void host_event(unsigned events)
{
	tcp_from_host(&hand.g.env, hand.h.conn, events);
}

START_TEST(host_bytes_in_each_state)
{
	for (unsigned s = TCP_SYN_SENT; s < N_TCP_STATES; s++) {
		bool sends = s == TCP_ESTABLISHED || s == TCP_CLOSE_WAIT;

		hand_begin(0xfffffff0, 0xfffffffa);
		hand_reach(s);
		if (!hand.h.ended)
			fake_host_write(&hand.g.env, &hand.h, 10, false);
		if (sends)
			hand_expect(A | TCP_PSH, hand.ack, hand.seq, 10);
		hand_expect_nothing();
		ck_assert_uint_eq(hand_conn()->state, s);
		hand_end();
	}
}
END_TEST

START_TEST(host_end_in_each_state)
{
	for (unsigned s = TCP_SYN_SENT; s < N_TCP_STATES; s++) {
		unsigned then = s == TCP_ESTABLISHED  ? TCP_FIN_WAIT_1
				: s == TCP_CLOSE_WAIT ? TCP_LAST_ACK
						      : s;

		hand_begin(0xfffffff0, 0xfffffffa);
		hand_reach(s);
		if (!hand.h.ended)
			fake_host_write(&hand.g.env, &hand.h, 0, true);
		if (then != s)
			hand_expect(F | A, hand.ack, hand.seq, 0);
		hand_expect_nothing();
		ck_assert_uint_eq(hand_conn()->state, then);
		hand_end();
	}
}
END_TEST

/* Bytes and an end that came during the handshake leave when it is over. */
START_TEST(host_sent_before_the_handshake)
{
	hand_begin(0xfffffff0, 0xfffffffa);
	hand_reach(TCP_SYN_RECEIVED);
	fake_host_write(&hand.g.env, &hand.h, 10, true);
	hand_expect_nothing();
	hand_ack();
	hand_expect(A | TCP_PSH, hand.ack, hand.seq, 10);
	hand_expect(F | A, hand.ack + 10, hand.seq, 0);
	ck_assert_uint_eq(hand_conn()->state, TCP_FIN_WAIT_1);
	hand_end();
}
END_TEST

START_TEST(host_breaks_in_each_state)
{
	for (unsigned s = TCP_SYN_SENT; s < TCP_TIME_WAIT; s++) {
		hand_begin(0xfffffff0, 0xfffffffa);
		hand_reach(s);
		hand.h.error = ECONNRESET;
		host_event(TCP_HOST_READ | TCP_HOST_WRITE | TCP_HOST_END | TCP_HOST_ERROR);
		hand_expect(s == TCP_SYN_SENT ? R : R | A, hand.ack, hand.seq, 0);
		assert_failed(FLOW_CLOSED_PEER_RESET, ECONNRESET);
		ck_assert(!hand.h.open);
		hand_end();
	}
}
END_TEST

/* What came before the error still goes out, as far as the guest's window lets it. */
START_TEST(host_breaks_behind_bytes)
{
	hand_begin(0xfffffff0, 0xfffffffa);
	hand_reach(TCP_ESTABLISHED);
	hand.h.n_written = 10;
	hand.h.error = ETIMEDOUT;
	host_event(TCP_HOST_READ | TCP_HOST_WRITE | TCP_HOST_END | TCP_HOST_ERROR);
	hand_expect(A | TCP_PSH, hand.ack, hand.seq, 10);
	hand_expect(R | A, hand.ack + 10, hand.seq, 0);
	assert_failed(FLOW_CLOSED_TIMED_OUT, ETIMEDOUT);
	hand_end();
}
END_TEST

/* What broke first is told, whatever comes behind it. */
START_TEST(host_breaks_while_the_guest_sends)
{
	hand_begin(0xfffffff0, 0xfffffffa);
	hand_reach(TCP_ESTABLISHED);
	hand.h.error = EPIPE;
	hand_send(A, hand.seq, hand.ack, 10);
	hand_batch();
	hand_expect(R | A, hand.ack, hand.seq + 10, 0);
	assert_failed(FLOW_CLOSED_PEER_RESET, EPIPE);
	/* likewise where something was to be sent again */
	hand_end();
	hand_begin(0xfffffff0, 0xfffffffa);
	hand_reach(TCP_ESTABLISHED);
	fake_host_write(&hand.g.env, &hand.h, 10, false);
	hand_expect(A | TCP_PSH, hand.ack, hand.seq, 10);
	hand.h.n_written -= 10;
	hand.h.error = ETIMEDOUT;
	fake_guest_advance(&hand.g, 10 * NS_PER_SEC);
	hand_expect(R | A, hand.ack + 10, hand.seq, 0);
	assert_failed(FLOW_CLOSED_TIMED_OUT, ETIMEDOUT);
	hand_end();
}
END_TEST

START_TEST(host_connects)
{
	hand_begin(0xfffffff0, 0xfffffffa);
	hand_reach(TCP_CONNECTING);
	hand.h.connect_error = EINPROGRESS;
	host_event(TCP_HOST_WRITE);
	hand_expect_nothing();
	hand_send(S, hand.irs, 0, 0); /* the guest is impatient */
	hand_batch();
	hand_expect_nothing();
	hand.h.connect_error = 0;
	host_event(TCP_HOST_WRITE);
	hand_expect(S | A, hand.iss, hand.irs + 1, 0);
	ck_assert_uint_eq(hand_conn()->state, TCP_SYN_RECEIVED);
	hand_end();
}
END_TEST

START_TEST(host_does_not_connect)
{
	static const struct {
		int err;
		enum flow_close_reason reason;
	} errors[] = { { ECONNREFUSED, FLOW_CLOSED_REFUSED },
		       { ECONNRESET, FLOW_CLOSED_PEER_RESET },
		       { ETIMEDOUT, FLOW_CLOSED_TIMED_OUT },
		       { EPROTO, FLOW_CLOSED_HOST_ERROR } };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		hand_begin(0xffffffff, 0xffffffff);
		hand_reach(TCP_CONNECTING);
		hand.h.connect_error = errors[i].err;
		host_event(TCP_HOST_READ | TCP_HOST_WRITE | TCP_HOST_ERROR);
		hand_expect(R | A, 0, hand.irs + 1, 0);
		assert_failed(errors[i].reason, errors[i].err);
		hand_end();
	}
}
END_TEST

/* The guest's stack, or its firewall, answers a segment of ours that began at `seq`. */
static void answer_unreachable(uint8_t code, uint32_t seq)
{
	static struct packet packet;
	const struct flow_key *k = &hand_conn()->flow.key;
	uint8_t quote[IP6_HEADER_LEN + 8];
	struct wr w = wr_init(quote, sizeof(quote));

	if (hand.ip6)
		ip6_encode(&w, &(struct ip6_hdr){ .payload_len = 40, .next_header = IP_TCP,
						  .src = k->peer, .dst = k->guest });
	else
		ip4_encode(&w, &(struct ip4_hdr){ .total_len = 60, .proto = IP_TCP,
						  .src = k->peer, .dst = k->guest });
	wr_be16(&w, k->peer_port);
	wr_be16(&w, k->guest_port);
	wr_be32(&w, seq);
	if (hand.ip6)
		packet_icmp6(&packet, &(struct packet_ip6){ .dst = k->peer },
			     &(struct icmp_hdr){ ICMP6_TYPE_UNREACHABLE, code, 0, 0 }, quote, wr_len(&w));
	else
		packet_icmp(&packet, &(struct packet_ip){ 0 },
			    &(struct icmp_hdr){ ICMP_TYPE_UNREACHABLE, code, 0, 0 }, quote, wr_len(&w));
	ck_assert_int_eq(icmp_undelivered_from_guest(&hand.g.env, &packet.pkt), DROP_NONE);
}

/* A refusal ends an attempt to connect, an error that may pass does not; and neither does one about
 * another SYN, or within a connection. */
START_TEST(guest_refuses_with_an_icmp_error)
{
	static const struct {
		bool ip6;
		uint8_t passing, refusal;
	} cases[] = { { false, ICMP_CODE_HOST, ICMP_CODE_PORT },
		      { false, ICMP_CODE_FRAGMENTATION_NEEDED, ICMP_CODE_HOST_PROHIBITED },
		      { false, ICMP_CODE_NET, ICMP_CODE_ADMIN_PROHIBITED },
		      { true, ICMP6_CODE_NO_ROUTE, ICMP6_CODE_PORT },
		      { true, ICMP6_CODE_ADDRESS, ICMP6_CODE_ADMIN_PROHIBITED } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(cases[i].ip6 ? hand_begin6 : hand_begin)(0xfffffff0, 0xffffffff);
		hand_reach(TCP_SYN_SENT);
		answer_unreachable(cases[i].passing, hand_conn()->iss);
		answer_unreachable(cases[i].refusal, hand_conn()->iss + 1);
		ck_assert_uint_eq(hand_conn()->state, TCP_SYN_SENT);
		answer_unreachable(cases[i].refusal, hand_conn()->iss);
		ck_assert_ptr_null(hand_conn());
		ck_assert_int_eq(last_reason(), FLOW_CLOSED_REFUSED);
		ck_assert(!hand.h.open && hand.h.reset);
		hand_reach(TCP_ESTABLISHED);
		answer_unreachable(cases[i].refusal, hand_conn()->iss);
		ck_assert_uint_eq(hand_conn()->state, TCP_ESTABLISHED);
		hand_end();
	}
}
END_TEST

/* A SYN of a new connection in TIME-WAIT, while the host side has not got all of the old one.
 */
START_TEST(new_connection_before_the_old_one_is_delivered)
{
	hand_begin(0xfffffff0, 0xfffffffa);
	hand_reach(TCP_FIN_WAIT_2);
	hand.h.room = 0;
	hand_send(A, hand.seq, hand.ack, 100);
	hand_send(F | A, hand.seq + 100, hand.ack, 0);
	hand_batch();
	hand_forget();
	ck_assert_uint_eq(hand_conn()->state, TCP_TIME_WAIT);
	hand_send(S, hand.seq + 5000, 0, 0);
	hand_batch();
	hand_expect(A, hand.ack, hand.seq + 101, 0); /* not yet: the guest asks again */
	fake_host_read(&hand.g.env, &hand.h, 1000);
	ck_assert_uint_eq(hand.h.n_taken, 100);
	ck_assert(hand.h.shut && !hand.h.open && !hand.h.reset);
	fake_dialer_next(&hand.h, 0);
	hand_send(S, hand.seq + 5000, 0, 0);
	hand_batch();
	ck_assert_uint_eq(hand_conn()->state, TCP_CONNECTING);
	hand_end();
}
END_TEST

/* The guest forgets a connection that it had ended while the host side is slow. */
START_TEST(reset_before_all_is_delivered)
{
	static const enum tcp_state states[] = { TCP_CLOSING, TCP_LAST_ACK, TCP_TIME_WAIT };

	for (int i = 0; i < 3; i++) {
		hand_begin(0xfffffff0, 0xfffffffa);
		hand_reach(states[i] == TCP_LAST_ACK ? TCP_ESTABLISHED : TCP_FIN_WAIT_1);
		hand.h.room = 0;
		hand_send(A, hand.seq, hand.ack - (states[i] == TCP_CLOSING), 100);
		hand_send(F | A, hand.seq + 100, hand.ack - (states[i] == TCP_CLOSING), 0);
		hand_batch();
		if (states[i] == TCP_LAST_ACK)
			fake_host_write(&hand.g.env, &hand.h, 50, true);
		hand_forget();
		ck_assert_uint_eq(hand_conn()->state, states[i]);
		hand_send(R, hand.seq + 101, 0, 0);
		hand_batch();
		hand_expect_nothing();
		ck_assert(hand_conn() && hand.h.open);
		fake_host_read(&hand.g.env, &hand.h, 1000);
		ck_assert_uint_eq(hand.h.n_taken, 100);
		ck_assert(hand.h.shut && !hand.h.open && !hand.h.reset);
		ck_assert_int_eq(last_reason(), FLOW_CLOSED_FINISHED);
		hand_end();
	}
}
END_TEST

/* A connection that began before goes on, also its end; a new one is refused, like one that
 * takes the place of an old one. */
START_TEST(switched_off)
{
	static struct packet p;
	struct tcp_hdr syn = { .sport = 40001, .dport = 80, .seq = 1, .flags = S };

	hand_begin(0xfffffff0, 0xfffffffa);
	hand_reach(TCP_ESTABLISHED);
	hand.g.conf.no_tcp = true;
	hand_send(A, hand.seq, hand.ack, 100);
	hand_batch();
	ck_assert_uint_eq(hand.h.n_taken, 100);
	fake_host_write(&hand.g.env, &hand.h, 50, false);
	hand_forget();
	packet_tcp(&p, &(struct packet_ip){ 0 }, &syn, NULL, 0);
	ck_assert_int_eq(demux_from_guest(&hand.g.env, p.frame, p.len), DROP_IP_PROTOCOL);
	ck_assert_uint_eq(hand.g.env.flows.n, 1);
	ck_assert_uint_eq(fake_guest_frame(&hand.g, hand.g.n_frames - 1)->data[47], R | A);
	hand_forget();
	hand_end();

	hand_begin(0xfffffff0, 0xfffffffa);
	hand_reach(TCP_TIME_WAIT);
	hand.g.conf.no_tcp = true;
	hand_send(S, hand.seq + 100000, 0, 0);
	ck_assert_uint_eq(hand.g.env.flows.n, 0);
	ck_assert_uint_eq(fake_guest_frame(&hand.g, hand.g.n_frames - 1)->data[47], R | A);
	hand_forget();
	hand_end();
}
END_TEST

SUITE_MAIN("tcp_states", each_segment_in_each_state, host_bytes_in_each_state,
	   host_end_in_each_state, host_sent_before_the_handshake, host_breaks_in_each_state,
	   host_breaks_behind_bytes, host_breaks_while_the_guest_sends, host_connects,
	   host_does_not_connect, guest_refuses_with_an_icmp_error,
	   new_connection_before_the_old_one_is_delivered, reset_before_all_is_delivered, switched_off)
