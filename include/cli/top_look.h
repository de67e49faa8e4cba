/* cli/top_look.h: what the user of posternctl top has chosen with keys, and sees besides the rows.
 */
#ifndef CLI_TOP_LOOK_H
#define CLI_TOP_LOOK_H

#include "cli/top_model.h"

#define TOP_DELAY_MAX 3600 /* seconds */

/* Keys that are no characters. */
enum top_special_key {
	TOP_KEY_UP = 0x100,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ESCAPE,
	TOP_KEY_REDRAW
};

struct top_look {
	unsigned delay; /* seconds between samples */
	bool paused, help;
	bool addresses; /* of peers, in place of their names */
	size_t first;	/* the row at the top */
	size_t page;	/* rows that fit, as the screen says */
	uint64_t cursor; /* the flow that is marked; 0: none */
	size_t cursor_row;
	uint64_t asking;  /* the flow that the user shall say yes about; 0: none */
	uint64_t closing; /* the one that is to be closed, after TOP_DO_CLOSE */
	char message[CTL_ERROR_MAX];
	bool alarm; /* the message is of something that went wrong */
};

/* What a key asks the caller for. */
enum top_do {
	TOP_DO_DRAW,
	TOP_DO_SAMPLE, /* now, and not when it is time */
	TOP_DO_CLOSE,  /* look->closing */
	TOP_DO_REDRAW, /* all of the screen */
	TOP_DO_QUIT
};
enum top_do top_look_key(struct top_look *look, struct top_model *m, int key);

/* After the rows or the page have changed: the mark stays on its flow, or in its place when the flow
 * is gone; the rows shown follow it. */
void top_look_follow(struct top_look *look, const struct top_model *m);

/* The message; escaped here. */
void top_look_say(struct top_look *look, bool alarm, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The lines of help; NULL ends them. */
extern const char *const top_help[];

#endif
