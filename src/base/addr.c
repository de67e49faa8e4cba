/* base/addr.c: text, classes and socket forms of addresses. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

bool addr_is_unspecified(const struct addr *a)
{
	return addr_is_ip4(a) ? addr_get_ip4(a) == INADDR_ANY : !a->q[0] && !a->q[1];
}

bool addr_is_loopback(const struct addr *a)
{
	static const struct addr loopback6 = { .b = { [15] = 1 } };

	return addr_is_ip4(a) ? a->b[12] == 127 : addr_eq(a, &loopback6);
}

bool addr_is_multicast(const struct addr *a)
{
	return addr_is_ip4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

bool addr_is_link_local(const struct addr *a)
{
	return addr_is_ip4(a) ? a->b[12] == 169 && a->b[13] == 254
			      : a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool addr_in_prefix(const struct addr *a, const struct addr *net, unsigned prefix_len)
{
	unsigned bits = addr_is_ip4(net) ? prefix_len + 96 : prefix_len, bytes = bits / 8;

	if (addr_is_ip4(a) != addr_is_ip4(net) || bits > 128 || memcmp(a->b, net->b, bytes))
		return false;
	return bits % 8 == 0 || !((a->b[bytes] ^ net->b[bytes]) >> (8 - bits % 8));
}

int addr_parse(const char *text, struct addr *a)
{
	uint8_t four[4];

	if (inet_pton(AF_INET, text, four) == 1)
		*a = addr_ip4_bytes(four);
	else if (inet_pton(AF_INET6, text, a->b) != 1)
		return -EINVAL;
	return 0;
}

const char *addr_print(const struct addr *a, char buf[static ADDR_STR_MAX])
{
	bool four = addr_is_ip4(a);

	if (!inet_ntop(four ? AF_INET : AF_INET6, four ? a->b + 12 : a->b, buf, ADDR_STR_MAX))
		buf[0] = '\0';
	return buf;
}

const char *endpoint_print(const struct endpoint *e, char buf[static ENDPOINT_STR_MAX])
{
	char text[ADDR_STR_MAX];

	addr_print(&e->addr, text);
	snprintf(buf, ENDPOINT_STR_MAX, addr_is_ip4(&e->addr) ? "%s:%u" : "[%s]:%u", text, e->port);
	return buf;
}

int mac_parse(const char *text, struct mac *m)
{
	struct mac v;
	int end = 0;

	if (strlen(text) != MAC_STR_MAX - 1 ||
	    sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &v.b[0], &v.b[1], &v.b[2], &v.b[3],
		   &v.b[4], &v.b[5], &end) != MAC_LEN ||
	    end != MAC_STR_MAX - 1 || strspn(text, "0123456789abcdefABCDEF:") != MAC_STR_MAX - 1)
		return -EINVAL;
	*m = v;
	return 0;
}

const char *mac_print(const struct mac *m, char buf[static MAC_STR_MAX])
{
	snprintf(buf, MAC_STR_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2],
		 m->b[3], m->b[4], m->b[5]);
	return buf;
}

unsigned endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr *sa)
{
	if (addr_is_ip4(&e->addr)) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(e->port) };

		memcpy(&in.sin_addr, e->addr.b + 12, 4);
		memcpy(sa, &in, sizeof(in));
		return sizeof(in);
	}
	return endpoint_to_sockaddr6(e, 0, sa);
}

unsigned endpoint_to_sockaddr6(const struct endpoint *e, uint32_t scope, struct sockaddr *sa)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(e->port),
				    .sin6_scope_id = scope };

	memcpy(&in6.sin6_addr, e->addr.b, 16);
	memcpy(sa, &in6, sizeof(in6));
	return sizeof(in6);
}

int endpoint_from_sockaddr(struct endpoint *e, const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		e->addr = addr_ip4(ntohl(in.sin_addr.s_addr));
		e->port = ntohs(in.sin_port);
		return 0;
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		e->addr = addr_ip6_bytes(in6.sin6_addr.s6_addr);
		e->port = ntohs(in6.sin6_port);
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}
