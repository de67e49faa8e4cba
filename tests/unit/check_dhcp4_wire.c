/* DHCPv4 messages on the wire: options gathered from their fields, split, and packed into them;
 * values byte for byte; hostile input. */
#include "wire/dhcp4.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/fake_guest.h"
#include "lib/suite.h"

/* op 1, Ethernet, hlen 6, hops 0; xid; secs 3, broadcast; ciaddr, yiaddr, siaddr, giaddr;
 * chaddr */
#define FIXED                                                                                  \
	"01 01 06 00  39 03 f3 26  00 03 80 00"                                                \
	"0a 00 02 0f  0a 00 02 10  0a 00 02 11  0a 00 02 12"                                   \
	"52 54 00 12 34 56 00 00 00 00 00 00 00 00 00 00"
#define COOKIE	  "63 82 53 63"
#define SNAME_AT  44
#define FILE_AT	  108
#define COOKIE_AT 236

static uint8_t buf[8192];
static struct dhcp4_msg m;

/* A message in `buf`; its length. */
static size_t message(const char *sname, const char *file, const char *options)
{
	memset(buf, 0, sizeof(buf));
	from_hex(FIXED, buf, sizeof(buf));
	from_hex(sname, buf + SNAME_AT, 64);
	from_hex(file, buf + FILE_AT, 128);
	return COOKIE_AT + from_hex(options, buf + COOKIE_AT, sizeof(buf) - COOKIE_AT);
}

/* Decodes a copy of exactly this length, so that the sanitizer sees a read past its end. */
static int decode(size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct rd r = rd_init(copy, len);
	int rc;

	memcpy(copy, buf, len);
	rc = dhcp4_decode(&r, &m);
	free(copy);
	return rc;
}

static int decode_options(const char *options)
{
	return decode(message("", "", options));
}

static void assert_option(uint8_t code, const char *hex)
{
	size_t len;
	const uint8_t *p = dhcp4_get(&m.options, code, &len);

	ck_assert_ptr_nonnull(p);
	assert_bytes(p, len, hex);
}

START_TEST(header_fields)
{
	ck_assert_int_eq(decode_options(COOKIE "35 01 03  ff"), 0);
	ck_assert_uint_eq(m.hdr.op, DHCP4_BOOTREQUEST);
	ck_assert_uint_eq(m.hdr.htype, DHCP4_HTYPE_ETHERNET);
	ck_assert_uint_eq(m.hdr.hlen, 6);
	ck_assert_uint_eq(m.hdr.xid, 0x3903f326);
	ck_assert(m.hdr.broadcast);
	ck_assert_uint_eq(addr_get_ip4(&m.hdr.ciaddr), 0x0a00020f);
	ck_assert_uint_eq(addr_get_ip4(&m.hdr.yiaddr), 0x0a000210);
	ck_assert_uint_eq(addr_get_ip4(&m.hdr.siaddr), 0x0a000211);
	ck_assert_uint_eq(addr_get_ip4(&m.hdr.giaddr), 0x0a000212);
	assert_bytes(m.hdr.chaddr, 16, "52 54 00 12 34 56 00 00 00 00 00 00 00 00 00 00");
	ck_assert_uint_eq(m.type, DHCP4_REQUEST);
}
END_TEST

START_TEST(typed_questions)
{
	struct addr a;
	uint16_t v;

	/* 50: an address; 54: three bytes; 57: a number; 80: empty */
	ck_assert_int_eq(
		decode_options(COOKIE "32 04 c0 00 02 07  36 03 01 02 03  39 02 05 dc  50 00"),
		0);
	ck_assert(dhcp4_get_addr(&m.options, DHCP4_OPT_REQUESTED_ADDRESS, &a));
	ck_assert_uint_eq(addr_get_ip4(&a), 0xc0000207);
	ck_assert(!dhcp4_get_addr(&m.options, DHCP4_OPT_SERVER_ID, &a));
	ck_assert(dhcp4_has(&m.options, DHCP4_OPT_SERVER_ID));
	ck_assert(!dhcp4_get_addr(&m.options, DHCP4_OPT_ROUTER, &a));
	ck_assert(!dhcp4_has(&m.options, DHCP4_OPT_ROUTER));
	ck_assert(dhcp4_get_u16(&m.options, DHCP4_OPT_MAX_SIZE, &v));
	ck_assert_uint_eq(v, 1500);
	ck_assert(!dhcp4_get_u16(&m.options, DHCP4_OPT_REQUESTED_ADDRESS, &v));
	assert_option(DHCP4_OPT_RAPID_COMMIT, "");
	ck_assert_uint_eq(m.type, DHCP4_BOOTP);
}
END_TEST

