/* proto/udp_flow.h: inside of the UDP relay: what its parts share.
 *
 *	proto/udp.c          flows' life, the host's datagrams to the guest
 *	proto/udp_send.c     the guest's datagrams to the host
 *	proto/udp_client.c   clients of forwards
 *	proto/udp_echo.c     knows our own datagrams to groups again
 */
#ifndef PROTO_UDP_FLOW_H
#define PROTO_UDP_FLOW_H

#include "proto/udp.h"
#include "proto/udp_echo.h"

#define UDP_BATCH 256 /* datagrams of the guest that go out together */
#define UDP_RX	  64  /* datagrams read together */

/* RFC 4787 calls it a mapping: one of the guest's ports and one peer. */
struct udp_flow {
	struct flow flow;
	void *sock;		     /* the host's; NULL for a forward's client */
	struct udp_client_sock *via; /* the forward's; NULL for what the guest opened */
	struct udp_client client;    /* and its client */
	struct udp_path path;	     /* to that */
	struct list of_via;
	struct list unassured; /* no lively exchange yet: first to go when room is needed */
	struct list paused;    /* not read until the link has room */
	bool keeps_port;
	bool group; /* the peer is a group or a broadcast address: anybody may answer */
	const struct conf_timeouts *timeouts;

	/* the guest's datagrams */
	struct host_ip ip;     /* of those in the batch */
	struct host_ip ip_set; /* of what is sent now */
	struct list dirty;     /* has some in the batch */
	uint16_t batch_first, batch_last, n_batch;
	struct list queue;		  /* those that the socket did not take */
	size_t queued;			  /* bytes */
	uint16_t last_len, last_checksum; /* of the latest header, to be quoted in errors */
};

/* A datagram of the guest that waits for the end of the batch. */
struct udp_pending {
	struct iovec payload; /* in the frame */
	uint16_t next;	      /* of the same flow */
};

struct udp {
	const struct udp_host_ops *ops;
	void *host;
	struct list unassured; /* oldest first */

	struct udp_pending batch[UDP_BATCH];
	unsigned n_batch;
	struct list dirty;
	size_t queued; /* bytes of all flows */

	/* Only one guest address of a family has its ports kept at a time, else two of them
	 * could end up with the same addresses and ports on the host's side. */
	struct udp_keeper {
		struct addr guest;
		size_t n; /* flows that keep their port */
	} keepers[2];	  /* of IPv6, of IPv4 */

	struct udp_echoes echoes; /* of what went to groups */

	bool full; /* the link has no room; sockets that turn readable are paused */
	struct list paused, waiting;
	uint8_t *rx; /* room for UDP_RX datagrams */
	struct udp_datagram rx_got[UDP_RX];
	size_t rx_offset; /* in rx_got[rx_next] */
	struct udp_flow *rx_flow; /* whose datagrams rx_next .. rx_end still wait for room */
	int rx_next, rx_end;
};

static inline struct udp_flow *udp_flow_of(struct flow *f)
{
	return container_of(f, struct udp_flow, flow);
}

/* A flow in the table, not yet usable.  When the table is full, an older flow makes room. NULL
 * and *err (an errno). */
struct udp_flow *udp_flow_new(struct env *env, const struct flow_key *key, enum flow_dir dir,
			      int *err);
void udp_flow_close(struct env *env, struct udp_flow *f, enum flow_close_reason reason);

/* A datagram passed: counts it and puts the flow's end off. */
void udp_flow_out(struct env *env, struct udp_flow *f, size_t len);
void udp_flow_in(struct env *env, struct udp_flow *f, size_t len);

/* What the socket is watched for follows from the flow's state. */
void udp_flow_watch(struct env *env, struct udp_flow *f);

/* One datagram to the guest, with the TTL and TOS of `d`; 0 or -ENOBUFS, and then u->full is set. */
int udp_to_guest(struct env *env, struct udp_flow *f, const struct udp_datagram *d,
		 const void *data, size_t len);

/* Tells the guest of an ICMP error about what it sent. */
void udp_error_to_guest(struct env *env, struct udp_flow *f, const struct host_error *e);

/* Passes the ICMP errors that came for the flow's socket on to the guest; how many. */
int udp_read_errors(struct env *env, struct udp_flow *f);

/* Puts the packet's payload into the batch. */
void udp_send(struct env *env, struct udp_flow *f, const struct pkt *p);
/* Sends the flow's part of the batch. */
void udp_send_flush(struct env *env, struct udp_flow *f);
/* The socket takes datagrams again. */
void udp_send_queued(struct env *env, struct udp_flow *f);
/* Forgets what is queued. */
void udp_send_forget(struct env *env, struct udp_flow *f);

#endif
