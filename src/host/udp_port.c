/* host/udp_port.c: see host/udp_port.h.  The table is the process's, as ports are the host's. */
#include "host/udp_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sock.h"

#define BUCKETS 256

static struct list buckets[BUCKETS];

static struct list *bucket_of(uint16_t port)
{
	struct list *b = &buckets[port % BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

void udp_port_hold(struct udp_port *p, int fd)
{
	sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	list_append(bucket_of(p->port), &p->link);
}

void udp_port_release(struct udp_port *p)
{
	list_remove(&p->link);
}

/* Tries an address that is no flow's: 127.0.0.2 is the host's as well as all of that network is. */
bool udp_port_is_taken(bool ip4, uint16_t port)
{
	struct endpoint e = { ip4 ? addr_ip4(INADDR_LOOPBACK + 1) : ADDR_LOOPBACK6, port };
	struct sockaddr_storage sa;
	unsigned len = endpoint_to_sockaddr(&e, (struct sockaddr *)&sa);
	int fd = sock_open(ip4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	bool taken = fd < 0 || bind(fd, (struct sockaddr *)&sa, len);

	if (fd >= 0)
		close(fd);
	return taken;
}

bool udp_port_is_ours(bool ip4, uint16_t port)
{
	const struct list *b = bucket_of(port);

	for (const struct list *l = b->next; l != b; l = l->next) {
		const struct udp_port *p = container_of(l, struct udp_port, link);

		if (p->port == port && (ip4 ? p->ip4 : p->ip6))
			return p->wide || !udp_port_is_taken(ip4, port);
	}
	return false;
}

int udp_port_bind(int fd, const struct net *net, const struct addr *peer, uint16_t port)
{
	int rc = sock_bind(fd, net, peer, port);

	if (rc != -EADDRINUSE || !port || !udp_port_is_ours(addr_is_ip4(peer), port))
		return rc;
	sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return sock_bind(fd, net, peer, port);
}
