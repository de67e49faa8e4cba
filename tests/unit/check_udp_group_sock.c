/* The host's sockets for groups, for real, on the loopback interface. */
#include "host/udp_group.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sock.h"
#include "host/udp_sock.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"

#define WAIT_MS 10000

static const struct udp_host_ops *ops = &udp_sock_ops;
static struct fake_guest g;
static struct udp_socks socks;

static void begin(void)
{
	fake_guest_init(&g);
	strcpy(g.net.ip4.interface, "lo");
	strcpy(g.net.ip6.interface, "lo");
	udp_socks_init(&socks, loop_new(&g.env.timers, &g.env), &g.env);
	ck_assert_ptr_nonnull(socks.loop);
}

static void end(void)
{
	loop_free(socks.loop);
	fake_guest_free(&g);
}

/* What comes within the deadline, as text; who sent it in d->from. */
static const char *receive(int fd, struct udp_datagram *d)
{
	static char text[100];
	_Alignas(struct cmsghdr) char control[UDP_CONTROL_MAX];
	struct sockaddr_storage from;
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	n = recvmsg(fd, &m, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	d->payload = (struct iovec){ text, (size_t)n };
	ck_assert_int_eq(endpoint_from_sockaddr(&d->from, (struct sockaddr *)&from), 0);
	udp_group_take(&m, d);
	return text;
}

static bool is_silent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return !poll(&p, 1, 50);
}

static void *open_group(const struct endpoint *group, uint16_t port, struct endpoint *local)
{
	int err = 0;
	void *s = ops->open_group(&socks, NULL, group, port, &err);

	ck_assert_msg(s, "open_group: %s", strerror(err));
	ops->local(s, local);
	return s;
}

static void say(int fd, const struct endpoint *to, const char *text)
{
	struct sockaddr_storage sa;
	unsigned len = sock_peer(&g.net, to, (struct sockaddr *)&sa);

	ck_assert_int_eq(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&sa, len),
			 (ssize_t)strlen(text));
}

/* A service of the host that shares `port` with others, or has one of its own choice. */
static int service_open(bool reuse, struct endpoint *e)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = { .sin_family = AF_INET };

	ck_assert_int_ge(fd, 0);
	sock_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	sock_local(fd, e);
	e->addr = addr_ip4(INADDR_LOOPBACK);
	return fd;
}

static void check_question_and_answer(const char *address)
{
	struct endpoint group = { addr_of(address), 40123 }, local;
	struct iovec question = { (void *)"who?", 4 };
	char in[16];
	struct udp_datagram d = { .payload = { in, sizeof(in) } }, heard;
	int fd = udp_group_join(&g.env, &group), err = 0;
	void *s = ops->open_group(&socks, NULL, &group, 0, &err);

	if (!s && group.addr.b[0] == 0xff) {
		close(fd);
		return; /* a host without IPv6, or without a route for its groups on this
			   interface */
	}
	ck_assert_ptr_nonnull(s);
	ops->local(s, &local);
	ck_assert_uint_ne(local.port, 0);
	ops->set_ip(s, &(struct host_ip){ .ttl = 3 });
	ck_assert_int_eq(ops->send(s, &question, 1), 1);
	ck_assert_str_eq(receive(fd, &heard), "who?");
	ck_assert(endpoint_eq(&heard.from, &local));
	ck_assert_uint_eq(heard.ttl, 3);
	say(fd, &local, "I");
	for (int ms = 0; ops->recv(s, &d, 1) != 1; ms++) {
		ck_assert_int_lt(ms, WAIT_MS);
		poll(NULL, 0, 1);
	}
	ck_assert_uint_eq(d.payload.iov_len, 1);
	ck_assert(!d.to_all);
	ck_assert_uint_eq(d.from.port, 40123);
	ops->close(s);
	close(fd);
}

START_TEST(question_and_answer)
{
	begin();
	check_question_and_answer("239.1.2.3");
	check_question_and_answer("ff02::1234");
	end();
}
END_TEST

/* Groups that another process has joined are none of ours. */
START_TEST(groups_are_not_heard_unjoined)
{
	struct endpoint group = { addr_of("239.1.2.3"), 40124 }, local;
	int fd;
	void *s;
	char in[16];

	begin();
	fd = udp_group_join(&g.env, &group);
	ck_assert_int_ge(fd, 0);
	s = open_group(&group, 40124, &local);
	ck_assert_int_eq(ops->send(s, &(struct iovec){ (void *)"x", 1 }, 1), 1);
	ck_assert(!is_silent(fd));
	ck_assert_int_lt(ops->recv(s, &(struct udp_datagram){ .payload = { in, 16 } }, 1), 1);
	ops->close(s);
	close(fd);
	end();
}
END_TEST

