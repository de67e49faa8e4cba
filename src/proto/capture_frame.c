/* proto/capture_frame.c: what becomes of each frame while captures run. */
#include <stdio.h>

#include "capture_priv.h"
#include "wire/arp.h"
#include "wire/icmp6.h"

#define PORTS_LEN 4 /* at the beginning of the header of TCP and of UDP */

/* A frame, and what it was found to be. */
struct seen {
	const uint8_t *frame;
	size_t len;
	uint64_t time_ns;
	bool from_guest;
	enum drop reason;

	struct pkt p;
	bool whole; /* `p` was decoded to its end */
	bool ip;    /* ... or at least to the end of the IP header */
	enum capture_proto proto;
	uint16_t src_port, dst_port;
	uint64_t flow; /* 0: it belongs to none */
};

/* What stands in front of a held frame. */
struct held {
	uint64_t time_ns;
	size_t len;
};

static bool has_transport(const struct pkt *p, size_t len)
{
	return !p->fragment_offset && p->l4_len >= len;
}

static bool is_echo(const struct pkt *p)
{
	uint8_t type = p->l4[0];

	return p->proto == IP_ICMP ? type == ICMP_TYPE_ECHO || type == ICMP_TYPE_ECHO_REPLY
				   : type == ICMP6_TYPE_ECHO || type == ICMP6_TYPE_ECHO_REPLY;
}

static bool is_error(const struct pkt *p)
{
	uint8_t type = p->l4[0];

	return p->proto == IP_ICMP ? type == ICMP_TYPE_UNREACHABLE || type == ICMP_TYPE_TIME_EXCEEDED ||
					     type == ICMP_TYPE_PARAMETER_PROBLEM
				   : type < ICMP6_TYPE_INFORMATIONAL;
}

/* The key of the flow that a packet would belong to; false if there is no such flow. */
static bool key_of(const struct pkt *p, bool from_guest, struct flow_key *key)
{
	uint16_t src = 0, dst = 0;

	*key = (struct flow_key){ .guest = from_guest ? p->src : p->dst,
				  .peer = from_guest ? p->dst : p->src };
	if ((p->proto == IP_TCP || p->proto == IP_UDP) && has_transport(p, PORTS_LEN)) {
		key->proto = p->proto == IP_TCP ? FLOW_TCP : FLOW_UDP;
		src = get_be16(p->l4);
		dst = get_be16(p->l4 + 2);
	} else if ((p->proto == IP_ICMP || p->proto == IP_ICMP6) &&
		   has_transport(p, ICMP_HEADER_LEN) && is_echo(p)) {
		key->proto = FLOW_ICMP;
		*(from_guest ? &src : &dst) = get_be16(p->l4 + 4); /* the identifier */
	} else {
		return false;
	}
	key->guest_port = from_guest ? src : dst;
	key->peer_port = from_guest ? dst : src;
	return true;
}

/* The flow's id; also of one that ended in this turn, perhaps by this very frame. */
static uint64_t find_flow(const struct env *env, const struct flow_key *key)
{
	const struct flow_table *t = &env->flows;
	const struct flow *f = flow_table_lookup(t, key);

	if (f)
		return f->id;
	for (uint64_t n = t->n_closed; n && t->n_closed - n < FLOW_CLOSED_KEPT; n--) {
		const struct flow_closed *c = &t->closed[(n - 1) % FLOW_CLOSED_KEPT];

		if (c->closed_ns != env->now_ns)
			break;
		if (!memcmp(&c->key, key, sizeof(*key)))
			return c->id;
	}
	return 0;
}

static uint64_t flow_of(const struct env *env, const struct pkt *p, bool from_guest)
{
	struct flow_key key;
	struct pkt quoted;

	if (key_of(p, from_guest, &key))
		return find_flow(env, &key);
	/* an error belongs to the flow whose packet, which went the other way, it quotes */
	if ((p->proto == IP_ICMP || p->proto == IP_ICMP6) && has_transport(p, ICMP_HEADER_LEN) &&
	    is_error(p) &&
	    pkt_decode_quote(p->l4 + ICMP_HEADER_LEN, p->l4_len - ICMP_HEADER_LEN, &quoted) ==
		    DROP_NONE &&
	    key_of(&quoted, !from_guest, &key))
		return find_flow(env, &key);
	return 0;
}

