/* ctl/ctl_flow_show.c: flows as messages. */
#include <string.h>

#include "ctl/ctl_show.h"

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

void ctl_show_flow(const struct env *env, const struct flow *f, struct ctl_flow *c)
{
	uint64_t timeout_ns = f->class->timeout(env, f);

	*c = (struct ctl_flow){
		.has = CTL_FLOW_HAS_IDLE | (timeout_ns ? CTL_FLOW_HAS_TIMEOUT : 0),
		.id = f->id,
		.dir = f->dir,
		.state = f->class->state(f),
		.bytes_out = f->bytes_out,
		.bytes_in = f->bytes_in,
		.packets_out = f->packets_out,
		.packets_in = f->packets_in,
		.rate_out = (uint64_t)flow_rate_at(f->rate_out, f->rated_ns, env->now_ns),
		.rate_in = (uint64_t)flow_rate_at(f->rate_in, f->rated_ns, env->now_ns),
		.age_ms = (env->now_ns - f->created_ns) / NS_PER_MS,
		.idle_ms = (env->now_ns - f->used_ns) / NS_PER_MS,
		.timeout_ms = timeout_ns / NS_PER_MS,
	};
	show_ends(c, &f->key, &f->host, &f->peer);
	show_origin(c, f->name, f->forward);
}

static void show_cause(struct ctl_flow *c, const struct flow_closed *f)
{
	if (f->silent) {
		c->has |= CTL_FLOW_HAS_SILENT;
		c->silent = f->silent - FLOW_END_GUEST;
	}
	if (f->error) {
		const char *name = strerrorname_np(f->error);

		c->has |= CTL_FLOW_HAS_ERROR;
		c->error = name ? name : "unknown";
		c->error_number = (uint64_t)f->error;
	}
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
		.last_state = f->state,
	};
	show_ends(c, &f->key, &f->host, &f->peer);
	show_origin(c, f->name, f->forward);
	show_cause(c, f);
}

void ctl_show_flow_info(const struct flow *f, char congestion[static FLOW_CONGESTION_MAX],
			struct ctl_flow *c)
{
	struct flow_details d = { 0 };
	const struct flow_kernel *k = &d.peer;

	if (!f->class->details)
		return;
	f->class->details(f, &d);
	memcpy(congestion, k->congestion, FLOW_CONGESTION_MAX);
	c->has |= CTL_FLOW_HAS_INFO;
	c->info = (struct ctl_flow_info){
		.has = (d.tcp ? CTL_FLOW_INFO_HAS_TCP : 0) |
		       (d.guest_rtt_us ? CTL_FLOW_INFO_HAS_RTT : 0) |
		       (d.kernel ? CTL_FLOW_INFO_HAS_KERNEL : 0) |
		       (k->peer_window_known ? CTL_FLOW_INFO_HAS_WINDOW : 0) |
		       (congestion[0] ? CTL_FLOW_INFO_HAS_CONGESTION : 0),
		.queue_out = d.queue_out,
		.unacked = d.unacked,
		.window = d.window,
		.guest_window = d.guest_window,
		.guest_mss = d.mss,
		.guest_retransmits = d.guest_retransmits,
		.guest_rtt_us = d.guest_rtt_us,
		.rtt_us = k->rtt_us,
		.rttvar_us = k->rttvar_us,
		.mss = k->mss,
		.cwnd = k->cwnd,
		.retransmits = k->retransmits,
		.unacked_retransmits = k->unacked_retransmits,
		.unanswered = k->unanswered,
		.send_queue = k->send_queue,
		.recv_queue = k->recv_queue,
		.peer_window = k->peer_window,
		.congestion = congestion,
	};
}
