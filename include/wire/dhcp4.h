/* wire/dhcp4.h: DHCPv4 and BOOTP messages (RFC 2131, 951, 1542): header, option fields.
 *
 * Decoding gathers the options of all fields into one value per code (RFC 3396), so that
 * wire/dhcp4_option.h can be asked typed questions.
 */
#ifndef WIRE_DHCP4_H
#define WIRE_DHCP4_H

#include "base/addr.h"
#include "base/cursor.h"
#include "wire/dhcp4_option.h"

#define DHCP4_SERVER_PORT     67
#define DHCP4_CLIENT_PORT     68
#define DHCP4_HTYPE_ETHERNET  1
#define DHCP4_CHADDR_LEN      16
#define DHCP4_FIXED_LEN	      236 /* up to the options field */
#define DHCP4_MESSAGE_MIN     300 /* what is sent is padded to it (RFC 1542 2.1) */

enum dhcp4_op { DHCP4_BOOTREQUEST = 1, DHCP4_BOOTREPLY = 2 };

/* RFC 2132 9.6 */
enum dhcp4_type {
	DHCP4_BOOTP = 0, /* no option 53 */
	DHCP4_DISCOVER = 1,
	DHCP4_OFFER = 2,
	DHCP4_REQUEST = 3,
	DHCP4_DECLINE = 4,
	DHCP4_ACK = 5,
	DHCP4_NAK = 6,
	DHCP4_RELEASE = 7,
	DHCP4_INFORM = 8
};

struct dhcp4_hdr {
	uint8_t op, htype, hlen; /* hlen is at most DHCP4_CHADDR_LEN */
	uint32_t xid;
	bool broadcast; /* the client cannot receive unicast before it has an address */
	struct addr ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[DHCP4_CHADDR_LEN];
};

struct dhcp4_msg {
	struct dhcp4_hdr hdr;
	uint8_t type; /* enum dhcp4_type, or one of those that are not listed there */
	struct dhcp4_options options;
};

/* 0; -EINVAL when truncated, when an option runs past its field, or when hlen, the magic
 * cookie, option 52 or option 53 is impossible; -EMSGSIZE with more than DHCP4_OPTIONS_MAX
 * bytes of options.  Zeroes in place of the cookie are a BOOTP message without options. */
int dhcp4_decode(struct rd *r, struct dhcp4_msg *m);

/* Writes a message that fills at most `w`, padded to DHCP4_MESSAGE_MIN.  Options longer than
 * 255 bytes are split (RFC 3396).  With `overload` what does not fit the options field goes
 * into `file` and `sname` (option 52).  0, or -EMSGSIZE when it does not fit; what `w` holds
 * is of no use then. */
int dhcp4_encode(struct wr *w, const struct dhcp4_hdr *h, const struct dhcp4_option *options,
		 unsigned n, bool overload);

#endif
