/* wire/ip6.h: IPv6 header and extension headers (RFC 8200). */
#ifndef WIRE_IP6_H
#define WIRE_IP6_H

#include "base/addr.h"
#include "base/cursor.h"

#define IP6_HEADER_LEN	     40
#define IP6_PAYLOAD_LEN_AT   4	/* where the fixed header tells its packet's length */
#define IP6_NEXT_HEADER_AT   6	/* ... and names what follows */
#define IP6_FRAGMENT_OFFSET_AT 2 /* in the fragment header */
#define IP6_FRAGMENT_LEN     8 /* of the fragment header */
#define IP6_LEN_MAX	     (IP6_HEADER_LEN + 65535)
#define IP6_MTU_MIN	     1280 /* RFC 8200 5 */
#define IP6_HOP_LIMIT_DEFAULT 64
#define IP6_EXTENSIONS_MAX   8	/* in one packet; who needs more has bad intentions */
#define IP6_EXTENSIONS_LEN   512 /* bytes of all of them, likewise */

enum ip6_next_header {
	IP6_HOP_BY_HOP = 0,
	IP6_ROUTING = 43,
	IP6_FRAGMENT = 44,
	IP6_NO_NEXT_HEADER = 59,
	IP6_DESTINATION_OPTIONS = 60
};

struct ip6_hdr {
	uint8_t traffic_class;
	uint32_t flow_label;	/* 20 bits */
	uint16_t payload_len;	/* all behind this header */
	uint8_t next_header;
	uint8_t hop_limit;
	struct addr src, dst;
};

/* What stands between the IPv6 header and the transport header.  Offsets count from the IPv6
 * header's first byte. */
struct ip6_chain {
	uint8_t proto;	       /* what follows */
	uint16_t proto_at;     /* the field that says so */
	uint16_t len;	       /* IPv6 header and all extension headers that were read */
	bool fragment;	       /* not the whole packet: the fragment header is the last one read */
	bool more_fragments;
	uint16_t fragment_offset; /* bytes */
	uint32_t fragment_id;
	uint16_t unfragmented_len; /* with `fragment`: up to the fragment header */
	uint16_t fragment_at;	   /* ... the field that names it */

	/* With -EPROTO: the parameter problem (RFC 4443 3.4) to be reported. */
	bool problem;
	bool problem_of_groups; /* ... also where the packet is for a group (RFC 8200 4.2) */
	uint8_t problem_code;
	uint32_t problem_at;
};

/* Reads the fixed header; 0, or -EINVAL when truncated or of another version.  An address that is
 * IPv4-mapped has no place on a wire and is -EINVAL too (RFC 4291 2.5.5.2). */
int ip6_decode(struct rd *r, struct ip6_hdr *h);

/* Writes 40 bytes. */
void ip6_encode(struct wr *w, const struct ip6_hdr *h);

/* Reads the extension headers behind the fixed one, whose next header is `next`; the reader stands
 * behind them.  An atomic fragment (RFC 6946) counts as a whole packet.  0; -EINVAL: truncated,
 * malformed, or more than the bounds above; -ECANCELED: an option asks to discard the packet;
 * -EPROTO: and to answer it, see there. */
int ip6_walk(struct rd *r, uint8_t next, struct ip6_chain *c);

/* Whether the `len` bytes behind the fragment header of a first fragment, of which `next` is the
 * first header, have all headers of the packet, with that of the transport (RFC 7112 5). */
bool ip6_has_all_headers(uint8_t next, const uint8_t *data, size_t len);

#endif
