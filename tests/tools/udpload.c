/*
 * udpload: datagrams in one direction, at a given rate or as fast as they go.
 *
 * The client asks over a TCP connection for a run; its datagrams go between sockets
 * of their own, so that every run is a new flow. The client prints one JSON object:
 * sent, received, per_s (as received). Lost is what was sent and not received.
 *
 * The control connection carries lines:
 *	client: "send|receive MILLISECONDS SIZE RATE"
 *	server: "port PORT"		of its socket for the datagrams
 *	server: "go"			once a datagram from the client has come
 *	sender: "sent N"		when it is done
 *	receiver: "received N MICROSECONDS"	if that is the server
 */
#include "net.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MIN       2 /* a greeting has one byte */
#define SIZE_MAX_UDP   65507
#define BATCH	       32 /* datagrams a system call */
#define TICK_US	       500
#define LINE_MAX       128
#define RECEIVE_BUFFER (16 << 20)
#define GREETING_MS    100
#define QUIET_MS       200 /* nothing more is on its way after that */
#define GRACE_SECONDS  10
#define SECONDS_MAX    600

struct run {
	bool to_client;
	unsigned ms;   /* of sending */
	unsigned size; /* bytes of a datagram */
	unsigned rate; /* datagrams per second, or 0 for as many as go */
};

struct tally {
	unsigned long n;
	double first, last; /* when they came */
};

static unsigned char payload[BATCH][SIZE_MAX_UDP + 1];

/* Reads one line without its end. Byte by byte, so that nothing behind it is consumed. */
static void line_read(int control, char line[static LINE_MAX])
{
	size_t len = 0;

	while (len < LINE_MAX - 1) {
		if (read(control, line + len, 1) != 1)
			errx(1, "the other side has gone");
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
}

static void messages_init(struct mmsghdr msgs[static BATCH], struct iovec iov[static BATCH],
			  size_t size)
{
	memset(msgs, 0, BATCH * sizeof(*msgs));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ payload[i], size };
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
}

/* Datagrams to send now, at most a batch. */
static unsigned due_now(const struct run *run, double elapsed, unsigned long sent)
{
	double due;

	if (!run->rate)
		return BATCH;
	due = elapsed * run->rate - (double)sent;
	return due < 0 ? 0 : due > BATCH ? BATCH : (unsigned)due;
}

/* Sends for the time of the run, and returns how many the kernel took. */
static unsigned long datagrams_send(int sock, const struct run *run)
{
	const struct timespec tick = { .tv_nsec = TICK_US * 1000 };
	double start = now_seconds(), elapsed;
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	unsigned long sent = 0;

	messages_init(msgs, iov, run->size);
	while ((elapsed = now_seconds() - start) < run->ms / 1e3) {
		unsigned due = due_now(run, elapsed, sent);
		int n = due ? sendmmsg(sock, msgs, due, 0) : 0;

		if (n > 0)
			sent += (unsigned)n;
		else if (n < 0 && errno == EMSGSIZE)
			errx(1, "datagrams of %u bytes are too long to send", run->size);
		if (n <= 0)
			nanosleep(&tick, NULL);
	}
	return sent;
}

/* Takes what has come; datagrams of another length are not of the run. */
static void datagrams_take(int sock, const struct run *run, struct tally *tally)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int n;

	messages_init(msgs, iov, sizeof(payload[0]));
	n = recvmmsg(sock, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		if (msgs[i].msg_len != run->size)
			continue;
		tally->last = now_seconds();
		if (!tally->n++)
			tally->first = tally->last;
	}
}

/* Receives until the sender says that it is done and what is on its way has come. Returns how
 * many were sent. */
static unsigned long datagrams_receive(int sock, int control, const struct run *run,
				       struct tally *tally)
{
	struct pollfd fds[] = { { .fd = sock, .events = POLLIN },
				{ .fd = control, .events = POLLIN } };
	unsigned long sent = 0;
	char line[LINE_MAX];

	*tally = (struct tally){ 0 };
	while (poll(fds, 2, fds[1].fd < 0 ? QUIET_MS : -1) > 0) {
		if (fds[0].revents)
			datagrams_take(sock, run, tally);
		if (!fds[1].revents)
			continue;
		line_read(control, line);
		if (sscanf(line, "sent %lu", &sent) != 1)
			errx(1, "unexpected '%s'", line);
		fds[1].fd = -1; /* which poll passes over */
	}
	return sent;
}

static int data_socket(const union endpoint *local)
{
	int sock = endpoint_bind(local, SOCK_DGRAM);
	int size = RECEIVE_BUFFER;

	/* Without privileges the kernel's limit stays. */
	if (setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return sock;
}

static in_port_t *endpoint_port(union endpoint *endpoint)
{
	return endpoint->any.sa_family == AF_INET6 ? &endpoint->in6.sin6_port
						   : &endpoint->in4.sin_port;
}

/* Waits for the client's greeting and connects the socket to where it came from. */
static void greeting_await(int sock)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);

	if (recvfrom(sock, payload[0], 1, 0, (struct sockaddr *)&from, &from_len) < 0 ||
	    connect(sock, (struct sockaddr *)&from, from_len))
		err(1, "greeting");
}

