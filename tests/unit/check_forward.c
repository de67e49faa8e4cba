/* The table of forwards over sockets of a fake host, and how clients are led to the guest. */
#include "proto/forward.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/guest_addr.h"
#include "proto/host_error.h"
#include "proto/tcp/tcp.h"
#include "proto/udp.h"
#include "wire/icmp6.h"

#define OURS 0xcb007109 /* 203.0.113.9 */

/* The host's ports. */
static struct {
	struct forward *owner[65536];
	int error[65536]; /* errno of opening it */
	unsigned n_open, max_open;
	bool shares; /* whatever is asked for can be had */
	uint16_t next_picked;
} host;

/* What tcp_open_to_guest() got last. */
static struct {
	unsigned n;
	struct endpoint guest, client, peer;
	int result;
} opened;

static struct fake_guest g;
static struct fake_udp fake_udp;
static struct forwards *fs;
static struct forward_error error;
static unsigned n_resets, n_flows_ended;
static const char *texts[8];

static void *open_port(void *h, struct forward *f, uint16_t *port, int *err)
{
	ck_assert_ptr_eq(h, &host);
	if (host.shares) {
		host.n_open++;
		return &host.shares;
	}
	if (!*port)
		*port = host.next_picked++;
	*err = host.n_open >= host.max_open ? EMFILE : host.error[*port];
	if (!*err && host.owner[*port])
		*err = EADDRINUSE;
	if (*err)
		return NULL;
	host.owner[*port] = f;
	host.n_open++;
	return &host.owner[*port];
}

static void close_port(const struct forward *f, void *socket)
{
	struct forward **owner = socket;

	host.n_open--;
	if (socket == &host.shares)
		return;
	ck_assert_ptr_eq(*owner, f);
	*owner = NULL;
}

static const struct forward_host_ops host_ops = { open_port, close_port };

int tcp_open_to_guest(struct env *env, const struct tcp_host_ops *ops, void *sock,
		      void (*set_conn)(void *host, struct tcp_conn *conn),
		      const struct endpoint *guest, const struct endpoint *client,
		      const struct endpoint *peer)
{
	opened.n++;
	opened.guest = *guest;
	opened.client = *client;
	opened.peer = *peer;
	if (opened.result)
		ops->close(sock, true);
	return opened.result;
}

static void sock_close(void *sock, bool reset)
{
	ck_assert(reset);
	n_resets++;
}

static void sock_local(void *sock, struct endpoint *e)
{
	*e = (struct endpoint){ addr_ip4(OURS), 80 };
}

static const struct tcp_host_ops sock_ops = { .close = sock_close, .local = sock_local };

static void setup(void)
{
	static const struct forward_ports ports = { 32768, 60999, 1024 };

	fake_guest_init(&g);
	memset(&host, 0, sizeof(host));
	memset(&opened, 0, sizeof(opened));
	n_resets = n_flows_ended = 0;
	host.max_open = UINT32_MAX;
	host.next_picked = 40000;
	error = (struct forward_error){ .error = 0 };
	fs = forwards_new(&g.env, &host_ops, &host, &ports);
	g.env.forwards = fs;
	log_set_level(LOG_LEVEL_ERROR);
}

static void teardown(void)
{
	forwards_free(fs);
	ck_assert_uint_eq(host.n_open, 0);
	fake_guest_free(&g);
}

static int open_tcp(const char *a, const char *b, const char *c)
{
	texts[0] = a;
	texts[1] = b;
	texts[2] = c;
	g.conf.tcp_forwards = texts;
	g.conf.n_tcp_forwards = c ? 3 : b ? 2 : 1;
	return forwards_open(fs, &error);
}

static void assert_refused(int err, const char *reason)
{
	ck_assert_str_eq(error.text, reason);
	ck_assert_int_ne(err, 0);
	ck_assert_uint_eq(host.n_open, 0);
	ck_assert_ptr_null(forwards_next(fs, 0));
}

