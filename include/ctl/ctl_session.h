/* ctl/ctl_session.h: the protocol with one client: text in, text out; no socket.
 *
 * Sessions differ in the dialect that the client speaks: how requests and replies are written.
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
#define CTL_WORK_PER_TURN      64  /* units of work, see ctl_session.c, for all sessions */

enum ctl_authority { CTL_MAY_LOOK, CTL_MAY_CHANGE };

struct ctl_session;

struct ctl_dialect {
	size_t request_max; /* bytes of a request, and of requests that wait */
	bool takes_fds;	    /* some requests come with a descriptor */
	void (*greet)(struct ctl_session *s); /* NULL: the client speaks first */
	/* Takes the next request off the input, and begins its call or answers with an error; the
	 * cost, 0 when there is none yet. */
	unsigned (*next_request)(struct ctl_session *s);
	/* These write to s->out: the next element of a list, which is in s->result; the end of a call,
	 * and whether that was all of it; an error, of the call if there is one. */
	void (*item)(struct ctl_session *s);
	bool (*done)(struct ctl_session *s);
	void (*error)(struct ctl_session *s, const char *class, const char *desc);
};

extern const struct ctl_dialect ctl_dialect_qmp;   /* QEMU's Machine Protocol */
extern const struct ctl_dialect ctl_dialect_slirp; /* the API of slirp4netns(1) */

struct ctl_session {
	const struct ctl_dialect *dialect;
	const struct ctl_target *target;
	const struct ctl_info *info;
	enum ctl_authority authority;
	struct ctl_caller caller;
	bool negotiated;
	bool ended;   /* no more input will come */
	bool pending; /* there is work, or there may be */
	bool hangup;  /* nothing is answered any more: to be closed once `out` is taken */
	unsigned debt; /* units of work that were done beyond what was granted */
	struct ctl_buf in, out;
	struct ctl_subscriber subscriber; /* from the negotiation on */
	struct ctl_frame frame;
	struct ctl_call call;
	struct ctl_request request; /* of the call */
	void *result;		    /* likewise */
	void (*wake)(struct ctl_session *s); /* there is work without input; NULL: nobody minds */
	bool relisting;		    /* of ctl_dialect_slirp: the list comes once more */
};

/* Begins with the greeting in s->out.  What it points to must outlive it. */
void ctl_session_init(struct ctl_session *s, const struct ctl_dialect *dialect,
		      const struct ctl_target *target, const struct ctl_info *info,
		      enum ctl_authority authority);
void ctl_session_free(struct ctl_session *s);

/* How many bytes ctl_session_input() takes now. */
size_t ctl_session_room(const struct ctl_session *s);
void ctl_session_input(struct ctl_session *s, const char *text, size_t len);

/* Whether a call is under way, or input was not looked at yet. */
static inline bool ctl_session_is_busy(const struct ctl_session *s)
{
	return s->call.method || ctl_buf_len(&s->in) > s->frame.scanned;
}

/* The client will send no more. */
void ctl_session_end_input(struct ctl_session *s);

/* Whether a descriptor of the client is of any use, to be taken from it. */
static inline bool ctl_session_takes_fds(const struct ctl_session *s)
{
	return s->authority == CTL_MAY_CHANGE && s->dialect->takes_fds;
}

/* The client passes `fd`, which is taken over in the place of the one before. */
void ctl_session_take_fd(struct ctl_session *s, int fd);

/* Does up to about `units` of work, at least one step if there is any; a step that takes much more than
 * is usual is paid for with the units of the next calls, which do nothing then.  Afterwards s->pending
 * tells whether to call again. */
void ctl_session_work(struct ctl_session *s, unsigned units);

/* Puts an error into s->out that answers no request, and hangs up. */
void ctl_session_refuse(struct ctl_session *s, const char *desc);

/* For dialects. */

/* What a request costs, in units of work. */
unsigned ctl_session_cost(size_t len);

/* Prepares the call of s->call.method with the arguments of s->request, all of which are checked
 * before the method sees any; `noun` as for ctl_doc_decode().  0, or -errno with the reason in
 * s->call.error. */
int ctl_session_prepare(struct ctl_session *s, const char *noun);

/* Ends the call, if there is one, with an error. */
void ctl_session_fail(struct ctl_session *s, const char *class, const char *desc);

#endif
