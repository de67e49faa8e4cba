/* ctl/ctl_event.c: from what happens to the text that subscribers get. */
#include "ctl/ctl_event.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl_capture_msg.h"
#include "ctl/ctl_json.h"
#include "proto/capture.h"

#define EVENT_MAX  8192 /* bytes of one: names and lists in it are bounded */
#define FLOW_KINDS (1u << EVENT_FLOW_OPENED | 1u << EVENT_FLOW_CLOSED)

/* The text of an event, into `out`. */
static void print_event(struct ctl_buf *out, const char *name, const struct ctl_message *m,
			const void *data)
{
	struct timespec now;
	char text[96];

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof(text),
		 "{\"timestamp\": {\"seconds\": %lld, \"microseconds\": %ld}, ",
		 (long long)now.tv_sec, now.tv_nsec / 1000);
	ctl_buf_puts(out, text);
	snprintf(text, sizeof(text), "\"event\": \"%s\", \"data\": ", name);
	ctl_buf_puts(out, text);
	ctl_json_print(out, m, data);
	ctl_buf_puts(out, "}\r\n");
}

static void give(struct ctl_subscriber *s, const struct ctl_buf *text)
{
	size_t len = ctl_buf_len(text);

	if (!text->failed && !s->lost && len <= s->text.max - ctl_buf_len(&s->text)) {
		ctl_buf_append(&s->text, ctl_buf_text(text), len);
	} else {
		s->lost++;
		s->events->n_lost++;
	}
	if (s->wake)
		s->wake(s);
}

static bool wants(const struct ctl_subscriber *s, enum event_kind kind, const struct flow *flow)
{
	return s->kinds & 1u << kind &&
	       (!flow || ctl_flow_filter_matches(&s->flows, flow));
}

/* The text is made once, and only if somebody wants it.  `flow`: what it is about, or NULL. */
static void post(struct ctl_events *ev, enum event_kind kind, const struct flow *flow,
		 const void *data)
{
	ctl_buf_consume(&ev->text, ctl_buf_len(&ev->text));
	ev->text.failed = false;
	for (struct list *l = ev->subscribers.next; l != &ev->subscribers; l = l->next) {
		struct ctl_subscriber *s = container_of(l, struct ctl_subscriber, link);

		if (!wants(s, kind, flow))
			continue;
		if (!ctl_buf_len(&ev->text))
			print_event(&ev->text, ctl_event_names[kind], ctl_event_data[kind],
				    data);
		give(s, &ev->text);
	}
	ev->n_told += ctl_buf_len(&ev->text) > 0;
}

/* Storms */

static void post_limit(struct ctl_events *ev, unsigned limit, uint64_t count)
{
	post(ev, EVENT_LIMIT_REACHED, NULL,
	     &(struct ctl_event_count){ limit_name((enum limit)limit), count });
}

static void post_drop(struct ctl_events *ev, unsigned reason, uint64_t count)
{
	post(ev, EVENT_FRAMES_DROPPED, NULL,
	     &(struct ctl_event_count){ drop_name((enum drop)reason), count });
}

static void post_forward(struct ctl_events *ev, unsigned which, uint64_t count)
{
	const struct event_forward *f = &ev->last_forwards[which];
	struct ctl_event_forward data = {
		.id = f->id, .client = f->client, .reason = f->reason, .count = count
	};

	ctl_show_forward_port(&f->port, f->error, &data.where);
	data.where.has |= (f->id ? CTL_EVENT_FORWARD_HAS_ID : 0) |
			  (f->has_client ? CTL_EVENT_FORWARD_HAS_CLIENT : 0);
	post(ev, EVENT_FORWARD_FAILED, NULL, &data);
}

/* A guest may have many hardware addresses: the last one counts. */
static void post_guest(struct ctl_events *ev, unsigned unused, uint64_t count)
{
	post(ev, EVENT_GUEST_SEEN, NULL,
	     &(struct ctl_event_guest){ ev->env->guest.mac, count });
}

typedef void post_storm_fn(struct ctl_events *ev, unsigned which, uint64_t count);

/* Takes what is told of now. */
static uint64_t take_held(struct ctl_events *ev, struct ctl_storm *s)
{
	uint64_t count = s->held;

	ev->n_summed += count - 1;
	s->held = 0;
	s->due_ns = ev->env->now_ns + NS_PER_SEC;
	return count;
}

