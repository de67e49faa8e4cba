/* daemon/daemon.h: the whole program. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

/* Runs postern until it is asked to end; returns its exit status. */
int daemon_main(int argc, char **argv);

#endif
