/* cli/args.c: reads the command line by the tables of the commands' arguments.
 *
 * Global options may stand anywhere.  What is left begins with the command's words; then come
 * its arguments, by name (--port 80, --port=80, port 80) or, where the command has places, by
 * place.
 */
#include "cli/args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_DEFAULT 2 /* seconds */
#define WATCH_MAX     86400

/* What is left of the command line. */
struct words {
	const char *all[ARGS_WORDS_MAX];
	unsigned n, at;
};

static int __attribute__((format(printf, 2, 3))) fail(char *error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, CTL_ERROR_MAX, fmt, ap);
	va_end(ap);
	return -1;
}

/* The seconds may be left out: then *i stays where it is. */
static int watch_option(struct args *a, char **argv, int *i, char *error)
{
	const char *value = strchr(argv[*i], '='), *next = argv[*i + 1];
	char *end;

	if (value)
		value++;
	else if (next && *next >= '0' && *next <= '9')
		value = argv[++*i];
	a->watch = WATCH_DEFAULT;
	if (!value)
		return 1;
	a->watch = (unsigned)strtoul(value, &end, 10);
	if (*end || end == value || !a->watch || a->watch > WATCH_MAX)
		return fail(error, "--watch takes seconds from 1 to %d, not '%s'", WATCH_MAX, value);
	return 1;
}

/* A global option at argv[*i], which moves on over its value: 1; 0 when it is none; -1. */
static int global_option(struct args *a, char **argv, int *i, char *error)
{
	const char *arg = argv[*i];

	if (!strcmp(arg, "--json"))
		a->json = true;
	else if (!strcmp(arg, "-h") || !strcmp(arg, "--help"))
		a->help = true;
	else if (!strcmp(arg, "-V") || !strcmp(arg, "--version"))
		a->version = true;
	else if (!strncmp(arg, "--socket=", 9))
		a->socket = arg + 9;
	else if (!strcmp(arg, "--watch") || !strncmp(arg, "--watch=", 8))
		return watch_option(a, argv, i, error);
	else if (strcmp(arg, "-s") != 0 && strcmp(arg, "--socket") != 0)
		return 0;
	else if (!argv[*i + 1])
		return fail(error, "%s needs a path", arg);
	else
		a->socket = argv[++*i];
	return 1;
}

static int take_globals(struct args *a, int argc, char **argv, struct words *w, char *error)
{
	for (int i = 1; i < argc; i++) {
		int taken = global_option(a, argv, &i, error);

		if (taken < 0)
			return -1;
		if (taken)
			continue;
		if (w->n == ARGS_WORDS_MAX)
			return fail(error, "too many arguments");
		w->all[w->n++] = argv[i];
	}
	return 0;
}

/* How many words of the line are those of the command; 0 when they are others. */
static unsigned match(const struct command *cmd, const struct words *w)
{
	const char *want = cmd->words;
	unsigned n = 0;

	for (; *want; n++) {
		size_t len = strcspn(want, " ");

		if (n == w->n || strlen(w->all[n]) != len || strncmp(w->all[n], want, len) != 0)
			return 0;
		want += len + (want[len] == ' ');
	}
	return n;
}

static int find_command(struct args *a, struct words *w, char *error)
{
	for (unsigned i = 0; commands[i] && !a->command; i++) {
		w->at = match(commands[i], w);
		if (w->at)
			a->command = commands[i];
	}
	if (a->command)
		return 0;
	for (unsigned i = 0; commands[i]; i++)
		if (!strncmp(commands[i]->words, w->all[0], strlen(w->all[0])) &&
		    commands[i]->words[strlen(w->all[0])] == ' ')
			return fail(error, "'%s' needs another word, as in '%s'", w->all[0],
				    commands[i]->words);
	return fail(error, "there is no command '%s'", w->all[0]);
}

/* Values */

static int set_uint(const struct ctl_field *f, const char *text, uint64_t *v, char *error)
{
	uint64_t max = f->kind == CTL_PORT ? 65535 : f->max ? f->max : CTL_UINT_MAX;
	char *end;

	errno = 0;
	*v = strtoull(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || *v < f->min || *v > max)
		return fail(error,
			    "%s must be a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
			    f->name, f->min, max, text);
	return 0;
}

static int set_choice(const struct ctl_field *f, const char *text, unsigned *v, char *error)
{
	for (*v = 0; f->names[*v]; ++*v)
		if (!strcmp(f->names[*v], text))
			return 0;
	return fail(error, "%s cannot be '%s'", f->name, text);
}

