/* ctl/ctl_event.h: hears what happens in the daemon and tells it to the sessions that want it.
 *
 * Nobody is waited for: each session has a bounded buffer, and loses, with a count, what does
 * not fit.  What can come in storms is told at once the first time, then once a second with a
 * count.  Clients and leases come and go: what is told of them last is what happened last.
 */
#ifndef CTL_CTL_EVENT_H
#define CTL_CTL_EVENT_H

#include "base/log.h"
#include "ctl/ctl_buf.h"
#include "ctl/ctl_event_msg.h"
#include "ctl/ctl_show.h"
#include "proto/event.h"

#define CTL_EVENTS_ALL	  ((1u << N_EVENTS) - 1) /* bits of all kinds */
#define CTL_EVENTS_MAX	  (128 * 1024)		 /* bytes that wait for a session */
#define CTL_PROBLEMS_KEPT 16
#define CTL_PROBLEM_TEXT  256

/* An event that may come in storms: when it may be told next, and how often it happened since
 * it was told last. */
struct ctl_storm {
	uint64_t due_ns, held;
};

#define CTL_LIFE_KINDS 3

/* The last event of a kind that a guest can cause as often as it likes. */
struct ctl_held {
	struct ctl_storm storm;
	uint64_t order; /* among the events of its life */
	pid_t pid;
	const char *reason;
	struct lease lease;
};

/* Kinds of events that follow from each other. */
struct ctl_life {
	enum event_kind first;
	struct ctl_held kinds[CTL_LIFE_KINDS]; /* from `first` on */
	uint64_t n;			       /* events, ever */
};

/* An error or a warning that was logged. */
struct ctl_problem_record {
	uint64_t at_ns;
	enum log_level level;
	enum log_unit unit;
	char text[CTL_PROBLEM_TEXT];
};

/* What happens in one daemon, and the sessions that may want to know. */
struct ctl_events {
	struct env *env;
	struct list subscribers;
	uint64_t announced; /* the id of the flow that was told of last */
	struct ctl_storm limits[N_LIMITS], drops[N_DROPS], guest;
	struct ctl_storm forwards[2]; /* that failed: ports, and clients of them */
	struct event_forward last_forwards[2];
	struct ctl_life client, lease4, lease6;
	struct timer timer;		   /* armed while a storm is held back */
	struct ctl_problem_record problems[CTL_PROBLEMS_KEPT];
	uint64_t n_problems; /* ever; the newest is problems[(n_problems - 1) %
				CTL_PROBLEMS_KEPT] */
	uint64_t n_errors; /* of them */
	uint64_t n_told;   /* events that somebody wanted */
	uint64_t n_summed; /* that the count of a later one has */
	uint64_t n_lost;   /* that found no room, of each session */
	struct ctl_buf text;
};

/* What one session wants, and what waits for it. */
struct ctl_subscriber {
	struct list link; /* of ctl_events.subscribers */
	struct ctl_events *events;
	uint32_t kinds; /* bits by enum event_kind */
	struct ctl_flow_filter flows;
	struct ctl_buf text;
	uint64_t lost; /* events that found no room in it since it was taken last */
	void (*wake)(struct ctl_subscriber *s); /* something waits now; NULL: nobody minds */
};

/* Listens to `env` and to the log.  `env` must outlive it. */
void ctl_events_init(struct ctl_events *ev, struct env *env);

/* No subscriber may be left. */
void ctl_events_free(struct ctl_events *ev);

/* Tells of flows that were opened in this turn of the loop. */
void ctl_events_turn(struct ctl_events *ev);

/* From here on it hears of all but flows.  It must not move afterwards. */
void ctl_subscriber_init(struct ctl_subscriber *s, struct ctl_events *ev);
void ctl_subscriber_free(struct ctl_subscriber *s);

/* Chooses anew. */
void ctl_subscriber_choose(struct ctl_subscriber *s, uint32_t kinds,
			   const struct ctl_flow_filter *flows);

/* Moves what waits to the end of `out`, then how much was lost, as an event of its own. */
void ctl_subscriber_take(struct ctl_subscriber *s, struct ctl_buf *out);

static inline bool ctl_subscriber_waits(const struct ctl_subscriber *s)
{
	return ctl_buf_len(&s->text) || s->lost;
}

#endif