/* RFC 3396 5: options, then file, then sname; pads between; nothing behind END. */
START_TEST(pieces_are_gathered)
{
	ck_assert_int_eq(
		decode(message("0c 01 64  ff  0c 01 99", "00 0c 01 63  35 01 01",
			       COOKIE "0c 01 61  00 00  34 01 03  0c 01 62  ff  0c 01 98")),
		0);
	assert_option(DHCP4_OPT_HOSTNAME, "61 62 63 64");
	ck_assert_uint_eq(m.type, DHCP4_DISCOVER);

	/* only the fields that option 52 names: file, sname, neither */
	ck_assert_int_eq(decode(message("0c 01 64", "0c 01 63", COOKIE "0c 01 61  34 01 01")),
			 0);
	assert_option(DHCP4_OPT_HOSTNAME, "61 63");
	ck_assert_int_eq(decode(message("0c 01 64", "0c 01 63", COOKIE "0c 01 61  34 01 02")),
			 0);
	assert_option(DHCP4_OPT_HOSTNAME, "61 64");
	ck_assert_int_eq(decode(message("0c ff 64", "0c ff 63", COOKIE "0c 01 61")), 0);
	assert_option(DHCP4_OPT_HOSTNAME, "61");
}
END_TEST

/* An option 52 inside an overloaded field names no further field. */
START_TEST(overload_does_not_chain)
{
	ck_assert_int_eq(decode(message("0c 01 64", "34 01 02", COOKIE "34 01 01  0c 01 61")),
			 0);
	assert_option(DHCP4_OPT_HOSTNAME, "61");
	ck_assert_int_eq(decode(message("", "34 01 03", COOKIE "34 01 03  34 01 03  0c 01 61")),
			 0);
	assert_option(DHCP4_OPT_HOSTNAME, "61");
}
END_TEST

START_TEST(malformed)
{
	/* option 52: 0, 4, no byte, two bytes */
	ck_assert_int_eq(decode_options(COOKIE "34 01 00"), -EINVAL);
	ck_assert_int_eq(decode_options(COOKIE "34 01 04"), -EINVAL);
	ck_assert_int_eq(decode_options(COOKIE "34 00"), -EINVAL);
	ck_assert_int_eq(decode_options(COOKIE "34 02 01 01"), -EINVAL);
	/* option 53: 0, no byte, two bytes, two pieces */
	ck_assert_int_eq(decode_options(COOKIE "35 01 00"), -EINVAL);
	ck_assert_int_eq(decode_options(COOKIE "35 00"), -EINVAL);
	ck_assert_int_eq(decode_options(COOKIE "35 02 01 01"), -EINVAL);
	ck_assert_int_eq(decode_options(COOKIE "35 01 01  35 01 01"), -EINVAL);
	/* an option past the end of the message, of file, of sname; without its length */
	ck_assert_int_eq(decode_options(COOKIE "0c 04 61 62 63"), -EINVAL);
	ck_assert_int_eq(decode_options(COOKIE "0c"), -EINVAL);
	ck_assert_int_eq(decode(message("", "0c 7f", COOKIE "34 01 01")), -EINVAL);
	ck_assert_int_eq(decode(message("", "0c 7e", COOKIE "34 01 01")), 0);
	ck_assert_int_eq(decode(message("0c 3f", "", COOKIE "34 01 02")), -EINVAL);
	ck_assert_int_eq(decode(message("0c 3e", "", COOKIE "34 01 02")), 0);
	/* another vendor's cookie; none */
	ck_assert_int_eq(decode_options("43 4d 55 00"), -EINVAL);
	ck_assert_int_eq(decode_options("00 00 00 00  35 01 01"), 0);
	ck_assert_uint_eq(m.type, DHCP4_BOOTP);
	/* hardware addresses of 16 and of 17 bytes */
	message("", "", COOKIE);
	buf[2] = 16;
	ck_assert_int_eq(decode(COOKIE_AT + 4), 0);
	buf[2] = 17;
	ck_assert_int_eq(decode(COOKIE_AT + 4), -EINVAL);
}
END_TEST

