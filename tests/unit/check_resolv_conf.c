/* resolv.conf: what is read and what is skipped. */
#include "host/resolv_conf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/suite.h"

static struct resolv_conf seen;

static void parse(const char *text)
{
	resolv_conf_parse(text, strlen(text), &seen);
}

static const char *server(unsigned i)
{
	static char text[UPSTREAM_STR_MAX];

	ck_assert_uint_lt(i, seen.n_servers);
	return upstream_print(&seen.servers[i], text);
}

START_TEST(usual)
{
	parse("# made by hand\n"
	      "; likewise\n"
	      "nameserver 192.0.2.1\n"
	      "nameserver\t2001:db8::1   \n"
	      "  nameserver 127.0.0.53 # the local one\r\n"
	      "options edns0 trust-ad\n"
	      "sortlist 192.0.2.0\n"
	      "search example.org lab.example.\n"
	      "nameserver 192.0.2.2"); /* no newline at the end */
	ck_assert_uint_eq(seen.n_servers, 4);
	ck_assert_str_eq(server(0), "192.0.2.1");
	ck_assert_str_eq(server(1), "2001:db8::1");
	ck_assert_str_eq(server(2), "127.0.0.53");
	ck_assert_str_eq(server(3), "192.0.2.2");
	ck_assert_uint_eq(seen.n_search, 2);
	ck_assert_str_eq(seen.search[0], "example.org");
	ck_assert_str_eq(seen.search[1], "lab.example");
}
END_TEST

START_TEST(skipped)
{
	parse("nameserver\n"
	      "nameserver \n"
	      "nameserver example.org\n"
	      "nameserver 192.0.2.256\n"
	      "nameserver 2001:db8::1%eth0\n"
	      "nameserver 192.0.2.1%eth0\n"
	      "nameserver fe80::1%a-name-that-is-too-long\n"
	      "nameserver 224.0.0.1\n"
	      "nameservers 192.0.2.1\n"
	      "name server 192.0.2.1\n"
	      "#nameserver 192.0.2.1\n"
	      "nameserver 192.0.2.7\n"
	      "nameserver 192.0.2.7\n"
	      "\n\n");
	ck_assert_uint_eq(seen.n_servers, 1);
	ck_assert_str_eq(server(0), "192.0.2.7");
	/* as the C library has it: this host */
	parse("nameserver 0.0.0.0\n");
	ck_assert_str_eq(server(0), "127.0.0.1");
	parse("");
	ck_assert_uint_eq(seen.n_servers, 0);
	ck_assert_uint_eq(seen.n_search, 0);
}
END_TEST

START_TEST(links)
{
	parse("nameserver fe80::1%eth0\nnameserver fe80::2\nnameserver 192.0.2.1\n");
	ck_assert_uint_eq(seen.n_servers, 3);
	ck_assert_str_eq(server(0), "fe80::1%eth0");
	ck_assert_str_eq(server(1), "fe80::2");
	ck_assert_str_eq(server(2), "192.0.2.1");
	parse("nameserver fe80::1%2\n");
	ck_assert_str_eq(server(0), "fe80::1%2");
	/* one on each link */
	parse("nameserver fe80::1%eth0\nnameserver fe80::1%eth1\nnameserver fe80::1%eth0\n");
	ck_assert_uint_eq(seen.n_servers, 2);
	ck_assert_str_eq(server(0), "fe80::1%eth0");
	ck_assert_str_eq(server(1), "fe80::1%eth1");
}
END_TEST

START_TEST(search_list)
{
	/* the last of these lines counts */
	parse("search a.example b.example\ndomain c.example\n");
	ck_assert_uint_eq(seen.n_search, 1);
	ck_assert_str_eq(seen.search[0], "c.example");
	parse("domain c.example\nsearch a.example b.example\n");
	ck_assert_uint_eq(seen.n_search, 2);
	/* systemd writes this for none */
	parse("search a.example\nsearch .\n");
	ck_assert_uint_eq(seen.n_search, 0);
	parse("search a b c d e f g h i\n");
	ck_assert_uint_eq(seen.n_search, CONF_SEARCH_MAX);
	ck_assert_str_eq(seen.search[5], "f");
}
END_TEST

START_TEST(limits)
{
	static char text[70000];
	char *p = text;

	for (unsigned i = 1; i < 20; i++)
		p += sprintf(p, "nameserver 192.0.2.%u\n", i);
	parse(text);
	ck_assert_uint_eq(seen.n_servers, NET_UPSTREAMS_MAX);
	ck_assert_str_eq(server(7), "192.0.2.8");
	/* what is no name is passed over */
	p = text + sprintf(text, "search a..b ");
	memset(p, 'x', 300);
	strcpy(p + 300, " after.example\n");
	parse(text);
	ck_assert_uint_eq(seen.n_search, 1);
	ck_assert_str_eq(seen.search[0], "after.example");
	/* one endless line, and one of nothing but zero bytes */
	memset(text, 'n', sizeof(text));
	resolv_conf_parse(text, sizeof(text), &seen);
	ck_assert_uint_eq(seen.n_servers, 0);
	memset(text, 0, sizeof(text));
	resolv_conf_parse(text, sizeof(text), &seen);
	ck_assert_uint_eq(seen.n_servers, 0);
	resolv_conf_parse("search a\0b c\n", 13, &seen);
	ck_assert_uint_eq(seen.n_search, 1);
	ck_assert_str_eq(seen.search[0], "c");
}
END_TEST

START_TEST(not_a_file)
{
	char top[] = "/tmp/check_resolv_conf.XXXXXX", fifo[64];

	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(fifo, sizeof(fifo), "%s/fifo", top);
	ck_assert_int_eq(resolv_conf_read(top, &seen), -EISDIR);
	ck_assert_int_eq(resolv_conf_read(fifo, &seen), -ENOENT);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(resolv_conf_read(fifo, &seen), 0); /* without waiting for a writer */
	ck_assert_uint_eq(seen.n_servers, 0);
	unlink(fifo);
	rmdir(top);
}
END_TEST

SUITE_MAIN("resolv_conf", usual, skipped, links, search_list, limits, not_a_file)