START_TEST(from_the_command_line)
{
	static const char *udp[] = { "53" };
	const struct forward *f;

	setup();
	g.conf.udp_forwards = udp;
	g.conf.n_udp_forwards = 1;
	ck_assert_int_eq(open_tcp("22:2222", "80-82", NULL), 0);
	ck_assert_uint_eq(host.n_open, 5);
	f = forwards_next(fs, 0);
	ck_assert_uint_eq(f->id, 1);
	ck_assert_uint_eq(f->rule.first, 22);
	f = forwards_next(fs, 1);
	ck_assert_uint_eq(f->n_open, 3);
	ck_assert_ptr_eq(host.owner[81], f);
	f = forwards_next(fs, 2);
	ck_assert_int_eq(f->rule.proto, FLOW_UDP);
	ck_assert_ptr_null(forwards_next(fs, 3));
	teardown();
}
END_TEST

START_TEST(mistakes_name_the_option)
{
	static const char *udp[] = { "22-x" };

	setup();
	assert_refused(open_tcp("22", "80-x", NULL),
		       "-t '80-x': 'x' does not begin with a port, a number from 1 to 65535");
	assert_refused(open_tcp("22", "none", NULL),
		       "-t 'none': contradicts what was given before it");
	g.conf.n_tcp_forwards = 0;
	g.conf.udp_forwards = udp;
	g.conf.n_udp_forwards = 1;
	assert_refused(forwards_open(fs, &error),
		       "-u '22-x': 'x' does not begin with a port, a number from 1 to 65535");
	/* also when they have no effect */
	g.conf.no_udp = true;
	assert_refused(forwards_open(fs, &error),
		       "-u '22-x': 'x' does not begin with a port, a number from 1 to 65535");
	udp[0] = "22";
	ck_assert_int_eq(forwards_open(fs, &error), 0);
	ck_assert_uint_eq(host.n_open, 0);
	g.conf.no_tcp = true;
	ck_assert_int_eq(open_tcp("22", NULL, NULL), 0);
	ck_assert_uint_eq(host.n_open, 0);
	teardown();
}
END_TEST

START_TEST(none_then_some)
{
	setup();
	ck_assert_int_eq(open_tcp("none", "22", NULL), 0);
	ck_assert_uint_eq(host.n_open, 1);
	teardown();
}
END_TEST

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

START_TEST(taken_port)
{
	uint64_t at_ns;

	setup();
	ck_assert_ptr_null(forwards_last_error(fs, &at_ns));
	host.error[81] = EADDRINUSE;
	ck_assert_int_eq(open_tcp("22", "80-82", NULL), -EADDRINUSE);
	assert_refused(1, "TCP *:81: Address already in use");
	assert_blamed(81, EADDRINUSE);
	ck_assert(error.port.both_families);
	host.error[81] = EADDRNOTAVAIL;
	ck_assert_int_eq(open_tcp("192.0.2.7%eth0/81", NULL, NULL), -EADDRNOTAVAIL);
	assert_refused(1, "TCP 192.0.2.7%eth0:81: Cannot assign requested address");
	assert_blamed(81, EADDRNOTAVAIL);
	ck_assert_str_eq(error.port.interface, "eth0");
	ck_assert(addr_is_ip4(&error.port.addr));
	host.error[81] = EACCES;
	ck_assert_int_eq(open_tcp("81", NULL, NULL), -EACCES);
	assert_refused(1,
		       "TCP *:81: Permission denied; ports below 1024 are reserved, see "
		       "the sysctl net.ipv4.ip_unprivileged_port_start");
	teardown();
}
END_TEST

START_TEST(best_effort)
{
	const struct forward_error *last;
	const struct forward *f;
	uint64_t at_ns;

	setup();
	host.error[1] = EACCES;
	host.error[443] = EADDRINUSE;
	ck_assert_int_eq(open_tcp("all", NULL, NULL), 0);
	f = forwards_next(fs, 0);
	ck_assert_uint_eq(f->n_open, 32765);
	ck_assert_uint_eq(f->n_failed, 2);
	ck_assert_uint_eq(f->failed_port, 1);
	ck_assert_int_eq(f->failed_error, EACCES);
	ck_assert_uint_eq(forwards_next(fs, 1)->n_open, 65535 - 61000 + 1);
	ck_assert_int_eq(error.error, 0);
	last = forwards_last_error(fs, &at_ns); /* from the start */
	ck_assert_int_eq(last->error, EACCES);
	ck_assert_uint_eq(last->port.first, 1);
	teardown();
	/* but what the daemon lacks is told */
	setup();
	host.max_open = 5000;
	ck_assert_int_eq(open_tcp("all", NULL, NULL), -EMFILE);
	assert_blamed(5001, EMFILE);
	assert_refused(
		1, "TCP *:5001: Too many open files; the limit of open files does not "
		   "allow for 32767 ports");
	host.max_open = UINT32_MAX;
	host.error[7] = EADDRINUSE;
	ck_assert_int_eq(open_tcp("~1-6,~8-65535", NULL, NULL), -EADDRINUSE);
	assert_refused(1, "TCP *:7: Address already in use");
	teardown();
}
END_TEST

