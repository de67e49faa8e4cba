/* daemon/daemon_priv.h: the daemon's parts and the order in which they live. */
#ifndef DAEMON_DAEMON_PRIV_H
#define DAEMON_DAEMON_PRIV_H

#include "daemon/activation.h"
#include "daemon/own_file.h"
#include "daemon/pid_file.h"
#include "daemon/sandbox.h"
#include "daemon/settings.h"
#include "host/dns_sock.h"
#include "host/icmp_sock.h"
#include "host/net_watch.h"
#include "host/netinfo.h"
#include "host/multicast_sock.h"
#include "host/resolv_watch.h"
#include "host/udp_sock.h"
#include "link/capture_file.h"
#include "proto/env.h"

struct ctl;
struct ctl_daemon_ops;
struct edge_set;
struct listen;
struct stream_link;

struct daemon {
	struct settings settings; /* what `conf` was made of */
	struct conf conf;
	struct activation activation; /* descriptors that a part takes over when it starts */
	struct env env;
	struct net net;
	struct loop *loop;
	struct stream_link *link;
	struct own_file link_file;
	struct udp_socks udp_socks;
	struct icmp_socks icmp_socks;
	struct multicast_socks multicast_socks;
	struct dns_sock_host dns_socks;
	struct edge_set *edges; /* of TCP connections' sockets, and of captures */
	struct capture_files capture_files;
	struct listen *listen;	/* sockets of port forwards */
	struct resolv_watch resolvers;
	struct net_watch net_watch;
	struct netinfo host; /* what `net` was made of */
	bool host_lost;	     /* the host has less than that now */
	struct ctl *ctl;
	struct own_file control_file, status_file, api_file;
	struct own_file fds; /* the folder in /proc that has our descriptors */
	struct pid_file pid_file;
	struct sandbox sandbox;
	struct timer stats_timer; /* of --stats */
	struct stats stats_told;
	int fd_manager; /* the service manager's socket; -1: there is none */
	int fd_parent; /* where a process waits until we are ready; -1: nowhere */
};

/* A part starts when all before it in the table run, and stops before they do.  A start that
 * fails has told the reason as a log_error(), and has nothing left to stop. */
struct daemon_part {
	int (*start)(struct daemon *d); /* 0 or -errno; NULL: nothing to do */
	void (*stop)(struct daemon *d);
};

/* daemon/part_capture.c: captures of the guest's link. */
int part_capture_start(struct daemon *d);
void part_capture_stop(struct daemon *d);
void part_capture_end(struct daemon *d);   /* while there is somebody to tell */
bool part_capture_flush(struct daemon *d); /* as captures_flush() */

/* daemon/part_net.c: the guest's network, and what it follows. */
int part_net_start(struct daemon *d);
void part_net_stop(struct daemon *d);

/* daemon/part_link.c: the guest's link, and its opening. */
int part_link_make(struct daemon *d);
void part_link_close(struct daemon *d);
int part_link_start(struct daemon *d);
void part_link_stop(struct daemon *d);

/* daemon/part_services.c: what answers the guest. */
int part_services_start(struct daemon *d);
void part_services_stop(struct daemon *d);
bool part_services_want_multicast(const struct conf *c);
struct multicast *part_services_make_multicast(struct daemon *d); /* as multicast_new() */

/* daemon/part_ctl.c: the control service, which hears of all that happens, and its sockets. */
int part_ctl_make(struct daemon *d);
void part_ctl_free(struct daemon *d);
int part_ctl_start(struct daemon *d);
void part_ctl_stop(struct daemon *d);

/* daemon/part_stats.c: what --stats tells. */
int part_stats_start(struct daemon *d);
void part_stats_stop(struct daemon *d);
void part_stats_adjust(struct daemon *d); /* conf.stats_s is another */

/* daemon/part_config.c: what control clients see and change of the options. */
extern const struct ctl_daemon_ops daemon_ops;

/* daemon/reconfigure.c */

/* Puts `next`, which is right as options, into effect and in the place of d->conf, which is in
 * `next` then.  0, or -errno with the reason in `reason`, and nothing is changed. */
int daemon_reconfigure(struct daemon *d, struct conf *next, char *reason, size_t reason_max);

/* daemon/part_sandbox.c: what keeps the process in; nothing that it could be let out of again. */
int part_sandbox_start(struct daemon *d);
void part_sandbox_stop(struct daemon *d);

/* daemon/part_forwards.c: what comes to the guest unasked. */
int part_forwards_start(struct daemon *d);
void part_forwards_stop(struct daemon *d);

#endif
