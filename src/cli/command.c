/* cli/command.c: the table of commands, and what they have in common. */
#include "cli/command.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/out_json.h"

const struct command *const commands[] = {
	&cmd_status,	     &cmd_flows,    &cmd_flow_close,
	&cmd_explain,	     &cmd_top,	    &cmd_stats,	   &cmd_metrics,
	&cmd_list,	     &cmd_doctor,   &cmd_forwards, &cmd_forward_add,
	&cmd_forward_remove, &cmd_forward_set, &cmd_config_set, &cmd_config,
	&cmd_log_level,	     &cmd_client_disconnect, &cmd_leases,   &cmd_dns,
	&cmd_monitor,	     &cmd_captures, &cmd_capture_stop,
	&cmd_capture,	     &cmd_quit,	    NULL,
};

static int decode(const struct command *cmd, struct ctl_doc *reply,
		  const struct ctl_value *value, void *result, char *error)
{
	return ctl_doc_decode(reply, value, cmd->result, result, NULL, error) ? -1 : 0;
}

static int run_one(const struct command *cmd, struct client *client, void *args, bool json,
		   FILE *out, char *error)
{
	const struct ctl_value *value;
	struct ctl_doc *reply;
	void *result;
	int err = 0;

	if (client_call(client, cmd->method, cmd->args, args, &reply, &value, error))
		return -1;
	result = ctl_doc_alloc(reply, cmd->result->size);
	if (json)
		json_out_value(out, isatty(fileno(out)), reply, value);
	else if (result && !(err = decode(cmd, reply, value, result, error)) && cmd->show)
		cmd->show(out, result);
	ctl_doc_free(reply);
	return err;
}

/* Where the elements of an array go. */
struct listing {
	bool json;
	struct json_out json_out;
	struct table table;
	size_t n;
};

/* One reply's elements; whether there may be more, or -1. */
static int list_elements(const struct command *cmd, struct ctl_doc *reply,
			 const struct ctl_value *array, struct listing *l, void *args,
			 char *error)
{
	void *result = ctl_doc_alloc(reply, cmd->result->size);
	const struct ctl_value *v = NULL;
	size_t n = 0;

	while (result && (v = ctl_value_next(array, v))) {
		if (decode(cmd, reply, v, result, error))
			return -1;
		if (!l->json)
			cmd->row(&l->table, result);
		n++;
	}
	if (l->json)
		json_out_elements(&l->json_out, reply, array);
	l->n += n;
	return n && cmd->more && cmd->more(args, n, result);
}

static int run_list(const struct command *cmd, struct client *client, void *args, bool json,
		    FILE *out, char *error)
{
	struct listing l = { .json = json };
	const struct ctl_value *array;
	struct ctl_doc *reply;
	int more;

	l.table = table_init(cmd->columns);
	l.table.colours = text_wants_colours(out);
	if (json)
		l.json_out = json_out_array(out, isatty(fileno(out)));
	do {
		more = client_call(client, cmd->method, cmd->args, args, &reply, &array, error);
		if (more)
			break;
		more = list_elements(cmd, reply, array, &l, args, error);
		ctl_doc_free(reply);
		if (!json && l.n)
			table_print(&l.table, out);
	} while (more > 0);
	if (json)
		json_out_array_end(&l.json_out);
	else if (!more && !l.n)
		fputs("none\n", out);
	table_free(&l.table);
	return more;
}

/* Each event at once, whoever reads them. */
static int follow(const struct command *cmd, struct client *client, bool json, FILE *out,
		  char *error)
{
	struct ctl_event e;
	struct ctl_doc *doc;

	while (!client_next_event(client, &doc, &e, error)) {
		if (json)
			fprintf(out, "%s\n", ctl_doc_text(doc));
		else
			cmd->event(out, doc, &e);
		ctl_doc_free(doc);
		if (fflush(out))
			return 0; /* nobody reads them any more: the caller finds out, too */
	}
	return -1;
}

int command_run(const struct command *cmd, struct client *client, void *args, bool json,
		FILE *out, char error[static CTL_ERROR_MAX])
{
	int err;

	if (cmd->run)
		return cmd->run(client, args, json, out, error);
	err = (cmd->list ? run_list : run_one)(cmd, client, args, json && !cmd->event, out, error);

	return !err && cmd->event ? follow(cmd, client, json, out, error) : err;
}