/* Whatever the cut: no read past the end, and no less than cookie and whole options will do. */
START_TEST(every_truncation)
{
	size_t len =
		message("0c 01 64", "0c 01 63", COOKIE "34 01 03  35 01 01  0c 03 61 62 63");

	for (size_t cut = 0; cut <= len; cut++) {
		bool whole = cut == COOKIE_AT + 4 || cut == COOKIE_AT + 7 ||
			     cut == COOKIE_AT + 10 || cut == len;

		ck_assert_int_eq(decode(cut), whole ? 0 : -EINVAL);
	}
}
END_TEST

START_TEST(options_are_bounded)
{
	size_t len = message("", "", COOKIE);

	for (int i = 0; i < 16; i++, len += 257) {
		buf[len] = 43;
		buf[len + 1] = 255;
	}
	buf[len] = 43;
	buf[len + 1] = DHCP4_OPTIONS_MAX - 16 * 255;
	len += 2u + DHCP4_OPTIONS_MAX - 16 * 255;
	ck_assert_int_eq(decode(len), 0);
	ck_assert_uint_eq(m.options.span[43].len, DHCP4_OPTIONS_MAX);
	buf[len] = 44;
	buf[len + 1] = 1;
	ck_assert_int_eq(decode(len + 3), -EMSGSIZE);
}
END_TEST

static const struct dhcp4_hdr hdr = { .op = DHCP4_BOOTREPLY,
				      .htype = 1,
				      .hlen = 6,
				      .xid = 0x3903f326,
				      .broadcast = true,
				      .chaddr = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } };
static uint8_t filler[2048];
static struct wr w;

/* Encodes into at most `max` bytes. */
static int encode(size_t max, const struct dhcp4_option *options, unsigned n, bool overload)
{
	struct dhcp4_hdr h = hdr;

	for (size_t i = 0; i < sizeof(filler); i++)
		filler[i] = (uint8_t)(i * 7 + (i >> 8));
	memset(buf, 0x5a, sizeof(buf));
	h.ciaddr = addr_ip4(0x0a00020f);
	h.yiaddr = addr_ip4(0x0a000210);
	h.siaddr = addr_ip4(0x0a000211);
	h.giaddr = addr_ip4(0x0a000212);
	w = wr_init(buf, max);
	return dhcp4_encode(&w, &h, options, n, overload);
}

START_TEST(encoded_header)
{
	const struct dhcp4_option o = { DHCP4_OPT_TYPE, 1, (const uint8_t[]){ DHCP4_OFFER } };

	ck_assert_int_eq(encode(548, &o, 1, true), 0);
	ck_assert_uint_eq(wr_len(&w), 300);
	/* op 2; secs 0 */
	assert_bytes(buf, SNAME_AT,
		     "02 01 06 00  39 03 f3 26  00 00 80 00"
		     "0a 00 02 0f  0a 00 02 10  0a 00 02 11  0a 00 02 12"
		     "52 54 00 12 34 56 00 00 00 00 00 00 00 00 00 00");
	for (size_t i = SNAME_AT; i < COOKIE_AT; i++)
		ck_assert_uint_eq(buf[i], 0);
	/* cookie, option 53, END, padding */
	assert_bytes(buf + COOKIE_AT, 8, COOKIE "35 01 02  ff");
	for (size_t i = COOKIE_AT + 8; i < 300; i++)
		ck_assert_uint_eq(buf[i], 0);
	ck_assert_int_eq(encode(299, &o, 1, true), -EMSGSIZE);
	ck_assert_int_eq(encode(100, &o, 1, true), -EMSGSIZE);
	ck_assert_int_eq(encode(0, &o, 1, true), -EMSGSIZE);
}
END_TEST

static void assert_same(const struct dhcp4_option *options, unsigned n)
{
	ck_assert_int_eq(decode(wr_len(&w)), 0);
	for (unsigned i = 0; i < n; i++) {
		size_t len;
		const uint8_t *p = dhcp4_get(&m.options, options[i].code, &len);

		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq(len, options[i].len);
		ck_assert(!memcmp(p, options[i].data, len));
	}
}

