/* cli/explain.c: rules, each of which finds one thing and has the words for it. */
#include "cli/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/out_text.h"

#define SLOW_RTT_US   200000
#define LOSS_PER_CENT 2
#define PATIENCE_MS   1000 /* less is no time to wait for an answer */

struct rule {
	const char *code;
	bool (*applies)(const struct ctl_flow *f);
	void (*say)(const struct ctl_flow *f, char *text);
};

#define SAY(...) snprintf(text, EXPLAIN_TEXT, __VA_ARGS__)

/* Open flows */

static bool is(const struct ctl_flow *f, const char *state)
{
	return !strcmp(f->state, state);
}

static bool is_proto(const struct ctl_flow *f, const char *proto)
{
	return !strcmp(ctl_proto_names[f->proto], proto);
}

static bool is_in(const struct ctl_flow *f)
{
	return !strcmp(ctl_dir_names[f->dir], "in");
}

static bool has_tcp(const struct ctl_flow *f)
{
	return f->info.has & CTL_FLOW_INFO_HAS_TCP;
}

static bool has_kernel(const struct ctl_flow *f)
{
	return f->info.has & CTL_FLOW_INFO_HAS_KERNEL;
}

static bool connecting(const struct ctl_flow *f)
{
	return is(f, "CONNECTING") && f->age_ms >= PATIENCE_MS;
}

static void say_connecting(const struct ctl_flow *f, char *text)
{
	char age[TEXT_MAX];

	SAY("The peer has not answered for %s: the host asks it to connect, in vain so far. It may be "
	    "down, or something on the way drops what is sent to it.",
	    text_duration(f->age_ms, age));
}

static bool guest_connecting(const struct ctl_flow *f)
{
	return (is(f, "SYN-SENT") || is(f, "SYN-RECEIVED")) && f->age_ms >= PATIENCE_MS;
}

static void say_guest_connecting(const struct ctl_flow *f, char *text)
{
	char age[TEXT_MAX];

	SAY("The guest has not answered for %s at port %u: it may be down, or its own firewall "
	    "drops what is sent to it.",
	    text_duration(f->age_ms, age), f->guest.port);
}

/* Its window is full with nothing in flight, so it is not about to open. */
static bool guest_window_full(const struct ctl_flow *f)
{
	return has_tcp(f) && has_kernel(f) && !f->info.unacked &&
	       f->info.guest_window < f->info.guest_mss &&
	       f->info.recv_queue > f->info.guest_window;
}

static void say_guest_window_full(const struct ctl_flow *f, char *text)
{
	char bytes[TEXT_MAX];

	SAY("The guest does not read: its window is full, and %s bytes from the peer wait for it on "
	    "the host. The program in the guest is busy or stopped.",
	    text_bytes(f->info.recv_queue, bytes));
}

static bool guest_silent(const struct ctl_flow *f)
{
	return has_tcp(f) && f->info.unacked && f->idle_ms >= PATIENCE_MS;
}

static void say_guest_silent(const struct ctl_flow *f, char *text)
{
	char bytes[TEXT_MAX], idle[TEXT_MAX];

	SAY("The guest has not acknowledged %s bytes that were sent to it, for %s: it may be stopped, "
	    "or cut off.",
	    text_bytes(f->info.unacked, bytes), text_duration(f->idle_ms, idle));
}

static bool guest_loses(const struct ctl_flow *f)
{
	return has_tcp(f) &&
	       f->info.guest_retransmits * 100 > LOSS_PER_CENT * f->packets_in;
}

static void say_guest_loses(const struct ctl_flow *f, char *text)
{
	SAY("The guest loses what is sent to it: %" PRIu64 " of %" PRIu64
	    " packets had to be sent again. It has not enough memory or time for them.",
	    f->info.guest_retransmits, f->packets_in);
}

static uint64_t waits_for_peer(const struct ctl_flow *f)
{
	return f->info.queue_out + f->info.send_queue;
}

static bool peer_window_full(const struct ctl_flow *f)
{
	return has_kernel(f) && f->info.has & CTL_FLOW_INFO_HAS_WINDOW && waits_for_peer(f) &&
	       f->info.peer_window < f->info.mss && !is(f, "CONNECTING");
}

