/* The host's network as the kernel tells it, in a network namespace of the test's own. */
#include "host/netinfo.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/own_net.h"
#include "lib/suite.h"

static struct netinfo_ip info;

static void setup(void)
{
	IP("link add eth0 type veth peer name peer0");
	IP("link add eth1 type veth peer name peer1");
	IP("link set lo up");
	IP("link set peer0 up");
	IP("link set peer1 up");
	IP("link set eth0 up");
	IP("link set eth1 up");
}

static void teardown(void)
{
	IP("link del eth0");
	IP("link del eth1");
}

/* "INTERFACE ADDRESS/LENGTH GATEWAY", "-" for what there is not, "link" for a route without gateway. */
static const char *read_family(bool ip6, const char *interface)
{
	static char text[256];
	char address[ADDR_STR_MAX] = "-", gateway[ADDR_STR_MAX] = "-";

	ck_assert_int_eq(netinfo_read(ip6, interface, &info), 0);
	if (info.has_address)
		addr_print(&info.address, address);
	if (info.has_route)
		strcpy(gateway, "link");
	if (info.has_gateway)
		addr_print(&info.gateway, gateway);
	snprintf(text, sizeof(text), "%s %s/%u %s", info.interface, address, info.prefix_len,
		 gateway);
	return text;
}

static const char *read_info(const char *interface)
{
	return read_family(false, interface);
}

static const char *read_info6(const char *interface)
{
	return read_family(true, interface);
}

START_TEST(nothing_there)
{
	setup();
	ck_assert_str_eq(read_info(NULL), " -/0 -");
	IP("addr add 192.0.2.7/24 dev eth0"); /* an address alone leads nowhere */
	ck_assert_str_eq(read_info(NULL), " -/0 -");
	ck_assert_str_eq(read_info("eth0"), "eth0 192.0.2.7/24 -");
	ck_assert_str_eq(read_info("eth1"), "eth1 -/0 -");
	ck_assert_int_eq(netinfo_read(false, "eth9", &info), -ENODEV);
	teardown();
}
END_TEST

START_TEST(usual)
{
	setup();
	IP("addr add 192.0.2.7/24 dev eth0");
	IP("addr add 198.51.100.7/25 dev eth1");
	IP("route add default via 192.0.2.1");
	ck_assert_str_eq(read_info(NULL), "eth0 192.0.2.7/24 192.0.2.1");
	ck_assert_str_eq(read_info("eth0"), "eth0 192.0.2.7/24 192.0.2.1");
	ck_assert_str_eq(read_info("eth1"), "eth1 198.51.100.7/25 -");
	teardown();
}
END_TEST

/* The kernel passes over a route whose link is down only if told to, but it leads nowhere. */
START_TEST(link_down)
{
	setup();
	IP("addr add 192.0.2.7/24 dev eth0");
	IP("addr add 198.51.100.7/25 dev eth1");
	IP("route add default via 192.0.2.1 metric 100");
	IP("route add default via 198.51.100.1 metric 600");
	ck_assert_str_eq(read_info(NULL), "eth0 192.0.2.7/24 192.0.2.1");
	IP("link set peer0 down");
	ck_assert_str_eq(read_info(NULL), "eth1 198.51.100.7/25 198.51.100.1");
	teardown();
}
END_TEST

START_TEST(lowest_metric)
{
	setup();
	IP("addr add 192.0.2.7/24 dev eth0");
	IP("addr add 198.51.100.7/25 dev eth1");
	IP("route add default via 192.0.2.1 metric 600");
	IP("route add default via 198.51.100.1 metric 100");
	ck_assert_str_eq(read_info(NULL), "eth1 198.51.100.7/25 198.51.100.1");
	ck_assert_str_eq(read_info("eth0"), "eth0 192.0.2.7/24 192.0.2.1");
	IP("route add default via 192.0.2.2"); /* none is 0 */
	ck_assert_str_eq(read_info(NULL), "eth0 192.0.2.7/24 192.0.2.2");
	teardown();
}
END_TEST

START_TEST(several_addresses)
{
	setup();
	IP("addr add 169.254.7.7/16 dev eth0 scope link");
	IP("addr add 192.0.2.7/24 dev eth0");
	IP("addr add 192.0.2.8/24 dev eth0");
	IP("route add default via 192.0.2.1");
	ck_assert_str_eq(read_info(NULL), "eth0 192.0.2.7/24 192.0.2.1");
	IP("route replace default via 192.0.2.1 src 192.0.2.8");
	ck_assert_str_eq(read_info(NULL), "eth0 192.0.2.8/24 192.0.2.1");
	teardown();
}
END_TEST

