/* proto/demux.c: hands each frame of the guest to the handler of its protocol. */
#include "base/log.h"
#include "proto/arp.h"
#include "proto/dhcp4.h"
#include "proto/dhcp6.h"
#include "proto/dns.h"
#include "proto/env.h"
#include "proto/guest.h"
#include "proto/guest_addr.h"
#include "proto/icmp.h"
#include "proto/ndp.h"
#include "proto/reassembly.h"
#include "proto/tcp/tcp.h"
#include "proto/udp.h"
#include "wire/icmp6.h"

/* What we learn from any frame: the MAC that answers go to, and the address that forwards
 * go to.  A guest may change both at any time. */
static void learn(struct env *env, const struct pkt *p)
{
	struct guest *g = &env->guest;
	char text[MAC_STR_MAX];

	g->seen_ns = env->now_ns;
	if (g->mac_known && mac_eq(&g->mac, &p->eth.src))
		return;
	if (p->eth.src.b[0] & 1)
		return;
	g->mac = p->eth.src;
	g->mac_known = true;
	log_info(LINK, "guest MAC address %s", mac_print(&g->mac, text));
}

/* Refuses what the command line has switched off. */
static enum drop prohibit(struct env *env, const struct pkt *p)
{
	guest_send_error(env, p, GUEST_ERROR_PROHIBITED);
	return DROP_IP_PROTOCOL;
}

/* A server is found by broadcast, and renews a lease at its own address (RFC 2131 4.4.5). */
static bool is_for_dhcp4(const struct env *env, const struct pkt *p)
{
	return env->dhcp4 && addr_is_ip4(&p->dst) && p->udp.dport == DHCP4_SERVER_PORT &&
	       (net_is_broadcast(env->net, &p->dst) || addr_eq(&p->dst, &env->net->ip4.gateway));
}

/* A server is found, and always spoken to, by multicast; who tries otherwise is told so. */
static bool is_for_dhcp6(const struct env *env, const struct pkt *p)
{
	return env->dhcp6 && p->udp.dport == DHCP6_SERVER_PORT &&
	       (addr_eq(&p->dst, &DHCP6_SERVERS) || addr_eq(&p->dst, &env->net->ip6.gateway));
}

static enum drop udp_handler(struct env *env, const struct pkt *p)
{
	if (is_for_dhcp4(env, p))
		return dhcp4_from_guest(env, p);
	if (is_for_dhcp6(env, p))
		return dhcp6_from_guest(env, p);
	if (env->conf->no_udp)
		return prohibit(env, p);
	if (dns_serves(env, &(struct endpoint){ p->dst, p->udp.dport }))
		return dns_from_guest(env, p);
	return env->udp ? udp_from_guest(env, p) : DROP_IP_PROTOCOL;
}

static bool is_for_ndp(const struct env *env, const struct pkt *p)
{
	return env->ndp && p->proto == IP_ICMP6 && p->icmp.type >= ICMP6_TYPE_ROUTER_SOLICITATION &&
	       p->icmp.type <= ICMP6_TYPE_REDIRECT;
}

static enum drop icmp_handler(struct env *env, const struct pkt *p)
{
	if (is_for_ndp(env, p))
		return ndp_from_guest(env, p);
	if (env->conf->no_icmp)
		return prohibit(env, p);
	return env->icmp ? icmp_from_guest(env, p) : DROP_IP_PROTOCOL;
}

static enum drop tcp_handler(struct env *env, const struct pkt *p)
{
	if (addr_is_multicast(&p->dst) || net_is_broadcast(env->net, &p->dst))
		return DROP_IP_DESTINATION;
	if (!env->conf->no_tcp)
		return env->tcp ? tcp_from_guest(env, p) : DROP_IP_PROTOCOL;
	tcp_reset_stray(env, p);
	return DROP_IP_PROTOCOL;
}

static const struct {
	uint8_t proto;
	bool ip4, ip6;
	enum drop (*from_guest)(struct env *env, const struct pkt *p);
} ip_handlers[] = {
	{ IP_TCP, true, true, tcp_handler },
	{ IP_UDP, true, true, udp_handler },
	{ IP_ICMP, true, false, icmp_handler },
	{ IP_ICMP6, false, true, icmp_handler },
};

static enum drop transport_from_guest(struct env *env, const struct pkt *p)
{
	bool ip4 = addr_is_ip4(&p->src);