static void say_peer_window_full(const struct ctl_flow *f, char *text)
{
	char bytes[TEXT_MAX];

	SAY("The peer does not read: its window is full, and %s bytes from the guest wait for it on "
	    "the host. The program there is busy or stopped.",
	    text_bytes(waits_for_peer(f), bytes));
}

static bool peer_silent(const struct ctl_flow *f)
{
	return has_kernel(f) && f->info.unanswered && !peer_window_full(f) && !is(f, "CONNECTING");
}

static void say_peer_silent(const struct ctl_flow *f, char *text)
{
	char bytes[TEXT_MAX];

	SAY("The peer does not answer: %s bytes wait for its acknowledgement, and were sent again %" PRIu64
	    " times in a row. It is down, or the way to it is broken.",
	    text_bytes(f->info.send_queue, bytes), f->info.unanswered);
}

static bool way_loses(const struct ctl_flow *f)
{
	return has_kernel(f) && !f->info.unanswered && f->info.mss && !is(f, "CONNECTING") &&
	       f->info.retransmits * f->info.mss * 100 > LOSS_PER_CENT * f->bytes_out &&
	       f->info.retransmits > 1;
}

static void say_way_loses(const struct ctl_flow *f, char *text)
{
	SAY("The way to the peer loses what is sent: %" PRIu64
	    " segments had to be sent again, which slows it down (congestion window: %" PRIu64
	    " segments).",
	    f->info.retransmits, f->info.cwnd);
}

static bool host_buffer_full(const struct ctl_flow *f)
{
	return f->info.queue_out && !peer_window_full(f) && !peer_silent(f) && has_kernel(f);
}

static void say_host_buffer_full(const struct ctl_flow *f, char *text)
{
	char bytes[TEXT_MAX];

	SAY("The guest sends faster than the way to the peer takes it: the host's buffer is full, and "
	    "%s bytes wait before it (round trip: %.1f ms, congestion window: %" PRIu64
	    " segments).",
	    text_bytes(f->info.queue_out, bytes), (double)f->info.rtt_us / 1000, f->info.cwnd);
}

static bool udp_queued(const struct ctl_flow *f)
{
	return is_proto(f, "udp") && f->info.queue_out;
}

static void say_udp_queued(const struct ctl_flow *f, char *text)
{
	char bytes[TEXT_MAX];

	SAY("The guest sends faster than the host's socket takes it: %s bytes wait.",
	    text_bytes(f->info.queue_out, bytes));
}

static bool far_away(const struct ctl_flow *f)
{
	return has_kernel(f) && f->info.rtt_us >= SLOW_RTT_US;
}

static void say_far_away(const struct ctl_flow *f, char *text)
{
	SAY("The peer is far away, or the way to it is congested: a round trip takes %.0f ms.",
	    (double)f->info.rtt_us / 1000);
}

static bool peer_finished(const struct ctl_flow *f)
{
	return is(f, "FIN-WAIT-1") || is(f, "FIN-WAIT-2");
}

static void say_peer_finished(const struct ctl_flow *f, char *text)
{
	char idle[TEXT_MAX];

	SAY("The peer has finished; the guest has not closed its end yet. Its last packet came %s ago.",
	    text_duration(f->idle_ms, idle));
}

static bool guest_finished(const struct ctl_flow *f)
{
	return is(f, "CLOSE-WAIT");
}

static void say_guest_finished(const struct ctl_flow *f, char *text)
{
	char idle[TEXT_MAX];

	SAY("The guest has finished; the peer has not yet. The last packet came %s ago.",
	    text_duration(f->idle_ms, idle));
}

static bool ending(const struct ctl_flow *f)
{
	return is(f, "LAST-ACK") || is(f, "CLOSING") || is(f, "TIME-WAIT");
}

static void say_ending(const struct ctl_flow *f, char *text)
{
	SAY("Both ends have finished; it is about to end.");
}

static bool unanswered(const struct ctl_flow *f)
{
	return is(f, "UNREPLIED") && f->age_ms >= PATIENCE_MS;
}