/* One run, in a process of its own. */
static void server_serve(union endpoint local, int control)
{
	struct tally tally;
	struct run run;
	char line[LINE_MAX], direction[8];
	int sock;

	line_read(control, line);
	if (sscanf(line, "%7s %u %u %u", direction, &run.ms, &run.size, &run.rate) != 4 ||
	    run.ms > SECONDS_MAX * 1000 || run.size < SIZE_MIN || run.size > SIZE_MAX_UDP)
		errx(1, "bad request '%s'", line);
	run.to_client = !strcmp(direction, "receive");
	alarm(run.ms / 1000 + GRACE_SECONDS);

	*endpoint_port(&local) = 0;
	sock = data_socket(&local);
	if (getsockname(sock, &local.any, &(socklen_t){ sizeof(local) }))
		err(1, "getsockname");
	dprintf(control, "port %u\n", ntohs(*endpoint_port(&local)));
	greeting_await(sock);
	dprintf(control, "go\n");
	if (run.to_client) {
		dprintf(control, "sent %lu\n", datagrams_send(sock, &run));
		return;
	}
	datagrams_receive(sock, control, &run, &tally);
	dprintf(control, "received %lu %.0f\n", tally.n, (tally.last - tally.first) * 1e6);
}

static _Noreturn void server_run(const union endpoint *local)
{
	int listener = endpoint_bind(local, SOCK_STREAM);

	signal(SIGCHLD, SIG_IGN);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int control = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (control < 0)
			err(1, "accept");
		if (!fork()) {
			close(listener);
			server_serve(*local, control);
			exit(0);
		}
		close(control);
	}
}

/* Greets until the server has seen one: a greeting may be lost. */
static void greet(int sock, int control)
{
	struct pollfd answer = { .fd = control, .events = POLLIN };
	char line[LINE_MAX];

	do {
		send(sock, payload[0], 1, 0);
	} while (poll(&answer, 1, GREETING_MS) == 0);
	line_read(control, line);
	if (strcmp(line, "go"))
		errx(1, "unexpected '%s'", line);
}

/* Asks for the run over the control connection; returns the socket for the datagrams. */
static int client_open(union endpoint server, int control, const struct run *run)
{
	union endpoint local = { .any.sa_family = server.any.sa_family };
	int sock = data_socket(&local);
	char line[LINE_MAX];
	unsigned port;

	if (connect(control, &server.any, endpoint_len(&server)))
		err(1, "connect");
	dprintf(control, "%s %u %u %u\n", run->to_client ? "receive" : "send", run->ms,
		run->size, run->rate);
	line_read(control, line);
	if (sscanf(line, "port %u", &port) != 1)
		errx(1, "unexpected '%s'", line);
	*endpoint_port(&server) = htons((in_port_t)port);
	if (connect(sock, &server.any, endpoint_len(&server)))
		err(1, "connect");
	greet(sock, control);
	return sock;
}

static int client_run(const union endpoint *server, const struct run *run)
{
	int control = socket(server->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int sock = client_open(*server, control, run);
	char line[LINE_MAX];
	struct tally tally;
	unsigned long sent;
	double us;

	if (run->to_client) {
		sent = datagrams_receive(sock, control, run, &tally);
		us = (tally.last - tally.first) * 1e6;
	} else {
		sent = datagrams_send(sock, run);
		dprintf(control, "sent %lu\n", sent);
		line_read(control, line);
		if (sscanf(line, "received %lu %lf", &tally.n, &us) != 2)
			errx(1, "unexpected '%s'", line);
	}
	printf("{\"sent\": %lu, \"received\": %lu, \"per_s\": %.0f}\n", sent, tally.n,
	       tally.n > 1 && us > 0 ? (double)(tally.n - 1) / us * 1e6 : 0);
	return 0;
}

static _Noreturn void usage(void)
{
	fputs("usage: udpload server  ADDR PORT\n"
	      "       udpload send    ADDR PORT SECONDS SIZE [RATE]  from here to the server\n"
	      "       udpload receive ADDR PORT SECONDS SIZE [RATE]  from the server to here\n"
	      "RATE is in datagrams per second; without it, as many as go.\n",
	      stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	union endpoint server;
	struct run run;

	if (argc < 4)
		usage();
	signal(SIGPIPE, SIG_IGN);
	server = endpoint_parse(argv[2], argv[3]);
	if (!strcmp(argv[1], "server") && argc == 4)
		server_run(&server);
	run.to_client = !strcmp(argv[1], "receive");
	if ((strcmp(argv[1], "send") && !run.to_client) || argc < 6 || argc > 7)
		usage();
	if (atof(argv[4]) <= 0 || atof(argv[4]) > SECONDS_MAX)
		errx(2, "a run takes up to %d seconds", SECONDS_MAX);
	run.ms = (unsigned)(atof(argv[4]) * 1e3);
	run.size = (unsigned)strtoul(argv[5], NULL, 0);
	run.rate = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 0) : 0;
	if (run.size < SIZE_MIN || run.size > SIZE_MAX_UDP)
		errx(2, "a datagram has %d to %d bytes", SIZE_MIN, SIZE_MAX_UDP);
	alarm(run.ms / 1000 + GRACE_SECONDS);
	return client_run(&server, &run);
}
