/* ctl/ctl_flows.c: query-flows and flow-close.
 *
 * A listing goes by id: the cursor is the id of the flow looked at last, so that flows may come
 * and go while a slow client reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "ctl/ctl_method.h"

/* The arguments of query-flows, read once. */
struct filter {
	const struct ctl_flow_query *query;
	struct addr net;
	unsigned prefix_len;
};

/* "192.0.2.1", "192.0.2.0/24"; -EINVAL for anything else. */
static int prefix_parse(const char *text, struct addr *net, unsigned *prefix_len)
{
	const char *slash = strchr(text, '/');
	char addr[ADDR_STR_MAX];
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long bits, max;
	char *end;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (addr_parse(addr, net))
		return -EINVAL;
	max = addr_is_ip4(net) ? 32 : 128;
	bits = slash ? strtoul(slash + 1, &end, 10) : max;
	if (slash && (slash[1] < '0' || slash[1] > '9' || *end || bits > max))
		return -EINVAL;
	*prefix_len = (unsigned)bits;
	return 0;
}

static bool ends_match(const struct filter *f, const struct flow_key *key,
		       const struct endpoint *host, const struct endpoint *peer)
{
	const struct endpoint ends[] = {
		{ key->guest, key->guest_port }, { key->peer, key->peer_port }, *host, *peer
	};
	const struct ctl_flow_query *q = f->query;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if ((!(q->has & CTL_FLOW_QUERY_HAS_ADDR) ||
		     addr_in_prefix(&ends[i].addr, &f->net, f->prefix_len)) &&
		    (!(q->has & CTL_FLOW_QUERY_HAS_PORT) || ends[i].port == q->port))
			return true;
	return false;
}

static bool matches(const struct filter *f, const struct flow_key *key, enum flow_dir dir,
		    const struct endpoint *host, const struct endpoint *peer, const char *state)
{
	const struct ctl_flow_query *q = f->query;

	if (q->has & CTL_FLOW_QUERY_HAS_PROTO && q->proto != key->proto)
		return false;
	if (q->has & CTL_FLOW_QUERY_HAS_DIR && q->dir != (unsigned)dir)
		return false;
	if (q->has & CTL_FLOW_QUERY_HAS_STATE && strcasecmp(q->state, state) != 0)
		return false;
	return ends_match(f, key, host, peer);
}

static void show_ends(struct ctl_flow *c, const struct flow_key *key,
		      const struct endpoint *host, const struct endpoint *peer)
{
	c->proto = key->proto;
	c->guest = (struct endpoint){ key->guest, key->guest_port };
	c->dest = (struct endpoint){ key->peer, key->peer_port };
	c->peer = *peer;
	c->host = *host;
	if (!endpoint_eq(&c->dest, peer))
		c->has |= CTL_FLOW_HAS_DEST;
	if (host->port)
		c->has |= CTL_FLOW_HAS_HOST;
}

static void show_open(struct ctl_flow *c, const struct flow *f, uint64_t now_ns)
{
	uint64_t timeout_ns = f->class->timeout(f, now_ns);

	*c = (struct ctl_flow){
		.has = CTL_FLOW_HAS_IDLE | (timeout_ns ? CTL_FLOW_HAS_TIMEOUT : 0),
		.id = f->id,
		.dir = f->dir,
		.state = f->class->state(f),
		.bytes_out = f->bytes_out,
		.bytes_in = f->bytes_in,
		.packets_out = f->packets_out,
		.packets_in = f->packets_in,
		.age_ms = (now_ns - f->created_ns) / NS_PER_MS,
		.idle_ms = (now_ns - f->used_ns) / NS_PER_MS,
		.timeout_ms = timeout_ns / NS_PER_MS,
	};
	show_ends(c, &f->key, &f->host, &f->peer);
}

static void show_closed(struct ctl_flow *c, const struct flow_closed *f, uint64_t now_ns)
{
	*c = (struct ctl_flow){
		.has = CTL_FLOW_HAS_REASON | CTL_FLOW_HAS_CLOSED,
		.id = f->id,
		.dir = f->dir,
		.state = "CLOSED",
		.bytes_out = f->bytes_out,
		.bytes_in = f->bytes_in,
		.packets_out = f->packets_out,
		.packets_in = f->packets_in,
		.age_ms = (f->closed_ns - f->created_ns) / NS_PER_MS,
		.reason = flow_close_reason_name(f->reason),
		.closed_ms = (now_ns - f->closed_ns) / NS_PER_MS,
	};
	show_ends(c, &f->key, &f->host, &f->peer);
}

static int next_open(struct ctl_call *call, const struct env *env, const struct filter *filter,
		     struct ctl_flow *result)
{
	const struct flow *f = flow_table_next(&env->flows, call->cursor);

	if (!f)
		return CTL_DONE;
	call->cursor = f->id;
	if (!matches(filter, &f->key, f->dir, &f->host, &f->peer, f->class->state(f)))
		return CTL_CONTINUE;
	show_open(result, f, env->now_ns);
	return CTL_ITEM;
}

/* Newest first.  The cursor is how many had ended when the next one to show had, so that those
 * that end meanwhile move nothing. */
static int next_closed(struct ctl_call *call, const struct env *env,
		       const struct filter *filter, struct ctl_flow *result)
{
	const struct flow_table *t = &env->flows;
	const struct flow_closed *f;

	if (!call->cursor || t->n_closed - call->cursor >= FLOW_CLOSED_KEPT)
		return CTL_DONE;
	f = &t->closed[--call->cursor % FLOW_CLOSED_KEPT];
	if (!matches(filter, &f->key, f->dir, &f->host, &f->peer, "CLOSED"))
		return CTL_CONTINUE;
	show_closed(result, f, env->now_ns);
	return CTL_ITEM;
}

int ctl_flows_query(struct ctl_call *call, const struct env *env, void *result)
{
	const struct ctl_flow_query *q = call->args;
	uint64_t limit = q->has & CTL_FLOW_QUERY_HAS_LIMIT ? q->limit : CTL_FLOWS_LIMIT_DEFAULT;
	struct filter filter = { .query = q };

	if (q->has & CTL_FLOW_QUERY_HAS_ADDR &&
	    prefix_parse(q->addr, &filter.net, &filter.prefix_len))
		return ctl_fail(call, -EINVAL,
				"argument 'addr' must be an IP address or prefix");
	if (q->closed && q->has & CTL_FLOW_QUERY_HAS_AFTER)
		return ctl_fail(call, -EINVAL, "argument 'after' does not go with 'closed'");
	if (!call->started)
		call->cursor = q->closed ? env->flows.n_closed : q->after;
	if (call->n_items >= limit)
		return CTL_DONE;
	return q->closed ? next_closed(call, env, &filter, result)
			 : next_open(call, env, &filter, result);
}

int ctl_flows_close(struct ctl_call *call, const struct ctl_target *target, void *result)
{
	const struct ctl_flow_id *args = call->args;
	struct flow *f = flow_table_by_id(&target->env->flows, args->id);

	if (!f)
		return ctl_fail(call, -ENOENT, "there is no open flow %llu",
				(unsigned long long)args->id);
	log_info(FLOW, "flow %llu: closed by a control client", (unsigned long long)f->id);
	f->class->close(target->env, f, FLOW_CLOSED_BY_OPERATOR);
	return CTL_DONE;
}
