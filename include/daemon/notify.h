/* daemon/notify.h: tells a service manager how we are (sd_notify(3)). */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Sends `state`, such as "READY=1", to the socket that NOTIFY_SOCKET names; nothing without
 * one.  0 or -errno. */
int notify_manager(const char *state);

#endif
