/* host/netinfo.c: default route and address from the kernel's tables. */
#include "host/netinfo.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#define DUMP_TRIES 5 /* the kernel starts anew when its table changes meanwhile */

/* What makes one address better than another. */
enum {
	RANK_STABLE_PREFIX = 1, /* routers advertise networks of length 64 */
	RANK_NOT_TEMPORARY = 2,
	RANK_GLOBAL = 4, /* rather than unique local (RFC 4193) */
	RANK_OF_ROUTE = 256 /* the route's own source */
};

struct default_route {
	bool ip6;
	unsigned wanted; /* index of the interface; 0: any */
	bool found;
	unsigned interface;
	uint32_t metric;
	bool has_gateway, has_source;
	struct addr gateway, source;
};

struct own_address {
	const struct default_route *route;
	bool found;
	int rank;
	struct addr addr;
	uint8_t prefix_len;
};

static bool read_addr(const struct nlattr *attr, bool ip6, struct addr *a)
{
	const uint8_t *p = mnl_attr_get_payload(attr);

	if (mnl_attr_get_payload_len(attr) != (ip6 ? 16 : 4))
		return false;
	*a = ip6 ? addr_ip6_bytes(p) : addr_ip4_bytes(p);
	return true;
}

static void read_hop(const struct nlattr *attr, unsigned *interface, struct default_route *r)
{
	switch (mnl_attr_get_type(attr)) {
	case RTA_OIF:
		*interface = mnl_attr_get_u32(attr);
		break;
	case RTA_GATEWAY:
		r->has_gateway = read_addr(attr, r->ip6, &r->gateway);
		break;
	}
}

/* The first of several next hops serves as well as any. */
static void read_multipath(const struct nlattr *nest, unsigned *interface,
			   struct default_route *r)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(nest);
	const struct nlattr *attr;

	if (mnl_attr_get_payload_len(nest) < sizeof(*hop) || hop->rtnh_len < sizeof(*hop) ||
	    hop->rtnh_len > mnl_attr_get_payload_len(nest))
		return;
	*interface = (unsigned)hop->rtnh_ifindex;
	mnl_attr_for_each_payload((const struct nlattr *)RTNH_DATA(hop), hop->rtnh_len - sizeof(*hop))
		read_hop(attr, interface, r);
}

static bool is_default_route(const struct rtmsg *rtm, bool ip6)
{
	return rtm->rtm_family == (ip6 ? AF_INET6 : AF_INET) && !rtm->rtm_dst_len &&
	       !rtm->rtm_src_len && !rtm->rtm_tos &&
	       rtm->rtm_type == RTN_UNICAST && rtm->rtm_table == RT_TABLE_MAIN &&
	       !(rtm->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN));
}

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct default_route *best = data, r = { .ip6 = best->ip6, .wanted = best->wanted };
	const struct nlattr *attr;
	unsigned interface = 0;

	if (nlh->nlmsg_type != RTM_NEWROUTE || !is_default_route(rtm, r.ip6))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_PRIORITY:
			r.metric = mnl_attr_get_u32(attr);
			break;
		case RTA_PREFSRC:
			r.has_source = read_addr(attr, r.ip6, &r.source);
			break;
		case RTA_MULTIPATH:
			read_multipath(attr, &interface, &r);
			break;
		default:
			read_hop(attr, &interface, &r);
		}
	}
	if (!interface || (best->wanted && interface != best->wanted))
		return MNL_CB_OK;
	if (best->found && best->metric <= r.metric)
		return MNL_CB_OK;
	r.interface = interface;
	r.found = true;
	*best = r;
	return MNL_CB_OK;
}

/* How well an IPv4 address serves: the widest scope is best. */
static int rank_ip4(const struct ifaddrmsg *ifa)
{
	return ifa->ifa_scope < RT_SCOPE_HOST ? RT_SCOPE_HOST - ifa->ifa_scope : -1;
}

