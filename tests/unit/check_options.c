/* The command line: every option, what it refuses, and how options go together. */
#include "daemon/options.h"

#include <errno.h>

#include "daemon/option_table.h"
#include "lib/suite.h"

#define ARGS_MAX 80

static struct settings settings;
static struct conf conf;
static char reason[512];

/* Parses "postern" and these words; strings with spaces are given as arrays by parse_args(). */
static int parse_args(int n, const char *const *words)
{
	static char *argv[ARGS_MAX + 2];

	conf_free(&conf);
	settings_free(&settings);
	ck_assert_int_le(n, ARGS_MAX);
	argv[0] = (char *)"postern";
	for (int i = 0; i < n; i++)
		argv[i + 1] = (char *)words[i];
	argv[n + 1] = NULL;
	reason[0] = '\0';
	return options_parse(&settings, &conf, n + 1, argv, reason, sizeof(reason));
}

#define PARSE(...)                                                                             \
	parse_args(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),                   \
		   (const char *[]){ __VA_ARGS__ })

static const char *text_of(const struct addr *a)
{
	static char text[ADDR_STR_MAX];

	return addr_print(a, text);
}

START_TEST(defaults)
{
	char mac[MAC_STR_MAX];

	ck_assert_int_eq(parse_args(0, NULL), OPTIONS_RUN);
	ck_assert_int_eq(conf.fd, -1);
	ck_assert_uint_eq(conf.mtu, 65520);
	ck_assert(!conf.mtu_set);
	ck_assert_str_eq(mac_print(&conf.mac, mac), "9a:55:9a:55:9a:55");
	ck_assert_uint_eq(conf.log_size, 1 << 20);
	ck_assert_str_eq(text_of(&conf.ip4.private_prefix), "10.0.2.0");
	ck_assert_uint_eq(conf.ip4.private_prefix_len, 24);
	ck_assert_str_eq(text_of(&conf.ip6.private_prefix), "fd00::");
	ck_assert_uint_eq(conf.ip6.private_prefix_len, 64);
	ck_assert(!conf.ip4.off && !conf.ip6.off);
	ck_assert(!conf.ip4.private_net && !conf.ip6.private_net);
}
END_TEST

/* The address says which family an option is for; each keeps its own. */
START_TEST(both_families)
{
	ck_assert_int_eq(PARSE("-a", "2001:db8::7", "-a", "192.0.2.7/25", "-g", "fe80::1", "-g",
			       "192.0.2.1", "-o", "2001:db8::8", "-o", "192.0.2.8",
			       "--outbound-if4", "eth4", "--outbound-if6", "eth6",
			       "--map-host-loopback", "2001:db8::9", "--map-guest-addr",
			       "2001:db8::a", "--dns-forward", "192.0.2.53", "--dns-forward",
			       "2001:db8::53", "-D", "2001:db8::54", "-D", "192.0.2.54", "--ntp",
			       "2001:db8::123", "--ntp", "192.0.2.123"),
			 OPTIONS_RUN);
	ck_assert_str_eq(text_of(&conf.ip4.address), "192.0.2.7");
	ck_assert(conf.ip4.address_set && conf.ip4.cidr_set && conf.ip4.cidr_len == 25);
	ck_assert_str_eq(text_of(&conf.ip6.address), "2001:db8::7");
	ck_assert(conf.ip6.address_set && !conf.ip6.cidr_set);
	ck_assert_str_eq(text_of(&conf.ip4.gateway), "192.0.2.1");
	ck_assert_str_eq(text_of(&conf.ip6.gateway), "fe80::1");
	ck_assert_str_eq(text_of(&conf.ip4.outbound), "192.0.2.8");
	ck_assert_str_eq(text_of(&conf.ip6.outbound), "2001:db8::8");
	ck_assert_str_eq(conf.ip4.outbound_interface, "eth4");
	ck_assert_str_eq(conf.ip6.outbound_interface, "eth6");
	ck_assert(!conf.ip4.map_loopback_set && conf.ip6.map_loopback_set);
	ck_assert_str_eq(text_of(&conf.ip6.map_loopback), "2001:db8::9");
	ck_assert(!conf.ip4.map_guest_set && conf.ip6.map_guest_set);
	ck_assert_str_eq(text_of(&conf.ip4.dns_forward), "192.0.2.53");
	ck_assert_str_eq(text_of(&conf.ip6.dns_forward), "2001:db8::53");
	ck_assert_uint_eq(conf.n_dns, 2);
	ck_assert_uint_eq(conf.n_ntp, 2);
	ck_assert_int_eq(PARSE("-a", "2001:db8::7/56", "--map-host-loopback", "2001:db8::9",
			       "--map-host-loopback", "192.0.2.9", "--map-host-loopback", "none",
			       "--map-guest-addr", "2001:db8::9", "--map-guest-addr", "none"),
			 OPTIONS_RUN);
	ck_assert(conf.ip6.cidr_set && conf.ip6.cidr_len == 56);
	ck_assert(!conf.ip4.map_loopback_set && !conf.ip6.map_loopback_set && conf.no_map_gateway);
	ck_assert(!conf.ip6.map_guest_set);
}
END_TEST

