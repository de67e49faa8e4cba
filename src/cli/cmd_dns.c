/* cli/cmd_dns.c: posternctl dns. */
#include <inttypes.h>

#include "cli/command.h"

static const struct column server_columns[] = {
	{ "SERVER", false },  { "QUERIES", true },  { "ANSWERS", true },
	{ "TIMEOUTS", true }, { "FAILURES", true }, { "LAST ERROR", false },
	{ NULL, false },
};

static const struct column record_columns[] = { { "NAME", false },
						{ "ADDRESS", false },
						{ NULL, false } };

static void print_table(struct table *t, FILE *out)
{
	fputc('\n', out);
	table_print(t, out);
	table_free(t);
}

static void show_servers(FILE *out, const struct ctl_list *list)
{
	const struct ctl_dns_server *s = list->items;
	struct table t = table_init(server_columns);
	char ago[TEXT_MAX];

	for (size_t i = 0; i < list->n; i++) {
		table_cell(&t, "%s", s[i].addr);
		table_cell(&t, "%" PRIu64, s[i].queries);
		table_cell(&t, "%" PRIu64, s[i].answers);
		table_cell(&t, "%" PRIu64, s[i].timeouts);
		table_cell(&t, "%" PRIu64, s[i].failures);
		if (s[i].has & CTL_DNS_SERVER_HAS_ERROR)
			table_cell(&t, "%s, %s ago", s[i].last_error,
				   text_duration(s[i].last_error_ms, ago));
		else
			table_cell(&t, "%s", "");
	}
	print_table(&t, out);
}

static void show_records(FILE *out, const struct ctl_list *list)
{
	const struct ctl_dns_record *r = list->items;
	struct table t = table_init(record_columns);
	char addr[ADDR_STR_MAX];

	for (size_t i = 0; i < list->n; i++) {
		table_cell(&t, "%s", r[i].name);
		table_cell(&t, "%s", addr_print(&r[i].addr, addr));
	}
	print_table(&t, out);
}

static void show(FILE *out, const void *result)
{
	const struct ctl_dns *d = result;
	const struct addr *relay = d->relay_addrs.items;
	const char *const *search = d->search.items;
	char addr[ADDR_STR_MAX], bytes[TEXT_MAX], max[TEXT_MAX];

	if (!d->relay)
		fact_print(out, "Relay", "off");
	for (size_t i = 0; d->relay && i < d->relay_addrs.n; i++)
		fact_print(out, i ? "" : "Relay", "%s (%s)", addr_print(&relay[i], addr),
			   ctl_source_names[d->source]);
	for (size_t i = 0; i < d->search.n; i++)
		fact_print(out, i ? "" : "Search", "%s", search[i]);
	fact_print(out, "Cache", "%" PRIu64 " of %" PRIu64 " answers, %s of %s bytes",
		   d->cache.entries, d->cache.max_entries, text_bytes(d->cache.bytes, bytes),
		   text_bytes(d->cache.max_bytes, max));
	fact_print(out, "Pending", "%" PRIu64 " of %" PRIu64 " queries", d->pending.queries,
		   d->pending.max);
	show_servers(out, &d->servers);
	show_records(out, &d->records);
}

const struct command cmd_dns = {
	.words = "dns",
	.help = "the name servers of the host, the cache, and names of our own",
	.method = "query-dns",
	.args = &ctl_nothing_message,
	.result = &ctl_dns_message,
	.show = show,
};
