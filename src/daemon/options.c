/* daemon/options.c: getopt_long and the help text, both driven by the table of options. */
#include "daemon/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "base/program.h"
#include "daemon/option_table.h"

#define ROWS_MAX       128
#define ROW_BASE       256 /* getopt's value for a row: out of the way of '?' and ':' */
#define REFUSED_BASE   (ROW_BASE + ROWS_MAX)
#define HELP_COLUMN    32
#define HELP_WIDTH     80
#define PRIVATE_PREFIX 0x0a000200u /* 10.0.2.0/24 */

static const struct option_row *row_of_letter(int letter)
{
	for (unsigned i = 0; i < n_option_rows; i++)
		if (option_rows[i].letter == letter)
			return &option_rows[i];
	return NULL;
}

/* The number of the row that an option has its meaning from: getopt takes an abbreviation of both
 * for the one that they are. */
static unsigned meaning_of(unsigned i)
{
	for (unsigned k = 0; option_rows[i].same_as && k < n_option_rows; k++)
		if (!strcmp(option_rows[i].same_as, option_rows[k].name))
			return k;
	return i;
}

static int argument_of(const struct option_row *row)
{
	if (!row->argument)
		return no_argument;
	return *row->argument == '[' ? optional_argument : required_argument;
}

static char *add_letter(char *letters, char letter, bool argument)
{
	if (letter)
		*letters++ = letter;
	if (letter && argument)
		*letters++ = ':';
	return letters;
}

static void make_getopt_tables(char *letters, struct option *names)
{
	*letters++ = '+'; /* arguments that are no options end the options */
	*letters++ = ':'; /* a missing value is told from an unknown option */
	for (unsigned i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];

		*names++ = (struct option){ row->name, argument_of(row), NULL,
					    (int)(ROW_BASE + meaning_of(i)) };
		letters = add_letter(letters, row->letter, row->argument);
	}
	for (unsigned i = 0; i < n_options_refused; i++) {
		const struct option_refused *r = &options_refused[i];

		*names++ = (struct option){ r->name, r->argument ? required_argument : no_argument,
					    NULL, (int)(REFUSED_BASE + i) };
		letters = add_letter(letters, r->letter, r->argument);
	}
	*letters = '\0';
	*names = (struct option){ 0 };
}

static int explain(const struct option_row *row, const char *value, int err, char *reason,
		   size_t max)
{
	if (err == -E2BIG)
		snprintf(reason, max, "--%s '%s' is one too many", row->name, value);
	else if (err == -ENOMEM)
		snprintf(reason, max, "out of memory");
	else if (row->expects)
		snprintf(reason, max, "--%s '%s' is not %s", row->name, value, row->expects);
	else
		snprintf(reason, max, "--%s '%s' is not a number from %u to %u", row->name,
			 value, row->min, row->max);
	return err;
}

/* Whether the long option `word` is the beginning of several. */
static bool is_ambiguous(const char *word)
{
	size_t len = strcspn(word, "=");
	unsigned n = 0;

	for (unsigned i = 0; i < n_option_rows; i++)
		n += !strncmp(option_rows[i].name, word, len);
	for (unsigned i = 0; i < n_options_refused; i++)
		n += !strncmp(options_refused[i].name, word, len);
	return n > 1;
}

/* Tells what getopt disliked; `optopt` is the option's value in the tables, 0 for a long one
 * that they do not have. */
static void explain_getopt(int got, char **argv, char *reason, size_t max)
{
	const char *name = optopt >= REFUSED_BASE ? options_refused[optopt - REFUSED_BASE].name
			   : optopt >= ROW_BASE	  ? option_rows[optopt - ROW_BASE].name
						  : NULL;
	const char *word = argv[optind - 1];

	if (got == ':' && name)
		snprintf(reason, max, "option '--%s' needs a value", name);
	else if (got == ':')
		snprintf(reason, max, "option '-%c' needs a value", optopt);
	else if (name)
		snprintf(reason, max, "option '--%s' takes no value", name);
	else if (optopt)
		snprintf(reason, max, "unknown option '-%c'", optopt);
	else
		snprintf(reason, max, "%s option '%s'",
			 is_ambiguous(word + 2) ? "ambiguous" : "unknown", word);
}

static const struct option_refused *refused_of(int got)
{
	if (got >= REFUSED_BASE)
		return &options_refused[got - REFUSED_BASE];
	for (unsigned i = 0; i < n_options_refused; i++)
		if (options_refused[i].letter && options_refused[i].letter == got)
			return &options_refused[i];
	return NULL;
}

static int explain_usage(int got, char **argv, char *reason, size_t max)
{
	const struct option_refused *r = refused_of(got);

	if (r)
		snprintf(reason, max, "--%s is refused: %s", r->name, r->reason);
	else if (got == -1)
		snprintf(reason, max, "unexpected argument '%.256s'", argv[optind]);
	else
		explain_getopt(got, argv, reason, max);
	return OPTIONS_USAGE;
}

