/* What the daemon leaves and tells outside: its files, the service manager's datagram. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/command_line.h"
#include "daemon/notify.h"
#include "daemon/own_file.h"
#include "daemon/pid_file.h"
#include "daemon/process.h"
#include "lib/suite.h"

static char folder[64], path[96];

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/check_process.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
}

static void teardown(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static const char *read_file(void)
{
	static char text[256];
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static size_t read_proc(const char *name, char *text, size_t max)
{
	char file[64];
	size_t len;
	FILE *f;

	snprintf(file, sizeof(file), "/proc/self/%s", name);
	f = fopen(file, "r");
	ck_assert_ptr_nonnull(f);
	len = fread(text, 1, max, f);
	fclose(f);
	return len;
}

static const char *own_pid(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	return text;
}

START_TEST(taken_descriptor)
{
	struct stat null, there;
	int fd;

	ck_assert_int_eq(process_take_fd(-1), -EBADF);
	fd = process_take_fd(dup(STDIN_FILENO));
	ck_assert_int_gt(fd, STDERR_FILENO);
	/* a standard one leaves no gap, which the next file would fill */
	ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
	fd = process_take_fd(STDIN_FILENO);
	ck_assert_int_gt(fd, STDERR_FILENO);
	ck_assert_int_eq(stat("/dev/null", &null), 0);
	ck_assert_int_eq(fstat(STDIN_FILENO, &there), 0);
	ck_assert_uint_eq(there.st_rdev, null.st_rdev);
	close(fd);
}
END_TEST

START_TEST(own_file_goes)
{
	struct own_file f;

	setup();
	write_file("");
	ck_assert_int_eq(own_file_remember(&f, path), 0);
	own_file_remove(&f);
	ck_assert_int_eq(access(path, F_OK), -1);
	own_file_remove(&f);
	teardown();
}
END_TEST

START_TEST(own_file_by_relative_path)
{
	char before[256];
	struct own_file f;

	setup();
	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	write_file("");
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(own_file_remember(&f, "file"), 0);
	ck_assert_int_eq(chdir("/"), 0);
	own_file_remove(&f);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(chdir(before), 0);
	teardown();
}
END_TEST

START_TEST(anothers_file_stays)
{
	struct own_file f;
	char other[128];

	setup();
	write_file("ours");
	ck_assert_int_eq(own_file_remember(&f, path), 0);
	snprintf(other, sizeof(other), "%s.new", path);
	ck_assert_int_eq(rename(path, other), 0);
	write_file("theirs");
	own_file_remove(&f);
	ck_assert_str_eq(read_file(), "theirs");
	unlink(other);
	ck_assert_int_eq(own_file_remember(&f, "/nowhere/file"), -ENOENT);
	own_file_remove(&f);
	teardown();
}
END_TEST

START_TEST(pid_file)
{
	struct pid_file p;

	setup();
	write_file("something long and old\nwith two lines\n");
	ck_assert_int_eq(pid_file_open(&p, path), 0);
	ck_assert_str_eq(read_file(), "something long and old\nwith two lines\n");
	ck_assert_int_eq(pid_file_write(&p), 0);
	ck_assert_str_eq(read_file(), own_pid());
	pid_file_remove(&p);
	ck_assert_int_eq(access(path, F_OK), -1);
	pid_file_remove(&p);
	teardown();
}
END_TEST

START_TEST(pid_file_of_another)
{
	struct pid_file p;

	setup();
	ck_assert_int_eq(pid_file_open(&p, path), 0);
	ck_assert_int_eq(pid_file_write(&p), 0);
	write_file("1\n"); /* the same file, written by a daemon that started later */
	pid_file_remove(&p);
	ck_assert_str_eq(read_file(), "1\n");
	teardown();
}
END_TEST

/* A start that failed leaves no file, unless its caller made it. */
START_TEST(pid_file_not_written)
{
	struct pid_file p;

	setup();
	ck_assert_int_eq(pid_file_open(&p, path), 0);
	pid_file_remove(&p);
	ck_assert_int_eq(access(path, F_OK), -1);
	write_file("");
	ck_assert_int_eq(pid_file_open(&p, path), 0);
	pid_file_remove(&p);
	ck_assert_str_eq(read_file(), "");
	teardown();
}
END_TEST

START_TEST(pid_file_that_stays)
{
	struct pid_file p;

	setup();
	ck_assert_int_eq(pid_file_open(&p, path), 0);
	ck_assert_int_eq(pid_file_write(&p), 0);
	own_file_forget(&p.file); /* as where we may not remove it */
	pid_file_remove(&p);
	ck_assert_str_eq(read_file(), "");
	teardown();
}
END_TEST

