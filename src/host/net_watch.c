/* host/net_watch.c: follows the kernel's notices of rtnetlink(7).
 *
 * They only say that it is time to look: a notice may be lost, and what several of them mean
 * together is easier seen in the tables.  Those that do not concern a default route or an
 * address are passed over, as a router of a large network has many.
 */
#include "host/net_watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"

#define SETTLE_NS      (100 * NS_PER_MS)
#define NOTICES_A_TIME 64
#define NOTICE_MAX     8192
#define GROUPS                                                                                 \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR |           \
	 RTMGRP_IPV6_ROUTE)

/* A link that goes down takes its IPv4 routes along without a word of them. */
static bool is_of_link(const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	return mnl_nlmsg_get_payload_len(nlh) >= sizeof(*ifi) &&
	       ifi->ifi_change & (IFF_UP | IFF_RUNNING | IFF_LOWER_UP);
}

static bool is_of_default_route(const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	return mnl_nlmsg_get_payload_len(nlh) >= sizeof(*rtm) && !rtm->rtm_dst_len &&
	       rtm->rtm_table == RT_TABLE_MAIN;
}

static bool concerns_us(const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_DELLINK:
		return true;
	case RTM_NEWLINK:
		return is_of_link(nlh);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return is_of_default_route(nlh);
	default:
		return false;
	}
}

/* Takes the next datagram; -errno, or whether it concerns us. */
static int take_notice(int fd)
{
	static _Alignas(struct nlmsghdr) char buf[NOTICE_MAX];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
	int left = (int)n;

	if (n < 0)
		return -errno;
	if ((size_t)n > sizeof(buf))
		return true;
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (concerns_us(nlh))
			return true;
	return false;
}

static void ready(struct watch *watch, unsigned events)
{
	struct net_watch *w = container_of(watch, struct net_watch, watch);
	bool changed = false;

	for (int i = 0; i < NOTICES_A_TIME; i++) {
		int rc = take_notice(watch->fd);

		if (rc == -EAGAIN)
			break;
		changed |= rc > 0 || rc == -ENOBUFS; /* some were lost */
	}
	if (changed && !timer_armed(&w->settled))
		timerq_set(w->timers, &w->settled, loop_clock_ns() + SETTLE_NS);
}

static void settled(struct timer *t, void *ctx)
{
	struct net_watch *w = container_of(t, struct net_watch, settled);

	w->changed(w->ctx);
}

void net_watch_init(struct net_watch *w, struct loop *loop, struct timerq *timers,
		    void (*changed)(void *ctx), void *ctx)
{
	*w = (struct net_watch){ .loop = loop,
				 .timers = timers,
				 .changed = changed,
				 .ctx = ctx,
				 .nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC),
				 .settled.fire = settled };
	if (!w->nl || mnl_socket_bind(w->nl, GROUPS, MNL_SOCKET_AUTOPID) < 0) {
		log_warn(HOST, "changes of the host's network will not be noticed: %s",
			 strerror(errno));
		if (w->nl)
			mnl_socket_close(w->nl);
		w->nl = NULL;
		return;
	}
	watch_init(&w->watch, loop, mnl_socket_get_fd(w->nl), ready);
	watch_set(&w->watch, LOOP_READ);
}

void net_watch_end(struct net_watch *w)
{
	if (w->nl) {
		watch_stop(&w->watch);
		mnl_socket_close(w->nl);
	}
	w->nl = NULL;
	timerq_cancel(w->timers, &w->settled);
}
