/* wire/dhcp6.h: DHCPv6 messages (RFC 8415): header, options within options.
 *
 * Decoding checks once that options, IAs and addresses lie within each other as they say; the
 * walkers then go over views of them.
 */
#ifndef WIRE_DHCP6_H
#define WIRE_DHCP6_H

#include "base/addr.h"
#include "base/cursor.h"

#define DHCP6_SERVER_PORT    547
#define DHCP6_CLIENT_PORT    546
#define DHCP6_HEADER_LEN     4
#define DHCP6_OPTION_LEN     4 /* code and length before a value */
#define DHCP6_DUID_MIN	     3 /* RFC 8415 11.1: the type and one byte to 128 */
#define DHCP6_DUID_MAX	     130
#define DHCP6_NAME_MAX	     256 /* text of a domain name, with its terminating zero */
#define DHCP6_HTYPE_ETHERNET 1

/* ff02::1:2, where clients reach servers and relay agents (RFC 8415 7.1). */
#define DHCP6_SERVERS ((struct addr){ .b = { 0xff, 0x02, [13] = 1, [15] = 2 } })

/* RFC 8415 7.3 */
enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE = 2,
	DHCP6_REQUEST = 3,
	DHCP6_CONFIRM = 4,
	DHCP6_RENEW = 5,
	DHCP6_REBIND = 6,
	DHCP6_REPLY = 7,
	DHCP6_RELEASE = 8,
	DHCP6_DECLINE = 9,
	DHCP6_RECONFIGURE = 10,
	DHCP6_INFORMATION_REQUEST = 11,
	DHCP6_RELAY_FORWARD = 12,
	DHCP6_RELAY_REPLY = 13
};

enum dhcp6_option_code {
	DHCP6_OPT_CLIENT_ID = 1,
	DHCP6_OPT_SERVER_ID = 2,
	DHCP6_OPT_IA_NA = 3,
	DHCP6_OPT_IA_TA = 4,
	DHCP6_OPT_IA_ADDRESS = 5,
	DHCP6_OPT_REQUESTED = 6, /* the Option Request option */
	DHCP6_OPT_PREFERENCE = 7,
	DHCP6_OPT_STATUS = 13,
	DHCP6_OPT_RAPID_COMMIT = 14,
	DHCP6_OPT_DNS = 23, /* RFC 3646 */
	DHCP6_OPT_SEARCH = 24,
	DHCP6_OPT_IA_PD = 25,
	DHCP6_OPT_IA_PREFIX = 26,
	DHCP6_OPT_FQDN = 39, /* RFC 4704 */
	DHCP6_OPT_NTP = 56   /* RFC 5908 */
};

enum { DHCP6_NTP_SERVER_ADDRESS = 1 }; /* suboption of DHCP6_OPT_NTP */

/* RFC 8415 21.13 */
enum dhcp6_status {
	DHCP6_STATUS_SUCCESS = 0,
	DHCP6_STATUS_NO_ADDRS_AVAIL = 2,
	DHCP6_STATUS_NO_BINDING = 3,
	DHCP6_STATUS_NOT_ON_LINK = 4,
	DHCP6_STATUS_USE_MULTICAST = 5,
	DHCP6_STATUS_NO_PREFIX_AVAIL = 6
};

struct dhcp6_msg {
	uint8_t type; /* enum dhcp6_type, or one of those that are not listed there */
	uint32_t xid; /* 24 bits */
	struct rd options;
};

/* One identity association of a message. */
struct dhcp6_ia {
	uint16_t code; /* DHCP6_OPT_IA_NA, _TA or _PD */
	uint32_t iaid;
	struct rd options;
};

/* Reads a message that is not a relay agent's; views in `m` point into it.  0; -EINVAL when it
 * is truncated, when an option runs past what it lies in, or when one that is named above is
 * too short for what it says, or is an identifier of an impossible length. */
int dhcp6_decode(struct rd *r, struct dhcp6_msg *m);

/* The walkers take copies of a message's or an IA's `options` and move them on: the next
 * option, IA or address; false at the end, or when an option runs past it. */
bool dhcp6_option_next(struct rd *options, uint16_t *code, struct rd *value);
bool dhcp6_ia_next(struct rd *options, struct dhcp6_ia *ia);
bool dhcp6_address_next(struct rd *options, struct addr *a);

/* The first option with this code; false when there is none. */
bool dhcp6_find(const struct dhcp6_msg *m, uint16_t code, struct rd *value);
bool dhcp6_has(const struct dhcp6_msg *m, uint16_t code);

/* Whether the Option Request option lists the code. */
bool dhcp6_requests(const struct dhcp6_msg *m, uint16_t code);

bool dhcp6_ia_has_address(const struct dhcp6_ia *ia, const struct addr *a);

/* RFC 4704 4.1 */
enum dhcp6_fqdn_flag {
	DHCP6_FQDN_S = 1, /* the server updates the AAAA record */
	DHCP6_FQDN_O = 2, /* the server overrode the client's S */
	DHCP6_FQDN_N = 4  /* the server updates nothing */
};

struct dhcp6_fqdn {
	uint8_t flags;		   /* enum dhcp6_fqdn_flag */
	char name[DHCP6_NAME_MAX]; /* as ns_name_ntop() has it; without dots it is a host's
				      alone */
};

/* False when absent or malformed. */
bool dhcp6_get_fqdn(const struct dhcp6_msg *m, struct dhcp6_fqdn *f);

/* Writing: a message is its header and options; dhcp6_begin() and dhcp6_end() enclose the value
 * of one, and take what it says about its length from what was written between. */
void dhcp6_put_header(struct wr *w, uint8_t type, uint32_t xid);
size_t dhcp6_begin(struct wr *w, uint16_t code);
void dhcp6_end(struct wr *w, size_t begun);

/* Whole options. */
void dhcp6_put(struct wr *w, uint16_t code, const void *value, size_t len);
void dhcp6_put_status(struct wr *w, enum dhcp6_status status, const char *text);
void dhcp6_put_address(struct wr *w, const struct addr *a, uint32_t preferred, uint32_t valid);

/* As dhcp6_begin(), for an IA like `ia`; T1 and T2 in seconds, which an IA_TA has not. */
size_t dhcp6_begin_ia(struct wr *w, const struct dhcp6_ia *ia, uint32_t t1, uint32_t t2);

/* Names that are none, or the root, are left out, and an option that none is left for as well.
 */
void dhcp6_put_search(struct wr *w, const char (*name)[DHCP6_NAME_MAX], unsigned n);
/* A name without dots is written as a part of one (RFC 4704 4.2). */
void dhcp6_put_fqdn(struct wr *w, const struct dhcp6_fqdn *f);

#endif
