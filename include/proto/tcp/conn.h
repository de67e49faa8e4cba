/* proto/tcp/conn.h: one connection; for the files of proto/tcp alone.
 *
 * Theory of operation
 *
 * The guest's end is a TCP of our own, the host's end a struct tcp_host_ops.
 *
 * From the guest: in-order payload of a batch stays where the link received it, as a chain of
 * pieces; at the end of the batch one send() hands all of it to the host side.  What that does
 * not take is copied to the receive queue, which has room for all that the window promised,
 * and goes when the host side is writable.  So every byte inside the window is accepted the
 * moment it comes, and is acknowledged once a batch.
 *
 * The window is a promise kept by the receive queue alone.  What a kernel's send buffer takes
 * besides is not counted on, so it never has to be asked, and the right edge never moves back.
 *
 * To the guest: bytes stay in the host side until the guest acknowledges them; they are peeked
 * from there, for the first time and for retransmissions.  Nothing is buffered here.
 */
#ifndef PROTO_TCP_CONN_H
#define PROTO_TCP_CONN_H

#include "proto/tcp/recvq.h"
#include "proto/tcp/rto.h"
#include "proto/tcp/sack.h"
#include "proto/tcp/seq.h"
#include "proto/tcp/tcp.h"

#define TCP_PIECES_MAX	8192 /* of one batch of frames */
#define TCP_TOUCHED_MAX 1024 /* connections of one batch: the link has room for their ACKs */
#define TCP_WSCALE	4	/* ours: windows to 1 MiB in steps of 16 bytes */
#define TCP_MSS_DEFAULT 536	/* RFC 9293 3.7.1 */
#define TCP_MSS_DEFAULT6 1220	/* likewise, for IPv6 */
#define TCP_MSS_MIN	88	/* below, headers are all there is */

/* RFC 9293 3.3.2, and CONNECTING: the guest's SYN came, the host side is not connected yet. */
enum tcp_state {
	TCP_CONNECTING,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
	N_TCP_STATES
};

struct tcp_conn {
	struct flow flow; /* first */
	const struct tcp_host_ops *host_ops;
	void *host; /* NULL once closed */

	uint8_t state; /* enum tcp_state */
	bool host_readable : 1; /* bytes or the end may stand in the host side, not sent yet */
	bool host_blocked : 1;	/* send() took less than it was given; a WRITE event will come */
	bool host_eof : 1;	/* the end of the host's stream was found */
	bool host_shut : 1;	/* the guest's FIN was passed on */
	bool fin_seen : 1;	/* guest's FIN is at fin_seq, perhaps behind a hole */
	bool fin_received : 1;	/* ... and rcv_nxt is past it */
	bool fin_sent : 1;	/* our FIN is at snd_fin */
	bool ack_now : 1;	/* the guest is owed an ACK */
	bool sack_ok : 1;	/* the guest takes SACK blocks */
	bool wscale_ok : 1;	/* window scaling was offered by the guest, or is offered to it */
	bool host_end : 1;	/* the host side told of the end, which may stand behind bytes */
	bool quick_ack : 1;	/* the ACK that is owed must not be delayed */
	bool go_back : 1;	/* recovery from a timeout: everything in flight counts as lost */
	bool recovering : 1;	/* until `recover` is acknowledged */
	bool rtt_timed : 1;	/* rtt_seq is being timed */
	bool held_back : 1;	/* the guest's window is silly, more waits than it takes */
	bool override : 1;	/* ... and has been for long enough */
	uint8_t snd_wscale, rcv_wscale;
	uint8_t dupacks;
	uint8_t turns_owed;  /* exchanges of one small segment each way before an ACK may wait */
	uint8_t n_questions; /* segments with data from the guest since ours */
	uint16_t mss; /* of segments to the guest, payload bytes */
	uint16_t mss_guest; /* ... that the guest takes, whatever the path */

	/* receive sequence space; recvq.base is the first byte that the host side has not got */
	uint32_t irs, rcv_nxt;
	uint32_t rcv_adv; /* right edge of the window as advertised */
	uint32_t rcv_acked; /* the last ACK that was sent */
	uint32_t promised;  /* its part of tcp.promised */
	uint32_t fin_seq;
	struct tcp_recvq recvq;

	/* send sequence space */
	uint32_t iss, snd_una, snd_nxt; /* snd_nxt: highest sent, plus one */
	uint32_t snd_wnd, snd_wnd_max, snd_wl1, snd_wl2;
	uint32_t snd_fin;
	uint32_t recover, rtx_nxt; /* recovery: its end, and the next byte to send again */
	uint32_t rtt_seq;
	uint64_t rtt_start_ns;
	struct tcp_sack sack;
	struct tcp_rto rto;

