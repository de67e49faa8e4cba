/* proto/reassembly.c: the guest's fragmented datagrams.
 *
 * Theory of operation: a datagram under way has a slot of fixed size, where its payload is
 * written to its final place and one bit for each eight bytes says what is there.  All slots
 * are one allocation, whose pages come into being when they are first written; the slot that
 * was used last is used next.  All deadlines are equally far away, so the oldest slot has the
 * next one.
 */
#include "proto/reassembly.h"

#include <stdlib.h>

#include "base/checksum.h"
#include "proto/guest.h"

#define IP4_HEADER_MAX	60
#define UNIT		8 /* bytes that one bit stands for */
#define UNITS		((IP4_LEN_MAX + UNIT - 1) / UNIT)
#define CODE_REASSEMBLY 1 /* of time exceeded (RFC 792) */

struct slot {
	struct list link; /* in `busy`, oldest first, or in `free` */
	uint64_t deadline_ns;
	struct addr src, dst;
	uint16_t id;
	uint8_t proto;
	struct pkt first; /* the fragment at offset 0; p->ip is NULL until it came */
	size_t len;	  /* of the payload; 0 until the last fragment came */
	size_t reach;	  /* end of the farthest fragment */
	unsigned n_units; /* bits set in `have` */
	uint64_t have[(UNITS + 63) / 64];
	uint8_t data[IP4_HEADER_MAX +
		     IP4_LEN_MAX]; /* header ends, payload begins at the mark */
};

struct reassembly {
	struct slot *slots;
	size_t n_slots, n_touched; /* slots from n_touched on have never been used */
	struct list busy, free;
	struct timer timer; /* for the oldest slot */
};

static uint8_t *slot_payload(struct slot *s)
{
	return s->data + IP4_HEADER_MAX;
}

static void release(struct reassembly *r, struct slot *s)
{
	list_remove(&s->link);
	list_append(&r->free, &s->link);
}

/* Tells the guest, if the first fragment is there to be quoted (RFC 792). */
static void expire(struct env *env, struct slot *s)
{
	struct pkt *p = &s->first;

	env_drop(env, DROP_FRAGMENT_TIMEOUT);
	if (p->ip)
		guest_send_icmp_error(env, p, &env->net->gateway, ICMP_TYPE_TIME_EXCEEDED,
				      CODE_REASSEMBLY, 0);
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
	size_t n = env->conf->limits.fragments;
	struct reassembly *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->slots = calloc(n ? n : 1, sizeof(*r->slots));
	if (!r->slots) {
		free(r);
		return NULL;
	}
	r->n_slots = n;
	list_init(&r->busy);
	list_init(&r->free);
	r->timer.fire = timer_fired;
	return r;
}

void reassembly_free(struct reassembly *r)
{
	if (!r)
		return;
	free(r->slots);
	free(r);
}

void reassembly_reset(struct env *env)
{
	struct reassembly *r = env->reassembly;

	while (!list_empty(&r->busy))
		release(r, oldest(r));
	timerq_cancel(&env->timers, &r->timer);
}

/* Newest first: what is under way now is near the end of the list. */
static struct slot *find(struct reassembly *r, const struct pkt *p)
{
	for (struct list *l = r->busy.prev; l != &r->busy; l = l->prev) {
		struct slot *s = container_of(l, struct slot, link);

		if (s->id == p->ip4.id && s->proto == p->proto && addr_eq(&s->src, &p->src) &&
		    addr_eq(&s->dst, &p->dst))
			return s;
	}
	return NULL;
}

/* Takes a slot out of its list; the oldest datagram gives way when there is no other. */
static struct slot *take_any(struct env *env)
{
	struct reassembly *r = env->reassembly;
	struct slot *s;

	if (list_empty(&r->free) && r->n_touched < r->n_slots) {
		s = &r->slots[r->n_touched++];
		list_init(&s->link);
		return s;
	}
	if (list_empty(&r->free)) {
		if (list_empty(&r->busy))
			return NULL;
		env_drop(env, DROP_FRAGMENT_LIMIT);
		release(r, oldest(r));
	}
	s = container_of(r->free.prev, struct slot, link);
	list_remove(&s->link);
	return s;
}

/* A slot for a new datagram. */
static struct slot *take(struct env *env, const struct pkt *p)
{
	struct reassembly *r = env->reassembly;
	struct slot *s = take_any(env);

	if (!s)
		return NULL;
	list_append(&r->busy, &s->link);
	s->deadline_ns = env->now_ns + env->conf->timeouts.fragment * NS_PER_SEC;
	s->src = p->src;
	s->dst = p->dst;
	s->id = p->ip4.id;
	s->proto = p->proto;
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

/* Keeps the first fragment's header, in front of the payload, to be quoted or completed. */
static void keep_first(struct slot *s, const struct pkt *p)
{
	uint8_t *ip = slot_payload(s) - p->ip4.header_len;

	memcpy(ip, p->ip, p->ip4.header_len);
	s->first = *p;
	s->first.ip = ip;
	s->first.l4 = slot_payload(s);
	s->first.fragment = false;
	/* what kind of ICMP message it is decides whether errors about it may be sent; the UDP
	 * length is that of the whole datagram, so the result says nothing */
	pkt_decode_l4(&s->first);
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
static bool complete_header(struct slot *s)
{
	size_t header_len = s->first.ip4.header_len;
	uint8_t *ip = slot_payload(s) - header_len;

	if (header_len + s->len > IP4_LEN_MAX)
		return false;
	put_be16(ip + 2, (uint16_t)(header_len + s->len));
	put_be16(ip + 6, 0);
	put_be16(ip + 10, 0);
	put_be16(ip + 10, checksum_finish(checksum_add(0, ip, header_len)));
	return true;
}

static void fill_whole(struct slot *s, struct pkt *whole)
{
	*whole = s->first;
	whole->ip_len = whole->ip4.header_len + s->len;
	whole->ip4.total_len = (uint16_t)whole->ip_len;
	whole->ip4.more_fragments = false;
	whole->l4_len = s->len;
}

static bool well_formed(const struct pkt *p)
{
	size_t end = p->ip4.fragment_offset + p->l4_len;

	if (!p->l4_len || (p->ip4.more_fragments && p->l4_len % UNIT))
		return false;
	return p->ip4.header_len + end <= IP4_LEN_MAX;
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
	size_t offset = p->ip4.fragment_offset;
	struct slot *s;

	*complete = false;
	env->stats.fragments_in++;
	if (!well_formed(p))
		return DROP_FRAGMENT_BOUNDS;
	s = find(r, p);
	if (!s)
		s = take(env, p);
	if (!s)
		return DROP_FRAGMENT_LIMIT;
	if (!extend(s, offset + p->l4_len, !p->ip4.more_fragments) ||
	    !put(s, offset, p->l4, p->l4_len))
		return give_up(r, s, DROP_FRAGMENT_OVERLAP);
	if (!offset && !s->first.ip)
		keep_first(s, p);
	if (!is_complete(s))
		return DROP_NONE;
	if (!complete_header(s))
		return give_up(r, s, DROP_FRAGMENT_BOUNDS);
	fill_whole(s, whole);
	/* released at once: nothing writes to the slot before the next call */
	release(r, s);
	env->stats.fragments_whole++;
	*complete = true;
	return DROP_NONE;
}