/* RFC 3396: 255 bytes are one piece, 256 are two, 510 are two, 511 three. */
START_TEST(long_options_are_split)
{
	struct dhcp4_option o = { DHCP4_OPT_SEARCH, 255, filler };
	uint8_t *p = buf + COOKIE_AT + 4;

	ck_assert_int_eq(encode(1472, &o, 1, false), 0);
	ck_assert_uint_eq(wr_len(&w), 240 + 257 + 1);
	o.len = 256;
	ck_assert_int_eq(encode(1472, &o, 1, false), 0);
	ck_assert_uint_eq(wr_len(&w), 240 + 257 + 3 + 1);
	assert_bytes(p, 2, "77 ff");
	ck_assert(!memcmp(p + 2, filler, 255));
	assert_bytes(p + 257, 2, "77 01");
	ck_assert_uint_eq(p[259], filler[255]);
	ck_assert_uint_eq(p[260], DHCP4_OPT_END);
	assert_same(&o, 1);
	o.len = 510;
	ck_assert_int_eq(encode(1472, &o, 1, false), 0);
	ck_assert_uint_eq(wr_len(&w), 240 + 514 + 1);
	assert_same(&o, 1);
	o.len = 511;
	ck_assert_int_eq(encode(1472, &o, 1, false), 0);
	ck_assert_uint_eq(wr_len(&w), 240 + 517 + 1);
	assert_same(&o, 1);
}
END_TEST

/* 548 bytes have 308 for options with END; what is beyond goes into file, then sname. */
START_TEST(overload)
{
	const struct dhcp4_option fits[] = { { 200, 255, filler }, { 201, 48, filler } };
	const struct dhcp4_option file[] = { { 200, 255, filler },
					     { 201, 49, filler },
					     { 202, 4, filler } };
	const struct dhcp4_option both[] = { { 200, 255, filler },
					     { 201, 125, filler },
					     { 202, 61, filler },
					     { 203, 0, filler } };
	const struct dhcp4_option much[] = { { 200, 255, filler },
					     { 201, 125, filler },
					     { 202, 62, filler } };

	ck_assert_int_eq(encode(548, fits, 2, true), 0);
	ck_assert_uint_eq(wr_len(&w), 548);
	assert_same(fits, 2);
	ck_assert(!dhcp4_has(&m.options, DHCP4_OPT_OVERLOAD));

	/* 202 finds no room behind 201 with option 52, which stands before END */
	ck_assert_int_eq(encode(548, file, 3, true), 0);
	assert_bytes(buf + FILE_AT, 2, "c9 31");
	assert_bytes(buf + COOKIE_AT + 4 + 257, 10, "ca 04 00 07 0e 15  34 01 01  ff");
	ck_assert_uint_eq(buf[FILE_AT + 51], DHCP4_OPT_END);
	ck_assert_uint_eq(buf[SNAME_AT], 0);
	assert_same(file, 3);

	/* file and sname full to the last byte before END */
	ck_assert_int_eq(encode(548 - 40, both, 4, true), 0);
	assert_bytes(buf + FILE_AT, 2, "c9 7d");
	ck_assert_uint_eq(buf[FILE_AT + 127], DHCP4_OPT_END);
	assert_bytes(buf + SNAME_AT, 2, "ca 3d");
	ck_assert_uint_eq(buf[SNAME_AT + 63], DHCP4_OPT_END);
	assert_bytes(buf + COOKIE_AT + 4 + 257, 6, "cb 00  34 01 03  ff");
	assert_same(both, 4);

	ck_assert_int_eq(encode(548 - 40, much, 3, true), -EMSGSIZE);
	ck_assert_int_eq(encode(548 - 40, both, 4, false), -EMSGSIZE);
}
END_TEST

/* An option that is in pieces anyway is spread: 300 bytes over 200 + 125 of options and file.
 */
