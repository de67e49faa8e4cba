/* Sockets of forwards on the real loopback: accepting, waiting, refusing, datagrams both ways.
 */
#include "host/listen.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "host/sock.h"
#include "host/tcp_sock.h"
#include "lib/fake_guest.h"
#include "lib/fake_udp.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "loop/edge.h"
#include "proto/tcp/tcp.h"
#include "proto/udp.h"

#define DEADLINE_NS (20 * NS_PER_SEC)
#define CLIENTS_MAX 256

/* The relay: keeps the clients that it gets. */
struct tcp_conn {
	void *host;
	struct endpoint guest, client;
};

static struct tcp_conn conns[CLIENTS_MAX];
static unsigned n_conns;
static struct fake_guest g;
static struct fake_udp fake_udp;
static struct loop *loop;
static struct edge_set *edges;
static struct listen *listeners;
static struct forwards *fs;
static struct timer deadline;
static struct packet packet;
static struct forward_error error;
static bool (*awaited)(void);

int tcp_open_to_guest(struct env *env, const struct tcp_host_ops *ops, void *host,
		      void (*set_conn)(void *host, struct tcp_conn *conn),
		      const struct endpoint *guest, const struct endpoint *client,
		      const struct endpoint *peer)
{
	ck_assert_uint_lt(n_conns, CLIENTS_MAX);
	conns[n_conns] = (struct tcp_conn){ host, *guest, *peer };
	set_conn(host, &conns[n_conns++]);
	return 0;
}

void tcp_from_host(struct env *env, struct tcp_conn *c, unsigned events)
{
}

static void too_late(struct timer *t, void *ctx)
{
	ck_abort_msg("it did not happen in time");
}

static void on_wakeup(void *ctx, uint64_t now_ns)
{
	g.env.now_ns = now_ns;
}

static bool on_idle(void *ctx)
{
	if (awaited())
		loop_stop(loop);
	return false;
}

static void await(bool (*condition)(void))
{
	awaited = condition;
	deadline.fire = too_late;
	ck_assert_int_eq(timerq_set(&g.env.timers, &deadline, loop_clock_ns() + DEADLINE_NS),
			 0);
	loop_run(loop);
	timerq_cancel(&g.env.timers, &deadline);
}

/* `age_ns`: how long ago the daemon was started. */
static void setup(uint64_t age_ns)
{
	struct forward_ports ports;

	log_set_level(LOG_LEVEL_ERROR);
	fake_guest_init(&g);
	fake_udp_init(&fake_udp);
	g.env.udp = udp_new(&g.env, &fake_udp_ops, &fake_udp);
	loop = loop_new(&g.env.timers, &g.env);
	loop_set_wakeup(loop, on_wakeup, NULL);
	loop_set_idle(loop, on_idle, NULL);
	edges = edge_set_new(loop, &g.env);
	tcp_sock_init(edges);
	listeners = listen_new(&g.env, loop, edges);
	listen_read_ports(&ports);
	g.env.now_ns = loop_clock_ns() - age_ns;
	g.env.forwards = fs = forwards_new(&g.env, &listen_ops, listeners, &ports);
	g.env.now_ns = loop_clock_ns();
	n_conns = 0;
}

static void teardown(void)
{
	for (unsigned i = 0; i < n_conns; i++)
		tcp_sock_ops.close(conns[i].host, true);
	forwards_free(fs);
	listen_free(listeners);
	ck_assert_uint_eq(g.env.timers.n, 0);
	edge_set_free(edges);
	loop_free(loop);
	udp_free(g.env.udp);
	fake_udp_free(&fake_udp);
	fake_guest_free(&g);
}

/* A rule with one port that the kernel picks; returns the port. */
static uint16_t forward(enum flow_proto proto, const char *spec)
{
	uint64_t id;

	ck_assert_msg(forwards_add(fs, proto, spec, &id, &error) == 1, "%s", error.text);
	return forwards_next(fs, id - 1)->rule.first;
}

static int socket_at(int type, uint32_t addr, uint16_t port, struct sockaddr_storage *sa)
{
	struct endpoint e = { addr_ip4(addr), port };

	endpoint_to_sockaddr(&e, (struct sockaddr *)sa);
	return socket(AF_INET, type, 0);
}

