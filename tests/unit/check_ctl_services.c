/* What the control protocol shows and changes of forwards, and shows of leases and DNS. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/ctl_talk.h"
#include "lib/fake_dns.h"
#include "lib/fake_forwards.h"
#include "lib/packets.h"
#include "lib/suite.h"
#include "proto/dhcp4.h"
#include "proto/dhcp6.h"
#include "proto/forward.h"

static void start_forwards(void)
{
	talk_start_negotiated();
	fake_forwards_open(&talk_guest.env);
}

static void stop_forwards(void)
{
	fake_forwards_close(&talk_guest.env);
	talk_stop();
}

static const char *forward(const char *verb, const char *arguments)
{
	char request[512];

	snprintf(request, sizeof(request), "{\"execute\": \"forward-%s\", \"arguments\": {%s}}",
		 verb, arguments);
	return talk_say(request);
}

static void assert_refused(const char *verb, const char *arguments, const char *desc)
{
	unsigned n = fake_forwards_n_open;

	talk_assert_contains(forward(verb, arguments), desc);
	talk_assert_contains(talk_taken, "{\"error\": {\"class\":\"GenericError\"");
	ck_assert_uint_eq(fake_forwards_n_open, n);
}

START_TEST(forward_add)
{
	start_forwards();
	ck_assert_str_eq(talk_say("{\"execute\": \"query-forwards\"}"), "{\"return\": []}\r\n");
	ck_assert_str_eq(
		forward("add",
			"\"proto\": \"tcp\", \"spec\": \"192.0.2.1%eth0/22-25:122-125\""),
		"{\"return\": [{\"id\":1,\"proto\":\"tcp\",\"host_addr\":\"192.0.2.1\","
		"\"interface\":\"eth0\",\"host_port\":22,\"host_port_last\":25,"
		"\"guest_port\":122,\"guest_port_last\":125,\"best_effort\":false,"
		"\"open_ports\":4,\"failed_ports\":0,\"clients\":0,\"refused\":0}]}\r\n");
	ck_assert_uint_eq(fake_forwards_n_open, 4);
	/* the kernel picks; the answer says which */
	talk_assert_contains(forward("add", "\"proto\": \"udp\", \"spec\": \"0:53\""),
			     "{\"id\":2,\"proto\":\"udp\","
			     "\"host_port\":40000,\"host_port_last\":40000,\"guest_port\":53,");
	/* several rules at once, told apart from those before */
	forward("add", "\"proto\": \"tcp\", \"spec\": \"*/1000:1,2000:10.0.2.15/2\"");
	ck_assert_uint_eq(talk_count(talk_taken, "\"id\":"), 2);
	talk_assert_contains(talk_taken, "\"id\":3,");
	talk_assert_contains(talk_taken, "\"guest_addr\":\"10.0.2.15\",\"guest_port\":2,");
	talk_say("{\"execute\": \"query-forwards\"}");
	ck_assert_uint_eq(talk_count(talk_taken, "\"id\":"), 4);
	stop_forwards();
}
END_TEST

/* One address of a family each, or none of them: every one of both. */
START_TEST(forward_families)
{
	start_forwards();
	talk_assert_contains(forward("add", "\"proto\": \"tcp\", \"spec\": \"::/22\""),
			     "\"host_addr\":\"::\",\"host_port\":22,");
	talk_assert_contains(forward("add", "\"proto\": \"tcp\", \"spec\": \"0.0.0.0/22\""),
			     "\"host_addr\":\"0.0.0.0\",\"host_port\":22,");
	talk_assert_contains(forward("add", "\"proto\": \"tcp\", \"spec\": "
					    "\"[2001:db8::1]%eth0/23:[2001:db8:2::9]\""),
			     "\"host_addr\":\"2001:db8::1\",\"interface\":\"eth0\","
			     "\"host_port\":23,\"host_port_last\":23,"
			     "\"guest_addr\":\"2001:db8:2::9\",");
	forward("add", "\"proto\": \"tcp\", \"spec\": \"*%eth0/24\"");
	ck_assert_uint_eq(talk_count(talk_taken, "host_addr"), 0);
	talk_assert_contains(talk_taken, "\"proto\":\"tcp\",\"interface\":\"eth0\",");
	stop_forwards();
}
END_TEST