static int set_value(const struct ctl_field *f, const char *text, void *p, char *error)
{
	uint64_t n;

	switch (f->kind) {
	case CTL_BOOL:
		*(bool *)p = true;
		return 0;
	case CTL_UINT:
		return set_uint(f, text, p, error);
	case CTL_PORT:
		if (set_uint(f, text, &n, error))
			return -1;
		*(uint16_t *)p = (uint16_t)n;
		return 0;
	case CTL_TEXT:
		*(const char **)p = text;
		return 0;
	case CTL_CHOICE:
		return set_choice(f, text, p, error);
	case CTL_ADDR:
	case CTL_MAC:
	case CTL_OBJECT:
	case CTL_VALUE:
	case CTL_JSON:
		break;
	}
	return fail(error, "%s cannot be given here", f->name);
}

/* Words with commas between them. */
static int set_choices(struct args *a, const struct ctl_field *f, const char *text,
		       struct ctl_list *list, char *error)
{
	size_t len, n = 0;
	char word[64];

	for (;; text += len + 1) {
		len = strcspn(text, ",");
		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (n == ARGS_CHOSEN_MAX)
			return fail(error, "%s has too many elements", f->name);
		if (set_choice(f, word, &a->chosen[n++], error))
			return -1;
		if (!text[len])
			break;
	}
	*list = (struct ctl_list){ a->chosen, n };
	return 0;
}

static bool is_words(const struct ctl_field *f)
{
	return f->list && f->kind == CTL_TEXT;
}

/* One more word of a list. */
static int add_word(struct args *a, const char *text, struct ctl_list *list)
{
	a->texts[list->n++] = text; /* of the words, which are no more than there is room for */
	list->items = a->texts;
	return 0;
}

static int set(struct args *a, const struct ctl_field *f, const char *text, uint64_t *given,
	       char *error)
{
	uint64_t bit = (uint64_t)1 << (f - a->command->args->fields);

	if (is_words(f)) {
		*given |= bit;
		return add_word(a, text, (void *)((char *)a->values + f->offset));
	}
	if (*given & bit)
		return fail(error, "%s is given twice", f->name);
	*given |= bit;
	if (f->has)
		*(uint32_t *)a->values |= f->has;
	if (f->list)
		return set_choices(a, f, text, (void *)((char *)a->values + f->offset), error);
	return set_value(f, text, (char *)a->values + f->offset, error);
}

static const struct ctl_field *find_field(const struct command *cmd, const char *name,
					  size_t len)
{
	const struct ctl_message *m = cmd->args;

	for (unsigned i = 0; i < m->n_fields; i++)
		if (strlen(m->fields[i].name) == len && !strncmp(m->fields[i].name, name, len))
			return &m->fields[i];
	return NULL;
}

/* An argument by name, before which dashes may stand. */
static int named(struct args *a, struct words *w, uint64_t *given, char *error)
{
	const char *word = w->all[w->at++], *value;
	const struct ctl_field *f;

	if (word[0] == '-')
		word += 2;
	value = strchr(word, '=');
	f = find_field(a->command, word, strcspn(word, "="));
	if (!f)
		return fail(error, "'%s' has no option '--%s'", a->command->words, word);
	if (f->kind == CTL_BOOL && value)
		return fail(error, "--%s takes no value", f->name);
	if (!value && f->kind != CTL_BOOL && w->at == w->n)
		return fail(error, "--%s needs a value", f->name);
	if (value)
		value++;
	else if (f->kind != CTL_BOOL)
		value = w->all[w->at++];
	return set(a, f, value, given, error);
}

static bool has_place(const struct command *cmd, const struct ctl_field *f)
{
	for (unsigned i = 0; cmd->positional && cmd->positional[i]; i++)
		if (!strcmp(cmd->positional[i], f->name))
			return true;
	return false;
}

/* Whether the word names an argument that has no place of its own. */
static bool is_name(const struct command *cmd, const char *word)
{
	const struct ctl_field *f = find_field(cmd, word, strlen(word));

	return f && !has_place(cmd, f);
}

/* The long name for a short one; what is none stays. */
static const char *long_name(const struct command *cmd, const char *word)
{
	for (const struct letter *l = cmd->letters; l && l->letter; l++)
		if (word[0] == '-' && word[1] == l->letter && !word[2])
			return l->name;
	return word;
}

static int take_arguments(struct args *a, struct words *w, char *error)
{
	const struct command *cmd = a->command;
	const struct ctl_message *m = cmd->args;
	const char *const *place = cmd->positional;
	uint64_t given = 0;
	int err = 0;

	while (!err && w->at < w->n) {
		const char *word = w->all[w->at] = long_name(cmd, w->all[w->at]);

		if (!strncmp(word, "--", 2) || is_name(cmd, word)) {
			err = named(a, w, &given, error);
		} else if (cmd->file && !a->file) {
			a->file = w->all[w->at++];
		} else if (place && *place) {
			const struct ctl_field *f = find_field(cmd, *place, strlen(*place));

			w->at++;
			err = set(a, f, word, &given, error);
			place += !is_words(f);
		} else {
			err = fail(error, "'%s' does not take '%s'", cmd->words, word);
		}
	}
	if (!err && cmd->file && !a->file)
		err = fail(error, "'%s' needs a file", cmd->words);
	for (unsigned i = 0; !err && i < m->n_fields; i++)
		if (!m->fields[i].has && !is_words(&m->fields[i]) && !(given & (uint64_t)1 << i))
			err = fail(error, "'%s' needs %s", cmd->words, m->fields[i].name);
	return err;
}

