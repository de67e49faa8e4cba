/* ctl/ctl_hostfwd.c: add_hostfwd, list_hostfwd, remove_hostfwd: port forwards in the words of
 * slirp4netns(1), "API SOCKET". */
#include <errno.h>
#include <stdio.h>

#include "ctl/ctl_method.h"
#include "proto/forward.h"
#include "proto/guest_addr.h"

#define SPEC_MAX (2 * ADDR_STR_MAX + 32)

enum family { FAMILY_ANY, FAMILY_4, FAMILY_6 }; /* in the order of ctl_hostfwd_proto_names */

/* An address that may be left out, or stand for any: then it is ::.  0 or -EINVAL. */
static int read_addr(const char *text, bool given, struct addr *a)
{
	*a = ADDR_ANY6;
	if (!given || !*text)
		return 0;
	if (addr_parse(text, a))
		return -EINVAL;
	if (addr_is_unspecified(a))
		*a = ADDR_ANY6;
	return 0;
}

/* The host's side of a SPEC, without the slash; false where family and address do not agree.
 * Any address is that of both families if the guest has both. */
static bool print_host(const struct net *net, enum family family, const struct addr *a,
		       char buf[static ADDR_STR_MAX])
{
	bool ip4 = addr_is_ip4(a);
	char text[ADDR_STR_MAX];

	if (!addr_is_unspecified(a)) {
		snprintf(buf, ADDR_STR_MAX, ip4 ? "%.61s" : "[%.61s]", addr_print(a, text));
		return family == FAMILY_ANY || (family == FAMILY_4) == ip4;
	}
	if (family == FAMILY_ANY && net->ip6.on)
		snprintf(buf, ADDR_STR_MAX, "*");
	else
		snprintf(buf, ADDR_STR_MAX, family == FAMILY_6 ? "[::]" : "0.0.0.0");
	return true;
}

int ctl_hostfwd_add(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_hostfwd_add *args = call->args;
	struct ctl_hostfwd_id *added = result;
	struct env *env = target->env;
	char spec[SPEC_MAX], host_text[ADDR_STR_MAX], guest_text[ADDR_STR_MAX];
	const char *specs[] = { spec };
	struct forward_request r = { FORWARD_ADD,
				     (enum flow_proto)(args->proto % CTL_HOSTFWD_PROTOS), specs,
				     1 };
	const struct forward_outcome *o;
	struct addr host, guest;
	int n;

	if (read_addr(args->host_addr, args->has & CTL_HOSTFWD_ADD_HAS_HOST_ADDR, &host) ||
	    !print_host(env->net, (enum family)(args->proto / CTL_HOSTFWD_PROTOS), &host, host_text))
		return ctl_fail(call, -EINVAL, "bad arguments.host_addr");
	if (read_addr(args->guest_addr, args->has & CTL_HOSTFWD_ADD_HAS_GUEST_ADDR, &guest))
		return ctl_fail(call, -EINVAL, "bad arguments.guest_addr");
	n = snprintf(spec, sizeof(spec), "%s/%u:", host_text, (unsigned)args->host_port);
	if (!addr_is_unspecified(&guest))
		n += snprintf(spec + n, sizeof(spec) - (size_t)n, "[%s]/",
			      addr_print(&guest, guest_text));
	snprintf(spec + n, sizeof(spec) - (size_t)n, "%u", (unsigned)args->guest_port);
	n = ctl_forwards_change(call, env, &r, &o);
	if (n == CTL_DONE)
		added->id = o->first_id;
	return n;
}

/* Where clients of a rule go, by the families that it takes; a guest that was not seen yet has the
 * addresses that it is given. */
static void show_target(const struct env *env, const struct forward_rule *r, struct ctl_hostfwd *c)
{
	const struct net *net = env->net;

	if (!addr_is_unspecified(&r->target)) {
		bool ip4 = addr_is_ip4(&r->target);

		c->has |= ip4 ? CTL_HOSTFWD_HAS_GUEST_ADDR : CTL_HOSTFWD_HAS_GUEST_ADDR6;
		*(ip4 ? &c->guest_addr : &c->guest_addr6) = r->target;
		return;
	}
	if (c->has & CTL_HOSTFWD_HAS_HOST_ADDR && net->ip4.on) {
		c->has |= CTL_HOSTFWD_HAS_GUEST_ADDR;
		c->guest_addr = guest_addr_for(env, &net->ip4.gateway);
	}
	if (c->has & CTL_HOSTFWD_HAS_HOST_ADDR6 && net->ip6.on) {
		c->has |= CTL_HOSTFWD_HAS_GUEST_ADDR6;
		c->guest_addr6 = guest_addr_for(env, &net->ip6.guest);
	}
}

static void show(const struct env *env, const struct forward *f, struct ctl_hostfwd *c)
{
	const struct forward_rule *r = &f->rule;
	bool ip4 = r->both_families || addr_is_ip4(&r->addr);
	bool ip6 = r->both_families || !addr_is_ip4(&r->addr);

	*c = (struct ctl_hostfwd){
		.has = (ip4 ? CTL_HOSTFWD_HAS_HOST_ADDR : 0) | (ip6 ? CTL_HOSTFWD_HAS_HOST_ADDR6 : 0) |
		       (r->interface[0] ? CTL_HOSTFWD_HAS_INTERFACE : 0) |
		       (r->last != r->first ? CTL_HOSTFWD_HAS_RANGE : 0),
		.id = f->id,
		.proto = r->proto,
		.host_addr = r->both_families ? addr_ip4(0) : r->addr,
		.host_addr6 = r->addr,
		.host_port = r->first,
		.host_port_last = r->last,
		.guest_port = r->target_first,
		.guest_port_last = (uint16_t)(r->target_first + forward_rule_n_ports(r) - 1),
		.interface = r->interface,
	};
	show_target(env, r, c);
}

/* All forwards, whoever made them.  The cursor is the id of the one shown last. */
int ctl_hostfwd_list(struct ctl_call *call, const struct env *env, void *result)
{
	const struct forward *f = env->forwards ? forwards_next(env->forwards, call->cursor) : NULL;

	if (!f)
		return CTL_DONE;
	call->cursor = f->id;
	show(env, f, result);
	return CTL_ITEM;
}

int ctl_hostfwd_remove(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_hostfwd_id *args = call->args;
	struct forward_request r = { .verb = FORWARD_REMOVE_ID, .id = args->id };
	const struct forward_outcome *o;
	int rc = ctl_forwards_change(call, target->env, &r, &o);

	return rc < 0 ? ctl_fail(call, rc, "bad arguments.id") : rc;
}
