/* wire/dhcp4.c: DHCPv4 and BOOTP messages: the fixed part, and options in three fields. */
#include "wire/dhcp4.h"

#include <errno.h>

#define MAGIC_COOKIE 0x63825363u /* RFC 2132 2 */
#define SNAME_LEN    64
#define FILE_LEN     128
#define BROADCAST    0x8000u

#define OPTION_PIECE_MAX 255u
#define OVERLOAD_FILE	 1u
#define OVERLOAD_SNAME	 2u
#define OVERLOAD_LEN	 3u /* option 52 itself */
#define END_LEN		 1u

/* The fields that may hold options, in the order of RFC 3396 5. */
enum field { FIELD_OPTIONS, FIELD_FILE, FIELD_SNAME, N_FIELDS };

static struct addr read_addr(struct rd *r)
{
	return addr_ip4(rd_be32(r));
}

static int decode_fixed(struct rd *r, struct dhcp4_hdr *h, struct rd fields[N_FIELDS])
{
	h->op = rd_u8(r);
	h->htype = rd_u8(r);
	h->hlen = rd_u8(r);
	rd_skip(r, 1); /* hops */
	h->xid = rd_be32(r);
	rd_skip(r, 2); /* secs */
	h->broadcast = rd_be16(r) & BROADCAST;
	h->ciaddr = read_addr(r);
	h->yiaddr = read_addr(r);
	h->siaddr = read_addr(r);
	h->giaddr = read_addr(r);
	rd_bytes(r, h->chaddr, DHCP4_CHADDR_LEN);
	fields[FIELD_SNAME] = rd_sub(r, SNAME_LEN);
	fields[FIELD_FILE] = rd_sub(r, FILE_LEN);
	return r->error || h->hlen > DHCP4_CHADDR_LEN ? -EINVAL : 0;
}

/* Adds up the lengths of a field's options; the first option 52 is told in *overload. */
static int measure(struct rd field, struct dhcp4_options *o, size_t *total, unsigned *overload)
{
	struct rd value;
	uint8_t code;
	int rc;

	while ((rc = dhcp4_option_next(&field, &code, &value)) > 0) {
		size_t len = rd_left(&value);

		*total += len;
		if (*total > DHCP4_OPTIONS_MAX)
			return -EMSGSIZE;
		if (code == DHCP4_OPT_OVERLOAD && !o->span[code].present) {
			*overload = rd_u8(&value);
			if (len != 1 || !*overload ||
			    *overload > (OVERLOAD_FILE | OVERLOAD_SNAME))
				return -EINVAL;
		}
		o->span[code].present = true;
		o->span[code].len = (uint16_t)(o->span[code].len + len);
	}
	return rc;
}

/* Copies the pieces behind each other; the lengths grow again from zero. */
static void gather(struct rd field, struct dhcp4_options *o)
{
	struct rd value;
	uint8_t code;

	while (dhcp4_option_next(&field, &code, &value) > 0) {
		struct dhcp4_span *s = &o->span[code];
		size_t len = rd_left(&value);

		rd_bytes(&value, o->data + s->offset + s->len, len);
		s->len = (uint16_t)(s->len + len);
	}
}

/* Only the options field says which others hold options: an option 52 found in those says
 * nothing, so there is no way around in circles. */
static int decode_options(struct rd fields[N_FIELDS], struct dhcp4_options *o)
{
	unsigned overload = 0, ignored = 0;
	size_t total = 0;
	uint16_t offset = 0;
	int rc = measure(fields[FIELD_OPTIONS], o, &total, &overload);

	if (!(overload & OVERLOAD_FILE))
		fields[FIELD_FILE] = (struct rd){ 0 };
	if (!(overload & OVERLOAD_SNAME))
		fields[FIELD_SNAME] = (struct rd){ 0 };
	for (int i = FIELD_FILE; i < N_FIELDS && !rc; i++)
		rc = measure(fields[i], o, &total, &ignored);
	if (rc)
		return rc;
	for (int i = 0; i < 256; i++) {
		o->span[i].offset = offset;
		offset = (uint16_t)(offset + o->span[i].len);
		o->span[i].len = 0;
	}
	for (int i = 0; i < N_FIELDS; i++)
		gather(fields[i], o);
	return 0;
}

int dhcp4_decode(struct rd *r, struct dhcp4_msg *m)
{
	struct rd fields[N_FIELDS];
	const uint8_t *type;
	uint32_t cookie;
	size_t len;
	int rc = decode_fixed(r, &m->hdr, fields);

	cookie = rd_be32(r);
	if (rc || r->error || (cookie && cookie != MAGIC_COOKIE))
		return -EINVAL;
	fields[FIELD_OPTIONS] = cookie ? rd_sub(r, rd_left(r)) : (struct rd){ 0 };
	memset(m->options.span, 0, sizeof(m->options.span));
	rc = decode_options(fields, &m->options);
	if (rc)
		return rc;
	type = dhcp4_get(&m->options, DHCP4_OPT_TYPE, &len);
	if (type && (len != 1 || *type == DHCP4_BOOTP))
		return -EINVAL;
	m->type = type ? *type : DHCP4_BOOTP;
	return 0;
}