#define TAKEN "\"host_port\":80,\"errno\":98,\"errname\":\"EADDRINUSE\""

/* The port of a range that cannot be had is told to programs, too; and to those who listen. */
START_TEST(forward_errors)
{
	start_forwards();
	talk_assert_contains(forward("add", "\"proto\": \"tcp\", \"spec\": \"79-81\""),
			     "{\"error\": {\"class\":\"GenericError\","
			     "\"desc\":\"TCP *:80: Address already in use\","
			     "\"data\":{\"proto\":\"tcp\"," TAKEN "}}}\r\n");
	talk_assert_contains(talk_taken,
			     "\"FORWARD_FAILED\", \"data\": {\"proto\":\"tcp\"," TAKEN ","
			     "\"reason\":\"Address already in use\",\"count\":1}}\r\n");
	talk_assert_contains(forward("set", "\"proto\": \"udp\", \"specs\": "
					    "[\"53\", \"192.0.2.1%eth0/80\"]"),
			     "\"data\":{\"proto\":\"udp\",\"host_addr\":\"192.0.2.1\","
			     "\"interface\":\"eth0\"," TAKEN "}}");
	/* nothing but ports has such */
	ck_assert_ptr_null(
		strstr(forward("add", "\"proto\": \"tcp\", \"spec\": \"x\""), "data"));
	forward("add", "\"proto\": \"tcp\", \"spec\": \"22\"");
	talk_assert_contains(
		forward("add", "\"proto\": \"tcp\", \"spec\": \"20-25:1020-1025\""),
		"\"host_port\":22,\"errno\":98,\"errname\":\"EADDRINUSE\"}}}");
	fake_guest_advance(&talk_guest, 3 * NS_PER_SEC);
	talk_assert_contains(talk_say("{\"execute\": \"query-status\"}"),
			     "\"forwards\":{\"rules\":1,\"open_ports\":1,\"failed_ports\":0,"
			     "\"last_error\":{\"proto\":\"tcp\",\"host_port\":22,\"errno\":98,"
			     "\"errname\":\"EADDRINUSE\",\"reason\":\"Address already in use\","
			     "\"age_ms\":3000}}");
	stop_forwards();
}
END_TEST

START_TEST(forward_add_refusals)
{
	start_forwards();
	assert_refused("add", "\"proto\": \"tcp\", \"spec\": \"79-80\"",
		       "TCP *:80: Address already");
	assert_refused("add", "\"proto\": \"tcp\", \"spec\": \"x\"", "'x'");
	assert_refused("add", "\"proto\": \"icmp\", \"spec\": \"1\"",
		       "argument 'proto' must be one of: tcp, udp");
	assert_refused("add", "\"spec\": \"1\"", "argument 'proto' is missing");
	assert_refused("add", "\"proto\": \"tcp\"", "argument 'spec' is missing");
	assert_refused("add", "\"proto\": \"tcp\", \"spec\": \"1\", \"x\": 1",
		       "argument 'x' is not known");
	ck_assert_str_eq(forward("add", "\"proto\": \"tcp\", \"spec\": \"none\""),
			 "{\"return\": []}\r\n");
	stop_forwards();
}
END_TEST

START_TEST(forward_best_effort)
{
	start_forwards();
	talk_assert_contains(forward("add", "\"proto\": \"tcp\", \"spec\": \"~81-65535\""),
			     "\"best_effort\":true,\"open_ports\":79,\"failed_ports\":1,"
			     "\"failed_port\":80,\"failed_reason\":\"Address already in use\","
			     "\"failed_errno\":98,\"failed_errname\":\"EADDRINUSE\"");
	talk_assert_contains(talk_taken, "\"FORWARD_FAILED\", \"data\": {\"id\":1,"
					   "\"proto\":\"tcp\"," TAKEN ",\"reason\":");
	talk_assert_contains(talk_say("{\"execute\": \"query-status\"}"),
			     "\"forwards\":{\"rules\":1,\"open_ports\":79,\"failed_ports\":1,"
			     "\"last_error\":{\"proto\":\"tcp\"," TAKEN);
	stop_forwards();
}
END_TEST

