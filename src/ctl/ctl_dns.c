/* ctl/ctl_dns.c: query-dns: the relay's servers, cache and own names. */
#include <errno.h>

#include "ctl/ctl_method.h"
#include "proto/dns.h"

static void show_server(const struct dns_server *s, uint64_t now_ns, char *text,
			struct ctl_dns_server *c)
{
	*c = (struct ctl_dns_server){
		.has = (s->last_error[0] ? CTL_DNS_SERVER_HAS_ERROR : 0) |
		       (s->avoid_until_ns > now_ns ? CTL_DNS_SERVER_HAS_AVOIDED : 0),
		.addr = upstream_print(&s->at, text),
		.queries = s->sent,
		.answers = s->answers,
		.timeouts = s->timeouts,
		.failures = s->failures,
		.avoided_ms = (s->avoid_until_ns - now_ns) / NS_PER_MS,
		.last_error = s->last_error,
		.last_error_ms = (now_ns - s->last_error_ns) / NS_PER_MS,
	};
}

/* What the result points to is in `s`, which lives as long as the call. */
static int show_relay(struct ctl_call *call, const struct dns_status *s, uint64_t now_ns,
		      struct ctl_dns *c)
{
	struct ctl_dns_server *servers =
		ctl_doc_alloc(call->doc, s->servers.n * sizeof(*servers));
	struct ctl_dns_record *records =
		ctl_doc_alloc(call->doc, s->n_records * sizeof(*records));
	char *texts = ctl_doc_alloc(call->doc, s->servers.n * UPSTREAM_STR_MAX);

	if (!servers || !records || !texts)
		return -ENOMEM;
	for (unsigned i = 0; i < s->servers.n; i++)
		show_server(&s->servers.all[i], now_ns, texts + (size_t)i * UPSTREAM_STR_MAX,
			    &servers[i]);
	for (unsigned i = 0; i < s->n_records; i++)
		records[i] = (struct ctl_dns_record){ s->records[i].name, s->records[i].addr };
	c->servers = (struct ctl_list){ servers, s->servers.n };
	c->records = (struct ctl_list){ records, s->n_records };
	c->cache = (struct ctl_dns_cache){ s->cache_entries, s->cache_entries_max,
					   s->cache_bytes, s->cache_bytes_max };
	c->pending = (struct ctl_dns_pending){ s->pending, s->pending_max };
	return 0;
}

int ctl_dns_query(struct ctl_call *call, const struct env *env, void *result)
{
	struct dns_status *status = ctl_doc_alloc(call->doc, sizeof(*status));
	const struct net *net = env->net;
	struct ctl_dns *c = result;

	*c = (struct ctl_dns){ .relay = env->dns && net->n_dns_relay,
			       .relay_addrs = { net->dns_relay, net->n_dns_relay },
			       .source = net->dns_source };
	if (!status || !ctl_list_texts(call, net->search[0], sizeof(net->search[0]),
				       net->n_search, &c->search))
		return ctl_fail(call, -ENOMEM, "no memory");
	if (!env->dns)
		return CTL_DONE;
	dns_get_status(env, status);
	if (show_relay(call, status, env->now_ns, c))
		return ctl_fail(call, -ENOMEM, "no memory");
	return CTL_DONE;
}