static void set_defaults(struct conf *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	c->ip4.private_prefix = addr_ip4(PRIVATE_PREFIX);
	c->ip4.private_prefix_len = 24;
	c->ip6.private_prefix = (struct addr){ .b = { 0xfd } }; /* RFC 4193: fd00::/64 */
	c->ip6.private_prefix_len = 64;
	for (unsigned i = 0; i < n_option_rows; i++)
		if (option_rows[i].initial &&
		    option_rows[i].set(c, &option_rows[i], option_rows[i].initial))
			assert(!"a default that its own option refuses");
	c->mtu_set = false;
}

static int parse_options(struct settings *s, int argc, char **argv, char *reason, size_t max)
{
	char letters[2 * ROWS_MAX + 3];
	struct option names[ROWS_MAX + 1];
	int got;

	assert(n_option_rows + n_options_refused <= ROWS_MAX);
	make_getopt_tables(letters, names);
	optind = 0; /* so that getopt forgets an earlier command line */
	opterr = 0;
	while ((got = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		const struct option_row *row;

		if (got == '?' || got == ':' || refused_of(got))
			return explain_usage(got, argv, reason, max);
		row = got >= ROW_BASE ? &option_rows[got - ROW_BASE] : row_of_letter(got);
		if (!strcmp(row->name, "help"))
			return OPTIONS_HELP;
		if (!strcmp(row->name, "version"))
			return OPTIONS_VERSION;
		if (settings_add(s, row, optarg))
			return explain(row, optarg, -ENOMEM, reason, max);
	}
	return optind < argc ? explain_usage(-1, argv, reason, max) : OPTIONS_RUN;
}

int options_apply(const struct settings *s, struct conf *c, char *reason, size_t reason_max)
{
	set_defaults(c);
	for (unsigned i = 0; i < s->n; i++) {
		const struct option_row *row = s->all[i].row;
		int rc = row->set(c, row, s->all[i].value);

		if (rc)
			return explain(row, s->all[i].value, rc, reason, reason_max);
	}
	return conf_validate(c, reason, reason_max);
}

int options_parse(struct settings *s, struct conf *c, int argc, char **argv, char *reason,
		  size_t reason_max)
{
	int outcome = parse_options(s, argc, argv, reason, reason_max), rc;

	set_defaults(c);
	if (outcome != OPTIONS_RUN)
		return outcome;
	rc = options_apply(s, c, reason, reason_max);
	return rc ? rc : OPTIONS_RUN;
}

const struct option_row *options_find(const char *name)
{
	for (unsigned i = 0; i < n_option_rows; i++)
		if (!strcmp(option_rows[i].name, name))
			return &option_rows[meaning_of(i)];
	return NULL;
}

/* The package in parentheses where the program's name is another (GNU Coding Standards 4.8.1). */
void options_print_version(FILE *out)
{
	fprintf(out, "%s %s%s\n", program_name(), program_is_passt() ? "(postern) " : "",
		POSTERN_VERSION);
}

void options_print_hint(FILE *out)
{
	fprintf(out, "Try '%s --help'.\n", program_name());
}

/* Prints words from HELP_COLUMN on, where `column` is where the line stands now. */
static void print_wrapped(FILE *out, const char *text, int column)
{
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column < HELP_COLUMN)
			column += fprintf(out, "%*s", HELP_COLUMN - column, "");
		else if (column + 1 + len > HELP_WIDTH || column == HELP_WIDTH)
			column = fprintf(out, "\n%*s", HELP_COLUMN, "") - 1;
		else if (column > HELP_COLUMN)
			column += fprintf(out, " ");
		column += fprintf(out, "%.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fprintf(out, "\n");
}

static void print_row(FILE *out, const struct option_row *row)
{
	char help[512];
	int column = row->letter ? fprintf(out, "  -%c, --%s", row->letter, row->name)
				 : fprintf(out, "      --%s", row->name);

	if (row->argument && *row->argument == '[')
		column += fprintf(out, "[=%s", row->argument + 1);
	else if (row->argument)
		column += fprintf(out, " %s", row->argument);
	if (column >= HELP_COLUMN) {
		fprintf(out, "\n");
		column = 0;
	}
	if (row->initial)
		snprintf(help, sizeof(help), "%s [%s]", row->help, row->initial);
	else
		snprintf(help, sizeof(help), "%s", row->help);
	print_wrapped(out, help, column);
}

void options_print_help(FILE *out)
{
	fprintf(out,
		"Usage: %s [OPTION]...\n"
		"Gives a QEMU guest its network from user space.  Defaults stand in "
		"brackets.\n",
		program_name());
	for (unsigned i = 0; i < n_option_rows; i++) {
		if (option_rows[i].section)
			fprintf(out, "\n%s:\n", option_rows[i].section);
		print_row(out, &option_rows[i]);
	}
}
