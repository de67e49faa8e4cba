/* flow/flow.h: what every flow has, whatever its protocol.
 *
 * A flow is one conversation of the guest with one peer: a TCP connection, a UDP
 * pseudo-connection, an ICMP echo session.  Protocols embed struct flow as the first
 * member of their own struct; the table never looks at the rest.
 *
 * Life:
 *   - allocated zeroed by the protocol, which fills `class`, `key`, `dir`, then
 *     flow_table_insert(): from now on the table finds it and lists it;
 *   - the protocol keeps the counters and `used_ns` and owns `timer`;
 *   - flow_table_remove(): takes it out, cancels the timer, records why.  The protocol
 *     frees its struct after that.  The reference to the name goes to the record of it.
 */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "base/addr.h"
#include "base/list.h"
#include "base/timerq.h"
#include "flow/name.h"

enum flow_proto { FLOW_TCP, FLOW_UDP, FLOW_ICMP, N_FLOW_PROTOS };
enum flow_dir {
	FLOW_OUT, /* opened by the guest */
	FLOW_IN	  /* through a port forward */
};

enum flow_end { FLOW_END_NONE, FLOW_END_GUEST, FLOW_END_PEER };

/* The flow as the guest sees it; no padding bytes, it is hashed whole. */
struct flow_key {
	struct addr guest, peer;
	uint16_t guest_port; /* ICMP echo: identifier */
	uint16_t peer_port;  /* ICMP echo: 0 */
	uint32_t proto;	     /* enum flow_proto */
};

enum flow_close_reason {
	FLOW_CLOSED_NOT,      /* still open */
	FLOW_CLOSED_FINISHED, /* both sides are done */
	FLOW_CLOSED_IDLE,     /* nothing for its timeout */
	FLOW_CLOSED_GUEST_RESET,
	FLOW_CLOSED_PEER_RESET,
	FLOW_CLOSED_REFUSED,	  /* the peer, or the guest for a forward, refused */
	FLOW_CLOSED_UNREACHABLE,  /* host, net or protocol unreachable */
	FLOW_CLOSED_TIMED_OUT,	  /* no answer to connect or to retransmissions */
	FLOW_CLOSED_GUEST_LEFT,	  /* the guest's link went away */
	FLOW_CLOSED_BY_OPERATOR,  /* flow-close */
	FLOW_CLOSED_HOST_ERROR,	  /* another error of the host socket */
	FLOW_CLOSED_PREEMPTED,	  /* made room for a new flow */
	FLOW_CLOSED_SHUTDOWN,	  /* the daemon ended */
	FLOW_CLOSED_ADDRESS_GONE, /* the host no longer has the address it used */
	N_FLOW_CLOSE_REASONS
};

struct flow;
struct flow_details;
struct env;

/* What the table and the control socket need to know of a protocol. */
struct flow_class {
	const char *name; /* "tcp" */
	/* The state's standard name, such as "ESTABLISHED". */
	const char *(*state)(const struct flow *f);
	/* Ends the flow at once: tells both sides as the protocol does (RST, nothing for UDP),
	 * removes it from the table and frees it.  With FLOW_CLOSED_GUEST_LEFT nothing is sent
	 * to the guest. */
	void (*close)(struct env *env, struct flow *f, enum flow_close_reason reason);
	/* Nanoseconds until the flow would end if nothing came any more; 0: not known. */
	uint64_t (*timeout)(const struct env *env, const struct flow *f);
	/* Fills `d`, which is zeroed; may ask the kernel.  NULL: there is nothing to tell. */
	void (*details)(const struct flow *f, struct flow_details *d);
	/* Ends the flow in order: each side is told that the other has finished, and what is under
	 * way still arrives.  NULL: there is no such thing, and close() does. */
	void (*finish)(struct env *env, struct flow *f);
};

struct flow {
	const struct flow_class *class;
	struct flow_key key;
	uint64_t id; /* never used twice in a daemon's life, from 1 */
	uint64_t hash;
	enum flow_dir dir;
	uint16_t error; /* an errno: the host's socket failed with it; 0: it did not */
	uint8_t silent; /* enum flow_end: which owed an answer for too long, once it timed out
			 */
	struct endpoint host; /* our end of the host socket; port 0 while unknown */
	struct endpoint peer; /* the true peer on the host's network, after address mapping */
	struct flow_name *name; /* that the guest asked for, of the peer's address; NULL: none */
	uint64_t forward;	/* the id of the rule that it came through; 0: none */
	uint64_t created_ns, used_ns;
	/* Payload from and to the guest, of a stream each byte once; by flow_count(). */
	uint64_t bytes_out, bytes_in;
	uint64_t packets_out, packets_in;
	uint64_t rated_ns;	 /* when payload went last */
	float rate_out, rate_in; /* as they were then, see flow_rate_at() */
	struct timer timer;
	struct list all; /* of the table, oldest first */
};

/* Bytes a second at `now_ns`, where they were `rate` at `then_ns` and nothing went since.  A
 * byte counts as one a second when it goes, as less from then on, and as nothing once a second
 * passed without any: a mean, of which the last second makes up two thirds, and the last three
 * nearly all. */
static inline float flow_rate_at(float rate, uint64_t then_ns, uint64_t now_ns)
{
	uint64_t rest = now_ns - then_ns;

	return rest < NS_PER_SEC ? rate * (1 - (float)rest / NS_PER_SEC) : 0;
}

/* Payload went from the guest, and to it. */
static inline void flow_count(struct flow *f, uint64_t now_ns, uint64_t out, uint64_t in)
{
	f->bytes_out += out;
	f->bytes_in += in;
	if (now_ns != f->rated_ns) {
		f->rate_out = flow_rate_at(f->rate_out, f->rated_ns, now_ns);
		f->rate_in = flow_rate_at(f->rate_in, f->rated_ns, now_ns);
		f->rated_ns = now_ns;
	}
	f->rate_out += (float)out;
	f->rate_in += (float)in;
}

/* The IPv6 flow label of packets to the guest: the same for all of a flow, and not to be guessed
 * (RFC 6437 3); of a hash whose lower bits place the flow in the table. */
static inline uint32_t flow_label(uint64_t hash)
{
	return (uint32_t)(hash >> 44);
}

/* "idle", "peer-reset", ... */
const char *flow_close_reason_name(enum flow_close_reason reason);
const char *flow_proto_name(enum flow_proto proto);
const char *flow_dir_name(enum flow_dir dir); /* "out", "in" */

/* Clients that have one address in the guest's eyes, and one port, are shown to it with different
 * ports: choice 0 is their own, the others are dynamic ports (RFC 6335 6). */
#define FLOW_PORT_CHOICES 65
uint16_t flow_port_choice(uint16_t port, unsigned choice);

#endif
