/* proto/reassembly.c: the guest's fragmented datagrams.
 *
 * Theory of operation: a datagram under way has a slot of fixed size, where its payload is
 * written to its final place and one bit for each eight bytes says what is there.  A slot is
 * allocated when all that are there are in use, and kept for the next datagrams as long as the
 * limit allows for it; the slot that was used last is used next.  All deadlines are equally far
 * away, so the oldest slot has the next one.
 */
#include "proto/reassembly.h"

#include <stdlib.h>

#include "base/checksum.h"
#include "proto/guest.h"
#include "wire/icmp6.h"

#define HEADER_MAX (IP6_HEADER_LEN + IP6_EXTENSIONS_LEN)
#define UNIT	   8 /* bytes that one bit stands for */
#define UNITS	   ((UINT16_MAX + UNIT - 1) / UNIT)

struct slot {
	struct list link; /* in `busy`, oldest first, or in `free` */
	uint64_t deadline_ns;
	struct addr src, dst;
	uint32_t id;
	uint8_t proto; /* IPv4 alone: part of what names the datagram */
	struct pkt first; /* the fragment at offset 0; p->ip is NULL until it came */
	size_t header_len; /* of the header in front of the payload */
	size_t len;	  /* of the payload; 0 until the last fragment came */
	size_t reach;	  /* end of the farthest fragment */
	unsigned n_units; /* bits set in `have` */
	uint64_t have[(UNITS + 63) / 64];
	uint8_t data[HEADER_MAX + UINT16_MAX]; /* header ends, payload begins at the mark */
};

struct reassembly {
	size_t n_slots, n_busy; /* in both lists, in the first */
	struct list busy, free;
	struct timer timer; /* for the oldest slot */
};

static uint8_t *slot_payload(struct slot *s)
{
	return s->data + HEADER_MAX;
}

static void release(struct reassembly *r, struct slot *s)
{
	list_remove(&s->link);
	list_append(&r->free, &s->link);
	r->n_busy--;
}

static void free_slot(struct reassembly *r)
{
	struct slot *s = container_of(r->free.next, struct slot, link);

	list_remove(&s->link);
	free(s);
	r->n_slots--;
}

void reassembly_trim(struct env *env)
{
	struct reassembly *r = env->reassembly;

	while (r->n_slots > env->conf->limits.fragments && !list_empty(&r->free))
		free_slot(r);
}

/* Tells the guest, if the first fragment is there to be quoted (RFC 792). */
static void expire(struct env *env, struct slot *s)
{
	struct pkt *p = &s->first;

	env_drop(env, DROP_FRAGMENT_TIMEOUT);
	if (p->ip)
		guest_send_error(env, p, GUEST_ERROR_REASSEMBLY);
	release(env->reassembly, s);
}

static struct slot *oldest(struct reassembly *r)
{
	return container_of(r->busy.next, struct slot, link);
}

static void timer_fired(struct timer *t, void *ctx)
{
	struct env *env = ctx;
	struct reassembly *r = env->reassembly;

	while (!list_empty(&r->busy) && oldest(r)->deadline_ns <= env->now_ns)
		expire(env, oldest(r));
	if (!list_empty(&r->busy))
		timerq_set(&env->timers, t, oldest(r)->deadline_ns);
}

struct reassembly *reassembly_new(struct env *env)
{
	struct reassembly *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	list_init(&r->busy);
	list_init(&r->free);
	r->timer.fire = timer_fired;
	return r;
}

void reassembly_free(struct reassembly *r)
{
	if (!r)
		return;
	while (!list_empty(&r->free))
		free_slot(r);
	free(r);
}

void reassembly_reset(struct env *env)
{
	struct reassembly *r = env->reassembly;

	while (!list_empty(&r->busy))
		release(r, oldest(r));
	timerq_cancel(&env->timers, &r->timer);
}

/* What belongs together has the same identification (RFC 791 3.2; RFC 8200 4.5, where fragments may
 * differ in what they say comes next). */
static uint8_t proto_of(const struct pkt *p)
{
	return addr_is_ip4(&p->src) ? p->proto : IP6_FRAGMENT;
}