/* "all" leaves out what other rules have, whatever stands first. */
START_TEST(best_effort_makes_way)
{
	setup();
	ck_assert_int_eq(open_tcp("all", "22:2222", "127.0.0.1/100-110"), 0);
	ck_assert_uint_eq(host.owner[22]->rule.target_first, 2222);
	ck_assert(!host.owner[105]->rule.best_effort);
	ck_assert(host.owner[111]->rule.best_effort);
	ck_assert_uint_eq(host.owner[111]->n_failed, 0);
	ck_assert_uint_eq(host.owner[111]->n_open, 32767 - 12);
	teardown();
}
END_TEST

START_TEST(conflicts)
{
	setup();
	ck_assert_int_eq(open_tcp("22", "20-30:120-130", NULL), -EADDRINUSE);
	assert_refused(1, "port 22 is forwarded already: TCP *:22 => 22");
	ck_assert_int_eq(open_tcp("22", "127.0.0.1/22:23", NULL), -EADDRINUSE);
	ck_assert_int_eq(open_tcp("%eth0/22", "22:23", NULL), -EADDRINUSE);
	ck_assert_int_eq(open_tcp("%eth0/22", "%eth1/23", NULL), 0);
	teardown();
}
END_TEST

/* Whether the table has room for both, when the kernel would not mind. */
static bool both_fit(const char *a, const char *b)
{
	bool fit;

	setup();
	host.shares = true;
	fit = !open_tcp(a, b, NULL);
	teardown();
	return fit;
}

START_TEST(families_conflict)
{
	static const char *const both[] = { "22", "%eth0/22" };

	for (int i = 0; i < 2; i++) {
		ck_assert(!both_fit(both[i], "22:23"));
		ck_assert(!both_fit(both[i], "0.0.0.0/22:23"));
		ck_assert(!both_fit("::/22:23", both[i]));
		ck_assert(!both_fit(both[i], "192.0.2.1/22:23"));
		ck_assert(!both_fit("[2001:db8::1]/22:23", both[i]));
	}
	ck_assert(!both_fit("::/22", "[2001:db8::1]/22:23"));
	ck_assert(!both_fit("192.0.2.1/22", "0.0.0.0/22:23"));
	ck_assert(!both_fit("::1/22", "::1/22:23"));
	ck_assert(both_fit("0.0.0.0/22", "::/22:23"));
	ck_assert(both_fit("::/22", "192.0.2.1/22:23"));
	ck_assert(both_fit("0.0.0.0/22", "[2001:db8::1]/22:23"));
	ck_assert(both_fit("::1/22", "[2001:db8::1]/22:23"));
	ck_assert(both_fit("fe80::1%eth0/22", "fe80::1%eth1/22:23"));
}
END_TEST

