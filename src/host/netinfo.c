/* host/netinfo.c: default route and address from the kernel's tables. */
#include "host/netinfo.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#define DUMP_TRIES 5 /* the kernel starts anew when its table changes meanwhile */

struct default_route {
	unsigned wanted; /* index of the interface; 0: any */
	bool found;
	unsigned interface;
	uint32_t metric;
	bool has_gateway, has_source;
	struct addr gateway, source;
};

struct own_address {
	const struct default_route *route;
	bool found, preferred;
	unsigned char scope;
	struct addr addr;
	uint8_t prefix_len;
};

static struct addr attr_addr(const struct nlattr *attr)
{
	return addr_ip4_bytes(mnl_attr_get_payload(attr));
}

static bool is_ip4(const struct nlattr *attr)
{
	return mnl_attr_get_payload_len(attr) == 4;
}

static void read_hop(const struct nlattr *attr, unsigned *interface, struct default_route *r)
{
	switch (mnl_attr_get_type(attr)) {
	case RTA_OIF:
		*interface = mnl_attr_get_u32(attr);
		break;
	case RTA_GATEWAY:
		r->has_gateway = is_ip4(attr);
		if (r->has_gateway)
			r->gateway = attr_addr(attr);
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

static bool is_default_route(const struct rtmsg *rtm)
{
	return rtm->rtm_family == AF_INET && !rtm->rtm_dst_len && !rtm->rtm_tos &&
	       rtm->rtm_type == RTN_UNICAST && rtm->rtm_table == RT_TABLE_MAIN &&
	       !(rtm->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN));
}

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct default_route *best = data, r = { 0 };
	const struct nlattr *attr;
	unsigned interface = 0;

	if (nlh->nlmsg_type != RTM_NEWROUTE || !is_default_route(rtm))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_PRIORITY:
			r.metric = mnl_attr_get_u32(attr);
			break;
		case RTA_PREFSRC:
			r.has_source = is_ip4(attr);
			if (r.has_source)
				r.source = attr_addr(attr);
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
	r.wanted = best->wanted;
	r.interface = interface;
	r.found = true;
	*best = r;
	return MNL_CB_OK;
}

/* The route's own source address if it names one, else the first with the widest scope. */
static int on_address(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct own_address *best = data;
	const struct nlattr *attr;
	struct addr addr = { 0 };
	bool found = false, preferred;

	if (nlh->nlmsg_type != RTM_NEWADDR || ifa->ifa_family != AF_INET ||
	    ifa->ifa_index != best->route->interface || ifa->ifa_scope >= RT_SCOPE_HOST)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		if (mnl_attr_get_type(attr) != IFA_LOCAL || !is_ip4(attr))
			continue;
		addr = attr_addr(attr);
		found = true;
	}
	preferred = found && best->route->has_source && addr_eq(&addr, &best->route->source);
	if (!found || best->preferred ||
	    (best->found && !preferred && best->scope <= ifa->ifa_scope))
		return MNL_CB_OK;
	*best = (struct own_address){ .route = best->route,
				      .found = true,
				      .preferred = preferred,
				      .scope = ifa->ifa_scope,
				      .addr = addr,
				      .prefix_len = ifa->ifa_prefixlen };
	return MNL_CB_OK;
}

/* Asks for a whole IPv4 table and hands its entries to `cb`. */
static int dump(struct mnl_socket *nl, uint16_t type, mnl_cb_t cb, void *data)
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
	rtm->rtm_family = AF_INET;
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

static int read_tables(struct mnl_socket *nl, unsigned interface, struct netinfo *info)
{
	struct default_route route = { .wanted = interface };
	struct own_address own = { .route = &route };
	int rc = dump(nl, RTM_GETROUTE, on_route, &route);

	if (rc)
		return rc;
	if (!route.found) /* its address may serve by itself */
		route.interface = interface;
	if (!route.interface)
		return 0;
	rc = dump(nl, RTM_GETADDR, on_address, &own);
	if (rc)
		return rc;
	if (!if_indextoname(route.interface, info->interface))
		return -errno;
	info->has_address = own.found;
	info->address = own.addr;
	info->prefix_len = own.prefix_len;
	info->has_gateway = route.has_gateway;
	info->gateway = route.gateway;
	return 0;
}

int netinfo_read(const char *interface, struct netinfo *info)
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
		rc = read_tables(nl, index, info);
	mnl_socket_close(nl);
	return rc;
}