static int connect_to(uint32_t addr, uint16_t port)
{
	struct sockaddr_storage sa;
	int fd = socket_at(SOCK_STREAM, addr, port, &sa);

	if (!connect(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)))
		return fd;
	close(fd);
	return -errno;
}

/* A socket of the address's family, for the use of `sa`, whose length is *len. */
static int socket_to(int type, const char *addr, uint16_t port, struct sockaddr_storage *sa,
		     socklen_t *len)
{
	struct endpoint e = { addr_of(addr), port };

	*len = endpoint_to_sockaddr(&e, (struct sockaddr *)sa);
	return socket(sa->ss_family, type, 0);
}

/* A connection, or -errno. */
static int connection_to(const char *addr, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd = socket_to(SOCK_STREAM, addr, port, &sa, &len);

	if (!connect(fd, (struct sockaddr *)&sa, len))
		return fd;
	close(fd);
	return -errno;
}

static bool have_loopback6(const char *test)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd = socket_to(SOCK_DGRAM, "::1", 0, &sa, &len);
	bool have = fd >= 0 && !bind(fd, (struct sockaddr *)&sa, len);

	if (fd >= 0)
		close(fd);
	if (!have)
		printf("%s: skipped, this host has no ::1\n", test);
	return have;
}

/* A socket of another program; takes the port that it gets. */
static int other_program(int type, bool reuse, uint16_t *port)
{
	struct sockaddr_storage sa;
	int fd = socket_at(type, INADDR_LOOPBACK, 0, &sa);
	struct endpoint own;

	ck_assert_int_eq(sock_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 1), 0);
	sock_local(fd, &own);
	*port = own.port;
	return fd;
}

static bool one_client(void)
{
	return n_conns == 1;
}

START_TEST(accepting)
{
	struct endpoint own;
	char buf[4];
	int fd;

	setup(0);
	fd = connect_to(INADDR_LOOPBACK, forward(FLOW_TCP, "0:22"));
	ck_assert_int_ge(fd, 0);
	await(one_client);
	sock_local(fd, &own);
	ck_assert(endpoint_eq(&own, &conns[0].client));
	ck_assert_uint_eq(conns[0].guest.port, 22);
	/* it is a socket like those for the guest's connections */
	ck_assert_int_eq(tcp_sock_ops.connected(conns[0].host), 0);
	ck_assert_int_eq(
		tcp_sock_ops.send(conns[0].host, &(struct iovec){ (char[]){ "hi" }, 2 }, 1), 2);
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 2);
	close(fd);
	teardown();
}
END_TEST

static bool two_clients(void)
{
	return n_conns == 2;
}

/* One socket for both families. */
START_TEST(accepting_both_families)
{
	struct endpoint own;
	uint16_t port;
	int fd[2];

	if (!have_loopback6("accepting_both_families"))
		return;
	setup(0);
	port = forward(FLOW_TCP, "0:22");
	fd[0] = connection_to("127.0.0.1", port);
	await(one_client);
	fd[1] = connection_to("::1", port);
	await(two_clients);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ge(fd[i], 0);
		sock_local(fd[i], &own);
		ck_assert(endpoint_eq(&own, &conns[i].client));
		close(fd[i]);
	}
	ck_assert(addr_eq(&conns[0].guest.addr, &g.net.ip4.guest));
	ck_assert(addr_eq(&conns[1].guest.addr, &g.net.ip6.guest));
	/* its own end, too, is IPv4 for an IPv4 client */
	tcp_sock_ops.local(conns[0].host, &own);
	ck_assert_uint_eq(addr_get_ip4(&own.addr), INADDR_LOOPBACK);
	ck_assert(addr_is_ip4(&own.addr));
	teardown();
}
END_TEST

START_TEST(accepting_one_family)
{
	uint16_t port;

	if (!have_loopback6("accepting_one_family"))
		return;
	setup(0);
	port = forward(FLOW_TCP, "0.0.0.0/0:22");
	ck_assert_int_eq(connection_to("::1", port), -ECONNREFUSED);
	close(connection_to("127.0.0.1", port));
	await(one_client);
	ck_assert_int_eq(forwards_remove(fs, 1), 0);
	port = forward(FLOW_TCP, "::/0:22");
	ck_assert_int_eq(connection_to("127.0.0.1", port), -ECONNREFUSED);
	close(connection_to("::1", port));
	await(two_clients);
	port = forward(FLOW_TCP, "[::1]%lo/0:22");
	ck_assert_int_ge(connection_to("::1", port), 0);
	teardown();
}
END_TEST