static void say_unanswered(const struct ctl_flow *f, char *text)
{
	bool in = is_in(f);

	SAY("The %s has not answered %" PRIu64 " packets. Nothing may be there, something on the way may "
	    "drop them, or the service does not answer such as these.",
	    in ? "guest" : "peer", in ? f->packets_in : f->packets_out);
}

/* All that apply are said. */
static const struct rule open_rules[] = {
	{ "peer-not-connected", connecting, say_connecting },
	{ "guest-not-connected", guest_connecting, say_guest_connecting },
	{ "guest-window-full", guest_window_full, say_guest_window_full },
	{ "guest-silent", guest_silent, say_guest_silent },
	{ "guest-loses", guest_loses, say_guest_loses },
	{ "peer-window-full", peer_window_full, say_peer_window_full },
	{ "peer-silent", peer_silent, say_peer_silent },
	{ "way-loses", way_loses, say_way_loses },
	{ "host-buffer-full", host_buffer_full, say_host_buffer_full },
	{ "host-socket-full", udp_queued, say_udp_queued },
	{ "far-away", far_away, say_far_away },
	{ "peer-finished", peer_finished, say_peer_finished },
	{ "guest-finished", guest_finished, say_guest_finished },
	{ "ending", ending, say_ending },
	{ "not-answered", unanswered, say_unanswered },
};

/* Flows that ended */

/* By reason, direction (NULL: any), the state in which it was and the end that was silent
 * (likewise). The first that fits is said. */
static const struct {
	const char *reason, *dir, *state, *silent, *text;
} closed_rules[] = {
	{ "finished", NULL, NULL, NULL, "Both ends had finished." },
	{ "idle", NULL, "UNREPLIED", NULL,
	  "No answer ever came. Nothing may be there, or something on the way drops it." },
	{ "idle", NULL, NULL, NULL,
	  "Nothing came from either end for as long as a flow may be idle." },
	{ "guest-reset", NULL, NULL, NULL,
	  "The guest reset it: the program there gave up, or ended without reading all." },
	{ "peer-reset", "out", NULL, NULL,
	  "The peer reset it: the program there, or something on the way, did not want it any "
	  "more." },
	{ "peer-reset", "in", NULL, NULL,
	  "The client reset it: the program there gave up, or ended without reading all." },
	{ "refused", "out", NULL, NULL,
	  "The peer refused it: nothing listens at that port, or a firewall rejects it." },
	{ "refused", "in", NULL, NULL,
	  "The guest refused it: nothing listens at that port of the guest, or its firewall "
	  "rejects it." },
	{ "unreachable", NULL, NULL, NULL,
	  "The host's network has no way to the peer: no route, or a router says that it is "
	  "unreachable." },
	{ "timed-out", NULL, "CONNECTING", "peer",
	  "The peer never answered: it is down, or something on the way drops what is sent to "
	  "it." },
	{ "timed-out", NULL, "SYN-SENT", "guest",
	  "The guest never answered: it is down, or its firewall drops what is sent to it." },
	{ "timed-out", NULL, "SYN-RECEIVED", "guest",
	  "The guest went silent before the connection was complete." },
	{ "timed-out", NULL, NULL, "guest",
	  "The guest did not acknowledge what was sent to it, however often that was repeated: "
	  "it is "
	  "stopped, or cut off." },
	{ "timed-out", "out", NULL, "peer",
	  "The peer did not acknowledge what was sent to it, however often that was repeated: "
	  "it is "
	  "down, or the way to it is broken." },
	{ "timed-out", "in", NULL, "peer",
	  "The client did not acknowledge what was sent to it, however often that was "
	  "repeated: it is "
	  "down, or the way to it is broken." },
	{ "guest-left", NULL, NULL, NULL,
	  "The guest's link went away, as when it is shut down." },
	{ "by-operator", NULL, NULL, NULL,
	  "It was closed through the control socket, or with its forward." },
	{ "host-error", NULL, NULL, NULL, "The host's socket could not be had, or failed." },
	{ "preempted", NULL, NULL, NULL,
	  "It made room for a newer flow: a limit was reached." },
	{ "shutdown", NULL, NULL, NULL, "The daemon ended." },
	{ "address-gone", NULL, NULL, NULL, "The host lost the address that it used." },
};

