/* host/listen.c: sockets of port forwards: opening and closing. */
#include "host/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/listen_priv.h"
#include "host/sock.h"
#include "host/tcp_sock.h"

#define SYSCTL "/proc/sys/net/ipv4/"

struct listen *listen_new(struct env *env, struct loop *loop, struct edge_set *edges)
{
	struct listen *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct listen){ .env = env, .loop = loop, .edges = edges };
	list_init(&l->paused);
	return l;
}

void listen_free(struct listen *l)
{
	if (!l)
		return;
	timerq_cancel(&l->env->timers, &l->resume);
	free(l->rx);
	free(l);
}

/* Reads up to two numbers; leaves those that are not there as they are. */
static void read_sysctl(const char *path, uint16_t *first, uint16_t *second)
{
	FILE *f = fopen(path, "re");
	unsigned a, b;
	int n;

	if (!f)
		return;
	n = fscanf(f, "%u %u", &a, &b);
	fclose(f);
	if (n >= 1 && a <= UINT16_MAX)
		*first = (uint16_t)a;
	if (n == 2 && second && b <= UINT16_MAX)
		*second = (uint16_t)b;
}

void listen_read_ports(struct forward_ports *ports)
{
	*ports = (struct forward_ports){ 32768, 60999, 1024 };
	read_sysctl(SYSCTL "ip_local_port_range", &ports->local_first, &ports->local_last);
	read_sysctl(SYSCTL "ip_unprivileged_port_start", &ports->unprivileged_first, NULL);
}

/* Has the socket tell the header of datagrams: where they were sent to, TTL and TOS.  For IPv4, what
 * IPv6's option tells is not always an address that answers can come from. */
static int want_header(int fd, bool ip6)
{
	int rc = sock_set(fd, IPPROTO_IP, IP_PKTINFO, 1);

	sock_want_header(fd, ip6);
	return ip6 && !rc ? sock_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) : rc;
}

/* 0 or -errno.  A UDP socket shares its port with those of flows that the guest opens from the
 * same one, but with nobody who was there before. */
static int bind_and_listen(int fd, const struct forward_rule *rule, bool ip6, int type,
			   uint16_t port)
{
	const bool ip4_alone = !ip6 && rule->both_families;
	struct endpoint own = { ip4_alone ? addr_ip4(INADDR_ANY) : rule->addr, port };
	struct sockaddr_storage sa;
	unsigned len = endpoint_to_sockaddr(&own, (struct sockaddr *)&sa);

	/* this also says of which link a link-local address is */
	if (rule->interface[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, rule->interface,
					     (socklen_t)strlen(rule->interface)))
		return -errno;
	if (ip6 && sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !rule->both_families))
		return -errno;
	if (type == SOCK_STREAM) {
		sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		tcp_sock_set_options(fd);
	}
	if (bind(fd, (struct sockaddr *)&sa, len))
		return -errno;
	if (type == SOCK_STREAM)
		return listen(fd, SOMAXCONN) ? -errno : 0;
	sock_set_udp_buffer(fd);
	sock_set(fd, IPPROTO_UDP, UDP_GRO, 1);
	sock_set_errors(fd, false);
	if (ip6)
		sock_set_errors(fd, true);
	return want_header(fd, ip6);
}

/* One socket serves both families.  Where the host has no IPv6 it serves IPv4. */
static int open_socket(const struct forward_rule *rule, int type, bool *ip6)
{
	int fd;

	*ip6 = !addr_is_ip4(&rule->addr);
	fd = sock_open(*ip6 ? AF_INET6 : AF_INET, type, 0);
	if (fd != -EAFNOSUPPORT || !rule->both_families)
		return fd;
	*ip6 = false;
	return sock_open(AF_INET, type, 0);
}

static void allow_any_address(int fd, bool ip6)
{
	sock_set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (ip6)
		sock_set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
}

static void *listen_open(void *host, struct forward *f, uint16_t *port, int *err)
{
	const struct listen *l = host;
	int type = f->rule.proto == FLOW_TCP ? SOCK_STREAM : SOCK_DGRAM, rc;
	bool ip6;
	int fd = open_socket(&f->rule, type, &ip6);
	struct endpoint own;
	void *listener;

	if (fd >= 0 && l->env->conf->freebind)
		allow_any_address(fd, ip6);
	rc = fd < 0 ? fd : bind_and_listen(fd, &f->rule, ip6, type, *port);
	if (rc) {
		if (fd >= 0)
			close(fd);
		*err = -rc;
		return NULL;
	}
	sock_local(fd, &own);
	*port = own.port;
	listener = type == SOCK_STREAM ? (void *)tcp_listener_new(host, f, fd, own.port)
				       : (void *)udp_listener_new(host, f, fd, ip6, own.port);
	if (!listener)
		*err = ENOMEM;
	return listener;
}

static void listen_close(const struct forward *f, void *socket)
{
	if (f->rule.proto == FLOW_TCP)
		tcp_listener_free(socket);
	else
		udp_listener_free(socket);
}

static bool listen_is_stranded(const struct forward *f, void *socket)
{
	int fd = f->rule.proto == FLOW_TCP ? tcp_listener_fd(socket) : udp_listener_fd(socket);
	char name[CONF_INTERFACE_MAX];
	socklen_t len = sizeof(name);

	return getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len) && errno == ENODEV;
}

const struct forward_host_ops listen_ops = { .open = listen_open,
					     .close = listen_close,
					     .is_stranded = listen_is_stranded };