/* Who held it before has removed it meanwhile. */
START_TEST(pid_file_that_went)
{
	struct pid_file p;

	setup();
	ck_assert_int_eq(pid_file_open(&p, path), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(pid_file_reopen(&p, path), 0);
	ck_assert_int_eq(pid_file_write(&p), 0);
	ck_assert_str_eq(read_file(), own_pid());
	ck_assert_int_eq(pid_file_reopen(&p, path), 0);
	ck_assert_str_eq(read_file(), own_pid());
	pid_file_remove(&p);
	ck_assert_int_eq(access(path, F_OK), -1);
	teardown();
}
END_TEST

START_TEST(pid_file_for_nobody)
{
	struct pid_file p;

	ck_assert_int_eq(pid_file_open(&p, "/dev/null"), 0);
	ck_assert_int_eq(pid_file_write(&p), 0);
	pid_file_remove(&p);
	ck_assert_int_eq(access("/dev/null", F_OK), 0);
}
END_TEST

START_TEST(pid_file_refused)
{
	struct pid_file p;
	char other[sizeof(folder) + 8];

	setup();
	ck_assert_int_eq(symlink("/tmp/check_process.target", path), 0);
	ck_assert_int_eq(pid_file_open(&p, path), -ELOOP);
	ck_assert_int_eq(pid_file_open(&p, folder), -EISDIR);
	ck_assert_int_eq(pid_file_open(&p, "/nowhere/pid"), -ENOENT);
	pid_file_remove(&p);
	ck_assert_int_eq(unlink(path), 0);
	write_file("precious");
	snprintf(other, sizeof(other), "%s/other", folder);
	ck_assert_int_eq(link(path, other), 0);
	ck_assert_int_eq(pid_file_open(&p, path), -EMLINK);
	ck_assert_str_eq(read_file(), "precious");
	ck_assert_int_eq(unlink(other), 0);
	teardown();
}
END_TEST

START_TEST(descriptors)
{
	int low = open("/dev/null", O_RDONLY), moved = process_take_fd(low);

	ck_assert_int_ge(moved, 3);
	ck_assert_int_ne(fcntl(moved, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(process_take_fd(9999), -EBADF);
	close(moved);
}
END_TEST

static int bind_manager(const struct sockaddr_un *a, size_t path_len)
{
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len)),
			 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void assert_told(int fd)
{
	char text[64] = "";
	int ours;

	ck_assert_int_eq(notify_open(&ours), 0);
	ck_assert_int_eq(notify_send(ours, "READY=1"), 0);
	close(ours);
	ck_assert_int_eq(recv(fd, text, sizeof(text) - 1, 0), 7);
	ck_assert_str_eq(text, "READY=1");
	close(fd);
}

/* In a process of its own: the test's own descriptors are to stay. */
START_TEST(others_are_closed)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int keep[] = { 20, -1, 17, 20, 30, -1 };

		for (int fd = 10; fd < 40; fd++)
			dup2(STDIN_FILENO, fd);
		process_close_others(keep, 6);
		for (int fd = 0; fd < 40; fd++) {
			bool kept = fd <= STDERR_FILENO || fd == 17 || fd == 20 || fd == 30;

			if ((fcntl(fd, F_GETFD) >= 0) != kept)
				_exit(fd + 1);
		}
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(notify_by_path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	setup();
	strcpy(a.sun_path, path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_told(bind_manager(&a, strlen(path)));
	teardown();
}
END_TEST

START_TEST(notify_by_abstract_name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char name[64];

	snprintf(name, sizeof(name), "@check_process.%d", (int)getpid());
	memcpy(a.sun_path, name, strlen(name));
	a.sun_path[0] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_told(bind_manager(&a, strlen(name)));
}
END_TEST

START_TEST(notify_nobody)
{
	char name[200];
	int fd = 0;

	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_open(&fd), 0);
	ck_assert_int_eq(fd, -1);
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert_int_eq(notify_open(&fd), 0);
	ck_assert_int_eq(fd, -1);
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	ck_assert_int_eq(notify_open(&fd), 0);
	ck_assert_int_eq(fd, -1);
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	ck_assert_int_eq(notify_open(&fd), -ENOENT);
	ck_assert_int_eq(fd, -1);
	memset(name, '/', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	ck_assert_int_eq(notify_open(&fd), -ENAMETOOLONG);
	ck_assert_int_eq(fd, -1);
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_send(-1, "READY=1"), 0);
}
END_TEST

/* Others see the words that were added; who reads our environment still finds it. */
START_TEST(command_line)
{
	char name[] = "postern", option[] = "-f", *argv[] = { name, option, NULL };
	static const char want[] = "postern\0-f\0--control=/run/x.ctl\0--status=/run/x.status";
	const char *words[] = { "--control=/run/x.ctl", "--status=/run/x.status", NULL };
	char before[4096], text[4096];
	size_t len = read_proc("environ", before, sizeof(before));
	int rc = command_line_add(2, argv, words);

	if (rc == -EINVAL) {
		printf("not checked: the kernel has no CONFIG_CHECKPOINT_RESTORE\n");
		return;
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(read_proc("cmdline", text, sizeof(text)), sizeof(want));
	ck_assert_mem_eq(text, want, sizeof(want));
	ck_assert_uint_eq(read_proc("environ", text, sizeof(text)), len);
	ck_assert_mem_eq(text, before, len);
}
END_TEST

SUITE_MAIN("process", command_line, taken_descriptor, own_file_goes, own_file_by_relative_path,
	   anothers_file_stays, pid_file, pid_file_of_another, pid_file_not_written,
	   pid_file_that_stays, pid_file_that_went, pid_file_for_nobody, pid_file_refused,
	   descriptors, others_are_closed, notify_by_path, notify_by_abstract_name,
	   notify_nobody)
