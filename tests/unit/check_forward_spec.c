/* The text of forwards: what it means, and what is wrong with it. */
#include "proto/forward_spec.h"

#include <errno.h>
#include <stdio.h>

#include "lib/suite.h"

static const struct forward_ports ports = { 32768, 60999, 1024 };
static struct forward_rule rules[FORWARD_RULES_MAX];
static char error[FORWARD_ERROR_MAX];

struct example {
	const char *spec, *meaning; /* the rules, each behind "TCP ", or the error */
};

static const struct example good[] = {
	{ "none", "" },
	{ "22", "*:22 => 22;" },
	{ "1", "*:1 => 1;" },
	{ "65535", "*:65535 => 65535;" },
	{ "22-25", "*:22-25 => 22-25;" },
	{ "22:2222", "*:22 => 2222;" },
	{ "22:22", "*:22 => 22;" },
	{ "5000-5020:6000-6020", "*:5000-5020 => 6000-6020;" },
	{ "22,80:8080,443", "*:22 => 22;*:80 => 8080;*:443 => 443;" },
	{ "0:22", "*:0 => 22;" },
	/* where clients come in */
	{ "/5022", "*:5022 => 5022;" },
	{ "*/5022", "*:5022 => 5022;" },
	{ "0.0.0.0/5022", "0.0.0.0:5022 => 5022;" },
	{ "192.0.2.1/22", "192.0.2.1:22 => 22;" },
	{ "[192.0.2.1]/22", "192.0.2.1:22 => 22;" },
	{ "192.0.2.1%eth0/22", "192.0.2.1%eth0:22 => 22;" },
	{ "%eth0/22,80", "*%eth0:22 => 22;*%eth0:80 => 80;" },
	{ "*%fifteen-letters/22", "*%fifteen-letters:22 => 22;" },
	{ "0.0.0.0%eth0/22", "0.0.0.0%eth0:22 => 22;" },
	{ "::/22", "[::]:22 => 22;" },
	{ "[::]/22,80:8080", "[::]:22 => 22;[::]:80 => 8080;" },
	{ "[::]%eth0/22", "[::]%eth0:22 => 22;" },
	{ "::1/22", "[::1]:22 => 22;" },
	{ "2001:DB8:0::1/22", "[2001:db8::1]:22 => 22;" },
	{ "[2001:db8::1]%eth0/22:80", "[2001:db8::1]%eth0:22 => 80;" },
	{ "fe80::1%eth0/22", "[fe80::1]%eth0:22 => 22;" },
	{ "[fe80::1]%eth0/~2-65535", "[fe80::1]%eth0:1 => 1 (best effort);" },
	{ "::ffff:192.0.2.1/22", "192.0.2.1:22 => 22;" },
	{ "169.254.0.1/22", "169.254.0.1:22 => 22;" },
	/* where they are led to */
	{ "5022:10.1.0.9", "*:5022 => 10.1.0.9:5022;" },
	{ "5022:[10.1.0.9]", "*:5022 => 10.1.0.9:5022;" },
	{ "5022:10.1.0.9/23", "*:5022 => 10.1.0.9:23;" },
	{ "5022-5023:10.1.0.9/22-23", "*:5022-5023 => 10.1.0.9:22-23;" },
	{ "0.0.0.0/5022:10.1.0.9/23", "0.0.0.0:5022 => 10.1.0.9:23;" },
	{ "127.0.0.1%lo/0:10.1.0.9/22", "127.0.0.1%lo:0 => 10.1.0.9:22;" },
	{ "5022:2001:db8::9", "*:5022 => [2001:db8::9]:5022;" },
	{ "5022:[2001:db8::9]", "*:5022 => [2001:db8::9]:5022;" },
	{ "5022:[2001:db8::9]/23", "*:5022 => [2001:db8::9]:23;" },
	{ "22,5022-5023:[2001:db8::9]/22-23",
	  "*:22 => 22;*:5022-5023 => [2001:db8::9]:22-23;" },
	{ "22,80:2001:db8::9/8080", "*:22 => 22;*:80 => [2001:db8::9]:8080;" },
	{ "::/5022:2001:db8::9/23", "[::]:5022 => [2001:db8::9]:23;" },
	{ "*/5022:fe80::9/23", "*:5022 => [fe80::9]:23;" },
	{ "0.0.0.0/22:[2001:db8::9]", "0.0.0.0:22 => [2001:db8::9]:22;" },
	{ "::/22:10.1.0.9", "[::]:22 => 10.1.0.9:22;" },
	{ "::1%lo/0:[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]/22",
	  "[::1]%lo:0 => [2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:22;" },
	/* what can be read as an address of the host is one */
	{ "22:2001:db8::9/80", "[22:2001:db8::9]:80 => 80;" },
	/* excludes */
	{ "22-30,~25", "*:22-24 => 22-24;*:26-30 => 26-30;" },
	{ "~25,22-30", "*:22-24 => 22-24;*:26-30 => 26-30;" },
	{ "22-30:122-130,~25", "*:22-24 => 122-124;*:26-30 => 126-130;" },
	{ "22-30,~20-24,~28-40", "*:25-27 => 25-27;" },
	{ "22,80,~80", "*:22 => 22;" },
	/* all, but for the ports of outgoing connections */
	{ "all", "*:1-32767 => 1-32767 (best effort);"
		 "*:61000-65535 => 61000-65535 (best effort);" },
	{ "all:10.1.0.9", "*:1-32767 => 10.1.0.9:1-32767 (best effort);"
			  "*:61000-65535 => 10.1.0.9:61000-65535 (best effort);" },
	{ "~2-65535,all:2001:db8::9", "*:1 => [2001:db8::9]:1 (best effort);" },
	{ "%eth0/all,~22", "*%eth0:1-21 => 1-21 (best effort);"
			   "*%eth0:23-32767 => 23-32767 (best effort);"
			   "*%eth0:61000-65535 => 61000-65535 (best effort);" },
	{ "~1-61000", "*:61001-65535 => 61001-65535 (best effort);" },
	{ "~2-65535", "*:1 => 1 (best effort);" },
	/* all others, beside those that must be had */
	{ "22,all,~1-20,~24-65535", "*:22 => 22;*:21 => 21 (best effort);"
				    "*:23 => 23 (best effort);" },
	{ "all,40000:80,~2-65534", "*:1 => 1 (best effort);"
				   "*:65535 => 65535 (best effort);" },
	{ "all,40000:80,~2-39999,~40001-65535",
	  "*:40000 => 80;*:1 => 1 (best effort);" },
};