	uint64_t rtx_deadline_ns;   /* retransmission or window probe; TIMERQ_NEVER: none */
	uint64_t retry_due_ns;	    /* send() to the blocked host side is tried; TIMERQ_NEVER: not */
	uint64_t ack_limit_ns;	    /* no further ACK of pure ACKs before (RFC 5961 7) */

	uint32_t n_retransmits;	    /* segments sent to the guest again */
	uint32_t epoch;		    /* when data of the guest came last; see struct tcp */

	/* this batch */
	struct list batch; /* of connections that were touched */
	int first_piece, last_piece; /* indexes in struct tcp, -1: none */
	uint32_t n_acked;	     /* bytes acknowledged but not consumed yet */

	struct list turn; /* waits for room in the link, or for its turn */
	struct shaper_place to_guest,
		to_host;    /* its places in the lines of those two shapers */
	struct list delack; /* its ACK waits for data to ride on */
	uint64_t delack_due_ns;
};

struct tcp_piece {
	const uint8_t *data;
	uint32_t len;
	int next;
};

struct tcp {
	const struct tcp_dialer *dialer;
	const struct tcp_service *service;
	struct hash_key isn_key;
	struct tcp_chunk_pool pool;

	struct tcp_piece pieces[TCP_PIECES_MAX];
	int n_pieces;
	struct list touched;
	int n_touched;

	struct list delacks;  /* by deadline */
	struct timer delack_timer;
	struct list ready;    /* turn ended for fairness */
	struct list roomless; /* the link was full */
	bool room_failed;     /* ... and is so now: set by tcp_wait_for_room() */
	struct list resets;   /* that found no room */
	unsigned n_resets;

	/* How many connections brought data lately, for their share of memory: counted in
	 * epochs of a fixed length. */
	uint64_t epoch_end_ns;
	uint32_t epoch, n_active, n_active_before;
	uint64_t promised; /* bytes of windows, beyond what every connection has */
};

/* state.c */
const char *tcp_state_name(enum tcp_state s);
/* The only place that changes the state: logs it and arms what the new state waits for. */
void tcp_set_state(struct env *env, struct tcp_conn *c, enum tcp_state s);
/* Whether the guest may still send data, and we to it. */
bool tcp_receives(const struct tcp_conn *c);
bool tcp_sends(const struct tcp_conn *c);
/* When the state ends if nothing comes, as a deadline. */
uint64_t tcp_state_deadline(const struct env *env, const struct tcp_conn *c);

/* conn.c */
/* Ends a connection: tells the guest with a reset unless it knows, the host side likewise. */
void tcp_abort(struct env *env, struct tcp_conn *c, enum flow_close_reason reason);
/* Likewise one whose host side failed with `err`, an errno. */
void tcp_fail(struct env *env, struct tcp_conn *c, int err);
/* Ends a connection whose both directions are finished. */
void tcp_finish(struct env *env, struct tcp_conn *c, enum flow_close_reason reason);
/* Ends it if nothing is left to do; false when it did. */
bool tcp_check_done(struct env *env, struct tcp_conn *c);
/* Opens a connection for the guest's SYN. */
enum drop tcp_open_from_guest(struct env *env, const struct pkt *p);
void tcp_touch(struct env *env, struct tcp_conn *c);

/* input.c */
/* Whether the segment may open a connection. */
bool tcp_is_syn(const struct tcp_hdr *h);
/* One segment of the guest for this connection (RFC 9293 3.10.7).  The connection may be gone
 * afterwards. */
enum drop tcp_input(struct env *env, struct tcp_conn *c, const struct pkt *p);
/* Takes sequence number, window and options of the guest's SYN. */
void tcp_take_syn(struct env *env, struct tcp_conn *c, const struct tcp_hdr *h);

/* deliver.c: guest to host */
/* In-order payload, or payload within the window behind a hole.  False when the connection is
 * gone. */
bool tcp_deliver(struct env *env, struct tcp_conn *c, uint32_t seq, const uint8_t *data, uint32_t len);
/* Hands pieces and queue to the host side, then a FIN that they end in; false when the
 * connection is gone. */
bool tcp_flush_to_host(struct env *env, struct tcp_conn *c);

