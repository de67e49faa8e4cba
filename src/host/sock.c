/* host/sock.c: what host sockets of all protocols have in common. */
#include "host/sock.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/errqueue.h>

#define UDP_RECEIVE_BUFFER (4 << 20) /* a burst of 1,000 full-sized datagrams as it counts */

/* The kernel hands out the lowest free number, so the number tells how many are taken. */
static bool in_reserve(int fd)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_NOFILE, &limit) &&
	       (rlim_t)fd + SOCK_FD_RESERVE >= limit.rlim_cur;
}

int sock_open(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	if (in_reserve(fd)) {
		close(fd);
		return -EMFILE;
	}
	return fd;
}

int sock_accept(int fd_listen, struct endpoint *client)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd = accept4(fd_listen, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (in_reserve(fd)) {
		sock_close_reset(fd);
		return -EUSERS;
	}
	endpoint_from_sockaddr(client, (struct sockaddr *)&sa);
	return fd;
}

void sock_close_reset(int fd)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

void sock_local(int fd, struct endpoint *e)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    endpoint_from_sockaddr(e, (struct sockaddr *)&sa))
		*e = (struct endpoint){ .addr = ADDR_ANY6 };
}

int sock_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

void sock_set_udp_buffer(int fd)
{
	if (sock_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_RECEIVE_BUFFER))
		sock_set(fd, SOL_SOCKET, SO_RCVBUF, UDP_RECEIVE_BUFFER);
}

unsigned sock_interface(const struct net_ip *ip)
{
	return if_nametoindex(ip->outbound_interface[0] ? ip->outbound_interface : ip->interface);
}

void sock_set_group(int fd, bool ip6, unsigned interface)
{
	struct ip_mreqn group = { .imr_ifindex = (int)interface };

	sock_set(fd, SOL_SOCKET, SO_BROADCAST, 1);
	if (ip6) {
		sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		sock_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
		sock_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface);
		return;
	}
	sock_set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	sock_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (!interface)
		return;
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group));
	sock_set(fd, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(interface)); /* of broadcasts */
}

/* Whether an address means something else on each link (RFC 4007 6). */
static bool needs_scope(const struct addr *a)
{
	if (addr_is_ip4(a))
		return false;
	return addr_is_link_local(a) || (addr_is_multicast(a) && (a->b[1] & 0xf) <= 2);
}

/* The index of an interface that is told by its name or, as the zone of an address may be (RFC 4007
 * 11.2), by this index itself; 0: there is none. */
static unsigned index_of(const char *interface)
{
	unsigned index = if_nametoindex(interface);
	char *end;

	if (index || !isdigit((unsigned char)interface[0]))
		return index;
	index = (unsigned)strtoul(interface, &end, 10);
	return *end ? 0 : index;
}

unsigned sock_peer(const struct net *net, const struct endpoint *e, struct sockaddr *sa)
{
	return sock_peer_on(net, e, "", sa);
}

unsigned sock_peer_on(const struct net *net, const struct endpoint *e, const char *interface,
		      struct sockaddr *sa)
{
	unsigned len = endpoint_to_sockaddr(e, sa);
	struct sockaddr_in6 in6;

	if (!interface[0])
		interface = net->ip6.outbound_interface;
	if (!interface[0])
		interface = net->ip6.interface;
	if (!needs_scope(&e->addr) || !interface[0])
		return len;
	memcpy(&in6, sa, sizeof(in6));
	in6.sin6_scope_id = index_of(interface);
	memcpy(sa, &in6, sizeof(in6));
	return len;
}

int sock_bind_device(int fd, const struct net_ip *ip)
{
	if (ip->outbound_interface[0] &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ip->outbound_interface,
		       (socklen_t)strlen(ip->outbound_interface)))
		return -errno;
	return 0;
}

int sock_bind(int fd, const struct net *net, const struct addr *peer, uint16_t port)
{
	bool ip4 = addr_is_ip4(peer), loopback = addr_is_loopback(peer);
	const struct net_ip *ip = net_ip(net, peer);
	struct endpoint own = { ip4 ? addr_ip4(0) : ADDR_ANY6, port };
	struct sockaddr_storage sa;
	unsigned len;
	int rc = loopback ? 0 : sock_bind_device(fd, ip);

	if (rc)
		return rc;
	if (!loopback && ip->outbound_set)
		own.addr = ip->outbound;
	if (!port && addr_is_unspecified(&own.addr))
		return 0;
	if (!port) /* leave the choice to connect(), which knows the destination too */
		sock_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	len = sock_peer(net, &own, (struct sockaddr *)&sa);
	return bind(fd, (struct sockaddr *)&sa, len) ? -errno : 0;
}

bool sock_has_addr(const struct addr *a)
{
	struct endpoint e = { *a, 0 };
	struct sockaddr_storage sa;
	unsigned len = endpoint_to_sockaddr(&e, (struct sockaddr *)&sa);
	bool gone;
	int fd;

	if (!addr_is_ip4(a) && addr_is_link_local(a))
		return true;
	fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true;
	/* the kernel knows better than a list of addresses: there are local routes as well */
	gone = bind(fd, (struct sockaddr *)&sa, len) && errno == EADDRNOTAVAIL;
	close(fd);
	return !gone;
}