static const struct example bad[] = {
	{ "", "an entry is empty" },
	{ "22,", "an entry is empty" },
	{ ",22", "an entry is empty" },
	{ "127.0.0.1/", "an entry is empty" },
	{ "22-x", "'x' does not begin with a port, a number from 1 to 65535" },
	{ "x", "'x' does not begin with a port, a number from 1 to 65535" },
	{ "22-", "'' does not begin with a port, a number from 1 to 65535" },
	{ "-22", "'-22' does not begin with a port, a number from 1 to 65535" },
	{ " 22", "' 22' does not begin with a port, a number from 1 to 65535" },
	{ "+22", "'+22' does not begin with a port, a number from 1 to 65535" },
	{ "22x", "'22x' is not a port or a range of ports" },
	{ "22-23-24", "'22-23-24' is not a port or a range of ports" },
	{ "65536", "'65536' does not begin with a port, a number from 1 to 65535" },
	{ "4294967318", "'4294967318' does not begin with a port, a number from 1 to 65535" },
	{ "25-22", "the range '25-22' runs backwards" },
	{ "0", "port 0 needs a port of the guest, as in 0:22" },
	{ "0:10.1.0.9", "port 0 needs a port of the guest, as in 0:22" },
	{ "0-5", "the range '0-5' begins with port 0" },
	{ "0-5:10-15", "the range '0-5' begins with port 0" },
	{ "22:0", "the guest has no port 0" },
	{ "22:", "'' does not begin with a port, a number from 1 to 65535" },
	{ "22:80-81", "the ranges differ in length: 1 and 2" },
	{ "22-25:80", "the ranges differ in length: 4 and 1" },
	{ "22:65536", "'65536' does not begin with a port, a number from 1 to 65535" },
	{ "22,22", "port 22 is there twice" },
	{ "20-30,25:80", "port 25 is there twice" },
	{ "22:10.1.0.x/23", "'10.1.0.x' is not an address" },
	{ "22:10.1.0.9/", "'' does not begin with a port, a number from 1 to 65535" },
	{ "22:224.0.0.1", "'224.0.0.1' is no address that a guest can be reached at" },
	{ "22:127.0.0.1", "'127.0.0.1' is no address that a guest can be reached at" },
	{ "22:0.0.0.0/80", "'0.0.0.0' is no address that a guest can be reached at" },
	{ "22:255.255.255.255",
	  "'255.255.255.255' is no address that a guest can be reached at" },
	{ "all:nowhere", "'nowhere' is not an address" },
	{ "eth0/22", "'eth0' is not an address" },
	{ "[192.0.2.1/22", "'[192.0.2.1' is not an address" },
	{ "224.0.0.251/5353", "'224.0.0.251' is a multicast address" },
	{ "22:::", "'::' is no address that a guest can be reached at" },
	{ "22:[::]/80", "'[::]' is no address that a guest can be reached at" },
	{ "22:::1", "'::1' is no address that a guest can be reached at" },
	{ "22:ff02::1", "'ff02::1' is no address that a guest can be reached at" },
	{ "22:[2001:db8::x]/80", "'2001:db8::x' is not an address" },
	{ "22:[2001:db8::9]:80", "'[2001:db8::9]:80' is not an address" },
	{ "22:2001:db8::9%eth0", "'2001:db8::9%eth0' is not an address" },
	{ "[2001:db8::1/22", "'[2001:db8::1' is not an address" },
	{ "[2001:db8::x]/22", "'2001:db8::x' is not an address" },
	{ "[fe80::1%eth0]/22", "'[fe80::1' is not an address" },
	{ "[ff02::fb]%eth0/5353", "'[ff02::fb]' is a multicast address" },
	{ "fe80::1/22",
	  "'fe80::1' is a link-local address: it needs an interface, as in fe80::1%eth0/22" },
	{ "%/22", "'' is not an interface" },
	{ "%./22", "'.' is not an interface" },
	{ "%../22", "'..' is not an interface" },
	{ "%sixteen-letters!/22", "'sixteen-letters!' is not an interface" },
	{ "%eth 0/22", "'eth 0' is not an interface" },
	{ "22,none", "'none' must stand alone" },
	{ "auto", "a virtual machine's ports cannot be seen from here, so there is no 'auto'" },
	{ "all,all", "'all' is there twice" },
	{ "allow", "'allow' does not begin with a port, a number from 1 to 65535" },
	{ "~", "'' does not begin with a port, a number from 1 to 65535" },
	{ "~0", "there is no port 0 to exclude" },
	{ "~25:80", "'25:80' is not a port or a range of ports" },
	{ "22,~22", "no port is left" },
	{ "~1-65535", "no port is left" },
};