START_TEST(at_run_time)
{
	uint64_t id;
	const struct forward *f;

	setup();
	ck_assert_int_eq(open_tcp("22", NULL, NULL), 0);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "0:80,8080:80", &id, &error), 2);
	ck_assert_uint_eq(id, 2);
	f = forwards_next(fs, 1);
	ck_assert(f->picked);
	ck_assert_uint_eq(f->rule.first, 40000);
	ck_assert_uint_eq(f->rule.last, 40000);
	ck_assert_uint_eq(f->rule.target_first, 80);
	/* all or nothing */
	host.error[8082] = EADDRINUSE;
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "8081-8083", &id, &error), -EADDRINUSE);
	ck_assert_str_eq(error.text, "TCP *:8082: Address already in use");
	ck_assert_uint_eq(host.n_open, 3);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "8079-8081", &id, &error), -EADDRINUSE);
	ck_assert_str_eq(error.text, "port 8080 is forwarded already: TCP *:8080 => 80");
	assert_blamed(8080, EADDRINUSE);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "x", &id, &error), -EINVAL);
	ck_assert_int_eq(error.error, 0); /* not about a port of the system */
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "none", &id, &error), 0);
	/* the same port of the other protocol is another */
	ck_assert_int_eq(forwards_remove(fs, 3), 0);
	ck_assert_int_eq(forwards_remove(fs, 3), -ENOENT);
	ck_assert_ptr_null(host.owner[8080]);
	ck_assert_int_eq(forwards_add(fs, FLOW_UDP, "8080", &id, &error), 1);
	ck_assert_uint_gt(id, 3);
	teardown();
}
END_TEST

START_TEST(rule_limit)
{
	char spec[32];
	uint64_t id;

	setup();
	for (int i = 0; i < FORWARD_RULES_MAX; i++) {
		sprintf(spec, "%d", 1000 + i);
		ck_assert_int_eq(forwards_add(fs, FLOW_TCP, spec, &id, &error), 1);
	}
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "22", &id, &error), -ENOSPC);
	ck_assert_str_eq(error.text, "more than 256 rules");
	ck_assert_int_eq(forwards_remove(fs, 1), 0);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "22", &id, &error), 1);
	teardown();
}
END_TEST

/* Clients */

static void client(uint16_t port, uint32_t addr, uint16_t client_port)
{
	struct endpoint c = { addr_ip4(addr), client_port };

	forward_tcp_client(&g.env, host.owner[port], port, &sock_ops, NULL, NULL, &c);
}

static void assert_opened(uint32_t guest, uint16_t port, uint32_t shown, uint16_t shown_port)
{
	ck_assert_uint_eq(addr_get_ip4(&opened.guest.addr), guest);
	ck_assert_uint_eq(opened.guest.port, port);
	ck_assert_uint_eq(addr_get_ip4(&opened.client.addr), shown);
	ck_assert_uint_eq(opened.client.port, shown_port);
}

START_TEST(where_clients_are_led)
{
	setup();
	ck_assert_int_eq(open_tcp("22-25:122-125", "80:10.0.2.77/8080", NULL), 0);
	client(24, 0xc6336407, 4000);
	assert_opened(0x0a00020f, 124, 0xc6336407, 4000);
	ck_assert_uint_eq(addr_get_ip4(&opened.peer.addr), 0xc6336407);
	/* to the address that the guest uses, once that is known */
	g.env.guest.addr_known = true;
	g.env.guest.addr = addr_ip4(0x0a000214);
	client(22, 0x7f000001, 4000);
	assert_opened(0x0a000214, 122, 0x0a000202, 4000);
	ck_assert_uint_eq(addr_get_ip4(&opened.peer.addr), 0x7f000001);
	client(80, 0xc6336407, 4000);
	assert_opened(0x0a00024d, 8080, 0xc6336407, 4000);
	ck_assert_uint_eq(forwards_next(fs, 0)->n_clients, 2);
	ck_assert_uint_eq(forwards_next(fs, 1)->n_clients, 1);
	ck_assert_uint_eq(g.env.stats.forward_clients, 3);
	ck_assert_uint_eq(n_resets, 0);
	teardown();
}
END_TEST

static void client6(uint16_t port, const char *addr, uint16_t client_port)
{
	struct endpoint c = { addr_of(addr), client_port };

	forward_tcp_client(&g.env, host.owner[port], port, &sock_ops, NULL, NULL, &c);
	ck_assert(endpoint_eq(&opened.peer, &c));
}

static void assert_led(const char *guest, const char *shown, uint16_t shown_port)
{
	char text[ADDR_STR_MAX];

	ck_assert_str_eq(addr_print(&opened.guest.addr, text), guest);
	ck_assert_str_eq(addr_print(&opened.client.addr, text), shown);
	ck_assert_uint_eq(opened.client.port, shown_port);
}

static void guest_uses(const char *addr)
{
	struct addr a = addr_of(addr);

	guest_addr_learn(&g.env, &a);
}

