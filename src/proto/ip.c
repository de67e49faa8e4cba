/* proto/ip.c: what IP itself asks for, of both families. */
#include "proto/ip.h"

#include "proto/guest.h"
#include "proto/guest_addr.h"
#include "proto/reassembly.h"
#include "proto/transport.h"
#include "wire/icmp6.h"

static enum drop fragment_from_guest(struct env *env, const struct pkt *p)
{
	struct pkt whole;
	bool complete;
	enum drop reason;

	if (!env->reassembly)
		return DROP_FRAGMENT_LIMIT;
	reason = reassembly_from_guest(env, p, &whole, &complete);
	if (reason != DROP_NONE)
		ip_report_problem(env, &whole);
	if (reason != DROP_NONE || !complete)
		return reason;
	reason = transport_from_guest(env, &whole);
	/* the next fragment may overwrite what handlers keep views into */
	demux_batch_end(env);
	return reason;
}

enum drop ip_from_guest(struct env *env, const struct pkt *p)
{
	if (addr_is_loopback(&p->src) || addr_is_multicast(&p->src) ||
	    net_is_broadcast(env->net, &p->src))
		return DROP_IP_SOURCE;
	if (addr_is_loopback(&p->dst) || addr_is_unspecified(&p->dst))
		return DROP_IP_DESTINATION;
	guest_addr_learn(env, &p->src);
	return p->fragment ? fragment_from_guest(env, p) : transport_from_guest(env, p);
}

void ip_report_problem(struct env *env, const struct pkt *p)
{
	struct icmp_error e = { ICMP6_TYPE_PARAMETER_PROBLEM, p->chain.problem_code,
				p->chain.problem_at };

	if (env->net->ip6.on && p->chain.problem)
		guest_send_icmp_error(env, p, &env->net->ip6.gateway, &e);
}
