/* The guest's network for command lines and hosts of many kinds. */
#include "daemon/netconf.h"

#include "daemon/options.h"
#include "host/netinfo.h"
#include "host/resolv_conf.h"
#include "lib/suite.h"

#define ARGS_MAX  16
#define TEXT_MAX  1024
#define USUAL	  "192.0.2.7/24 192.0.2.1"
#define USUAL6	  "2001:db8::7/64 fe80::1"
#define BOTH	  USUAL "," USUAL6
#define RESOLVERS "nameserver 198.51.100.53\nnameserver 203.0.113.53\nsearch lab.example\n"

static struct settings settings;
static struct conf conf;
static struct net net;

static void parse_args(const char *args)
{
	static char words[256], reason[256];
	static char *argv[ARGS_MAX];
	char *rest = words, *word;
	int argc = 1;

	conf_free(&conf);
	settings_free(&settings);
	snprintf(words, sizeof(words), "%s", args);
	argv[0] = (char *)"postern";
	while ((word = strsep(&rest, " ")))
		if (*word)
			argv[argc++] = word;
	argv[argc] = NULL;
	ck_assert_msg(options_parse(&settings, &conf, argc, argv, reason, sizeof(reason)) == OPTIONS_RUN,
		      "%s: %s", args, reason);
}

/* "ADDRESS/LENGTH GATEWAY", "-" for what the host does not have; "link" for a route without
 * gateway. */
static void make_family(const char *text, const char *interface, struct netinfo_ip *host)
{
	char address[64] = "", gateway[64] = "";
	unsigned len = 0;

	if (sscanf(text, "%63[^/]/%u %63s", address, &len, gateway) < 3)
		sscanf(text, "%63s %63s", address, gateway);
	host->has_address = !addr_parse(address, &host->address);
	host->prefix_len = (uint8_t)len;
	host->has_gateway = !addr_parse(gateway, &host->gateway);
	host->has_route = host->has_gateway || !strcmp(gateway, "link");
	if (host->has_address || host->has_route)
		snprintf(host->interface, sizeof(host->interface), "%s", interface);
}

/* The two families with a comma between, IPv4 alone without. */
static void make_host(const char *text, struct netinfo *host)
{
	char families[256], *ip6 = families;

	snprintf(families, sizeof(families), "%s", text);
	strsep(&ip6, ",");
	memset(host, 0, sizeof(*host));
	make_family(families, "eth0", &host->ip4);
	if (ip6)
		make_family(ip6, "eth6", &host->ip6);
}

static void make(const char *args, const char *host_text, const char *resolv_text)
{
	struct resolv_conf rc;
	struct netinfo host;

	parse_args(args);
	make_host(host_text, &host);
	resolv_conf_parse(resolv_text, strlen(resolv_text), &rc);
	netconf_make(&conf, &host, &rc, &net);
}

static void print_list(char *text, const struct addr *list, unsigned n)
{
	char one[ADDR_STR_MAX];

	for (unsigned i = 0; i < n; i++) {
		strcat(text, i ? "," : "");
		strcat(text, addr_print(&list[i], one));
	}
	if (!n)
		strcat(text, "-");
}

/* "GUEST/LENGTH GATEWAY" */
static const char *addresses(void)
{
	static char text[TEXT_MAX];
	char a[ADDR_STR_MAX], b[ADDR_STR_MAX];

	snprintf(text, sizeof(text), "%s/%u %s", addr_print(&net.ip4.guest, a), net.ip4.prefix_len,
		 addr_print(&net.ip4.gateway, b));
	return text;
}

/* "TOLD RELAYED UPSTREAMS" */
static const char *dns(void)
{
	static char text[TEXT_MAX];
	char one[UPSTREAM_STR_MAX];

	text[0] = '\0';
	print_list(text, net.dns, net.n_dns);
	strcat(text, " ");
	print_list(text, net.dns_relay, net.n_dns_relay);
	strcat(text, " ");
	for (unsigned i = 0; i < net.n_upstreams; i++) {
		strcat(text, i ? "," : "");
		strcat(text, upstream_print(&net.upstreams[i], one));
	}
	strcat(text, net.n_upstreams ? "" : "-");
	return text;
}

