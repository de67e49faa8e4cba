/* posternctl: the command line, columns and escapes for people, JSON for programs. */
#include "cli/args.h"
#include "cli/out_json.h"
#include "cli/top.h"
#include "ctl/ctl_event_msg.h"

#include <string.h>

#include "lib/suite.h"

static char out_text[1 << 16];
static FILE *out;

static FILE *open_out(void)
{
	memset(out_text, 0, sizeof(out_text));
	out = fmemopen(out_text, sizeof(out_text) - 1, "w");
	return out;
}

static const char *close_out(void)
{
	fclose(out);
	return out_text;
}

START_TEST(escapes)
{
	char buf[64], small[6];

	ck_assert_str_eq(text_escape("plain-Name_1.example", buf, sizeof(buf)),
			 "plain-Name_1.example");
	ck_assert_str_eq(text_escape("\x1b[31m\r\n\t\x7f", buf, sizeof(buf)),
			 "\\x1b[31m\\x0d\\x0a\\x09\\x7f");
	ck_assert_str_eq(text_escape("a\\b", buf, sizeof(buf)), "a\\\\b");
	ck_assert_str_eq(text_escape("\xc3\xa9\xe2\x80\xae\xc2\x9b", buf, sizeof(buf)),
			 "\\u{e9}\\u{202e}\\u{9b}");
	ck_assert_str_eq(text_escape("\xff\xc3", buf, sizeof(buf)), "\\xff\\xc3");
	ck_assert_str_eq(text_escape("abc\x1b", small, sizeof(small)),
			 "abc"); /* no half of one */
	ck_assert_str_eq(text_escape("abcdefgh", small, sizeof(small)), "abcde");
}
END_TEST

START_TEST(bytes)
{
	char buf[TEXT_MAX];

	ck_assert_str_eq(text_bytes(0, buf), "0");
	ck_assert_str_eq(text_bytes(999, buf), "999");
	ck_assert_str_eq(text_bytes(1000, buf), "1.0K");
	ck_assert_str_eq(text_bytes(10 * 1024, buf), "10K");
	ck_assert_str_eq(text_bytes(1023 * 1024, buf), "1.0M");
	ck_assert_str_eq(text_bytes(1536 * 1024, buf), "1.5M");
	ck_assert_str_eq(text_bytes(UINT64_MAX, buf), "16E");
}
END_TEST

START_TEST(durations)
{
	char buf[TEXT_MAX];

	ck_assert_str_eq(text_duration(0, buf), "0.0s");
	ck_assert_str_eq(text_duration(9999, buf), "9.9s");
	ck_assert_str_eq(text_duration(119999, buf), "119s");
	ck_assert_str_eq(text_duration(125000, buf), "2m05s");
	ck_assert_str_eq(text_duration(3 * 3600000 + 240000, buf), "3h04m");
	ck_assert_str_eq(text_duration(50ull * 3600000, buf), "2d02h");
}
END_TEST

START_TEST(columns)
{
	static const struct column heads[] = { { "ID", true },
					       { "NAME", false },
					       { "N", true },
					       { "LAST", false },
					       { NULL, false } };
	struct table t = table_init(heads);

	open_out();
	table_cell(&t, "%d", 7);
	table_cell(&t, "%s", "a\nb");
	table_cell(&t, "%d", 1000);
	table_cell(&t, "%s", "");
	table_cell(&t, "%d", 123);
	table_cell(&t, "%s", "");
	table_cell(&t, "%d", 5);
	table_cell(&t, "%s", "x");
	table_print(&t, out);
	table_cell(&t, "%d", 8); /* a later page keeps to the columns */
	table_cell(&t, "%s", "c");
	table_cell(&t, "%d", 1);
	table_cell(&t, "%s", "y");
	table_print(&t, out);
	ck_assert_str_eq(close_out(), " ID  NAME       N  LAST\n"
				      "  7  a\\x0ab  1000\n"
				      "123             5  x\n"
				      "  8  c          1  y\n");
	table_free(&t);
}
END_TEST

