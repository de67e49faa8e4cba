/* The filter of system calls: what it lets through, and what ends the process. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/sandbox_layer.h"
#include "lib/suite.h"

#define CALL_ARGS_MAX 6

struct call {
	const char *what;
	long nr;
	long args[CALL_ARGS_MAX];
};

/* How a process ends that enters the filter, makes one call and exits with 0.  Nothing else is
 * called in there: a checker of memory that is built in would want more than we do. */
static int end_of(const struct call *c)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sandbox_filter_calls())
			_exit(1);
		syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
			c->args[5]);
		syscall(SYS_exit_group, 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static const struct call allowed[] = {
	{ "IPv4", SYS_socket, { AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0 } },
	{ "IPv6", SYS_socket, { AF_INET6, SOCK_DGRAM, 0 } },
	{ "echo", SYS_socket, { AF_INET, SOCK_DGRAM, 1 /* ICMP */ } },
	{ "echo over IPv6", SYS_socket, { AF_INET6, SOCK_DGRAM, 58 /* ICMPv6 */ } },
	{ "flags of a file", SYS_fcntl, { 0, F_SETFL, O_NONBLOCK } },
	{ "routes", SYS_socket, { AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0 } },
	{ "names of interfaces", SYS_socket, { AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0 } },
	{ "a file to read", SYS_openat, { AT_FDCWD, (long)"/nowhere", O_RDONLY | O_CLOEXEC } },
	{ "our own file", SYS_unlinkat, { -1, (long)"nothing", 0 } },
	{ "memory", SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
	{ "the limit of files", SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, 0 } },
};

static const struct call forbidden[] = {
	{ "another program", SYS_execve, { (long)"/nowhere", 0, 0 } },
	{ "another process", SYS_clone, { SIGCHLD, 0, 0, 0, 0 } },
	{ "a file to write", SYS_openat, { AT_FDCWD, (long)"/nowhere", O_WRONLY } },
	{ "a new file", SYS_openat, { AT_FDCWD, (long)"/nowhere/x", O_CREAT, 0600 } },
	{ "a file beside our own", SYS_openat, { 3, (long)"../x", O_RDONLY } },
	{ "a folder without a root", SYS_fchdir, { 3 } },
	{ "another root", SYS_chroot, { (long)"/" } },
	{ "a mount", SYS_mount, { 0, (long)"/", 0, 0, 0 } },
	{ "namespaces", SYS_unshare, { 0 } },
	{ "memory to run", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
	{ "memory that comes to be run", SYS_mprotect, { 0, 4096, PROT_EXEC } },
	{ "a stream of another service", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 } },
	{ "a protocol in a module", SYS_socket, { AF_INET, SOCK_STREAM, 132 /* SCTP */ } },
	{ "a raw socket", SYS_socket, { AF_INET, SOCK_RAW, 1 /* ICMP */ } },
	{ "another type of socket", SYS_socket, { AF_INET6, SOCK_SEQPACKET, 0 } },
	{ "signals by a descriptor", SYS_fcntl, { 0, F_SETOWN, 1 } },
	{ "which signal that is", SYS_fcntl, { 0, F_SETSIG, SIGKILL } },
	{ "frames", SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
	{ "another netlink", SYS_socket, { AF_NETLINK, SOCK_RAW, 15 } },
	{ "a request to a device", SYS_ioctl, { 0, 0x5412 /* TIOCSTI */, 0 } },
	{ "signals to others", SYS_kill, { 1, 0 } },
	{ "signals to threads of others", SYS_tgkill, { 1, 1, 0 } },
	{ "others' memory", SYS_ptrace, { 0, 1, 0, 0 } },
	{ "a limit", SYS_prlimit64, { 0, RLIMIT_NOFILE, (long)"0123456789abcde", 0 } },
	{ "another limit", SYS_prlimit64, { 0, RLIMIT_CORE, 0, 0 } },
	{ "another user", SYS_setuid, { 0 } },
	{ "being dumped", SYS_prctl, { 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0 } },
};

START_TEST(calls_with_a_use)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		ck_assert_msg(end_of(&allowed[i]) == 0, "%s", allowed[i].what);
}
END_TEST

START_TEST(calls_without_use)
{
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int status = end_of(&forbidden[i]);

		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s",
			      forbidden[i].what);
	}
}
END_TEST

SUITE_MAIN("sandbox", calls_with_a_use, calls_without_use)
