/* Changes of resolv.conf: every way in which others change it is noticed. */
#include "host/resolv_watch.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/suite.h"

static struct resolv_conf seen;

static const char *server(unsigned i)
{
	static char text[UPSTREAM_STR_MAX];

	ck_assert_uint_lt(i, seen.n_servers);
	return upstream_print(&seen.servers[i], text);
}

static char top[] = "/tmp/check_resolv_watch.XXXXXX", path[PATH_MAX];
static struct timerq timers;
static struct loop *loop;
static struct resolv_watch w;
static unsigned n_changes;

static const char *in_top(const char *name)
{
	static char names[4][PATH_MAX];
	static unsigned next;
	char *buf = names[next++ % 4];

	snprintf(buf, PATH_MAX, "%s/%s", top, name);
	return buf;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(in_top(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void changed(void *ctx, const struct resolv_conf *now)
{
	ck_assert_ptr_eq(ctx, &n_changes);
	seen = *now;
	n_changes++;
	loop_stop(loop);
}

static void no_log(enum log_level level, enum log_unit unit, const char *line)
{
}

static void start(void)
{
	log_set_sink(no_log);
	n_changes = 0;
	timers = (struct timerq){ .n = 0 };
	loop = loop_new(&timers, NULL);
	ck_assert_ptr_nonnull(loop);
	snprintf(path, sizeof(path), "%s", in_top("etc/resolv.conf"));
	resolv_watch_init(&w, loop, &timers, path, changed, &n_changes);
}

static void make_folders(void)
{
	strcpy(top + strlen(top) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(mkdir(in_top("etc"), 0700), 0);
	ck_assert_int_eq(mkdir(in_top("run"), 0700), 0);
}

static void remove_tree(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char name[PATH_MAX];

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		ck_assert_int_lt(snprintf(name, sizeof(name), "%s/%s", folder, e->d_name),
				 PATH_MAX);
		if (unlink(name))
			remove_tree(name);
	}
	closedir(d);
	rmdir(folder);
}

static void finish(void)
{
	resolv_watch_end(&w);
	loop_free(loop);
	timerq_free(&timers);
	remove_tree(top);
	log_set_sink(NULL);
}

static void too_late(struct timer *t, void *ctx)
{
	ck_abort_msg("the change was not noticed");
}

static void stop(struct timer *t, void *ctx)
{
	loop_stop(loop);
}

/* Runs until the change is noticed; afterwards the first server is `want`. */
static void assert_change(const char *want)
{
	struct timer guard = { .fire = too_late };
	unsigned before = n_changes;

	timerq_set(&timers, &guard, loop_clock_ns() + 60 * NS_PER_SEC);
	loop_run(loop);
	timerq_cancel(&timers, &guard);
	ck_assert_uint_eq(n_changes, before + 1);
	ck_assert_str_eq(server(0), want);
}

/* Runs for longer than a change needs: there is none. */
static void assert_no_change(void)
{
	struct timer t = { .fire = stop };
	unsigned before = n_changes;

	timerq_set(&timers, &t, loop_clock_ns() + 300 * NS_PER_MS);
	loop_run(loop);
	ck_assert_uint_eq(n_changes, before);
}

START_TEST(file_changes)
{
	make_folders();
	write_file("etc/resolv.conf", "nameserver 192.0.2.1\n");
	start();
	ck_assert_uint_eq(w.last.n_servers, 1);
	/* in place */
	write_file("etc/resolv.conf", "nameserver 192.0.2.2\n");
	assert_change("192.0.2.2");
	/* by another file, twice */
	for (unsigned i = 3; i < 5; i++) {
		char text[64];

		snprintf(text, sizeof(text), "nameserver 192.0.2.%u\n", i);
		write_file("etc/new", text);
		ck_assert_int_eq(rename(in_top("etc/new"), path), 0);
		assert_change(strtok(text + 11, "\n"));
	}
	/* away and back, with the same contents or other ones */
	ck_assert_int_eq(unlink(path), 0);
	assert_no_change();
	ck_assert_str_eq(server(0), "192.0.2.4");
	write_file("etc/resolv.conf", "nameserver 192.0.2.4\n");
	assert_no_change();
	unlink(path);
	write_file("etc/resolv.conf", "nameserver 192.0.2.5\n");
	assert_change("192.0.2.5");
	/* of another link */
	write_file("etc/resolv.conf", "nameserver fe80::1%eth0\n");
	assert_change("fe80::1%eth0");
	write_file("etc/resolv.conf", "nameserver fe80::1%eth1\n");
	assert_change("fe80::1%eth1");
	write_file("etc/resolv.conf", "nameserver 192.0.2.5\n");
	assert_change("192.0.2.5");
	/* other files, other text */
	write_file("etc/hosts", "127.0.0.1 localhost\n");
	write_file("etc/resolv.conf", "# a word\nnameserver 192.0.2.5\n");
	assert_no_change();
	finish();
}
END_TEST

START_TEST(link_changes)
{
	make_folders();
	write_file("run/stub", "nameserver 192.0.2.1\n");
	write_file("run/other", "nameserver 192.0.2.3\n");
	ck_assert_int_eq(symlink("../run/stub", in_top("etc/resolv.conf")), 0);
	start();
	/* what it leads to: in place, replaced */
	write_file("run/stub", "nameserver 192.0.2.2\n");
	assert_change("192.0.2.2");
	write_file("run/new", "nameserver 192.0.2.4\n");
	ck_assert_int_eq(rename(in_top("run/new"), in_top("run/stub")), 0);
	assert_change("192.0.2.4");
	/* the link itself */
	ck_assert_int_eq(symlink(in_top("run/other"), in_top("etc/new")), 0);
	ck_assert_int_eq(rename(in_top("etc/new"), path), 0);
	assert_change("192.0.2.3");
	write_file("run/other", "nameserver 192.0.2.5\n");
	assert_change("192.0.2.5");
	finish();
}
END_TEST

START_TEST(appears_later)
{
	make_folders();
	ck_assert_int_eq(symlink("../run/resolver/stub", in_top("etc/resolv.conf")), 0);
	start();
	ck_assert_uint_eq(w.last.n_servers, 0);
	ck_assert_int_eq(mkdir(in_top("run/resolver"), 0700), 0);
	assert_no_change();
	write_file("run/resolver/stub", "nameserver 192.0.2.1\n");
	assert_change("192.0.2.1");
	finish();
}
END_TEST

START_TEST(links_in_a_circle)
{
	make_folders();
	ck_assert_int_eq(symlink("other", in_top("etc/resolv.conf")), 0);
	ck_assert_int_eq(symlink("resolv.conf", in_top("etc/other")), 0);
	start();
	ck_assert_uint_eq(w.last.n_servers, 0);
	unlink(path);
	write_file("etc/resolv.conf", "nameserver 192.0.2.1\n");
	assert_change("192.0.2.1");
	finish();
}
END_TEST

SUITE_MAIN("resolv_watch", file_changes, link_changes, appears_later, links_in_a_circle)