/* The elements of `replies` as one array. */
static const char *array(bool pretty, const char *const replies[])
{
	struct json_out j = json_out_array(open_out(), pretty);
	char error[CTL_ERROR_MAX];
	struct ctl_reply r;

	for (unsigned i = 0; replies[i]; i++) {
		struct ctl_doc *doc = ctl_doc_parse(replies[i], strlen(replies[i]), error);

		ck_assert_ptr_nonnull(doc);
		ck_assert_int_eq(ctl_doc_decode(doc, ctl_doc_root(doc), &ctl_reply_message, &r,
						NULL, error),
				 0);
		json_out_elements(&j, doc, r.value);
		ctl_doc_free(doc);
	}
	json_out_array_end(&j);
	return close_out();
}

static unsigned red_if_bad(const char *cell)
{
	return strcmp(cell, "bad") ? 0 : 31;
}

/* Colours change no width, and are there only where they are wanted. */
START_TEST(colours)
{
	static const struct column some[] = { { "STATE", false, red_if_bad }, { "NAME" }, { NULL } };
	struct table t = table_init(some);

	table_cell(&t, "bad");
	table_cell(&t, "x");
	t.colours = true;
	table_print(&t, open_out());
	ck_assert_str_eq(close_out(), "STATE  NAME\n\033[31mbad\033[0m    x\n");
	t.colours = false;
	table_cell(&t, "bad");
	table_cell(&t, "y");
	table_print(&t, open_out());
	ck_assert_str_eq(close_out(), "bad    y\n");
	table_free(&t);
	ck_assert(!text_wants_colours(open_out())); /* no terminal */
	close_out();
}
END_TEST

START_TEST(json)
{
	static const char *const pages[] = {
		"{\"return\": []}",
		"{\"return\": [{\"a\":18446744073709551615,\"b\":[]}, {\"c\":\"{, :\\\"}\"}]}",
		"{\"return\": [ 1.50,{}]}", NULL
	};
	static const char *const none[] = { "{\"return\": []}", NULL };

	ck_assert_str_eq(array(false, pages), "[{\"a\": 18446744073709551615, \"b\": []}, "
					      "{\"c\": \"{, :\\\"}\"}, 1.50, {}]\n");
	ck_assert_str_eq(array(true, pages), "[\n"
					     "    {\n"
					     "        \"a\": 18446744073709551615,\n"
					     "        \"b\": []\n"
					     "    },\n"
					     "    {\n"
					     "        \"c\": \"{, :\\\"}\"\n"
					     "    },\n"
					     "    1.50,\n"
					     "    {}\n"
					     "]\n");
	ck_assert_str_eq(array(false, none), "[]\n");
	ck_assert_str_eq(array(true, none), "[]\n");
}
END_TEST

static struct args args;
static char error[CTL_ERROR_MAX];

/* Words apart by blanks, after "-s x"; 0 or -1. */
static int parse(const char *line)
{
	static char name[] = "posternctl", option[] = "-s", path[] = "x", copy[512];
	char *argv[64] = { name, option, path };
	int argc = 3;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	args_free(&args);
	return args_parse(&args, argc, argv, error);
}

static void assert_refused(const char *line, const char *why)
{
	ck_assert_int_eq(parse(line), -1);
	ck_assert_str_eq(error, why);
	args_free(&args);
}

START_TEST(words_that_follow)
{
	const struct ctl_config_set *c;

	ck_assert_int_eq(parse("config set dns 192.0.2.1 2001:db8::1"), 0);
	ck_assert_ptr_eq(args.command, &cmd_config_set);
	c = args.values;
	ck_assert_str_eq(c->option, "dns");
	ck_assert_uint_eq(c->values.n, 2);
	ck_assert_str_eq(((const char *const *)c->values.items)[1], "2001:db8::1");
	ck_assert_int_eq(parse("config set dns"), 0);
	ck_assert_uint_eq(((const struct ctl_config_set *)args.values)->values.n, 0);
	ck_assert_int_eq(parse("config"), 0);
	ck_assert_ptr_eq(args.command, &cmd_config);
	ck_assert_int_eq(parse("config set"), -1);
	args_free(&args);
}
END_TEST