/* Who is in the group at the same port does not keep answers from the one who asked. */
START_TEST(answers_come_beside_a_listener)
{
	struct endpoint group = { addr_of("239.1.2.3"), 40126 }, other = { addr_of("239.1.2.4"), 40127 },
			local, local_other;
	char in[16];
	struct udp_datagram d = { .payload = { in, sizeof(in) } };
	void *s, *s_other;
	int fd;

	begin();
	fd = udp_group_join(&g.env, &group);
	s = open_group(&group, 40126, &local);
	ck_assert_uint_eq(local.port, 40126);
	say(fd, &local, "I");
	for (int ms = 0; ops->recv(s, &d, 1) != 1; ms++) {
		ck_assert_int_lt(ms, WAIT_MS);
		poll(NULL, 0, 1);
	}
	/* nor does a question to another group from the same port */
	s_other = open_group(&other, 40126, &local_other);
	ck_assert(endpoint_eq(&local_other, &local));
	ops->close(s);
	say(fd, &local, "I too");
	d.payload = (struct iovec){ in, sizeof(in) };
	for (int ms = 0; ops->recv(s_other, &d, 1) != 1; ms++) {
		ck_assert_int_lt(ms, WAIT_MS);
		poll(NULL, 0, 1);
	}
	ops->close(s_other);
	close(fd);
	end();
}
END_TEST

/* A service keeps its port's datagrams, though the guest's come from the same port. */
START_TEST(services_of_the_host_keep_theirs)
{
	struct endpoint group = { addr_of("239.1.2.3"), 40125 }, other = { addr_of("239.1.2.4"), 40125 },
			service, local;
	struct udp_datagram heard;
	int fd, fd_group;
	void *s, *s_other;

	begin();
	fd = service_open(true, &service);
	fd_group = udp_group_join(&g.env, &group);
	s = open_group(&group, service.port, &local);
	ck_assert_uint_eq(local.port, service.port);
	ck_assert_int_eq(ops->send(s, &(struct iovec){ (void *)"x", 1 }, 1), 1);
	ck_assert_str_eq(receive(fd_group, &heard), "x");
	ck_assert_uint_eq(heard.from.port, service.port);
	s_other = open_group(&other, service.port, &local);
	say(fd_group, &service, "yours");
	ck_assert_str_eq(receive(fd, &heard), "yours");
	ops->close(s_other);
	ops->close(s);
	close(fd);
	/* and one that shares its port with nobody has it alone */
	fd = service_open(false, &service);
	s = open_group(&group, service.port, &local);
	ck_assert_uint_ne(local.port, service.port);
	ops->close(s);
	close(fd);
	close(fd_group);
	end();
}
END_TEST

/* ... but of the other family alone. */
START_TEST(families_have_ports_of_their_own)
{
	struct endpoint taken, group = { addr_of("ff02::1234"), 40123 }, local;
	char in[16];
	struct udp_datagram d = { .payload = { in, sizeof(in) } };
	int fd, other, err = 0;
	void *s;

	begin();
	fd = service_open(false, &taken);
	s = ops->open_group(&socks, NULL, &group, taken.port, &err);
	if (s) { /* else a host without IPv6 */
		ops->local(s, &local);
		ck_assert_uint_eq(local.port, taken.port);
		/* and not for the group alone: an answer comes */
		other = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		say(other, &(struct endpoint){ ADDR_LOOPBACK6, taken.port }, "I");
		for (int ms = 0; ops->recv(s, &d, 1) != 1; ms++) {
			ck_assert_int_lt(ms, WAIT_MS);
			poll(NULL, 0, 1);
		}
		close(other);
		ops->close(s);
	}
	close(fd);
	end();
}
END_TEST

static unsigned scope_on(const char *link)
{
	struct endpoint e = { addr_of("fe80::1"), 53 };
	struct sockaddr_in6 sa;

	ck_assert_uint_eq(sock_peer_on(&g.net, &e, link, (struct sockaddr *)&sa), sizeof(sa));
	return sa.sin6_scope_id;
}

/* An interface has a name and a number, and an address may be told with either. */
START_TEST(zones)
{
	begin();
	strcpy(g.net.ip6.interface, "lo");
	ck_assert_uint_eq(scope_on("lo"), 1);
	ck_assert_uint_eq(scope_on("1"), 1);
	ck_assert_uint_eq(scope_on("4294967295"), 0xffffffff);
	ck_assert_uint_eq(scope_on(""), 1);
	ck_assert_uint_eq(scope_on("nosuch0"), 0);
	ck_assert_uint_eq(scope_on("1x"), 0);
	ck_assert_uint_eq(scope_on("-1"), 0);
	end();
}
END_TEST

SUITE_MAIN("udp_group_sock", answers_come_beside_a_listener, question_and_answer, groups_are_not_heard_unjoined,
	   services_of_the_host_keep_theirs, zones, families_have_ports_of_their_own)