/* It happened once more. */
static void storm(struct ctl_events *ev, struct ctl_storm *s, post_storm_fn *tell,
		  unsigned which)
{
	s->held++;
	if (ev->env->now_ns < s->due_ns) {
		timerq_set_earlier(&ev->env->timers, &ev->timer, s->due_ns);
		return;
	}
	tell(ev, which, take_held(ev, s));
}

/* What was held back is told now, or waits for its time. */
static void storm_over(struct ctl_events *ev, struct ctl_storm *s, post_storm_fn *tell,
		       unsigned which)
{
	if (!s->held)
		return;
	s->held--;
	storm(ev, s, tell, which);
}

/* Lives */

static void post_client(struct ctl_events *ev, enum event_kind kind, const struct ctl_held *h,
			uint64_t count)
{
	post(ev, kind, NULL,
	     &(struct ctl_event_client){ .has = (h->pid ? CTL_EVENT_CLIENT_HAS_PID : 0) |
						(h->reason ? CTL_EVENT_CLIENT_HAS_REASON : 0),
					 .pid = (uint64_t)h->pid,
					 .reason = h->reason,
					 .count = count });
}

static void post_lease(struct ctl_events *ev, enum event_kind kind, const struct ctl_held *h,
		       uint64_t count)
{
	struct ctl_event_lease data = { .has = h->reason ? CTL_EVENT_LEASE_HAS_REASON : 0,
					.reason = h->reason,
					.count = count };
	char id[CTL_LEASE_ID_TEXT];

	ctl_show_lease(&h->lease, ev->env->now_ns, id, &data.lease);
	post(ev, kind, NULL, &data);
}

static void post_held(struct ctl_events *ev, struct ctl_life *life, struct ctl_held *h)
{
	enum event_kind kind = (enum event_kind)(life->first + (h - life->kinds));

	(life == &ev->client ? post_client : post_lease)(ev, kind, h, take_held(ev, &h->storm));
}

/* What is held back of a life and happened first; NULL: nothing is. */
static struct ctl_held *first_held(struct ctl_life *life)
{
	struct ctl_held *first = NULL;

	for (unsigned i = 0; i < CTL_LIFE_KINDS; i++) {
		struct ctl_held *h = &life->kinds[i];

		if (h->storm.held && (!first || h->order < first->order))
			first = h;
	}
	return first;
}

/* When all that is held back may be told, in its order. */
static uint64_t life_due_ns(const struct ctl_life *life)
{
	uint64_t due_ns = 0;

	for (unsigned i = 0; i < CTL_LIFE_KINDS; i++)
		if (life->kinds[i].storm.held && life->kinds[i].storm.due_ns > due_ns)
			due_ns = life->kinds[i].storm.due_ns;
	return due_ns;
}

/* Told at once, unless one like it, or one before it, waits for its time. */
static void lived(struct ctl_events *ev, struct ctl_life *life, const struct event *e)
{
	struct ctl_held *h = &life->kinds[e->kind - life->first];
	bool waits = first_held(life) || ev->env->now_ns < h->storm.due_ns;

	h->storm.held++;
	h->order = ++life->n;
	h->pid = e->kind == EVENT_CLIENT_CONNECTED ? ev->env->guest.client_pid : 0;
	h->reason = e->reason;
	if (e->lease)
		h->lease = *e->lease;
	if (waits)
		timerq_set_earlier(&ev->env->timers, &ev->timer, life_due_ns(life));
	else
		post_held(ev, life, h);
}

/* What was held back is told now, or waits for its time. */
static void life_over(struct ctl_events *ev, struct ctl_life *life)
{
	struct ctl_held *h;
	uint64_t due_ns = life_due_ns(life);

	if (ev->env->now_ns < due_ns)
		timerq_set_earlier(&ev->env->timers, &ev->timer, due_ns);
	else
		while ((h = first_held(life)))
			post_held(ev, life, h);
}