START_TEST(meanings)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char got[1024] = "", text[FORWARD_STR_MAX];
		int n = forward_spec_parse(good[i].spec, FLOW_TCP, &ports, rules, error);

		ck_assert_msg(n >= 0, "%s: %s", good[i].spec, error);
		for (int k = 0; k < n; k++) {
			forward_rule_print(&rules[k], text);
			ck_assert_str_eq("TCP ",
					 ((char[]){ text[0], text[1], text[2], text[3], 0 }));
			strcat(strcat(got, text + 4), ";");
		}
		ck_assert_msg(!strcmp(got, good[i].meaning), "%s: %s", good[i].spec, got);
	}
}
END_TEST

START_TEST(mistakes)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int n = forward_spec_parse(bad[i].spec, FLOW_TCP, &ports, rules, error);

		ck_assert_msg(n == -EINVAL, "%s: %d", bad[i].spec, n);
		ck_assert_msg(!strcmp(error, bad[i].meaning), "%s: %s", bad[i].spec, error);
	}
}
END_TEST

/* The families of a rule, beyond what its text shows. */
START_TEST(families)
{
	ck_assert_int_eq(forward_spec_parse("22", FLOW_TCP, &ports, rules, error), 1);
	ck_assert(rules[0].both_families);
	ck_assert(addr_eq(&rules[0].addr, &ADDR_ANY6));
	ck_assert(addr_eq(&rules[0].target, &ADDR_ANY6));
	ck_assert_int_eq(forward_spec_parse("%eth0/22", FLOW_TCP, &ports, rules, error), 1);
	ck_assert(rules[0].both_families);
	ck_assert_int_eq(forward_spec_parse("::/22", FLOW_TCP, &ports, rules, error), 1);
	ck_assert(!rules[0].both_families);
	ck_assert_int_eq(forward_spec_parse("0.0.0.0/22", FLOW_TCP, &ports, rules, error), 1);
	ck_assert(!rules[0].both_families);
	ck_assert(addr_is_ip4(&rules[0].addr));
}
END_TEST

