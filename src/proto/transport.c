/* proto/transport.c: hands each IP packet of the guest to the handler of what it carries. */
#include "proto/transport.h"

#include "proto/dhcp4.h"
#include "proto/dhcp6.h"
#include "proto/dns.h"
#include "proto/guest.h"
#include "proto/icmp.h"
#include "proto/multicast.h"
#include "proto/ndp.h"
#include "proto/tcp/tcp.h"
#include "proto/udp.h"
#include "wire/icmp6.h"

/* Whether the packet belongs to a flow that began before its protocol was switched off. */
static bool has_flow(const struct env *env, const struct pkt *p, enum flow_proto proto)
{
	struct flow_key key = { .guest = p->src, .peer = p->dst, .proto = proto };

	key.guest_port = proto == FLOW_ICMP ? p->icmp.id : p->udp.sport;
	key.peer_port = proto == FLOW_ICMP ? 0 : p->udp.dport;
	return flow_table_lookup(&env->flows, &key);
}

/* Refuses what is switched off. */
static enum drop prohibit(struct env *env, const struct pkt *p)
{
	guest_send_error(env, p, GUEST_ERROR_PROHIBITED);
	return DROP_IP_PROTOCOL;
}

/* A TTL of zero: no router passes that on (RFC 1812 5.3.1, RFC 4443 3.3), while a socket of the host, which
 * cannot send it, would give it another one. */
static enum drop expire(struct env *env, const struct pkt *p)
{
	guest_send_error(env, p, GUEST_ERROR_TTL);
	return DROP_IP_TTL;
}

/* A server is found by broadcast, and renews a lease at its own address (RFC 2131 4.4.5). */
static bool is_for_dhcp4(const struct env *env, const struct pkt *p)
{
	return env->dhcp4 && addr_is_ip4(&p->dst) && p->udp.dport == DHCP4_SERVER_PORT &&
	       (net_is_broadcast(env->net, &p->dst) || dhcp4_is_server(env, &p->dst));
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
	if (env->conf->no_udp && !has_flow(env, p, FLOW_UDP))
		return prohibit(env, p);
	if (dns_serves(env, &(struct endpoint){ p->dst, p->udp.dport }))
		return dns_from_guest(env, p);
	if (!p->ttl)
		return expire(env, p);
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
	if (env->multicast && multicast_is_mld(p))
		return multicast_from_guest(env, p);
	if (icmp_is_undelivered(p)) /* a part of what it is about */
		return icmp_undelivered_from_guest(env, p);
	if (env->conf->no_icmp && !has_flow(env, p, FLOW_ICMP))
		return prohibit(env, p);
	if (!p->ttl)
		return expire(env, p);
	return env->icmp ? icmp_from_guest(env, p) : DROP_IP_PROTOCOL;
}

static enum drop igmp_handler(struct env *env, const struct pkt *p)
{
	if (env->multicast)
		return multicast_from_guest(env, p);
	guest_send_error(env, p, GUEST_ERROR_PROTOCOL);
	return DROP_IP_PROTOCOL;
}

static enum drop tcp_handler(struct env *env, const struct pkt *p)
{
	if (addr_is_multicast(&p->dst) || net_is_broadcast(env->net, &p->dst))
		return DROP_IP_DESTINATION;
	if (!p->ttl)
		return expire(env, p);
	return env->tcp ? tcp_from_guest(env, p) : DROP_IP_PROTOCOL;
}

static const struct {
	uint8_t proto;
	bool ip4, ip6;
	enum drop (*from_guest)(struct env *env, const struct pkt *p);
} ip_handlers[] = {
	{ IP_TCP, true, true, tcp_handler },
	{ IP_UDP, true, true, udp_handler },
	{ IP_ICMP, true, false, icmp_handler },
	{ IP_IGMP, true, false, igmp_handler },
	{ IP_ICMP6, false, true, icmp_handler },
};

enum drop transport_from_guest(struct env *env, const struct pkt *p)
{
	bool ip4 = addr_is_ip4(&p->src);

	for (size_t i = 0; i < sizeof(ip_handlers) / sizeof(ip_handlers[0]); i++)
		if (ip_handlers[i].proto == p->proto && (ip4 ? ip_handlers[i].ip4 : ip_handlers[i].ip6))
			return ip_handlers[i].from_guest(env, p);
	if (p->proto != IP6_NO_NEXT_HEADER || ip4)
		guest_send_error(env, p, GUEST_ERROR_PROTOCOL);
	return DROP_IP_PROTOCOL;
}