START_TEST(where_clients_of_ip6_are_led)
{
	setup();
	ck_assert_int_eq(open_tcp("22", "80:[2001:db8:2::77]/8080", NULL), 0);
	/* before anything is known of the guest */
	client6(22, "2001:db8:9::7", 4000);
	assert_led("2001:db8:2::f", "2001:db8:9::7", 4000);
	client6(22, "::1", 4000);
	assert_led("2001:db8:2::f", "fe80::2", 4000);
	/* to the address that it uses, of the client's scope */
	guest_uses("10.0.2.15");
	guest_uses("2001:db8:2::beef");
	guest_uses("fe80::f");
	client6(22, "2001:db8:9::7", 4000);
	assert_led("2001:db8:2::beef", "2001:db8:9::7", 4000);
	client6(22, "::1", 4000);
	assert_led("fe80::f", "fe80::2", 4000);
	client6(22, "fe80::77", 4000);
	assert_led("fe80::f", "fe80::77", 4000);
	client6(22, "198.51.100.7", 4000);
	assert_led("10.0.2.15", "198.51.100.7", 4000);
	client6(80, "2001:db8:9::7", 4000);
	assert_led("2001:db8:2::77", "2001:db8:9::7", 4000);
	ck_assert_uint_eq(opened.guest.port, 8080);
	/* the loopback may stand elsewhere, or nowhere */
	g.net.ip6.map_loopback = addr_of("2001:db8:2::1");
	client6(22, "::1", 4000);
	assert_led("2001:db8:2::beef", "2001:db8:2::1", 4000);
	g.net.ip6.map_loopback_set = false;
	client6(22, "::1", 4000);
	assert_led("fe80::f", "fe80::2", 4000);
	/* to the leased one, once it is used, whatever else is */
	guest_uses("2001:db8:2::f");
	guest_uses("2001:db8:2::cafe");
	client6(22, "2001:db8:9::7", 4000);
	assert_led("2001:db8:2::f", "2001:db8:9::7", 4000);
	ck_assert_uint_eq(n_resets, 0);
	teardown();
}
END_TEST

/* A client that the guest cannot be shown in its own family. */
START_TEST(the_other_family)
{
	setup();
	ck_assert_int_eq(open_tcp("22", "80:[2001:db8:2::77]/8080", "::/81:10.0.2.77"), 0);
	client6(80, "198.51.100.7", 4000);
	assert_led("2001:db8:2::77", "fe80::2", 4000);
	client6(81, "2001:db8:9::7", 4000);
	assert_led("10.0.2.77", "10.0.2.2", 4000);
	/* a guest without IPv6 */
	g.net.ip6.on = false;
	client6(22, "2001:db8:9::7", 4000);
	assert_led("10.0.2.15", "10.0.2.2", 4000);
	client6(22, "::1", 4000);
	assert_led("10.0.2.15", "10.0.2.2", 4000);
	client6(22, "fe80::77", 4000);
	assert_led("10.0.2.15", "10.0.2.2", 4000);
	/* and without IPv4 */
	g.net.ip6.on = true;
	g.net.ip4.on = false;
	client6(22, "198.51.100.7", 4000);
	assert_led("2001:db8:2::f", "fe80::2", 4000);
	client6(22, "2001:db8:9::7", 4000);
	assert_led("2001:db8:2::f", "2001:db8:9::7", 4000);
	ck_assert_uint_eq(n_resets, 0);
	teardown();
}
END_TEST

/* IPv6 is there for the guest, but it does without. */
START_TEST(guest_that_uses_no_ip6)
{
	setup();
	ck_assert_int_eq(open_tcp("22", NULL, NULL), 0);
	guest_uses("10.0.2.15");
	client6(22, "::1", 4000);
	assert_led("10.0.2.15", "10.0.2.2", 4000);
	/* with a link-local address it can be reached from the link alone */
	guest_uses("fe80::f");
	client6(22, "::1", 4000);
	assert_led("fe80::f", "fe80::2", 4000);
	client6(22, "2001:db8:9::7", 4000);
	assert_led("10.0.2.15", "10.0.2.2", 4000);
	guest_uses("2001:db8:2::f");
	client6(22, "2001:db8:9::7", 4000);
	assert_led("2001:db8:2::f", "2001:db8:9::7", 4000);
	teardown();
}
END_TEST