/* Each family can go elsewhere. */
START_TEST(one_port_for_each_family)
{
	char spec[32];
	uint64_t id;
	uint16_t port;

	if (!have_loopback6("one_port_for_each_family"))
		return;
	for (enum flow_proto proto = FLOW_TCP; proto <= FLOW_UDP; proto++) {
		setup(0);
		port = forward(proto, "0.0.0.0/0:22");
		snprintf(spec, sizeof(spec), "::/%u:23", port);
		ck_assert_int_eq(forwards_add(fs, proto, spec, &id, &error), 1);
		teardown();
	}
}
END_TEST

static bool two_hundred_clients(void)
{
	return n_conns == 200;
}

START_TEST(many_clients_at_once)
{
	uint16_t port;
	int fd[200];

	setup(0);
	port = forward(FLOW_TCP, "0:22");
	for (int i = 0; i < 200; i++)
		ck_assert_int_ge(fd[i] = connect_to(INADDR_LOOPBACK, port), 0);
	await(two_hundred_clients);
	for (int i = 0; i < 200; i++)
		close(fd[i]);
	teardown();
}
END_TEST

static bool one_refused(void)
{
	return g.env.stats.forward_refused == 1;
}

static void assert_reset(int fd)
{
	char c;

	ck_assert_int_eq(recv(fd, &c, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(fd);
}

START_TEST(no_guest)
{
	int fd;

	setup(FORWARD_PATIENCE_NS);
	g.env.guest.connected = false;
	fd = connect_to(INADDR_LOOPBACK, forward(FLOW_TCP, "0:22"));
	await(one_refused);
	assert_reset(fd);
	ck_assert_uint_eq(n_conns, 0);
	teardown();
}
END_TEST

static void guest_comes(struct timer *t, void *ctx)
{
	ck_assert_uint_eq(n_conns + g.env.stats.forward_refused, 0);
	g.env.guest.connected = true;
	g.env.guest.changed_ns = g.env.now_ns;
}

START_TEST(guest_about_to_come)
{
	struct timer coming = { .fire = guest_comes };
	int fd;

	setup(0);
	g.env.guest.connected = false;
	fd = connect_to(INADDR_LOOPBACK, forward(FLOW_TCP, "0:22"));
	ck_assert_int_eq(timerq_set(&g.env.timers, &coming, g.env.now_ns + 600 * NS_PER_MS), 0);
	await(one_client);
	close(fd);
	teardown();
}
END_TEST

/* Patience counts from when the last guest left, too. */
START_TEST(guest_that_left)
{
	setup(FORWARD_PATIENCE_NS);
	g.env.guest.connected = false;
	ck_assert(!forwards_wait(fs));
	g.env.guest.changed_ns = g.env.now_ns;
	ck_assert(forwards_wait(fs));
	g.env.now_ns += FORWARD_PATIENCE_NS;
	ck_assert(!forwards_wait(fs));
	g.env.guest.connected = true;
	ck_assert(!forwards_wait(fs));
	teardown();
}
END_TEST

static void set_descriptor_limit(rlim_t limit)
{
	struct rlimit r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	r.rlim_cur = limit;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
}

/* The descriptor that the next accept() would get. */
static int next_descriptor(void)
{
	int next = dup(STDIN_FILENO);

	ck_assert_int_ge(next, 0);
	close(next);
	return next;
}

static bool one_pause(void)
{
	return g.env.stats.forward_pauses == 1;
}

START_TEST(no_descriptor)
{
	struct rlimit before;
	uint16_t port;
	int fd;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	setup(0);
	port = forward(FLOW_TCP, "0:22");
	/* only the reserve is left: reset */
	fd = connect_to(INADDR_LOOPBACK, port);
	set_descriptor_limit((rlim_t)next_descriptor() + 1);
	await(one_refused);
	assert_reset(fd);
	/* not even that: waits, and is served as soon as there are some */
	set_descriptor_limit(before.rlim_cur);
	fd = connect_to(INADDR_LOOPBACK, port);
	set_descriptor_limit((rlim_t)next_descriptor());
	await(one_pause);
	ck_assert_uint_eq(n_conns, 0);
	set_descriptor_limit(before.rlim_cur);
	await(one_client);
	ck_assert_uint_eq(g.env.stats.forward_refused, 1);
	close(fd);
	teardown();
}
END_TEST

static void assert_taken(enum flow_proto proto, uint16_t port)
{
	char spec[16], want[FORWARD_ERROR_MAX];
	uint64_t id;

	snprintf(spec, sizeof(spec), "%u", port);
	snprintf(want, sizeof(want), "%s *:%u: Address already in use",
		 proto == FLOW_TCP ? "TCP" : "UDP", port);
	ck_assert_int_eq(forwards_add(fs, proto, spec, &id, &error), -EADDRINUSE);
	ck_assert_str_eq(error.text, want);
}

START_TEST(taken_ports)
{
	uint16_t port;
	uint64_t id;
	int fd;

	setup(0);
	fd = other_program(SOCK_STREAM, true, &port);
	assert_taken(FLOW_TCP, port);
	close(fd);
	fd = other_program(SOCK_DGRAM, false, &port);
	assert_taken(FLOW_UDP, port);
	close(fd);
	/* who would share its port does not share it with us */
	fd = other_program(SOCK_DGRAM, true, &port);
	assert_taken(FLOW_UDP, port);
	close(fd);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "192.0.2.99/0:22", &id, &error),
			 -EADDRNOTAVAIL);
	ck_assert_str_eq(error.text, "TCP 192.0.2.99:0: Cannot assign requested address");
	ck_assert_int_eq(forwards_add(fs, FLOW_UDP, "%no-such/0:22", &id, &error), -ENODEV);
	ck_assert_str_eq(error.text, "UDP *%no-such:0: No such device");
	ck_assert_int_eq(forwards_add(fs, FLOW_UDP, "fe80::1%no-such/0:22", &id, &error),
			 -ENODEV);
	if (have_loopback6("taken_ports, of IPv6")) {
		ck_assert_int_eq(
			forwards_add(fs, FLOW_TCP, "[2001:db8:99::1]/0:22", &id, &error),
			-EADDRNOTAVAIL);
		ck_assert_str_eq(error.text,
				 "TCP [2001:db8:99::1]:0: Cannot assign requested address");
	}
	teardown();
}
END_TEST

