/* daemon/option_table.c: the rows, and the setters that store what they read.
 *
 * An option that stands for one value keeps the last one given; lists grow.  "none" empties
 * what it is given to, and what follows fills it again.
 */
#include "daemon/option_table.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/name.h"
#include "daemon/option_value.h"
#include "daemon/user.h"
#include "option_priv.h"
#include "proto/net.h"

#define SECONDS_MAX  (365 * 86400)
#define LOG_SIZE_MIN (40 * 1024)
#define LOG_SIZE_MAX (64 * 1024 * 1024)

static void *field_of(struct conf *c, const struct option_row *row)
{
	return (char *)c + row->field;
}

static int set_true(struct conf *c, const struct option_row *row, const char *value)
{
	*(bool *)field_of(c, row) = true;
	return 0;
}

/* For what is so already: accepted for those who say it. */
static int set_nothing(struct conf *c, const struct option_row *row, const char *value)
{
	return 0;
}

static int set_text(struct conf *c, const struct option_row *row, const char *value)
{
	if (!*value)
		return -EINVAL;
	*(const char **)field_of(c, row) = value;
	return 0;
}

static int set_interface(struct conf *c, const struct option_row *row, const char *value)
{
	return strlen(value) < CONF_INTERFACE_MAX ? set_text(c, row, value) : -EINVAL;
}

/* An empty one takes back what was given before. */
static int set_name(struct conf *c, const struct option_row *row, const char *value)
{
	char name[CONF_NAME_MAX];

	if (!*value) {
		*(const char **)field_of(c, row) = NULL;
		return 0;
	}
	return name_parse(value, strlen(value), name, sizeof(name)) ? -EINVAL : set_text(c, row, value);
}

static int set_number(struct conf *c, const struct option_row *row, const char *value)
{
	return value_number(value, row->min, row->max, field_of(c, row));
}

static int set_log_size(struct conf *c, const struct option_row *row, const char *value)
{
	return value_size(value, LOG_SIZE_MIN, LOG_SIZE_MAX, &c->log_size);
}

static int set_rate(struct conf *c, const struct option_row *row, const char *value)
{
	return value_rate(value, field_of(c, row));
}

static int set_quiet(struct conf *c, const struct option_row *row, const char *value)
{
	c->quiet = true;
	c->debug = false;
	return 0;
}

static int set_debug(struct conf *c, const struct option_row *row, const char *value)
{
	c->debug = true;
	c->quiet = false;
	return 0;
}

int option_find_word(const char *const words[], const char *value)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], value))
			return i;
	return -EINVAL;
}

static int set_sandbox(struct conf *c, const struct option_row *row, const char *value)
{
	static const char *const words[] = { "auto", "strict", "none", NULL }; /* enum conf_sandbox */
	int i = option_find_word(words, value);

	if (i >= 0)
		c->sandbox = (enum conf_sandbox)i;
	return i < 0 ? i : 0;
}

static int set_runas(struct conf *c, const struct option_row *row, const char *value)
{
	c->runas = true;
	return user_parse(value, &c->uid, &c->gid);
}

static int set_fd(struct conf *c, const struct option_row *row, const char *value)
{
	unsigned fd;

	if (value_number(value, 0, INT_MAX, &fd))
		return -EINVAL;
	c->fd = (int)fd;
	c->one_off = true; /* nobody could come after it */
	return 0;
}

static int set_mtu(struct conf *c, const struct option_row *row, const char *value)
{
	unsigned mtu;

	if (value_number(value, 0, NET_MTU_MAX, &mtu) || (mtu && mtu < CONF_MTU_MIN))
		return -EINVAL;
	c->mtu = (uint16_t)mtu;
	c->mtu_set = true;
	return 0;
}

struct conf_ip *option_ip_of(struct conf *c, const struct addr *a)
{
	return addr_is_ip4(a) ? &c->ip4 : &c->ip6;
}

static int set_ip4_only(struct conf *c, const struct option_row *row, const char *value)
{
	c->ip6.off = true;
	c->ip4.off = false;
	return 0;
}