/* The longest rule fits into the text. */
START_TEST(longest)
{
	const char *addr = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff";
	char spec[256], text[FORWARD_STR_MAX], want[256];

	sprintf(spec, "[%s]%%fifteen-letters/all:%s,~1-60999", addr, addr);
	sprintf(want, "TCP [%s]%%fifteen-letters:61000-65535 => [%s]:61000-65535 (best effort)",
		addr, addr);
	ck_assert_int_eq(forward_spec_parse(spec, FLOW_TCP, &ports, rules, error), 1);
	ck_assert_str_eq(forward_rule_print(&rules[0], text), want);
}
END_TEST

START_TEST(udp)
{
	char text[FORWARD_STR_MAX];

	ck_assert_int_eq(forward_spec_parse("53:5353", FLOW_UDP, &ports, rules, error), 1);
	ck_assert_str_eq(forward_rule_print(&rules[0], text), "UDP *:53 => 5353");
}
END_TEST

/* Every host has a port range of its own, and it may be the whole. */
START_TEST(local_port_range)
{
	const struct forward_ports none = { 0, 0, 1024 }, whole = { 1, 65535, 1024 };

	ck_assert_int_eq(forward_spec_parse("all", FLOW_TCP, &none, rules, error), 1);
	ck_assert_uint_eq(forward_rule_n_ports(&rules[0]), 65535);
	ck_assert_int_eq(forward_spec_parse("all", FLOW_TCP, &whole, rules, error), -EINVAL);
	ck_assert_int_eq(forward_spec_parse("22,all", FLOW_TCP, &whole, rules, error), 1);
}
END_TEST

START_TEST(limits)
{
	char spec[FORWARD_SPEC_MAX + 1], *p = spec;

	for (int i = 0; i < FORWARD_RULES_MAX; i++)
		p += sprintf(p, "%s%d", i ? "," : "", 1000 + 2 * i);
	ck_assert_int_eq(forward_spec_parse(spec, FLOW_TCP, &ports, rules, error),
			 FORWARD_RULES_MAX);
	strcpy(p, ",22");
	ck_assert_int_eq(forward_spec_parse(spec, FLOW_TCP, &ports, rules, error), -EINVAL);
	ck_assert_str_eq(error, "more than 256 entries");
	/* excludes cut ranges up */
	for (p = spec; p - spec < FORWARD_SPEC_MAX - 10;)
		p += sprintf(p, "~%d,", (int)(p - spec));
	memcpy(spec, "~10,", 4);
	strcpy(p, "all");
	ck_assert_int_eq(forward_spec_parse(spec, FLOW_TCP, &ports, rules, error), -EINVAL);
	ck_assert_str_eq(error, "falls into more than 256 rules");
	memset(spec, '1', FORWARD_SPEC_MAX);
	spec[FORWARD_SPEC_MAX] = '\0';
	ck_assert_int_eq(forward_spec_parse(spec, FLOW_TCP, &ports, rules, error), -EINVAL);
	ck_assert_str_eq(error, "longer than 8191 characters");
}
END_TEST

/* Each rule by itself is what its text makes of it. */
START_TEST(printed_again)
{
	struct forward_rule again[FORWARD_RULES_MAX];
	char text[FORWARD_STR_MAX], was[FORWARD_STR_MAX], is[FORWARD_STR_MAX];
	unsigned n_rules = 0;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int n = forward_spec_parse(good[i].spec, FLOW_TCP, &ports, rules, error);

		for (int k = 0; k < n; k++) {
			if (!rules[k].first)
				rules[k].first = rules[k].last = 40000; /* as the kernel picks */
			forward_rule_print_spec(&rules[k], text);
			ck_assert_msg(forward_spec_parse(text, FLOW_TCP, &ports, again, error) == 1,
				      "'%s': %s", text, error);
			ck_assert_str_eq(forward_rule_print(&again[0], is),
					 forward_rule_print(&rules[k], was));
			n_rules++;
		}
	}
	ck_assert_uint_gt(n_rules, 50);
}
END_TEST

SUITE_MAIN("forward_spec", printed_again, meanings, mistakes, families, longest, udp, local_port_range, limits)