START_TEST(one_family)
{
	ck_assert_int_eq(PARSE("-4"), OPTIONS_RUN);
	ck_assert(!conf.ip4.off && conf.ip6.off);
	ck_assert_int_eq(PARSE("--ipv6-only"), OPTIONS_RUN);
	ck_assert(conf.ip4.off && !conf.ip6.off);
	ck_assert_int_eq(PARSE("-6", "-4"), OPTIONS_RUN);
	ck_assert(!conf.ip4.off && conf.ip6.off);
	ck_assert_int_eq(PARSE("-4", "-6", "--no-ndp", "--no-ra", "--no-dhcpv6"), OPTIONS_RUN);
	ck_assert(conf.ip4.off && !conf.ip6.off);
	ck_assert(conf.no_ndp && conf.no_ra && conf.no_dhcp6);
}
END_TEST

/* Every member of both structs has an option, and its default is what the header says. */
START_TEST(timeouts_and_limits)
{
	const struct conf_timeouts timeouts = { .udp_oneway = 30,
						.udp_stream = 120,
						.icmp = 60,
						.fragment = 30,
						.dns_query = 2,
						.tcp_connect = 0,
						.tcp_syn = 60,
						.tcp_idle = 7200,
						.tcp_closing = 7200,
						.tcp_last_ack = 60,
						.tcp_time_wait = 1,
						.dhcp_lease = 86400 };
	const struct conf_limits limits = { .flows = 65536,
					    .dns_cache = 4096,
					    .dns_pending = 1024,
					    .fragments = 64,
					    .control_clients = 64 };
	unsigned n = 0;

	parse_args(0, NULL);
	ck_assert_mem_eq(&conf.timeouts, &timeouts, sizeof(timeouts));
	ck_assert_mem_eq(&conf.limits, &limits, sizeof(limits));
	for (unsigned i = 0; i < n_option_rows; i++)
		n += option_rows[i].field >= offsetof(struct conf, timeouts) &&
		     option_rows[i].field < sizeof(struct conf);
	ck_assert_uint_eq(n, (sizeof(timeouts) + sizeof(limits)) / sizeof(unsigned));
}
END_TEST

static unsigned n_rows_called(const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_option_rows; i++)
		n += !strcmp(option_rows[i].name, name);
	return n;
}

START_TEST(rows_are_sound)
{
	for (unsigned i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];

		ck_assert_ptr_nonnull(row->set);
		ck_assert_ptr_nonnull(row->help);
		if (row->argument)
			ck_assert(row->expects || row->max > row->min);
		if (row->same_as)
			ck_assert_int_eq(n_rows_called(row->same_as), 1);
		for (unsigned k = 0; k < i; k++) {
			ck_assert_str_ne(row->name, option_rows[k].name);
			ck_assert(!row->letter || row->letter != option_rows[k].letter);
		}
	}
}
END_TEST

START_TEST(as_libvirt_calls)
{
	ck_assert_int_eq(PARSE("--one-off", "--socket", "/run/x-net0.socket", "--pid",
			       "/run/x.pid", "--mtu", "1500", "--interface", "eth0",
			       "--log-file", "/var/log/x.log", "--hostname", "vm", "--fqdn",
			       "vm.example.org", "--address", "192.0.2.15", "--netmask", "24",
			       "--tcp-ports", "%eth0/22:2222", "--tcp-ports",
			       "5000-5020:6000-6020", "--udp-ports", "all"),
			 OPTIONS_RUN);
	ck_assert(conf.one_off && !conf.foreground);
	ck_assert_str_eq(conf.socket_path, "/run/x-net0.socket");
	ck_assert_str_eq(conf.pid_path, "/run/x.pid");
	ck_assert_str_eq(conf.log_path, "/var/log/x.log");
	ck_assert_str_eq(conf.interface, "eth0");
	ck_assert_str_eq(conf.hostname, "vm");
	ck_assert_str_eq(conf.fqdn, "vm.example.org");
	ck_assert_str_eq(text_of(&conf.ip4.address), "192.0.2.15");
	ck_assert(conf.netmask_set && !conf.ip4.cidr_set && conf.netmask_len == 24);
	ck_assert(conf.mtu_set && conf.mtu == 1500);
	ck_assert_uint_eq(conf.n_tcp_forwards, 2);
	ck_assert_str_eq(conf.tcp_forwards[1], "5000-5020:6000-6020");
	ck_assert_uint_eq(conf.n_udp_forwards, 1);
}
END_TEST

