/* cli/cmd_explain.c: posternctl explain: looks up what is meant, and says what is found. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/explain.h"
#include "ctl/ctl_member.h"

#define OPEN_SHOWN    10
#define CLOSED_SHOWN  3
#define HOST_TEXT_MAX 256 /* of an address, or a name, which has 253 bytes at most */

struct explain_args {
	const char *what;
};

static const struct ctl_field explain_args_fields[] = {
	MEMBER(explain_args, what, "flow", CTL_TEXT,
	       .help = "an id; an address, with a port or without; or a name"),
};
static MESSAGE(explain_args);

/* What --json prints, as an array. */

static const struct ctl_field explain_finding_fields[] = {
	{ .name = "code", .kind = CTL_TEXT, .offset = 0 },
	{ .name = "text", .kind = CTL_TEXT, .offset = sizeof(const char *) },
};
struct said {
	const char *code, *text;
};
static const struct ctl_message said_message = { sizeof(struct said), explain_finding_fields, 2 };

struct explained {
#define EXPLAINED_HAS_FLOW 0x1u
	uint32_t has;
	struct ctl_flow flow;
	struct ctl_list findings;
};

static const struct ctl_field explained_fields[] = {
	MEMBER(explained, flow, "flow", CTL_OBJECT, .object = &ctl_flow_message,
	       .has = EXPLAINED_HAS_FLOW),
	MEMBER(explained, findings, "findings", CTL_OBJECT, .list = true, .object = &said_message),
};
static MESSAGE(explained);

/* One run of the command. */
struct explanation {
	struct client *client;
	FILE *out;
	bool json;
	char *error;
	unsigned n; /* things said so far */
	const struct ctl_flow_query *query;
	uint64_t id; /* 0: not by id */
};

static void print_text(struct explanation *x, const struct ctl_flow *f,
		       const struct explain_finding *found, unsigned n)
{
	char guest[ENDPOINT_STR_MAX], peer[ENDPOINT_STR_MAX], text[EXPLAIN_TEXT * 4];

	if (f)
		fprintf(x->out, "%sflow %" PRIu64 ": %s %s guest %s peer %s%s%s%s %s\n",
			x->n ? "\n" : "", f->id, ctl_proto_names[f->proto], ctl_dir_names[f->dir],
			endpoint_print(&f->guest, guest), endpoint_print(&f->peer, peer),
			f->has & CTL_FLOW_HAS_NAME ? " (" : "",
			f->has & CTL_FLOW_HAS_NAME ? text_escape(f->name, text, sizeof(text)) : "",
			f->has & CTL_FLOW_HAS_NAME ? ")" : "",
			f->has & CTL_FLOW_HAS_REASON ? f->reason : f->state);
	for (unsigned i = 0; i < n; i++)
		fprintf(x->out, "%s%s\n", f ? "    " : "",
			text_escape(found[i].text, text, sizeof(text)));
}

static void print_json(struct explanation *x, const struct ctl_flow *f,
		       const struct explain_finding *found, unsigned n)
{
	struct ctl_buf b = ctl_buf_init((size_t)1 << 20);
	struct said said[EXPLAIN_MAX];
	struct explained e = { .findings = { said, n } };

	for (unsigned i = 0; i < n; i++)
		said[i] = (struct said){ found[i].code, found[i].text };
	if (f) {
		e.has = EXPLAINED_HAS_FLOW;
		e.flow = *f;
	}
	ctl_json_print(&b, &explained_message, &e);
	fprintf(x->out, "%s%.*s", x->n ? ", " : "[", (int)ctl_buf_len(&b), ctl_buf_text(&b));
	ctl_buf_free(&b);
}

static void print(struct explanation *x, const struct ctl_flow *f,
		  const struct explain_finding *found, unsigned n)
{
	if (!n)
		return;
	if (x->json)
		print_json(x, f, found, n);
	else
		print_text(x, f, found, n);
	x->n++;
}

/* Flows that are open, or ended; how many of the `max` that are wanted, or -1. */
static int explain_flows(struct explanation *x, bool closed, unsigned max)
{
	struct ctl_flow_query q = *x->query;
	struct explain_finding found[EXPLAIN_MAX];
	const struct ctl_value *array, *v = NULL;
	struct ctl_doc *reply;
	struct ctl_flow f;
	unsigned n = 0;

	q.where.has |= CTL_FLOW_QUERY_HAS_LIMIT |
		       (closed ? CTL_FLOW_QUERY_HAS_CLOSED : CTL_FLOW_QUERY_HAS_INFO) |
		       (x->id && !closed ? CTL_FLOW_QUERY_HAS_AFTER : 0);
	q.closed = closed;
	q.info = !closed;
	q.after = x->id - 1;
	q.limit = x->id && !closed ? 1 : CTL_FLOWS_LIMIT_DEFAULT;
	if (client_call(x->client, "query-flows", &ctl_flow_query_message, &q, &reply, &array,
			x->error))
		return -1;
	while (n < max && (v = ctl_value_next(array, v))) {
		f = (struct ctl_flow){ 0 };
		if (ctl_doc_decode(reply, v, &ctl_flow_message, &f, NULL, x->error))
			break;
		if (x->id && f.id != x->id)
			continue;
		print(x, &f, found, explain_flow(&f, found));
		n++;
	}
	ctl_doc_free(reply);
	return (int)n;
}