/* Those of one protocol, and the answer has no others. */
START_TEST(forward_set)
{
	start_forwards();
	forward("add", "\"proto\": \"udp\", \"spec\": \"53\"");
	forward("add", "\"proto\": \"tcp\", \"spec\": \"22,23\"");
	forward("set", "\"proto\": \"tcp\", \"specs\": [\"23\", \"24\"]");
	ck_assert_uint_eq(talk_count(talk_taken, "\"id\":"), 2);
	talk_assert_contains(talk_taken, "{\"id\":3,\"proto\":\"tcp\",\"host_port\":23,");
	talk_assert_contains(talk_taken, "{\"id\":4,\"proto\":\"tcp\",\"host_port\":24,");
	/* all or nothing */
	assert_refused("set", "\"proto\": \"tcp\", \"specs\": [\"25\", \"80\"]", "TCP *:80: Address already");
	assert_refused("set", "\"proto\": \"tcp\", \"specs\": [\"25\", \"x\"]", "'x'");
	talk_say("{\"execute\": \"query-forwards\"}");
	ck_assert_uint_eq(talk_count(talk_taken, "\"id\":"), 3);
	ck_assert_str_eq(forward("set", "\"proto\": \"tcp\", \"specs\": []"), "{\"return\": []}\r\n");
	ck_assert_uint_eq(fake_forwards_n_open, 1);
	stop_forwards();
}
END_TEST

START_TEST(forward_remove)
{
	start_forwards();
	forward("add", "\"proto\": \"tcp\", \"spec\": \"22:122\"");
	forward("add", "\"proto\": \"tcp\", \"spec\": \"23,24:124\"");
	ck_assert_uint_eq(fake_forwards_n_open, 3);
	ck_assert_str_eq(forward("remove", "\"id\": 1"), "{\"return\": {}}\r\n");
	ck_assert_uint_eq(fake_forwards_n_open, 2);
	assert_refused("remove", "\"id\": 1", "there is no forward 1");
	assert_refused("remove", "", "either 'id', or 'proto' and 'spec' must be given");
	assert_refused("remove", "\"proto\": \"tcp\"", "either 'id', or");
	assert_refused("remove", "\"proto\": \"tcp\", \"spec\": \"23\", \"id\": 2",
		       "either 'id', or");
	/* all or nothing, and only the same */
	assert_refused("remove", "\"proto\": \"tcp\", \"spec\": \"23,25\"",
		       "there is no forward TCP *:25");
	assert_refused("remove", "\"proto\": \"udp\", \"spec\": \"23\"",
		       "there is no forward UDP");
	assert_refused("remove", "\"proto\": \"tcp\", \"spec\": \"24\"",
		       "there is no forward TCP");
	assert_refused("remove", "\"proto\": \"tcp\", \"spec\": \"x\"", "'x'");
	ck_assert_str_eq(forward("remove", "\"proto\": \"tcp\", \"spec\": \"24:124,23\""),
			 "{\"return\": {}}\r\n");
	ck_assert_uint_eq(fake_forwards_n_open, 0);
	stop_forwards();
}
END_TEST

/* Leases */

#define COOKIE "\x63\x82\x53\x63"