START_TEST(target_of_a_family_that_is_off)
{
	struct endpoint c = { addr_of("2001:db8:9::7"), 4000 };

	setup();
	ck_assert_int_eq(open_tcp("80:[2001:db8:2::77]/8080", NULL, NULL), 0);
	g.net.ip6.on = false;
	forward_tcp_client(&g.env, host.owner[80], 80, &sock_ops, NULL, NULL, &c);
	ck_assert_uint_eq(opened.n, 0);
	ck_assert_uint_eq(n_resets, 1);
	ck_assert_uint_eq(g.env.stats.forward_refused, 1);
	ck_assert_uint_eq(forwards_next(fs, 0)->n_refused, 1);
	teardown();
}
END_TEST

START_TEST(refused_clients)
{
	setup();
	ck_assert_int_eq(open_tcp("22", NULL, NULL), 0);
	g.env.guest.connected = false;
	client(22, 0xc6336407, 4000);
	ck_assert_uint_eq(n_resets, 1);
	ck_assert_uint_eq(opened.n, 0);
	g.env.guest.connected = true;
	opened.result = -ENOSPC;
	client(22, 0xc6336407, 4000);
	ck_assert_uint_eq(n_resets, 2);
	ck_assert_uint_eq(forwards_next(fs, 0)->n_refused, 2);
	ck_assert_uint_eq(forwards_next(fs, 0)->n_clients, 0);
	ck_assert_uint_eq(g.env.stats.forward_refused, 2);
	teardown();
}
END_TEST

static void end_flow(struct env *env, struct flow *f, enum flow_close_reason reason)
{
	ck_assert_int_eq(reason, FLOW_CLOSED_PREEMPTED);
	flow_table_remove(&env->flows, f, reason, env->now_ns);
	n_flows_ended++;
}

static const char *old_state(const struct flow *f)
{
	return "ESTABLISHED";
}

static const struct flow_class old_class = { .name = "tcp", .state = old_state, .close = end_flow };

/* A connection that the guest has: with `shown` at the guest's port 80. */
static void have(struct flow *f, uint32_t shown, uint16_t port, uint32_t peer, uint16_t ours)
{
	*f = (struct flow){ .class = &old_class,
			    .dir = FLOW_IN,
			    .key = { addr_ip4(0x0a00020f), addr_ip4(shown), 80, port,
				     FLOW_TCP },
			    .peer = { addr_ip4(peer), port },
			    .host = { addr_ip4(OURS), ours } };
	ck_assert_int_eq(flow_table_insert(&g.env.flows, f, 0), 0);
}

START_TEST(clients_that_look_alike)
{
	struct flow old, next;

	setup();
	ck_assert_int_eq(open_tcp("80", "8080:80", NULL), 0);
	/* two loopback addresses, one source port */
	have(&old, 0x0a000202, 5000, 0x7f000001, 80);
	client(80, 0x7f000002, 5000);
	assert_opened(0x0a00020f, 80, 0x0a000202, 49152 + 5001);
	have(&next, 0x0a000202, 49152 + 5001, 0x7f000002, 80);
	client(80, 0x7f000003, 5000);
	assert_opened(0x0a00020f, 80, 0x0a000202, 49152 + 5002);
	flow_table_remove(&g.env.flows, &old, FLOW_CLOSED_FINISHED, 0);
	flow_table_remove(&g.env.flows, &next, FLOW_CLOSED_FINISHED, 0);
	/* hidden for its family */
	g.net.ip6.on = false;
	have(&old, 0x0a000202, 5000, 0x7f000001, 80);
	client6(80, "2001:db8:9::7", 5000);
	assert_opened(0x0a00020f, 80, 0x0a000202, 49152 + 5001);
	flow_table_remove(&g.env.flows, &old, FLOW_CLOSED_FINISHED, 0);
	/* one client through two forwards: its address stays */
	have(&old, 0xc6336407, 60000, 0xc6336407, 8080);
	client(80, 0xc6336407, 60000);
	assert_opened(0x0a00020f, 80, 0xc6336407, 49152 + 60001 % 16384);
	ck_assert_uint_eq(n_flows_ended, 0);
	flow_table_remove(&g.env.flows, &old, FLOW_CLOSED_FINISHED, 0);
	/* the client took its port again: the guest's old connection has nobody anymore */
	have(&old, 0xc6336407, 60000, 0xc6336407, 80);
	client(80, 0xc6336407, 60000);
	assert_opened(0x0a00020f, 80, 0xc6336407, 60000);
	ck_assert_uint_eq(n_flows_ended, 1);
	ck_assert_uint_eq(n_resets, 0);
	teardown();
}
END_TEST