	for (size_t i = 0; i < sizeof(ip_handlers) / sizeof(ip_handlers[0]); i++)
		if (ip_handlers[i].proto == p->proto && (ip4 ? ip_handlers[i].ip4 : ip_handlers[i].ip6))
			return ip_handlers[i].from_guest(env, p);
	if (p->proto != IP6_NO_NEXT_HEADER || ip4)
		guest_send_error(env, p, GUEST_ERROR_PROTOCOL);
	return DROP_IP_PROTOCOL;
}

static enum drop fragment_from_guest(struct env *env, const struct pkt *p)
{
	struct pkt whole;
	bool complete;
	enum drop reason;

	if (!env->reassembly)
		return DROP_FRAGMENT_LIMIT;
	reason = reassembly_from_guest(env, p, &whole, &complete);
	if (reason != DROP_NONE || !complete)
		return reason;
	reason = transport_from_guest(env, &whole);
	/* the next fragment may overwrite what handlers keep views into */
	demux_batch_end(env);
	return reason;
}

static enum drop ip_from_guest(struct env *env, const struct pkt *p)
{
	if (addr_is_loopback(&p->src) || addr_is_multicast(&p->src) ||
	    net_is_broadcast(env->net, &p->src))
		return DROP_IP_SOURCE;
	if (addr_is_loopback(&p->dst) || addr_is_unspecified(&p->dst))
		return DROP_IP_DESTINATION;
	guest_addr_learn(env, &p->src);
	return p->fragment ? fragment_from_guest(env, p) : transport_from_guest(env, p);
}

static enum drop dispatch(struct env *env, const struct pkt *p)
{
	switch (p->eth.type) {
	case ETHERTYPE_IP4:
		return env->net->ip4.on ? ip_from_guest(env, p) : DROP_IP4;
	case ETHERTYPE_ARP:
		return env->net->ip4.on ? arp_from_guest(env, p) : DROP_IP4;
	case ETHERTYPE_IP6:
		return env->net->ip6.on ? ip_from_guest(env, p) : DROP_IP6;
	default:
		return DROP_ETHERTYPE;
	}
}

/* What cannot be handled on the way, as its sender asked to be told. */
static void report_problem(struct env *env, const struct pkt *p)
{
	struct icmp_error e = { ICMP6_TYPE_PARAMETER_PROBLEM, p->chain.problem_code,
				p->chain.problem_at };

	if (env->net->ip6.on && p->chain.problem)
		guest_send_icmp_error(env, p, &env->net->ip6.gateway, &e);
}

enum drop demux_from_guest(struct env *env, const uint8_t *frame, size_t len)
{
	static struct log_limit vlan_limit;
	struct pkt p;
	enum drop reason = pkt_decode(frame, len, &p);

	if (reason == DROP_VLAN)
		log_warn_limited(
			&vlan_limit, env->now_ns, LINK,
			"frame with a VLAN tag from the guest dropped: VLANs are not relayed");
	if (reason == DROP_IP6_OPTION)
		report_problem(env, &p);
	if (reason == DROP_NONE) {
		learn(env, &p);
		reason = dispatch(env, &p);
	}
	if (reason != DROP_NONE)
		env_drop(env, reason);
	return reason;
}

void demux_batch_end(struct env *env)
{
	if (env->tcp)
		tcp_batch_end(env);
	if (env->udp)
		udp_batch_end(env);
}

bool demux_run_ready(struct env *env)
{
	return env->tcp && tcp_run_ready(env);
}

void demux_room(struct env *env)
{
	if (env->tcp)
		tcp_room(env);
	if (env->udp)
		udp_room(env);
}

void demux_guest_up(struct env *env)
{
	env->guest.connected = true;
	env->guest.changed_ns = env->now_ns;
	arp_announce(env);
	ndp_announce(env);
	demux_room(env); /* there was none without a link */
}

void demux_guest_down(struct env *env)
{
	struct list *pos, *tmp;

	env->guest = (struct guest){ .connected = false, .changed_ns = env->now_ns };
	if (env->dns)
		dns_guest_down(env);
	if (env->tcp)
		tcp_guest_down(env);
	if (env->reassembly)
		reassembly_reset(env);
	list_for_each(pos, tmp, &env->flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(env, f, FLOW_CLOSED_GUEST_LEFT);
	}
}
