/* host/udp_group.c: UDP sockets that talk with several.
 *
 * Of all sockets of this host that share a port, one gets what is sent to just this host; who
 * binds last, as it happens.  So a port is first asked for without sharing it.
 */
#include "host/udp_group.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sock.h"
#include "host/udp_port.h"

static int bind_at(int fd, const struct net *net, const struct addr *a, uint16_t port)
{
	struct sockaddr_storage sa;
	unsigned len = sock_peer(net, &(struct endpoint){ *a, port }, (struct sockaddr *)&sa);

	return bind(fd, (struct sockaddr *)&sa, len) ? -errno : 0;
}

static int bind_port(int fd, const struct env *env, const struct endpoint *group, uint16_t port,
		     bool *hears)
{
	const struct net_ip *ip = net_ip(env->net, &group->addr);
	bool ip4 = addr_is_ip4(&group->addr), ours = *hears;
	struct addr own = ip4 ? addr_ip4(INADDR_ANY) : ADDR_ANY6;
	int rc = sock_bind_device(fd, ip);

	if (rc)
		return rc;
	if (ip->outbound_set)
		own = ip->outbound;
	rc = bind_at(fd, env->net, &own, port);
	sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	*hears = !rc;
	if (rc != -EADDRINUSE || !port)
		return rc;
	/* those who have it for one address or a group get theirs all the same */
	*hears = (ours || !udp_port_is_taken(ip4, port)) && !bind_at(fd, env->net, &own, port);
	/* bound to the group's own address, it takes nothing from anybody */
	return *hears ? 0 : bind_at(fd, env->net, &group->addr, port);
}

static int open_socket(const struct net *net, const struct addr *group)
{
	bool ip6 = !addr_is_ip4(group);
	int fd = sock_open(ip6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	if (fd >= 0)
		sock_set_group(fd, ip6, sock_interface(net_ip(net, group)));
	return fd;
}

/* Which address datagrams to the group come from; -errno when none could be sent. */
static int find_source(const struct net *net, const struct endpoint *group, struct addr *source)
{
	struct sockaddr_storage sa;
	struct endpoint local;
	int fd = open_socket(net, &group->addr), rc;
	unsigned len;

	if (fd < 0)
		return fd;
	rc = sock_bind(fd, net, &group->addr, 0);
	len = sock_peer(net, group, (struct sockaddr *)&sa);
	if (!rc && connect(fd, (struct sockaddr *)&sa, len))
		rc = -errno;
	sock_local(fd, &local);
	close(fd);
	*source = local.addr;
	return rc;
}

int udp_group_open(const struct env *env, const struct endpoint *group, uint16_t port,
		   struct endpoint *local, bool *hears)
{
	struct addr source;
	int rc = find_source(env->net, group, &source), fd;

	if (rc)
		return rc;
	fd = open_socket(env->net, &group->addr);
	if (fd < 0)
		return fd;
	sock_want_header(fd, !addr_is_ip4(&group->addr));
	sock_set_udp_buffer(fd);
	rc = bind_port(fd, env, group, port, hears);
	if (rc) {
		close(fd);
		return rc;
	}
	sock_local(fd, local);
	local->addr = source;
	return fd;
}

static int join(int fd, const struct addr *group, unsigned interface)
{
	struct ip_mreqn join4 = { .imr_ifindex = (int)interface };
	struct ipv6_mreq join6 = { .ipv6mr_interface = interface };
	int rc;

	if (addr_is_ip4(group)) {
		join4.imr_multiaddr.s_addr = htonl(addr_get_ip4(group));
		rc = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join4, sizeof(join4));
	} else {
		memcpy(&join6.ipv6mr_multiaddr, group->b, 16);
		rc = setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &join6, sizeof(join6));
	}
	return rc ? -errno : 0;
}

int udp_group_join(const struct env *env, const struct endpoint *group)
{
	const struct net_ip *ip = net_ip(env->net, &group->addr);
	int fd = open_socket(env->net, &group->addr), rc;

	if (fd < 0)
		return fd;
	sock_want_header(fd, !addr_is_ip4(&group->addr));
	sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	rc = bind_at(fd, env->net, &group->addr, group->port);
	if (!rc)
		rc = join(fd, &group->addr, sock_interface(ip));
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

/* A datagram for one host has as its destination the address to answer from. */
static bool is_to_all(const struct cmsghdr *c)
{
	struct in_pktinfo info;

	if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO ||
	    c->cmsg_len < CMSG_LEN(sizeof(info)))
		return false;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	return info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr;
}

void udp_group_take(struct msghdr *m, struct udp_datagram *d)
{
	d->ttl = d->tos = 0;
	d->to_all = false;
	d->segment = d->payload.iov_len;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		sock_take_header(c, &d->ttl, &d->tos);
		d->to_all |= is_to_all(c);
		sock_take_segment(c, &d->segment);
	}
}
