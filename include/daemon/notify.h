/* daemon/notify.h: tells a service manager how we are (sd_notify(3)). */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Connects to the socket that NOTIFY_SOCKET names.  0 with *fd -1 without one; -errno. */
int notify_open(int *fd);

/* Sends `state`, such as "READY=1"; nothing with an fd of -1.  0 or -errno. */
int notify_send(int fd, const char *state);

#endif
