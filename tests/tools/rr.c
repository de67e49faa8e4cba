/*
 * rr: request/response and connect/request/response latency, and idle flows.
 *
 * Clients print one JSON object: n, per_s, p50_us, p99_us, errors; "hold"
 * prints held, errors, per_s, and keeps its connections until stdin ends.
 */
#include "net.h"

#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXCHANGES_MAX	(1 << 22)
#define DATAGRAM_MAX	(1 << 16)
#define HOLD_SIZE	16
#define EVENTS_MAX	256
#define TIMEOUT_SECONDS 3

struct client {
	union endpoint peer;
	int type; /* SOCK_STREAM or SOCK_DGRAM */
	bool connect_each;
	size_t size; /* bytes of a request, and of its response */
	int sock;    /* or -1 */
};

struct tally {
	double *seconds; /* of each exchange */
	size_t n;
	long errors;
};

static unsigned char payload[DATAGRAM_MAX];

static void set_nodelay(int sock)
{
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

static void epoll_add(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(1, "epoll_ctl");
}

static void server_accept(int epoll, int listener)
{
	int sock;

	while ((sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		set_nodelay(sock);
		epoll_add(epoll, sock);
	}
}

static void server_echo_datagram(int sock)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(sock, payload, sizeof(payload), 0, (struct sockaddr *)&from,
			       &from_len);

	if (len >= 0)
		sendto(sock, payload, (size_t)len, 0, (struct sockaddr *)&from, from_len);
}

static void server_echo_stream(int sock)
{
	ssize_t len = recv(sock, payload, sizeof(payload), 0), sent = 0;

	if (len <= 0)
		close(sock);
	/* a process that is stopped meanwhile has sent a part only */
	for (ssize_t n = 0; sent < len && n >= 0; sent += n)
		n = send(sock, payload + sent, (size_t)(len - sent), MSG_NOSIGNAL);
}

static _Noreturn void server_run(const union endpoint *local)
{
	int listener = endpoint_bind(local, SOCK_STREAM | SOCK_NONBLOCK);
	int datagram = endpoint_bind(local, SOCK_DGRAM | SOCK_NONBLOCK);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	epoll_add(epoll, listener);
	epoll_add(epoll, datagram);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[EVENTS_MAX];
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				server_accept(epoll, listener);
			else if (events[i].data.fd == datagram)
				server_echo_datagram(datagram);
			else
				server_echo_stream(events[i].data.fd);
		}
	}
}

/* Returns a connected socket whose calls time out, or -1. */
static int client_connect(const struct client *client)
{
	struct timeval timeout = { .tv_sec = TIMEOUT_SECONDS };
	int sock = socket(client->peer.any.sa_family, client->type | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return -1;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (client->type == SOCK_STREAM)
		set_nodelay(sock);
	if (connect(sock, &client->peer.any, endpoint_len(&client->peer))) {
		close(sock);
		return -1;
	}
	return sock;
}

static bool exchange(int sock, size_t size, int type)
{
	if (send(sock, payload, size, MSG_NOSIGNAL) != (ssize_t)size)
		return false;
	for (size_t got = 0; got < size;) {
		ssize_t len = recv(sock, payload, size - got, 0);

		if (len <= 0)
			return false;
		got += (size_t)len;
		if (type == SOCK_DGRAM)
			return got == size;
	}
	return true;
}

static void client_disconnect(struct client *client)
{
	close(client->sock);
	client->sock = -1;
}

static bool client_exchange(struct client *client)
{
	if (client->sock < 0)
		client->sock = client_connect(client);
	if (client->sock < 0)
		return false;
	if (!exchange(client->sock, client->size, client->type)) {
		client_disconnect(client);
		return false;
	}
	if (client->connect_each)
		client_disconnect(client);
	return true;
}

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile_us(const struct tally *tally, size_t percent)
{
	return tally->n ? tally->seconds[tally->n * percent / 100] * 1e6 : 0;
}

static int client_run(struct client *client, double seconds)
{
	struct tally tally = { .seconds = calloc(EXCHANGES_MAX, sizeof(double)) };
	double start = now_seconds(), end = start + seconds, before;

	if (!tally.seconds)
		err(1, "calloc");
	while ((before = now_seconds()) < end && tally.n < EXCHANGES_MAX) {
		if (client_exchange(client))
			tally.seconds[tally.n++] = now_seconds() - before;
		else
			tally.errors++;
	}
	end = now_seconds();
	qsort(tally.seconds, tally.n, sizeof(double), double_compare);
	printf("{\"n\": %zu, \"per_s\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
	       "\"errors\": %ld}\n",
	       tally.n, (double)tally.n / (end - start), percentile_us(&tally, 50),
	       percentile_us(&tally, 99), tally.errors);
	free(tally.seconds);
	return 0;
}

/* Opens connections until there are `count`, or the time is over. */
static int hold_run(struct client *client, long count, double seconds)
{
	double start = now_seconds();
	long held = 0, errors = 0;

	client->type = SOCK_STREAM;
	while (held < count && now_seconds() - start < seconds) {
		int sock = client_connect(client);

		if (sock >= 0 && exchange(sock, HOLD_SIZE, SOCK_STREAM)) {
			held++;
		} else {
			errors++;
			if (sock >= 0)
				close(sock);
		}
	}
	printf("{\"held\": %ld, \"errors\": %ld, \"per_s\": %.0f}\n", held, errors,
	       (double)held / (now_seconds() - start));
	fflush(stdout);
	while (read(STDIN_FILENO, payload, sizeof(payload)) > 0)
		;
	return 0;
}

static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		err(1, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static _Noreturn void usage(void)
{
	fputs("usage: rr server ADDR PORT               TCP and UDP echo server\n"
	      "       rr rr  ADDR PORT SECONDS [SIZE]   one TCP connection, ping-pong\n"
	      "       rr crr ADDR PORT SECONDS [SIZE]   a new TCP connection each time\n"
	      "       rr urr ADDR PORT SECONDS [SIZE]   UDP ping-pong on one socket\n"
	      "       rr hold ADDR PORT COUNT SECONDS   COUNT TCP connections, kept open\n"
	      "SECONDS is how long to go on, for hold at most.\n",
	      stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct client client = { .type = SOCK_STREAM, .size = 1, .sock = -1 };
	const char *mode = argc > 1 ? argv[1] : "";

	if (argc < 4)
		usage();
	signal(SIGPIPE, SIG_IGN);
	raise_fd_limit();
	client.peer = endpoint_parse(argv[2], argv[3]);
	if (!strcmp(mode, "server") && argc == 4)
		server_run(&client.peer);
	if (!strcmp(mode, "hold") && argc == 6)
		return hold_run(&client, atol(argv[4]), atof(argv[5]));
	if (argc < 5 || argc > 6)
		usage();
	client.connect_each = !strcmp(mode, "crr");
	if (!strcmp(mode, "urr"))
		client.type = SOCK_DGRAM;
	else if (strcmp(mode, "rr") && !client.connect_each)
		usage();
	if (argc > 5)
		client.size = strtoul(argv[5], NULL, 0);
	if (!client.size || client.size > sizeof(payload))
		errx(2, "a size is 1 to %zu bytes", sizeof(payload));
	return client_run(&client, atof(argv[4]));
}