/* Whether the guest is there; -1. */
static int guest_connected(struct explanation *x)
{
	const struct ctl_value *value;
	struct ctl_status status = { 0 };
	struct ctl_nothing none = { 0 };
	struct ctl_doc *reply;
	int err;

	if (client_call(x->client, "query-status", &ctl_nothing_message, &none, &reply, &value,
			x->error))
		return -1;
	err = ctl_doc_decode(reply, value, &ctl_status_message, &status, NULL, x->error);
	ctl_doc_free(reply);
	return err ? -1 : status.guest.connected;
}

/* The port may be one that is forwarded. */
static int explain_forwards(struct explanation *x, uint16_t port)
{
	int connected = guest_connected(x);
	struct explain_finding found[EXPLAIN_MAX];
	const struct ctl_value *array, *v = NULL;
	struct ctl_nothing none = { 0 };
	struct ctl_forward f;
	struct ctl_doc *reply;

	if (connected < 0 || client_call(x->client, "query-forwards", &ctl_nothing_message, &none,
					 &reply, &array, x->error))
		return -1;
	while ((v = ctl_value_next(array, v))) {
		f = (struct ctl_forward){ 0 };
		if (!ctl_doc_decode(reply, v, &ctl_forward_message, &f, NULL, x->error) &&
		    port >= f.host_port && port <= f.host_port_last)
			print(x, NULL, found, explain_forward(&f, connected, found));
	}
	ctl_doc_free(reply);
	return 0;
}

/* Without an answer to its question for a name, the guest opens nothing. */
static int explain_names(struct explanation *x)
{
	struct explain_finding found[EXPLAIN_MAX];
	const struct ctl_value *value;
	struct ctl_nothing none = { 0 };
	struct ctl_dns dns = { 0 };
	struct ctl_doc *reply;
	int err;

	if (client_call(x->client, "query-dns", &ctl_nothing_message, &none, &reply, &value,
			x->error))
		return -1;
	err = ctl_doc_decode(reply, value, &ctl_dns_message, &dns, NULL, x->error);
	for (size_t i = 0; !err && i < dns.servers.n; i++)
		print(x, NULL, found,
		      explain_server((const struct ctl_dns_server *)dns.servers.items + i, found));
	ctl_doc_free(reply);
	return err ? -1 : 0;
}

/* `what` is ADDR:PORT, [ADDR]:PORT or NAME:PORT, with its last colon.  0 or -1. */
static int read_end(const char *what, const char *colon, struct ctl_flow_where *where,
		    char host[static HOST_TEXT_MAX])
{
	size_t len = (size_t)(colon - what);
	bool bracketed = what[0] == '[' && len > 1 && what[len - 1] == ']';
	struct addr a;
	char *end;
	unsigned long port = strtoul(colon + 1, &end, 10);

	if (!len || len >= HOST_TEXT_MAX || !isdigit((unsigned char)colon[1]) || *end ||
	    port > UINT16_MAX)
		return -1;
	snprintf(host, HOST_TEXT_MAX, "%.*s", (int)(len - 2 * bracketed), what + bracketed);
	where->has = CTL_FLOW_WHERE_HAS_PORT |
		     (addr_parse(host, &a) ? CTL_FLOW_WHERE_HAS_NAME : CTL_FLOW_WHERE_HAS_ADDR);
	where->addr = where->name = host;
	where->port = (uint16_t)port;
	return where->has & CTL_FLOW_WHERE_HAS_NAME && (bracketed || strchr(host, ':')) ? -1 : 0;
}

/* An id, an end, ADDR, or else a name.  0, or -1 when it can be none of them. */
static int read_what(struct explanation *x, const char *what, struct ctl_flow_where *where,
		     char host[static HOST_TEXT_MAX])
{
	const char *colon = strrchr(what, ':');
	struct addr a;

	if (*what && strspn(what, "0123456789") == strlen(what)) {
		x->id = strtoull(what, NULL, 10);
		return x->id && x->id <= CTL_UINT_MAX ? 0 : -1;
	}
	if (!addr_parse(what, &a)) {
		where->has = CTL_FLOW_WHERE_HAS_ADDR;
		where->addr = what;
		return 0;
	}
	if (colon)
		return read_end(what, colon, where, host);
	where->has = CTL_FLOW_WHERE_HAS_NAME;
	where->name = what;
	return *what ? 0 : -1;
}

static int run(struct client *client, const void *args, bool json, FILE *out,
	       char error[static CTL_ERROR_MAX])
{
	struct ctl_flow_query q = { .limit = 0 };
	struct explanation x = { .client = client, .out = out, .json = json, .error = error,
				 .query = &q };
	const char *what = ((const struct explain_args *)args)->what;
	char host[HOST_TEXT_MAX];
	int open, closed = 0;

	if (read_what(&x, what, &q.where, host)) {
		snprintf(error, CTL_ERROR_MAX, "'%.100s' is no id of a flow, no address and no name", what);
		return -1;
	}
	open = explain_flows(&x, false, OPEN_SHOWN);
	if (open >= 0 && !(open && x.id))
		closed = explain_flows(&x, true, CLOSED_SHOWN);
	if (open < 0 || closed < 0)
		return -1;
	if (!open && !closed && q.where.has & CTL_FLOW_WHERE_HAS_PORT &&
	    explain_forwards(&x, q.where.port))
		return -1;
	if (!open && !closed && !x.id && explain_names(&x))
		return -1;
	if (json)
		fputs(x.n ? "]\n" : "[]\n", out);
	else if (!open && !closed)
		fputs("No flow like that is open, or among those that ended last.\n", out);
	return 0;
}

const struct command cmd_explain = {
	.words = "explain",
	.help = "why a flow is slow, refused or closed, in words",
	.args = &explain_args_message,
	.result = &ctl_nothing_message,
	.positional = (const char *const[]){ "flow", NULL },
	.run = run,
};