/* window.c */
/* The window field of a segment that leaves now; moves rcv_adv. */
uint16_t tcp_window_advertise(struct env *env, struct tcp_conn *c);
/* The same for a segment with SYN, whose window is never scaled (RFC 7323 2.2). */
uint16_t tcp_window_first(struct env *env, struct tcp_conn *c);
/* The guest sent data on this connection: it counts as active. */
void tcp_window_used(struct env *env, struct tcp_conn *c);
/* The connection is about to end. */
void tcp_window_forget(struct env *env, const struct tcp_conn *c);
/* Whether so much room has returned that the guest must be told. */
bool tcp_window_opened(struct env *env, const struct tcp_conn *c);

/* delack.c: ACKs that ride on answers */
/* Sends the ACK that is owed, or leaves it to the data that is about to answer. */
void tcp_ack(struct env *env, struct tcp_conn *c);
/* The guest sent a segment with data, or we did. */
void tcp_delack_question(struct tcp_conn *c);
void tcp_delack_answer(struct tcp_conn *c);
void tcp_delack_timer_fired(struct timer *t, void *env);

/* output.c: to the guest */
static inline size_t tcp_ip_header_len(const struct flow_key *key)
{
	return addr_is_ip4(&key->guest) ? IP4_HEADER_LEN : IP6_HEADER_LEN;
}

/* Payload bytes of a segment in a packet of `mtu` bytes. */
static inline uint16_t tcp_mss(uint16_t mtu, const struct flow_key *key)
{
	return (uint16_t)(mtu - tcp_ip_header_len(key) - TCP_HEADER_LEN);
}

/* Makes segments as large as the guest and the path to it take now. */
void tcp_follow_path(const struct env *env, struct tcp_conn *c);
/* A segment without payload; false when the link has no room for it. */
bool tcp_send_control(struct env *env, struct tcp_conn *c, uint32_t seq, uint8_t flags);
/* The ACK that is owed, now or when the link has room. */
void tcp_send_ack(struct env *env, struct tcp_conn *c);
/* SYN, or SYN and ACK, as the state asks; now or when the link has room. */
void tcp_send_syn(struct env *env, struct tcp_conn *c);
/* New data as far as window, room and fairness allow; then FIN at the end of the stream.
 * False when the connection is gone. */
bool tcp_output(struct env *env, struct tcp_conn *c);
/* Sends [seq, seq + len) from the host side, in segments; how many bytes, or -errno:
 * -ENOBUFS the link is full (and the connection waits for it), -EAGAIN no bytes there; 0 at the
 * end of the stream.  *drained: fewer bytes were there than would have been taken. */
ssize_t tcp_send_data(struct env *env, struct tcp_conn *c, uint32_t seq, uint32_t len, bool *drained);
/* A segment without payload, its checksum and addresses from `key`, with the flow's label; false
 * without room. */
bool tcp_send_bare(struct env *env, const struct flow_key *key, uint32_t label,
		   const struct tcp_hdr *h);
/* Goes on as soon as the link has room. */
void tcp_wait_for_room(struct env *env, struct tcp_conn *c);

/* reset.c */
/* A reset for a segment or connection known by its key only; now or when the link has room. */
void tcp_send_reset(struct env *env, const struct flow_key *key, uint32_t seq, uint32_t ack,
		    uint8_t flags);
/* Answers a segment that belongs to no connection (RFC 9293 3.10.7.1). */
void tcp_reset_stray(struct env *env, const struct pkt *p);
void tcp_send_owed_resets(struct env *env);
void tcp_forget_owed_resets(struct tcp *t);

/* retransmit.c */
/* The guest acknowledged up to `ack`, which is new. */
void tcp_rtx_acked(struct env *env, struct tcp_conn *c, uint32_t ack);
/* An ACK that moved nothing, or told of data behind a hole, came while data is in flight. */
void tcp_rtx_duplicate(struct env *env, struct tcp_conn *c);
/* The guest's window was closed, and is not any more. */
void tcp_rtx_reopened(struct env *env, struct tcp_conn *c);
/* Sends what recovery asks for now; false when the connection is gone. */
bool tcp_rtx_continue(struct env *env, struct tcp_conn *c);
/* The retransmission timer ran out with data, FIN or a closed window outstanding; false when the
 * connection is gone. */
bool tcp_rtx_timeout(struct env *env, struct tcp_conn *c);
/* Arms retransmission, window probe, override of a silly window or nothing, from the state of the send side. */
void tcp_rtx_arm(struct env *env, struct tcp_conn *c);

/* timer.c */
void tcp_timer_fired(struct timer *t, void *env);
/* Makes the flow's timer fire no later than its earliest deadline. */
void tcp_timer_update(struct env *env, struct tcp_conn *c);

#endif
