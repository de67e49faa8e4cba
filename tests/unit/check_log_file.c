/* The log file: its lines, its limit, and what is in its place. */
#include "daemon/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/suite.h"

#define LIMIT (40 * 1024)

static char folder[64], path[96];
static struct log_file file;

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/check_log_file.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
}

static void teardown(void)
{
	log_file_close(&file);
	unlink(path);
	rmdir(folder);
}

/* The whole file, with a zero behind it. */
static const char *content(size_t *lenp)
{
	static char text[4 * LIMIT];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_uint_eq(strlen(text), (size_t)n); /* no hole */
	if (lenp)
		*lenp = (size_t)n;
	return text;
}

START_TEST(lines)
{
	const char *text;
	struct stat st;

	setup();
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	log_file_write(&file, "info: dhcp: a line");
	text = content(NULL);
	/* 2026-01-01T12:00:00.123Z postern 0.1.0 (123) */
	ck_assert_ptr_nonnull(strstr(text, "Z postern " POSTERN_VERSION " ("));
	ck_assert_int_eq(text[10], 'T');
	ck_assert_ptr_nonnull(strstr(text, "Z info: dhcp: a line\n"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	teardown();
}
END_TEST

START_TEST(appends)
{
	setup();
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	log_file_write(&file, "first");
	log_file_close(&file);
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	log_file_write(&file, "second");
	ck_assert_ptr_nonnull(strstr(content(NULL), " first\n"));
	ck_assert_ptr_nonnull(strstr(strstr(content(NULL), " first\n"), " second\n"));
	teardown();
}
END_TEST

/* Ten times the limit: never above it, the newest lines whole and in order, a header first. */
START_TEST(limit)
{
	char line[64], *rest, *one;
	unsigned n = 0, first = 0, last = 0;
	size_t len;

	setup();
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	for (size_t written = 0; written < 10 * LIMIT; written += strlen(line) + 26) {
		struct stat st;

		snprintf(line, sizeof(line), "line %u%.*s", n, (int)(n % 30),
			 "..............................");
		log_file_write(&file, line);
		n++;
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_int_le(st.st_size, LIMIT);
		ck_assert_uint_eq(file.size, (size_t)st.st_size);
	}
	rest = (char *)content(&len);
	ck_assert_uint_gt(len, LIMIT / 2);
	one = strsep(&rest, "\n");
	ck_assert_ptr_nonnull(strstr(one, "older lines cut off"));
	while ((one = strsep(&rest, "\n")) && *one) {
		unsigned number;

		ck_assert_msg(sscanf(one, "%*s line %u", &number) == 1, "broken line: %s", one);
		if (!first)
			first = number;
		else
			ck_assert_uint_eq(number, last + 1);
		last = number;
	}
	ck_assert_uint_eq(last, n - 1);
	ck_assert_uint_gt(first, 0);
	teardown();
}
END_TEST

/* One that is too large already, as after a change of --log-size. */
START_TEST(found_too_large)
{
	static char old[3 * LIMIT];
	struct stat st;
	int fd;

	setup();
	memset(old, 'x', sizeof(old));
	for (size_t i = 99; i < sizeof(old); i += 100)
		old[i] = '\n';
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, old, sizeof(old)), (ssize_t)sizeof(old));
	close(fd);
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	log_file_write(&file, "new");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_le(st.st_size, LIMIT);
	ck_assert_ptr_nonnull(strstr(content(NULL), " new\n"));
	teardown();
}
END_TEST

/* Without any line end to cut at. */
START_TEST(one_endless_line)
{
	static char old[2 * LIMIT];
	int fd;

	setup();
	memset(old, 'x', sizeof(old));
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, old, sizeof(old)), (ssize_t)sizeof(old));
	close(fd);
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	log_file_write(&file, "new");
	ck_assert_ptr_null(strchr(content(NULL), 'x'));
	ck_assert_ptr_nonnull(strstr(content(NULL), " new\n"));
	teardown();
}
END_TEST

/* As logrotate's copytruncate does. */
START_TEST(truncated_by_another)
{
	size_t len;

	setup();
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	while (file.size < LIMIT - 100)
		log_file_write(&file, "much");
	ck_assert_int_eq(truncate(path, 0), 0);
	for (int i = 0; i < 10; i++)
		log_file_write(&file, "after");
	content(&len);
	ck_assert_uint_lt(len, 1000);
	ck_assert_ptr_null(strstr(content(NULL), "cut off"));
	teardown();
}
END_TEST

START_TEST(long_line)
{
	static char line[5000];
	size_t len;

	setup();
	memset(line, 'x', sizeof(line) - 1);
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	log_file_write(&file, line);
	log_file_write(&file, "next");
	ck_assert_int_eq(content(&len)[len - 1], '\n');
	ck_assert_ptr_nonnull(strstr(content(NULL), "x\n"));
	ck_assert_ptr_nonnull(strstr(content(NULL), " next\n"));
	teardown();
}
END_TEST

/* A pipe that nobody reads: lines are lost, nothing waits. */
START_TEST(never_waits)
{
	int reader;

	setup();
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), 0);
	for (int i = 0; i < 5000; i++)
		log_file_write(&file, "a line that fills the pipe in the end");
	close(reader);
	teardown();
}
END_TEST

START_TEST(cannot_be_opened)
{
	setup();
	ck_assert_int_eq(log_file_open(&file, folder, LIMIT), -EISDIR);
	ck_assert_int_eq(log_file_open(&file, "/nowhere/log", LIMIT), -ENOENT);
	log_file_write(&file, "lost");
	teardown();
}
END_TEST

/* There is none, and the folder forbids to make one. */
START_TEST(may_not_be_made)
{
	bool root = geteuid() == 0;

	setup();
	ck_assert_int_eq(chmod(folder, 0555), 0);
	if (root)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(log_file_open(&file, path, LIMIT), -EACCES);
	if (root)
		ck_assert_int_eq(seteuid(0), 0);
	teardown();
}
END_TEST

SUITE_MAIN("log_file", lines, appends, limit, found_too_large, one_endless_line,
	   truncated_by_another, long_line, never_waits, cannot_be_opened, may_not_be_made)