/* A DHCPREQUEST for 10.0.2.15, or a DHCPRELEASE of it. */
static void dhcp_message(uint8_t type)
{
	static const char options[] = "\x3d\x03\x01\xab\xcd" /* client identifier */
				      "\x0c\x03vm1";	     /* host name */
	uint8_t m[300] = { 1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78 }, *p = m + 240;
	static struct packet packet;

	if (type == 7)
		memcpy(m + 12, "\x0a\x00\x02\x0f", 4);
	memcpy(m + 28, fake_guest_mac.b, MAC_LEN);
	memcpy(m + 236, COOKIE, 4);
	memcpy(p, (uint8_t[]){ 53, 1, type }, 3);
	p += 3;
	if (type == 3) {
		memcpy(p, "\x32\x04\x0a\x00\x02\x0f", 6);
		p += 6;
	}
	memcpy(p, options, sizeof(options) - 1);
	p[sizeof(options) - 1] = 255;
	packet_udp(&packet, &(struct packet_ip){ 0 }, 68, 67, m, sizeof(m));
	ck_assert_int_eq(dhcp4_from_guest(&talk_guest.env, &packet.pkt), DROP_NONE);
}

#define NO_EVENTS "{\"execute\": \"events-subscribe\", \"arguments\": {\"events\": []}}"

START_TEST(leases)
{
	static const char query[] = "{\"execute\": \"query-leases\"}",
			  none[] = "{\"return\": []}\r\n";

	talk_start_negotiated();
	talk_say(NO_EVENTS);
	ck_assert_str_eq(talk_say(query), none); /* DHCP is off */
	talk_guest.env.dhcp4 = dhcp4_new(&talk_guest.env);
	ck_assert_str_eq(talk_say(query), none);
	dhcp_message(3);
	fake_guest_advance(&talk_guest, 400 * NS_PER_SEC);
	ck_assert_str_eq(
		talk_say(query),
		"{\"return\": [{\"address\":\"10.0.2.15\",\"mac\":\"52:54:00:12:34:56\","
		"\"client_id\":\"01:ab:cd\",\"hostname\":\"vm1\",\"state\":\"bound\","
		"\"age_ms\":400000,\"granted_ms\":400000,\"renew_ms\":42800000,"
		"\"rebind_ms\":75200000,\"expires_ms\":86000000,\"grants\":1}]}\r\n");
	dhcp_message(3); /* the lease is as old as before, and granted anew */
	talk_assert_contains(talk_say(query), "\"age_ms\":400000,\"granted_ms\":0,");
	talk_assert_contains(talk_taken, "\"expires_ms\":86400000,\"grants\":2}");
	fake_guest_advance(&talk_guest, 80400 * NS_PER_SEC);
	talk_assert_contains(talk_say(query), "\"state\":\"rebinding\"");
	talk_assert_contains(talk_taken,
			     "\"renew_ms\":0,\"rebind_ms\":0,\"expires_ms\":6000000,");
	dhcp_message(7);
	ck_assert_str_eq(talk_say(query), none);
	/* nor is there any once it has run out */
	dhcp_message(3);
	fake_guest_advance(&talk_guest, 86399 * NS_PER_SEC);
	talk_assert_contains(talk_say(query), "\"expires_ms\":1000,");
	fake_guest_advance(&talk_guest, NS_PER_SEC);
	ck_assert_str_eq(talk_say(query), none);
	talk_assert_contains(talk_say("{\"execute\": \"query-status\"}"), "\"leases\":[],");
	dhcp4_free(talk_guest.env.dhcp4);
	talk_stop();
}
END_TEST

/* A DHCPv6 Solicit with Rapid Commit, IAID 0xfffffffe. */
static void dhcp6_message(void)
{
	static const uint8_t m[] = "\x01\x10\x08\x74"
				   "\x00\x01\x00\x04\x00\x03\xab\xcd"
				   "\x00\x0e\x00\x00"
				   "\x00\x03\x00\x0c\xff\xff\xff\xfe\0\0\0\0\0\0\0";
	static struct packet packet;
	struct packet_ip6 ip = { .src = addr_of("fe80::1"), .dst = addr_of("ff02::1:2") };

	packet_udp6(&packet, &ip, 546, 547, m, sizeof(m));
	ck_assert_int_eq(dhcp6_from_guest(&talk_guest.env, &packet.pkt), DROP_NONE);
}

