/* lib/ctl_talk.h: a talk with the control protocol, without a socket.
 *
 *	talk_start_negotiated();
 *	ck_assert_str_eq(talk_say("{\"execute\": \"query-flows\"}"), "{\"return\": []}\r\n");
 *	talk_stop();
 */
#ifndef TESTS_LIB_CTL_TALK_H
#define TESTS_LIB_CTL_TALK_H

#include "ctl/ctl_session.h"
#include "loop/loop.h"
#include "lib/fake_guest.h"

#define TALK_NEGOTIATE "{\"execute\": \"qmp_capabilities\"}"

extern struct fake_guest talk_guest;
extern struct ctl_session talk_session;
extern struct ctl_events talk_events;
extern struct loop_turns talk_turns;
extern unsigned talk_n_quits;
extern unsigned talk_n_files; /* that are open; 0: not known */
extern char talk_taken[]; /* what the client took last */

/* Begins and takes the greeting. */
void talk_start(enum ctl_authority authority);

/* Likewise, with authority, and negotiates. */
void talk_start_negotiated(void);

/* Begins in another dialect, which has no greeting. */
void talk_start_slirp(enum ctl_authority authority);
void talk_stop(void);

/* Hands text to the session, which does nothing yet. */
void talk_input(const char *text);

/* The client takes what waits for it, behind the first `len` bytes of talk_taken; how much
 * there is then. */
size_t talk_take_behind(size_t len);

/* Hands text over and does all the work; what there is to answer. */
const char *talk_say(const char *text);

/* The same at the end of the client's stream. */
const char *talk_end(void);

void talk_assert_contains(const char *text, const char *part);

/* The answer to `request` is exactly this error. */
void talk_assert_error(const char *request, const char *class, const char *desc);

/* How often `part` is in `text`. */
unsigned talk_count(const char *text, const char *part);

#endif
