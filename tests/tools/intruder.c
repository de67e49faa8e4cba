/* tools/intruder.c: a guest's intrusion, played: preloaded into the daemon (LD_PRELOAD), it makes the
 * system call that a frame asks for, "intruder: NAME".
 *
 * A call that comes back is answered by the end of the process, with the status 42.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK "intruder: "

static const char *const shell[] = { "/bin/sh", "-c", "exit 42", NULL };
static const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
static char page[4096] __attribute__((aligned(4096)));

static const struct {
	const char *name;
	long nr;
	long args[6];
} calls[] = {
	{ "nothing", SYS_getpid, { 0 } },
	{ "execve", SYS_execve, { (long)"/bin/sh", (long)shell, 0 } },
	{ "clone", SYS_clone, { SIGCHLD } },
	{ "write", SYS_openat, { AT_FDCWD, (long)"/etc/passwd", O_WRONLY } },
	{ "create", SYS_openat, { AT_FDCWD, (long)"/tmp/x", O_CREAT, 0600 } },
	{ "climb", SYS_openat, { 3, (long)"../../etc/shadow", O_RDONLY } },
	{ "stream", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 } },
	{ "frames", SYS_socket, { AF_PACKET, SOCK_RAW, 0 } },
	{ "ptrace", SYS_ptrace, { PTRACE_ATTACH, 1, 0, 0 } },
	{ "kill", SYS_kill, { 1, SIGTERM } },
	{ "owner", SYS_fcntl, { 0, F_SETOWN, 1 } },
	{ "module", SYS_socket, { AF_INET, SOCK_STREAM, 132 /* SCTP */ } },
	{ "code", SYS_mprotect, { (long)page, sizeof(page), PROT_READ | PROT_EXEC } },
	{ "unshare", SYS_unshare, { CLONE_NEWUSER } },
	{ "mount", SYS_mount, { (long)"/", (long)"/", 0, 0x1000 /* MS_BIND */, 0 } },
	{ "setuid", SYS_setuid, { 0 } },
	{ "limit", SYS_prlimit64, { 0, RLIMIT_CORE, (long)&any, 0 } },
	{ "dumpable", SYS_prctl, { 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0 } },
	{ "memory", SYS_process_vm_readv, { 1, 0, 0, 0, 0, 0 } },
	{ "ring", 425 /* SYS_io_uring_setup, everywhere */, { 1, (long)page } },
	{ "bpf", SYS_bpf, { 0, (long)page, 0 } },
	{ "keys", SYS_keyctl, { 0, 0, 0 } },
};

/* Through whatever folder is open. */
static void remove_above(void)
{
	for (int fd = 3; fd < 64; fd++)
		syscall(SYS_unlinkat, fd, "../victim", 0);
	syscall(SYS_exit_group, 42);
}

static void intrude(const char *name, size_t len)
{
	if (len >= strlen("remove") && !strncmp(name, "remove", strlen("remove")))
		remove_above();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const long *a = calls[i].args;

		if (len < strlen(calls[i].name) || strncmp(name, calls[i].name, strlen(calls[i].name)))
			continue;
		syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		syscall(SYS_exit_group, 42);
	}
}

/* In the place of the C library's. */
ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t n = recvfrom(fd, buf, len, flags, NULL, NULL);
	const char *mark = n > 0 ? memmem(buf, (size_t)n, MARK, strlen(MARK)) : NULL;

	if (mark) {
		mark += strlen(MARK);
		intrude(mark, (size_t)((char *)buf + n - mark));
	}
	return n;
}