START_TEST(no_port_left_to_tell_them_apart)
{
	static struct flow flows[65];

	setup();
	ck_assert_int_eq(open_tcp("80", NULL, NULL), 0);
	have(&flows[0], 0x0a000202, 5000, 0x7f000001, 80);
	for (int i = 1; i < 65; i++)
		have(&flows[i], 0x0a000202, (uint16_t)(49152 + 5000 + i), 0x7f000001, 80);
	client(80, 0x7f000002, 5000);
	ck_assert_uint_eq(opened.n, 0);
	ck_assert_uint_eq(n_resets, 1);
	for (int i = 0; i < 65; i++)
		flow_table_remove(&g.env.flows, &flows[i], FLOW_CLOSED_FINISHED, 0);
	teardown();
}
END_TEST

/* Datagrams */

static int nothing_sent(struct udp_client_sock *s, const struct udp_client *to,
			struct udp_path *path, const struct host_ip *ip, const struct iovec *d, int n)
{
	return n;
}

static void no_change(struct udp_client_sock *s, bool want)
{
}

static void no_room(struct udp_client_sock *s)
{
}

static int no_errors(struct udp_client_sock *s)
{
	return 0;
}

static const struct udp_client_ops listener_ops = { nothing_sent, no_change, no_room, no_errors };

static struct udp_client_sock via;

/* A UDP forward of port 501. */
static struct forward *setup_udp(const char *spec)
{
	uint64_t id;

	setup();
	fake_udp_init(&fake_udp);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &fake_udp);
	ck_assert_int_eq(forwards_add(fs, FLOW_UDP, spec, &id, &error), 1);
	udp_client_sock_init(&via, &listener_ops, 501);
	return host.owner[501];
}

static void teardown_udp(void)
{
	udp_client_sock_end(&g.env, &via);
	udp_free(g.env.udp);
	fake_udp_free(&fake_udp);
	teardown();
}

static int datagram_from(struct forward *f, const char *addr, uint16_t port)
{
	struct udp_client c = { { addr_of(addr), port }, addr_ip4(OURS), 0 };

	return forward_udp_datagram(&g.env, f, 501, &via, &c, "hi", 2);
}

static void assert_got(size_t frame, const char *guest, uint16_t dport, const char *shown,
		       uint16_t sport)
{
	const struct fake_frame *f = fake_guest_frame(&g, frame);
	char src[ADDR_STR_MAX], dst[ADDR_STR_MAX];
	struct pkt p;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_str_eq(addr_print(&p.dst, dst), guest);
	ck_assert_str_eq(addr_print(&p.src, src), shown);
	ck_assert_uint_eq(p.udp.dport, dport);
	ck_assert_uint_eq(p.udp.sport, sport);
}

START_TEST(datagrams)
{
	struct forward *f = setup_udp("500-501:1500-1501");

	ck_assert_int_eq(datagram_from(f, "198.51.100.7", 4000), 0);
	assert_got(0, "10.0.2.15", 1501, "198.51.100.7", 4000);
	ck_assert_int_eq(datagram_from(f, "2001:db8:9::7", 4000), 0);
	assert_got(1, "2001:db8:2::f", 1501, "2001:db8:9::7", 4000);
	ck_assert_int_eq(datagram_from(f, "::1", 4000), 0);
	assert_got(2, "2001:db8:2::f", 1501, "fe80::2", 4000);
	/* a full link keeps it for later, no guest loses it */
	g.room = 0;
	ck_assert_int_eq(datagram_from(f, "198.51.100.7", 4000), -ENOBUFS);
	g.env.guest.connected = false;
	ck_assert_int_eq(datagram_from(f, "198.51.100.7", 4000), 0);
	ck_assert_uint_eq(f->n_clients, 3);
	ck_assert_uint_eq(f->n_refused, 1);
	ck_assert_uint_eq(g.env.stats.forward_datagrams, 3);
	ck_assert_uint_eq(g.env.stats.forward_lost, 1);
	teardown_udp();
}
END_TEST

