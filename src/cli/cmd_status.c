/* cli/cmd_status.c: posternctl status. */
#include <inttypes.h>

#include "cli/command.h"

static void show_guest(FILE *out, const struct ctl_guest *g)
{
	const struct addr *ip6 = g->ip6.items;
	char mac[MAC_STR_MAX] = "", addr[ADDR_STR_MAX] = "", idle[TEXT_MAX] = "";
	char pid[TEXT_MAX] = "", since[TEXT_MAX] = "";

	if (g->has & CTL_GUEST_HAS_SINCE)
		text_duration(g->since_ms, since);
	if (g->has & CTL_GUEST_HAS_MAC)
		mac_print(&g->mac, mac);
	if (g->has & CTL_GUEST_HAS_ADDR)
		addr_print(&g->addr, addr);
	if (g->has & CTL_GUEST_HAS_SEEN)
		text_duration(g->idle_ms, idle);
	if (g->has & CTL_GUEST_HAS_PID)
		snprintf(pid, sizeof(pid), " by process %" PRIu64, g->client_pid);
	fact_print(out, "Guest", "%s%s%s%s%s%s%s%s%s%s",
		   g->connected ? "connected" : "not connected", *since ? " for " : "", since,
		   pid, *mac ? ", " : "", mac, *addr ? ", " : "", addr,
		   *idle ? ", idle for " : "", idle);
	for (size_t i = 0; i < g->ip6.n; i++)
		fact_print(out, "", "%s", addr_print(&ip6[i], addr));
}

/* Addresses of a list with blanks between them. */
static const char *join_addrs(const struct ctl_list *list, char *buf, size_t max)
{
	const struct addr *addrs = list->items;
	char text[ADDR_STR_MAX];
	size_t at = 0;

	snprintf(buf, max, "none");
	for (size_t i = 0; i < list->n && at < max; i++)
		at += (size_t)snprintf(buf + at, max - at, "%s%s", i ? " " : "",
				       addr_print(&addrs[i], text));
	return buf;
}

static void show_address(FILE *out, const char *name, const struct ctl_network_ip *ip, bool has_interface)
{
	char address[ADDR_STR_MAX], gateway[ADDR_STR_MAX];

	fact_print(out, name, "%s/%" PRIu64 " via %s (%s%s%s)", addr_print(&ip->address, address),
		   ip->prefix_len, addr_print(&ip->gateway, gateway),
		   ctl_source_names[ip->address_source], has_interface ? " " : "",
		   has_interface ? ip->interface : "");
}

static void show_loopback(FILE *out, const struct ctl_network_ip *ip)
{
	char address[ADDR_STR_MAX];

	fact_print(out, "Loopback", "%s is the host's", addr_print(&ip->loopback, address));
}

static void show_network(FILE *out, const struct ctl_network *n)
{
	bool ip4 = n->has & CTL_NETWORK_HAS_IP4, ip6 = n->has & CTL_NETWORK_HAS_IP6;
	char mac[MAC_STR_MAX], dns[512];
	const char *const *search = n->search.items;

	if (ip4)
		show_address(out, "Address", &n->ip4, n->has & CTL_NETWORK_HAS_INTERFACE);
	if (ip6)
		show_address(out, ip4 ? "" : "Address", &n->ip6,
			     n->ip6.has & CTL_NETWORK_IP_HAS_INTERFACE);
	fact_print(out, "Gateway MAC", "%s", mac_print(&n->mac, mac));
	fact_print(out, "MTU", "%" PRIu64 " (%s)", n->mtu, ctl_source_names[n->mtu_source]);
	fact_print(out, "DNS", "%s (%s)", join_addrs(&n->dns, dns, sizeof(dns)),
		   ctl_source_names[n->dns_source]);
	for (size_t i = 0; i < n->search.n; i++)
		fact_print(out, i ? "" : "Search", "%s (%s)", search[i],
			   ctl_source_names[n->search_source]);
	if (n->has & CTL_NETWORK_HAS_HOSTNAME)
		fact_print(out, "Host name", "%s", n->hostname);
	if (n->has & CTL_NETWORK_HAS_FQDN)
		fact_print(out, "FQDN", "%s", n->fqdn);
	if (n->has & CTL_NETWORK_HAS_LOOPBACK)
		show_loopback(out, &n->ip4);
	if (ip6 && n->ip6.has & CTL_NETWORK_IP_HAS_LOOPBACK)
		show_loopback(out, &n->ip6);
}

/* What is in force in one line; what is not, in one each. */
static void show_sandbox(FILE *out, const struct ctl_list *list)
{
	const struct ctl_layer *layers = list->items;
	char applied[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < list->n && at < sizeof(applied); i++)
		if (layers[i].state == CTL_LAYER_APPLIED)
			at += (size_t)snprintf(applied + at, sizeof(applied) - at, "%s%s",
					       at ? " " : "", ctl_layer_names[layers[i].layer]);
	fact_print(out, "Sandbox", "%s", at ? applied : "none");
	for (size_t i = 0; i < list->n; i++)
		if (layers[i].has & CTL_LAYER_HAS_REASON)
			fact_print(out, "", "no %s: %s", ctl_layer_names[layers[i].layer],
				   layers[i].reason);
}