static int set_ip6_only(struct conf *c, const struct option_row *row, const char *value)
{
	c->ip4.off = true;
	c->ip6.off = false;
	return 0;
}

/* Whether the guest can be given it: IPv6's link-local address it makes itself, and the first
 * of a network is that of its routers (RFC 4291 2.6.1). */
static bool is_for_guest(const struct addr *a)
{
	return !addr_is_loopback(a) && (addr_is_ip4(a) || (!addr_is_link_local(a) && a->q[1]));
}

static int set_address(struct conf *c, const struct option_row *row, const char *value)
{
	struct conf_ip *ip;
	struct addr a;
	uint8_t len;
	bool cidr;

	if (value_address_prefix(value, &a, &len, &cidr) || !is_for_guest(&a))
		return -EINVAL;
	ip = option_ip_of(c, &a);
	ip->address_set = true;
	ip->address = a;
	ip->cidr_set = cidr;
	ip->cidr_len = len;
	return 0;
}

static int set_netmask(struct conf *c, const struct option_row *row, const char *value)
{
	c->netmask_set = true;
	return value_netmask(value, &c->netmask_len);
}

static int set_mac(struct conf *c, const struct option_row *row, const char *value)
{
	/* IEEE 802: a group address; none at all */
	if (mac_parse(value, &c->mac) || c->mac.b[0] & 1 || mac_eq(&c->mac, &(struct mac){ { 0 } }))
		return -EINVAL;
	return 0;
}

int option_read_visible(const char *value, struct addr *a)
{
	return value_unicast(value, a) || addr_is_loopback(a) ? -EINVAL : 0;
}

static int set_gateway(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr a;

	if (option_read_visible(value, &a))
		return -EINVAL;
	option_ip_of(c, &a)->gateway = a;
	option_ip_of(c, &a)->gateway_set = true;
	return 0;
}

static int set_outbound(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr a;

	if (value_unicast(value, &a))
		return -EINVAL;
	option_ip_of(c, &a)->outbound = a;
	option_ip_of(c, &a)->outbound_set = true;
	return 0;
}

static int set_map_loopback(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr a;

	if (!strcmp(value, "none")) {
		c->no_map_gateway = true;
		c->ip4.map_loopback_set = c->ip6.map_loopback_set = false;
		return 0;
	}
	if (option_read_visible(value, &a))
		return -EINVAL;
	option_ip_of(c, &a)->map_loopback = a;
	option_ip_of(c, &a)->map_loopback_set = true;
	return 0;
}

static int set_map_guest(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr a;

	if (!strcmp(value, "none")) {
		c->ip4.map_guest_set = c->ip6.map_guest_set = false;
		return 0;
	}
	if (option_read_visible(value, &a))
		return -EINVAL;
	option_ip_of(c, &a)->map_guest = a;
	option_ip_of(c, &a)->map_guest_set = true;
	return 0;
}

/* The lowest addresses are handed out: guest .15 must not be the broadcast address. */
static int set_private(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr prefix;
	uint8_t len;
	bool cidr;

	c->ip4.private_net = true;
	if (!value)
		return 0;
	if (value_address_prefix(value, &prefix, &len, &cidr) || !addr_is_ip4(&prefix) || !cidr ||
	    len < 8 || len > 27 || addr_get_ip4(&prefix) & ~ip4_mask(len) ||
	    addr_is_loopback(&prefix))
		return -EINVAL;
	c->ip4.private_prefix = prefix;
	c->ip4.private_prefix_len = len;
	return 0;
}

/* Addresses are made of 64 bits from a router and 64 of the guest's own (RFC 4862 5.5.3). */
static int set_private6(struct conf *c, const struct option_row *row, const char *value)
{
	struct addr prefix;
	uint8_t len;
	bool cidr;

	c->ip6.private_net = true;
	if (!value)
		return 0;
	if (value_address_prefix(value, &prefix, &len, &cidr) || addr_is_ip4(&prefix) ||
	    len != 64 || prefix.q[1] || addr_is_link_local(&prefix))
		return -EINVAL;
	c->ip6.private_prefix = prefix;
	return 0;
}