static const struct {
	const char *args, *host, *addresses;
} address_rows[] = {
	/* mirrored */
	{ "", USUAL, "192.0.2.7/24 192.0.2.1" },
	{ "", "192.0.2.7/32 198.51.100.1", "192.0.2.7/32 198.51.100.1" },
	{ "-n 16", USUAL, "192.0.2.7/16 192.0.2.1" },
	{ "-a 192.0.2.9", USUAL, "192.0.2.9/24 192.0.2.1" },
	{ "-a 10.1.2.3", USUAL, "10.1.2.3/8 192.0.2.1" },
	{ "-a 172.16.2.3", USUAL, "172.16.2.3/16 192.0.2.1" },
	{ "-a 10.1.2.3/24", USUAL, "10.1.2.3/24 192.0.2.1" },
	{ "-a 10.1.2.3 -n 255.255.255.0", USUAL, "10.1.2.3/24 192.0.2.1" },
	{ "-g 192.0.2.254", USUAL, "192.0.2.7/24 192.0.2.254" },
	{ "-a 10.1.2.3/24 -g 10.1.2.1", USUAL, "10.1.2.3/24 10.1.2.1" },
	/* the guest can be given an address on a host that has only a gateway, and so on */
	{ "-a 10.1.2.3/24", "- 192.0.2.1", "10.1.2.3/24 192.0.2.1" },
	{ "-g 192.0.2.1", "192.0.2.7/24 -", "192.0.2.7/24 192.0.2.1" },
	{ "-a 10.1.2.3/24 -g 10.1.2.1", "- -", "10.1.2.3/24 10.1.2.1" },
	/* guest and gateway are never one */
	{ "-a 192.0.2.1", USUAL, "192.0.2.1/24 192.0.2.2" },
	{ "-g 192.0.2.7", USUAL, "192.0.2.15/24 192.0.2.7" },
	{ "-a 192.0.2.1/30", USUAL, "192.0.2.1/30 192.0.2.2" },
	{ "-a 192.0.2.1/31", USUAL, "192.0.2.1/31 192.0.2.0" },
	{ "-a 192.0.2.1/32", USUAL, "192.0.2.1/32 10.0.2.2" },
	/* private, by flag and for want of a network */
	{ "--private", USUAL, "10.0.2.15/24 10.0.2.2" },
	{ "--private=172.20.0.0/16", USUAL, "172.20.0.15/16 172.20.0.2" },
	{ "--private=192.168.7.32/27", USUAL, "192.168.7.47/27 192.168.7.34" },
	{ "--private -g 10.0.2.1", USUAL, "10.0.2.15/24 10.0.2.1" },
	{ "--private -a 10.0.2.20", USUAL, "10.0.2.20/24 10.0.2.2" },
	{ "--private -a 10.0.2.2", USUAL, "10.0.2.2/24 10.0.2.3" },
	{ "", "- -", "10.0.2.15/24 10.0.2.2" },
	{ "", "192.0.2.7/24 -", "10.0.2.15/24 10.0.2.2" },
	{ "", "- 192.0.2.1", "10.0.2.15/24 10.0.2.2" },
	{ "-a 10.0.2.99", "- -", "10.0.2.99/24 10.0.2.2" },
	{ "-a 169.254.2.15 -n 16", "- -", "169.254.2.15/16 169.254.2.2" },
	{ "-a 192.0.2.2/24", "- -", "192.0.2.2/24 192.0.2.3" },
	{ "-g 192.0.2.1", "- -", "192.0.2.15/24 192.0.2.1" },
	{ "-g 192.0.2.15", "- -", "192.0.2.16/24 192.0.2.15" },
};

START_TEST(addresses_chosen)
{
	for (size_t i = 0; i < sizeof(address_rows) / sizeof(address_rows[0]); i++) {
		make(address_rows[i].args, address_rows[i].host, RESOLVERS);
		ck_assert_msg(!strcmp(addresses(), address_rows[i].addresses),
			      "'%s' on %s: %s, not %s", address_rows[i].args,
			      address_rows[i].host, addresses(), address_rows[i].addresses);
		ck_assert(!addr_eq(&net.ip4.guest, &net.ip4.gateway));
	}
}
END_TEST