START_TEST(long_option_is_spread)
{
	const struct dhcp4_option o[] = { { 200, 98, filler },
					  { DHCP4_OPT_SEARCH, 300, filler } };
	struct dhcp4_option most = { DHCP4_OPT_SEARCH, 500, filler };

	/* options: 304 - 100 = 204, that is 202 of the value; file the other 98 */
	ck_assert_int_eq(encode(548, o, 2, true), 0);
	assert_bytes(buf + COOKIE_AT + 4 + 100, 2, "77 ca");
	assert_bytes(buf + FILE_AT, 2, "77 62");
	ck_assert_uint_eq(buf[FILE_AT + 100], DHCP4_OPT_END);
	assert_same(o, 2);

	/* 304 hold 255 + 45, 127 hold 125, 63 hold 61: 486 in all */
	ck_assert_int_eq(encode(548, &most, 1, true), -EMSGSIZE);
	most.len = 487;
	ck_assert_int_eq(encode(548, &most, 1, true), -EMSGSIZE);
	most.len = 486;
	ck_assert_int_eq(encode(548, &most, 1, true), 0);
	ck_assert_uint_eq(wr_len(&w), 548);
	assert_same(&most, 1);
}
END_TEST

/* Every size of message with every length of option either fails or comes back whole. */
START_TEST(encode_and_decode_agree)
{
	for (size_t max = 300; max < 620; max += 7) {
		for (uint16_t len = 0; len < 600; len = (uint16_t)(len + 11)) {
			const struct dhcp4_option o[] = { { 53, 1, (const uint8_t[]){ 2 } },
							  { 200, len, filler },
							  { 12, 40, filler + 5 },
							  { 201, (uint16_t)(len / 2),
							    filler + 9 } };

			if (encode(max, o, 4, true))
				continue;
			ck_assert_uint_le(wr_len(&w), max);
			ck_assert_uint_eq(buf[max], 0x5a);
			assert_same(o, 4);
		}
	}
}
END_TEST

static bool put_search(size_t max, unsigned n, const char *const *names)
{
	static char list[8][DHCP4_NAME_MAX];

	for (unsigned i = 0; i < n; i++)
		snprintf(list[i], sizeof(list[i]), "%s", names[i]);
	memset(buf, 0x5a, sizeof(buf));
	w = wr_init(buf, max);
	return dhcp4_put_search(&w, list, n);
}

#define LABEL63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

START_TEST(search_list)
{
	/* RFC 3397: eng.apple.com; marketing, and a pointer to apple.com */
	ck_assert(put_search(256, 2,
			     (const char *[]){ "eng.apple.com.", "marketing.apple.com" }));
	assert_bytes(buf, wr_len(&w),
		     "03 65 6e 67 05 61 70 70 6c 65 03 63 6f 6d 00"
		     "09 6d 61 72 6b 65 74 69 6e 67 c0 04");
	/* the same name again is a pointer to the first */
	ck_assert(put_search(256, 2, (const char *[]){ "example.org", "Example.ORG" }));
	assert_bytes(buf, wr_len(&w), "07 65 78 61 6d 70 6c 65 03 6f 72 67 00  c0 00");
	/* root, nothing, an empty label and a label of 64 are left out */
	ck_assert(put_search(256, 5,
			     (const char *[]){ ".", "", "a..b", LABEL63 "l.org", "x.org" }));
	assert_bytes(buf, wr_len(&w), "01 78 03 6f 72 67 00");
	ck_assert(!put_search(256, 3, (const char *[]){ ".", "", "a..b" }));
	ck_assert(!put_search(256, 0, NULL));
	/* what finds no room is left out */
	ck_assert(put_search(9, 2, (const char *[]){ "x.org", "y.net" }));
	assert_bytes(buf, wr_len(&w), "01 78 03 6f 72 67 00");
	ck_assert_uint_eq(buf[9], 0x5a);
	ck_assert(!put_search(6, 1, (const char *[]){ "x.org" }));
}
END_TEST

/* The destination descriptors of RFC 3442's table. */
START_TEST(routes)
{
	static const struct {
		uint32_t dst;
		unsigned prefix_len;
		const char *hex;
	} rows[] = {
		{ 0x00000000, 0, "00  0a 00 02 02" },
		{ 0x0a000000, 8, "08 0a  0a 00 02 02" },
		{ 0x0a000000, 24, "18 0a 00 00  0a 00 02 02" },
		{ 0x0a110000, 16, "10 0a 11  0a 00 02 02" },
		{ 0x0a1b8100, 24, "18 0a 1b 81  0a 00 02 02" },
		{ 0x0ae50080, 25, "19 0a e5 00 80  0a 00 02 02" },
		{ 0x0ac67a2f, 32, "20 0a c6 7a 2f  0a 00 02 02" },
	};
	struct addr router = addr_ip4(0x0a000202);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr dst = addr_ip4(rows[i].dst);

		w = wr_init(buf, sizeof(buf));
		dhcp4_put_route(&w, &dst, rows[i].prefix_len, &router);
		assert_bytes(buf, wr_len(&w), rows[i].hex);
	}
}
END_TEST

