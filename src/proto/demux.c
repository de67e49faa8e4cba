/* proto/demux.c: hands each frame of the guest to the handler of its protocol. */
#include "base/log.h"
#include "proto/arp.h"
#include "proto/dns.h"
#include "proto/event.h"
#include "proto/ip.h"
#include "proto/multicast.h"
#include "proto/ndp.h"
#include "proto/reassembly.h"
#include "proto/tcp/tcp.h"
#include "proto/udp.h"

/* What we learn from any frame: the MAC that answers go to, and the address that forwards
 * go to.  A guest may change both at any time. */
static void learn(struct env *env, const struct pkt *p)
{
	static struct log_limit limit;
	struct guest *g = &env->guest;
	char text[MAC_STR_MAX];

	g->seen_ns = env->now_ns;
	if (g->mac_known && mac_eq(&g->mac, &p->eth.src))
		return;
	if (p->eth.src.b[0] & 1)
		return;
	g->mac = p->eth.src;
	g->mac_known = true;
	log_info_limited(&limit, env->now_ns, LINK, "guest MAC address %s", mac_print(&g->mac, text));
	event_tell(env, &(struct event){ .kind = EVENT_GUEST_SEEN });
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

static enum drop handle(struct env *env, const uint8_t *frame, size_t len)
{
	static struct log_limit vlan_limit;
	struct pkt p;
	enum drop reason = pkt_decode(frame, len, &p);

	if (reason == DROP_VLAN)
		log_warn_limited(
			&vlan_limit, env->now_ns, LINK,
			"frame with a VLAN tag from the guest dropped: VLANs are not relayed");
	if (reason == DROP_IP6_OPTION)
		ip_report_problem(env, &p);
	if (reason == DROP_NONE) {
		learn(env, &p);
		reason = dispatch(env, &p);
	}
	if (reason != DROP_NONE)
		env_drop(env, reason);
	return reason;
}

enum drop demux_from_guest(struct env *env, const uint8_t *frame, size_t len)
{
	enum drop reason;

	if (!env->capturing)
		return handle(env, frame, len);
	capture_frame_begins(env);
	reason = handle(env, frame, len);
	capture_from_guest(env, frame, len, reason);
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
	if (env->multicast)
		multicast_room(env);
}

void demux_guest_up(struct env *env)
{
	env->guest.connected = true;
	env->guest.changed_ns = env->now_ns;
	arp_announce(env);
	ndp_announce(env);
	if (env->multicast)
		multicast_guest_up(env);
	demux_room(env); /* there was none without a link */
}

void demux_network_changed(struct env *env)
{
	if (env->multicast)
		multicast_network_changed(env);
	if (!env->guest.connected)
		return;
	arp_announce(env);
	ndp_announce(env);
}

void env_set_rates(struct env *env)
{
	const struct conf *c = env->conf;

	shaper_set(env, &env->to_guest, &c->rate_in);
	shaper_set(env, &env->to_host, &c->rate_out);
	env->new_flows = (struct bucket){ 0 };
	if (c->limits.new_flows)
		env->new_flows = bucket_init(c->limits.new_flows, c->limits.new_flows);
}

void demux_guest_down(struct env *env)
{
	struct list *pos, *tmp;

	env->guest = (struct guest){ .connected = false, .changed_ns = env->now_ns };
	env->path_mtus.n = 0;
	if (env->dns)
		dns_guest_down(env);
	if (env->tcp)
		tcp_guest_down(env);
	if (env->reassembly)
		reassembly_reset(env);
	if (env->multicast)
		multicast_guest_down(env);
	list_for_each(pos, tmp, &env->flows.all)
	{
		struct flow *f = container_of(pos, struct flow, all);

		f->class->close(env, f, FLOW_CLOSED_GUEST_LEFT);
	}
}
