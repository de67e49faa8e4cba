/* cli/cmd_leases.c: posternctl leases. */
#include "cli/command.h"

static const struct column columns[] = {
	{ "ADDRESS", false }, { "MAC", false },	   { "STATE", false },	  { "AGE", true },
	{ "RENEW", true },    { "EXPIRES", true }, { "HOSTNAME", false }, { NULL, false },
};

static void row(struct table *t, const void *result)
{
	const struct ctl_lease *l = result;
	bool ends = l->has & CTL_LEASE_HAS_END;
	char addr[ADDR_STR_MAX], mac[MAC_STR_MAX], text[TEXT_MAX];

	table_cell(t, "%s", addr_print(&l->address, addr));
	table_cell(t, "%s", mac_print(&l->mac, mac));
	table_cell(t, "%s", l->state);
	table_cell(t, "%s", text_duration(l->age_ms, text));
	table_cell(t, "%s", ends ? text_duration(l->renew_ms, text) : "never");
	table_cell(t, "%s", ends ? text_duration(l->expires_ms, text) : "never");
	table_cell(t, "%s", l->has & CTL_LEASE_HAS_HOSTNAME ? l->hostname : "");
}

const struct command cmd_leases = {
	.words = "leases",
	.help = "the addresses that a guest holds by DHCP and DHCPv6",
	.method = "query-leases",
	.args = &ctl_nothing_message,
	.result = &ctl_lease_message,
	.list = true,
	.columns = columns,
	.row = row,
};