int args_parse(struct args *a, int argc, char **argv, char error[static CTL_ERROR_MAX])
{
	struct words w = { .n = 0 };

	*a = (struct args){ .socket = getenv("POSTERN_CONTROL") };
	if (take_globals(a, argc, argv, &w, error))
		return -1;
	if (!w.n)
		return a->help || a->version ? 0 : fail(error, "which command?");
	if (find_command(a, &w, error))
		return -1;
	if (a->help || a->version)
		return 0;
	if (a->watch && !a->command->watch)
		return fail(error, "'%s' does not go with --watch", a->command->words);
	a->values = calloc(1, a->command->args->size);
	if (!a->values)
		return fail(error, "out of memory");
	if (take_arguments(a, &w, error))
		return -1;
	if (!a->command->run_alone && (!a->socket || !*a->socket))
		return fail(
			error,
			"which daemon? Name its control socket with -s or in $POSTERN_CONTROL");
	return 0;
}

void args_free(struct args *a)
{
	free(a->values);
	a->values = NULL;
}

/* Help */

static void print_names(FILE *out, const struct ctl_field *f)
{
	for (unsigned i = 0; f->names[i]; i++)
		fprintf(out, "%s%s", i ? "|" : "", f->names[i]);
}

static void print_value_name(FILE *out, const struct ctl_field *f)
{
	if (f->names && !f->list)
		print_names(out, f);
	else
		for (const char *p = f->name; *p; p++)
			fputc(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p, out);
}

static void print_synopsis(FILE *out, const struct command *cmd)
{
	bool options = false;

	fputs(cmd->words, out);
	fputs(cmd->file ? " FILE" : "", out);
	for (unsigned i = 0; i < cmd->args->n_fields; i++) {
		const struct ctl_field *f = &cmd->args->fields[i];

		options |= !has_place(cmd, f);
		if (!has_place(cmd, f))
			continue;
		fputs(f->has || is_words(f) ? " [" : " ", out);
		print_value_name(out, f);
		fputs(is_words(f) ? "]..." : f->has ? "]" : "", out);
	}
	fputs(options ? " [OPTION]..." : "", out);
}

/* What may be given, word by word where that is known; of a list, with commas between them. */
static void print_value(FILE *out, const struct ctl_field *f)
{
	if (!f->names || !f->list) {
		print_value_name(out, f);
		return;
	}
	print_names(out, f);
	fputs(",...", out);
}

/* "-b, " before an argument that has a short name. */
static void print_letter(FILE *out, const struct command *cmd, const struct ctl_field *f)
{
	for (const struct letter *l = cmd->letters; l && l->letter; l++)
		if (!strcmp(l->name + 2, f->name))
			fprintf(out, "-%c, ", l->letter);
}

void args_print_command(FILE *out, const struct command *cmd)
{
	fputs("usage: posternctl [-s SOCKET] [--json] ", out);
	print_synopsis(out, cmd);
	fprintf(out, "\n%s\n", cmd->help);
	if (cmd->file)
		fputs("  FILE\n        to be written, or - for standard output\n", out);
	for (unsigned i = 0; i < cmd->args->n_fields; i++) {
		const struct ctl_field *f = &cmd->args->fields[i];

		fputs("  ", out);
		print_letter(out, cmd, f);
		fputs(has_place(cmd, f) ? "" : "--", out);
		if (!has_place(cmd, f))
			fprintf(out, "%s%s", f->name, f->kind == CTL_BOOL ? "" : " ");
		if (f->kind != CTL_BOOL)
			print_value(out, f);
		fprintf(out, "\n        %s\n", f->help);
	}
}

void args_print_usage(FILE *out)
{
	fputs("usage: posternctl [-s SOCKET] [--json] COMMAND [ARGUMENT]...\n"
	      "  -s, --socket SOCKET  control socket of the daemon; else $POSTERN_CONTROL\n"
	      "  --watch[=SECONDS]    show flows again and again, every 2 seconds or so many\n"
	      "  --json               print what the daemon returns, for programs\n"
	      "  -h, --help           this text, or that of a command\n"
	      "  -V, --version        print the version\n"
	      "commands:\n",
	      out);
	for (unsigned i = 0; commands[i]; i++) {
		fputs("  ", out);
		print_synopsis(out, commands[i]);
		fprintf(out, "\n        %s\n", commands[i]->help);
	}
}
