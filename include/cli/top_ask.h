/* cli/top_ask.h: asks the daemon for the samples of posternctl top, a step at a time, so that
 * keys are heard while it thinks.
 */
#ifndef CLI_TOP_ASK_H
#define CLI_TOP_ASK_H

#include "cli/client.h"
#include "cli/top_model.h"

enum top_step {
	TOP_STEP_NONE, /* nothing is asked */
	TOP_STEP_HELLO,
	TOP_STEP_QUIET, /* no events, which nobody reads between two samples */
	TOP_STEP_STATUS,
	TOP_STEP_COUNTERS,
	TOP_STEP_FLOWS,
	TOP_STEP_ENDED,
	TOP_STEP_CLOSE
};

struct top_ask {
	struct client *client;
	enum top_step step;	  /* whose reply is awaited */
	bool quiet;		  /* the daemon sends no events any more */
	bool ended;		  /* flows that ended are wanted as well */
	struct top_sample sample; /* as far as it is known */
	uint64_t after;		  /* the flow listed last */
	uint64_t close_id;	  /* to be closed at the next chance; 0: none */
	char error[CTL_ERROR_MAX];
};

enum top_answer {
	TOP_ANSWER_NONE,    /* more has to come */
	TOP_ANSWER_SAMPLE,  /* `sample` is whole, and the caller's */
	TOP_ANSWER_CLOSED,  /* the flow is */
	TOP_ANSWER_REFUSED, /* `error`; what was asked is over */
	TOP_ANSWER_FAILED   /* likewise, and so is the connection, which is closed */
};

/* Connects anew, after a failure; asks for a sample, when nothing else is asked.  TOP_ANSWER_NONE or
 * TOP_ANSWER_FAILED. */
enum top_answer top_ask_connect(struct top_ask *a, const char *path);
enum top_answer top_ask_sample(struct top_ask *a);

/* Asks for the end of the flow, now or behind what is asked already. */
enum top_answer top_ask_close_flow(struct top_ask *a, uint64_t id);

/* Reads when there is something. */
enum top_answer top_ask_read(struct top_ask *a);

/* Gives up what is asked, and the connection. */
void top_ask_give_up(struct top_ask *a);

#endif
