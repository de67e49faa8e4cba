/* cli/cmd_list.c: posternctl list: the daemons of this user; of all users for root.
 *
 * A daemon keeps no registry, and says nothing of its files to others in /proc, but its command line
 * names its control socket.  Sockets of other programs are not touched: one that a service manager
 * listens on would start its service.
 */
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/command.h"
#include "ctl/ctl_member.h"

#define COMMAND_LINE_MAX 65536

/* A daemon, as programs get to see it. */
struct instance {
#define INSTANCE_HAS_SOCKET 0x01u
#define INSTANCE_HAS_STATUS 0x02u /* and it answered there */
#define INSTANCE_HAS_MAC    0x04u
#define INSTANCE_HAS_ADDR   0x08u
#define INSTANCE_HAS_ERROR  0x10u
	uint32_t has;
	uint64_t pid, uid;
	const char *socket, *error;
	bool connected;
	struct mac mac;
	struct addr addr;
	uint64_t flows, uptime_ms;
};

static const struct ctl_field instance_fields[] = {
	MEMBER(instance, pid, "pid", CTL_UINT),
	MEMBER(instance, uid, "uid", CTL_UINT),
	MEMBER(instance, socket, "socket", CTL_TEXT, .has = INSTANCE_HAS_SOCKET),
	MEMBER(instance, connected, "connected", CTL_BOOL, .has = INSTANCE_HAS_STATUS),
	MEMBER(instance, mac, "mac", CTL_MAC, .has = INSTANCE_HAS_MAC),
	MEMBER(instance, addr, "addr", CTL_ADDR, .has = INSTANCE_HAS_ADDR),
	MEMBER(instance, flows, "flows", CTL_UINT, .has = INSTANCE_HAS_STATUS),
	MEMBER(instance, uptime_ms, "uptime_ms", CTL_UINT, .has = INSTANCE_HAS_STATUS),
	MEMBER(instance, error, "error", CTL_TEXT, .has = INSTANCE_HAS_ERROR),
};
static MESSAGE(instance);

static const struct column columns[] = {
	{ "PID", true },      { "SOCKET", false }, { "GUEST", false }, { "ADDRESS", false },
	{ "FLOWS", true },    { "UP", true },	   { NULL, false },
};

/* The beginning of a file of a process, with a zero behind it; its length, 0 without any. */
static size_t read_file(uint64_t pid, const char *name, char *text, size_t max)
{
	char path[64];
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/%s", pid, name);
	f = fopen(path, "re");
	if (f) {
		len = fread(text, 1, max - 1, f);
		fclose(f);
	}
	text[len] = '\0';
	return len;
}

static bool has_name(uint64_t pid, const char *name)
{
	char text[64];

	read_file(pid, "comm", text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, name);
}

/* Whether it belongs to us; stores its user. */
static bool is_ours(uint64_t pid, uint64_t *uid)
{
	char text[2048];
	const char *line;

	read_file(pid, "status", text, sizeof(text));
	line = strstr(text, "\nUid:\t");
	if (!line)
		return false;
	*uid = strtoull(line + 6, NULL, 10);
	return !geteuid() || *uid == geteuid();
}

/* The value of an option among words that each end with a zero; NULL if it is not there. */
static const char *option_value(const char *words, size_t len, const char *option)
{
	size_t n = strlen(option);
	const char *found = NULL, *next;

	for (const char *w = words; w < words + len; w = next) {
		next = w + strlen(w) + 1;
		if (!strncmp(w, option, n) && w[n] == '=')
			found = w + n + 1;
		else if (!strcmp(w, option) && next < words + len)
			found = next;
	}
	return found;
}

/* What is known without asking it.  `words` takes its command line; whether there is a daemon.  One that
 * goes by passt's name may be that, and then has no such option. */
static bool find(struct instance *i, uint64_t pid, char words[static COMMAND_LINE_MAX])
{
	size_t len;

	*i = (struct instance){ .pid = pid };
	if ((!has_name(pid, "postern") && !has_name(pid, "passt")) || !is_ours(pid, &i->uid))
		return false;
	len = read_file(pid, "cmdline", words, COMMAND_LINE_MAX);
	i->socket = option_value(words, len, "--control");
	if (!i->socket)
		i->socket = option_value(words, len, "--status");
	if (i->socket)
		i->has |= INSTANCE_HAS_SOCKET;
	return i->socket || has_name(pid, "postern");
}

