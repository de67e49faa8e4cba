/* The host's UDP sockets, for real, on the loopback interface. */
#include "host/udp_sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/udp_port.h"
#include "lib/fake_guest.h"
#include "lib/suite.h"
#include "proto/host_error.h"

#define WAIT_MS 10000

static struct fake_guest g;
static struct udp_socks socks;
static const struct udp_host_ops *ops = &udp_sock_ops;

/* A device that cannot cut a train apart, as one without checksum offload with kernels
 * before 6.11. */
static bool no_trains;
static unsigned n_trains, n_refused;

int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	for (unsigned i = 0; i < n; i++) {
		if (!m[i].msg_hdr.msg_controllen)
			continue;
		n_trains++;
		if (no_trains) {
			n_refused++;
			errno = EIO;
			return i ? (int)syscall(SYS_sendmmsg, fd, m, i, flags) : -1;
		}
	}
	return (int)syscall(SYS_sendmmsg, fd, m, n, flags);
}

/* A stranger who knows the port of a socket before that knows its peer. */
static int early_stranger = -1;

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	struct sockaddr_in sa;
	socklen_t sa_len = sizeof(sa);

	if (early_stranger >= 0) {
		ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &sa_len), 0);
		sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		ck_assert_int_eq(sendto(early_stranger, "early", 5, 0, (struct sockaddr *)&sa,
					sizeof(sa)),
				 5);
	}
	return (int)syscall(SYS_connect, fd, to, len);
}

static void begin(void)
{
	no_trains = false;
	n_trains = n_refused = 0;
	fake_guest_init(&g);
	udp_socks_init(&socks, loop_new(&g.env.timers, &g.env), &g.env);
	ck_assert_ptr_nonnull(socks.loop);
}

static void end(void)
{
	loop_free(socks.loop);
	fake_guest_free(&g);
}

static struct endpoint name_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct endpoint e;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	ck_assert_int_eq(endpoint_from_sockaddr(&e, (struct sockaddr *)&sa), 0);
	return e;
}

/* A peer on 127.0.0.1, at `port` if that is not 0. */
static int peer_open(uint16_t port, bool reuse, struct endpoint *e)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, size = 1 << 20;
	struct timeval wait = { .tv_sec = WAIT_MS / 1000 };
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
	if (reuse)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	*e = name_of(fd);
	return fd;
}

static void *sock_open(const struct endpoint *peer, uint16_t port)
{
	int err = 0;
	void *s = ops->open(&socks, NULL, peer, port, &err);

	ck_assert_msg(s, "open: %s", strerror(err));
	return s;
}

static uint16_t local_port(void *s)
{
	struct endpoint e;

	ops->local(s, &e);
	return e.port;
}

static struct udp_datagram received; /* by receive(), last */

/* One datagram, within the deadline; its length. */
static ssize_t receive(void *s, void *buf, size_t size)
{
	struct udp_datagram d = { .payload = { buf, size } };
	struct pollfd nothing = { .fd = -1 };

	for (int ms = 0; ms < WAIT_MS; ms++) {
		int n = ops->recv(s, &d, 1);

		if (n == 1) {
			received = d;
			return (ssize_t)d.payload.iov_len;
		}
		ck_assert(n == -EAGAIN || n == 0);
		poll(&nothing, 0, 1);
	}
	ck_abort_msg("no datagram came");
}

static int send_text(void *s, const char *text)
{
	return ops->send(s, &(struct iovec){ (void *)text, strlen(text) }, 1);
}

static int ttl_of(int fd)
{
	_Alignas(struct cmsghdr) char control[64], data[16];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int ttl = 0;

	ck_assert_int_ge(recvmsg(fd, &m, 0), 0);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&m));
	memcpy(&ttl, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(ttl));
	return ttl;
}