#define LEASE6                                                                                 \
	"{\"address\":\"2001:db8:2::f\",\"mac\":\"52:54:00:12:34:56\",\"client_id\":"          \
	"\"00:03:ab:cd\",\"iaid\":4294967294,\"state\":\"bound\",\"age_ms\":0,"                \
	"\"granted_ms\":0,\"renew_ms\":27000000,\"rebind_ms\":43200000,"                       \
	"\"expires_ms\":86400000,\"grants\":1}"

/* One by one and together: each server has a lease of its own. */
START_TEST(leases_of_both_families)
{
	static const char query[] = "{\"execute\": \"query-leases\"}";

	talk_start_negotiated();
	talk_say(NO_EVENTS);
	talk_guest.env.dhcp6 = dhcp6_new(&talk_guest.env);
	ck_assert_str_eq(talk_say(query), "{\"return\": []}\r\n");
	dhcp6_message();
	ck_assert_str_eq(talk_say(query), "{\"return\": [" LEASE6 "]}\r\n");
	talk_guest.env.dhcp4 = dhcp4_new(&talk_guest.env);
	ck_assert_str_eq(talk_say(query), "{\"return\": [" LEASE6 "]}\r\n");
	dhcp_message(3);
	talk_assert_contains(talk_say(query), "[{\"address\":\"10.0.2.15\",");
	talk_assert_contains(talk_taken, "}, " LEASE6 "]}");
	dhcp4_free(talk_guest.env.dhcp4);
	dhcp6_free(talk_guest.env.dhcp6);
	talk_stop();
}
END_TEST

START_TEST(lease_without_end)
{
	talk_start_negotiated();
	talk_guest.conf.timeouts.dhcp_lease = LEASE_FOREVER;
	talk_guest.env.dhcp4 = dhcp4_new(&talk_guest.env);
	dhcp_message(3);
	talk_assert_contains(talk_say("{\"execute\": \"query-leases\"}"),
			     "\"granted_ms\":0,\"grants\":1}");
	dhcp4_free(talk_guest.env.dhcp4);
	talk_stop();
}
END_TEST

/* DNS */

START_TEST(dns)
{
	static const char query[] = "{\"execute\": \"query-dns\"}";
	static struct fake_dns up;

	talk_start_negotiated();
	talk_assert_contains(talk_say(query),
			     "{\"return\": {\"relay\":false,\"relay_addrs\":[],");
	talk_guest.net.dns_relay[0] = addr_ip4(0x0a000203);
	talk_guest.net.n_dns_relay = 1;
	talk_guest.net.upstreams[0].addr = addr_ip4(0xc0000235);
	talk_guest.net.upstreams[1] = (struct upstream){ addr_of("fe80::1"), "eth0" };
	talk_guest.net.n_upstreams = 2;
	strcpy(talk_guest.net.search[0], "lab.example");
	talk_guest.net.n_search = 1;
	talk_guest.conf.n_records = 1;
	strcpy(talk_guest.conf.records[0].name, "registry.test");
	talk_guest.conf.records[0].addr = addr_ip4(0xc6336409);
	up.env = &talk_guest.env;
	talk_guest.env.dns = dns_new(&talk_guest.env, &fake_dns_ops, &up);
	ck_assert_str_eq(talk_say(query),
			 "{\"return\": {\"relay\":true,\"relay_addrs\":[\"10.0.2.3\"],"
			 "\"search\":[\"lab.example\"],\"source\":\"flag\","
			 "\"servers\":[{\"addr\":\"192.0.2.53\",\"queries\":0,\"answers\":0,"
			 "\"timeouts\":0,\"failures\":0},{\"addr\":\"fe80::1%eth0\",\"queries\":0,"
			 "\"answers\":0,\"timeouts\":0,\"failures\":0}],"
			 "\"cache\":{\"entries\":0,\"max_entries\":4096,\"bytes\":0,"
			 "\"max_bytes\":4194304},\"pending\":{\"queries\":0,\"max\":1024},"
			 "\"records\":[{\"name\":\"registry.test\",\"addr\":\"198.51.100.9\"},"
			 "{\"name\":\"host.internal\",\"addr\":\"10.0.2.2\"},"
			 "{\"name\":\"gateway.internal\",\"addr\":\"10.0.2.2\"}]}}\r\n");
	dns_free(talk_guest.env.dns);
	talk_stop();
}
END_TEST