static void take_status(struct instance *i, const struct ctl_status *s)
{
	const struct addr *ip6 = s->guest.ip6.items;

	i->has |= INSTANCE_HAS_STATUS;
	i->connected = s->guest.connected;
	i->flows = s->flows.open;
	i->uptime_ms = s->uptime_ms;
	i->mac = s->guest.mac;
	if (s->guest.has & CTL_GUEST_HAS_MAC)
		i->has |= INSTANCE_HAS_MAC;
	if (s->guest.has & CTL_GUEST_HAS_ADDR)
		i->addr = s->guest.addr;
	else if (s->guest.ip6.n)
		i->addr = ip6[0];
	if (s->guest.has & CTL_GUEST_HAS_ADDR || s->guest.ip6.n)
		i->has |= INSTANCE_HAS_ADDR;
}

/* Asks it for the rest. */
static int ask(struct instance *i, char *error)
{
	struct ctl_nothing nothing = { 0 };
	const struct ctl_value *value;
	struct ctl_status status;
	struct client client;
	struct ctl_doc *doc;
	int err = -1;

	if (client_open_briefly(&client, i->socket, error))
		return -1;
	if (!client_call(&client, "query-status", &ctl_nothing_message, &nothing, &doc, &value, error)) {
		err = ctl_doc_decode(doc, value, &ctl_status_message, &status, NULL, error);
		if (!err)
			take_status(i, &status);
		ctl_doc_free(doc);
	}
	client_close(&client);
	return err;
}

static void show_row(struct table *t, const struct instance *i)
{
	char mac[MAC_STR_MAX], addr[ADDR_STR_MAX], text[TEXT_MAX];
	bool answered = i->has & INSTANCE_HAS_STATUS;

	table_cell(t, "%" PRIu64, i->pid);
	table_cell(t, "%s", i->has & INSTANCE_HAS_SOCKET ? i->socket : "none");
	if (!answered)
		table_cell(t, "%s", i->has & INSTANCE_HAS_ERROR ? i->error : "");
	else if (i->connected)
		table_cell(t, "%s", i->has & INSTANCE_HAS_MAC ? mac_print(&i->mac, mac) : "connected");
	else
		table_cell(t, "none");
	table_cell(t, "%s", i->has & INSTANCE_HAS_ADDR ? addr_print(&i->addr, addr) : "");
	if (answered) {
		table_cell(t, "%" PRIu64, i->flows);
		table_cell(t, "%s", text_duration(i->uptime_ms, text));
	} else {
		table_cell(t, "%s", "");
		table_cell(t, "%s", "");
	}
}

struct listing {
	struct command_run *run;
	struct table table;
	unsigned n;
};

static void show(struct listing *l, struct instance *i)
{
	struct ctl_buf b = ctl_buf_init(COMMAND_LINE_MAX * 8);

	if (l->run->json) {
		fputs(l->n ? ", " : "", l->run->out);
		ctl_json_print(&b, &instance_message, i);
		fwrite(ctl_buf_text(&b), 1, ctl_buf_len(&b), l->run->out);
	} else {
		show_row(&l->table, i);
	}
	ctl_buf_free(&b);
	l->n++;
}

/* Goes through all processes. */
static void list(struct listing *l, DIR *proc)
{
	static char words[COMMAND_LINE_MAX];
	char error[CTL_ERROR_MAX];
	struct dirent *entry;
	struct instance i;

	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !find(&i, strtoull(entry->d_name, NULL, 10), words))
			continue;
		if (i.has & INSTANCE_HAS_SOCKET && ask(&i, error)) {
			i.has |= INSTANCE_HAS_ERROR;
			i.error = error;
		}
		show(l, &i);
	}
}

static int run(struct command_run *r)
{
	struct listing l = { .run = r, .table = table_init(columns) };
	DIR *proc = opendir("/proc");

	if (!proc) {
		snprintf(r->error, sizeof(r->error), "/proc cannot be read");
		return CLI_ERROR;
	}
	fputs(r->json ? "[" : "", r->out);
	list(&l, proc);
	closedir(proc);
	if (r->json)
		fputs("]\n", r->out);
	else if (l.n)
		table_print(&l.table, r->out);
	else
		fputs("none\n", r->out);
	table_free(&l.table);
	return EXIT_SUCCESS;
}

const struct command cmd_list = {
	.words = "list",
	.help = "the daemons of this user; of all users for root",
	.args = &ctl_nothing_message,
	.run_alone = run,
};
