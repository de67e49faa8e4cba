/* ctl/ctl_flow_filter.c: which flows are meant. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/ctl_show.h"

int ctl_end_filter_net(struct ctl_end_filter *f, const char *text)
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
	if (addr_parse(addr, &f->net))
		return -EINVAL;
	max = addr_is_ip4(&f->net) ? 32 : 128;
	bits = slash ? strtoul(slash + 1, &end, 10) : max;
	if (slash && (slash[1] < '0' || slash[1] > '9' || *end || bits > max))
		return -EINVAL;
	f->prefix_len = (unsigned)bits;
	f->by_net = true;
	return 0;
}

/* The state's name, which ss(8) makes shorter for two; NULL: there is no such state. */
static const char *state_named(const char *text)
{
	const char *name = !strcasecmp(text, "estab")	   ? "established"
			   : !strcasecmp(text, "syn-recv") ? "syn-received"
							   : text;

	for (size_t i = 0; ctl_flow_state_names[i]; i++)
		if (!strcasecmp(ctl_flow_state_names[i], name))
			return ctl_flow_state_names[i];
	return NULL;
}

static int refuse_state(char error[static CTL_ERROR_MAX])
{
	size_t at = (size_t)snprintf(error, CTL_ERROR_MAX, "argument 'state' must be one of:");

	for (size_t i = 0; ctl_flow_state_names[i] && at < CTL_ERROR_MAX; i++)
		at += (size_t)snprintf(error + at, CTL_ERROR_MAX - at, "%s %s", i ? "," : "",
				       ctl_flow_state_names[i]);
	return -EINVAL;
}

static int refuse_net(const char *name, char error[static CTL_ERROR_MAX])
{
	snprintf(error, CTL_ERROR_MAX, "argument '%s' must be an IP address or prefix", name);
	return -EINVAL;
}

int ctl_flow_filter_read(struct ctl_flow_filter *f, const struct ctl_flow_where *where,
			 char error[static CTL_ERROR_MAX])
{
	*f = (struct ctl_flow_filter){
		.by_proto = where->has & CTL_FLOW_WHERE_HAS_PROTO,
		.by_dir = where->has & CTL_FLOW_WHERE_HAS_DIR,
		.proto = where->proto,
		.dir = where->dir,
		.any = { .by_port = where->has & CTL_FLOW_WHERE_HAS_PORT, .port = where->port },
		.src = { .by_port = where->has & CTL_FLOW_WHERE_HAS_SPORT, .port = where->sport },
		.dst = { .by_port = where->has & CTL_FLOW_WHERE_HAS_DPORT, .port = where->dport },
		.name = where->has & CTL_FLOW_WHERE_HAS_NAME ? where->name : NULL,
	};
	if (where->has & CTL_FLOW_WHERE_HAS_ADDR && ctl_end_filter_net(&f->any, where->addr))
		return refuse_net("addr", error);
	if (where->has & CTL_FLOW_WHERE_HAS_SRC && ctl_end_filter_net(&f->src, where->src))
		return refuse_net("src", error);
	if (where->has & CTL_FLOW_WHERE_HAS_DST && ctl_end_filter_net(&f->dst, where->dst))
		return refuse_net("dst", error);
	if (where->has & CTL_FLOW_WHERE_HAS_STATE)
		f->state = state_named(where->state);
	return where->has & CTL_FLOW_WHERE_HAS_STATE && !f->state ? refuse_state(error) : 0;
}

static bool end_matches(const struct ctl_end_filter *f, const struct endpoint *e)
{
	return (!f->by_net || addr_in_prefix(&e->addr, &f->net, f->prefix_len)) &&
	       (!f->by_port || e->port == f->port);
}

static bool one_matches(const struct ctl_end_filter *f, const struct endpoint *a,
			const struct endpoint *b)
{
	return end_matches(f, a) || end_matches(f, b);
}

/* The guest's side of the flow are the guest's end and ours, the other the peer as the guest calls
 * it and as it is. */
static bool ends_match(const struct ctl_flow_filter *f, const struct flow_key *key,
		       enum flow_dir dir, const struct endpoint *host, const struct endpoint *peer)
{
	struct endpoint guest = { key->guest, key->guest_port }, dest = { key->peer, key->peer_port };
	const struct ctl_end_filter *near = dir == FLOW_OUT ? &f->src : &f->dst;
	const struct ctl_end_filter *far = dir == FLOW_OUT ? &f->dst : &f->src;

	return one_matches(near, &guest, host) && one_matches(far, &dest, peer) &&
	       (one_matches(&f->any, &guest, host) || one_matches(&f->any, &dest, peer));
}

/* "example.com" stands for itself and for all below it; a last dot does not count. */
static bool name_matches(const char *wanted, const struct flow_name *name)
{
	size_t want = strlen(wanted), have = name ? strlen(name->text) : 0;

	if (want && wanted[want - 1] == '.')
		want--;
	return name && want && have >= want &&
	       !strncasecmp(name->text + have - want, wanted, want) &&
	       (have == want || name->text[have - want - 1] == '.');
}

static bool matches(const struct ctl_flow_filter *f, const struct flow_key *key, enum flow_dir dir,
		    const char *state, const struct flow_name *name)
{
	return (!f->by_proto || f->proto == key->proto) &&
	       (!f->by_dir || f->dir == (unsigned)dir) &&
	       (!f->state || !strcasecmp(f->state, state)) &&
	       (!f->name || name_matches(f->name, name));
}

bool ctl_flow_filter_matches(const struct ctl_flow_filter *f, const struct flow *flow)
{
	return matches(f, &flow->key, flow->dir, flow->class->state(flow), flow->name) &&
	       ends_match(f, &flow->key, flow->dir, &flow->host, &flow->peer);
}

bool ctl_flow_filter_matches_closed(const struct ctl_flow_filter *f, const struct flow_closed *flow)
{
	return matches(f, &flow->key, flow->dir, "CLOSED", flow->name) &&
	       ends_match(f, &flow->key, flow->dir, &flow->host, &flow->peer);
}