/* Codes, lengths and bytes of an option split into pieces. */
static size_t encoded_len(size_t len)
{
	size_t pieces = len ? (len + OPTION_PIECE_MAX - 1) / OPTION_PIECE_MAX : 1;

	return len + 2 * pieces;
}

/* How much of an option of `len` bytes finds place in `room`. */
static size_t fitting_len(size_t room, size_t len)
{
	size_t whole = room / (OPTION_PIECE_MAX + 2), rest = room % (OPTION_PIECE_MAX + 2);
	size_t fits = whole * OPTION_PIECE_MAX + (rest > 2 ? rest - 2 : 0);

	return fits < len ? fits : len;
}

static void put_option(struct wr *w, uint8_t code, const uint8_t *data, size_t len)
{
	do {
		size_t piece = len < OPTION_PIECE_MAX ? len : OPTION_PIECE_MAX;

		wr_u8(w, code);
		wr_u8(w, (uint8_t)piece);
		wr_bytes(w, data, piece);
		data += piece;
		len -= piece;
	} while (len);
}

/* Puts an option into the first field that holds it whole.  Only one that needs pieces anyway
 * is spread over the fields: not every client joins them. */
static int place(struct wr fields[N_FIELDS], const struct dhcp4_option *o)
{
	size_t done = 0;

	for (int i = 0; i < N_FIELDS; i++) {
		if (encoded_len(o->len) > wr_left(&fields[i]))
			continue;
		put_option(&fields[i], o->code, o->data, o->len);
		return 0;
	}
	if (o->len <= OPTION_PIECE_MAX)
		return -EMSGSIZE;
	for (int i = 0; i < N_FIELDS && done < o->len; i++) {
		size_t part = fitting_len(wr_left(&fields[i]), o->len - done);

		if (part)
			put_option(&fields[i], o->code, o->data + done, part);
		done += part;
	}
	return done < o->len ? -EMSGSIZE : 0;
}

static void put_options(struct wr *w, const struct dhcp4_option *options, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put_option(w, options[i].code, options[i].data, options[i].len);
	wr_u8(w, DHCP4_OPT_END);
}

static int put_overloaded(struct wr *w, uint8_t *sname, uint8_t *file,
			  const struct dhcp4_option *options, unsigned n)
{
	struct wr fields[N_FIELDS] = { [FIELD_FILE] = wr_init(file, FILE_LEN - END_LEN),
				       [FIELD_SNAME] = wr_init(sname, SNAME_LEN - END_LEN) };
	uint8_t overload = 0;

	if (wr_left(w) < OVERLOAD_LEN + END_LEN)
		return -EMSGSIZE;
	fields[FIELD_OPTIONS] = wr_init(w->p, wr_left(w) - OVERLOAD_LEN - END_LEN);
	for (unsigned i = 0; i < n; i++) {
		int rc = place(fields, &options[i]);

		if (rc)
			return rc;
	}
	for (int i = FIELD_FILE; i < N_FIELDS; i++) {
		if (!wr_len(&fields[i]))
			continue;
		*fields[i].p = DHCP4_OPT_END;
		overload |= i == FIELD_FILE ? OVERLOAD_FILE : OVERLOAD_SNAME;
	}
	wr_reserve(w, wr_len(&fields[FIELD_OPTIONS]));
	if (overload)
		put_option(w, DHCP4_OPT_OVERLOAD, &overload, sizeof(overload));
	wr_u8(w, DHCP4_OPT_END);
	return 0;
}

static void write_addr(struct wr *w, const struct addr *a)
{
	wr_be32(w, addr_get_ip4(a));
}

int dhcp4_encode(struct wr *w, const struct dhcp4_hdr *h, const struct dhcp4_option *options,
		 unsigned n, bool overload)
{
	size_t start = wr_len(w), len = END_LEN;
	uint8_t *sname, *file;
	int rc = 0;

	wr_u8(w, h->op);
	wr_u8(w, h->htype);
	wr_u8(w, h->hlen);
	wr_u8(w, 0); /* hops */
	wr_be32(w, h->xid);
	wr_be16(w, 0); /* secs */
	wr_be16(w, h->broadcast ? BROADCAST : 0);
	write_addr(w, &h->ciaddr);
	write_addr(w, &h->yiaddr);
	write_addr(w, &h->siaddr);
	write_addr(w, &h->giaddr);
	wr_bytes(w, h->chaddr, DHCP4_CHADDR_LEN);
	sname = w->p;
	wr_zero(w, SNAME_LEN);
	file = w->p;
	wr_zero(w, FILE_LEN);
	wr_be32(w, MAGIC_COOKIE);
	for (unsigned i = 0; i < n; i++)
		len += encoded_len(options[i].len);
	if (w->error || (len > wr_left(w) && !overload))
		return -EMSGSIZE;
	if (len <= wr_left(w))
		put_options(w, options, n);
	else
		rc = put_overloaded(w, sname, file, options, n);
	if (wr_len(w) - start < DHCP4_MESSAGE_MIN)
		wr_zero(w, DHCP4_MESSAGE_MIN - (wr_len(w) - start));
	return w->error ? -EMSGSIZE : rc;
}
