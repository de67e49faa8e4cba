/* lib/model_guest.h: a guest's TCP, much simplified, that behaves as Linux does where the relay
 * could notice: slow start, fast retransmit with SACK or without, timeouts of 200 ms and more,
 * delayed ACKs, silly window avoidance, a window that never shrinks unless told to.
 *
 * It has one connection.  Its application writes a known stream and checks the one it reads
 * (bytes of fake_host_byte()).  It checks the relay, too: nothing beyond the window, no ACK of
 * what was not sent, a right edge that never moves back. */
#ifndef TESTS_LIB_MODEL_GUEST_H
#define TESTS_LIB_MODEL_GUEST_H

#include "lib/rng.h"
#include "proto/tcp/sack.h"
#include "wire/pkt.h"

struct model_settings {
	uint16_t mss;
	bool has_wscale, sack, nodelay;
	uint8_t wscale;
	uint32_t rcvbuf;
	uint64_t ack_delay_ns;
	unsigned drop_pm; /* data in the window that there is no memory for, per mille */
	bool drop_once;	  /* ... the first time that it comes */
	bool shrinks;	  /* then closes its window at once, taking back what it promised */
	bool fin_at_once; /* sends FIN though the window is closed */
	bool in_order;	  /* segments come as sent: the right edge may never move back */
};

struct model_guest {
	struct model_settings set;
	struct rng *rng;
	uint64_t now_ns;
	uint16_t port, peer_port;
	/* a segment leaves; its payload begins at this byte of the stream */
	void (*send)(struct model_guest *m, const struct tcp_hdr *h, uint64_t at, uint32_t len);
	void *ctx;

	bool syn_sent, established;
	bool reset; /* by either side */

	/* application */
	uint32_t seed, peer_seed;
	uint64_t n_written, n_read;
	bool ended; /* FIN stands behind the last byte written */

	/* sender */
	uint32_t iss, una, nxt, wnd, max_wnd, wl1, wl2;
	uint32_t edge; /* as the relay told, the highest */
	uint8_t snd_wscale;
	uint16_t peer_mss;
	uint32_t cwnd, ssthresh, recover, rtx_nxt;
	unsigned dupacks, backoff;
	bool recovering, lost_all, fin_sent, rtt_timed;
	struct tcp_sack sacked;
	uint32_t rtt_seq;
	uint64_t srtt_ns, rtt_start_ns, rtx_due_ns; /* 0: not armed */

	/* receiver */
	uint32_t irs, rcv_nxt, told; /* told: right edge of the window */
	uint32_t told_max;
	uint8_t rcv_wscale;
	bool fin_seen, fin_received, window_shut, sack_ok;
	uint32_t fin_seq, n_unacked, last_out_of_order;
	struct tcp_sack ranges; /* behind the first hole */
	uint32_t highest;	/* that ever came, plus one */
	uint64_t ack_due_ns;	/* 0: none waits */

	/* counters */
	unsigned n_timeouts, n_retransmits, n_probes, n_dropped;
	unsigned n_known; /* segments of which every byte was there already */
};

/* Opens; or waits for a SYN. */
void model_connect(struct model_guest *m);
void model_listen(struct model_guest *m);

void model_input(struct model_guest *m, const struct pkt *p);

/* When model_tick() has something to do; TIMERQ_NEVER. */
uint64_t model_next(const struct model_guest *m);
void model_tick(struct model_guest *m);

/* The application. */
void model_write(struct model_guest *m, uint64_t n, bool end);
void model_read(struct model_guest *m, uint64_t n);
void model_abort(struct model_guest *m);

/* What the application could read now. */
uint64_t model_readable(const struct model_guest *m);

/* Both directions are over, or it was reset. */
bool model_done(const struct model_guest *m);

#endif
