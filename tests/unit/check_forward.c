/* The table of forwards over sockets of a fake host, and how clients are led to the guest. */
#include "proto/forward.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/tcp/tcp.h"

#define OURS 0xcb007109 /* 203.0.113.9 */

/* The host's ports. */
static struct {
	struct forward *owner[65536];
	int error[65536]; /* errno of opening it */
	unsigned n_open, max_open;
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
static char error[FORWARD_ERROR_MAX];
static unsigned n_resets, n_flows_ended;
static const char *texts[8];

static void *open_port(void *h, struct forward *f, uint16_t *port, int *err)
{
	ck_assert_ptr_eq(h, &host);
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

	ck_assert_ptr_eq(*owner, f);
	*owner = NULL;
	host.n_open--;
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
	error[0] = '\0';
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
	return forwards_open(fs, error);
}

static void assert_refused(int err, const char *reason)
{
	ck_assert_str_eq(error, reason);
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
	assert_refused(forwards_open(fs, error),
		       "-u '22-x': 'x' does not begin with a port, a number from 1 to 65535");
	/* also when they have no effect */
	g.conf.no_udp = true;
	assert_refused(forwards_open(fs, error),
		       "-u '22-x': 'x' does not begin with a port, a number from 1 to 65535");
	udp[0] = "22";
	ck_assert_int_eq(forwards_open(fs, error), 0);
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

START_TEST(taken_port)
{
	setup();
	host.error[81] = EADDRINUSE;
	ck_assert_int_eq(open_tcp("22", "80-82", NULL), -EADDRINUSE);
	assert_refused(1, "TCP 0.0.0.0:81: Address already in use");
	host.error[81] = EADDRNOTAVAIL;
	ck_assert_int_eq(open_tcp("192.0.2.7%eth0/81", NULL, NULL), -EADDRNOTAVAIL);
	assert_refused(1, "TCP 192.0.2.7%eth0:81: Cannot assign requested address");
	host.error[81] = EACCES;
	ck_assert_int_eq(open_tcp("81", NULL, NULL), -EACCES);
	assert_refused(1,
		       "TCP 0.0.0.0:81: Permission denied; ports below 1024 are reserved, see "
		       "the sysctl net.ipv4.ip_unprivileged_port_start");
	teardown();
}
END_TEST

START_TEST(best_effort)
{
	const struct forward *f;

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
	teardown();
	/* but what the daemon lacks is told */
	setup();
	host.max_open = 5000;
	ck_assert_int_eq(open_tcp("all", NULL, NULL), -EMFILE);
	assert_refused(
		1, "TCP 0.0.0.0:5001: Too many open files; the limit of open files does not "
		   "allow for 32767 ports");
	host.max_open = UINT32_MAX;
	host.error[7] = EADDRINUSE;
	ck_assert_int_eq(open_tcp("~1-6,~8-65535", NULL, NULL), -EADDRINUSE);
	assert_refused(1, "TCP 0.0.0.0:7: Address already in use");
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
	assert_refused(1, "port 22 is forwarded already: TCP 0.0.0.0:22 => 22");
	ck_assert_int_eq(open_tcp("22", "127.0.0.1/22:23", NULL), -EADDRINUSE);
	ck_assert_int_eq(open_tcp("%eth0/22", "22:23", NULL), -EADDRINUSE);
	ck_assert_int_eq(open_tcp("%eth0/22", "%eth1/23", NULL), 0);
	teardown();
}
END_TEST

START_TEST(at_run_time)
{
	uint64_t id;
	const struct forward *f;

	setup();
	ck_assert_int_eq(open_tcp("22", NULL, NULL), 0);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "0:80,8080:80", &id, error), 2);
	ck_assert_uint_eq(id, 2);
	f = forwards_next(fs, 1);
	ck_assert(f->picked);
	ck_assert_uint_eq(f->rule.first, 40000);
	ck_assert_uint_eq(f->rule.last, 40000);
	ck_assert_uint_eq(f->rule.target_first, 80);
	/* all or nothing */
	host.error[8082] = EADDRINUSE;
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "8081-8083", &id, error), -EADDRINUSE);
	ck_assert_str_eq(error, "TCP 0.0.0.0:8082: Address already in use");
	ck_assert_uint_eq(host.n_open, 3);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "8080", &id, error), -EADDRINUSE);
	ck_assert_str_eq(error, "port 8080 is forwarded already: TCP 0.0.0.0:8080 => 80");
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "x", &id, error), -EINVAL);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "none", &id, error), 0);
	/* the same port of the other protocol is another */
	ck_assert_int_eq(forwards_remove(fs, 3), 0);
	ck_assert_int_eq(forwards_remove(fs, 3), -ENOENT);
	ck_assert_ptr_null(host.owner[8080]);
	ck_assert_int_eq(forwards_add(fs, FLOW_UDP, "8080", &id, error), 1);
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
		ck_assert_int_eq(forwards_add(fs, FLOW_TCP, spec, &id, error), 1);
	}
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "22", &id, error), -ENOSPC);
	ck_assert_str_eq(error, "more than 256 rules");
	ck_assert_int_eq(forwards_remove(fs, 1), 0);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "22", &id, error), 1);
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