static bool fits(const char *wanted, const char *value)
{
	return !wanted || !strcmp(wanted, value);
}

static void add(struct explain_finding *found, unsigned *n, const char *code, const char *text)
{
	found[*n].code = code;
	snprintf(found[*n].text, EXPLAIN_TEXT, "%s", text);
	++*n;
}

/* The kernel's own words. */
static void add_error(struct explain_finding *found, const struct ctl_flow *f)
{
	size_t len = strlen(found->text);

	snprintf(found->text + len, EXPLAIN_TEXT - len, " The host's socket said: %s (%s).",
		 strerror((int)f->error_number), f->error);
}

static unsigned explain_closed(const struct ctl_flow *f, struct explain_finding *found)
{
	const char *last = f->last_state ? f->last_state : "";
	const char *silent = f->has & CTL_FLOW_HAS_SILENT ? ctl_end_names[f->silent] : "";
	unsigned n = 0;

	for (size_t i = 0; !n && i < sizeof(closed_rules) / sizeof(closed_rules[0]); i++)
		if (fits(closed_rules[i].reason, f->reason) &&
		    fits(closed_rules[i].dir, ctl_dir_names[f->dir]) &&
		    fits(closed_rules[i].state, last) && fits(closed_rules[i].silent, silent))
			add(found, &n, closed_rules[i].reason, closed_rules[i].text);
	if (!n)
		add(found, &n, "unknown", "It ended for a reason that this program does not know.");
	if (f->has & CTL_FLOW_HAS_ERROR)
		add_error(found, f);
	return n;
}

unsigned explain_flow(const struct ctl_flow *f, struct explain_finding found[static EXPLAIN_MAX])
{
	unsigned n = 0;

	if (f->has & CTL_FLOW_HAS_REASON)
		return explain_closed(f, found);
	for (size_t i = 0; n < EXPLAIN_MAX && i < sizeof(open_rules) / sizeof(open_rules[0]); i++) {
		if (!open_rules[i].applies(f))
			continue;
		found[n].code = open_rules[i].code;
		open_rules[i].say(f, found[n++].text);
	}
	if (!n)
		add(found, &n, "fine", "Nothing is wrong: it is open, and nothing waits for long.");
	return n;
}

unsigned explain_forward(const struct ctl_forward *f, bool guest_connected,
			 struct explain_finding found[static EXPLAIN_MAX])
{
	unsigned n = 0;

	if (!guest_connected)
		add(found, &n, "no-guest", "The port is forwarded, but no guest is connected.");
	if (!f->open_ports)
		add(found, &n, "forward-not-open",
		    "The port should be forwarded, but could not be opened on the host.");
	if (f->refused) {
		found[n].code = "forward-refused";
		snprintf(found[n++].text, EXPLAIN_TEXT,
			 "Forward %" PRIu64 ": %" PRIu64
			 " clients, or datagrams, could not be handed to the guest.",
			 f->id, f->refused);
	}
	if (!n) {
		found[n].code = "forward-unused";
		snprintf(found[n++].text, EXPLAIN_TEXT,
			 "Forward %" PRIu64 " leads to port %u of the guest; %" PRIu64
			 " clients, or datagrams, came so far.",
			 f->id, f->guest_port, f->clients);
	}
	return n;
}

unsigned explain_server(const struct ctl_dns_server *s,
			struct explain_finding found[static EXPLAIN_MAX])
{
	if (!s->timeouts && !s->failures)
		return 0;
	found[0].code = "names-not-resolved";
	snprintf(found[0].text, EXPLAIN_TEXT,
		 "The name server %s failed %" PRIu64 " times and was silent %" PRIu64 " times, of %" PRIu64
		 " queries%s%s: names may not be resolved.",
		 s->addr, s->failures, s->timeouts, s->queries,
		 s->has & CTL_DNS_SERVER_HAS_ERROR ? "; last: " : "",
		 s->has & CTL_DNS_SERVER_HAS_ERROR ? s->last_error : "");
	return 1;
}
