/* wire/dhcp4_option.h: DHCPv4 options: the gathered options of a message and typed questions to
 * them; values that take more than a number to write (RFC 2132, 3396, 3397, 3442, 4702).
 */
#ifndef WIRE_DHCP4_OPTION_H
#define WIRE_DHCP4_OPTION_H

#include "base/addr.h"
#include "base/cursor.h"

#define DHCP4_OPTIONS_MAX   4096 /* bytes of values in one message */
#define DHCP4_NAME_MAX	    256 /* text of a domain name, with its terminating zero */
#define DHCP4_CLIENT_ID_MAX 255

enum dhcp4_option_code {
	DHCP4_OPT_PAD = 0,
	DHCP4_OPT_SUBNET_MASK = 1,
	DHCP4_OPT_ROUTER = 3,
	DHCP4_OPT_DNS = 6,
	DHCP4_OPT_HOSTNAME = 12,
	DHCP4_OPT_DOMAIN = 15,
	DHCP4_OPT_MTU = 26,
	DHCP4_OPT_BROADCAST = 28,
	DHCP4_OPT_NTP = 42,
	DHCP4_OPT_REQUESTED_ADDRESS = 50,
	DHCP4_OPT_LEASE_TIME = 51,
	DHCP4_OPT_OVERLOAD = 52,
	DHCP4_OPT_TYPE = 53,
	DHCP4_OPT_SERVER_ID = 54,
	DHCP4_OPT_PARAMETER_LIST = 55,
	DHCP4_OPT_MESSAGE = 56,
	DHCP4_OPT_MAX_SIZE = 57,
	DHCP4_OPT_T1 = 58,
	DHCP4_OPT_T2 = 59,
	DHCP4_OPT_CLIENT_ID = 61,
	DHCP4_OPT_RAPID_COMMIT = 80,
	DHCP4_OPT_FQDN = 81,
	DHCP4_OPT_SEARCH = 119,
	DHCP4_OPT_ROUTES = 121,
	DHCP4_OPT_END = 255
};

/* An option to be written; `data` is the caller's, and not NULL even when `len` is 0. */
struct dhcp4_option {
	uint8_t code;
	uint16_t len;
	const uint8_t *data;
};

/* The options of a decoded message: the pieces of each code in one run of `data`. */
struct dhcp4_options {
	struct dhcp4_span {
		bool present;
		uint16_t offset, len;
	} span[256];
	uint8_t data[DHCP4_OPTIONS_MAX];
};

/* One option after the other of a field: 1 and its value, 0 at the end of the options (END is
 * not demanded), -EINVAL when an option runs past the field. */
int dhcp4_option_next(struct rd *r, uint8_t *code, struct rd *value);

/* The value of an option, of *len bytes; NULL when absent. */
const uint8_t *dhcp4_get(const struct dhcp4_options *o, uint8_t code, size_t *len);
bool dhcp4_has(const struct dhcp4_options *o, uint8_t code);

/* False when absent or of another length than the type has. */
bool dhcp4_get_u16(const struct dhcp4_options *o, uint8_t code, uint16_t *v);
bool dhcp4_get_addr(const struct dhcp4_options *o, uint8_t code, struct addr *a);

/* RFC 4702 2.1 */
enum dhcp4_fqdn_flag {
	DHCP4_FQDN_S = 1, /* the server updates the A record */
	DHCP4_FQDN_O = 2, /* the server overrode the client's S */
	DHCP4_FQDN_E = 4, /* name in DNS wire form, else text */
	DHCP4_FQDN_N = 8  /* the server updates nothing */
};

struct dhcp4_fqdn {
	uint8_t flags; /* enum dhcp4_fqdn_flag */
	char name[DHCP4_NAME_MAX]; /* as it came: any bytes may be in it */
};

/* False when absent or malformed. */
bool dhcp4_get_fqdn(const struct dhcp4_options *o, struct dhcp4_fqdn *f);

/* Writes the value of option 81; the name in the form that the flags tell.  False when the name
 * is none or there is no room: nothing was written then. */
bool dhcp4_put_fqdn(struct wr *w, const struct dhcp4_fqdn *f);

/* Writes the value of option 119 with compressed names (RFC 3397).  `w` begins with it, since
 * pointers count from there.  Names that are none, that are the root or that find no room are
 * left out; false when none is left. */
bool dhcp4_put_search(struct wr *w, const char (*name)[DHCP4_NAME_MAX], unsigned n);

/* Writes one route of option 121 (RFC 3442); the unspecified router means "on this link". */
void dhcp4_put_route(struct wr *w, const struct addr *dst, unsigned prefix_len,
		     const struct addr *router);

void dhcp4_put_addr(struct wr *w, const struct addr *a);

#endif
