/* What of the host's network is noticed, in a network namespace of the test's own. */
#include "host/net_watch.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/log.h"
#include "lib/own_net.h"
#include "lib/suite.h"

static struct timerq timers;
static struct loop *loop;
static struct net_watch w;
static unsigned n_changes;

static void changed(void *ctx)
{
	ck_assert_ptr_eq(ctx, &n_changes);
	n_changes++;
}

static void enough(struct timer *t, void *ctx)
{
	loop_stop(loop);
}

/* How many changes are told within a while that is longer than a burst. */
static unsigned wait_changes(void)
{
	struct timer t = { .fire = enough };

	n_changes = 0;
	timerq_set(&timers, &t, loop_clock_ns() + 400 * NS_PER_MS);
	loop_run(loop);
	return n_changes;
}

static void start(void)
{
	IP("link add eth0 type veth peer name peer0");
	IP("link set eth0 addrgenmode none"); /* whose coming would be noticed, a second late */
	IP("link set peer0 addrgenmode none");
	IP("link set peer0 up");
	IP("link set eth0 up");
	timers = (struct timerq){ .n = 0 };
	loop = loop_new(&timers, NULL);
	ck_assert_ptr_nonnull(loop);
	net_watch_init(&w, loop, &timers, changed, &n_changes);
	for (int i = 0; i < 20 && wait_changes(); i++) /* until the links stand */
		;
}

static void finish(void)
{
	net_watch_end(&w);
	loop_free(loop);
	timerq_free(&timers);
	IP("link del eth0");
}

START_TEST(what_is_noticed)
{
	static const char *const changes[] = {
		"addr add 192.0.2.7/24 dev eth0",
		"route add default via 192.0.2.1",
		"route change default via 192.0.2.2",
		"route del default",
		"addr del 192.0.2.7/24 dev eth0",
		"-6 addr add 2001:db8::7/64 dev eth0 nodad",
		"-6 route add default via fe80::1 dev eth0",
		"-6 route del default",
		"-6 addr del 2001:db8::7/64 dev eth0",
		"link set eth0 down",
		"link set eth0 up",
	};

	start();
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		IP(changes[i]);
		ck_assert_msg(wait_changes(), "not noticed: ip %s", changes[i]);
	}
	finish();
}
END_TEST

START_TEST(what_does_not_matter)
{
	start();
	IP("addr add 192.0.2.7/24 dev eth0");
	ck_assert_uint_eq(wait_changes(), 1);
	IP("route add 198.51.100.0/24 via 192.0.2.1");
	IP("route add default via 192.0.2.1 table 100");
	IP("link set eth0 txqueuelen 77");
	ck_assert_uint_eq(wait_changes(), 0);
	finish();
}
END_TEST

/* A burst is told once, and one too large for the socket's buffer is told as well. */
START_TEST(bursts)
{
	int small = 1;
	FILE *batch;

	start();
	setsockopt(w.watch.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	batch = popen("ip -batch - >/dev/null 2>&1", "w");
	ck_assert_ptr_nonnull(batch);
	for (int i = 1; i < 250; i++)
		fprintf(batch, "addr add 192.0.2.%d/32 dev eth0\n", i);
	ck_assert_int_eq(pclose(batch), 0);
	ck_assert_uint_ge(wait_changes(), 1);
	ck_assert_uint_le(n_changes, 2);
	finish();
}
END_TEST

/* What fills the buffer does not matter, but there is no telling what was lost after it. */
START_TEST(lost_notices)
{
	int small = 1;
	FILE *batch;

	start();
	setsockopt(w.watch.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	batch = popen("ip -batch - >/dev/null 2>&1", "w");
	ck_assert_ptr_nonnull(batch);
	for (int i = 0; i < 250; i++)
		fprintf(batch, "route add 198.51.100.%d/32 dev eth0\n", i);
	fprintf(batch, "addr add 192.0.2.7/32 dev eth0\n");
	ck_assert_int_eq(pclose(batch), 0);
	ck_assert_uint_ge(wait_changes(), 1);
	finish();
}
END_TEST

SUITE_MAIN_AFTER(own_net_enter, "net_watch", what_is_noticed, what_does_not_matter, bursts, lost_notices)