/* Groups with ports, and commas between; without any, those that most guests want. */
static int set_multicast(struct conf *c, const struct option_row *row, const char *value)
{
	c->multicast = true;
	if (!value) {
		c->multicast_usual = true;
		return 0;
	}
	for (;;) {
		size_t len = strcspn(value, ",");

		if (c->n_multicast_at == CONF_MULTICAST_MAX)
			return -E2BIG;
		if (value_group(value, len, &c->multicast_at[c->n_multicast_at]))
			return -EINVAL;
		c->n_multicast_at++;
		if (!value[len])
			return 0;
		value += len + 1;
	}
}

static int append_text(const char ***list, unsigned *n, const char *value)
{
	const char **grown = reallocarray(*list, *n + 1, sizeof(**list));

	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[(*n)++] = value;
	return 0;
}

static int set_tcp_ports(struct conf *c, const struct option_row *row, const char *value)
{
	return append_text(&c->tcp_forwards, &c->n_tcp_forwards, value);
}

static int set_udp_ports(struct conf *c, const struct option_row *row, const char *value)
{
	return append_text(&c->udp_forwards, &c->n_udp_forwards, value);
}

#define FIELD(member) .field = offsetof(struct conf, member)
#define FLAG(member)  .set = set_true, FIELD(member)
#define PATH(member)                                                                           \
	.argument = "PATH", .expects = "a path", .set = set_text, FIELD(member),               \
	.fixed = "it was opened before the sandbox was laid"
#define FORWARDS .fixed = "forward-add, forward-remove and forward-set change forwards"
#define MODEL	 .fixed = "the guest's addresses are made after that interface"
#define ADDRESSES                                                                              \
	.fixed = "what the guest was told of its addresses cannot be taken back from it"
#define SECONDS(member, text)                                                                  \
	.argument = "SECONDS", .initial = text, .set = set_number, FIELD(timeouts.member),     \
	.min = 1, .max = SECONDS_MAX, .live = true
#define LIMIT(member, text, most)                                                              \
	.argument = "N", .initial = text, .set = set_number, FIELD(limits.member), .min = 1,   \
	.max = (most), .live = true
#define RATE(member)                                                                           \
	.argument = "RATE", .initial = "0", .set = set_rate, FIELD(member), .live = true,      \
	.expects = "0 or bytes a second from 1k to 10G, and perhaps a burst, as in 10M/256Ki"
#define UNICAST "an address of one host, other than loopback"