START_TEST(as_qemu_calls)
{
	ck_assert_int_eq(PARSE("--quiet", "--mtu", "0", "--address", "192.0.2.15", "--netmask",
			       "255.255.255.0", "--mac-addr", "52:54:00:12:34:56", "--gateway",
			       "192.0.2.1", "--outbound", "198.51.100.7", "--outbound-if4",
			       "eth1", "--dns", "192.0.2.53", "--no-dhcp-dns",
			       "--no-dhcp-search", "--map-host-loopback", "192.0.2.2",
			       "--map-guest-addr", "192.0.2.3", "--dns-forward", "192.0.2.4",
			       "--dns-host", "2001:db8::53", "--no-tcp", "--no-udp",
			       "--no-icmp", "--no-dhcp", "--ipv4-only", "--search",
			       "a.example b.example", "--tcp-ports", "22,80", "--fd", "3"),
			 OPTIONS_RUN);
	ck_assert(conf.quiet && conf.one_off && conf.fd == 3);
	ck_assert(conf.mtu_set && conf.mtu == 0);
	ck_assert_uint_eq(conf.netmask_len, 24);
	ck_assert_str_eq(text_of(&conf.ip4.outbound), "198.51.100.7");
	ck_assert_str_eq(conf.ip4.outbound_interface, "eth1");
	ck_assert_str_eq(text_of(&conf.dns_host), "2001:db8::53");
	ck_assert_uint_eq(conf.n_search, 2);
	ck_assert_str_eq(conf.search[1], "b.example");
	ck_assert(conf.no_tcp && conf.no_udp && conf.no_icmp && conf.no_dhcp);
	ck_assert(conf.no_dhcp_dns && conf.no_dhcp_search);
	ck_assert(!conf.no_dhcp6);
	ck_assert_int_eq(PARSE("--no-dhcpv6", "--fd", "3"), OPTIONS_RUN);
	ck_assert(conf.no_dhcp6 && !conf.no_dhcp);
}
END_TEST

START_TEST(short_names)
{
	ck_assert_int_eq(PARSE("-1fds/run/x", "-Pp", "-ll", "-m1400", "-a192.0.2.9/25", "-M",
			       "02:00:00:00:00:01", "-g", "192.0.2.1", "-i", "eth0", "-o",
			       "192.0.2.8", "-D", "192.0.2.53", "-S", "example.org", "-H", "vm",
			       "-t", "22", "-u", "53", "-4"),
			 OPTIONS_RUN);
	ck_assert(conf.one_off && conf.foreground && conf.debug);
	ck_assert_str_eq(conf.socket_path, "/run/x");
	ck_assert(conf.ip4.cidr_set && conf.ip4.cidr_len == 25);
	ck_assert_int_eq(PARSE("-F", "7", "-n", "255.255.0.0"), OPTIONS_RUN);
	ck_assert(conf.fd == 7 && conf.netmask_len == 16);
	ck_assert_int_eq(PARSE("--socket-path", "/run/y"), OPTIONS_RUN);
	ck_assert_str_eq(conf.socket_path, "/run/y");
}
END_TEST

START_TEST(information)
{
	ck_assert_int_eq(PARSE("-h"), OPTIONS_HELP);
	ck_assert_int_eq(PARSE("--help", "--nonsense"), OPTIONS_HELP);
	ck_assert_int_eq(PARSE("--version"), OPTIONS_VERSION);
}
END_TEST

START_TEST(last_one_wins)
{
	ck_assert_int_eq(PARSE("-q", "-d", "-a", "192.0.2.1/24", "-a", "198.51.100.1", "-n",
			       "16", "-m", "100", "-m", "200", "--map-host-loopback",
			       "192.0.2.9", "--map-host-loopback", "none"),
			 OPTIONS_RUN);
	ck_assert(conf.debug && !conf.quiet);
	ck_assert_str_eq(text_of(&conf.ip4.address), "198.51.100.1");
	ck_assert(!conf.ip4.cidr_set && conf.netmask_len == 16);
	ck_assert_uint_eq(conf.mtu, 200);
	ck_assert(!conf.ip4.map_loopback_set && conf.no_map_gateway);
	ck_assert_int_eq(PARSE("-d", "-q"), OPTIONS_RUN);
	ck_assert(conf.quiet && !conf.debug);
}
END_TEST