START_TEST(arguments)
{
	const struct ctl_flow_query *q;

	ck_assert_int_eq(parse("status"), 0);
	ck_assert_ptr_eq(args.command, &cmd_status);
	ck_assert(!args.json);
	ck_assert_int_eq(parse("--json flows --proto udp --port=53 --addr 10.0.0.0/8 --closed "
			       "--limit 5"),
			 0);
	ck_assert_ptr_eq(args.command, &cmd_flows);
	ck_assert(args.json);
	q = args.values;
	ck_assert_uint_eq(q->where.has, CTL_FLOW_WHERE_HAS_PROTO | CTL_FLOW_WHERE_HAS_PORT |
					  CTL_FLOW_WHERE_HAS_ADDR | CTL_FLOW_QUERY_HAS_CLOSED |
					  CTL_FLOW_QUERY_HAS_LIMIT);
	ck_assert_uint_eq(q->where.proto, 1);
	ck_assert_uint_eq(q->where.port, 53);
	ck_assert_str_eq(q->where.addr, "10.0.0.0/8");
	ck_assert(q->closed);
	ck_assert_uint_eq(q->limit, 5);
	ck_assert_int_eq(parse("flows tcp state established dst 198.51.100.0/24 dport 443 closed"),
			 0);
	q = args.values;
	ck_assert_uint_eq(q->where.has, CTL_FLOW_WHERE_HAS_PROTO | CTL_FLOW_WHERE_HAS_STATE |
						CTL_FLOW_WHERE_HAS_DST | CTL_FLOW_WHERE_HAS_DPORT |
						CTL_FLOW_QUERY_HAS_CLOSED);
	ck_assert_str_eq(q->where.state, "established");
	ck_assert_uint_eq(q->where.dport, 443);
	ck_assert_uint_eq(args.watch, 0);
	ck_assert_int_eq(parse("--watch flows"), 0);
	ck_assert_uint_eq(args.watch, 2);
	ck_assert_int_eq(parse("flows --watch 5 udp"), 0);
	ck_assert_uint_eq(args.watch, 5);
	ck_assert_int_eq(parse("flows --watch=7"), 0);
	ck_assert_uint_eq(args.watch, 7);
	ck_assert_int_eq(parse("explain 198.51.100.2:443"), 0);
	ck_assert_ptr_eq(args.command, &cmd_explain);
	ck_assert_int_eq(parse("flow close 12 --json"), 0);
	ck_assert_ptr_eq(args.command, &cmd_flow_close);
	ck_assert_uint_eq(((const struct ctl_flow_close *)args.values)->id, 12);
	ck_assert_int_eq(parse("flow close --id 13"), 0);
	ck_assert_uint_eq(((const struct ctl_flow_close *)args.values)->id, 13);
	ck_assert_int_eq(parse("flows --help"), 0);
	ck_assert(args.help);
	args_free(&args);
}
END_TEST

START_TEST(letters)
{
	const struct ctl_flow_query *q;
	const struct top_args *t;

	ck_assert_int_eq(parse("top -b -n 3 --delay 5"), 0);
	ck_assert_ptr_eq(args.command, &cmd_top);
	t = args.values;
	ck_assert_uint_eq(t->has, TOP_HAS_BATCH | TOP_HAS_ROUNDS | TOP_HAS_DELAY);
	ck_assert(t->batch);
	ck_assert_uint_eq(t->rounds, 3);
	ck_assert_uint_eq(t->delay, 5);
	ck_assert_int_ne(parse("top -n"), 0);
	ck_assert_int_ne(parse("top -n 0"), 0);
	ck_assert_int_ne(parse("top -b --batch"), 0);
	ck_assert_int_ne(parse("top -bn3"), 0);
	ck_assert_int_ne(parse("flows -b"), 0);
	ck_assert_int_eq(parse("flows tcp -i sort rate"), 0);
	q = args.values;
	ck_assert(q->info);
	ck_assert_uint_eq(q->sort, CTL_SORT_RATE);
	ck_assert_int_ne(parse("flows -i --info"), 0);
	ck_assert_int_ne(parse("status -i"), 0);
	args_free(&args);
}
END_TEST

