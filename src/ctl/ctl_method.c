/* ctl/ctl_method.c: the table of methods. */
#include "ctl/ctl_method.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl_capture_msg.h"
#include "ctl/ctl_event_msg.h"

static const struct ctl_method methods[] = {
	{ .name = "qmp_capabilities",
	  .args = &ctl_capabilities_message,
	  .result = &ctl_nothing_message,
	  .look = ctl_qmp_capabilities },
	{ .name = "query-version",
	  .args = &ctl_nothing_message,
	  .result = &ctl_version_message,
	  .look = ctl_qmp_query_version },
	{ .name = "query-commands",
	  .args = &ctl_nothing_message,
	  .result = &ctl_command_message,
	  .look = ctl_qmp_query_commands,
	  .list = true },
	{ .name = "query-schema",
	  .args = &ctl_nothing_message,
	  .result = &ctl_schema_message,
	  .look = ctl_schema_query,
	  .list = true },
	{ .name = "query-status",
	  .args = &ctl_nothing_message,
	  .result = &ctl_status_message,
	  .look = ctl_status_query },
	{ .name = "query-flows",
	  .args = &ctl_flow_query_message,
	  .result = &ctl_flow_message,
	  .look = ctl_flows_query,
	  .list = true },
	{ .name = "query-stats",
	  .args = &ctl_nothing_message,
	  .result = &ctl_counter_message,
	  .look = ctl_stats_query,
	  .list = true },
	{ .name = "query-forwards",
	  .args = &ctl_nothing_message,
	  .result = &ctl_forward_message,
	  .look = ctl_forwards_query,
	  .list = true },
	{ .name = "query-leases",
	  .args = &ctl_nothing_message,
	  .result = &ctl_lease_message,
	  .look = ctl_leases_query,
	  .list = true },
	{ .name = "query-dns",
	  .args = &ctl_nothing_message,
	  .result = &ctl_dns_message,
	  .look = ctl_dns_query },
	{ .name = "query-captures",
	  .args = &ctl_nothing_message,
	  .result = &ctl_capture_message,
	  .look = ctl_captures_query,
	  .list = true },
	{ .name = "query-config",
	  .args = &ctl_nothing_message,
	  .result = &ctl_config_message,
	  .look = ctl_config_query },
	{ .name = "events-subscribe",
	  .args = &ctl_subscribe_message,
	  .result = &ctl_nothing_message,
	  .look = ctl_events_subscribe },
	{ .name = "forward-add",
	  .args = &ctl_forward_add_message,
	  .result = &ctl_forward_message,
	  .change = ctl_forwards_add,
	  .list = true },
	{ .name = "forward-remove",
	  .args = &ctl_forward_remove_message,
	  .result = &ctl_nothing_message,
	  .change = ctl_forwards_remove },
	{ .name = "forward-set",
	  .args = &ctl_forward_set_message,
	  .result = &ctl_forward_message,
	  .change = ctl_forwards_set,
	  .list = true },
	{ .name = "config-set",
	  .args = &ctl_config_set_message,
	  .result = &ctl_nothing_message,
	  .change = ctl_config_set },
	{ .name = "log-level",
	  .args = &ctl_log_level_message,
	  .result = &ctl_nothing_message,
	  .change = ctl_config_log_level },
	{ .name = "client-disconnect",
	  .args = &ctl_nothing_message,
	  .result = &ctl_nothing_message,
	  .change = ctl_client_disconnect },
	{ .name = "flow-close",
	  .args = &ctl_flow_close_message,
	  .result = &ctl_flows_closed_message,
	  .change = ctl_flows_close },
	{ .name = "capture-start",
	  .args = &ctl_capture_start_message,
	  .result = &ctl_capture_message,
	  .change = ctl_captures_start },
	{ .name = "capture-stop",
	  .args = &ctl_capture_id_message,
	  .result = &ctl_nothing_message,
	  .change = ctl_captures_stop },
	{ .name = "quit",
	  .args = &ctl_nothing_message,
	  .result = &ctl_nothing_message,
	  .change = ctl_quit },
};

const struct ctl_method *ctl_method_at(uint64_t i)
{
	return i < sizeof(methods) / sizeof(methods[0]) ? &methods[i] : NULL;
}

const struct ctl_method *ctl_method_find(const char *name)
{
	const struct ctl_method *m;

	for (uint64_t i = 0; (m = ctl_method_at(i)); i++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

int ctl_fail(struct ctl_call *call, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->error, sizeof(call->error), fmt, ap);
	va_end(ap);
	return err;
}

bool ctl_list_texts(struct ctl_call *call, const char *texts, size_t size, size_t n,
		    struct ctl_list *list)
{
	const char **items = ctl_doc_alloc(call->doc, n * sizeof(*items));

	for (size_t i = 0; items && i < n; i++)
		items[i] = texts + i * size;
	*list = (struct ctl_list){ items, n };
	return items;
}