START_TEST(filter)
{
	ck_assert_int_eq(parse_args(0, NULL), OPTIONS_RUN);
	ck_assert_int_eq(conf.dns_filter_aaaa, CONF_FILTER_OFF);
	ck_assert_int_eq(PARSE("--dns-filter-aaaa", "on"), OPTIONS_RUN);
	ck_assert_int_eq(conf.dns_filter_aaaa, CONF_FILTER_ON);
	ck_assert_int_eq(PARSE("--dns-filter-aaaa=auto"), OPTIONS_RUN);
	ck_assert_int_eq(conf.dns_filter_aaaa, CONF_FILTER_AUTO);
	ck_assert_int_eq(PARSE("--dns-filter-aaaa=on", "--dns-filter-aaaa=off"), OPTIONS_RUN);
	ck_assert_int_eq(conf.dns_filter_aaaa, CONF_FILTER_OFF);
}
END_TEST

START_TEST(sandbox)
{
	ck_assert_int_eq(PARSE("-f"), OPTIONS_RUN);
	ck_assert_int_eq(conf.sandbox, CONF_SANDBOX_AUTO);
	ck_assert_int_eq(PARSE("--sandbox", "strict"), OPTIONS_RUN);
	ck_assert_int_eq(conf.sandbox, CONF_SANDBOX_STRICT);
	ck_assert_int_eq(PARSE("--sandbox=none"), OPTIONS_RUN);
	ck_assert_int_eq(conf.sandbox, CONF_SANDBOX_NONE);
	ck_assert_int_eq(PARSE("--sandbox=none", "--sandbox=auto"), OPTIONS_RUN);
	ck_assert_int_eq(conf.sandbox, CONF_SANDBOX_AUTO);
}
END_TEST

START_TEST(lists_grow)
{
	ck_assert_int_eq(PARSE("-D", "192.0.2.1", "-D", "none", "-D", "192.0.2.2", "-D",
			       "192.0.2.3", "-S", "none", "-S", "none.", "--dns-record",
			       "A.example=192.0.2.1", "--dns-record", "b=2001:db8::1"),
			 OPTIONS_RUN);
	ck_assert(conf.dns_set && conf.n_dns == 2);
	ck_assert_str_eq(text_of(&conf.dns[0]), "192.0.2.2");
	ck_assert_uint_eq(conf.n_search, 1);
	ck_assert_str_eq(conf.search[0], "none");
	ck_assert_uint_eq(conf.n_records, 2);
	ck_assert_str_eq(conf.records[0].name, "A.example");
	ck_assert_str_eq(text_of(&conf.records[1].addr), "2001:db8::1");
}
END_TEST

START_TEST(lists_end)
{
	const char *many[2 * (CONF_RECORDS_MAX + 1)];

	for (unsigned i = 0; i < 2 * (CONF_DNS_MAX + 1); i += 2) {
		many[i] = "-D";
		many[i + 1] = "192.0.2.1";
	}
	ck_assert_int_eq(parse_args(2 * CONF_DNS_MAX, many), OPTIONS_RUN);
	ck_assert_int_lt(parse_args(2 * (CONF_DNS_MAX + 1), many), 0);
	ck_assert_str_eq(reason, "--dns '192.0.2.1' is one too many");
	ck_assert_int_eq(PARSE("-S", "a b c d e f"), OPTIONS_RUN);
	ck_assert_int_lt(PARSE("-S", "a b c d e f g"), 0);
}
END_TEST

START_TEST(private_layout)
{
	ck_assert_int_eq(PARSE("--private"), OPTIONS_RUN);
	ck_assert(conf.ip4.private_net && conf.ip4.private_prefix_len == 24);
	ck_assert_int_eq(PARSE("--private=172.16.0.0/12"), OPTIONS_RUN);
	ck_assert_str_eq(text_of(&conf.ip4.private_prefix), "172.16.0.0");
	ck_assert_uint_eq(conf.ip4.private_prefix_len, 12);
	ck_assert(!conf.ip6.private_net);
	ck_assert_int_eq(PARSE("--private6"), OPTIONS_RUN);
	ck_assert(conf.ip6.private_net && !conf.ip4.private_net);
	ck_assert_int_eq(PARSE("--private6=fd12:3456:789a:1::/64"), OPTIONS_RUN);
	ck_assert_str_eq(text_of(&conf.ip6.private_prefix), "fd12:3456:789a:1::");
}
END_TEST