/* Newest first: what is under way now is near the end of the list. */
static struct slot *find(struct reassembly *r, const struct pkt *p)
{
	for (struct list *l = r->busy.prev; l != &r->busy; l = l->prev) {
		struct slot *s = container_of(l, struct slot, link);

		if (s->id == p->fragment_id && s->proto == proto_of(p) && addr_eq(&s->src, &p->src) &&
		    addr_eq(&s->dst, &p->dst))
			return s;
	}
	return NULL;
}

static struct slot *allocate(struct reassembly *r)
{
	struct slot *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	list_init(&s->link);
	r->n_slots++;
	return s;
}

/* A slot that is in no list; NULL and the reason.  At the limit, the oldest datagram gives way.
 * Where the limit was lowered below what is under way, that goes on, and nothing new comes. */
static struct slot *take_any(struct env *env, enum drop *reason)
{
	struct reassembly *r = env->reassembly;
	size_t max = env->conf->limits.fragments;
	struct slot *s;

	*reason = r->n_busy >= max ? DROP_FRAGMENT_LIMIT : DROP_MEMORY;
	if (!max || r->n_busy > max)
		return NULL;
	if (r->n_busy == max) {
		env_drop(env, DROP_FRAGMENT_LIMIT);
		release(r, oldest(r));
	}
	if (list_empty(&r->free))
		return allocate(r);
	s = container_of(r->free.prev, struct slot, link);
	list_remove(&s->link);
	return s;
}

/* A slot for a new datagram; NULL and the reason. */
static struct slot *take(struct env *env, const struct pkt *p, enum drop *reason)
{
	struct reassembly *r = env->reassembly;
	struct slot *s = take_any(env, reason);

	if (!s)
		return NULL;
	list_append(&r->busy, &s->link);
	r->n_busy++;
	s->deadline_ns = env->now_ns + env->conf->timeouts.fragment * NS_PER_SEC;
	s->src = p->src;
	s->dst = p->dst;
	s->id = p->fragment_id;
	s->proto = proto_of(p);
	s->first.ip = NULL;
	s->len = s->reach = 0;
	s->n_units = 0;
	memset(s->have, 0, sizeof(s->have));
	timerq_set_earlier(&env->timers, &r->timer, s->deadline_ns);
	return s;
}

static bool has_unit(const struct slot *s, size_t unit)
{
	return s->have[unit / 64] >> unit % 64 & 1;
}

/* Writes the fragment's bytes to their place.  False when others stand there already. */
static bool put(struct slot *s, size_t offset, const uint8_t *data, size_t len)
{
	uint8_t *payload = slot_payload(s);

	for (size_t done = 0; done < len; done += UNIT) {
		size_t unit = (offset + done) / UNIT, n = len - done < UNIT ? len - done : UNIT;

		if (!has_unit(s, unit)) {
			s->have[unit / 64] |= 1ull << unit % 64;
			s->n_units++;
		} else if (memcmp(payload + offset + done, data + done, n)) {
			return false;
		}
	}
	memcpy(payload + offset, data, len);
	return true;
}

/* Keeps the first fragment's header, in front of the payload, to be quoted or completed: without
 * the fragment header (RFC 8200 4.5), whose next header is the datagram's. */
static void keep_first(struct slot *s, const struct pkt *p)
{
	bool ip4 = addr_is_ip4(&p->src);
	uint8_t *ip;

	s->header_len = ip4 ? p->ip_header_len : p->chain.unfragmented_len;
	ip = slot_payload(s) - s->header_len;
	memcpy(ip, p->ip, s->header_len);
	if (!ip4)
		ip[p->chain.fragment_at] = p->proto;
	s->first = *p;
	s->first.ip = ip;
	s->first.ip_header_len = s->header_len;
	s->first.ip_len = s->header_len + p->l4_len;
	s->first.chain.proto_at = p->chain.fragment_at;
}

/* Notes how far the datagram goes.  False when the fragments disagree about its end. */
static bool extend(struct slot *s, size_t end, bool last)
{
	if (last && s->len && s->len != end)
		return false;
	if (last)
		s->len = end;
	if (end > s->reach)
		s->reach = end;
	return !s->len || s->reach <= s->len;
}

static bool is_complete(const struct slot *s)
{
	return s->len && s->first.ip && s->n_units == (s->len + UNIT - 1) / UNIT;
}