static void storms_due(struct timer *t, void *ctx)
{
	struct ctl_events *ev = container_of(t, struct ctl_events, timer);

	for (unsigned i = 0; i < N_LIMITS; i++)
		storm_over(ev, &ev->limits[i], post_limit, i);
	for (unsigned i = 0; i < N_DROPS; i++)
		storm_over(ev, &ev->drops[i], post_drop, i);
	for (unsigned i = 0; i < 2; i++)
		storm_over(ev, &ev->forwards[i], post_forward, i);
	storm_over(ev, &ev->guest, post_guest, 0);
	life_over(ev, &ev->client);
	life_over(ev, &ev->lease4);
	life_over(ev, &ev->lease6);
}

/* Kinds of events */

static void tell_network(struct ctl_events *ev, const struct event *e)
{
	const char *search[CONF_SEARCH_MAX];
	struct ctl_network data;

	ctl_show_network(ev->env->net, search, &data);
	post(ev, e->kind, NULL, &data);
}

static void tell_config(struct ctl_events *ev, const struct event_config *e)
{
	static const char *const on[] = { "on" };
	struct ctl_config_set data = { e->option, { e->values, e->n } };

	if (e->n && !e->values[0])
		data.values.items = on;
	post(ev, EVENT_CONFIG_CHANGED, NULL, &data);
}

static void tell_capture(struct ctl_events *ev, const struct event *e)
{
	const struct capture_spec *spec;
	const struct capture_status *s =
		captures_next(ev->env->captures, e->capture - 1, &spec);
	char addr[CTL_PREFIX_TEXT];
	struct ctl_capture data;

	ctl_show_capture(s, spec, ev->env->now_ns, addr, &data);
	post(ev, e->kind, NULL, &data);
}

static void hear(void *listener, const struct event *e)
{
	struct ctl_events *ev = listener;

	switch (e->kind) {
	case EVENT_CLIENT_CONNECTED:
	case EVENT_CLIENT_DISCONNECTED:
		lived(ev, &ev->client, e);
		break;
	case EVENT_GUEST_SEEN:
		storm(ev, &ev->guest, post_guest, 0);
		break;
	case EVENT_LEASE_GRANTED:
	case EVENT_LEASE_RENEWED:
	case EVENT_LEASE_ENDED:
		lived(ev, addr_is_ip4(&e->lease->addr) ? &ev->lease4 : &ev->lease6, e);
		break;
	case EVENT_NETWORK_CHANGED:
	case EVENT_RESOLVERS_CHANGED:
		tell_network(ev, e);
		break;
	case EVENT_FORWARD_FAILED:
		ev->last_forwards[e->forward->has_client] = *e->forward;
		storm(ev, &ev->forwards[e->forward->has_client], post_forward,
		      e->forward->has_client);
		break;
	case EVENT_LIMIT_REACHED:
		storm(ev, &ev->limits[e->limit], post_limit, e->limit);
		break;
	case EVENT_FRAMES_DROPPED:
		storm(ev, &ev->drops[e->drop], post_drop, e->drop);
		break;
	case EVENT_CONFIG_CHANGED:
		tell_config(ev, e->config);
		break;
	case EVENT_CAPTURE_STARTED:
	case EVENT_CAPTURE_ENDED:
		tell_capture(ev, e);
		break;
	case EVENT_SHUTDOWN:
		post(ev, e->kind, NULL, &(struct ctl_nothing){ 0 });
		break;
	case EVENT_FLOW_OPENED: /* these are not told of, but heard from the table and the log
				 */
	case EVENT_FLOW_CLOSED:
	case EVENT_WARNING:
	case N_EVENTS:
		break;
	}
}

static const struct event_ops event_ops = { hear };

/* Flows */

static void announce(struct ctl_events *ev, const struct flow *f)
{
	struct ctl_flow data;

	ev->announced = f->id;
	ctl_show_flow(ev->env, f, &data);
	post(ev, EVENT_FLOW_OPENED, f, &data);
}

void ctl_events_turn(struct ctl_events *ev)
{
	const struct flow *f;

	if (event_is_wanted(ev->env, EVENT_FLOW_OPENED))
		while ((f = flow_table_next(&ev->env->flows, ev->announced)))
			announce(ev, f);
}

