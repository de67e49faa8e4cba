/* cli/cmd_metrics.c: posternctl metrics. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/metrics.h"
#include "ctl/ctl_member.h"

struct metrics_args {
#define METRICS_ARGS_HAS_OUTPUT 0x1u
#define METRICS_ARGS_HAS_GUEST	0x2u
	uint32_t has;
	const char *output, *guest;
};

static const struct ctl_field metrics_args_fields[] = {
	MEMBER(metrics_args, output, "output", CTL_TEXT, .has = METRICS_ARGS_HAS_OUTPUT,
	       .help = "write this file, in one go, instead of standard output"),
	MEMBER(metrics_args, guest, "guest", CTL_TEXT, .has = METRICS_ARGS_HAS_GUEST,
	       .help = "a name for the guest, which is a label of everything then"),
};
static MESSAGE(metrics_args);

/* Calls a method that takes nothing: the reply, to be freed, or NULL. */
static struct ctl_doc *ask(struct client *c, const char *method, const struct ctl_value **valuep,
			   char *error)
{
	static const struct ctl_nothing nothing;
	struct ctl_doc *doc;

	return client_call(c, method, &ctl_nothing_message, &nothing, &doc, valuep, error) ? NULL :
											      doc;
}

/* The counters of a reply to query-stats; 0 or -1. */
static int decode_counters(struct ctl_doc *doc, const struct ctl_value *array, struct metrics *m,
			   char *error)
{
	const struct ctl_value *v = NULL;
	struct ctl_counter *counters;
	size_t n = 0;

	while ((v = ctl_value_next(array, v)))
		n++;
	counters = ctl_doc_alloc(doc, n * sizeof(*counters));
	if (!counters) {
		snprintf(error, CTL_ERROR_MAX, "out of memory");
		return -1;
	}
	m->counters = counters;
	while ((v = ctl_value_next(array, v)))
		if (ctl_doc_decode(doc, v, &ctl_counter_message, &counters[m->n_counters++], NULL,
				   error))
			return -1;
	return 0;
}

/* Asks the daemon for all there is to show; 0 or -1. */
static int collect(struct client *c, const struct metrics_args *a, FILE *out, char *error)
{
	const struct ctl_value *status_value, *stats_value, *dns_value;
	struct ctl_doc *status_doc = ask(c, "query-status", &status_value, error);
	struct ctl_doc *stats_doc = status_doc ? ask(c, "query-stats", &stats_value, error) : NULL;
	struct ctl_doc *dns_doc = stats_doc ? ask(c, "query-dns", &dns_value, error) : NULL;
	struct ctl_status status;
	struct ctl_dns dns;
	struct metrics m = { .status = &status,
			     .dns = &dns,
			     .guest = a->has & METRICS_ARGS_HAS_GUEST ? a->guest : NULL,
			     .for_collector = a->has & METRICS_ARGS_HAS_OUTPUT };
	int err = -1;

	if (dns_doc &&
	    !ctl_doc_decode(status_doc, status_value, &ctl_status_message, &status, NULL, error) &&
	    !ctl_doc_decode(dns_doc, dns_value, &ctl_dns_message, &dns, NULL, error) &&
	    !decode_counters(stats_doc, stats_value, &m, error)) {
		metrics_print(out, &m);
		err = 0;
	}
	ctl_doc_free(status_doc);
	ctl_doc_free(stats_doc);
	ctl_doc_free(dns_doc);
	return err;
}

static int write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	for (; len; text += n, len -= (size_t)n) {
		n = write(fd, text, len);
		if (n < 0)
			return -1;
	}
	return 0;
}

/* The file is written under another name beside it, which ends otherwise than those that a collector
 * reads, and takes its place when it is whole.  Everybody may read it, as the umask allows. */
static int replace_file(const char *path, const char *text, size_t len, char *error)
{
	char temporary[PATH_MAX];
	mode_t mask = umask(0);
	int fd = -1, err;

	umask(mask);
	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) < (int)sizeof(temporary))
		fd = mkstemp(temporary);
	else
		errno = ENAMETOOLONG;
	err = fd < 0 || fchmod(fd, 0666 & ~mask) || write_all(fd, text, len) ||
	      rename(temporary, path);
	if (err)
		snprintf(error, CTL_ERROR_MAX, "cannot write '%.100s': %s", path, strerror(errno));
	if (err && fd >= 0)
		unlink(temporary);
	if (fd >= 0)
		close(fd);
	return err ? -1 : 0;
}

static int put(const struct metrics_args *a, const char *text, size_t len, FILE *out, char *error)
{
	if (a->has & METRICS_ARGS_HAS_OUTPUT)
		return replace_file(a->output, text, len, error);
	fwrite(text, 1, len, out);
	return 0;
}

static int run(struct client *client, const void *args, bool json, FILE *out,
	       char error[static CTL_ERROR_MAX])
{
	const struct metrics_args *a = args;
	size_t len = 0;
	char *text = NULL;
	FILE *memory;
	int err;

	if (json) {
		snprintf(error, CTL_ERROR_MAX, "metrics are text; 'stats --json' has the counters");
		return -1;
	}
	memory = open_memstream(&text, &len);
	snprintf(error, CTL_ERROR_MAX, "out of memory");
	err = memory ? collect(client, a, memory, error) : -1;
	if (memory && fclose(memory))
		err = -1;
	if (!err)
		err = put(a, text, len, out, error);
	free(text);
	return err;
}

const struct command cmd_metrics = {
	.words = "metrics",
	.help = "counters and state as OpenMetrics text, for Prometheus",
	.args = &metrics_args_message,
	.run = run,
};
