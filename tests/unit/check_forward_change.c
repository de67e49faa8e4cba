/* Changes of the table of forwards, at once and in portions, over sockets of a fake host. */
#include "proto/forward.h"

#include <errno.h>

#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"

/* The host's ports. */
static struct {
	struct forward *owner[65536];
	int error[65536]; /* errno of opening it */
	unsigned n_open;
} host;

static struct fake_guest g;
static struct forwards *fs;
static struct forward_error error;

static void *open_port(void *h, struct forward *f, uint16_t *port, int *err)
{
	*err = host.owner[*port] ? EADDRINUSE : host.error[*port];
	if (*err)
		return NULL;
	host.owner[*port] = f;
	host.n_open++;
	return &host.owner[*port];
}

static void close_port(const struct forward *f, void *socket)
{
	struct forward **owner = socket;

	ck_assert_ptr_eq(*owner, f);
	*owner = NULL;
	host.n_open--;
}

static const struct forward_host_ops host_ops = { .open = open_port, .close = close_port };

static void setup(void)
{
	static const struct forward_ports ports = { 32768, 60999, 1024 };

	fake_guest_init(&g);
	memset(&host, 0, sizeof(host));
	fs = forwards_new(&g.env, &host_ops, &host, &ports);
	g.env.forwards = fs;
	log_set_level(LOG_LEVEL_ERROR);
}

static void teardown(void)
{
	forwards_free(fs);
	ck_assert_uint_eq(host.n_open, 0);
	ck_assert_uint_eq(g.env.timers.n, 0);
	fake_guest_free(&g);
}

/* What is told of a port besides the text, and kept as what failed last. */
static void assert_blamed(uint16_t port, int err)
{
	const struct forward_error *last;
	uint64_t at_ns;

	ck_assert_int_eq(error.error, err);
	ck_assert_uint_eq(error.port.first, port);
	ck_assert_uint_eq(error.port.last, port);
	last = forwards_last_error(fs, &at_ns);
	ck_assert_ptr_nonnull(last);
	ck_assert_str_eq(last->text, error.text);
	ck_assert_int_eq(last->error, err);
	ck_assert_uint_eq(at_ns, g.env.now_ns);
}

static int set_tcp(const char *a, const char *b)
{
	const char *specs[] = { a, b };

	return forwards_set(fs, FLOW_TCP, specs, b ? 2 : a ? 1 : 0, &error);
}

START_TEST(replaced_as_a_set)
{
	const struct forward *first;
	uint64_t id;

	setup();
	ck_assert_int_eq(set_tcp("22,80:8080", NULL), 0);
	first = forwards_next(fs, 0);
	ck_assert_int_eq(forwards_add(fs, FLOW_UDP, "53", &id, &error), 1);
	ck_assert_int_eq(set_tcp("22", "443"), 0);
	ck_assert_ptr_eq(host.owner[22], first); /* it was never closed */
	ck_assert_ptr_null(host.owner[80]);
	ck_assert_ptr_nonnull(host.owner[443]);
	ck_assert_ptr_nonnull(host.owner[53]);
	/* another target, with a port that cannot be had: all is as before */
	host.error[444] = EACCES;
	ck_assert_int_eq(set_tcp("443:1443", "444"), -EACCES);
	assert_blamed(444, EACCES);
	ck_assert_ptr_eq(host.owner[22], first);
	ck_assert_uint_eq(host.owner[443]->rule.target_first, 443);
	ck_assert_int_eq(set_tcp("443:x", NULL), -EINVAL);
	ck_assert_uint_eq(host.n_open, 3);
	ck_assert_int_eq(set_tcp("443:1443", NULL), 0);
	ck_assert_uint_eq(host.owner[443]->rule.target_first, 1443);
	ck_assert_uint_eq(host.n_open, 2);
	ck_assert_int_eq(set_tcp(NULL, NULL), 0);
	ck_assert_uint_eq(host.n_open, 1);
	teardown();
}
END_TEST

