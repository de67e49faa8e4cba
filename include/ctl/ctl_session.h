/* ctl/ctl_session.h: the protocol with one client: text in, text out; no socket.
 *
 * Requests are answered in their order, one at a time.  Work is done in portions, so that a
 * list of any length costs the loop no more than a short one, and none of it while the client
 * does not take what there is for it.
 */
#ifndef CTL_CTL_SESSION_H
#define CTL_CTL_SESSION_H

#include "ctl/ctl_event.h"
#include "ctl/ctl_frame.h"
#include "ctl/ctl_method.h"

#define CTL_REQUEST_MAX	       (64 * 1024)   /* bytes of a request, and of requests that wait */
#define CTL_REQUEST_COMMAS_MAX 4096	     /* of a request */
#define CTL_BACKLOG_STOP       (64 * 1024)   /* bytes untaken: nothing more is answered */
#define CTL_BACKLOG_MAX	       (1024 * 1024) /* bytes untaken: the client is cut off */
#define CTL_WORK_PER_TURN      256 /* units of work, see ctl_session.c, for all sessions */

enum ctl_authority { CTL_MAY_LOOK, CTL_MAY_CHANGE };

struct ctl_session {
	const struct ctl_target *target;
	const struct ctl_info *info;
	enum ctl_authority authority;
	bool negotiated;
	bool pending; /* there is work, or there may be */
	bool hangup;  /* nothing is answered any more: to be closed once `out` is taken */
	struct ctl_buf in, out;
	struct ctl_subscriber subscriber; /* from the negotiation on */
	struct ctl_frame frame;
	struct ctl_call call;
	struct ctl_request request; /* of the call */
	void *result;		    /* likewise */
	void (*wake)(struct ctl_session *s); /* there is work without input; NULL: nobody minds */
};

/* Begins with the greeting in s->out.  What it points to must outlive it. */
void ctl_session_init(struct ctl_session *s, const struct ctl_target *target,
		      const struct ctl_info *info, enum ctl_authority authority);
void ctl_session_free(struct ctl_session *s);

/* How many bytes ctl_session_input() takes now. */
size_t ctl_session_room(const struct ctl_session *s);
void ctl_session_input(struct ctl_session *s, const char *text, size_t len);

/* Does up to about `units` of work; at least one step if there is any.  Afterwards s->pending
 * tells whether to call again. */
void ctl_session_work(struct ctl_session *s, unsigned units);

/* Puts an error into s->out that answers no request, and hangs up. */
void ctl_session_refuse(struct ctl_session *s, const char *desc);

#endif
