/* ctl/ctl_status.c: query-status. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ctl/ctl_event.h"
#include "ctl/ctl_method.h"
#include "proto/dns.h"
#include "proto/forward.h"
#include "proto/reassembly.h"
#include "proto/tcp/tcp.h"

static struct ctl_guest guest_status(const struct env *env)
{
	const struct guest *g = &env->guest;

	return (struct ctl_guest){
		.has = (g->mac_known ? CTL_GUEST_HAS_MAC : 0) |
		       (g->changed_ns ? CTL_GUEST_HAS_SINCE : 0) |
		       (g->addr_known ? CTL_GUEST_HAS_ADDR : 0) |
		       (g->seen_ns ? CTL_GUEST_HAS_SEEN : 0) |
		       (g->n_ip6 ? CTL_GUEST_HAS_IP6 : 0) |
		       (g->connected && g->client_pid ? CTL_GUEST_HAS_PID : 0),
		.connected = g->connected,
		.since_ms = (env->now_ns - g->changed_ns) / NS_PER_MS,
		.client_pid = (uint64_t)g->client_pid,
		.mac = g->mac,
		.addr = g->addr,
		.ip6 = { g->ip6, g->n_ip6 },
		.idle_ms = (env->now_ns - g->seen_ns) / NS_PER_MS,
	};
}

static struct ctl_network_ip ip_status(const struct net_ip *ip)
{
	if (!ip->on)
		return (struct ctl_network_ip){ .has = 0 };
	return (struct ctl_network_ip){
		.has = (ip->interface[0] ? CTL_NETWORK_IP_HAS_INTERFACE : 0) |
		       (ip->map_loopback_set ? CTL_NETWORK_IP_HAS_LOOPBACK : 0),
		.address = ip->guest,
		.prefix_len = ip->prefix_len,
		.gateway = ip->gateway,
		.address_source = ip->address_source,
		.interface = ip->interface,
		.loopback = ip->map_loopback,
	};
}

void ctl_show_network(const struct net *net, const char *search[static CONF_SEARCH_MAX],
		      struct ctl_network *n)
{
	*n = (struct ctl_network){
		.has = (net->hostname[0] ? CTL_NETWORK_HAS_HOSTNAME : 0) |
		       (net->fqdn[0] ? CTL_NETWORK_HAS_FQDN : 0) |
		       (net->ip4.on ? CTL_NETWORK_HAS_IP4 : 0) |
		       (net->ip6.on ? CTL_NETWORK_HAS_IP6 : 0),
		.ip4 = ip_status(&net->ip4),
		.ip6 = ip_status(&net->ip6),
		.mac = net->mac,
		.mtu = net->mtu,
		.mtu_source = net->mtu_source,
		.dns = { net->dns, net->n_dns },
		.dns_source = net->dns_source,
		.search_source = net->search_source,
		.hostname = net->hostname,
		.fqdn = net->fqdn,
	};
	n->has |= n->ip4.has;
	for (unsigned i = 0; i < net->n_search; i++)
		search[i] = net->search[i];
	n->search = (struct ctl_list){ search, net->n_search };
}

static_assert(CTL_LAYER_APPLIED == SANDBOX_APPLIED, "posternctl knows it, too");

static struct ctl_layer layer_status(const struct sandbox_status *s, unsigned layer)
{
	const char *reason = s->state == SANDBOX_UNAVAILABLE ? strerror(s->err) : s->reason;

	return (struct ctl_layer){
		.has = reason ? CTL_LAYER_HAS_REASON : 0,
		.layer = layer,
		.state = s->state,
		.reason = reason,
	};
}

static int sandbox_status(struct ctl_call *call, const struct sandbox_status *sandbox,
			  struct ctl_list *list)
{
	struct ctl_layer *layers;

	*list = (struct ctl_list){ NULL, 0 };
	if (!sandbox)
		return CTL_DONE;
	layers = ctl_doc_alloc(call->doc, N_SANDBOX_LAYERS * sizeof(*layers));
	if (!layers)
		return ctl_fail(call, -ENOMEM, "no memory");
	for (unsigned i = 0; i < N_SANDBOX_LAYERS; i++)
		layers[i] = layer_status(&sandbox[i], i);
	*list = (struct ctl_list){ layers, N_SANDBOX_LAYERS };
	return CTL_DONE;
}

static struct ctl_rate rate_status(const struct env *env, const struct shaper *s)
{
	if (!s->on)
		return (struct ctl_rate){ 0 };
	return (struct ctl_rate){ .max = s->rate.bytes,
				  .burst = s->rate.burst,
				  .used = bucket_used(&s->all, env->now_ns),
				  .waiting = s->n_waiting };
}

static struct ctl_rates rates_status(const struct env *env)
{
	const struct bucket *b = &env->new_flows;

	return (struct ctl_rates){ .out = rate_status(env, &env->to_host),
				   .in = rate_status(env, &env->to_guest),
				   .new_flows = { .max = b->rate,
						  .burst = b->rate,
						  .used = b->rate ? bucket_used(b, env->now_ns) : 0 } };
}

static struct ctl_forward_count forward_status(const struct env *env)
{
	struct ctl_forward_count c = { .has = 0 };
	const struct forward_error *error;
	const struct forward *f;
	uint64_t at_ns;

	if (!env->forwards)
		return c;
	for (f = forwards_next(env->forwards, 0); f; f = forwards_next(env->forwards, f->id)) {
		c.rules++;
		c.open_ports += f->n_open;
		c.failed_ports += f->n_failed;
	}
	error = forwards_last_error(env->forwards, &at_ns);
	if (!error)
		return c;
	c.has = CTL_FORWARD_COUNT_HAS_ERROR;
	ctl_show_forward_port(&error->port, error->error, &c.last_error.where);
	c.last_error.reason = strerror(error->error);
	c.last_error.age_ms = (env->now_ns - at_ns) / NS_PER_MS;
	return c;
}

static int no_memory(struct ctl_call *call)
{
	return ctl_fail(call, -ENOMEM, "no memory");
}

static int lease_status(struct ctl_call *call, const struct env *env, struct ctl_list *list)
{
	struct ctl_lease *leases = ctl_doc_alloc(call->doc, CTL_LEASE_SERVERS * sizeof(*leases));
	char *ids = ctl_doc_alloc(call->doc, CTL_LEASE_SERVERS * CTL_LEASE_ID_TEXT);
	size_t n = 0;

	if (!leases || !ids)
		return no_memory(call);
	for (unsigned i = 0; i < CTL_LEASE_SERVERS; i++) {
		const struct lease *l = ctl_lease_of(env, i);

		if (!l)
			continue;
		ctl_show_lease(l, env->now_ns, ids + i * CTL_LEASE_ID_TEXT, &leases[n++]);
	}
	*list = (struct ctl_list){ leases, n };
	return CTL_DONE;
}

/* Whether the system tells. */
static bool open_files(const struct ctl_info *info, struct ctl_limit *l)
{
	uint64_t used = info->ops->open_files ? info->ops->open_files(info->daemon) : 0;
	struct rlimit max;

	if (!used || getrlimit(RLIMIT_NOFILE, &max))
		return false;
	*l = (struct ctl_limit){ CTL_LIMIT_HAS_HARD, "open-files", used, max.rlim_cur,
				 max.rlim_max };
	return true;
}