static void show_rate(FILE *out, const char *name, const struct ctl_rate *r)
{
	char max[TEXT_MAX];

	if (r->max)
		fact_print(out, "Rate", "%s a second %s, %" PRIu64 " waiting", text_bytes(r->max, max), name,
			   r->waiting);
}

static void show_rates(FILE *out, const struct ctl_rates *r)
{
	show_rate(out, "from the guest", &r->out);
	show_rate(out, "to the guest", &r->in);
	if (r->new_flows.max)
		fact_print(out, "Rate", "%" PRIu64 " new flows a second, %" PRIu64 " just now",
			   r->new_flows.max, r->new_flows.used);
}

static void show_forwards(FILE *out, const struct ctl_forward_count *f)
{
	const struct ctl_forward_failed *e = &f->last_error;
	char addr[ADDR_STR_MAX] = "*", age[TEXT_MAX];

	fact_print(out, "Forwards",
		   "%" PRIu64 " rules, %" PRIu64 " ports open, %" PRIu64 " not", f->rules,
		   f->open_ports, f->failed_ports);
	if (!(f->has & CTL_FORWARD_COUNT_HAS_ERROR))
		return;
	if (e->where.has & CTL_FORWARD_PORT_HAS_HOST_ADDR)
		addr_print(&e->where.host_addr, addr);
	fact_print(out, "", "%s ago: %s %s%s%s port %u: %s", text_duration(e->age_ms, age),
		   ctl_forward_proto_names[e->where.proto], addr,
		   e->where.has & CTL_FORWARD_PORT_HAS_INTERFACE ? "%" : "",
		   e->where.has & CTL_FORWARD_PORT_HAS_INTERFACE ? e->where.interface : "",
		   e->where.host_port, e->reason);
}

static void show_leases(FILE *out, const struct ctl_list *list)
{
	const struct ctl_lease *leases = list->items;
	char addr[ADDR_STR_MAX], age[TEXT_MAX], end[TEXT_MAX];

	if (!list->n)
		fact_print(out, "Leases", "none");
	for (size_t i = 0; i < list->n; i++) {
		const struct ctl_lease *l = &leases[i];
		bool ends = l->has & CTL_LEASE_HAS_END;

		fact_print(out, i ? "" : "Leases", "%s %s for %s, %s%s",
			   addr_print(&l->address, addr), l->state,
			   text_duration(l->age_ms, age), ends ? "ends in " : "does not end",
			   ends ? text_duration(l->expires_ms, end) : "");
	}
}

static void show_limits(FILE *out, const struct ctl_list *list)
{
	const struct ctl_limit *limits = list->items;

	for (size_t i = 0; i < list->n; i++)
		if (limits[i].has & CTL_LIMIT_HAS_HARD && limits[i].hard != limits[i].max)
			fact_print(out, i ? "" : "Limits",
				   "%" PRIu64 " of %" PRIu64 " %s, of %" PRIu64
				   " that there could be",
				   limits[i].used, limits[i].max, limits[i].limit,
				   limits[i].hard);
		else
			fact_print(out, i ? "" : "Limits", "%" PRIu64 " of %" PRIu64 " %s",
				   limits[i].used, limits[i].max, limits[i].limit);
}

static void show_problems(FILE *out, const struct ctl_list *list)
{
	const struct ctl_problem *problems = list->items;
	char age[TEXT_MAX];

	for (size_t i = 0; i < list->n; i++)
		fact_print(out, i ? "" : "Problems", "%s ago: %s: %s: %s",
			   text_duration(problems[i].age_ms, age), problems[i].level,
			   problems[i].unit, problems[i].text);
}

static void show(FILE *out, const void *result)
{
	const struct ctl_status *s = result;
	char up[TEXT_MAX];

	fact_print(out, "Version", "%s", s->version);
	fact_print(out, "Process", "%" PRIu64 ", of user %" PRIu64 ", up %s", s->pid, s->uid,
		   text_duration(s->uptime_ms, up));
	show_guest(out, &s->guest);
	show_network(out, &s->network);
	fact_print(out, "Flows",
		   "%" PRIu64 " of %" PRIu64 ": %" PRIu64 " tcp, %" PRIu64 " udp, %" PRIu64
		   " icmp",
		   s->flows.open, s->flows.max, s->flows.tcp, s->flows.udp, s->flows.icmp);
	show_rates(out, &s->rates);
	show_forwards(out, &s->forwards);
	fact_print(out, "Clients", "%" PRIu64 " of %" PRIu64, s->control.clients,
		   s->control.max);
	show_leases(out, &s->leases);
	show_limits(out, &s->limits);
	show_sandbox(out, &s->sandbox);
	show_problems(out, &s->problems);
}

const struct command cmd_status = {
	.words = "status",
	.help = "the daemon, its guest, and the network that the guest is given",
	.method = "query-status",
	.args = &ctl_nothing_message,
	.result = &ctl_status_message,
	.show = show,
};