START_TEST(multicast)
{
	ck_assert_int_eq(PARSE("-f"), OPTIONS_RUN);
	ck_assert(!conf.multicast && !conf.multicast_usual);
	ck_assert_int_eq(PARSE("--multicast"), OPTIONS_RUN);
	ck_assert(conf.multicast && conf.multicast_usual && !conf.n_multicast_at);
	ck_assert_int_eq(PARSE("--multicast=239.1.2.3:1,[ff05::1:3]:65535", "--multicast=224.0.0.251:5353"),
			 OPTIONS_RUN);
	ck_assert(conf.multicast && !conf.multicast_usual);
	ck_assert_uint_eq(conf.n_multicast_at, 3);
	ck_assert_str_eq(text_of(&conf.multicast_at[0].addr), "239.1.2.3");
	ck_assert_uint_eq(conf.multicast_at[0].port, 1);
	ck_assert_str_eq(text_of(&conf.multicast_at[1].addr), "ff05::1:3");
	ck_assert_uint_eq(conf.multicast_at[1].port, 65535);
	ck_assert_str_eq(text_of(&conf.multicast_at[2].addr), "224.0.0.251");
}
END_TEST

/* A value that is refused stands in the reason, in quotes. */
static const struct {
	const char *option, *value;
} refused[] = {
	{ "--socket", "" },
	{ "--multicast", "224.0.0.1:5" }, /* stays on the link */
	{ "--multicast", "[ff02::16]:5" },
	{ "--fd", "-1" },
	{ "--fd", "x" },
	{ "--fd", "4294967296" },
	{ "--fd", "99999999999999999999" },
	{ "--log-size", "39k" },
	{ "--log-size", "1G" },
	{ "--log-size", "65M" },
	{ "--log-size", "M" },
	{ "--log-size", "4294967295M" },
	{ "--multicast", "" },
	{ "--multicast", "224.0.0.251" },
	{ "--multicast", "224.0.0.251:0" },
	{ "--multicast", "224.0.0.251:65536" },
	{ "--multicast", "224.0.0.251:5353," },
	{ "--multicast", "192.0.2.1:5353" },
	{ "--multicast", "[224.0.0.251]:5353" },
	{ "--multicast", "ff02::fb:5353" },
	{ "--multicast", "[ff02::fb:5353" },
	{ "--multicast", "]:5353" },
	{ "--multicast", ":5353" },
	{ "--mtu", "67" },
	{ "--mtu", "65521" },
	{ "--mtu", "1500 " },
	{ "--mtu", " 1500" },
	{ "--mtu", "+1500" },
	{ "--mtu", "0x5dc" },
	{ "--mtu", "" },
	{ "--address", "127.0.0.1" },
	{ "--address", "0.0.0.0" },
	{ "--address", "0.1.2.3" },
	{ "--address", "224.0.0.1" },
	{ "--address", "255.255.255.255" },
	{ "--address", "::1" },
	{ "--address", "::" },
	{ "--address", "ff02::1" },
	{ "--address", "fe80::1" },
	{ "--address", "2001:db8::" },
	{ "--address", "2001:db8::1/129" },
	{ "--address", "2001:db8::1%eth0" },
	{ "--address", "192.0.2.1/64" },
	{ "--address", "192.0.2.1/33" },
	{ "--address", "192.0.2.1/" },
	{ "--address", "192.0.2.1/-1" },
	{ "--address", "192.0.2.1/24/24" },
	{ "--address", "192.0.2" },
	{ "--address", "/24" },
	{ "--address", "example.org" },
	{ "--address",
	  "1111111111111111111111111111111111111111111111111111111111111111111111/1" },
	{ "--netmask", "33" },
	{ "--netmask", "255.0.255.0" },
	{ "--netmask", "0.0.0.255" },
	{ "--netmask", "x" },
	{ "--mac-addr", "52:54:00:12:34" },
	{ "--mac-addr", "52:54:00:12:34:5g" },
	{ "--mac-addr", "52:54:00:12:34:56:78" },
	{ "--mac-addr", "ff:ff:ff:ff:ff:ff" },
	{ "--mac-addr", "01:00:5e:00:00:01" },
	{ "--gateway", "127.0.0.1" },
	{ "--gateway", "none" },
	{ "--interface", "" },
	{ "--interface", "a-name-that-is-too-long" },
	{ "--outbound", "0.0.0.0" },
	{ "--outbound", "::" },
	{ "--outbound", "ff02::1" },
	{ "--private", "10.0.2.0" },
	{ "--private", "10.0.2.0/28" },
	{ "--private", "10.0.0.0/7" },
	{ "--private", "10.0.2.1/24" },
	{ "--private", "127.0.0.0/8" },
	{ "--private", "" },
	{ "--private", "fd00::/24" },
	{ "--private6", "" },
	{ "--private6", "fd00::" },
	{ "--private6", "fd00::/63" },
	{ "--private6", "fd00::1/64" },
	{ "--private6", "fe80::/64" },
	{ "--private6", "::/64" },
	{ "--private6", "ff00::/64" },
	{ "--private6", "10.0.2.0/24" },
	{ "--gateway", "::1" },
	{ "--ntp", "::1" },
	{ "--hostname", "two words" },
	{ "--runas", "" },
	{ "--runas", "0" },
	{ "--runas", "root" },
	{ "--runas", "1000:0" },
	{ "--runas", "1000:root" },
	{ "--runas", "1000:" },
	{ "--runas", ":5" },
	{ "--runas", "-1" },
	{ "--runas", "4294967295" },
	{ "--runas", "no-such-login" },
	{ "--runas", "daemon:no-such-group" },
	{ "--stats", "0" },
	{ "--fqdn", ".example.org" },
	{ "--fqdn", "a..b" },
	{ "--dns", "127.0.0.53" },
	{ "--dns", "" },
	{ "--dns-forward", "127.0.0.1" },
	{ "--dns-host", "0.0.0.0" },
	{ "--dns-host", "::" },
	{ "--dns-host", "ff02::fb" },
	{ "--dns-filter-aaaa", "" },
	{ "--dns-filter-aaaa", "yes" },
	{ "--sandbox", "" },
	{ "--sandbox", "stric" },
	{ "--dns-record", "name" },
	{ "--dns-record", "=192.0.2.1" },
	{ "--dns-record", "name=" },
	{ "--dns-record", "name=other" },
	{ "--dns-record", "na me=192.0.2.1" },
	{ "--search", "" },
	{ "--search", " " },
	{ "--search", "exa$mple" },
	{ "--map-host-loopback", "127.0.0.1" },
	{ "--map-host-loopback", "::1" },
	{ "--map-guest-addr", "224.0.0.1" },
	{ "--map-guest-addr", "ff02::1" },
	{ "--udp-timeout", "0" },
	{ "--udp-timeout", "31536001" },
	{ "--tcp-connect-timeout", "31536001" },
	{ "--max-flows", "0" },
	{ "--max-flows", "1048577" },
};