START_TEST(datagrams_of_all_sizes)
{
	static uint8_t out[UDP_PAYLOAD_MAX], in[65536];
	static const size_t sizes[] = { 0, 1, 1472, 9000, UDP_PAYLOAD_MAX };
	struct endpoint peer;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	int fd;
	void *s;

	begin();
	fd = peer_open(0, false, &peer);
	s = sock_open(&peer, 0);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 13);
	for (size_t i = 0; i < 5; i++) {
		struct iovec d = { out, sizes[i] };

		ck_assert_int_eq(ops->send(s, &d, 1), 1);
		ck_assert_int_eq(
			recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len),
			sizes[i]);
		ck_assert(!memcmp(in, out, sizes[i]));
		ck_assert_int_eq(
			sendto(fd, out, sizes[i], 0, (struct sockaddr *)&from, from_len),
			sizes[i]);
		ck_assert_int_eq(receive(s, in, sizeof(in)), sizes[i]);
		ck_assert(!memcmp(in, out, sizes[i]));
	}
	ops->close(s);
	close(fd);
	end();
}
END_TEST

START_TEST(batches)
{
	struct iovec d[200];
	struct endpoint peer, own;
	struct sockaddr_storage sa;
	socklen_t len;
	static struct udp_datagram got_all[200];
	uint8_t in[200];
	int fd, sent = 0, got = 0;
	void *s;

	begin();
	fd = peer_open(0, false, &peer);
	s = sock_open(&peer, 0);
	for (uint8_t i = 0; i < 200; i++) {
		in[i] = i;
		d[i] = (struct iovec){ &in[i], 1 };
	}
	while (sent < 200) {
		int n = ops->send(s, d + sent, 200 - sent);

		ck_assert_int_gt(n, 0);
		sent += n;
	}
	ops->local(s, &own);
	len = endpoint_to_sockaddr(&own, (struct sockaddr *)&sa);
	for (uint8_t i = 0; i < 200; i++) {
		uint8_t byte;

		ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
		ck_assert_uint_eq(byte, i);
		ck_assert_int_eq(sendto(fd, &byte, 1, 0, (struct sockaddr *)&sa, len), 1);
	}
	memset(in, 0xff, sizeof(in));
	for (int i = 0; i < 200; i++)
		got_all[i].payload = d[i];
	while (got < 200) {
		int n = ops->recv(s, got_all + got, 200 - got);

		ck_assert_int_gt(n, 0);
		got += n;
	}
	for (uint8_t i = 0; i < 200; i++)
		ck_assert_uint_eq(*(uint8_t *)got_all[i].payload.iov_base, i);
	ck_assert_int_eq(ops->recv(s, got_all, 1), -EAGAIN);
	ops->close(s);
	close(fd);
	end();
}
END_TEST

START_TEST(source_port)
{
	struct endpoint peer, other, taken;
	int fd, fd_other, fd_taken;
	uint16_t port;
	void *a, *b, *c;

	begin();
	fd = peer_open(0, false, &peer);
	fd_other = peer_open(0, false, &other);
	a = sock_open(&peer, 0);
	port = local_port(a);
	ck_assert_uint_ne(port, 0);
	b = sock_open(&other, port); /* one port, two peers */
	ck_assert_uint_eq(local_port(b), port);
	fd_taken = peer_open(0, false, &taken);
	c = sock_open(&peer, taken.port);
	ck_assert_uint_ne(local_port(c), taken.port);
	ops->close(a);
	ops->close(b);
	ops->close(c);
	close(fd);
	close(fd_other);
	close(fd_taken);
	end();
}
END_TEST