/* A forward of a protocol that is off would have its port and serve nobody. */
START_TEST(none_of_what_is_switched_off)
{
	static const char *const specs[] = { "22" };
	uint64_t id;

	setup();
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "22", &id, &error), 1);
	ck_assert(forwards_has(fs, FLOW_TCP) && !forwards_has(fs, FLOW_UDP));
	g.conf.no_udp = true;
	ck_assert_int_eq(forwards_add(fs, FLOW_UDP, "53", &id, &error), -EPERM);
	ck_assert_str_eq(error.text, "UDP is switched off");
	ck_assert_int_eq(forwards_set(fs, FLOW_UDP, specs, 1, &error), -EPERM);
	ck_assert_int_eq(forwards_set(fs, FLOW_UDP, NULL, 0, &error), 0);
	ck_assert_int_eq(forwards_set(fs, FLOW_TCP, specs, 1, &error), 0);
	ck_assert_uint_eq(host.n_open, 1);
	teardown();
}
END_TEST

/* Waits for a change, which takes so many turns; the outcome. */
static int change(const struct forward_request *r, unsigned *n_turns)
{
	struct forward_outcome o;

	forwards_begin(fs, r, &o);
	for (*n_turns = 0; !o.over; ++*n_turns) {
		ck_assert(forwards_changing(fs) && *n_turns < 100000);
		fake_guest_advance(&g, 1);
	}
	ck_assert(!forwards_changing(fs));
	error = o.error;
	return o.rc;
}

static int remove_tcp(const char *spec)
{
	unsigned n_turns;

	return change(&(struct forward_request){ FORWARD_REMOVE, FLOW_TCP, &spec, 1 },
		      &n_turns);
}

static int set_in_turns(const char *spec, unsigned *n_turns)
{
	return change(&(struct forward_request){ FORWARD_SET, FLOW_TCP, &spec, 1 }, n_turns);
}

/* Many ports are opened and closed over many turns of the loop; others see all of it or
 * nothing. */
START_TEST(many_ports_in_portions)
{
	const char *spec = "2000-61999";
	struct forward_request add = { FORWARD_ADD, FLOW_TCP, &spec, 1 };
	struct forward_outcome o;
	unsigned n_turns;

	setup();
	forwards_begin(fs, &add, &o);
	fake_guest_advance(&g, 1);
	ck_assert_uint_gt(host.n_open, 0);
	ck_assert_uint_le(host.n_open, 64);
	ck_assert(!o.over && forwards_has(fs, FLOW_TCP) && !forwards_has(fs, FLOW_UDP));
	ck_assert_ptr_null(forwards_next(fs, 0));
	forwards_forget(fs, &o); /* its client has gone: it goes on */
	o.rc = 7;
	fake_guest_advance(&g, 100000);
	ck_assert(!forwards_changing(fs) && o.rc == 7);
	ck_assert_uint_eq(host.n_open, 60000);
	ck_assert_uint_eq(forwards_next(fs, 0)->n_open, 60000);
	/* a set with another target, of which the last port cannot be had: all is as it was */
	host.error[63000] = EACCES;
	ck_assert_int_eq(set_in_turns("2000-61998:2001-61999,63000:1", &n_turns), -EACCES);
	ck_assert_uint_gt(n_turns, 1000);
	ck_assert_ptr_nonnull(host.owner[61999]);
	ck_assert_uint_eq(host.n_open, 60000);
	host.error[63000] = 0;
	ck_assert_int_eq(set_in_turns("2000-61998:2001-61999,63000:1", &n_turns), 2);
	ck_assert_uint_eq(host.owner[2000]->rule.target_first, 2001);
	ck_assert_int_eq(remove_tcp("2000-61998:2001-61999"), 1);
	ck_assert_uint_eq(host.n_open, 1);
	/* what is under way comes to its end before what is done at once, and at the end of all
	 */
	spec = "62000-63010";
	forwards_begin(fs, &add, &o);
	ck_assert_int_eq(forwards_remove(fs, 1000), -ENOENT);
	ck_assert(o.over);
	ck_assert_int_eq(o.rc, -EADDRINUSE);
	spec = "2000-61998";
	forwards_begin(fs, &add, &o);
	fake_guest_advance(&g, 3);
	teardown();
}
END_TEST

START_TEST(removal_tells_families_apart)
{
	uint64_t id;

	setup();
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "22", &id, &error), 1);
	ck_assert_int_eq(remove_tcp("::/22"), -ENOENT);
	ck_assert_str_eq(error.text, "there is no forward TCP [::]:22 => 22");
	ck_assert_int_eq(remove_tcp("0.0.0.0/22"), -ENOENT);
	ck_assert_int_eq(remove_tcp("*/22"), 1);
	teardown();
}
END_TEST

SUITE_MAIN("forward_change", replaced_as_a_set, none_of_what_is_switched_off,
	   many_ports_in_portions, removal_tells_families_apart)
