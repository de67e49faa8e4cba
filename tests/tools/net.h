/*
 * Addresses and the clock, for the tools that make load.
 */
#ifndef TESTS_TOOLS_NET_H
#define TESTS_TOOLS_NET_H

#include <netinet/in.h>
#include <sys/socket.h>

union endpoint {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* The address and port that two arguments of the command line name; ends the program with a
 * message if they name none. */
union endpoint endpoint_parse(const char *addr, const char *port);

socklen_t endpoint_len(const union endpoint *endpoint);

/* Opens a socket bound to `local`, with flags such as SOCK_NONBLOCK in `type`; a stream
 * socket listens. Ends the program with a message if that fails. */
int endpoint_bind(const union endpoint *local, int type);

/* The monotonic clock. */
double now_seconds(void);

#endif