START_TEST(bad_values)
{
	char whole[512], quoted[256];

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(whole, sizeof(whole), "%s=%s", refused[i].option, refused[i].value);
		snprintf(quoted, sizeof(quoted), "%s '%s'", refused[i].option,
			 refused[i].value);
		ck_assert_msg(PARSE("-f", whole) < 0, "%s is taken", whole);
		ck_assert_msg(strstr(reason, quoted), "%s: %s", whole, reason);
		ck_assert_ptr_null(strchr(reason, '\n'));
	}
}
END_TEST

START_TEST(long_values)
{
	static char name[70000];

	memset(name, 'a', sizeof(name) - 1);
	for (unsigned i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		char option[64];

		snprintf(option, sizeof(option), "--%s", row->name);
		/* a path may be as long as it likes until it is opened */
		if (row->argument && *row->argument != '[' && strcmp(row->argument, "PATH") &&
		    strcmp(row->argument, "SPEC"))
			ck_assert_msg(PARSE(option, name) < 0, "%s takes 70000 bytes", option);
	}
	name[63] = '\0';
	ck_assert_int_eq(PARSE("--hostname", name), OPTIONS_RUN);
	name[63] = 'a';
	name[64] = '\0';
	ck_assert_int_lt(PARSE("--hostname", name), 0);
}
END_TEST

/* What is no option of ours. */
#define REFUSED(why, ...)                                                                      \
	do {                                                                                   \
		ck_assert_int_eq(PARSE(__VA_ARGS__), OPTIONS_USAGE);                           \
		ck_assert_str_eq(reason, why);                                                 \
	} while (0)

START_TEST(mistakes)
{
	REFUSED("unknown option '--nonsense'", "--nonsense");
	REFUSED("unknown option '-Z'", "-q", "-Zf");
	REFUSED("option '-s' needs a value", "-fs");
	REFUSED("option '--control' needs a value", "--control");
	REFUSED("option '--quiet' takes no value", "--quiet=yes");
	REFUSED("unexpected argument 'stray'", "stray", "-f");
	REFUSED("unexpected argument '-q'", "-f", "--", "-q");
	REFUSED("unexpected argument ''", "");
	REFUSED("unknown option '--config-net'", "--config-net"); /* of pasta */
	REFUSED("unknown option '-T'", "-T", "22");
}
END_TEST