/* clang-format off */
const struct option_row option_rows[] = {
	{ "help", 'h', .section = "General", .help = "show this text and exit",
	  .set = set_nothing },
	{ "version", .help = "show the version and exit", .set = set_nothing },
	{ "foreground", 'f', .help = "do not become a daemon; log to standard error",
	  FLAG(foreground) },
	{ "quiet", 'q', .help = "log warnings and errors only; undoes --debug", .set = set_quiet,
	  .live = true },
	{ "debug", 'd', .help = "log every change of state; undoes --quiet", .set = set_debug,
	  .live = true },
	{ "trace", .same_as = "debug", .help = "the same as --debug", .set = set_debug },
	{ "stderr", 'e', .help = "no effect: with --foreground, that is where the log goes",
	  FLAG(wants_stderr) },
	{ "stats", .argument = "SECONDS", .set = set_number, FIELD(stats_s), .min = 1,
	  .max = SECONDS_MAX, .live = true, .help = "log each time what the counters have gained" },
	{ "log-file", 'l', PATH(log_path), .help = "log to a file, rather than to the system log" },
	{ "log-size", .argument = "SIZE", .initial = "1M", .set = set_log_size,
	  .live = true, .expects = "a size from 40k to 64M",
	  .help = "what the log file may take; the oldest lines go first" },
	{ "pid", 'P', PATH(pid_path), .help = "write the process id there once all is ready" },
	{ "pcap", 'p', PATH(pcap_path), .help = "write every frame of the guest's link there, as pcapng" },
	{ "sandbox", .argument = "auto|strict|none", .initial = "auto", .set = set_sandbox,
	  .expects = "auto, strict or none",
	  .help = "lock the process in once all is open: as far as the system lets it, wholly or "
		  "not start, or not at all" },

	{ "chroot-fallback", .set = set_nothing,
	  .help = "no effect: a root that cannot be changed for another is left all the same" },
	{ "runas", .argument = "USER", .set = set_runas,
	  .expects = "UID[:GID] or LOGIN[:GROUP], other than root",
	  .help = "become this user once all is open; root becomes nobody if none is named" },

	{ "socket", 's', PATH(socket_path), .section = "Guest and control",
	  .help = "UNIX socket on which to wait for the guest; if none is named, the first free "
		  "of /tmp/postern_1.socket to /tmp/postern_64.socket, or of those of passt when "
		  "called by that name" },
	{ "socket-path", .same_as = "socket", PATH(socket_path), .help = "the same as --socket" },
	{ "fd", 'F', .argument = "FD", .expects = "the number of a descriptor", .set = set_fd,
	  .help = "a connected socket to the guest; implies --one-off" },
	{ "one-off", '1', .help = "end when the guest's client goes", FLAG(one_off),
	  .live = true },
	{ "control", PATH(control_path), .help = "UNIX socket on which posternctl is served" },
	{ "status", PATH(status_path), .help = "the same, for looking only: nothing can be changed" },
	{ "api-socket", PATH(api_path),
	  .help = "UNIX socket on which port forwards are managed as those of slirp4netns" },

	{ "mtu", 'm', .argument = "BYTES", .initial = "65520", .section = "What the guest is given",
	  .expects = "0 or a number from 68 to 65520", .set = set_mtu, .live = true,
	  .help = "MTU told to the guest; 0 tells none; below 1280 there is no IPv6" },
	{ "address", 'a', .argument = "ADDRESS[/LENGTH]", .set = set_address,
	  ADDRESSES, .expects = "an address of one host, neither loopback nor of fe80::/10",
	  .help = "address, and prefix length, once for each family; if none is named, the "
		  "host's" },
	{ "netmask", 'n', .argument = "MASK", .expects = "a netmask or a prefix length",
	  .set = set_netmask, ADDRESSES, .help = "netmask or prefix length of IPv4" },
	{ "mac-addr", 'M', .argument = "MAC", .initial = "9a:55:9a:55:9a:55", .set = set_mac,
	  .fixed = "the guest has it in its neighbor cache",
	  .expects = "the hardware address of one host, as in 9a:55:9a:55:9a:55",
	  .help = "our own hardware address" },
	{ "gateway", 'g', .argument = "ADDRESS", .expects = UNICAST, .set = set_gateway,
	  ADDRESSES,
	  .help = "gateway, once for each family; if none is named, the host's" },
	{ "interface", 'i', .argument = "INTERFACE", .expects = "the name of an interface",
	  .set = set_interface, FIELD(interface), ADDRESSES,
	  .help = "interface of the host whose address and gateway the guest is given" },
	{ "private", .argument = "[CIDR]", .set = set_private, ADDRESSES,
	  .expects = "a network with its length, from /8 to /27",
	  .help = "an IPv4 network of the guest's own, 10.0.2.0/24 or the one named: guest .15, "
		  "gateway .2, DNS .3" },
	{ "private6", .argument = "[CIDR]", .set = set_private6, ADDRESSES,
	  .expects = "an IPv6 network of length /64",
	  .help = "an IPv6 network of the guest's own, fd00::/64 or the one named: guest ::15, "
		  "host ::2, DNS ::3" },
	{ "hostname", 'H', .argument = "NAME", .expects = "a host name", .set = set_name, .live = true,
	  FIELD(hostname), .help = "host name" },
	{ "fqdn", .argument = "NAME", .expects = "a host name", .set = set_name, FIELD(fqdn), .live = true,
	  .help = "host name with its domain" },
	{ "ntp", .argument = "ADDRESS", .expects = UNICAST, .set = option_set_ntp, .live = true,
	  .most = CONF_NTP_MAX,
	  .help = "time server told by DHCP and DHCPv6, up to four times" },
	{ "no-dhcp", .help = "no DHCP server for IPv4", FLAG(no_dhcp), .live = true },
	{ "no-dhcpv6", .help = "no DHCPv6 server", FLAG(no_dhcp6), .live = true },
	{ "no-ndp", .help = "no neighbor discovery, and no router, for IPv6", FLAG(no_ndp), .live = true },
	{ "no-ra", .help = "no router advertisements", FLAG(no_ra), .live = true },
	{ "lease-time", SECONDS(dhcp_lease, "86400"), .help = "how long a DHCP lease lasts" },

	{ "dns", 'D', .argument = "ADDRESS", .expects = UNICAST " or none", .set = option_set_dns,
	  .section = "Names", .live = true, .most = 1 + CONF_DNS_MAX,
	  .help = "resolver told to the guest, up to eight times, or none; if none is named, those "
		  "of resolv.conf" },
	{ "dns-forward", .argument = "ADDRESS", .expects = UNICAST, .set = option_set_dns_forward,
	  .help = "address at which the guest finds the host's resolvers, once for each family",
	  .live = true, .most = 2 },
	{ "dns-host", .argument = "ADDRESS", .expects = "an address of one host", .live = true,
	  .set = option_set_dns_host, .help = "resolver to relay to, rather than those of resolv.conf" },
	{ "dns-record", .argument = "NAME=ADDRESS", .expects = "a name, '=' and an address", .live = true,
	  .most = CONF_RECORDS_MAX,
	  .set = option_set_dns_record, .help = "a name that the guest can look up, up to 64 times" },
	{ "dns-filter-aaaa", .argument = "off|auto|on", .initial = "off", .set = option_set_dns_filter_aaaa,
	  .expects = "auto, on or off", .live = true,
	  .help = "tell the guest of no IPv6 addresses: always, or (auto) while it has no IPv6" },
	{ "no-dns-relay", .help = "DNS is ordinary traffic to postern", FLAG(no_dns_relay), .live = true },
	{ "search", 'S', .argument = "DOMAIN", .expects = "a domain name", .set = option_set_search,
	  .help = "search domain, up to six times, or none; if none is named, those of resolv.conf",
	  .live = true, .most = 1 + CONF_SEARCH_MAX },
	{ "no-dhcp-dns", .help = "no resolvers in DHCP, DHCPv6 and router advertisements", .live = true,
	  FLAG(no_dhcp_dns) },
	{ "no-dhcp-search", .help = "no search domains there", FLAG(no_dhcp_search), .live = true },
	{ "dns-timeout", SECONDS(dns_query, "2"), .help = "how long one resolver is waited for" },

	{ "ipv4-only", '4', .section = "To the host's network", .set = set_ip4_only,
	  ADDRESSES, .help = "no IPv6; undoes --ipv6-only" },
	{ "ipv6-only", '6', .set = set_ip6_only, ADDRESSES, .help = "no IPv4; undoes --ipv4-only" },
	{ "no-tcp", .help = "no TCP", FLAG(no_tcp), .live = true },
	{ "no-udp", .help = "no UDP", FLAG(no_udp), .live = true },
	{ "no-icmp", .help = "no ICMP", FLAG(no_icmp), .live = true },
	{ "outbound", 'o', .argument = "ADDRESS", .expects = "an address of one host",
	  .set = set_outbound, .live = true, .most = 2,
	  .help = "source address for traffic of the guest, once for each family" },
	{ "outbound-if4", .argument = "INTERFACE", .expects = "the name of an interface",
	  .set = set_interface, FIELD(ip4.outbound_interface), MODEL,
	  .help = "interface for IPv4 traffic of the guest, and for --interface" },
	{ "outbound-if6", .argument = "INTERFACE", .expects = "the name of an interface",
	  .set = set_interface, FIELD(ip6.outbound_interface), MODEL,
	  .help = "the same for IPv6" },
	{ "map-host-loopback", .argument = "ADDRESS", .expects = UNICAST " or none",
	  .set = set_map_loopback, .live = true, .most = 3,
	  .help = "address at which the guest finds the host's loopback, once for each family, or "
		  "none; if none is named, the gateway" },
	{ "no-map-gw", .help = "the gateway does not stand for the host's loopback",
	  FLAG(no_map_gateway), .live = true },
	{ "map-guest-addr", .argument = "ADDRESS", .expects = UNICAST " or none",
	  .set = set_map_guest, .live = true, .most = 3,
	  .help = "address at which the guest finds the host's own that equals the guest's, once "
		  "for each family" },

	{ "multicast", .argument = "[GROUP:PORT,...]", .set = set_multicast, .live = true,
	  .most = CONF_MULTICAST_MAX,
	  .expects = "a list of groups with ports, as in 224.0.0.251:5353,[ff02::fb]:5353",
	  .help = "follow the multicast groups that the guest is in, and listen to them at the "
		  "ports named; if none is named, those of mDNS, LLMNR and SSDP" },

	{ "tcp-ports", 't', .argument = "SPEC", .expects = "a list of ports", FORWARDS,
	  .set = set_tcp_ports, .section = "To the guest",
	  .help = "TCP ports of the host to forward to the guest" },
	{ "udp-ports", 'u', .argument = "SPEC", .expects = "a list of ports", FORWARDS,
	  .set = set_udp_ports, .help = "UDP ports of the host to forward to the guest" },

	{ "freebind", .help = "listen at addresses that the host does not have, or not yet",
	  FLAG(freebind), .fixed = "forwards that are open may depend on it" },

	{ "udp-timeout", SECONDS(udp_oneway, "30"), .section = "Timeouts and limits",
	  .help = "end of a UDP flow that was not answered" },
	{ "udp-stream-timeout", SECONDS(udp_stream, "120"),
	  .help = "end of a UDP flow with traffic both ways" },
	{ "icmp-timeout", SECONDS(icmp, "60"), .help = "end of an echo session" },
	{ "fragment-timeout", SECONDS(fragment, "30"),
	  .help = "end of an incomplete datagram of the guest" },
	{ "tcp-connect-timeout", .argument = "SECONDS", .initial = "0", .set = set_number, .live = true,
	  FIELD(timeouts.tcp_connect), .max = SECONDS_MAX,
	  .help = "end of an attempt to connect to the host's network; 0 leaves it to the kernel" },
	{ "tcp-syn-timeout", SECONDS(tcp_syn, "60"),
	  .help = "end of a forwarded connection that the guest does not answer" },
	{ "tcp-idle-timeout", SECONDS(tcp_idle, "7200"),
	  .help = "end of an established connection when the guest is silent" },
	{ "tcp-closing-timeout", SECONDS(tcp_closing, "7200"),
	  .help = "end of a half-closed connection when the guest is silent" },
	{ "tcp-last-ack-timeout", SECONDS(tcp_last_ack, "60"),
	  .help = "end of a connection that waits for its last ACK" },
	{ "tcp-time-wait-timeout", SECONDS(tcp_time_wait, "1"),
	  .help = "how long the end of a connection is remembered" },
	{ "max-flows", LIMIT(flows, "65536", 1 << 20), .help = "flows of all protocols" },
	{ "max-new-flows", .argument = "N", .initial = "0", .set = set_number, .live = true,
	  FIELD(limits.new_flows), .max = 1000000, .help = "new flows a second; 0: no limit" },
	{ "rate-out", RATE(rate_out), .help = "bytes a second from the guest; 0: no limit" },
	{ "rate-in", RATE(rate_in), .help = "bytes a second to the guest; 0: no limit" },
	{ "max-fragments", LIMIT(fragments, "64", 4096),
	  .help = "datagrams of the guest under reassembly" },
	{ "max-dns-queries", LIMIT(dns_pending, "1024", 32768), .help = "DNS queries under way" },
	{ "max-dns-cache", LIMIT(dns_cache, "4096", 1 << 20), .help = "DNS answers kept" },
	{ "max-control-clients", LIMIT(control_clients, "64", 1024),
	  .help = "clients of the control socket" },
};
/* clang-format on */
const unsigned n_option_rows = sizeof(option_rows) / sizeof(option_rows[0]);
