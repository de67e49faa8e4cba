/* base/addr.h: IP addresses of both families in one form, endpoints, prefixes, MACs.
 *
 * An IPv4 address is kept as its IPv4-mapped IPv6 address (RFC 4291 2.5.5.2),
 * so that one comparison, one hash and one field serve both families.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ADDR_STR_MAX	 64 /* text of an address, with its terminating zero */
#define ENDPOINT_STR_MAX 80 /* text of "[address]:port" */
#define MAC_STR_MAX	 18
#define MAC_LEN		 6

struct addr {
	union {
		uint8_t b[16]; /* network order */
		uint32_t w[4];
		uint64_t q[2];
	};
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order; for ICMP echo the identifier */
};

struct mac {
	uint8_t b[MAC_LEN];
};

#define ADDR_ANY6      ((struct addr){ .b = { 0 } })
#define ADDR_LOOPBACK6 ((struct addr){ .b = { [15] = 1 } })
#define ADDR_ALL_NODES6 ((struct addr){ .b = { 0xff, 0x02, [15] = 1 } }) /* RFC 4291 2.7.1 */
#define MAC_BROADCAST ((struct mac){ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } })

/* From an IPv4 address in host order. */
static inline struct addr addr_ip4(uint32_t ip)
{
	return (struct addr){ .b = { [10] = 0xff, [11] = 0xff, [12] = (uint8_t)(ip >> 24),
				     [13] = (uint8_t)(ip >> 16), [14] = (uint8_t)(ip >> 8),
				     [15] = (uint8_t)ip } };
}

/* From the four bytes of an IPv4 address as they stand on the wire. */
static inline struct addr addr_ip4_bytes(const uint8_t p[4])
{
	return addr_ip4((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

static inline struct addr addr_ip6_bytes(const uint8_t p[16])
{
	struct addr a;

	memcpy(a.b, p, 16);
	return a;
}

static inline bool addr_is_ip4(const struct addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a->b, mapped, 12);
}

/* The IPv4 address in host order; meaningful only when addr_is_ip4(). */
static inline uint32_t addr_get_ip4(const struct addr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 |
	       a->b[15];
}

static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->q[0] == b->q[0] && a->q[1] == b->q[1];
}

static inline bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_eq(&a->addr, &b->addr);
}

static inline bool mac_eq(const struct mac *a, const struct mac *b)
{
	return !memcmp(a->b, b->b, MAC_LEN);
}

/* Where Ethernet frames to an IPv4 multicast address go (RFC 1112 6.4). */
static inline struct mac mac_of_multicast4(const struct addr *a)
{
	return (struct mac){ { 0x01, 0x00, 0x5e, a->b[13] & 0x7f, a->b[14], a->b[15] } };
}

/* Where Ethernet frames to an IPv6 multicast address go (RFC 2464 7). */
static inline struct mac mac_of_multicast6(const struct addr *a)
{
	return (struct mac){ { 0x33, 0x33, a->b[12], a->b[13], a->b[14], a->b[15] } };
}

/* The netmask of an IPv4 prefix length 0..32, host order. */
static inline uint32_t ip4_mask(unsigned prefix_len)
{
	return prefix_len ? 0xffffffffu << (32 - prefix_len) : 0;
}

bool addr_is_unspecified(const struct addr *a); /* 0.0.0.0 or :: */
bool addr_is_loopback(const struct addr *a);	/* 127.0.0.0/8 or ::1 */
bool addr_is_multicast(const struct addr *a);	/* 224.0.0.0/4 or ff00::/8 */
bool addr_is_link_local(const struct addr *a);	/* 169.254.0.0/16 or fe80::/10 */

/* Whether `a` lies in `net`/`prefix_len`; the length counts in bits of the address's own
 * family (0..32 or 0..128).  Addresses of different families never match. */
bool addr_in_prefix(const struct addr *a, const struct addr *net, unsigned prefix_len);

/* Reads an IPv4 or IPv6 address; -EINVAL if `text` is neither. */
int addr_parse(const char *text, struct addr *a);

/* Writes the usual text of `a` into `buf` (ADDR_STR_MAX bytes) and returns `buf`. */
const char *addr_print(const struct addr *a, char buf[static ADDR_STR_MAX]);

/* "192.0.2.1:80" or "[2001:db8::1]:80", into ENDPOINT_STR_MAX bytes. */
const char *endpoint_print(const struct endpoint *e, char buf[static ENDPOINT_STR_MAX]);

/* Reads "aa:bb:cc:dd:ee:ff"; -EINVAL otherwise. */
int mac_parse(const char *text, struct mac *m);
const char *mac_print(const struct mac *m, char buf[static MAC_STR_MAX]);

/* Socket addresses.  `sa` holds at least a struct sockaddr_storage.  An IPv4 address becomes
 * AF_INET.  Returns the length to give to the kernel. */
struct sockaddr;
unsigned endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr *sa);
/* The same for a socket of AF_INET6: an IPv4 address stays mapped.  `scope` is the index of the
 * interface that a link-local address belongs to, else 0. */
unsigned endpoint_to_sockaddr6(const struct endpoint *e, uint32_t scope, struct sockaddr *sa);
/* -EAFNOSUPPORT for other families. */
int endpoint_from_sockaddr(struct endpoint *e, const struct sockaddr *sa);

#endif