START_TEST(abbreviations)
{
	ck_assert_int_eq(PARSE("--sock", "/run/x", "--foregr", "--no-dhcpv", "--tcp-p=22"), OPTIONS_RUN);
	ck_assert_str_eq(conf.socket_path, "/run/x");
	ck_assert(conf.foreground && conf.no_dhcp6 && conf.n_tcp_forwards == 1);
	ck_assert_int_eq(PARSE("--no-dhcp"), OPTIONS_RUN); /* whole, though others begin so */
	ck_assert(conf.no_dhcp && !conf.no_dhcp6);
	REFUSED("ambiguous option '--no-d'", "--no-d");
	REFUSED("ambiguous option '--log=x'", "--log=x");
	REFUSED("ambiguous option '--mi'", "--mi"); /* of two that are refused */
}
END_TEST

START_TEST(refused_with_a_reason)
{
	static const char *const without[] = { "--vhost-user", "--print-capabilities", "--migrate-exit",
					       "--migrate-no-linger" };
	static const char *const with[] = { "--repair-path", "--conf-path", "-c" };

	for (unsigned i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		ck_assert_int_eq(PARSE(without[i], "--fd", "3"), OPTIONS_USAGE);
		ck_assert_ptr_nonnull(strstr(reason, "is refused: "));
	}
	for (unsigned i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		ck_assert_int_eq(PARSE(with[i], "/run/x"), OPTIONS_USAGE);
		ck_assert_ptr_nonnull(strstr(reason, "is refused: "));
	}
	REFUSED("option '--repair-path' needs a value", "--repair-path");
	REFUSED("option '--vhost-user' takes no value", "--vhost-user=x");
}
END_TEST

/* What passt has, and what means as much here as there. */
START_TEST(options_of_passt)
{
	ck_assert_int_eq(PARSE("-q", "--trace", "-e", "--stats", "5", "--freebind",
			       "--chroot-fallback"),
			 OPTIONS_RUN);
	ck_assert(conf.debug && !conf.quiet && conf.wants_stderr && conf.freebind);
	ck_assert_uint_eq(conf.stats_s, 5);
	ck_assert_int_eq(PARSE("-d", "-q", "-H", "vm", "-H", "", "--fqdn", ""), OPTIONS_RUN);
	ck_assert(conf.quiet && !conf.debug && !conf.wants_stderr && !conf.freebind);
	ck_assert_ptr_null(conf.hostname);
	ck_assert_ptr_null(conf.fqdn);
}
END_TEST

START_TEST(users)
{
	const struct {
		const char *text;
		unsigned uid, gid;
	} named[] = { { "1000", 1000, 1000 },
		      { "1000:5", 1000, 5 },
		      { "daemon", 1, 1 },
		      { "daemon:nogroup", 1, 65534 },
		      { "1000:daemon", 1000, 1 } };

	ck_assert_int_eq(PARSE("-f"), OPTIONS_RUN);
	ck_assert(!conf.runas);
	for (unsigned i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		ck_assert_int_eq(PARSE("--runas", named[i].text), OPTIONS_RUN);
		ck_assert(conf.runas);
		ck_assert_uint_eq(conf.uid, named[i].uid);
		ck_assert_uint_eq(conf.gid, named[i].gid);
	}
}
END_TEST

