/* ctl/ctl_flow_show.c: flows as messages, and which of them are meant. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl_show.h"

int ctl_flow_filter_net(struct ctl_flow_filter *f, const char *text)
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

static bool ends_match(const struct ctl_flow_filter *f, const struct flow_key *key,
		       const struct endpoint *host, const struct endpoint *peer)
{
	const struct endpoint ends[] = {
		{ key->guest, key->guest_port }, { key->peer, key->peer_port }, *host, *peer
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if ((!f->by_net || addr_in_prefix(&ends[i].addr, &f->net, f->prefix_len)) &&
		    (!f->by_port || ends[i].port == f->port))
			return true;
	return false;
}

bool ctl_flow_filter_matches(const struct ctl_flow_filter *f, const struct flow_key *key,
			     enum flow_dir dir, const struct endpoint *host,
			     const struct endpoint *peer)
{
	if ((f->by_proto && f->proto != key->proto) || (f->by_dir && f->dir != (unsigned)dir))
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

static void show_origin(struct ctl_flow *c, const struct flow_name *name, uint64_t forward)
{
	if (name) {
		c->has |= CTL_FLOW_HAS_NAME;
		c->name = name->text;
	}
	if (forward) {
		c->has |= CTL_FLOW_HAS_FORWARD;
		c->forward = forward;
	}
}

void ctl_show_flow(const struct flow *f, uint64_t now_ns, struct ctl_flow *c)
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
	show_origin(c, f->name, f->forward);
}

void ctl_show_closed_flow(const struct flow_closed *f, uint64_t now_ns, struct ctl_flow *c)
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
	show_origin(c, f->name, f->forward);
}