static int service_at(uint32_t ip, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(ip) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* A service that lets others share its port lets its like: a guest would take its peers from
 * it. */
START_TEST(ports_of_services_are_theirs)
{
	struct endpoint peer, other;
	int fd, fd_other, fd_service;
	uint16_t port;
	void *a, *b, *c;

	begin();
	fd = peer_open(0, false, &peer);
	fd_other = peer_open(0, false, &other);
	fd_service = service_at(INADDR_ANY, 0);
	port = name_of(fd_service).port;
	a = sock_open(&peer, port);
	ck_assert_uint_ne(local_port(a), port);
	close(fd_service);
	b = sock_open(&peer, port);
	ck_assert_uint_eq(local_port(b), port);
	/* one that comes beside us is left alone as well */
	fd_service = service_at(INADDR_ANY, port);
	c = sock_open(&other, port);
	ck_assert_uint_ne(local_port(c), port);
	ops->close(a);
	ops->close(b);
	ops->close(c);
	close(fd);
	close(fd_other);
	close(fd_service);
	end();
}
END_TEST

START_TEST(never_connected_to_itself)
{
	struct udp_port holder;
	struct endpoint peer;
	int fd;
	void *s;
	char byte;

	begin();
	fd = peer_open(0, true, &peer); /* shares its port with whoever wants */
	holder = (struct udp_port){ .port = peer.port, .ip4 = true, .wide = true };
	udp_port_hold(&holder, fd); /* as if it were ours */
	s = sock_open(&peer, peer.port);
	ck_assert_uint_ne(local_port(s), peer.port);
	ck_assert_int_eq(send_text(s, "x"), 1);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
	udp_port_release(&holder);
	ops->close(s);
	close(fd);
	end();
}
END_TEST

/* Neither before nor after the socket has its peer. */
static void check_strangers(bool early)
{
	struct endpoint peer, stranger, own, unused;
	struct sockaddr_storage sa;
	int fd, fd_stranger;
	socklen_t len;
	char in[16];
	void *s;

	begin();
	fd = peer_open(0, false, &peer);
	fd_stranger = peer_open(0, false, &stranger);
	close(peer_open(0, false, &unused));
	early_stranger = early ? fd_stranger : -1;
	s = sock_open(&peer, unused.port);
	early_stranger = -1;
	ops->local(s, &own);
	len = endpoint_to_sockaddr(&own, (struct sockaddr *)&sa);
	sendto(fd_stranger, "no", 2, 0, (struct sockaddr *)&sa, len);
	ck_assert_int_eq(sendto(fd, "yes", 3, 0, (struct sockaddr *)&sa, len), 3);
	ck_assert_int_eq(receive(s, in, sizeof(in)), 3);
	ck_assert(!memcmp(in, "yes", 3));
	ck_assert(endpoint_eq(&received.from, &peer));
	ops->close(s);
	close(fd);
	close(fd_stranger);
	end();
}

START_TEST(strangers_are_not_heard)
{
	check_strangers(false);
	check_strangers(true);
}
END_TEST

START_TEST(errors_of_the_network)
{
	struct host_error e;
	struct endpoint peer;
	int fd, n = -EAGAIN;
	void *s;
	char in[16];

	begin();
	fd = peer_open(0, false, &peer);
	s = sock_open(&peer, 0);
	close(fd); /* nobody is there now */
	ck_assert_int_eq(ops->error(s, &e), -EAGAIN);
	ck_assert_int_eq(send_text(s, "hello"), 1);
	for (int ms = 0; ms < WAIT_MS && n == -EAGAIN; ms++) {
		n = ops->recv(s, &(struct udp_datagram){ .payload = { in, sizeof(in) } }, 1);
		poll(NULL, 0, n == -EAGAIN);
	}
	ck_assert_int_eq(n, -ECONNREFUSED);
	ck_assert_int_eq(ops->error(s, &e), 0);
	ck_assert_int_eq(e.icmp.type, ICMP_TYPE_UNREACHABLE);
	ck_assert_int_eq(e.icmp.code, ICMP_CODE_PORT);
	ck_assert_uint_eq(addr_get_ip4(&e.from), 0x7f000001);
	ck_assert_uint_eq(e.len, 5);
	ck_assert(!memcmp(e.quote, "hello", 5));
	ck_assert_int_eq(ops->error(s, &e), -EAGAIN);
	ops->close(s);
	end();
}
END_TEST

START_TEST(ip_header_fields)
{
	struct endpoint peer;
	int fd;
	void *s;

	begin();
	fd = peer_open(0, false, &peer);
	s = sock_open(&peer, 0);
	ops->set_ip(s, &(struct host_ip){ .ttl = 7, .tos = 0x10 });
	send_text(s, "x");
	ck_assert_int_eq(ttl_of(fd), 7);
	ops->set_ip(s, &(struct host_ip){ .ttl = 8, .dont_fragment = true });
	send_text(s, "x");
	ck_assert_int_eq(ttl_of(fd), 8);
	ops->close(s);
	close(fd);
	end();
}
END_TEST

START_TEST(outbound_address)
{
	struct endpoint peer, own, to = { addr_ip4(0x7f000002), 9 };
	void *s;
	int err = 0, fd;

	begin();
	g.net.ip4.outbound_set = true;
	g.net.ip4.outbound = addr_ip4(0xc0000201); /* not of this host */
	ck_assert_ptr_null(ops->open(&socks, NULL,
				     &(struct endpoint){ addr_ip4(0xc6336402), 9 }, 0, &err));
	ck_assert_int_eq(err, EADDRNOTAVAIL);
	/* the loopback interface is reached all the same */
	fd = peer_open(0, false, &peer);
	s = sock_open(&to, 0);
	ops->local(s, &own);
	ck_assert(addr_is_loopback(&own.addr));
	ops->close(s);
	close(fd);
	end();
}
END_TEST

/* Datagrams of one length leave together and arrive apart; what cannot leave so goes by itself.
 */
START_TEST(trains)
{
	static const size_t lens[] = { 1000, 1000, 1000, 400,	1000,  0,     1000,
				       1000, 2000, 2000, 30000, 30000, 30000, 7 };
	enum { N = sizeof(lens) / sizeof(lens[0]) };
	static uint8_t out[N][30000], in[65536];
	struct endpoint peer;
	struct iovec d[N];
	int fd, sent = 0;
	void *s;

	begin();
	fd = peer_open(0, false, &peer);
	s = sock_open(&peer, 0);
	for (int i = 0; i < N; i++) {
		memset(out[i], 'a' + i, lens[i]);
		d[i] = (struct iovec){ out[i], lens[i] };
	}
	while (sent < N) {
		int n = ops->send(s, d + sent, N - sent);

		ck_assert_int_gt(n, 0);
		sent += n;
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(recv(fd, in, sizeof(in), 0), (ssize_t)lens[i]);
		ck_assert(!memcmp(in, out[i], lens[i]));
	}
	ops->close(s);
	close(fd);
	end();
}
END_TEST

/* Whether the kernel has UDP_SEGMENT and UDP_GRO; 5.0 and later do. */
static bool has_offload(int fd)
{
	int on = 1, off = 0;

	return !setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof(off)) &&
	       !setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
}