static enum capture_proto proto_of(const struct seen *s)
{
	if (s->whole && s->p.eth.type == ETHERTYPE_ARP)
		return CAPTURE_ARP;
	if (!s->ip)
		return CAPTURE_ANY_PROTO;
	switch (s->p.proto) {
	case IP_TCP:
		return CAPTURE_TCP;
	case IP_UDP:
		return CAPTURE_UDP;
	case IP_ICMP:
	case IP_ICMP6:
		return CAPTURE_ICMP;
	default:
		return CAPTURE_ANY_PROTO;
	}
}

static void describe(const struct env *env, struct seen *s)
{
	enum drop decoded = pkt_decode(s->frame, s->len, &s->p);

	s->whole = decoded == DROP_NONE;
	s->ip = (s->whole && (s->p.eth.type == ETHERTYPE_IP4 || s->p.eth.type == ETHERTYPE_IP6)) ||
		decoded == DROP_UDP_HEADER || decoded == DROP_TCP_HEADER || decoded == DROP_ICMP_HEADER;
	s->proto = proto_of(s);
	if (!s->ip)
		return;
	if ((s->proto == CAPTURE_TCP || s->proto == CAPTURE_UDP) && has_transport(&s->p, PORTS_LEN)) {
		s->src_port = get_be16(s->p.l4);
		s->dst_port = get_be16(s->p.l4 + 2);
	}
	s->flow = flow_of(env, &s->p, s->from_guest);
}

static bool end_matches(const struct capture_spec *spec, const struct addr *addr, uint16_t port)
{
	return (!spec->addr_set || addr_in_prefix(addr, &spec->addr, spec->prefix_len)) &&
	       (!spec->port || port == spec->port);
}

static bool matches(const struct capture_spec *spec, const struct seen *s)
{
	if (spec->dir != CAPTURE_BOTH_DIRS && (spec->dir == CAPTURE_FROM_GUEST) != s->from_guest)
		return false;
	if (spec->proto != CAPTURE_ANY_PROTO && spec->proto != s->proto)
		return false;
	if ((spec->dropped && s->reason == DROP_NONE) || (spec->flow && spec->flow != s->flow))
		return false;
	if (!spec->addr_set && !spec->port)
		return true;
	return s->ip && (end_matches(spec, &s->p.src, s->src_port) ||
			 end_matches(spec, &s->p.dst, s->dst_port));
}

/* How long the headers are: never more than is certain to be none of what they carry. */
static size_t headers_len(const struct seen *s)
{
	const struct pkt *p = &s->p;

	if (s->proto == CAPTURE_ARP && p->l4_len >= ARP_WIRE_LEN)
		return ETH_HEADER_LEN + ARP_WIRE_LEN;
	if (!s->ip)
		return ETH_HEADER_LEN;
	if (s->whole && !p->fragment && s->proto != CAPTURE_ANY_PROTO)
		return (size_t)(p->payload - s->frame);
	return (size_t)(p->l4 - s->frame);
}

static size_t stored_len(const struct capture_spec *spec, const struct seen *s)
{
	size_t len = s->len;

	if (spec->headers && headers_len(s) < len)
		len = headers_len(s);
	return spec->snaplen && spec->snaplen < len ? spec->snaplen : len;
}