static void no_answer(struct env *env, const struct dns_client *c, const uint8_t *msg,
		      size_t len)
{
}

static void assert_counter(const char *name, unsigned value)
{
	char want[160];

	snprintf(want, sizeof(want), "{\"name\":\"%s\",\"kind\":\"counter\",\"value\":%u,", name,
		 value);
	talk_assert_contains(talk_taken, want);
}

/* Hits and misses of the cache, and what became of queries to each server of the host. */
START_TEST(dns_counters)
{
	struct dns_client client = { .answer = no_answer };
	const struct dns_made made = { .ttl = 60, .n_answers = 1 };
	static struct fake_dns up;
	uint8_t msg[512];
	size_t len = dns_make_query(msg, 1, "www.example.org", 1);

	talk_start_negotiated();
	talk_guest.net.upstreams[0] = (struct upstream){ addr_ip4(0xc0000235), "" };
	talk_guest.net.upstreams[1] = (struct upstream){ addr_of("2001:db8::35"), "" };
	talk_guest.net.n_upstreams = 2;
	up.env = &talk_guest.env;
	talk_guest.env.dns = dns_new(&talk_guest.env, &fake_dns_ops, &up);
	ck_assert_int_eq(dns_ask(&talk_guest.env, msg, len, &client), DROP_NONE);
	dns_from_host(&talk_guest.env, up.tries[0].try, ECONNREFUSED, NULL, 0);
	fake_dns_answer(&up, 1, &made);
	ck_assert_int_eq(dns_ask(&talk_guest.env, msg, len, &client), DROP_NONE);
	talk_say("{\"execute\": \"query-stats\"}");
	assert_counter("dns.cache-misses", 1);
	assert_counter("dns.cache-hits", 1);
	assert_counter("dns.upstream.192.0.2.53.queries", 1);
	assert_counter("dns.upstream.192.0.2.53.answers", 0);
	assert_counter("dns.upstream.192.0.2.53.timeouts", 0);
	assert_counter("dns.upstream.192.0.2.53.failures", 1);
	assert_counter("dns.upstream.2001:db8::35.queries", 1);
	assert_counter("dns.upstream.2001:db8::35.answers", 1);
	assert_counter("dns.upstream.2001:db8::35.failures", 0);
	ck_assert_uint_eq(talk_count(talk_taken, "\"dns.upstream."), 8);
	dns_free(talk_guest.env.dns);
	talk_stop();
}
END_TEST

START_TEST(dns_server_in_trouble)
{
	struct dns_client client = { .answer = no_answer };
	static struct fake_dns up;
	uint8_t msg[512];
	size_t len = dns_make_query(msg, 1, "www.example.org", 1);

	talk_start_negotiated();
	talk_guest.net.upstreams[0].addr = addr_ip4(0xc0000235);
	talk_guest.net.n_upstreams = 1;
	up.env = &talk_guest.env;
	talk_guest.env.dns = dns_new(&talk_guest.env, &fake_dns_ops, &up);
	ck_assert_int_eq(dns_ask(&talk_guest.env, msg, len, &client), DROP_NONE);
	dns_from_host(&talk_guest.env, up.tries[0].try, ECONNREFUSED, NULL, 0);
	talk_guest.env.now_ns += 3 * NS_PER_SEC;
	talk_assert_contains(talk_say("{\"execute\": \"query-dns\"}"),
			     "\"failures\":1,\"last_error\":\"Connection refused\","
			     "\"last_error_ms\":3000}");
	dns_free(talk_guest.env.dns);
	talk_stop();
}
END_TEST

SUITE_MAIN("ctl_services", forward_add, forward_families, forward_errors, forward_add_refusals,
	   forward_best_effort, forward_set, forward_remove, leases, leases_of_both_families,
	   lease_without_end, dns, dns_counters, dns_server_in_trouble)