START_TEST(datagrams_in_the_other_family)
{
	struct forward *f = setup_udp("501");

	g.net.ip6.on = false;
	ck_assert_int_eq(datagram_from(f, "2001:db8:9::7", 4000), 0);
	ck_assert_int_eq(datagram_from(f, "2001:db8:9::8", 4000), 0);
	ck_assert_int_eq(datagram_from(f, "127.0.0.1", 4001), 0);
	assert_got(0, "10.0.2.15", 501, "10.0.2.2", 4000);
	assert_got(1, "10.0.2.15", 501, "10.0.2.2", 49152 + 4001);
	assert_got(2, "10.0.2.15", 501, "10.0.2.2", 4001);
	teardown_udp();
	f = setup_udp("501:[2001:db8:2::99]/53");
	ck_assert_int_eq(datagram_from(f, "198.51.100.7", 4000), 0);
	assert_got(0, "2001:db8:2::99", 53, "fe80::2", 4000);
	g.net.ip6.on = false;
	ck_assert_int_eq(datagram_from(f, "198.51.100.7", 4000), 0);
	ck_assert_uint_eq(g.n_frames, 1);
	ck_assert_uint_eq(f->n_refused, 1);
	ck_assert_uint_eq(g.env.stats.forward_lost, 1);
	teardown_udp();
}
END_TEST

/* Errors go where the client was led; those of nobody are counted. */
START_TEST(errors_about_answers)
{
	struct forward *f = setup_udp("500-501:1500-1501");
	struct udp_client c = { { addr_of("::1"), 4000 }, addr_ip4(OURS), 0 };
	struct host_error e = { { ICMP6_TYPE_UNREACHABLE, ICMP6_CODE_PORT, 0 }, addr_of("::1"), 1, "x" };
	struct packet_ip6 answer = { .src = addr_of("2001:db8:2::f"), .dst = addr_of("fe80::2") };
	static struct packet packet;
	struct pkt p;

	datagram_from(f, "::1", 4000);
	packet_udp6(&packet, &answer, 1501, 4000, "x", 1);
	udp_from_guest(&g.env, &packet.pkt);
	udp_batch_end(&g.env);
	forward_udp_error(&g.env, f, 501, &via, &c, &e);
	ck_assert_uint_eq(g.n_frames, 2);
	ck_assert_int_eq(pkt_decode(fake_guest_frame(&g, 1)->data, fake_guest_frame(&g, 1)->len, &p), DROP_NONE);
	ck_assert(addr_eq(&p.src, &answer.dst));
	ck_assert_uint_eq(p.icmp.type, ICMP6_TYPE_UNREACHABLE);
	ck_assert_uint_eq(g.env.stats.forward_errors_lost, 0);
	c.addr.port = 4001;
	forward_udp_error(&g.env, f, 501, &via, &c, &e);
	ck_assert_uint_eq(g.env.stats.forward_errors_lost, 1);
	c.addr.port = 4000;
	g.env.guest.connected = false;
	forward_udp_error(&g.env, f, 501, &via, &c, &e);
	ck_assert_uint_eq(g.env.stats.forward_errors_lost, 2);
	ck_assert_uint_eq(g.n_frames, 2);
	teardown_udp();
}
END_TEST

SUITE_MAIN("forward", from_the_command_line, mistakes_name_the_option, none_then_some,
	   taken_port, best_effort, best_effort_makes_way, conflicts, families_conflict,
	   at_run_time, rule_limit, where_clients_are_led, where_clients_of_ip6_are_led,
	   the_other_family, guest_that_uses_no_ip6, target_of_a_family_that_is_off,
	   refused_clients, clients_that_look_alike, no_port_left_to_tell_them_apart, datagrams,
	   datagrams_in_the_other_family, errors_about_answers)
