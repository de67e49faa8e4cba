/* cli/cmd_forwards.c: posternctl forwards, forward add, forward remove, forward set. */
#include <inttypes.h>

#include "cli/command.h"

static const struct column columns[] = {
	{ "ID", true },	     { "PROTO", false },    { "HOST", false },
	{ "GUEST", false },  { "OPEN", true },	    { "CLIENTS", true },
	{ "REFUSED", true }, { "NOT OPEN", false }, { NULL, false },
};

/* "192.0.2.1%eth0:22-25", "[::]:22"; "*:22" without an address */
static void ends_cell(struct table *t, const struct addr *a, const char *interface,
		      uint16_t first, uint16_t last)
{
	char addr[ADDR_STR_MAX] = "*", range[16] = "";
	bool ip6 = a && !addr_is_ip4(a);

	if (a)
		addr_print(a, addr);
	if (last != first)
		snprintf(range, sizeof(range), "-%u", last);
	table_cell(t, "%s%s%s%s%s:%u%s", ip6 ? "[" : "", addr, ip6 ? "]" : "",
		   *interface ? "%" : "", interface, first, range);
}

static void row(struct table *t, const void *result)
{
	const struct ctl_forward *f = result;

	table_cell(t, "%" PRIu64, f->id);
	table_cell(t, "%s", ctl_forward_proto_names[f->proto]);
	ends_cell(t, f->has & CTL_FORWARD_HAS_HOST_ADDR ? &f->host_addr : NULL,
		  f->has & CTL_FORWARD_HAS_INTERFACE ? f->interface : "", f->host_port,
		  f->host_port_last);
	ends_cell(t, f->has & CTL_FORWARD_HAS_GUEST_ADDR ? &f->guest_addr : NULL, "",
		  f->guest_port, f->guest_port_last);
	table_cell(t, "%" PRIu64, f->open_ports);
	table_cell(t, "%" PRIu64, f->clients);
	table_cell(t, "%" PRIu64, f->refused);
	if (f->has & CTL_FORWARD_HAS_FAILED)
		table_cell(t, "%" PRIu64 ", the first %u: %s", f->failed_ports, f->failed_port,
			   f->failed_reason);
	else
		table_cell(t, "%s", "");
}

const struct command cmd_forwards = {
	.words = "forwards",
	.help = "the ports of the host that lead to the guest",
	.method = "query-forwards",
	.args = &ctl_nothing_message,
	.result = &ctl_forward_message,
	.list = true,
	.columns = columns,
	.row = row,
};

static const char *const places[] = { "proto", "spec", NULL };

const struct command cmd_forward_add = {
	.words = "forward add",
	.help = "forward ports; prints what was opened",
	.method = "forward-add",
	.args = &ctl_forward_add_message,
	.result = &ctl_forward_message,
	.positional = places,
	.list = true,
	.columns = columns,
	.row = row,
};

const struct command cmd_forward_remove = {
	.words = "forward remove",
	.help = "no longer forward ports; connections that stand go on",
	.method = "forward-remove",
	.args = &ctl_forward_remove_message,
	.result = &ctl_nothing_message,
	.positional = places,
};

static const char *const set_places[] = { "proto", "specs", NULL };

const struct command cmd_forward_set = {
	.words = "forward set",
	.help = "replace all forwards of a protocol; what stays is not touched",
	.method = "forward-set",
	.args = &ctl_forward_set_message,
	.result = &ctl_forward_message,
	.positional = set_places,
	.list = true,
	.columns = columns,
	.row = row,
};
