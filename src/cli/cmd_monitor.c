/* cli/cmd_monitor.c: posternctl monitor: a line for each event, as it comes. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "ctl/ctl_capture_msg.h"
#include "ctl/ctl_event_msg.h"

#define LINE_MAX_BYTES 1024

/* What is said of an event, piece by piece. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) say(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	l->len += (size_t)n;
	if (l->len >= sizeof(l->text))
		l->len = sizeof(l->text) - 1;
}

static void say_times(struct line *l, uint64_t count)
{
	if (count > 1)
		say(l, " (%" PRIu64 " times)", count);
}

static void say_client(struct line *l, const void *data)
{
	const struct ctl_event_client *e = data;

	if (e->has & CTL_EVENT_CLIENT_HAS_PID)
		say(l, " pid %" PRIu64, e->pid);
	if (e->has & CTL_EVENT_CLIENT_HAS_REASON)
		say(l, " %s", e->reason);
	say_times(l, e->count);
}

static void say_guest(struct line *l, const void *data)
{
	const struct ctl_event_guest *e = data;
	char mac[MAC_STR_MAX];

	say(l, " %s", mac_print(&e->mac, mac));
	say_times(l, e->count);
}

static void say_lease(struct line *l, const void *data)
{
	const struct ctl_event_lease *e = data;
	char addr[ADDR_STR_MAX], mac[MAC_STR_MAX], text[TEXT_MAX];

	say(l, " %s to %s", addr_print(&e->lease.address, addr), mac_print(&e->lease.mac, mac));
	if (e->lease.has & CTL_LEASE_HAS_HOSTNAME)
		say(l, " (%s)", e->lease.hostname);
	if (e->has & CTL_EVENT_LEASE_HAS_REASON)
		say(l, " %s", e->reason);
	else if (e->lease.has & CTL_LEASE_HAS_END)
		say(l, " for %s", text_duration(e->lease.expires_ms, text));
	say_times(l, e->count);
}

static void say_network(struct line *l, const void *data)
{
	const struct ctl_network *e = data;
	const struct addr *dns = e->dns.items;
	char addr[ADDR_STR_MAX];

	if (e->has & CTL_NETWORK_HAS_IP4)
		say(l, " %s/%" PRIu64, addr_print(&e->ip4.address, addr), e->ip4.prefix_len);
	if (e->has & CTL_NETWORK_HAS_IP6)
		say(l, " %s/%" PRIu64, addr_print(&e->ip6.address, addr), e->ip6.prefix_len);
	for (size_t i = 0; i < e->dns.n; i++)
		say(l, "%s%s", i ? "," : " dns ", addr_print(&dns[i], addr));
}

static void say_flow(struct line *l, const void *data)
{
	const struct ctl_flow *e = data;
	char guest[ENDPOINT_STR_MAX], peer[ENDPOINT_STR_MAX], out[TEXT_MAX], in[TEXT_MAX];

	say(l, " %" PRIu64 " %s %s %s %s", e->id, ctl_proto_names[e->proto],
	    ctl_dir_names[e->dir], endpoint_print(&e->guest, guest),
	    endpoint_print(&e->peer, peer));
	if (!(e->has & CTL_FLOW_HAS_REASON))
		return;
	say(l, " %s", e->reason);
	if (e->has & CTL_FLOW_HAS_SILENT)
		say(l, " silent %s", ctl_end_names[e->silent]);
	if (e->has & CTL_FLOW_HAS_ERROR)
		say(l, " error %s", e->error);
	say(l, " out %s in %s", text_bytes(e->bytes_out, out), text_bytes(e->bytes_in, in));
}

static void say_forward(struct line *l, const void *data)
{
	const struct ctl_event_forward *e = data;
	char client[ENDPOINT_STR_MAX], addr[ADDR_STR_MAX];

	if (e->where.has & CTL_EVENT_FORWARD_HAS_ID)
		say(l, " %" PRIu64, e->id);
	say(l, " %s", ctl_forward_proto_names[e->where.proto]);
	if (e->where.has & CTL_FORWARD_PORT_HAS_HOST_ADDR)
		say(l, " %s", addr_print(&e->where.host_addr, addr));
	if (e->where.has & CTL_FORWARD_PORT_HAS_INTERFACE)
		say(l, "%%%s", e->where.interface);
	say(l, " port %u", e->where.host_port);
	if (e->where.has & CTL_EVENT_FORWARD_HAS_CLIENT)
		say(l, " client %s", endpoint_print(&e->client, client));
	say(l, ": %s", e->reason);
	say_times(l, e->count);
}

static void say_count(struct line *l, const void *data)
{
	const struct ctl_event_count *e = data;

	say(l, " %s %" PRIu64, e->name, e->count);
}

static void say_lost(struct line *l, const void *data)
{
	const struct ctl_event_lost *e = data;

	say(l, " %" PRIu64, e->count);
}

static void say_warning(struct line *l, const void *data)
{
	const struct ctl_event_warning *e = data;

	say(l, " %s %s: %s", e->level, e->unit, e->text);
}

static void say_config(struct line *l, const void *data)
{
	const struct ctl_config_set *e = data;
	const char *const *values = e->values.items;

	say(l, " %s", e->option);
	for (size_t i = 0; i < e->values.n; i++)
		say(l, " %s", values[i]);
	if (!e->values.n)
		say(l, " default");
}

static void say_capture(struct line *l, const void *data)
{
	const struct ctl_capture *e = data;
	char size[TEXT_MAX];

	say(l, " %" PRIu64 " to %s for process %" PRIu64 " of user %" PRIu64, e->id,
	    e->has & CTL_CAPTURE_HAS_PATH ? e->path : e->sink, e->pid, e->uid);
	if (e->spec.has & CTL_CAPTURE_HAS_WHY)
		say(l, " (%s)", e->spec.why);
	if (e->has & CTL_CAPTURE_HAS_REASON)
		say(l, ": %s, %" PRIu64 " frames, %" PRIu64 " lost, %s", e->reason, e->written,
		    e->lost, text_bytes(e->size, size));
}

static const struct {
	const char *event;
	const struct ctl_message *data;
	void (*say)(struct line *l, const void *data);
} kinds[] = {
	{ "CLIENT_CONNECTED", &ctl_event_client_message, say_client },
	{ "CLIENT_DISCONNECTED", &ctl_event_client_message, say_client },
	{ "GUEST_SEEN", &ctl_event_guest_message, say_guest },
	{ "LEASE_GRANTED", &ctl_event_lease_message, say_lease },
	{ "LEASE_RENEWED", &ctl_event_lease_message, say_lease },
	{ "LEASE_ENDED", &ctl_event_lease_message, say_lease },
	{ "NETWORK_CHANGED", &ctl_network_message, say_network },
	{ "RESOLVERS_CHANGED", &ctl_network_message, say_network },
	{ "FLOW_OPENED", &ctl_flow_message, say_flow },
	{ "FLOW_CLOSED", &ctl_flow_message, say_flow },
	{ "FORWARD_FAILED", &ctl_event_forward_message, say_forward },
	{ "LIMIT_REACHED", &ctl_event_limit_message, say_count },
	{ "FRAMES_DROPPED", &ctl_event_drop_message, say_count },
	{ "EVENTS_LOST", &ctl_event_lost_message, say_lost },
	{ "WARNING", &ctl_event_warning_message, say_warning },
	{ "CONFIG_CHANGED", &ctl_config_set_message, say_config },
	{ "CAPTURE_STARTED", &ctl_capture_message, say_capture },
	{ "CAPTURE_ENDED", &ctl_capture_message, say_capture },
};

static void say_time(struct line *l, const struct ctl_timestamp *t)
{
	time_t seconds = (time_t)t->seconds;
	struct tm tm;

	l->len += strftime(l->text, sizeof(l->text), "%H:%M:%S", localtime_r(&seconds, &tm));
	say(l, ".%03u", (unsigned)(t->microseconds / 1000));
}

/* Events that are not known are shown by their name. */
static void show(FILE *out, struct ctl_doc *doc, const struct ctl_event *e)
{
	struct line l = { .len = 0 };
	char text[LINE_MAX_BYTES * 4], error[CTL_ERROR_MAX];

	say_time(&l, &e->timestamp);
	say(&l, " %s", e->event);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		void *data;

		if (strcmp(kinds[i].event, e->event) != 0)
			continue;
		data = ctl_doc_alloc(doc, kinds[i].data->size);
		if (data && !ctl_doc_decode(doc, e->data, kinds[i].data, data, NULL, error))
			kinds[i].say(&l, data);
	}
	fprintf(out, "%s\n", text_escape(l.text, text, sizeof(text)));
}

static const char *const places[] = { "events", NULL };

const struct command cmd_monitor = {
	.words = "monitor",
	.help = "what happens, as it happens",
	.method = "events-subscribe",
	.args = &ctl_subscribe_message,
	.result = &ctl_nothing_message,
	.positional = places,
	.event = show,
};
