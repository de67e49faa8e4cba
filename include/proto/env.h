/* proto/env.h: what every handler works with: settings, tables, clock, the guest's link.
 *
 * Handlers reach the outside only through the operation tables named here, so that tests
 * put fakes behind them.  A handler has at most two entries: X_from_guest(env, pkt) and
 * X_from_host(env, ...).
 */
#ifndef PROTO_ENV_H
#define PROTO_ENV_H

#include <sys/types.h>

#include "base/timerq.h"
#include "flow/stats.h"
#include "flow/table.h"
#include "proto/error_limit.h"
#include "proto/limit.h"
#include "proto/net.h"
#include "proto/path_mtu.h"
#include "proto/sandbox.h"
#include "proto/shaper.h"
#include "wire/pkt.h"

/* The guest's link: a batch of frames out, and how much room is left.
 *
 * reserve() and commit() go in pairs, with nothing of the link between them; a reservation that
 * is not committed is void. */
struct guest_ops {
	/* Finds room for up to `n` frames of up to `frame_max` bytes each and stores where each
	 * is to be written; returns how many (0: none now).  All room for `bulk` data (what can
	 * stay in a host socket) ends before that for replies to the guest's frames does: the
	 * link stops reading from the guest while there is no room for a reply, so a reply
	 * always finds it. */
	int (*reserve)(void *link, bool bulk, size_t frame_max, int n, uint8_t *frames[]);
	/* Sends the first `n` reserved frames: all of frame_max bytes but the last, which has
	 * `last_len`.  Frames shorter than Ethernet's minimum are padded. */
	void (*commit)(void *link, int n, size_t last_len);
};

#define GUEST_IP6_MAX 16

/* What we know of the guest from what it sent. */
struct guest {
	bool connected;	 /* a client is on the link */
	pid_t client_pid; /* its process; 0: unknown */
	uint64_t changed_ns; /* when one came or left; 0: never */
	bool mac_known;
	struct mac mac;	 /* broadcast until known */
	bool addr_known;
	struct addr addr; /* the IPv4 source it uses; what forwards are sent to */
	struct addr ip6[GUEST_IP6_MAX]; /* and those of IPv6, the one used last first */
	unsigned n_ip6;
	uint64_t seen_ns;
};

struct captures;
struct dhcp4;
struct dhcp6;
struct dns;
struct event_ops;
struct forwards;
struct icmp;
struct multicast;
struct ndp;
struct reassembly;
struct tcp;
struct udp;

struct env {
	uint64_t now_ns; /* monotonic, taken once a wake-up of the loop */
	const struct conf *conf;
	struct net *net;
	const struct sandbox_status *sandbox; /* by enum sandbox_layer; NULL: there is none */
	struct flow_table flows;
	struct timerq timers;
	struct stats stats;
	uint64_t limits_reached[N_LIMITS]; /* so often */
	struct guest guest;
	struct path_mtus path_mtus; /* behind the guest */
	struct shaper to_guest, to_host;
	struct bucket new_flows;
	uint32_t next_ip_id; /* identification of packets to the guest */
	struct error_limit error_limit; /* of ICMP errors to the guest */

	const struct guest_ops *guest_ops;
	void *link;
	bool burst; /* datagrams come faster than one by one: more would gather if we waited */

	uint32_t events_wanted; /* bits by enum event_kind, see proto/event.h */
	const struct event_ops *event_ops;
	void *listener;

	struct captures *captures;
	unsigned capturing; /* how many captures run: only then are they shown any frames */

	struct tcp *tcp;
	struct udp *udp;
	struct icmp *icmp;
	struct multicast *multicast; /* NULL without --multicast */
	struct dns *dns;
	struct ndp *ndp;
	struct dhcp4 *dhcp4;
	struct dhcp6 *dhcp6;
	struct forwards *forwards;
	struct reassembly *reassembly;
};

/* Handles one frame from the guest.  Views into it that handlers keep are valid until
 * demux_batch_end().  Returns the reason when it was dropped, which is counted here. */
enum drop demux_from_guest(struct env *env, const uint8_t *frame, size_t len);

/* The link's batch of frames is over: sends to hosts what it brought, and the ACKs for it. */
void demux_batch_end(struct env *env);

/* Goes on with what was cut short for fairness; whether there is still more. */
bool demux_run_ready(struct env *env);

/* The link has room for bulk data again. */
void demux_room(struct env *env);

/* The guest's client came or left: flows of the old one are reset. */
void demux_guest_up(struct env *env);
void demux_guest_down(struct env *env);

/* The guest's network is not what it was: what we tell without being asked is told anew. */
void demux_network_changed(struct env *env);

/* Puts the rates of the configuration into effect. */
void env_set_rates(struct env *env);

/* A frame of the guest, or what it carried, goes no further. */
void env_drop(struct env *env, enum drop reason);

/* To be called only while env->capturing, see proto/capture.h: a frame of the guest begins to be
 * handled; it was, and dropped for a reason or not; the link has a frame for the guest. */
void capture_frame_begins(struct env *env);
void capture_from_guest(struct env *env, const uint8_t *frame, size_t len, enum drop reason);
void capture_to_guest(struct env *env, const uint8_t *frame, size_t len);

#endif
