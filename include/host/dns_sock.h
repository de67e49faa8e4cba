/* host/dns_sock.h: sockets towards the host's name servers, as struct dns_ops. */
#ifndef HOST_DNS_SOCK_H
#define HOST_DNS_SOCK_H

#include "loop/loop.h"
#include "proto/dns.h"

/* Given to dns_new() together with dns_sock_ops. */
struct dns_sock_host {
	struct env *env;
	struct loop *loop;
	uint16_t port; /* of all name servers */
};

extern const struct dns_ops dns_sock_ops;

#endif
