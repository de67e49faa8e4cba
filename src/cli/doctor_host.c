/* cli/doctor_host.c: tries what a daemon would do. */
#include "cli/doctor.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

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

void doctor_host_init(struct doctor_host *host)
{
	struct rlimit files;
	int n;

	*host = (struct doctor_host){ .root = "", .uid = geteuid(), .groups = { getegid() } };
	n = getgroups(sizeof(host->groups) / sizeof(host->groups[0]) - 1, host->groups + 1);
	host->n_groups = 1 + (n > 0 ? (unsigned)n : 0);
	if (!getrlimit(RLIMIT_NOFILE, &files))
		host->files_max = files.rlim_max;
	host->has_peek_off = takes_number(SOCK_STREAM, SOL_SOCKET, SO_PEEK_OFF, 0);
	host->has_udp_segments = takes_number(SOCK_DGRAM, IPPROTO_UDP, UDP_SEGMENT, 1400) &&
				 takes_number(SOCK_DGRAM, IPPROTO_UDP, UDP_GRO, 1);
	host->may_bind_device = takes(SOCK_DGRAM, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
}