static bool get_fqdn(const char *option, struct dhcp4_fqdn *f)
{
	memset(f, 0x5a, sizeof(*f));
	ck_assert_int_eq(decode_options(option), 0);
	return dhcp4_get_fqdn(&m.options, f);
}

START_TEST(fqdn_read)
{
	struct dhcp4_fqdn f;

	/* flags S and E, RCODEs; vm.example. in wire form */
	ck_assert(get_fqdn(COOKIE "51 0f  05 00 00  02 76 6d 07 65 78 61 6d 70 6c 65 00", &f));
	ck_assert_uint_eq(f.flags, DHCP4_FQDN_S | DHCP4_FQDN_E);
	ck_assert_str_eq(f.name, "vm.example");
	/* a partial name has no root label; an empty one asks for a name */
	ck_assert(get_fqdn(COOKIE "51 06  04 00 00  02 76 6d", &f));
	ck_assert_str_eq(f.name, "vm");
	ck_assert(get_fqdn(COOKIE "51 03  04 00 00", &f));
	ck_assert_str_eq(f.name, "");
	/* the deprecated text */
	ck_assert(get_fqdn(COOKIE "51 05  00 00 00  76 6d", &f));
	ck_assert_uint_eq(f.flags, 0);
	ck_assert_str_eq(f.name, "vm");
	/* too short, a label past the end, a pointer to itself */
	ck_assert(!get_fqdn(COOKIE "51 02  04 00", &f));
	ck_assert(!get_fqdn(COOKIE "51 06  04 00 00  05 76 6d", &f));
	ck_assert(!get_fqdn(COOKIE "51 05  04 00 00  c0 00", &f));
	ck_assert(!get_fqdn(COOKIE "0c 01 61", &f));
}
END_TEST

START_TEST(fqdn_of_many_pieces)
{
	struct dhcp4_fqdn f;
	size_t len = message("", "", COOKIE);

	/* two pieces of 200 bytes: longer than any name, as text and in wire form */
	for (uint8_t flags = 0; flags <= DHCP4_FQDN_E;
	     flags = (uint8_t)(flags + DHCP4_FQDN_E)) {
		memset(buf + len, 'a', 404);
		from_hex("51 c8 00 00 00", buf + len, 5);
		from_hex("51 c8", buf + len + 202, 2);
		buf[len + 2] = flags;
		ck_assert_int_eq(decode(len + 404), 0);
		ck_assert(!dhcp4_get_fqdn(&m.options, &f));
	}
}
END_TEST

START_TEST(fqdn_written)
{
	struct dhcp4_fqdn f = { .flags = DHCP4_FQDN_E | DHCP4_FQDN_N, .name = "vm.example." };

	w = wr_init(buf, sizeof(buf));
	ck_assert(dhcp4_put_fqdn(&w, &f));
	assert_bytes(buf, wr_len(&w), "0c ff ff  02 76 6d 07 65 78 61 6d 70 6c 65 00");
	f.flags = DHCP4_FQDN_N | DHCP4_FQDN_O;
	w = wr_init(buf, sizeof(buf));
	ck_assert(dhcp4_put_fqdn(&w, &f));
	assert_bytes(buf, wr_len(&w), "0a ff ff  76 6d 2e 65 78 61 6d 70 6c 65 2e");
	w = wr_init(buf, 10);
	ck_assert(!dhcp4_put_fqdn(&w, &f));
	ck_assert_uint_eq(wr_len(&w), 0);
	f = (struct dhcp4_fqdn){ .flags = DHCP4_FQDN_E, .name = "a..b" };
	w = wr_init(buf, sizeof(buf));
	ck_assert(!dhcp4_put_fqdn(&w, &f));
}
END_TEST

SUITE_MAIN("dhcp4_wire", header_fields, typed_questions, pieces_are_gathered,
	   overload_does_not_chain, malformed, every_truncation, options_are_bounded,
	   encoded_header, long_options_are_split, overload, long_option_is_spread,
	   encode_and_decode_agree, search_list, routes, fqdn_read, fqdn_of_many_pieces,
	   fqdn_written)
