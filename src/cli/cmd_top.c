/* cli/cmd_top.c: posternctl top: its arguments, and whether it has a terminal. */
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/top.h"
#include "cli/top_look.h"
#include "ctl/ctl_member.h"

#define DELAY_DEFAULT 2 /* seconds */

static const struct ctl_field top_args_fields[] = {
	MEMBER(top_args, batch, "batch", CTL_BOOL, .has = TOP_HAS_BATCH,
	       .help = "print text, as without a terminal"),
	MEMBER(top_args, rounds, "rounds", CTL_UINT, .has = TOP_HAS_ROUNDS, .min = 1,
	       .help = "end after so many samples"),
	MEMBER(top_args, delay, "delay", CTL_UINT, .has = TOP_HAS_DELAY, .min = 1, .max = TOP_DELAY_MAX,
	       .help = "seconds between samples; 2 without it"),
	MEMBER(top_args, sort, "sort", CTL_CHOICE, .names = top_sort_names, .has = TOP_HAS_SORT,
	       .help = "by rate, in, out, total, age, idle or id"),
	MEMBER(top_args, proto, "proto", CTL_CHOICE, .names = ctl_proto_names, .has = TOP_HAS_PROTO,
	       .help = "only flows of this protocol"),
	MEMBER(top_args, closed, "closed", CTL_BOOL, .has = TOP_HAS_CLOSED,
	       .help = "also flows that ended"),
};
MESSAGE(top_args);

uint64_t top_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

unsigned top_delay(const struct top_args *args)
{
	return args->has & TOP_HAS_DELAY ? (unsigned)args->delay : DELAY_DEFAULT;
}

struct top_model top_model_of(const struct top_args *args)
{
	return (struct top_model){ .sort = args->sort,
				   .by_proto = args->has & TOP_HAS_PROTO,
				   .proto = args->proto,
				   .closed = args->closed };
}

static int run(struct client *client, const void *args, bool json, FILE *out,
	       char error[static CTL_ERROR_MAX])
{
	const struct top_args *a = args;

	if (json) {
		snprintf(error, CTL_ERROR_MAX, "'top' is for people: 'flows' and 'stats' have JSON");
		return -1;
	}
	if (a->batch || !isatty(fileno(out)))
		return top_batch(client, a, out, error);
	return top_live(client, a, error);
}

const struct command cmd_top = {
	.words = "top",
	.help = "flows and rates, again and again, on a screen",
	.args = &top_args_message,
	.letters = (const struct letter[]){ { 'b', "--batch" }, { 'n', "--rounds" }, { 'd', "--delay" },
					    { 0 } },
	.run = run,
};