/* ... and to a peer that takes them so they come as the one that they left as. */
START_TEST(trains_arrive_whole)
{
	static uint8_t out[4][1000], in[65536];
	static const size_t lens[] = { 1000, 1000, 1000, 400 };
	struct endpoint peer;
	struct iovec d[4];
	int fd;
	void *s;

	begin();
	fd = peer_open(0, false, &peer);
	s = sock_open(&peer, 0);
	for (int i = 0; i < 4; i++)
		d[i] = (struct iovec){ memset(out[i], 'a' + i, lens[i]), lens[i] };
	if (has_offload(fd)) {
		ck_assert_int_eq(ops->send(s, d, 4), 4);
		ck_assert_uint_eq(n_trains, 1);
		ck_assert_int_eq(recv(fd, in, sizeof(in), 0), 3400);
		for (int i = 0; i < 4; i++)
			ck_assert(!memcmp(in + 1000 * i, out[i], lens[i]));
	}
	ops->close(s);
	close(fd);
	end();
}
END_TEST

/* Where they cannot leave together, each goes by itself, at once and in order; those that are
 * no longer are not tried again, shorter ones are. */
START_TEST(without_trains)
{
	static uint8_t out[6][1000], in[65536];
	struct endpoint peer;
	struct iovec d[6];
	int fd;
	void *s;

	begin();
	no_trains = true;
	fd = peer_open(0, false, &peer);
	s = sock_open(&peer, 0);
	for (int i = 0; i < 6; i++)
		d[i] = (struct iovec){ memset(out[i], 'a' + i, 1000), 1000 };
	for (unsigned round = 0; round < 2; round++) {
		ck_assert_int_eq(ops->send(s, d, 6), 6);
		ck_assert_uint_eq(n_refused, 1);
		for (int i = 0; i < 6; i++) {
			ck_assert_int_eq(recv(fd, in, sizeof(in), 0), 1000);
			ck_assert(!memcmp(in, out[i], 1000));
		}
	}
	no_trains = false;
	for (int i = 0; i < 6; i++)
		d[i].iov_len = 500;
	ck_assert_int_eq(ops->send(s, d, 6), 6);
	ck_assert_uint_eq(n_trains, 2);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(recv(fd, in, sizeof(in), 0), 500);
	ops->close(s);
	close(fd);
	end();
}
END_TEST

