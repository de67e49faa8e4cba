/* cli/doctor_host.c: tries what a daemon would do. */
#include "cli/doctor.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODY	      65534 /* where no file tells, as with the daemon */
#define BUFFER_WANTED (64 << 20)

/* Whether a socket of this type takes the option. */
static bool takes(int type, int level, int option, const void *value, socklen_t len)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	bool taken;

	if (fd < 0)
		return false;
	taken = !setsockopt(fd, level, option, value, len);
	close(fd);
	return taken;
}

static bool takes_number(int type, int level, int option, int value)
{
	return takes(type, level, option, &value, sizeof(value));
}

/* How large a buffer may be.  What the sysctls say is not to be seen in a namespace of an older kernel,
 * but holds there. */
static uint64_t buffer_max(int option)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = BUFFER_WANTED;
	socklen_t len = sizeof(size);

	if (fd < 0)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, option, &size, sizeof(size)) ||
	    getsockopt(fd, SOL_SOCKET, option, &size, &len))
		size = 0;
	close(fd);
	return (uint64_t)size / 2; /* the kernel doubles it (socket(7)) */
}

/* A daemon that root starts goes on as nobody, in no other group. */
static void read_groups(struct doctor_host *host)
{
	const struct passwd *nobody = host->uid ? NULL : getpwnam("nobody");
	int n;

	if (!host->uid) {
		host->groups[0] = nobody ? nobody->pw_gid : NOBODY;
		host->n_groups = 1;
		return;
	}
	host->groups[0] = getegid();
	n = getgroups(sizeof(host->groups) / sizeof(host->groups[0]) - 1, host->groups + 1);
	host->n_groups = 1 + (n > 0 ? (unsigned)n : 0);
}

void doctor_host_init(struct doctor_host *host)
{
	struct rlimit files;

	*host = (struct doctor_host){ .root = "", .uid = geteuid() };
	read_groups(host);
	if (!getrlimit(RLIMIT_NOFILE, &files))
		host->files_max = files.rlim_max;
	host->receive_buffer = buffer_max(SO_RCVBUF);
	host->send_buffer = buffer_max(SO_SNDBUF);
	host->has_peek_off = takes_number(SOCK_STREAM, SOL_SOCKET, SO_PEEK_OFF, 0);
	host->has_udp_segments = takes_number(SOCK_DGRAM, IPPROTO_UDP, UDP_SEGMENT, 1400) &&
				 takes_number(SOCK_DGRAM, IPPROTO_UDP, UDP_GRO, 1);
	host->may_bind_device = takes(SOCK_DGRAM, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
}
