/* cli/top_view.h: the screen of posternctl top, and its keys.  There is one. */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include "cli/top_look.h"

/* Takes the terminal that standard input and output are.  0, or -1 with the reason in `error`. */
int top_view_open(bool colours, char error[static CTL_ERROR_MAX]);

/* Gives it back as it was. */
void top_view_close(void);

/* Draws what has changed, or all; look->page becomes what fits. */
void top_view_draw(const struct top_model *m, struct top_look *look);
void top_view_redraw(void);

/* The terminal has another size now. */
void top_view_resize(void);

/* The next key that was pressed: a character, or of enum top_special_key; -1 when there is none. */
int top_view_key(void);

#endif
