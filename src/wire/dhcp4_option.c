/* wire/dhcp4_option.c: DHCPv4 option values; names through the resolver's own packing. */
#include "wire/dhcp4_option.h"

#include <arpa/nameser.h>
#include <errno.h>

#define SEARCH_LABELS_MAX 64  /* labels that later names can point at */
#define FQDN_RCODE	  255 /* what servers put into the fields of old (RFC 4702 2.2) */

int dhcp4_option_next(struct rd *r, uint8_t *code, struct rd *value)
{
	do {
		if (!rd_left(r))
			return 0;
		*code = rd_u8(r);
	} while (*code == DHCP4_OPT_PAD);
	if (*code == DHCP4_OPT_END)
		return 0;
	*value = rd_sub(r, rd_u8(r));
	return r->error ? -EINVAL : 1;
}

const uint8_t *dhcp4_get(const struct dhcp4_options *o, uint8_t code, size_t *len)
{
	const struct dhcp4_span *span = &o->span[code];

	if (!span->present)
		return NULL;
	*len = span->len;
	return o->data + span->offset;
}

bool dhcp4_has(const struct dhcp4_options *o, uint8_t code)
{
	return o->span[code].present;
}

bool dhcp4_get_u16(const struct dhcp4_options *o, uint8_t code, uint16_t *v)
{
	size_t len;
	const uint8_t *p = dhcp4_get(o, code, &len);

	if (!p || len != 2)
		return false;
	*v = get_be16(p);
	return true;
}

bool dhcp4_get_addr(const struct dhcp4_options *o, uint8_t code, struct addr *a)
{
	size_t len;
	const uint8_t *p = dhcp4_get(o, code, &len);

	if (!p || len != 4)
		return false;
	*a = addr_ip4_bytes(p);
	return true;
}

/* A name in wire form; one that is not fully qualified lacks the root label (RFC 4702 2.3). */
static bool expand_name(const uint8_t *p, size_t len, char name[static DHCP4_NAME_MAX])
{
	uint8_t wire[NS_MAXCDNAME + 1] = { 0 };

	if (len > NS_MAXCDNAME)
		return false;
	memcpy(wire, p, len);
	if (ns_name_uncompress(wire, wire + len + 1, wire, name, DHCP4_NAME_MAX) < 0)
		return false;
	if (!strcmp(name, "."))
		name[0] = '\0';
	return true;
}

bool dhcp4_get_fqdn(const struct dhcp4_options *o, struct dhcp4_fqdn *f)
{
	size_t len;
	const uint8_t *p = dhcp4_get(o, DHCP4_OPT_FQDN, &len);

	if (!p || len < 3)
		return false;
	f->flags = p[0];
	p += 3;
	len -= 3;
	if (f->flags & DHCP4_FQDN_E)
		return expand_name(p, len, f->name);
	if (len >= sizeof(f->name))
		return false;
	memcpy(f->name, p, len);
	f->name[len] = '\0';
	return true;
}

bool dhcp4_put_fqdn(struct wr *w, const struct dhcp4_fqdn *f)
{
	uint8_t wire[NS_MAXCDNAME];
	const void *name = f->name;
	int len = (int)strlen(f->name);

	if (f->flags & DHCP4_FQDN_E) {
		len = ns_name_compress(f->name, wire, sizeof(wire), NULL, NULL);
		name = wire;
	}
	if (len < 0 || wr_left(w) < 3 + (size_t)len)
		return false;
	wr_u8(w, f->flags);
	wr_u8(w, FQDN_RCODE);
	wr_u8(w, FQDN_RCODE);
	wr_bytes(w, name, (size_t)len);
	return true;
}

bool dhcp4_put_search(struct wr *w, const char (*name)[DHCP4_NAME_MAX], unsigned n)
{
	const uint8_t *label[SEARCH_LABELS_MAX] = { w->start, NULL };

	for (unsigned i = 0; i < n; i++) {
		int len;

		if (!name[i][0] || !strcmp(name[i], "."))
			continue;
		len = ns_name_compress(name[i], w->p, wr_left(w), label,
				       label + SEARCH_LABELS_MAX);
		if (len < 0)
			continue;
		wr_reserve(w, (size_t)len);
	}
	return wr_len(w) > 0;
}

void dhcp4_put_route(struct wr *w, const struct addr *dst, unsigned prefix_len,
		     const struct addr *router)
{
	wr_u8(w, (uint8_t)prefix_len);
	wr_bytes(w, dst->b + 12, (prefix_len + 7) / 8);
	dhcp4_put_addr(w, router);
}

void dhcp4_put_addr(struct wr *w, const struct addr *a)
{
	wr_bytes(w, a->b + 12, 4);
}
