/* proto/dns_static.c: look-up among a handful of names. */
#include "proto/dns_static.h"

#include <errno.h>
#include <stdlib.h>

static const uint8_t host_name[] = "\4host\10internal";
static const uint8_t gateway_name[] = "\7gateway\10internal";

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

struct addr dns_static_host(const struct net *net)
{
	return net->ip4.map_loopback_set ? net->ip4.map_loopback : net->ip4.gateway;
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
	bool known = false;
	struct addr addr;

	*n = 0;
	for (unsigned i = 0; i < s->n; i++) {
		if (!is_name(q, s->names[i].name, s->names[i].len))
			continue;
		known = true;
		if (is_asked(q, &s->names[i].addr))
			addrs[(*n)++] = s->names[i].addr;
	}
	if (known)
		return true; /* a record of the user's goes before a built-in name */
	if (is_name(q, host_name, sizeof(host_name)))
		addr = dns_static_host(net);
	else if (is_name(q, gateway_name, sizeof(gateway_name)))
		addr = net->ip4.gateway;
	else
		return false;
	if (is_asked(q, &addr))
		addrs[(*n)++] = addr;
	return true;
}
