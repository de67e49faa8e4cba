/* wire/dhcp6.c: DHCPv6 messages; names through the resolver's own packing. */
#include "wire/dhcp6.h"

#include <arpa/nameser.h>
#include <errno.h>

#define TIMES_LEN 8 /* T1 and T2, or preferred and valid lifetime */

bool dhcp6_option_next(struct rd *options, uint16_t *code, struct rd *value)
{
	if (!rd_left(options))
		return false;
	*code = rd_be16(options);
	*value = rd_sub(options, rd_be16(options));
	return !options->error;
}

/* What stands before the options in the value of an option that has any; -1: it has none. */
static int fixed_len(uint16_t code)
{
	switch (code) {
	case DHCP6_OPT_IA_NA:
	case DHCP6_OPT_IA_PD:
		return 4 + TIMES_LEN;
	case DHCP6_OPT_IA_TA:
		return 4;
	case DHCP6_OPT_IA_ADDRESS:
		return 16 + TIMES_LEN;
	case DHCP6_OPT_IA_PREFIX:
		return TIMES_LEN + 1 + 16;
	default:
		return -1;
	}
}

static bool is_well_formed(uint16_t code, const struct rd *value)
{
	size_t len = rd_left(value);

	switch (code) {
	case DHCP6_OPT_CLIENT_ID:
		return len >= DHCP6_DUID_MIN && len <= DHCP6_DUID_MAX;
	case DHCP6_OPT_REQUESTED:
		return len % 2 == 0;
	default:
		return fixed_len(code) < 0 || len >= (size_t)fixed_len(code);
	}
}

/* Options of a message hold IAs, those hold addresses and prefixes, and those a status at most.
 */
static int check_options(struct rd options, unsigned depth_left)
{
	struct rd value;
	uint16_t code;

	while (dhcp6_option_next(&options, &code, &value)) {
		if (!is_well_formed(code, &value))
			return -EINVAL;
		if (fixed_len(code) < 0 || !depth_left)
			continue;
		rd_skip(&value, (size_t)fixed_len(code));
		if (check_options(value, depth_left - 1))
			return -EINVAL;
	}
	return options.error ? -EINVAL : 0;
}

int dhcp6_decode(struct rd *r, struct dhcp6_msg *m)
{
	uint32_t word = rd_be32(r);

	m->type = (uint8_t)(word >> 24);
	m->xid = word & 0xffffff;
	m->options = rd_sub(r, rd_left(r));
	if (r->error)
		return -EINVAL;
	return check_options(m->options, 2);
}

bool dhcp6_ia_next(struct rd *options, struct dhcp6_ia *ia)
{
	struct rd value;

	while (dhcp6_option_next(options, &ia->code, &value)) {
		if (ia->code != DHCP6_OPT_IA_NA && ia->code != DHCP6_OPT_IA_TA &&
		    ia->code != DHCP6_OPT_IA_PD)
			continue;
		ia->iaid = rd_be32(&value);
		rd_skip(&value, (size_t)fixed_len(ia->code) - 4);
		ia->options = value;
		return !value.error;
	}
	return false;
}

bool dhcp6_address_next(struct rd *options, struct addr *a)
{
	struct rd value;
	uint16_t code;

	while (dhcp6_option_next(options, &code, &value)) {
		if (code != DHCP6_OPT_IA_ADDRESS)
			continue;
		rd_bytes(&value, a->b, sizeof(a->b));
		return !value.error;
	}
	return false;
}

bool dhcp6_find(const struct dhcp6_msg *m, uint16_t code, struct rd *value)
{
	struct rd options = m->options;
	uint16_t found;

	while (dhcp6_option_next(&options, &found, value))
		if (found == code)
			return true;
	return false;
}

bool dhcp6_has(const struct dhcp6_msg *m, uint16_t code)
{
	struct rd value;

	return dhcp6_find(m, code, &value);
}

bool dhcp6_requests(const struct dhcp6_msg *m, uint16_t code)
{
	struct rd list;

	if (!dhcp6_find(m, DHCP6_OPT_REQUESTED, &list))
		return false;
	while (rd_left(&list))
		if (rd_be16(&list) == code)
			return true;
	return false;
}

