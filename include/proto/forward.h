/* proto/forward.h: port forwards: the table of rules, and where their clients come in.
 *
 * The sockets of a rule are opened through struct forward_host_ops.  A TCP client becomes a
 * connection to the guest, a datagram part of a UDP flow.  The guest sees the client's own
 * address (net_to_guest() says which one stands for the host's loopback) and port.  A client whose
 * family the target does not have, or the guest does not use, is led there in the other family, and
 * looks to the guest as one on the host's loopback does.
 */
#ifndef PROTO_FORWARD_H
#define PROTO_FORWARD_H

#include "proto/env.h"
#include "proto/forward_error.h"

#define FORWARD_PATIENCE_NS (10 * NS_PER_SEC)

struct host_error;
struct tcp_conn;
struct tcp_host_ops;
struct udp_client;
struct udp_client_sock;

/* A rule whose sockets are open. */
struct forward {
	struct forward_rule rule; /* a port that the kernel picked is filled in */
	uint64_t id;		  /* never used twice in a daemon's life, from 1 */
	bool picked;		  /* the rule asked for port 0 */
	unsigned n_open;	  /* ports that clients can reach */
	unsigned n_failed;	  /* best effort: ports that could not be had */
	uint16_t failed_port;	  /* the first of them */
	int failed_error;	  /* and why, an errno */
	uint64_t n_clients;	  /* TCP clients taken, or UDP datagrams */
	uint64_t n_refused;	  /* TCP clients reset, or UDP datagrams lost */

	/* kept by the table */
	struct list link;
	void **sockets; /* one for each port of the rule, NULL where there is none */
	unsigned next;	/* while it is opened or closed: the port whose turn it is */
};

struct forward_host_ops {
	/* Opens the socket of one port; port 0 becomes the one that the kernel picked.  NULL
	 * and *err (an errno) on failure. */
	void *(*open)(void *host, struct forward *f, uint16_t *port, int *err);
	void (*close)(const struct forward *f, void *socket);
	/* Whether the interface that the socket is bound to is gone for good: one of the same
	 * name is another. */
	bool (*is_stranded)(const struct forward *f, void *socket);
};

/* NULL without memory. */
struct forwards *forwards_new(struct env *env, const struct forward_host_ops *ops, void *host,
			      const struct forward_ports *ports);

/* Closes all sockets; TCP connections go on. */
void forwards_free(struct forwards *fs);

/* What shall change. */
struct forward_request {
	enum { FORWARD_ADD, FORWARD_SET, FORWARD_REMOVE, FORWARD_REMOVE_ID } verb;
	enum flow_proto proto;
	const char *const *specs;
	size_t n_specs;
	uint64_t id;
};

/* How it went. */
struct forward_outcome {
	bool over;	   /* else it is under way, and nothing else here means anything */
	int rc;		   /* how many rules there were in what was asked for, or -errno */
	uint64_t first_id; /* of those that were added; the others follow */
	struct forward_error error; /* the reason, which names protocol, address and port */
};

/* Begins a change, which then goes on in portions, so that thousands of ports hold nothing else up.
 * All or nothing:
 *
 *	FORWARD_ADD        opens what the SPECs say
 *	FORWARD_SET        makes the rules of the protocol those that the SPECs say; those that are
 *			   there already stay as they are.  Where a new rule takes the place of an
 *			   old one, that is closed first, and opened again if the new one cannot be had
 *	FORWARD_REMOVE     closes the rules that the SPECs make: no new clients, and the end of their
 *			   UDP flows.  -ENOENT when one of them is not there
 *	FORWARD_REMOVE_ID  likewise, the rule with this id
 *
 * -EINVAL for the text, -ENOSPC beyond FORWARD_RULES_MAX rules, -EPERM for a protocol that is
 * switched off, or the system's -errno.  What is opened is shown by forwards_next() once all is.
 * Not to be called while another change is under way. */
void forwards_begin(struct forwards *fs, const struct forward_request *r,
		    struct forward_outcome *o);

/* Whether a change is under way. */
bool forwards_changing(const struct forwards *fs);

/* Nobody is there any more to see how the change went; it goes on. */
void forwards_forget(struct forwards *fs, const struct forward_outcome *o);

/* The same without portions: what is under way is brought to its end first. */

/* The forwards of the command line.  0 or -errno. */
int forwards_open(struct forwards *fs, struct forward_error *error);

/* How many rules, or -errno. */
int forwards_add(struct forwards *fs, enum flow_proto proto, const char *spec,
		 uint64_t *first_id, struct forward_error *error);

/* 0 or -errno. */
int forwards_set(struct forwards *fs, enum flow_proto proto, const char *const *specs, size_t n,
		 struct forward_error *error);
int forwards_remove(struct forwards *fs, uint64_t id);

/* Opens the sockets of rules with an interface anew where that has taken another's place. */
void forwards_network_changed(struct forwards *fs);

/* The port that could not be had last, whether or not the others of its rule were, and when
 * that was; NULL if there was none. */
const struct forward_error *forwards_last_error(const struct forwards *fs, uint64_t *at_nsp);

/* The rule with the smallest id larger than `id`; NULL if there is none. */
const struct forward *forwards_next(const struct forwards *fs, uint64_t id);

/* Whether there is a rule of this protocol, or will perhaps be one. */
bool forwards_has(const struct forwards *fs, enum flow_proto proto);

/* Whether clients should wait to be accepted: no guest is on the link, but since the start or
 * since the last one left it is not long, and one may be about to come. */
bool forwards_wait(const struct forwards *fs);

/* From the host side. */

/* A client of `f` at `port`.  `host` is its connected socket, which is taken over; set_conn as
 * for tcp_open_to_guest(). */
void forward_tcp_client(struct env *env, struct forward *f, uint16_t port,
			const struct tcp_host_ops *ops, void *host,
			void (*set_conn)(void *host, struct tcp_conn *conn),
			const struct endpoint *client);

/* A datagram for `f` at `port`.  0, or -ENOBUFS as udp_from_client(); everything else is counted
 * here. */
int forward_udp_datagram(struct env *env, struct forward *f, uint16_t port,
			 struct udp_client_sock *via, const struct udp_client *client,
			 const void *data, size_t len);

/* An ICMP error about what the guest sent to a client of `f` at `port`: the guest is told.  Of `client`
 * address and link count. */
void forward_udp_error(struct env *env, const struct forward *f, uint16_t port,
		       const struct udp_client_sock *via, const struct udp_client *client,
		       const struct host_error *e);

#endif