/* A flow may end in the turn in which it was opened: it is told of in its place. */
static void announce_up_to(struct ctl_events *ev, const struct flow *last)
{
	const struct flow *f;

	while ((f = flow_table_next(&ev->env->flows, ev->announced)) && f->id < last->id)
		announce(ev, f);
	announce(ev, last);
}

static void flow_removed(void *ctx, const struct flow *f, const struct flow_closed *closed)
{
	struct ctl_events *ev = ctx;
	struct ctl_flow data;

	if (f->id > ev->announced && event_is_wanted(ev->env, EVENT_FLOW_OPENED))
		announce_up_to(ev, f);
	ctl_show_closed_flow(closed, ev->env->now_ns, &data);
	post(ev, EVENT_FLOW_CLOSED, f, &data);
}

/* The log */

static void warned(void *ctx, enum log_level level, enum log_unit unit, const char *line)
{
	struct ctl_events *ev = ctx;
	struct ctl_problem_record *p = &ev->problems[ev->n_problems++ % CTL_PROBLEMS_KEPT];

	ev->n_errors += level == LOG_LEVEL_ERROR;
	*p = (struct ctl_problem_record){ .at_ns = ev->env->now_ns,
					  .level = level,
					  .unit = unit };
	snprintf(p->text, sizeof(p->text), "%s", line);
	post(ev, EVENT_WARNING, NULL,
	     &(struct ctl_event_warning){ log_level_name(level), log_unit_name(unit), line });
}

void ctl_events_init(struct ctl_events *ev, struct env *env)
{
	*ev = (struct ctl_events){ .env = env,
				   .timer = { .fire = storms_due },
				   .client.first = EVENT_CLIENT_CONNECTED,
				   .lease4.first = EVENT_LEASE_GRANTED,
				   .lease6.first = EVENT_LEASE_GRANTED,
				   .text = ctl_buf_init(EVENT_MAX) };
	list_init(&ev->subscribers);
	env->event_ops = &event_ops;
	env->listener = ev;
	log_set_observer(warned, ev);
}

void ctl_events_free(struct ctl_events *ev)
{
	assert(list_empty(&ev->subscribers));
	log_set_observer(NULL, NULL);
	timerq_cancel(&ev->env->timers, &ev->timer);
	ctl_buf_free(&ev->text);
}

/* Subscribers */

/* Those who tell need to know whether somebody listens at all. */
static void update_wanted(struct ctl_events *ev)
{
	struct flow_table *flows = &ev->env->flows;
	uint32_t kinds = 0;

	for (struct list *l = ev->subscribers.next; l != &ev->subscribers; l = l->next)
		kinds |= container_of(l, struct ctl_subscriber, link)->kinds;
	if (kinds & ~ev->env->events_wanted & 1u << EVENT_FLOW_OPENED)
		ev->announced = flows->next_id - 1;
	ev->env->events_wanted = kinds;
	flows->removed = kinds & FLOW_KINDS ? flow_removed : NULL;
	flows->removed_ctx = ev;
}

void ctl_subscriber_init(struct ctl_subscriber *s, struct ctl_events *ev)
{
	*s = (struct ctl_subscriber){ .events = ev,
				      .kinds = CTL_EVENTS_ALL & ~FLOW_KINDS,
				      .text = ctl_buf_init(CTL_EVENTS_MAX) };
	list_append(&ev->subscribers, &s->link);
	update_wanted(ev);
}

void ctl_subscriber_free(struct ctl_subscriber *s)
{
	list_remove(&s->link);
	ctl_buf_free(&s->text);
	update_wanted(s->events);
}

void ctl_subscriber_choose(struct ctl_subscriber *s, uint32_t kinds,
			   const struct ctl_flow_filter *flows)
{
	ctl_events_turn(s->events); /* flows that are there already are no news */
	s->kinds = kinds;
	s->flows = *flows;
	update_wanted(s->events);
}

void ctl_subscriber_take(struct ctl_subscriber *s, struct ctl_buf *out)
{
	struct ctl_event_lost lost = { s->lost };

	ctl_buf_append(out, ctl_buf_text(&s->text), ctl_buf_len(&s->text));
	ctl_buf_consume(&s->text, ctl_buf_len(&s->text));
	if (s->lost)
		print_event(out, "EVENTS_LOST", &ctl_event_lost_message, &lost);
	s->lost = 0;
}
