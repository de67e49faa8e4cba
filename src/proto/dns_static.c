/* proto/dns_static.c: look-up among a handful of names. */
#include "proto/dns_static.h"

#include <errno.h>
#include <stdlib.h>

static const struct {
	const char *text;
	const uint8_t *wire;
	size_t len;
} own_names[DNS_STATIC_OWN] = {
	{ "host.internal", (const uint8_t *)"\4host\10internal", 15 },
	{ "gateway.internal", (const uint8_t *)"\7gateway\10internal", 18 },
};

int dns_static_init(struct dns_static *s, const struct conf *conf)
{
	*s = (struct dns_static){ .names = calloc(conf->n_records + 1, sizeof(*s->names)) };
	if (!s->names)
		return -ENOMEM;
	for (unsigned i = 0; i < conf->n_records; i++) {
		struct dns_static_name *name = &s->names[i];
		int len = dns_name_encode(conf->records[i].name, name->name);

		if (len < 0) {
			dns_static_free(s);
			return len;
		}
		name->len = (uint8_t)len;
		name->addr = conf->records[i].addr;
		s->n++;
	}
	return 0;
}

void dns_static_free(struct dns_static *s)
{
	free(s->names);
	*s = (struct dns_static){ .names = NULL };
}

static void add_own(struct dns_static_own *own, const struct net_ip *ip, const struct addr *addr)
{
	if (ip->on && (addr_is_ip4(addr) || !addr_is_link_local(addr)))
		own->addrs[own->n++] = *addr;
}

static const struct addr *host_of(const struct net_ip *ip)
{
	return ip->map_loopback_set ? &ip->map_loopback : &ip->gateway;
}

void dns_static_own(const struct net *net, struct dns_static_own own[static DNS_STATIC_OWN])
{
	for (int i = 0; i < DNS_STATIC_OWN; i++)
		own[i] = (struct dns_static_own){ .name = own_names[i].text };
	add_own(&own[0], &net->ip4, host_of(&net->ip4));
	add_own(&own[0], &net->ip6, host_of(&net->ip6));
	add_own(&own[1], &net->ip4, &net->ip4.gateway);
	add_own(&own[1], &net->ip6, &net->ip6.gateway);
}

static bool is_asked(const struct dns_query *q, const struct addr *a)
{
	if (q->qclass != DNS_CLASS_IN && q->qclass != DNS_CLASS_ANY)
		return false;
	return q->qtype == DNS_TYPE_ANY ||
	       q->qtype == (addr_is_ip4(a) ? DNS_TYPE_A : DNS_TYPE_AAAA);
}

static bool is_name(const struct dns_query *q, const uint8_t *name, size_t len)
{
	return q->name_len == len && !memcmp(q->name, name, len);
}

bool dns_static_find(const struct dns_static *s, const struct net *net,
		     const struct dns_query *q, struct addr addrs[static DNS_STATIC_ADDRS_MAX],
		     unsigned *n)
{
	struct dns_static_own own[DNS_STATIC_OWN];
	bool known = false;
	int i;

	*n = 0;
	for (unsigned k = 0; k < s->n; k++) {
		if (!is_name(q, s->names[k].name, s->names[k].len))
			continue;
		known = true;
		if (is_asked(q, &s->names[k].addr))
			addrs[(*n)++] = s->names[k].addr;
	}
	if (known)
		return true; /* a record of the user's goes before a built-in name */
	for (i = 0; i < DNS_STATIC_OWN; i++)
		if (is_name(q, own_names[i].wire, own_names[i].len))
			break;
	if (i == DNS_STATIC_OWN)
		return false;
	dns_static_own(net, own);
	for (unsigned k = 0; k < own[i].n; k++)
		if (is_asked(q, &own[i].addrs[k]))
			addrs[(*n)++] = own[i].addrs[k];
	return true;
}