/* Limits that traffic or clients can reach, by the names of their options and events. */
static int limit_status(struct ctl_call *call, const struct env *env, struct ctl_list *list)
{
	struct dns_status *dns = ctl_doc_alloc(call->doc, sizeof(*dns));
	const struct conf_limits *max = &env->conf->limits;
	struct tcp_memory memory = { 0 };
	struct ctl_limit *limits;

	if (!dns)
		return no_memory(call);
	if (env->dns)
		dns_get_status(env, dns);
	if (env->tcp)
		memory = tcp_get_memory(env);
	const struct ctl_limit all[] = {
		{ 0, "flows", env->flows.n, env->flows.max },
		{ 0, "fragments", env->reassembly ? reassembly_count(env) : 0, max->fragments },
		{ 0, "dns-queries", dns->pending, max->dns_pending },
		{ 0, "dns-cache", dns->cache_entries, max->dns_cache },
		{ 0, "control-clients", call->info->n_clients, max->control_clients },
		{ 0, "tcp-memory", memory.used, memory.max },
	};
	const size_t n = sizeof(all) / sizeof(all[0]);

	limits = ctl_doc_alloc(call->doc, (n + 1) * sizeof(*limits));
	if (!limits)
		return no_memory(call);
	memcpy(limits, all, sizeof(all));
	*list = (struct ctl_list){ limits, n + open_files(call->info, &limits[n]) };
	return CTL_DONE;
}

static int problem_status(struct ctl_call *call, const struct env *env, struct ctl_list *list)
{
	const struct ctl_events *ev = call->info->events;
	uint64_t n = ev->n_problems < CTL_PROBLEMS_KEPT ? ev->n_problems : CTL_PROBLEMS_KEPT;
	struct ctl_problem *problems = ctl_doc_alloc(call->doc, n * sizeof(*problems));

	if (!problems)
		return no_memory(call);
	for (uint64_t i = 0; i < n; i++) {
		const struct ctl_problem_record *p =
			&ev->problems[(ev->n_problems - 1 - i) % CTL_PROBLEMS_KEPT];

		problems[i] = (struct ctl_problem){ log_level_name(p->level),
						    log_unit_name(p->unit), p->text,
						    (env->now_ns - p->at_ns) / NS_PER_MS };
	}
	*list = (struct ctl_list){ problems, n };
	return CTL_DONE;
}

int ctl_status_query(struct ctl_call *call, const struct env *env, void *result)
{
	struct ctl_status *s = result;
	const char **search = ctl_doc_alloc(call->doc, CONF_SEARCH_MAX * sizeof(*search));
	int rc;

	if (!search)
		return no_memory(call);
	s->version = POSTERN_VERSION;
	s->pid = (uint64_t)getpid();
	s->uid = geteuid();
	s->uptime_ms = (env->now_ns - call->info->start_ns) / NS_PER_MS;
	s->guest = guest_status(env);
	s->flows = (struct ctl_flow_count){ .open = env->flows.n,
					    .max = env->flows.max,
					    .tcp = env->flows.by_proto[FLOW_TCP],
					    .udp = env->flows.by_proto[FLOW_UDP],
					    .icmp = env->flows.by_proto[FLOW_ICMP] };
	s->rates = rates_status(env);
	s->forwards = forward_status(env);
	s->control = (struct ctl_client_count){ call->info->n_clients,
						env->conf->limits.control_clients };
	ctl_show_network(env->net, search, &s->network);
	rc = sandbox_status(call, env->sandbox, &s->sandbox);
	if (rc == CTL_DONE)
		rc = lease_status(call, env, &s->leases);
	if (rc == CTL_DONE)
		rc = limit_status(call, env, &s->limits);
	if (rc == CTL_DONE)
		rc = problem_status(call, env, &s->problems);
	return rc;
}