/* A flow of the guest from the same port can have a socket beside the listening one. */
START_TEST(udp_port_is_shared_with_flows)
{
	struct sockaddr_storage sa;
	uint16_t port;
	int fd;

	setup(0);
	port = forward(FLOW_UDP, "0:53");
	fd = socket_at(SOCK_DGRAM, INADDR_ANY, port, &sa);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)), -1);
	ck_assert_int_eq(sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)), 0);
	close(fd);
	teardown();
}
END_TEST

START_TEST(interface_and_removal)
{
	uint16_t port;

	setup(0);
	port = forward(FLOW_TCP, "%lo/0:22");
	close(connect_to(INADDR_LOOPBACK, port));
	ck_assert_int_eq(forwards_remove(fs, 1), 0);
	ck_assert_int_eq(connect_to(INADDR_LOOPBACK, port), -ECONNREFUSED);
	port = forward(FLOW_TCP, "127.0.0.1/0:22");
	ck_assert_int_eq(connect_to(INADDR_LOOPBACK + 1, port), -ECONNREFUSED);
	teardown();
}
END_TEST

/* UDP */

static size_t n_awaited_frames;

static bool frames_came(void)
{
	return g.n_frames >= n_awaited_frames;
}

static void await_frames(size_t n)
{
	n_awaited_frames = n;
	await(frames_came);
	ck_assert_uint_eq(g.n_frames, n);
}

static void guest_answers(const struct addr *shown, uint16_t port)
{
	struct packet_ip ip = { .dst = addr_get_ip4(shown) };
	struct packet_ip6 ip6 = { .src = g.net.ip6.guest, .dst = *shown };

	if (addr_is_ip4(shown))
		packet_udp(&packet, &ip, 53, port, "answer", 6);
	else
		packet_udp6(&packet, &ip6, 53, port, "answer", 6);
	ck_assert_int_eq(udp_from_guest(&g.env, &packet.pkt), DROP_NONE);
	udp_batch_end(&g.env);
}

