/* proto/dns_tcp.h: DNS over TCP (RFC 7766) for the guest: the service that ends its connections
 * to the relay's addresses, port 53.
 */
#ifndef PROTO_DNS_TCP_H
#define PROTO_DNS_TCP_H

#include "proto/tcp/tcp.h"

#define DNS_TCP_CLIENTS_MAX 64 /* beyond, the one that is idle for longest is ended */
#define DNS_TCP_PENDING_MAX 16 /* queries of one client under way; beyond, it is not read */
#define DNS_TCP_UNREAD_MAX  (64u << 10) /* bytes of answers that it did not read; likewise */

extern const struct tcp_service dns_tcp_service;

#endif
