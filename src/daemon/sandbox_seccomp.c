/* daemon/sandbox_seccomp.c: the system calls that we have a use for, once all is open. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "daemon/sandbox_layer.h"

#define ARG(n, mask, value) .n_args = 1, .args = { SCMP_CMP32(n, SCMP_CMP_MASKED_EQ, mask, value) }
#define ARGS(...)	    .n_args = 2, .args = { __VA_ARGS__ }
#define SOCKET(family, type, protocol)                                                             \
	.n_args = 3, .args = { IS(0, family), SCMP_CMP32(1, SCMP_CMP_MASKED_EQ, TYPE_MASK, type),  \
			       IS(2, protocol) }
#define IS(n, value)	    SCMP_CMP32(n, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)(value))
#define HAS_NOT(n, bits)    SCMP_CMP32(n, SCMP_CMP_MASKED_EQ, (uint32_t)(bits), 0)
#define TYPE_MASK	    0xfu /* of a socket's type, whose upper bits are flags */

struct rule {
	int call; /* negative where the machine has none of this name */
	const char *reason;
	unsigned n_args; /* all of which must be as said */
	struct scmp_arg_cmp args[3];
};

/* Several rows for one call: any of them allows it. */
static const struct rule rules[] = {
	/* the loop */
	{ SCMP_SYS(epoll_wait), "what happens" },
	{ SCMP_SYS(epoll_pwait), "the same, where there is no other" },
	{ SCMP_SYS(epoll_ctl), "sockets come and go" },
	{ SCMP_SYS(sched_yield), "others are let work while a burst gathers" },
	{ SCMP_SYS(timerfd_settime), "the next deadline" },
	{ SCMP_SYS(poll), "whether a peer is still there; whether standard error takes a line" },
	{ SCMP_SYS(ppoll), "the same, where there is no other" },
	{ SCMP_SYS(ppoll_time64), "the same, on machines of 32 bits" },
	{ SCMP_SYS(timerfd_settime64), "the next deadline, likewise" },
	{ SCMP_SYS(rt_sigreturn), "signals that end us" },
	{ SCMP_SYS(restart_syscall), "a wait goes on after the process was stopped" },

	/* sockets */
	{ SCMP_SYS(socket), "TCP over IPv4", SOCKET(AF_INET, SOCK_STREAM, 0) },
	{ SCMP_SYS(socket), "over IPv6; no protocol that the kernel would load a module for",
	  SOCKET(AF_INET6, SOCK_STREAM, 0) },
	{ SCMP_SYS(socket), "UDP over IPv4", SOCKET(AF_INET, SOCK_DGRAM, 0) },
	{ SCMP_SYS(socket), "over IPv6", SOCKET(AF_INET6, SOCK_DGRAM, 0) },
	{ SCMP_SYS(socket), "echo over IPv4", SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) },
	{ SCMP_SYS(socket), "over IPv6", SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6) },
	{ SCMP_SYS(socket), "the tables of addresses and routes",
	  ARGS(IS(0, AF_NETLINK), IS(2, 0 /* NETLINK_ROUTE */)) },
	{ SCMP_SYS(socket), "names of interfaces; no streams, as other services have them",
	  ARGS(IS(0, AF_UNIX), SCMP_CMP32(1, SCMP_CMP_MASKED_EQ, TYPE_MASK, SOCK_DGRAM)) },
	{ SCMP_SYS(bind), "forwards, source addresses" },
	{ SCMP_SYS(listen), "forwards" },
	{ SCMP_SYS(accept4), "clients of forwards and of the control socket, the guest" },
	{ SCMP_SYS(accept), "the same, by older C libraries" },
	{ SCMP_SYS(connect), "flows" },
	{ SCMP_SYS(shutdown), "ends of streams" },
	{ SCMP_SYS(getsockname), "what the kernel chose" },
	{ SCMP_SYS(getpeername), "whether a socket is connected" },
	{ SCMP_SYS(getsockopt), "errors, state of TCP, who a client is" },
	{ SCMP_SYS(setsockopt), "options of flows" },
	{ SCMP_SYS(sendto), "data; the system log" },
	{ SCMP_SYS(sendmsg), "data" },
	{ SCMP_SYS(sendmmsg), "data" },
	{ SCMP_SYS(recvfrom), "data" },
	{ SCMP_SYS(recvmsg), "data, errors" },
	{ SCMP_SYS(recvmmsg), "data" },
	{ SCMP_SYS(recvmmsg_time64), "the same, on machines of 32 bits" },
	{ SCMP_SYS(send), "the same, on some machines" },
	{ SCMP_SYS(recv), "the same, on some machines" },
	{ SCMP_SYS(ioctl), "bytes that wait in a socket, for who asks", ARG(1, UINT32_MAX, SIOCINQ) },
	{ SCMP_SYS(ioctl), "likewise", ARG(1, UINT32_MAX, SIOCOUTQ) },
	{ SCMP_SYS(ioctl), "number of an interface", ARG(1, UINT32_MAX, SIOCGIFINDEX) },
	{ SCMP_SYS(ioctl), "name of an interface", ARG(1, UINT32_MAX, SIOCGIFNAME) },

	/* descriptors */
	{ SCMP_SYS(read), "data, timers, events" },
	{ SCMP_SYS(readv), "data" },
	{ SCMP_SYS(write), "data, log" },
	{ SCMP_SYS(writev), "data" },
	{ SCMP_SYS(close), "sockets come and go" },
	{ SCMP_SYS(pread64), "a full log file, the pid file" },
	{ SCMP_SYS(pwrite64), "the same" },
	{ SCMP_SYS(ftruncate), "the same" },
	{ SCMP_SYS(fcntl), "a full log file is appended to no more, for a moment; nobody is sent a signal",
	  ARG(1, UINT32_MAX, F_SETFL) },
	{ SCMP_SYS(fcntl64), "the same, on machines of 32 bits", ARG(1, UINT32_MAX, F_SETFL) },
	{ SCMP_SYS(fcntl), "whether what a client passes for a capture can be written to",
	  ARG(1, UINT32_MAX, F_GETFL) },
	{ SCMP_SYS(fcntl64), "the same, on machines of 32 bits", ARG(1, UINT32_MAX, F_GETFL) },
	{ SCMP_SYS(lseek), "standard error, by the C library" },
	{ SCMP_SYS(_llseek), "the same, on machines of 32 bits" },
	{ SCMP_SYS(dup2), "letting go of the terminal" },
	{ SCMP_SYS(dup3), "the same, where there is no other" },

	/* files: in the root that is left, for reading; folders that are open lead no further */
	{ SCMP_SYS(openat), "resolv.conf",
	  ARGS(IS(0, AT_FDCWD), HAS_NOT(2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_TMPFILE)) },
	{ SCMP_SYS(open), "the same, by older C libraries",
	  ARG(1, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_TMPFILE, 0) },
	{ SCMP_SYS(readlink), "where resolv.conf leads" },
	{ SCMP_SYS(readlinkat), "the same, where there is no other" },
	{ SCMP_SYS(inotify_init1), "changes of resolv.conf" },
	{ SCMP_SYS(inotify_add_watch), "the same" },
	{ SCMP_SYS(fstat), "the log file's size; our own files" },
	{ SCMP_SYS(newfstatat), "the same" },
	{ SCMP_SYS(fstat64), "the same, on machines of 32 bits" },
	{ SCMP_SYS(fstatat64), "the same, on machines of 32 bits" },
	{ SCMP_SYS(statx), "the same, by some C libraries" },
	{ SCMP_SYS(unlinkat), "our own files go at the end" },
	{ SCMP_SYS(chdir), "no folder stays in use for us" },

	/* memory, of which none that can be written is ever run */
	{ SCMP_SYS(brk), "memory" },
	{ SCMP_SYS(mmap), "memory", ARG(2, PROT_EXEC, 0) },
	{ SCMP_SYS(mmap2), "the same, on machines of 32 bits", ARG(2, PROT_EXEC, 0) },
	{ SCMP_SYS(mprotect), "memory", ARG(2, PROT_EXEC, 0) },
	{ SCMP_SYS(mremap), "memory" },
	{ SCMP_SYS(munmap), "memory" },
	{ SCMP_SYS(madvise), "memory" },
	{ SCMP_SYS(futex), "locks of the C library" },
	{ SCMP_SYS(futex_time64), "the same, on machines of 32 bits" },

	/* the process */
	{ SCMP_SYS(clock_gettime), "the time, where the kernel does not lay it out for reading" },
	{ SCMP_SYS(clock_gettime64), "the same" },
	{ SCMP_SYS(gettimeofday), "the same" },
	{ SCMP_SYS(time), "the same" },
	{ SCMP_SYS(getrandom), "ports and ids that nobody guesses" },
	{ SCMP_SYS(getpid), "the pid file and the log" },
	{ SCMP_SYS(gettid), "how the C library ends a process" },
	{ SCMP_SYS(geteuid), "whether a client is our own user" },
	{ SCMP_SYS(geteuid32), "the same, on machines of 32 bits" },
	{ SCMP_SYS(sysinfo), "memory for sorting, by the C library" },
	{ SCMP_SYS(prlimit64), "whether descriptors run out; no limit is set",
	  ARGS(IS(1, RLIMIT_NOFILE), SCMP_CMP64(2, SCMP_CMP_EQ, 0)) },
	{ SCMP_SYS(getrlimit), "the same, by some C libraries" },
	{ SCMP_SYS(ugetrlimit), "the same, on machines of 32 bits" },
	{ SCMP_SYS(rt_sigaction), "the end" },
	{ SCMP_SYS(rt_sigprocmask), "the end" },
	{ SCMP_SYS(exit), "the end" },
	{ SCMP_SYS(exit_group), "the end" },
};

static int allow(scmp_filter_ctx filter, const struct rule *rule)
{
	int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, rule->n_args,
					rule->args);

	return rc == -EDOM ? 0 : rc; /* there is no such call on this machine */
}

/* An assertion that fails ends us with its own signal, which nobody else gets. */
static int allow_abort(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

int sandbox_filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (!filter)
		return -ENOMEM;
	rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* speed: no code of others runs in here, against which branches would be guarded; rules are
	 * found by halving.  Without either, it works as well. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; !rc && i < sizeof(rules) / sizeof(rules[0]); i++)
		rc = allow(filter, &rules[i]);
	if (!rc)
		rc = allow_abort(filter);
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}