/* `fd` sends to `sa`, and gets its answer from the address `own`. */
static void exchange(int fd, const struct sockaddr_storage *sa, socklen_t len,
		     const char *own)
{
	const struct addr want = addr_of(own);
	struct endpoint to, by;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	struct timeval patience = { .tv_sec = DEADLINE_NS / NS_PER_SEC };
	const struct fake_frame *f;
	char buf[16];
	struct pkt p;

	ck_assert_int_eq(sendto(fd, "question", 8, 0, (struct sockaddr *)sa, len), 8);
	ck_assert_int_eq(sendto(fd, "", 0, 0, (struct sockaddr *)sa, len), 0);
	await_frames(2);
	f = fake_guest_frame(&g, 0);
	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	guest_answers(&p.src, p.udp.sport);
	ck_assert_uint_eq(g.env.stats.drops[DROP_HOST_SEND], 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ck_assert_int_eq(
		recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len), 6);
	ck_assert(!memcmp(buf, "answer", 6));
	ck_assert_int_eq(endpoint_from_sockaddr(&to, (const struct sockaddr *)sa), 0);
	ck_assert_int_eq(endpoint_from_sockaddr(&by, (struct sockaddr *)&from), 0);
	ck_assert_uint_eq(by.port, to.port);
	ck_assert(addr_eq(&by.addr, &want));
}

static void exchange_with(const char *spec, const char *addr, const char *own)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len;
	int fd;

	setup(0);
	fd = socket_to(SOCK_DGRAM, addr, forward(FLOW_UDP, spec), &sa, &len);
	sock_set(fd, SOL_SOCKET, SO_BROADCAST, 1);
	exchange(fd, &sa, len, own);
	close(fd);
	teardown();
}

static void exchange_through(const char *spec, const char *addr)
{
	exchange_with(spec, addr, addr);
}

/* Answers come from the address that the client sent to, which any address of the loopback can
 * be. */
START_TEST(datagrams_both_ways)
{
	exchange_through("0:53", "127.0.0.9");
	exchange_through("0.0.0.0/0:53", "127.0.0.9");
	exchange_through("127.0.0.9/0:53", "127.0.0.9");
	exchange_through("%lo/0:53", "127.0.0.9");
	if (!have_loopback6("datagrams_both_ways, of IPv6"))
		return;
	exchange_through("0:53", "::1");
	exchange_through("::/0:53", "::1");
	exchange_through("::1%lo/0:53", "::1");
}
END_TEST

/* Nothing can be sent from a broadcast address. */
START_TEST(broadcast)
{
	exchange_with("0:53", "127.255.255.255", "127.0.0.1");
	exchange_with("0.0.0.0/0:53", "127.255.255.255", "127.0.0.1");
}
END_TEST

/* A link-local address of this host, and its interface; false if there is none. */
static bool find_link_local(struct sockaddr_in6 *sa, char name[IF_NAMESIZE])
{
	struct ifaddrs *all, *i;
	struct endpoint e;

	ck_assert_int_eq(getifaddrs(&all), 0);
	for (i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET6 ||
		    endpoint_from_sockaddr(&e, i->ifa_addr) || !addr_is_link_local(&e.addr))
			continue;
		memcpy(sa, i->ifa_addr, sizeof(*sa));
		snprintf(name, IF_NAMESIZE, "%s", i->ifa_name);
		break;
	}
	freeifaddrs(all);
	return i;
}

/* The answer finds the link, whether the socket is bound to it or not. */
START_TEST(link_local_client)
{
	char name[IF_NAMESIZE], addr[ADDR_STR_MAX], spec[128];
	struct sockaddr_in6 own, to;
	struct sockaddr_storage sa = { 0 };
	struct endpoint e;

	if (!find_link_local(&own, name)) {
		puts("link_local_client: skipped, this host has no link-local address");
		return;
	}
	endpoint_from_sockaddr(&e, (struct sockaddr *)&own);
	snprintf(spec, sizeof(spec), "%s%%%s/0:53", addr_print(&e.addr, addr), name);
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET6, SOCK_DGRAM, 0);

		setup(0);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
		to = own;
		to.sin6_port = htons(forward(FLOW_UDP, i ? spec : "0:53"));
		memcpy(&sa, &to, sizeof(to));
		exchange(fd, &sa, sizeof(to), addr);
		close(fd);
		teardown();
	}
}
END_TEST