/* Makes the header of the first fragment that of the whole datagram. */
static void complete_header(struct slot *s)
{
	uint8_t *ip = slot_payload(s) - s->header_len;

	if (!addr_is_ip4(&s->src)) {
		put_be16(ip + 4, (uint16_t)(s->header_len - IP6_HEADER_LEN + s->len));
		return;
	}
	put_be16(ip + 2, (uint16_t)(s->header_len + s->len));
	put_be16(ip + 6, 0);
	put_be16(ip + 10, 0);
	put_be16(ip + 10, checksum_finish(checksum_add(0, ip, s->header_len)));
}

/* How long a datagram with this header, or such a payload, may be. */
static bool fits(const struct pkt *p, size_t header_len, size_t payload_len)
{
	if (addr_is_ip4(&p->src))
		return header_len + payload_len <= IP4_LEN_MAX;
	return header_len + payload_len <= IP6_LEN_MAX;
}

static bool has_odd_length(const struct pkt *p)
{
	return p->more_fragments && p->l4_len % UNIT;
}

/* What follows the headers may be judged by them alone. */
static bool lacks_headers(const struct pkt *p)
{
	return !addr_is_ip4(&p->src) && !p->fragment_offset &&
	       !ip6_has_all_headers(p->proto, p->l4, p->l4_len);
}

static bool well_formed(const struct pkt *p)
{
	size_t header_len = addr_is_ip4(&p->src) ? p->ip_header_len : p->chain.unfragmented_len;

	return p->l4_len && !has_odd_length(p) && !lacks_headers(p) &&
	       fits(p, header_len, p->fragment_offset + p->l4_len) &&
	       p->fragment_offset + p->l4_len <= UINT16_MAX;
}

/* RFC 8200 4.5: which field of the fragment is to blame. */
static void name_problem(const struct pkt *p, struct pkt *told)
{
	if (addr_is_ip4(&p->src) || !p->l4_len)
		return;
	*told = *p;
	told->chain.problem = true;
	if (lacks_headers(p) && !has_odd_length(p)) {
		told->chain.problem_code = ICMP6_CODE_FIRST_FRAGMENT;
		told->chain.problem_at = 0;
		return;
	}
	told->chain.problem_code = ICMP6_CODE_FIELD;
	told->chain.problem_at = has_odd_length(p)
					 ? IP6_PAYLOAD_LEN_AT
					 : p->chain.unfragmented_len + (uint32_t)IP6_FRAGMENT_OFFSET_AT;
}

/* The datagram cannot be put together any more. */
static enum drop give_up(struct reassembly *r, struct slot *s, enum drop reason)
{
	release(r, s);
	return reason;
}

enum drop reassembly_from_guest(struct env *env, const struct pkt *p, struct pkt *whole,
				bool *complete)
{
	struct reassembly *r = env->reassembly;
	size_t offset = p->fragment_offset;
	enum drop reason;
	struct slot *s;

	reassembly_trim(env);
	*complete = false;
	whole->chain.problem = false;
	env->stats.fragments_in++;
	if (!well_formed(p)) {
		name_problem(p, whole);
		return DROP_FRAGMENT_BOUNDS;
	}
	s = find(r, p);
	if (!s)
		s = take(env, p, &reason);
	if (!s)
		return reason;
	if (!extend(s, offset + p->l4_len, !p->more_fragments) ||
	    !put(s, offset, p->l4, p->l4_len))
		return give_up(r, s, DROP_FRAGMENT_OVERLAP);
	if (!offset && !s->first.ip)
		keep_first(s, p);
	if (!is_complete(s))
		return DROP_NONE;
	if (!fits(p, s->header_len, s->len))
		return give_up(r, s, DROP_FRAGMENT_BOUNDS);
	complete_header(s);
	/* released at once: nothing writes to the slot before the next call */
	release(r, s);
	env->stats.fragments_whole++;
	*complete = true;
	whole->eth = s->first.eth;
	reason = pkt_decode_ip(s->first.ip, s->header_len + s->len, whole);
	whole->dont_fragment = false; /* the guest did cut it up */
	return reason == DROP_NONE && whole->fragment ? DROP_FRAGMENT_BOUNDS : reason;
}

size_t reassembly_count(const struct env *env)
{
	return env->reassembly->n_busy;
}
