/* lib/fake_guest.c: the link as handlers' tests see it. */
#include "lib/fake_guest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/must.h"
#include "lib/suite.h"

const struct mac fake_guest_mac = { { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } };
const struct mac fake_gateway_mac = { { 0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55 } };

static int reserve(void *link, bool bulk, size_t frame_max, int n, uint8_t *frames[])
{
	struct fake_guest *g = link;
	int room = g->room - (bulk ? g->reply_room : 0);

	free(g->reserved);
	g->reserved = NULL;
	if (g->room >= 0 && n > room)
		n = room;
	if (n <= 0)
		return 0;
	g->frame_max = frame_max;
	g->reserved = malloc(frame_max * (size_t)n);
	for (int i = 0; i < n; i++)
		frames[i] = g->reserved + (size_t)i * frame_max;
	return n;
}

static void commit(void *link, int n, size_t last_len)
{
	struct fake_guest *g = link;

	must(g->reserved);
	for (int i = 0; i < n; i++) {
		struct fake_frame *f = &g->frames[g->n_frames++];

		must(g->n_frames <= FAKE_GUEST_FRAMES);
		f->len = i + 1 == n ? last_len : g->frame_max;
		must(f->len <= g->frame_max);
		f->data = malloc(f->len);
		memcpy(f->data, g->reserved + (size_t)i * g->frame_max, f->len);
		if (g->env.capturing)
			capture_to_guest(&g->env, f->data, f->len);
	}
	if (g->room >= 0)
		g->room -= n;
	free(g->reserved);
	g->reserved = NULL;
}

static const struct guest_ops ops = { reserve, commit };

struct addr addr_of(const char *text)
{
	struct addr a;

	must(!addr_parse(text, &a));
	return a;
}

void fake_guest_init(struct fake_guest *g)
{
	memset(g, 0, sizeof(*g));
	g->room = -1;
	g->net = (struct net){
		.ip4 = { .on = true,
			 .guest = addr_ip4(0x0a00020f),
			 .prefix_len = 24,
			 .gateway = addr_ip4(0x0a000202),
			 .map_loopback_set = true,
			 .map_loopback = addr_ip4(0x0a000202) },
		.ip6 = { .on = true,
			 .guest = addr_of("2001:db8:2::f"),
			 .prefix_len = 64,
			 .gateway = addr_of("fe80::2"),
			 .map_loopback_set = true,
			 .map_loopback = addr_of("fe80::2") },
		.mac = fake_gateway_mac,
		.mtu = 1500,
		.tell_mtu = true,
	};
	g->conf.timeouts = (struct conf_timeouts){ 30, 120, 60, 30, 2, 0, 60, 7200, 7200, 60, 1, 86400 };
	g->conf.limits = (struct conf_limits){ 65536, 4096, 1024, 64, 64 };
	g->env = (struct env){ .now_ns = 1000 * NS_PER_SEC,
			       .conf = &g->conf,
			       .net = &g->net,
			       .guest_ops = &ops,
			       .link = g };
	g->env.guest = (struct guest){ .connected = true, .mac_known = true, .mac = fake_guest_mac };
	must(flow_table_init(&g->env.flows, g->conf.limits.flows) == 0);
}

void fake_guest_clear(struct fake_guest *g)
{
	for (size_t i = 0; i < g->n_frames; i++)
		free(g->frames[i].data);
	g->n_frames = 0;
}

void fake_guest_free(struct fake_guest *g)
{
	fake_guest_clear(g);
	free(g->reserved);
	timerq_free(&g->env.timers);
	flow_table_free(&g->env.flows);
}

const struct fake_frame *fake_guest_frame(const struct fake_guest *g, size_t i)
{
	ck_assert_uint_lt(i, g->n_frames);
	return &g->frames[i];
}

void fake_guest_advance(struct fake_guest *g, uint64_t ns)
{
	uint64_t until = g->env.now_ns + ns, next;

	while ((next = timerq_next(&g->env.timers)) <= until) {
		if (next > g->env.now_ns)
			g->env.now_ns = next;
		timerq_run(&g->env.timers, g->env.now_ns, 1, &g->env);
	}
	g->env.now_ns = until;
}

size_t from_hex(const char *text, uint8_t *buf, size_t max)
{
	size_t n = 0;
	unsigned v;

	for (; *text; text += 2) {
		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			break;
		ck_assert_uint_lt(n, max);
		ck_assert_int_eq(sscanf(text, "%2x", &v), 1);
		buf[n++] = (uint8_t)v;
	}
	return n;
}

static void print_hex(const char *what, const uint8_t *data, size_t len)
{
	fprintf(stderr, "%s (%zu):", what, len);
	for (size_t i = 0; i < len; i++)
		fprintf(stderr, "%s%02x", i % 16 ? " " : "\n  ", data[i]);
	fprintf(stderr, "\n");
}

void assert_bytes(const uint8_t *data, size_t len, const char *hex)
{
	static uint8_t want[70000];
	size_t n = from_hex(hex, want, sizeof(want));

	if (n == len && !memcmp(data, want, len))
		return;
	print_hex("got", data, len);
	print_hex("want", want, n);
	ck_abort_msg("bytes differ");
}
