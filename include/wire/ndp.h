/* wire/ndp.h: neighbor discovery (RFC 4861) and what routers tell of DNS (RFC 8106).
 *
 * Of each message the first eight bytes have the form of struct icmp_hdr; what is written here
 * goes behind them.
 */
#ifndef WIRE_NDP_H
#define WIRE_NDP_H

#include "wire/icmp6.h"
#include "wire/pkt.h"

#define NDP_HOP_LIMIT 255 /* of all messages: no router has passed them on */
#define NDP_NAME_MAX  256 /* a domain name's text, with its terminating zero */
#define NDP_NA_LEN    24  /* behind the first eight bytes: target and its link-layer address */
#define NDP_RA_MAX    (IP6_MTU_MIN - IP6_HEADER_LEN - ICMP_HEADER_LEN) /* likewise, at most */

/* A solicitation or a neighbor advertisement. */
struct ndp_msg {
	struct addr target; /* of neighbor solicitations and advertisements */
	/* Link-layer address: the sender's own of solicitations, the target's of
	 * advertisements. */
	bool has_mac;
	struct mac mac;
};

struct ndp_na {
	struct addr target;
	struct mac mac;
	bool router;	/* we are one */
	bool solicited; /* the answer to a solicitation from an address */
};

struct ndp_prefix {
	struct addr prefix; /* bits behind the first `len` are not told */
	uint8_t len;
	bool on_link, autonomous;
	uint32_t valid, preferred; /* seconds */
};

struct ndp_ra {
	uint8_t hop_limit;	  /* that hosts shall use */
	bool managed, other;	  /* DHCPv6 has addresses, or anything else */
	uint16_t router_lifetime; /* seconds; 0: no default router */
	struct mac mac;
	uint32_t mtu;			 /* 0: not told */
	const struct ndp_prefix *prefix; /* NULL: none */
	uint32_t dns_lifetime;		 /* seconds, of resolvers and search list */
	const struct addr *dns;		 /* IPv6 addresses */
	unsigned n_dns;
	const char (*search)[NDP_NAME_MAX];
	unsigned n_search;
};

/* Reads the message that `p` carries: a router solicitation, or a neighbor solicitation or
 * advertisement.  0, or -EINVAL when it is another one or not valid (RFC
 * 4861 6.1.1, 7.1.1, 7.1.2) or came in fragments (RFC 6980 5).  Options that are not asked for
 * are skipped.  The checksum is not verified, as that of all packets. */
int ndp_decode(const struct pkt *p, struct ndp_msg *m);

/* Write a message: its first eight bytes to `h`, the rest to `w`. */

/* NDP_NA_LEN bytes.  With the override flag, for the link-layer address is always told. */
void ndp_na_encode(struct wr *w, struct icmp_hdr *h, const struct ndp_na *na);

/* At most NDP_RA_MAX bytes, which `w` may have fewer of, but not fewer than eight.  Options,
 * resolvers and names that find no room are left out whole; returns how many were. */
unsigned ndp_ra_encode(struct wr *w, struct icmp_hdr *h, const struct ndp_ra *ra);

/* The multicast address at which who has `a` is asked for it (RFC 4291 2.7.1). */
struct addr ndp_solicited_node(const struct addr *a);

#endif
