/* cli/cmd_doctor.c: posternctl doctor: the host, and the daemon if one is named. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/command.h"
#include "cli/doctor.h"
#include "ctl/ctl_member.h"

/* What is shown of a finding. */
struct diagnosis {
#define DIAGNOSIS_HAS_MEND 0x1u
	uint32_t has;
	const char *check;
	unsigned state; /* enum finding_state */
	const char *text, *mend;
};

static const char *const state_names[] = { "ok", "note", "problem", NULL };

static const struct ctl_field diagnosis_fields[] = {
	MEMBER(diagnosis, check, "check", CTL_TEXT),
	MEMBER(diagnosis, state, "state", CTL_CHOICE, .names = state_names),
	MEMBER(diagnosis, text, "text", CTL_TEXT),
	MEMBER(diagnosis, mend, "mend", CTL_TEXT, .has = DIAGNOSIS_HAS_MEND),
};
static MESSAGE(diagnosis);

struct doctor {
	struct command_run *run;
	unsigned n, n_problems;
};

static void show_text(FILE *out, const struct diagnosis *d)
{
	static const char *const marks[] = { "OK", "note", "PROBLEM" };
	char text[FINDING_TEXT * 4];

	fprintf(out, "%-8s %s: ", marks[d->state], text_escape(d->check, text, sizeof(text)));
	fprintf(out, "%s\n", text_escape(d->text, text, sizeof(text)));
	if (d->has & DIAGNOSIS_HAS_MEND)
		fprintf(out, "%-8s mend it: %s\n", "", d->mend);
}

static void show(struct doctor *d, const char *check, const struct finding *f)
{
	struct diagnosis g = { f->mend ? DIAGNOSIS_HAS_MEND : 0, check, f->state, f->text, f->mend };
	struct ctl_buf b = ctl_buf_init(FINDING_TEXT * 16);

	if (d->run->json) {
		fputs(d->n ? ", " : "", d->run->out);
		ctl_json_print(&b, &diagnosis_message, &g);
		fwrite(ctl_buf_text(&b), 1, ctl_buf_len(&b), d->run->out);
	} else {
		show_text(d->run->out, &g);
	}
	ctl_buf_free(&b);
	d->n++;
	d->n_problems += f->state == FINDING_PROBLEM;
}

static void check_host(struct doctor *d)
{
	struct doctor_host host;

	doctor_host_init(&host);
	for (size_t i = 0; i < n_doctor_checks; i++) {
		struct finding f = { .state = FINDING_OK };

		doctor_checks[i].check(&host, &f);
		show(d, doctor_checks[i].name, &f);
	}
}

/* A layer that is off is so by choice, or for lack of need. */
static void check_layers(struct doctor *d, const struct ctl_list *list)
{
	const struct ctl_layer *layers = list->items;

	for (size_t i = 0; i < list->n; i++) {
		const struct ctl_layer *l = &layers[i];
		bool is_applied = l->state == CTL_LAYER_APPLIED;
		bool is_missing = !is_applied && !strcmp(ctl_layer_state_names[l->state], "unavailable");
		struct finding f = { .state = is_applied ? FINDING_OK :
					      is_missing ? FINDING_PROBLEM :
							   FINDING_NOTE };
		char name[64];

		snprintf(name, sizeof(name), "sandbox %s", ctl_layer_names[l->layer]);
		snprintf(f.text, sizeof(f.text), "%s%s%s", ctl_layer_state_names[l->state],
			 l->has & CTL_LAYER_HAS_REASON ? ": " : "",
			 l->has & CTL_LAYER_HAS_REASON ? l->reason : "");
		show(d, name, &f);
	}
}

static void check_log(struct doctor *d, const struct ctl_list *list)
{
	const struct ctl_problem *problems = list->items;
	char ago[TEXT_MAX];

	for (size_t i = 0; i < list->n; i++) {
		struct finding f = { .state = FINDING_NOTE };

		if (!strcmp(problems[i].level, "error"))
			f.state = FINDING_PROBLEM;
		snprintf(f.text, sizeof(f.text), "%s ago: %s", text_duration(problems[i].age_ms, ago),
			 problems[i].text);
		show(d, problems[i].unit, &f);
	}
}

/* 0 or -1. */
static int check_daemon(struct doctor *d, char *error)
{
	static const struct ctl_nothing nothing;
	const struct ctl_value *value;
	struct ctl_status status;
	struct client client;
	struct ctl_doc *doc;
	int err;

	if (client_open(&client, d->run->socket, error))
		return -1;
	err = client_call(&client, "query-status", &ctl_nothing_message, &nothing, &doc, &value, error);
	client_close(&client);
	if (err)
		return -1;
	err = ctl_doc_decode(doc, value, &ctl_status_message, &status, NULL, error);
	if (!err) {
		check_layers(d, &status.sandbox);
		check_log(d, &status.problems);
	}
	ctl_doc_free(doc);
	return err;
}

static int run(struct command_run *r)
{
	struct doctor d = { .run = r };
	int err = 0;

	fputs(r->json ? "[" : "", r->out);
	check_host(&d);
	if (r->socket)
		err = check_daemon(&d, r->error);
	fputs(r->json ? "]\n" : "", r->out);
	return err || d.n_problems ? CLI_ERROR : EXIT_SUCCESS;
}

const struct command cmd_doctor = {
	.words = "doctor",
	.help = "what of the host costs the guest something, and how to mend it",
	.args = &ctl_nothing_message,
	.run_alone = run,
};