void sock_set_fragments(int fd, bool ip6, enum sock_fragments f)
{
	static const int ip6_values[] = { IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_WANT, IPV6_PMTUDISC_PROBE };
	/* DONT would drop what routers still say of datagrams that had left with DF */
	static const int ip4_values[] = { IP_PMTUDISC_OMIT, IP_PMTUDISC_WANT, IP_PMTUDISC_PROBE };

	if (ip6)
		sock_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, ip6_values[f]);
	else
		sock_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, ip4_values[f]);
}

static void set_ip6(int fd, const struct host_ip *set, const struct host_ip *ip)
{
	if (ip->ttl != set->ttl)
		sock_set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ip->ttl);
	if (ip->tos != set->tos)
		sock_set(fd, IPPROTO_IPV6, IPV6_TCLASS, ip->tos);
}

static void set_ip4(int fd, const struct host_ip *set, const struct host_ip *ip)
{
	if (ip->ttl != set->ttl)
		sock_set(fd, IPPROTO_IP, IP_TTL, ip->ttl);
	if (ip->tos != set->tos)
		sock_set(fd, IPPROTO_IP, IP_TOS, ip->tos);
}

void sock_set_ip(int fd, bool ip6, struct host_ip *set, const struct host_ip *ip)
{
	if (ip6)
		set_ip6(fd, set, ip);
	else
		set_ip4(fd, set, ip);
	*set = *ip;
}

void sock_want_header(int fd, bool ip6)
{
	sock_set(fd, IPPROTO_IP, IP_RECVTTL, 1);
	sock_set(fd, IPPROTO_IP, IP_RECVTOS, 1);
	if (!ip6)
		return;
	sock_set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	sock_set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
}

void sock_take_header(const struct cmsghdr *c, uint8_t *ttl, uint8_t *tos)
{
	bool ip4 = c->cmsg_level == IPPROTO_IP, ip6 = c->cmsg_level == IPPROTO_IPV6;
	int value;

	if (ip4 && c->cmsg_type == IP_TOS)
		*tos = *CMSG_DATA(c); /* the only one of one byte */
	if (c->cmsg_len < CMSG_LEN(sizeof(value)))
		return;
	memcpy(&value, CMSG_DATA(c), sizeof(value));
	if ((ip4 && c->cmsg_type == IP_TTL) || (ip6 && c->cmsg_type == IPV6_HOPLIMIT))
		*ttl = (uint8_t)value;
	else if (ip6 && c->cmsg_type == IPV6_TCLASS)
		*tos = (uint8_t)value;
}

void sock_take_segment(const struct cmsghdr *c, size_t *len)
{
	int segment;

	if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO ||
	    c->cmsg_len < CMSG_LEN(sizeof(segment)))
		return;
	memcpy(&segment, CMSG_DATA(c), sizeof(segment));
	if (segment > 0)
		*len = (size_t)segment;
}

void sock_set_errors(int fd, bool ip6)
{
	if (ip6)
		sock_set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	else
		sock_set(fd, IPPROTO_IP, IP_RECVERR, 1);
}

/* Whether the control message carries an error of the network. */
static bool take_error(const struct cmsghdr *c, struct host_error *e)
{
	bool in = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
	bool in6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
	size_t from_len = in ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	struct sock_extended_err ee;
	struct endpoint from;
	bool ip4;

	if ((!in && !in6) || c->cmsg_len < CMSG_LEN(sizeof(ee) + from_len))
		return false;
	memcpy(&ee, CMSG_DATA(c), sizeof(ee));
	/* a socket of IPv6 tells those of IPv4 in the same way */
	ip4 = ee.ee_origin == SO_EE_ORIGIN_ICMP;
	if (!ip4 && ee.ee_origin != SO_EE_ORIGIN_ICMP6)
		return false;
	if (endpoint_from_sockaddr(&from, (const struct sockaddr *)(CMSG_DATA(c) + sizeof(ee))))
		return false;
	e->icmp = (struct icmp_error){ ee.ee_type, ee.ee_code, ee.ee_info };
	if (ip4 && ee.ee_type == ICMP_TYPE_PARAMETER_PROBLEM)
		e->icmp.rest = ee.ee_info << 24; /* the pointer is the first byte (RFC 792) */
	else if (ip4 && e->icmp.rest > UINT16_MAX)
		e->icmp.rest = UINT16_MAX;
	e->from = from.addr;
	return true;
}

int sock_read_error(int fd, struct host_error *e, struct sockaddr_storage *to)
{
	for (;;) {
		_Alignas(struct cmsghdr) char control[512];
		struct iovec iov = { e->quote, sizeof(e->quote) };
		struct msghdr m = { .msg_name = to,
				    .msg_namelen = to ? sizeof(*to) : 0,
				    .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);

		if (n < 0)
			return -EAGAIN;
		e->len = (size_t)n;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			if (take_error(c, e))
				return 0;
	}
}