START_TEST(mistakes)
{
	assert_refused("", "which command?");
	assert_refused("nonsense", "there is no command 'nonsense'");
	assert_refused("--bad", "there is no command '--bad'");
	assert_refused("flow", "'flow' needs another word, as in 'flow close'");
	assert_refused("status surplus", "'status' does not take 'surplus'");
	assert_refused("status --closed", "'status' has no option '--closed'");
	assert_refused("flows --port", "--port needs a value");
	assert_refused("flows --port x", "port must be a number from 0 to 65535, not 'x'");
	assert_refused("flows --port -1", "port must be a number from 0 to 65535, not '-1'");
	assert_refused("flows --port 65536",
		       "port must be a number from 0 to 65535, not '65536'");
	assert_refused("flows --limit 0", "limit must be a number from 1 to 10000, not '0'");
	assert_refused("flows --limit 99999999999999999999999",
		       "limit must be a number from 1 to 10000, not '99999999999999999999999'");
	assert_refused("flows --proto sctp", "proto cannot be 'sctp'");
	assert_refused("flows --closed=1", "--closed takes no value");
	assert_refused("flows --port 1 --port 2", "port is given twice");
	assert_refused("flow close 1 2", "'flow close' does not take '2'");
	assert_refused("status -s", "-s needs a path");
	assert_refused("flows state", "--state needs a value");
	assert_refused("flows sctp", "proto cannot be 'sctp'");
	assert_refused("flows tcp udp", "'flows' does not take 'udp'");
	assert_refused("flows --watch 0", "--watch takes seconds from 1 to 86400, not '0'");
	assert_refused("flows --watch=", "--watch takes seconds from 1 to 86400, not ''");
	assert_refused("quit --watch", "'quit' does not go with --watch");
	assert_refused("metrics --output", "--output needs a value");
	assert_refused("list all", "'list' does not take 'all'");
}
END_TEST

/* As many elements as there is room for, and one more. */
START_TEST(too_many_elements)
{
	char line[512] = "monitor WARNING";

	for (int i = 1; i < ARGS_CHOSEN_MAX; i++)
		strcat(line, ",WARNING");
	ck_assert_int_eq(parse(line), 0);
	strcat(line, ",WARNING");
	assert_refused(line, "events has too many elements");
}
END_TEST

/* What a guest, a network or a log line says drives no terminal. */
START_TEST(hostile_events)
{
	static const char *const texts[] = {
		"{\"event\": \"WARNING\", \"data\": {\"level\": \"warning\", \"unit\": \"dns\", "
		"\"text\": \"a\\u001b[31mb\\n\\u009bc\"}, \"timestamp\": {\"seconds\": 0, \"microseconds\": 0}}",
		"{\"event\": \"NEW\\u001b[2J\", \"data\": {}, \"timestamp\": {\"seconds\": 0, \"microseconds\": 0}}",
	};
	static const char *const ends[] = {
		" WARNING warning dns: a\\x1b[31mb\\x0a\\u{9b}c\n", " NEW\\x1b[2J\n",
	};
	struct ctl_event e;

	for (int i = 0; i < 2; i++) {
		struct ctl_doc *doc = ctl_doc_parse(texts[i], strlen(texts[i]), error);

		ck_assert_int_eq(ctl_doc_decode(doc, ctl_doc_root(doc), &ctl_event_message, &e, NULL, error), 0);
		cmd_monitor.event(open_out(), doc, &e);
		ck_assert_pstr_eq(strchr(close_out(), ' '), ends[i]);
		ctl_doc_free(doc);
	}
}
END_TEST