/* What a peer sent together may arrive together, and does where the kernel can. */
START_TEST(segments)
{
	static uint8_t out[3500], in[65536];
	struct endpoint peer, own;
	struct sockaddr_storage sa;
	size_t got = 0, whole;
	unsigned len;
	int fd, segment = 1000;
	void *s;

	begin();
	fd = peer_open(0, false, &peer);
	s = sock_open(&peer, 0);
	ops->local(s, &own);
	len = endpoint_to_sockaddr(&own, (struct sockaddr *)&sa);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)),
			 0);
	ck_assert_int_eq(sendto(fd, out, sizeof(out), 0, (struct sockaddr *)&sa, len),
			 sizeof(out));
	whole = has_offload(fd) ? sizeof(out) : (size_t)segment;
	while (got < sizeof(out)) {
		ssize_t n = receive(s, in, sizeof(in));

		if (!got)
			ck_assert_int_eq(n, (ssize_t)whole);
		got += (size_t)n;
		ck_assert_uint_eq(received.segment, n < segment ? (size_t)n : (size_t)segment);
	}
	ck_assert_uint_eq(got, sizeof(out));
	ops->close(s);
	close(fd);
	end();
}
END_TEST

/* A port of IPv4 that somebody has is free in IPv6. */
START_TEST(families_have_ports_of_their_own)
{
	struct endpoint taken, peer = { ADDR_LOOPBACK6, 7 };
	int fd, err = 0;
	void *s;

	begin();
	fd = peer_open(0, false, &taken);
	s = ops->open(&socks, NULL, &peer, taken.port, &err);
	if (s) {
		ck_assert_uint_eq(local_port(s), taken.port);
		ops->close(s);
	} else {
		ck_assert(err == EAFNOSUPPORT ||
			  err == EADDRNOTAVAIL); /* a host without IPv6 */
	}
	close(fd);
	end();
}
END_TEST

static void check_ip_header_of_answers(bool ip6)
{
	struct addr loopback = ip6 ? ADDR_LOOPBACK6 : addr_ip4(0x7f000001);
	struct endpoint peer = { loopback, 0 }, own;
	struct sockaddr_storage sa;
	unsigned len = endpoint_to_sockaddr(&peer, (struct sockaddr *)&sa);
	int level = ip6 ? IPPROTO_IPV6 : IPPROTO_IP, fd, ttl = 33, tos = 0xb9;
	char in[16];
	void *s;

	begin();
	fd = socket(ip6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	if (bind(fd, (struct sockaddr *)&sa, len)) {
		close(fd);
		end();
		return; /* a host without IPv6 */
	}
	peer = name_of(fd);
	s = sock_open(&peer, 0);
	ops->local(s, &own);
	ck_assert(addr_eq(&own.addr, &loopback));
	len = endpoint_to_sockaddr(&own, (struct sockaddr *)&sa);
	setsockopt(fd, level, ip6 ? IPV6_UNICAST_HOPS : IP_TTL, &ttl, sizeof(ttl));
	setsockopt(fd, level, ip6 ? IPV6_TCLASS : IP_TOS, &tos, sizeof(tos));
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, len), 1);
	ck_assert_int_eq(receive(s, in, sizeof(in)), 1);
	ck_assert_uint_eq(received.ttl, 33);
	ck_assert_uint_eq(received.tos, 0xb9);
	ops->close(s);
	close(fd);
	end();
}

START_TEST(ip_header_of_answers)
{
	check_ip_header_of_answers(false);
	check_ip_header_of_answers(true);
}
END_TEST

SUITE_MAIN("udp_sock", datagrams_of_all_sizes, batches, source_port,
	   ports_of_services_are_theirs, never_connected_to_itself, strangers_are_not_heard,
	   errors_of_the_network, ip_header_fields, outbound_address, trains,
	   trains_arrive_whole, without_trains, segments, families_have_ports_of_their_own,
	   ip_header_of_answers)
