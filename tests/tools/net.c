/*
 * Addresses and the clock, for the tools that make load.
 */
#include "net.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BACKLOG	  4096
#define TYPE_MASK (~(SOCK_NONBLOCK | SOCK_CLOEXEC))

union endpoint endpoint_parse(const char *addr, const char *port)
{
	union endpoint endpoint = { 0 };
	int ok;

	if (strchr(addr, ':')) {
		endpoint.in6.sin6_family = AF_INET6;
		endpoint.in6.sin6_port = htons((uint16_t)atoi(port));
		ok = inet_pton(AF_INET6, addr, &endpoint.in6.sin6_addr);
	} else {
		endpoint.in4.sin_family = AF_INET;
		endpoint.in4.sin_port = htons((uint16_t)atoi(port));
		ok = inet_pton(AF_INET, addr, &endpoint.in4.sin_addr);
	}
	if (ok != 1)
		errx(2, "bad address '%s'", addr);
	return endpoint;
}

socklen_t endpoint_len(const union endpoint *endpoint)
{
	return endpoint->any.sa_family == AF_INET6 ? sizeof(endpoint->in6)
						   : sizeof(endpoint->in4);
}

int endpoint_bind(const union endpoint *local, int type)
{
	int sock = socket(local->any.sa_family, type | SOCK_CLOEXEC, 0);

	if (sock < 0)
		err(1, "socket");
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(sock, &local->any, endpoint_len(local)) ||
	    ((type & TYPE_MASK) == SOCK_STREAM && listen(sock, BACKLOG)))
		err(1, "bind");
	return sock;
}

double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