static const struct flow_class old_class = { .name = "tcp", .close = end_flow };

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

static int nothing_sent(struct udp_client_sock *s, const struct endpoint *c,
			const struct addr *local, const struct iovec *d, int n)
{
	return n;
}

static void no_change(struct udp_client_sock *s, bool want)
{
}

static void no_room(struct udp_client_sock *s)
{
}

static const struct udp_client_ops listener_ops = { nothing_sent, no_change, no_room };

START_TEST(datagrams)
{
	struct endpoint c = { addr_ip4(0xc6336407), 4000 };
	struct addr local = addr_ip4(OURS);
	struct udp_client_sock via;
	struct forward *f;
	struct pkt p;
	uint64_t id;

	setup();
	fake_udp_init(&fake_udp);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &fake_udp);
	ck_assert_int_eq(forwards_add(fs, FLOW_UDP, "500-501:1500-1501", &id, error), 1);
	f = host.owner[501];
	udp_client_sock_init(&via, &listener_ops, 501);
	ck_assert_int_eq(forward_udp_datagram(&g.env, f, 501, &via, &c, &local, "hi", 2), 0);
	ck_assert_int_eq(
		pkt_decode(fake_guest_frame(&g, 0)->data, fake_guest_frame(&g, 0)->len, &p),
		DROP_NONE);
	ck_assert_uint_eq(p.udp.dport, 1501);
	ck_assert_uint_eq(p.udp.sport, 4000);
	ck_assert_uint_eq(addr_get_ip4(&p.dst), 0x0a00020f);
	/* a full link keeps it for later, no guest loses it */
	g.room = 0;
	ck_assert_int_eq(forward_udp_datagram(&g.env, f, 501, &via, &c, &local, "hi", 2),
			 -ENOBUFS);
	g.env.guest.connected = false;
	ck_assert_int_eq(forward_udp_datagram(&g.env, f, 501, &via, &c, &local, "hi", 2), 0);
	ck_assert_uint_eq(f->n_clients, 1);
	ck_assert_uint_eq(f->n_refused, 1);
	ck_assert_uint_eq(g.env.stats.forward_datagrams, 1);
	ck_assert_uint_eq(g.env.stats.forward_lost, 1);
	udp_client_sock_end(&g.env, &via);
	udp_free(g.env.udp);
	fake_udp_free(&fake_udp);
	teardown();
}
END_TEST

SUITE_MAIN("forward", from_the_command_line, mistakes_name_the_option, none_then_some,
	   taken_port, best_effort, best_effort_makes_way, conflicts, at_run_time, rule_limit,
	   where_clients_are_led, refused_clients, clients_that_look_alike,
	   no_port_left_to_tell_them_apart, datagrams)