START_TEST(multipath)
{
	setup();
	IP("addr add 192.0.2.7/24 dev eth0");
	IP("addr add 198.51.100.7/25 dev eth1");
	IP("route add default nexthop via 198.51.100.1 nexthop via 192.0.2.1");
	ck_assert_str_eq(read_info(NULL), "eth1 198.51.100.7/25 198.51.100.1");
	teardown();
}
END_TEST

/* As on many point-to-point interfaces. */
START_TEST(no_gateway)
{
	setup();
	IP("addr add 192.0.2.7/32 dev eth0");
	IP("route add default dev eth0");
	ck_assert_str_eq(read_info(NULL), "eth0 192.0.2.7/32 link");
	teardown();
}
END_TEST

START_TEST(other_routes_do_not_count)
{
	setup();
	IP("addr add 192.0.2.7/24 dev eth0");
	IP("route add default via 192.0.2.1 table 100");
	IP("route add blackhole default metric 1");
	IP("route add 0.0.0.0/1 via 192.0.2.1");
	ck_assert_str_eq(read_info(NULL), " -/0 -");
	IP("route del blackhole default");
	teardown();
}
END_TEST

START_TEST(usual6)
{
	setup();
	ck_assert_str_eq(read_info6(NULL), " -/0 -");
	IP("addr add 2001:db8::7/64 dev eth0 nodad");
	ck_assert_str_eq(read_info6(NULL), " -/0 -");
	ck_assert_str_eq(read_info6("eth0"), "eth0 2001:db8::7/64 -");
	IP("-6 route add default via fe80::1 dev eth0");
	ck_assert_str_eq(read_info6(NULL), "eth0 2001:db8::7/64 fe80::1");
	ck_assert_str_eq(read_info(NULL), " -/0 -");
	IP("-6 route add default dev eth1 metric 10");
	ck_assert_str_eq(read_info6(NULL), "eth1 -/0 link");
	ck_assert_str_eq(read_info6("eth0"), "eth0 2001:db8::7/64 fe80::1");
	teardown();
}
END_TEST

/* Of many the one that is there to stay and known everywhere. */
START_TEST(several_addresses6)
{
	setup();
	IP("-6 route add default via fe80::1 dev eth0");
	ck_assert_str_eq(read_info6(NULL), "eth0 -/0 fe80::1"); /* link-local is not enough */
	IP("addr add 2001:db8::1/64 dev eth0 nodad preferred_lft 0 valid_lft 1000");
	ck_assert_str_eq(read_info6(NULL), "eth0 -/0 fe80::1"); /* nor is a deprecated one */
	IP("addr add fd00::2/64 dev eth0 nodad");
	ck_assert_str_eq(read_info6(NULL), "eth0 fd00::2/64 fe80::1");
	IP("addr add 2001:db8::3/128 dev eth0 nodad");
	ck_assert_str_eq(read_info6(NULL), "eth0 2001:db8::3/128 fe80::1");
	IP("addr add 2001:db8::4/64 dev eth0 nodad");
	ck_assert_str_eq(read_info6(NULL), "eth0 2001:db8::4/64 fe80::1");
	IP("-6 route replace default via fe80::1 dev eth0 src fd00::2");
	ck_assert_str_eq(read_info6(NULL), "eth0 fd00::2/64 fe80::1");
	teardown();
}
END_TEST

START_TEST(tentative6)
{
	setup();
	IP("-6 route add default via fe80::1 dev eth0");
	IP("addr add 2001:db8::5/64 dev eth0");
	if (!own_net_ip("-6 addr show dev eth0 tentative | grep -q 2001:db8::5"))
		ck_assert_str_eq(read_info6(NULL), "eth0 -/0 fe80::1");
	teardown();
}
END_TEST

START_TEST(other_routes_do_not_count6)
{
	setup();
	IP("addr add 2001:db8::7/64 dev eth0 nodad");
	IP("-6 route add default via fe80::1 dev eth0 table 100");
	IP("-6 route add unreachable default metric 1");
	IP("-6 route add ::/1 via fe80::1 dev eth0");
	ck_assert_str_eq(read_info6(NULL), " -/0 -");
	IP("-6 route del unreachable default metric 1");
	teardown();
}
END_TEST

SUITE_MAIN_AFTER(own_net_enter, "netinfo", nothing_there, usual, link_down, lowest_metric, several_addresses,
		 multipath, no_gateway, other_routes_do_not_count, usual6, several_addresses6, tentative6,
		 other_routes_do_not_count6)