START_TEST(combinations)
{
	ck_assert_int_lt(PARSE("-a", "192.0.2.1/24", "-n", "24"), 0);
	ck_assert_str_eq(reason,
			 "--address '192.0.2.1/24' and --netmask '24' exclude each other");
	ck_assert_int_lt(PARSE("-s", "/run/x", "-F", "3"), 0);
	ck_assert_int_lt(PARSE("-s", "/run/x", "--control", "/run/x"), 0);
	ck_assert_str_eq(reason, "path '/run/x' is given for two things");
	ck_assert_int_lt(PARSE("-p", "/run/x", "-P", "/run/x"), 0);
	ck_assert_int_lt(PARSE("--private", "-n", "24"), 0);
	ck_assert_int_lt(PARSE("-a", "192.0.2.0/24"), 0);
	ck_assert_int_lt(PARSE("-a", "192.0.2.255/24"), 0);
	ck_assert_int_eq(PARSE("-a", "192.0.2.0/31"), OPTIONS_RUN);
	ck_assert_int_eq(PARSE("-a", "192.0.2.255/32"), OPTIONS_RUN);
	ck_assert_int_eq(PARSE("-a", "192.0.2.255/16"), OPTIONS_RUN);
	ck_assert_int_lt(PARSE("-a", "192.0.2.1", "-g", "192.0.2.1"), 0);
	ck_assert_str_eq(reason, "--gateway '192.0.2.1' is the guest's own address");
	ck_assert_int_lt(PARSE("-a", "192.0.2.1", "--map-host-loopback", "192.0.2.1"), 0);
	ck_assert_int_lt(PARSE("-a", "192.0.2.1", "--map-guest-addr", "192.0.2.1"), 0);
	ck_assert_int_lt(PARSE("-a", "192.0.2.1", "--dns-forward", "192.0.2.1"), 0);
	ck_assert_int_lt(PARSE("-a", "2001:db8::1", "-g", "2001:db8::1"), 0);
	ck_assert_str_eq(reason, "--gateway '2001:db8::1' is the guest's own address");
	ck_assert_int_lt(PARSE("-a", "2001:db8::1", "--map-host-loopback", "2001:db8::1"), 0);
	ck_assert_int_lt(PARSE("-a", "2001:db8::1", "--map-guest-addr", "2001:db8::1"), 0);
	ck_assert_int_lt(PARSE("-a", "2001:db8::1", "--dns-forward", "2001:db8::1"), 0);
	ck_assert_int_eq(PARSE("-a", "2001:db8::1/56", "-n", "24"), OPTIONS_RUN);
	ck_assert_int_lt(PARSE("-6", "-m", "1279"), 0);
	ck_assert_str_eq(reason, "--mtu '1279' is too small for --ipv6-only");
	ck_assert_int_eq(PARSE("-6", "-m", "1280"), OPTIONS_RUN);
	ck_assert_int_eq(PARSE("-6", "-m", "0"), OPTIONS_RUN);
	ck_assert_int_eq(PARSE("-m", "1279"), OPTIONS_RUN);
	ck_assert_int_lt(PARSE("--no-dns-relay", "--dns-forward", "192.0.2.1"), 0);
	ck_assert_int_lt(PARSE("--no-dns-relay", "--dns-forward", "2001:db8::1"), 0);
	ck_assert_str_eq(reason,
			 "--dns-forward '2001:db8::1' needs what --no-dns-relay switches off");
	ck_assert_int_lt(PARSE("--no-dns-relay", "--dns-host", "192.0.2.1"), 0);
	ck_assert_int_lt(PARSE("--no-dns-relay", "--dns-record", "a=192.0.2.1"), 0);
	conf_free(&conf);
}
END_TEST

/* The text has a line for each row, within the width of a terminal. */
START_TEST(help_is_whole)
{
	char *text = NULL, *line, *rest;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	options_print_help(out);
	fclose(out);
	for (unsigned i = 0; i < n_option_rows; i++) {
		char name[64];

		snprintf(name, sizeof(name), "--%s", option_rows[i].name);
		ck_assert_msg(strstr(text, name), "no %s in the help", name);
		if (option_rows[i].initial)
			ck_assert_ptr_nonnull(strstr(text, option_rows[i].initial));
	}
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		ck_assert_msg(strlen(line) <= 80, "too long: %s", line);
		if (*line)
			ck_assert_msg(line[strlen(line) - 1] != ' ', "space at the end: %s",
				      line);
	}
	free(text);
}
END_TEST

START_TEST(rates)
{
	ck_assert_int_eq(PARSE("--rate-out", "10M/256Ki", "--rate-in", "1500k"), OPTIONS_RUN);
	ck_assert_uint_eq(conf.rate_out.bytes, 10000000);
	ck_assert_uint_eq(conf.rate_out.burst, 256 << 10);
	ck_assert_uint_eq(conf.rate_in.bytes, 1500000);
	ck_assert_uint_eq(conf.rate_in.burst, 150000);
	ck_assert_int_eq(PARSE("--rate-in", "1Mi", "--rate-out", "0"), OPTIONS_RUN);
	ck_assert_uint_eq(conf.rate_in.bytes, 1 << 20);
	ck_assert_uint_eq(conf.rate_out.bytes, 0);
	ck_assert_int_eq(PARSE("--rate-in", "999"), -EINVAL);
	ck_assert_int_eq(PARSE("--rate-in", "1M/"), -EINVAL);
	ck_assert_int_eq(PARSE("--rate-in", "1M/0"), -EINVAL);
	ck_assert_int_eq(PARSE("--rate-in", "1MB"), -EINVAL);
	ck_assert_int_eq(PARSE("--rate-in", "11G"), -EINVAL);
	ck_assert_int_eq(PARSE("--rate-in", "4000000000Gi"), -EINVAL);
}
END_TEST

SUITE_MAIN("options", rates, defaults, both_families, one_family, timeouts_and_limits, rows_are_sound, as_libvirt_calls,
	   as_qemu_calls, short_names, information, last_one_wins, filter, sandbox, lists_grow, lists_end,
	   private_layout, multicast, bad_values, long_values, mistakes, abbreviations,
	   refused_with_a_reason, options_of_passt, users, combinations, help_is_whole)