/* "GUEST/LENGTH GATEWAY LOOPBACK", "off" without. */
static const char *addresses6(void)
{
	static char text[TEXT_MAX];
	char a[ADDR_STR_MAX], b[ADDR_STR_MAX], l[ADDR_STR_MAX] = "-";

	if (!net.ip6.on)
		return "off";
	if (net.ip6.map_loopback_set)
		addr_print(&net.ip6.map_loopback, l);
	snprintf(text, sizeof(text), "%s/%u %s %s", addr_print(&net.ip6.guest, a), net.ip6.prefix_len,
		 addr_print(&net.ip6.gateway, b), l);
	return text;
}

/* Our link-local address, made of 9a:55:9a:55:9a:55. */
#define EUI64 "fe80::9855:9aff:fe55:9a55"

static const struct {
	const char *args, *host, *addresses;
} address6_rows[] = {
	/* mirrored */
	{ "", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 fe80::1" },
	{ "", "2001:db8::7/128 fe80::1", "2001:db8::7/128 fe80::1 fe80::1" },
	{ "", "2001:db8::7/64 2001:db8::1", "2001:db8::7/64 " EUI64 " " EUI64 },
	{ "", "2001:db8::7/64 link", "2001:db8::7/64 " EUI64 " " EUI64 },
	{ "-M 02:00:00:00:00:01", "2001:db8::7/64 link",
	  "2001:db8::7/64 fe80::ff:fe00:1 fe80::ff:fe00:1" },
	{ "-a 2001:db8:1::9", "2001:db8::7/56 fe80::1", "2001:db8:1::9/64 fe80::1 fe80::1" },
	{ "-a 2001:db8:1::9/80", "2001:db8::7/64 fe80::1", "2001:db8:1::9/80 fe80::1 fe80::1" },
	{ "-a 192.0.2.9/24", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 fe80::1" },
	{ "-n 16", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 fe80::1" },
	{ "-g fe80::99", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::99 fe80::99" },
	/* a router speaks from a link-local address; the other is a name for the host */
	{ "-g 2001:db8::1", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 2001:db8::1" },
	{ "-g 2001:db8::1", "2001:db8::7/64 -", "2001:db8::7/64 " EUI64 " 2001:db8::1" },
	{ "-a 2001:db8::9", "- fe80::1", "2001:db8::9/64 fe80::1 fe80::1" },
	{ "--no-map-gw", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 -" },
	{ "--map-host-loopback none", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 -" },
	{ "--map-host-loopback 2001:db8::99", "2001:db8::7/64 fe80::1",
	  "2001:db8::7/64 fe80::1 2001:db8::99" },
	{ "--map-host-loopback 192.0.2.99", "2001:db8::7/64 fe80::1",
	  "2001:db8::7/64 fe80::1 fe80::1" },
	{ "--private", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 fe80::1" },
	/* private */
	{ "--private6", "2001:db8::7/64 fe80::1", "fd00::15/64 fe80::2 fd00::2" },
	{ "--private6", "- -", "fd00::15/64 fe80::2 fd00::2" },
	{ "--private6=fd12:3456:789a:1::/64", "- -",
	  "fd12:3456:789a:1::15/64 fe80::2 fd12:3456:789a:1::2" },
	{ "--private6 -a fd00::99", "- -", "fd00::99/64 fe80::2 fd00::2" },
	{ "--private6 -a fd00::2", "- -", "fd00::2/64 fe80::2 fe80::2" },
	{ "--private6 -g fe80::1", "- -", "fd00::15/64 fe80::1 fd00::2" },
	{ "--private6 --no-map-gw", "- -", "fd00::15/64 fe80::2 -" },
	{ "-a 2001:db8::9", "- -", "2001:db8::9/64 fe80::2 fe80::2" },
	/* none */
	{ "", "- -", "off" },
	{ "", "2001:db8::7/64 -", "off" },
	{ "", "- fe80::1", "off" },
	{ "--private", "- -", "off" },
	{ "-4", "2001:db8::7/64 fe80::1", "off" },
	{ "-4 --private6", "- -", "off" },
	{ "-4 -a 2001:db8::9", "- -", "off" },
	{ "-m 1279", "2001:db8::7/64 fe80::1", "off" },
	{ "-m 1280", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 fe80::1" },
	{ "-m 0", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 fe80::1" },
	{ "-6", "2001:db8::7/64 fe80::1", "2001:db8::7/64 fe80::1 fe80::1" },
};

START_TEST(addresses6_chosen)
{
	for (size_t i = 0; i < sizeof(address6_rows) / sizeof(address6_rows[0]); i++) {
		char host[256];

		snprintf(host, sizeof(host), USUAL ",%s", address6_rows[i].host);
		make(address6_rows[i].args, host, RESOLVERS);
		ck_assert_msg(!strcmp(addresses6(), address6_rows[i].addresses),
			      "'%s' on %s: %s, not %s", address6_rows[i].args,
			      address6_rows[i].host, addresses6(), address6_rows[i].addresses);
		ck_assert(net.ip4.on == !strstr(address6_rows[i].args, "-6"));
	}
	make("", BOTH, RESOLVERS);
	ck_assert_str_eq(addresses(), USUAL);
	ck_assert_str_eq(net.ip6.interface, "eth6");
	ck_assert_int_eq(net.ip6.address_source, NET_FROM_HOST);
	make("--private6", BOTH, RESOLVERS);
	ck_assert_str_eq(addresses(), USUAL);
	ck_assert_str_eq(net.ip6.interface, "");
	ck_assert_int_eq(net.ip6.address_source, NET_FROM_FLAG);
	/* sockets for queries to resolvers leave so even if the guest has no such family */
	make("-4 -o 2001:db8::8 --outbound-if6 eth7", BOTH, RESOLVERS);
	ck_assert(net.ip6.outbound_set);
	ck_assert_str_eq(net.ip6.outbound_interface, "eth7");
}
END_TEST

#define EIGHT                                                                                    \
	"nameserver 198.51.100.1\nnameserver 198.51.100.2\nnameserver 198.51.100.3\n"             \
	"nameserver 198.51.100.4\nnameserver 198.51.100.5\nnameserver 198.51.100.6\n"             \
	"nameserver 198.51.100.7\nnameserver 198.51.100.8\n"
#define EIGHT_LIST                                                                               \
	"198.51.100.1,198.51.100.2,198.51.100.3,198.51.100.4,198.51.100.5,198.51.100.6,"         \
	"198.51.100.7,198.51.100.8"

static const struct {
	const char *args, *host, *resolv, *dns;
} dns_rows[] = {
	/* the host's resolvers, as they are */
	{ "", USUAL, RESOLVERS,
	  "198.51.100.53,203.0.113.53 198.51.100.53,203.0.113.53 198.51.100.53,203.0.113.53" },
	/* not reachable as they are: through the gateway, once */
	{ "", USUAL, "nameserver 127.0.0.53\nnameserver 127.0.0.1\n",
	  "192.0.2.1 192.0.2.1 127.0.0.53,127.0.0.1" },
	{ "", USUAL, "nameserver 192.0.2.1\n", "192.0.2.1 192.0.2.1 192.0.2.1" },
	{ "", USUAL, "nameserver 192.0.2.7\n", "192.0.2.1 192.0.2.1 192.0.2.7" },
	{ "", USUAL, "nameserver 2001:db8::53\n", "192.0.2.1 192.0.2.1 2001:db8::53" },
	{ "", USUAL, "nameserver 127.0.0.53\nnameserver 198.51.100.53\n",
	  "192.0.2.1,198.51.100.53 192.0.2.1,198.51.100.53 127.0.0.53,198.51.100.53" },
	{ "", USUAL, "", "192.0.2.1 192.0.2.1 -" },
	/* ... or through what the flags name */
	{ "--dns-forward 192.0.2.53", USUAL, "nameserver 127.0.0.53\n",
	  "192.0.2.53 192.0.2.53 127.0.0.53" },
	{ "--dns-forward 192.0.2.53", USUAL, "nameserver 198.51.100.53\n",
	  "198.51.100.53 192.0.2.53,198.51.100.53 198.51.100.53" },
	{ "--map-host-loopback 192.0.2.99", USUAL, "nameserver 127.0.0.53\n",
	  "192.0.2.99 192.0.2.99 127.0.0.53" },
	{ "--map-host-loopback 192.0.2.99", USUAL, "nameserver 192.0.2.1\n",
	  "192.0.2.1 192.0.2.1 192.0.2.1" },
	{ "--no-map-gw", USUAL, "nameserver 127.0.0.53\n", "192.0.2.1 192.0.2.1 127.0.0.53" },
	/* told by flag: these are asked, unless they are names for ourselves */
	{ "-D 203.0.113.9 -D 203.0.113.10", USUAL, RESOLVERS,
	  "203.0.113.9,203.0.113.10 203.0.113.9,203.0.113.10 203.0.113.9,203.0.113.10" },
	{ "-D 192.0.2.1", USUAL, RESOLVERS, "192.0.2.1 192.0.2.1 127.0.0.1" },
	{ "-D 192.0.2.53 --dns-forward 192.0.2.53", USUAL, "nameserver 198.51.100.53\n",
	  "192.0.2.53 192.0.2.53 198.51.100.53" },
	{ "-D none", USUAL, "nameserver 198.51.100.53\n", "- - 198.51.100.53" },
	{ "-D none --dns-forward 192.0.2.53", USUAL, "nameserver 198.51.100.53\n",
	  "- 192.0.2.53 198.51.100.53" },
	{ "--dns-host 203.0.113.9", USUAL, "nameserver 198.51.100.53\n",
	  "198.51.100.53 198.51.100.53 203.0.113.9" },
	{ "-D 203.0.113.10 --dns-host 203.0.113.9", USUAL, "nameserver 198.51.100.53\n",
	  "203.0.113.10 203.0.113.10 203.0.113.9" },
	/* the private layout has a resolver of its own */
	{ "--private", USUAL, "nameserver 198.51.100.53\n", "10.0.2.3 10.0.2.3 198.51.100.53" },
	{ "--private", USUAL, "", "10.0.2.3 10.0.2.3 -" },
	{ "", "- -", "nameserver 127.0.0.53\n", "10.0.2.3 10.0.2.3 127.0.0.53" },
	{ "--private -D 10.0.2.53", USUAL, "nameserver 198.51.100.53\n",
	  "10.0.2.53 10.0.2.53 198.51.100.53" },
	{ "--private -D 203.0.113.9", USUAL, "nameserver 198.51.100.53\n",
	  "203.0.113.9 203.0.113.9 203.0.113.9" },
	{ "--private -g 10.0.2.3", USUAL, "nameserver 127.0.0.53\n",
	  "10.0.2.3 10.0.2.3 127.0.0.53" },
	{ "-a 192.0.2.9/24", "- -", "nameserver 127.0.0.53\n",
	  "192.0.2.2 192.0.2.2 127.0.0.53" },
	/* of both families, each as it is or through us in its own */
	{ "", BOTH, "nameserver 2001:db8::53\nnameserver 198.51.100.53\n",
	  "198.51.100.53,2001:db8::53 198.51.100.53,2001:db8::53 2001:db8::53,198.51.100.53" },
	{ "", BOTH, "nameserver 198.51.100.53\n",
	  "198.51.100.53,fe80::1 198.51.100.53,fe80::1 198.51.100.53" },
	{ "", BOTH, "nameserver 2001:db8::53\n",
	  "192.0.2.1,2001:db8::53 192.0.2.1,2001:db8::53 2001:db8::53" },
	{ "", BOTH, "nameserver ::1\n", "192.0.2.1,fe80::1 192.0.2.1,fe80::1 ::1" },
	{ "", BOTH, "nameserver 2001:db8::7\n",
	  "192.0.2.1,fe80::1 192.0.2.1,fe80::1 2001:db8::7" },
	{ "", BOTH, "nameserver fe80::53%eth0\n", "192.0.2.1,fe80::1 192.0.2.1,fe80::1 fe80::53%eth0" },
	{ "", BOTH, "nameserver fe80::53%eth9\nnameserver fe80::53%eth8\n",
	  "192.0.2.1,fe80::1 192.0.2.1,fe80::1 fe80::53%eth9,fe80::53%eth8" },
	{ "", BOTH, "", "192.0.2.1,fe80::1 192.0.2.1,fe80::1 -" },
	{ "--dns-forward 192.0.2.53 --dns-forward 2001:db8::99", BOTH, "nameserver ::1\n",
	  "192.0.2.53,2001:db8::99 192.0.2.53,2001:db8::99 ::1" },
	{ "--map-host-loopback 2001:db8::99", BOTH, "nameserver 2001:db8::99\n",
	  "192.0.2.1,2001:db8::99 192.0.2.1,2001:db8::99 2001:db8::99" },
	/* ... of which neither has all the places */
	{ "", BOTH, EIGHT,
	  "198.51.100.1,198.51.100.2,198.51.100.3,198.51.100.4,198.51.100.5,198.51.100.6,"
	  "198.51.100.7,fe80::1 "
	  "198.51.100.1,198.51.100.2,198.51.100.3,198.51.100.4,198.51.100.5,198.51.100.6,"
	  "198.51.100.7,fe80::1 " EIGHT_LIST },
	{ "", USUAL, EIGHT, EIGHT_LIST " " EIGHT_LIST " " EIGHT_LIST },
	{ "-D 2001:db8::53", BOTH, RESOLVERS, "2001:db8::53 2001:db8::53 2001:db8::53" },
	{ "-D 2001:db8::53 --dns-forward 2001:db8::53", BOTH, "nameserver ::1\n",
	  "2001:db8::53 2001:db8::53 ::1" },
	{ "-6", BOTH, "nameserver 198.51.100.53\n", "fe80::1 fe80::1 198.51.100.53" },
	{ "-4", BOTH, "nameserver 2001:db8::53\n", "192.0.2.1 192.0.2.1 2001:db8::53" },
	{ "--private --private6", BOTH, RESOLVERS,
	  "10.0.2.3,fd00::3 10.0.2.3,fd00::3 198.51.100.53,203.0.113.53" },
	{ "--private6 -D fd00::53", BOTH, "nameserver ::1\n", "fd00::53 fd00::53 ::1" },
	{ "--private", BOTH, "nameserver 2001:db8::53\n",
	  "10.0.2.3,2001:db8::53 10.0.2.3,2001:db8::53 2001:db8::53" },
	{ "--private6 -a fd00::3", "- -", "nameserver ::1\n",
	  "10.0.2.3,fd00::2 10.0.2.3,fd00::2 ::1" },
	{ "--no-dns-relay", BOTH, "nameserver 198.51.100.53\n",
	  "198.51.100.53 - 198.51.100.53" },
	{ "--no-dns-relay", BOTH, "nameserver ::1\n", "fe80::1 - ::1" },
	{ "--no-dns-relay --no-map-gw", BOTH, "nameserver ::1\n", "- - ::1" },
	/* no relay: only what is reachable without */
	{ "--no-dns-relay", USUAL, "nameserver 198.51.100.53\n",
	  "198.51.100.53 - 198.51.100.53" },
	{ "--no-dns-relay", USUAL, "nameserver 127.0.0.53\n", "192.0.2.1 - 127.0.0.53" },
	{ "--no-dns-relay --no-map-gw", USUAL, "nameserver 127.0.0.53\n", "- - 127.0.0.53" },
	{ "--no-dns-relay", USUAL, "", "- - -" },
	{ "--no-dns-relay --private", USUAL, "nameserver 198.51.100.53\n",
	  "198.51.100.53 - 198.51.100.53" },
};

START_TEST(dns_chosen)
{
	for (size_t i = 0; i < sizeof(dns_rows) / sizeof(dns_rows[0]); i++) {
		make(dns_rows[i].args, dns_rows[i].host, dns_rows[i].resolv);
		ck_assert_msg(!strcmp(dns(), dns_rows[i].dns),
			      "'%s' on %s with '%s': %s, not %s", dns_rows[i].args,
			      dns_rows[i].host, dns_rows[i].resolv, dns(), dns_rows[i].dns);
	}
}
END_TEST

START_TEST(mapping)
{
	struct addr loopback = addr_ip4(0x7f000001), other = addr_ip4(0xc6336401), a;

	make("", USUAL, RESOLVERS);
	a = net_to_host(&net, &net.ip4.gateway);
	ck_assert(addr_eq(&a, &loopback));
	a = net_to_guest(&net, &loopback);
	ck_assert(addr_eq(&a, &net.ip4.gateway));
	a = net_to_host(&net, &other);
	ck_assert(addr_eq(&a, &other));

	make("--no-map-gw", USUAL, RESOLVERS);
	a = net_to_host(&net, &net.ip4.gateway);
	ck_assert(addr_eq(&a, &net.ip4.gateway));

	make("--no-map-gw --map-host-loopback 192.0.2.99", USUAL, RESOLVERS);
	ck_assert(net.ip4.map_loopback_set);
	a = net_to_host(&net, &net.ip4.map_loopback);
	ck_assert(addr_eq(&a, &loopback));

	make("--map-guest-addr 192.0.2.98", USUAL, RESOLVERS);
	a = net_to_host(&net, &net.ip4.map_guest);
	ck_assert(addr_eq(&a, &net.ip4.guest));
	a = net_to_guest(&net, &net.ip4.guest);
	ck_assert(addr_eq(&a, &net.ip4.map_guest));

	make("--map-guest-addr 2001:db8::98", BOTH, RESOLVERS);
	a = net_to_host(&net, &net.ip6.gateway);
	ck_assert(addr_eq(&a, &ADDR_LOOPBACK6));
	a = net_to_host(&net, &net.ip6.map_guest);
	ck_assert(addr_eq(&a, &net.ip6.guest));
	ck_assert(!net.ip4.map_guest_set);
}
END_TEST

START_TEST(the_rest)
{
	make("", USUAL, RESOLVERS);
	ck_assert(net.tell_mtu && net.mtu == 65520 && net.mtu_source == NET_FROM_FALLBACK);
	ck_assert_str_eq(net.ip4.interface, "eth0");
	ck_assert_str_eq(net.hostname, "");
	ck_assert_uint_eq(net.n_search, 1);
	ck_assert_str_eq(net.search[0], "lab.example");
	ck_assert_int_eq(net.search_source, NET_FROM_HOST);
	ck_assert(net.ip4.address_source == NET_FROM_HOST && net.dns_source == NET_FROM_HOST);
	make("-m 0 -S a -S b -H vm --fqdn vm.a -o 192.0.2.8 --outbound-if4 eth1", USUAL,
	     RESOLVERS);
	ck_assert(!net.tell_mtu && net.mtu == 1500 && net.mtu_source == NET_FROM_FLAG);
	ck_assert_uint_eq(net.n_search, 2);
	ck_assert_int_eq(net.search_source, NET_FROM_FLAG);
	ck_assert_str_eq(net.hostname, "vm");
	ck_assert_str_eq(net.fqdn, "vm.a");
	ck_assert(net.ip4.outbound_set);
	ck_assert_str_eq(net.ip4.outbound_interface, "eth1");
	make("--ntp 198.51.100.1 --ntp 198.51.100.2", USUAL, RESOLVERS);
	ck_assert_uint_eq(net.n_ntp, 2);
	ck_assert(net.ntp[1].b[15] == 2);
	make("-S none", "- -", RESOLVERS);
	ck_assert_uint_eq(net.n_ntp, 0);
	ck_assert_uint_eq(net.n_search, 0);
	ck_assert_int_eq(net.ip4.address_source, NET_FROM_FALLBACK);
	ck_assert_str_eq(net.ip4.interface, "");
}
END_TEST

static void update(const char *resolv_text)
{
	struct resolv_conf rc;

	resolv_conf_parse(resolv_text, strlen(resolv_text), &rc);
	netconf_update_dns(&conf, &rc, &net);
}

/* The guest keeps what it was told until its lease is renewed: the relay answers there. */
START_TEST(resolvers_change)
{
	make("--dns-forward 192.0.2.53", USUAL, "nameserver 198.51.100.1\nsearch a\n");
	update("nameserver 198.51.100.2\nsearch b\n");
	ck_assert_str_eq(dns(),
			 "198.51.100.2 192.0.2.53,198.51.100.2,198.51.100.1 198.51.100.2");
	ck_assert_str_eq(net.search[0], "b");
	update("nameserver 198.51.100.1\n");
	ck_assert_str_eq(dns(),
			 "198.51.100.1 192.0.2.53,198.51.100.1,198.51.100.2 198.51.100.1");
	ck_assert_uint_eq(net.n_search, 0);
	ck_assert_str_eq(addresses(), USUAL);
}
END_TEST

static struct netinfo last;

/* The host changes to this one; returns whether the guest's network does. */
static bool change(const char *host_text)
{
	struct netinfo now;
	struct resolv_conf rc;

	resolv_conf_parse(RESOLVERS, strlen(RESOLVERS), &rc);
	make_host(host_text, &now);
	netconf_hold(&conf, &last, &now);
	last = now;
	return netconf_update(&conf, &now, &rc, &net);
}

static void begin(const char *args, const char *host_text)
{
	make(args, host_text, RESOLVERS);
	make_host(host_text, &last);
}

START_TEST(host_changes)
{
	struct addr old_dns = addr_ip4(0x0a000203);

	begin("", "- -");
	ck_assert_str_eq(addresses(), "10.0.2.15/24 10.0.2.2");
	ck_assert_str_eq(addresses6(), "off");
	ck_assert(!change("- -"));
	/* the network comes */
	ck_assert(change(USUAL));
	ck_assert_str_eq(addresses(), USUAL);
	ck_assert(net_is_dns(&net, &old_dns)); /* the guest may still ask it */
	ck_assert_str_eq(addresses6(), "off");
	ck_assert(!change(USUAL));
	ck_assert(change(BOTH));
	ck_assert_str_eq(addresses6(), "2001:db8::7/64 fe80::1 fe80::1");
	/* another one */
	ck_assert(change("192.0.2.9/24 192.0.2.1," USUAL6));
	ck_assert_str_eq(addresses(), "192.0.2.9/24 192.0.2.1");
	ck_assert(change(USUAL ",2001:db8:1::7/64 fe80::1"));
	ck_assert_str_eq(addresses6(), "2001:db8:1::7/64 fe80::1 fe80::1");
}
END_TEST

/* Between two networks the guest keeps what it has. */
START_TEST(host_loses)
{
	begin("", BOTH);
	ck_assert(!change("- -"));
	ck_assert(!change("192.0.2.7/24 -"));
	ck_assert(!change("- -"));
	ck_assert(!change(BOTH));
	ck_assert(!change("- -,2001:db8::7/64 fe80::1"));
	/* IPv6 alone is gone: the guest would try it first, and in vain */
	ck_assert(change(USUAL));
	ck_assert_str_eq(addresses6(), "off");
	ck_assert(!change("- -"));
	ck_assert(change(BOTH));
	ck_assert(!change("- -"));
	ck_assert(change("198.51.100.7/24 198.51.100.1"));
	ck_assert_str_eq(addresses(), "198.51.100.7/24 198.51.100.1");
	ck_assert_str_eq(addresses6(), "off");
	begin("", "- -," USUAL6);
	ck_assert(!change("- -"));
	ck_assert_str_eq(addresses6(), "2001:db8::7/64 fe80::1 fe80::1");
}
END_TEST

/* What the command line fixed does not change. */
START_TEST(host_changes_under_flags)
{
	begin("-a 192.0.2.9/24 -a 2001:db8::9 -g fe80::9", BOTH);
	ck_assert(change("198.51.100.7/24 198.51.100.1,2001:db8:1::7/64 fe80::2"));
	ck_assert_str_eq(addresses(), "192.0.2.9/24 198.51.100.1");
	ck_assert_str_eq(addresses6(), "2001:db8::9/64 fe80::9 fe80::9");
	ck_assert(!change("198.51.100.8/24 198.51.100.1,2001:db8:1::8/64 fe80::3"));
	begin("--private --private6", BOTH);
	ck_assert(!change("- -"));
	ck_assert(!change("198.51.100.7/24 198.51.100.1,2001:db8:1::7/64 fe80::2"));
	begin("--private", BOTH);
	ck_assert(change(USUAL));
	ck_assert_str_eq(addresses6(), "off");
	begin("-4 -m 1279", BOTH);
	ck_assert(!change(USUAL));
}
END_TEST

START_TEST(relay_is_bounded)
{
	char text[64], newest[ADDR_STR_MAX];

	make("--dns-forward 192.0.2.53", USUAL, "");
	for (unsigned i = 1; i <= 3 * NET_DNS_RELAY_MAX; i++) {
		snprintf(text, sizeof(text), "nameserver 198.51.100.%u\n", i);
		update(text);
	}
	ck_assert_uint_eq(net.n_dns_relay, NET_DNS_RELAY_MAX);
	ck_assert_str_eq(addr_print(&net.dns_relay[0], newest), "192.0.2.53");
	ck_assert_str_eq(addr_print(&net.dns_relay[1], newest), "198.51.100.96");
	conf_free(&conf);
}
END_TEST

SUITE_MAIN("netconf", addresses_chosen, addresses6_chosen, dns_chosen, mapping, the_rest, resolvers_change, host_changes, host_loses, host_changes_under_flags,
	   relay_is_bounded)
