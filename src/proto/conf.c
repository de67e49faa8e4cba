/* proto/conf.c: whether settings go together; pure. */
#include "proto/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/forward_conf.h"
#include "wire/ip6.h"

static int refuse(char *reason, size_t reason_max, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char *reason, size_t reason_max, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, reason_max, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool same_path(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static int check_paths(const struct conf *c, char *reason, size_t reason_max)
{
	const char *paths[] = { c->socket_path, c->control_path, c->status_path, c->api_path,
				c->log_path, c->pid_path, c->pcap_path };

	if (c->fd >= 0 && c->socket_path)
		return refuse(reason, reason_max,
			      "--fd '%d' and --socket '%s' exclude each other", c->fd,
			      c->socket_path);
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (unsigned k = 0; k < i; k++)
			if (same_path(paths[i], paths[k]))
				return refuse(reason, reason_max,
					      "path '%s' is given for two things", paths[i]);
	return 0;
}

/* RFC 1122 3.2.1.3: the first and the last address of a network belong to nobody. */
static bool is_host_in(const struct addr *a, unsigned prefix_len)
{
	uint32_t mask = ip4_mask(prefix_len), host = addr_get_ip4(a) & ~mask;

	return prefix_len >= 31 || (host && host != ~mask);
}

static int check_prefix(const struct conf *c, char *reason, size_t reason_max)
{
	const struct conf_ip *ip = &c->ip4;
	unsigned len = ip->cidr_set ? ip->cidr_len : c->netmask_len;
	char text[ADDR_STR_MAX];

	addr_print(&ip->address, text);
	if (ip->cidr_set && c->netmask_set)
		return refuse(reason, reason_max,
			      "--address '%s/%u' and --netmask '%u' exclude each other", text,
			      ip->cidr_len, c->netmask_len);
	if (ip->private_net && c->netmask_set)
		return refuse(reason, reason_max,
			      "--netmask '%u' and --private exclude each other",
			      c->netmask_len);
	if (ip->address_set && (ip->cidr_set || c->netmask_set) && !is_host_in(&ip->address, len))
		return refuse(reason, reason_max,
			      "--address '%s' is no host's in a network of length %u", text,
			      len);
	return 0;
}

/* IPv6 needs packets of 1,280 bytes on every link (RFC 8200 5). */
static int check_mtu(const struct conf *c, char *reason, size_t reason_max)
{
	if (!c->ip4.off || !c->mtu || c->mtu >= IP6_MTU_MIN)
		return 0;
	return refuse(reason, reason_max, "--mtu '%u' is too small for --ipv6-only", c->mtu);
}

/* The guest could never reach what has its own address. */
static int check_own_address(const struct conf_ip *ip, char *reason, size_t reason_max)
{
	const struct {
		bool set;
		const struct addr *addr;
		const char *option;
	} others[] = { { ip->gateway_set, &ip->gateway, "gateway" },
		       { ip->map_loopback_set, &ip->map_loopback, "map-host-loopback" },
		       { ip->map_guest_set, &ip->map_guest, "map-guest-addr" },
		       { ip->dns_forward_set, &ip->dns_forward, "dns-forward" } };
	char text[ADDR_STR_MAX];

	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (ip->address_set && others[i].set && addr_eq(&ip->address, others[i].addr))
			return refuse(reason, reason_max,
				      "--%s '%s' is the guest's own address", others[i].option,
				      addr_print(&ip->address, text));
	return 0;
}

static int check_dns(const struct conf *c, char *reason, size_t reason_max)
{
	const struct conf_ip *forward = c->ip4.dns_forward_set ? &c->ip4 : &c->ip6;
	char text[ADDR_STR_MAX];

	if (!c->no_dns_relay)
		return 0;
	if (forward->dns_forward_set)
		return refuse(reason, reason_max,
			      "--dns-forward '%s' needs what --no-dns-relay switches off",
			      addr_print(&forward->dns_forward, text));
	if (c->dns_host_set)
		return refuse(reason, reason_max,
			      "--dns-host '%s' needs what --no-dns-relay switches off",
			      addr_print(&c->dns_host, text));
	if (c->n_records)
		return refuse(reason, reason_max,
			      "--dns-record '%s' needs what --no-dns-relay switches off",
			      c->records[0].name);
	return 0;
}

static int check_forwards(const struct conf *c, char *reason, size_t reason_max)
{
	const struct forward_ports any = { 0 };
	char error[FORWARD_ERROR_MAX];
	struct forward_batch b;

	if (!forward_conf_read(c, &any, &b, error))
		return 0;
	return refuse(reason, reason_max, "%s", error);
}

int conf_validate(const struct conf *c, char *reason, size_t reason_max)
{
	int rc = check_paths(c, reason, reason_max);

	if (!rc)
		rc = check_prefix(c, reason, reason_max);
	if (!rc)
		rc = check_mtu(c, reason, reason_max);
	if (!rc)
		rc = check_own_address(&c->ip4, reason, reason_max);
	if (!rc)
		rc = check_own_address(&c->ip6, reason, reason_max);
	if (!rc)
		rc = check_dns(c, reason, reason_max);
	if (!rc)
		rc = check_forwards(c, reason, reason_max);
	return rc;
}

void conf_free(struct conf *c)
{
	free(c->tcp_forwards);
	free(c->udp_forwards);
	c->tcp_forwards = c->udp_forwards = NULL;
	c->n_tcp_forwards = c->n_udp_forwards = 0;
}