/* The length of the block, written to `room`. */
static size_t encode(const struct capture *c, const struct seen *s, size_t len, uint8_t *room)
{
	struct wr w = wr_init(room, len + PCAPNG_PACKET_MAX);
	struct pcapng_packet packet = { .time_ns = s->time_ns,
					.direction = s->from_guest ? PCAPNG_INBOUND : PCAPNG_OUTBOUND,
					.data = s->frame,
					.len = len,
					.original_len = s->len,
					.n_lost = c->n_lost };
	char flow[PCAPNG_COMMENT_MAX], drop[PCAPNG_COMMENT_MAX];

	if (s->flow) {
		snprintf(flow, sizeof(flow), "flow %llu", (unsigned long long)s->flow);
		packet.comments[packet.n_comments++] = flow;
	}
	if (s->reason != DROP_NONE) {
		snprintf(drop, sizeof(drop), "drop.%s", drop_name(s->reason));
		packet.comments[packet.n_comments++] = drop;
	}
	pcapng_encode_packet(&w, &packet);
	return wr_len(&w);
}

static void count_lost(struct env *env, struct capture *c)
{
	env->stats.capture_lost++;
	c->status.lost++;
	c->n_lost++;
}

static void store(struct env *env, struct capture *c, const struct seen *s)
{
	const struct capture_spec *spec = &c->spec;
	size_t len = stored_len(spec, s), block;
	uint8_t *room;

	if (spec->bytes && c->size + len + PCAPNG_PACKET_MAX + PCAPNG_STATISTICS_MAX > spec->bytes) {
		capture_end(c, CAPTURE_SIZE_LIMIT);
		return;
	}
	c->status.matched++;
	room = capture_make_room(c, len + PCAPNG_PACKET_MAX);
	if (!room) {
		count_lost(env, c);
		return;
	}
	block = encode(c, s, len, room);
	capture_buf_commit(&c->buf, block);
	env->stats.capture_frames++;
	c->size += block;
	c->n_lost = 0;
	c->status.buffered++;
	if (++c->stored == spec->packets)
		capture_end(c, CAPTURE_PACKET_LIMIT);
}

static void show(struct env *env, struct seen *s)
{
	struct captures *cs = env->captures;

	describe(env, s);
	for (unsigned i = 0; i < CAPTURES_KEPT; i++) {
		struct capture *c = &cs->slots[i];

		if (!c->status.id || c->status.state != CAPTURE_RUNNING)
			continue;
		c->status.seen++;
		if (matches(&c->spec, s))
			store(env, c, s);
	}
}

/* Keeps a frame to the guest until the frame of the guest that it answers was shown. */
static void hold(struct captures *cs, const uint8_t *frame, size_t len)
{
	struct held h = { cs->ops->clock_ns(), len };

	if (cs->held_len + sizeof(h) + len > CAPTURE_HELD_SIZE) {
		for (unsigned i = 0; i < CAPTURES_KEPT; i++)
			if (cs->slots[i].status.id && cs->slots[i].status.state == CAPTURE_RUNNING)
				count_lost(cs->env, &cs->slots[i]);
		return;
	}
	memcpy(cs->held + cs->held_len, &h, sizeof(h));
	memcpy(cs->held + cs->held_len + sizeof(h), frame, len);
	cs->held_len += sizeof(h) + len;
}

void capture_frame_begins(struct env *env)
{
	struct captures *cs = env->captures;

	cs->holding = true;
	cs->held_len = 0;
	cs->frame_time_ns = cs->ops->clock_ns();
}

void capture_from_guest(struct env *env, const uint8_t *frame, size_t len, enum drop reason)
{
	struct captures *cs = env->captures;
	struct seen s = { .frame = frame, .len = len, .time_ns = cs->frame_time_ns,
			  .from_guest = true, .reason = reason };
	struct held h;

	cs->holding = false;
	show(env, &s);
	for (size_t at = 0; at < cs->held_len; at += sizeof(h) + h.len) {
		memcpy(&h, cs->held + at, sizeof(h));
		s = (struct seen){ .frame = cs->held + at + sizeof(h), .len = h.len, .time_ns = h.time_ns };
		show(env, &s);
	}
}

void capture_to_guest(struct env *env, const uint8_t *frame, size_t len)
{
	struct captures *cs = env->captures;
	struct seen s = { .frame = frame, .len = len };

	if (cs->holding) {
		hold(cs, frame, len);
		return;
	}
	s.time_ns = cs->ops->clock_ns();
	show(env, &s);
}