bool dhcp6_ia_has_address(const struct dhcp6_ia *ia, const struct addr *a)
{
	struct rd options = ia->options;
	struct addr found;

	while (dhcp6_address_next(&options, &found))
		if (addr_eq(&found, a))
			return true;
	return false;
}

bool dhcp6_get_fqdn(const struct dhcp6_msg *m, struct dhcp6_fqdn *f)
{
	/* a part of a name lacks the root label, which the zeroes behind it are */
	uint8_t name[NS_MAXCDNAME + 1] = { 0 };
	struct rd value;
	size_t len;

	if (!dhcp6_find(m, DHCP6_OPT_FQDN, &value))
		return false;
	f->flags = rd_u8(&value);
	len = rd_left(&value);
	if (value.error || len > NS_MAXCDNAME)
		return false;
	rd_bytes(&value, name, len);
	if (ns_name_uncompress(name, name + len + 1, name, f->name, sizeof(f->name)) < 0)
		return false;
	if (!strcmp(f->name, "."))
		f->name[0] = '\0';
	return true;
}

void dhcp6_put_header(struct wr *w, uint8_t type, uint32_t xid)
{
	wr_be32(w, (uint32_t)type << 24 | (xid & 0xffffff));
}

size_t dhcp6_begin(struct wr *w, uint16_t code)
{
	wr_be16(w, code);
	wr_be16(w, 0);
	return wr_len(w);
}

void dhcp6_end(struct wr *w, size_t begun)
{
	wr_patch16(w, begun - 2, (uint16_t)(wr_len(w) - begun));
}

void dhcp6_put(struct wr *w, uint16_t code, const void *value, size_t len)
{
	size_t begun = dhcp6_begin(w, code);

	wr_bytes(w, value, len);
	dhcp6_end(w, begun);
}

void dhcp6_put_status(struct wr *w, enum dhcp6_status status, const char *text)
{
	size_t begun = dhcp6_begin(w, DHCP6_OPT_STATUS);

	wr_be16(w, (uint16_t)status);
	wr_bytes(w, text, strlen(text));
	dhcp6_end(w, begun);
}

void dhcp6_put_address(struct wr *w, const struct addr *a, uint32_t preferred, uint32_t valid)
{
	size_t begun = dhcp6_begin(w, DHCP6_OPT_IA_ADDRESS);

	wr_bytes(w, a->b, sizeof(a->b));
	wr_be32(w, preferred);
	wr_be32(w, valid);
	dhcp6_end(w, begun);
}

size_t dhcp6_begin_ia(struct wr *w, const struct dhcp6_ia *ia, uint32_t t1, uint32_t t2)
{
	size_t begun = dhcp6_begin(w, ia->code);

	wr_be32(w, ia->iaid);
	if (ia->code != DHCP6_OPT_IA_TA) {
		wr_be32(w, t1);
		wr_be32(w, t2);
	}
	return begun;
}

/* Whole and uncompressed (RFC 8415 10); its length, 0 for what is no name. */
static size_t pack_name(const char *text, uint8_t name[static NS_MAXCDNAME])
{
	int len = text[0] ? ns_name_compress(text, name, NS_MAXCDNAME, NULL, NULL) : 0;

	return len > 1 ? (size_t)len : 0;
}

void dhcp6_put_search(struct wr *w, const char (*name)[DHCP6_NAME_MAX], unsigned n)
{
	uint8_t packed[NS_MAXCDNAME];
	size_t before = wr_len(w), begun = dhcp6_begin(w, DHCP6_OPT_SEARCH);

	for (unsigned i = 0; i < n; i++)
		wr_bytes(w, packed, pack_name(name[i], packed));
	dhcp6_end(w, begun);
	if (wr_len(w) == begun)
		w->p = w->start + before;
}

void dhcp6_put_fqdn(struct wr *w, const struct dhcp6_fqdn *f)
{
	uint8_t packed[NS_MAXCDNAME];
	size_t len = pack_name(f->name, packed), begun;

	if (!len)
		return;
	if (!strchr(f->name, '.'))
		len--;
	begun = dhcp6_begin(w, DHCP6_OPT_FQDN);
	wr_u8(w, f->flags);
	wr_bytes(w, packed, len);
	dhcp6_end(w, begun);
}
