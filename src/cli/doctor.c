/* cli/doctor.c: the checks. */
#include "cli/doctor.h"

#include <inttypes.h>
#include <limits.h>
#include <net/route.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS_DEFAULT 65536 /* of --max-flows: a descriptor each */
#define FILES_FEW     4096
#define BURST_BUFFER  4194304 /* of a UDP socket */
#define LINK_BUFFER   1048576

static void __attribute__((format(printf, 4, 5)))
find(struct finding *f, enum finding_state state, const char *mend, const char *fmt, ...)
{
	va_list ap;

	f->state = state;
	f->mend = mend;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static FILE *open_file(const struct doctor_host *host, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", host->root, name);
	return fopen(path, "re");
}

/* The numbers at the beginning of a file; how many of them there are. */
static int read_numbers(const struct doctor_host *host, const char *name, uint64_t *a, uint64_t *b)
{
	FILE *f = open_file(host, name);
	int n = f ? fscanf(f, "%" SCNu64 " %" SCNu64, a, b) : 0;

	if (f)
		fclose(f);
	return n < 0 ? 0 : n;
}

/* `otherwise`: what an absent file means. */
static uint64_t read_number(const struct doctor_host *host, const char *name, uint64_t otherwise)
{
	uint64_t value, unused;

	return read_numbers(host, name, &value, &unused) ? value : otherwise;
}

static void check_ping(const struct doctor_host *host, struct finding *f)
{
	uint64_t first = 1, last = 0; /* nobody */

	read_numbers(host, "/proc/sys/net/ipv4/ping_group_range", &first, &last);
	for (unsigned i = 0; i < host->n_groups; i++)
		if (host->groups[i] >= first && host->groups[i] <= last) {
			find(f, FINDING_OK, NULL, "ping sockets are allowed");
			return;
		}
	find(f, FINDING_PROBLEM, "sysctl net.ipv4.ping_group_range='0 2147483647'",
	     "ping sockets are not for %s: the guest's pings are refused",
	     host->uid ? "our groups" : "the group nobody, in which root's daemon goes on");
}

static void check_low_ports(const struct doctor_host *host, struct finding *f)
{
	uint64_t start =
		read_number(host, "/proc/sys/net/ipv4/ip_unprivileged_port_start", 1024);

	if (start <= 1 || !host->uid)
		find(f, FINDING_OK, NULL, "every port can be forwarded%s", start <= 1 ? "" : " by root's daemon");
	else
		find(f, FINDING_NOTE, "sysctl net.ipv4.ip_unprivileged_port_start=0, or CAP_NET_BIND_SERVICE",
		     "forwards of ports below %" PRIu64 " fail without a capability", start);
}

static void check_open_files(const struct doctor_host *host, struct finding *f)
{
	static const char mend[] = "raise the hard limit: LimitNOFILE= of a service, nofile in limits.conf";

	if (host->files_max > FLOWS_DEFAULT)
		find(f, FINDING_OK, NULL, "there are descriptors for all flows");
	else
		find(f, host->files_max < FILES_FEW ? FINDING_PROBLEM : FINDING_NOTE, mend,
		     "there are descriptors for fewer than %" PRIu64 " flows", host->files_max);
}

/* What the datagrams of a burst need until they are read. */
static void check_receive_buffer(const struct doctor_host *host, struct finding *f)
{
	uint64_t max = host->receive_buffer;

	if (max >= BURST_BUFFER)
		find(f, FINDING_OK, NULL, "UDP sockets may buffer bursts");
	else
		find(f, FINDING_NOTE, "sysctl net.core.rmem_max=4194304",
		     "UDP sockets buffer %" PRIu64 " bytes at most: bursts to the guest may lose datagrams",
		     max);
}

/* The link is a UNIX socket, whose send buffer is limited by this. */
static void check_send_buffer(const struct doctor_host *host, struct finding *f)
{
	uint64_t max = host->send_buffer;

	if (max >= LINK_BUFFER)
		find(f, FINDING_OK, NULL, "the link to the guest may buffer");
	else
		find(f, FINDING_NOTE, "sysctl net.core.wmem_max=1048576",
		     "the link buffers %" PRIu64 " bytes at most: a busy guest is woken more often", max);
}

static void check_resolvers(const struct doctor_host *host, struct finding *f)
{
	FILE *file = open_file(host, "/etc/resolv.conf");
	char line[512], word[512];
	unsigned n = 0;

	while (file && fgets(line, sizeof(line), file))
		n += sscanf(line, " nameserver %511s", word) == 1;
	if (file)
		fclose(file);
	if (n)
		find(f, FINDING_OK, NULL, "resolv.conf names a server");
	else
		find(f, FINDING_PROBLEM, "name one in /etc/resolv.conf, or with --dns",
		     "resolv.conf names no server: the guest finds no names");
}

/* A line of /proc/net/route: interface, destination, gateway, flags, ..., mask.  One that refuses
 * everything is no route. */
static bool has_route4(const struct doctor_host *host)
{
	FILE *file = open_file(host, "/proc/net/route");
	unsigned destination, flags, mask;
	bool found = false;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		found |= sscanf(line, "%*s %x %*s %x %*s %*s %*s %x", &destination, &flags, &mask) == 3 &&
			 !destination && !mask && !(flags & RTF_REJECT);
	if (file)
		fclose(file);
	return found;
}

/* A line of /proc/net/ipv6_route: destination, its length, ..., flags, interface.  The kernel's own
 * entry that refuses everything is on lo. */
static bool has_route6(const struct doctor_host *host)
{
	FILE *file = open_file(host, "/proc/net/ipv6_route");
	char line[512], destination[64], interface[64];
	bool found = false;
	unsigned len;

	while (file && fgets(line, sizeof(line), file))
		found |= sscanf(line, "%63s %x %*s %*s %*s %*s %*s %*s %*s %63s", destination, &len,
				interface) == 3 &&
			 !len && strspn(destination, "0") == strlen(destination) &&
			 strcmp(interface, "lo") != 0;
	if (file)
		fclose(file);
	return found;
}

static void check_route(bool has, bool has_other, const char *family, struct finding *f)
{
	if (has)
		find(f, FINDING_OK, NULL, "there is a default route of %s", family);
	else
		find(f, has_other ? FINDING_NOTE : FINDING_PROBLEM, "give the host a default route",
		     "there is no default route of %s: the guest reaches only what the host does", family);
}

static void check_route4(const struct doctor_host *host, struct finding *f)
{
	check_route(has_route4(host), has_route6(host), "IPv4", f);
}

static void check_route6(const struct doctor_host *host, struct finding *f)
{
	check_route(has_route6(host), has_route4(host), "IPv6", f);
}

static void check_user_namespaces(const struct doctor_host *host, struct finding *f)
{
	static const char cost[] = "without them an ordinary user's daemon has a sandbox of fewer layers";

	if (!host->uid)
		find(f, FINDING_OK, NULL, "root needs no user namespaces");
	else if (!read_number(host, "/proc/sys/user/max_user_namespaces", 0))
		find(f, FINDING_PROBLEM, "sysctl user.max_user_namespaces=10000",
		     "there are no user namespaces: %s", cost);
	else if (!read_number(host, "/proc/sys/kernel/unprivileged_userns_clone", 1))
		find(f, FINDING_PROBLEM, "sysctl kernel.unprivileged_userns_clone=1",
		     "user namespaces are for root: %s", cost);
	else
		find(f, FINDING_OK, NULL, "user namespaces are allowed");
}

static void check_apparmor(const struct doctor_host *host, struct finding *f)
{
	if (!host->uid ||
	    !read_number(host, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0))
		find(f, FINDING_OK, NULL, "AppArmor does not restrict user namespaces");
	else
		find(f, FINDING_NOTE, "load the AppArmor profile that comes with postern",
		     "AppArmor gives user namespaces only to programs with a profile: else the sandbox "
		     "has fewer layers");
}

static void check_seccomp(const struct doctor_host *host, struct finding *f)
{
	FILE *file = open_file(host, "/proc/sys/kernel/seccomp/actions_avail");

	if (file) {
		find(f, FINDING_OK, NULL, "the kernel filters system calls");
		fclose(file);
	} else {
		find(f, FINDING_PROBLEM, "use a kernel with CONFIG_SECCOMP_FILTER",
		     "the kernel filters no system calls: the sandbox lacks that layer");
	}
}

static void check_peek_off(const struct doctor_host *host, struct finding *f)
{
	if (host->has_peek_off)
		find(f, FINDING_OK, NULL, "TCP has SO_PEEK_OFF");
	else
		find(f, FINDING_NOTE, "use Linux 6.9 or later",
		     "TCP has no SO_PEEK_OFF: data for the guest costs more time");
}

static void check_udp_segments(const struct doctor_host *host, struct finding *f)
{
	if (host->has_udp_segments)
		find(f, FINDING_OK, NULL, "UDP has UDP_SEGMENT and UDP_GRO");
	else
		find(f, FINDING_NOTE, "use Linux 5.0 or later",
		     "UDP lacks UDP_SEGMENT or UDP_GRO: bulk datagrams cost more time");
}

static void check_bind_device(const struct doctor_host *host, struct finding *f)
{
	if (host->may_bind_device)
		find(f, FINDING_OK, NULL, "sockets can be bound to an interface");
	else
		find(f, FINDING_NOTE, "use Linux 5.7 or later, or CAP_NET_RAW",
		     "sockets cannot be bound to an interface: forwards and --outbound-if4 of one fail");
}

const struct doctor_check doctor_checks[] = {
	{ "ping", check_ping },
	{ "low-ports", check_low_ports },
	{ "open-files", check_open_files },
	{ "receive-buffer", check_receive_buffer },
	{ "send-buffer", check_send_buffer },
	{ "resolvers", check_resolvers },
	{ "route-ip4", check_route4 },
	{ "route-ip6", check_route6 },
	{ "user-namespaces", check_user_namespaces },
	{ "apparmor", check_apparmor },
	{ "seccomp", check_seccomp },
	{ "peek-off", check_peek_off },
	{ "udp-segments", check_udp_segments },
	{ "bind-device", check_bind_device },
};
const size_t n_doctor_checks = sizeof(doctor_checks) / sizeof(doctor_checks[0]);
