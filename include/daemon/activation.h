/* daemon/activation.h: listening sockets that the process that started us hands over
 * (sd_listen_fds(3)). */
#ifndef DAEMON_ACTIVATION_H
#define DAEMON_ACTIVATION_H

#include <stddef.h>

#define ACTIVATION_PATH_MAX                                                                    \
	109 /* with a zero, which the path in a socket's address may lack                      \
	     */

enum activation_socket {
	ACTIVATION_GUEST,   /* "guest": for QEMU */
	ACTIVATION_CONTROL, /* "control", "status", "api": as the options of these names */
	ACTIVATION_STATUS,
	ACTIVATION_API,
	N_ACTIVATION_SOCKETS
};

/* Descriptors; -1 for what was not handed over. */
struct activation {
	int fds[N_ACTIVATION_SOCKETS];
};

/* Takes what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES tell of, if it is meant for us, and keeps it from
 * programs that we might start; accept() will not wait there.  A socket that is alone and has none
 * of the names above is the guest's.  0, or -errno with the reason, for people, in `reason`: for
 * names that are not known or come twice, and for what is no listening UNIX stream socket. */
int activation_take(struct activation *a, char *reason, size_t max);

/* The path that a socket is bound to; "" for one that was not handed over or has none. */
void activation_path(const struct activation *a, enum activation_socket which,
		     char path[static ACTIVATION_PATH_MAX]);

/* Adds those of control and status to our command line, where posternctl list looks for them.
 */
void activation_show(const struct activation *a, int argc, char *const argv[]);

#endif