static int udp_client(uint16_t port)
{
	struct sockaddr_storage sa;
	int fd = socket_at(SOCK_DGRAM, INADDR_LOOPBACK, port, &sa);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(struct sockaddr_in)), 0);
	return fd;
}

static uint32_t number_of(size_t frame, uint16_t *dport)
{
	const struct fake_frame *f = fake_guest_frame(&g, frame);
	struct pkt p;
	uint32_t number;

	ck_assert_int_eq(pkt_decode(f->data, f->len, &p), DROP_NONE);
	ck_assert_uint_eq(p.payload_len, sizeof(number));
	memcpy(&number, p.payload, sizeof(number));
	*dport = p.udp.dport;
	return number;
}

static bool link_full(void)
{
	return !g.room;
}

/* The link takes 7 frames at a time; nothing is lost, in order for each port. */
START_TEST(full_link)
{
	enum { N = 500 };
	uint32_t next[2] = { 0, 0 }, number;
	uint16_t dport;
	int fd[2];

	setup(0);
	fd[0] = udp_client(forward(FLOW_UDP, "0:100"));
	fd[1] = udp_client(forward(FLOW_UDP, "0:101"));
	for (uint32_t i = 0; i < N; i++)
		for (int k = 0; k < 2; k++)
			ck_assert_int_eq(write(fd[k], &i, sizeof(i)), sizeof(i));
	for (size_t n = 0; n < 2 * N;) {
		g.room = 7;
		udp_room(&g.env);
		if (2 * N - n < 7)
			await_frames(2 * N);
		else
			await(link_full);
		n = g.n_frames;
	}
	for (size_t i = 0; i < 2 * N; i++) {
		number = number_of(i, &dport);
		ck_assert_uint_eq(number, next[dport - 100]++);
	}
	ck_assert_uint_eq(g.env.stats.forward_lost, 0);
	ck_assert_uint_eq(g.env.stats.forward_datagrams, 2 * N);
	close(fd[0]);
	close(fd[1]);
	teardown();
}
END_TEST

/* A forward that is removed takes its unsent datagrams along, and holds up nobody. */
START_TEST(removed_while_link_full)
{
	int fd[2];

	setup(0);
	fd[0] = udp_client(forward(FLOW_UDP, "0:100"));
	fd[1] = udp_client(forward(FLOW_UDP, "0:101"));
	g.room = 1;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(write(fd[0], &i, sizeof(i)), sizeof(i));
	await(link_full);
	ck_assert_int_eq(write(fd[1], fd, sizeof(uint32_t)), sizeof(uint32_t));
	ck_assert_int_eq(forwards_remove(fs, 1), 0);
	g.room = -1;
	udp_room(&g.env);
	await_frames(2);
	close(fd[0]);
	close(fd[1]);
	teardown();
}
END_TEST

/* As with ipv6.disable=1, or a service manager's RestrictAddressFamilies=. */
static void lose_ip6(void)
{
	const unsigned low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0; /* half of an argument */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + low),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

/* The last test: the process cannot have sockets of IPv6 after it. */
START_TEST(host_without_ip6)
{
	uint64_t id;
	int fd;

	lose_ip6();
	setup(0);
	fd = connection_to("127.0.0.1", forward(FLOW_TCP, "0:22"));
	await(one_client);
	close(fd);
	ck_assert_int_eq(forwards_add(fs, FLOW_TCP, "::/0:22", &id, &error), -EAFNOSUPPORT);
	ck_assert_str_eq(error.text, "TCP [::]:0: Address family not supported by protocol");
	teardown();
	exchange_through("0:53", "127.0.0.9");
}
END_TEST

SUITE_MAIN("listen", accepting, accepting_both_families, accepting_one_family,
	   one_port_for_each_family, many_clients_at_once, no_guest, guest_about_to_come,
	   guest_that_left, no_descriptor, taken_ports, udp_port_is_shared_with_flows,
	   interface_and_removal, datagrams_both_ways, broadcast, link_local_client, full_link,
	   removed_while_link_full, host_without_ip6)
