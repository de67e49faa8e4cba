/* posternctl doctor: each check on hosts where it is well and where it is not. */
#include "cli/doctor.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/suite.h"

static char root[] = "/tmp/check_doctor.XXXXXX";
static char path[PATH_MAX];
static struct doctor_host host;

static const char *prepare(void)
{
	return mkdtemp(root) ? NULL : "no folder";
}

/* The host has this file and no other; NULL: none. */
static void set_file(const char *name, const char *text)
{
	FILE *f;

	if (path[0])
		unlink(path);
	path[0] = '\0';
	if (!name)
		return;
	snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *p = strchr(path + strlen(root) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

/* An ordinary user's, on a new kernel. */
static void set_host(void)
{
	host = (struct doctor_host){ .root = root,
				     .uid = 1000,
				     .groups = { 1000, 27 },
				     .n_groups = 2,
				     .files_max = 1048576,
				     .has_peek_off = true,
				     .has_udp_segments = true,
				     .may_bind_device = true };
	set_file(NULL, NULL);
}

static void look(const char *name, struct finding *f)
{
	for (size_t i = 0; i < n_doctor_checks; i++) {
		if (strcmp(doctor_checks[i].name, name) != 0)
			continue;
		*f = (struct finding){ 0 };
		doctor_checks[i].check(&host, f);
		return;
	}
	ck_abort_msg("there is no check '%s'", name);
}

static void assert_state(const char *name, enum finding_state state)
{
	struct finding f;

	look(name, &f);
	ck_assert_msg(f.state == state, "%s: state %d, not %d", name, f.state, state);
	ck_assert(f.text[0]);
	ck_assert_msg((f.mend == NULL) == (state == FINDING_OK), "%s", name);
}

static void assert_file(const char *name, const char *file, const char *text,
			enum finding_state state)
{
	set_file(file, text);
	assert_state(name, state);
}

START_TEST(ping)
{
	static const char file[] = "/proc/sys/net/ipv4/ping_group_range";
	struct finding f;

	set_host();
	assert_state("ping", FINDING_PROBLEM);
	assert_file("ping", file, "1\t0\n", FINDING_PROBLEM);
	assert_file("ping", file, "0\t2147483647\n", FINDING_OK);
	assert_file("ping", file, "27\t27\n", FINDING_OK);
	assert_file("ping", file, "28\t999\n", FINDING_PROBLEM);
	look("ping", &f);
	ck_assert_str_eq(f.text, "ping sockets are not for our groups: the guest's pings are refused");
	host.uid = 0;
	look("ping", &f);
	ck_assert(strstr(f.text, "group nobody"));
}
END_TEST

START_TEST(low_ports)
{
	static const char file[] = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
	struct finding f;

	set_host();
	assert_state("low-ports", FINDING_NOTE);
	assert_file("low-ports", file, "0\n", FINDING_OK);
	assert_file("low-ports", file, "80\n", FINDING_NOTE);
	look("low-ports", &f);
	ck_assert_str_eq(f.text, "forwards of ports below 80 fail without a capability");
	host.uid = 0; /* whose daemon keeps that */
	assert_state("low-ports", FINDING_OK);
}
END_TEST

START_TEST(open_files)
{
	set_host();
	assert_state("open-files", FINDING_OK);
	host.files_max = 65536;
	assert_state("open-files", FINDING_NOTE);
	host.files_max = 1024;
	assert_state("open-files", FINDING_PROBLEM);
}
END_TEST

START_TEST(buffers)
{
	set_host();
	host.receive_buffer = host.send_buffer = 212992;
	assert_state("receive-buffer", FINDING_NOTE);
	assert_state("send-buffer", FINDING_NOTE);
	host.receive_buffer = 4194304;
	host.send_buffer = 1048576;
	assert_state("receive-buffer", FINDING_OK);
	assert_state("send-buffer", FINDING_OK);
}
END_TEST

START_TEST(resolvers)
{
	static const char file[] = "/etc/resolv.conf";

	set_host();
	assert_state("resolvers", FINDING_PROBLEM);
	assert_file("resolvers", file, "search example.com\n# nameserver 192.0.2.1\n",
		    FINDING_PROBLEM);
	assert_file("resolvers", file, "nameserver 192.0.2.1\n", FINDING_OK);
}
END_TEST

#define ROUTE4_HEAD                                                                            \
	"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
#define ROUTE6_ZEROS "00000000000000000000000000000000"

START_TEST(routes)
{
	static const char file4[] = "/proc/net/route", file6[] = "/proc/net/ipv6_route";

	set_host();
	assert_state("route-ip4", FINDING_PROBLEM);
	assert_state("route-ip6", FINDING_PROBLEM);
	assert_file("route-ip4", file4,
		    ROUTE4_HEAD "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		    FINDING_PROBLEM);
	assert_file("route-ip4", file4,
		    ROUTE4_HEAD "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
		    FINDING_OK);
	assert_state("route-ip6", FINDING_NOTE); /* there is the other family */
	assert_file("route-ip4", file4,
		    ROUTE4_HEAD "*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n",
		    FINDING_PROBLEM);
	assert_file("route-ip6", file6,
		    ROUTE6_ZEROS " 00 " ROUTE6_ZEROS " 00 " ROUTE6_ZEROS
				 " ffffffff 00000001 00000000 00200200       lo\n",
		    FINDING_PROBLEM);
	assert_file("route-ip6", file6,
		    ROUTE6_ZEROS " 00 " ROUTE6_ZEROS
				 " 00 fe800000000000000000000000000001 00000400 00000001 00000000 "
				 "00000003     eth0\n",
		    FINDING_OK);
	assert_state("route-ip4", FINDING_NOTE);
}
END_TEST

START_TEST(user_namespaces)
{
	set_host();
	assert_state("user-namespaces", FINDING_PROBLEM);
	assert_file("user-namespaces", "/proc/sys/user/max_user_namespaces", "0\n", FINDING_PROBLEM);
	assert_file("user-namespaces", "/proc/sys/user/max_user_namespaces", "100\n", FINDING_OK);
	host.uid = 0;
	assert_file("user-namespaces", "/proc/sys/user/max_user_namespaces", "0\n", FINDING_OK);
}
END_TEST

START_TEST(apparmor)
{
	static const char file[] = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

	set_host();
	assert_state("apparmor", FINDING_OK);
	assert_file("apparmor", file, "0\n", FINDING_OK);
	assert_file("apparmor", file, "1\n", FINDING_NOTE);
	host.uid = 0;
	assert_state("apparmor", FINDING_OK);
}
END_TEST

START_TEST(seccomp)
{
	set_host();
	assert_state("seccomp", FINDING_PROBLEM);
	assert_file("seccomp", "/proc/sys/kernel/seccomp/actions_avail", "kill_process errno allow\n",
		    FINDING_OK);
}
END_TEST

START_TEST(kernel)
{
	set_host();
	assert_state("peek-off", FINDING_OK);
	assert_state("udp-segments", FINDING_OK);
	assert_state("bind-device", FINDING_OK);
	host.has_peek_off = host.has_udp_segments = host.may_bind_device = false;
	assert_state("peek-off", FINDING_NOTE);
	assert_state("udp-segments", FINDING_NOTE);
	assert_state("bind-device", FINDING_NOTE);
}
END_TEST

/* Whatever this host is like, each check says something, and knows what it is about. */
START_TEST(this_host)
{
	doctor_host_init(&host);
	ck_assert_uint_ge(host.n_groups, 1);
	ck_assert_uint_gt(host.files_max, 0);
	for (size_t i = 0; i < n_doctor_checks; i++) {
		struct finding f;

		look(doctor_checks[i].name, &f);
		ck_assert(f.text[0]);
		ck_assert((f.mend == NULL) == (f.state == FINDING_OK));
	}
}
END_TEST

SUITE_MAIN_AFTER(prepare, "doctor", ping, low_ports, open_files, buffers, resolvers, routes,
		 user_namespaces, apparmor, seccomp, kernel, this_host)