START_TEST(no_socket)
{
	char name[] = "posternctl", command[] = "status", *argv[] = { name, command, NULL };
	char list[] = "list", doctor[] = "doctor", *alone[] = { list, doctor };

	unsetenv("POSTERN_CONTROL");
	ck_assert_int_eq(args_parse(&args, 2, argv, error), -1);
	args_free(&args);
	setenv("POSTERN_CONTROL", "/run/x", 1);
	ck_assert_int_eq(args_parse(&args, 2, argv, error), 0);
	ck_assert_str_eq(args.socket, "/run/x");
	unsetenv("POSTERN_CONTROL");
	for (unsigned i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
		argv[1] = alone[i];
		args_free(&args);
		ck_assert_int_eq(args_parse(&args, 2, argv, error), 0);
	}
	args_free(&args);
}
END_TEST

/* Every command's help names every argument, and every place is one. */
START_TEST(help)
{
	const char *text;

	args_print_usage(open_out());
	close_out();
	for (unsigned i = 0; commands[i]; i++)
		ck_assert_ptr_nonnull(strstr(out_text, commands[i]->words));
	for (unsigned i = 0; commands[i]; i++) {
		const struct command *cmd = commands[i];

		args_print_command(open_out(), cmd);
		text = close_out();
		for (unsigned k = 0; k < cmd->args->n_fields; k++) {
			ck_assert_ptr_nonnull(cmd->args->fields[k].help);
			ck_assert_ptr_nonnull(strstr(text, cmd->args->fields[k].help));
		}
		for (unsigned k = 0; cmd->positional && cmd->positional[k]; k++) {
			bool found = false;

			for (unsigned n = 0; n < cmd->args->n_fields; n++)
				found |= !strcmp(cmd->args->fields[n].name, cmd->positional[k]);
			ck_assert(found);
		}
	}
}
END_TEST

static void assert_line(const char *line)
{
	ck_assert_msg(strstr(out_text, line) != NULL, "'%s' is not in '%s'", line, out_text);
}

/* What is not there is told as such, and what failed with its port. */
START_TEST(status_for_people)
{
	static const struct ctl_limit limits[] = {
		{ .limit = "flows", .used = 1, .max = 10 },
		{ CTL_LIMIT_HAS_HARD, "open-files", 41, 1024, 4096 },
		{ CTL_LIMIT_HAS_HARD, "open-files", 41, 1024, 1024 },
	};
	struct ctl_status s = { .version = "1",
				.limits = { limits, 3 },
				.forwards = {
					.has = CTL_FORWARD_COUNT_HAS_ERROR,
					.rules = 2,
					.open_ports = 80,
					.failed_ports = 1,
					.last_error = { .where = { .host_port = 80 },
							.reason = "Address already in use",
							.age_ms = 3000 } } };

	cmd_status.show(open_out(), &s);
	close_out();
	assert_line("Guest       not connected\n");
	assert_line("Leases      none\n");
	assert_line("Forwards    2 rules, 80 ports open, 1 not\n"
		    "            3.0s ago: tcp * port 80: Address already in use\n");
	assert_line("Limits      1 of 10 flows\n"
		    "            41 of 1024 open-files, of 4096 that there could be\n"
		    "            41 of 1024 open-files\n");
	s.forwards.last_error.where =
		(struct ctl_forward_port){ CTL_FORWARD_PORT_HAS_HOST_ADDR |
						   CTL_FORWARD_PORT_HAS_INTERFACE,
					   1,
					   ADDR_LOOPBACK6,
					   "eth0",
					   53,
					   13,
					   "EACCES" };
	s.guest = (struct ctl_guest){ .has = CTL_GUEST_HAS_SINCE | CTL_GUEST_HAS_PID,
				      .connected = true,
				      .since_ms = 125000,
				      .client_pid = 4711 };
	cmd_status.show(open_out(), &s);
	close_out();
	assert_line("Guest       connected for 2m05s by process 4711\n");
	assert_line(" ago: udp ::1%eth0 port 53: ");
}
END_TEST

SUITE_MAIN("cli", status_for_people, escapes, bytes, durations, columns, colours, json,
	   words_that_follow, arguments, letters, mistakes, too_many_elements, hostile_events,
	   no_socket, help)