/* How well an IPv6 address serves; -1: not at all. */
static int rank_ip6(const struct ifaddrmsg *ifa, const struct addr *a, uint32_t flags)
{
	bool tentative = flags & IFA_F_TENTATIVE && !(flags & IFA_F_OPTIMISTIC);

	if (ifa->ifa_scope != RT_SCOPE_UNIVERSE || tentative ||
	    flags & (IFA_F_DEPRECATED | IFA_F_DADFAILED))
		return -1;
	return (flags & IFA_F_TEMPORARY ? 0 : RANK_NOT_TEMPORARY) +
	       ((a->b[0] & 0xfe) == 0xfc ? 0 : RANK_GLOBAL) +
	       (ifa->ifa_prefixlen == 64 ? RANK_STABLE_PREFIX : 0);
}

/* IPv4 has the address as the local one, as that of a peer may stand beside it; IPv6 only then. */
static bool read_address(const struct nlmsghdr *nlh, bool ip6, struct addr *a, uint32_t *flags)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	bool local = false, found = false;

	*flags = ifa->ifa_flags;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFA_LOCAL:
			local = found = read_addr(attr, ip6, a);
			break;
		case IFA_ADDRESS:
			if (ip6 && !local)
				found = read_addr(attr, ip6, a);
			break;
		case IFA_FLAGS:
			*flags = mnl_attr_get_u32(attr);
			break;
		}
	}
	return found;
}

/* The best one, and of equals the first. */
static int on_address(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct own_address *best = data;
	const struct default_route *route = best->route;
	struct addr addr;
	uint32_t flags;
	int rank;

	if (nlh->nlmsg_type != RTM_NEWADDR || ifa->ifa_family != (route->ip6 ? AF_INET6 : AF_INET) ||
	    ifa->ifa_index != route->interface || !read_address(nlh, route->ip6, &addr, &flags))
		return MNL_CB_OK;
	rank = route->ip6 ? rank_ip6(ifa, &addr, flags) : rank_ip4(ifa);
	if (rank >= 0 && route->has_source && addr_eq(&addr, &route->source))
		rank += RANK_OF_ROUTE;
	if (rank < 0 || (best->found && best->rank >= rank))
		return MNL_CB_OK;
	*best = (struct own_address){ .route = route,
				      .found = true,
				      .rank = rank,
				      .addr = addr,
				      .prefix_len = ifa->ifa_prefixlen };
	return MNL_CB_OK;
}

/* Asks for a whole table of a family and hands its entries to `cb`. */
static int dump(struct mnl_socket *nl, bool ip6, uint16_t type, mnl_cb_t cb, void *data)
{
	static unsigned seq;
	char buf[32768];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;
	ssize_t n;
	int rc = MNL_CB_OK;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = ++seq;
	/* struct ifaddrmsg is shorter, and has its family in front as well */
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = ip6 ? AF_INET6 : AF_INET;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (rc == MNL_CB_OK) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nl), cb, data);
	}
	return rc == MNL_CB_ERROR ? -errno : 0;
}

static int read_tables(struct mnl_socket *nl, bool ip6, unsigned interface,
		       struct netinfo_ip *info)
{
	struct default_route route = { .ip6 = ip6, .wanted = interface };
	struct own_address own = { .route = &route };
	int rc = dump(nl, ip6, RTM_GETROUTE, on_route, &route);

	if (rc)
		return rc;
	if (!route.found) /* its address may serve by itself */
		route.interface = interface;
	if (!route.interface)
		return 0;
	rc = dump(nl, ip6, RTM_GETADDR, on_address, &own);
	if (rc)
		return rc;
	if (!if_indextoname(route.interface, info->interface))
		return -errno;
	info->index = route.interface;
	info->has_address = own.found;
	info->address = own.addr;
	info->prefix_len = own.prefix_len;
	info->has_route = route.found;
	info->has_gateway = route.has_gateway;
	info->gateway = route.gateway;
	return 0;
}

int netinfo_read(bool ip6, const char *interface, struct netinfo_ip *info)
{
	unsigned index = interface ? if_nametoindex(interface) : 0;
	struct mnl_socket *nl;
	int rc = -EINTR;

	memset(info, 0, sizeof(*info));
	if (interface && !index)
		return -ENODEV;
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		rc = -errno;
	for (int i = 0; i < DUMP_TRIES && rc == -EINTR; i++)
		rc = read_tables(nl, ip6, index, info);
	mnl_socket_close(nl);
	return rc;
}
