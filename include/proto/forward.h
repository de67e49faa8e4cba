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

/* Opens the forwards of the command line.  0, or -errno with the reason, which names protocol,
 * address and port, in `error`. */
int forwards_open(struct forwards *fs, struct forward_error *error);

/* Opens what a SPEC says, all or nothing.  How many rules; *first_id is that of the first, the
 * others follow.  -EINVAL for the text, -ENOSPC beyond FORWARD_RULES_MAX rules, -EPERM for a
 * protocol that is switched off, or the system's -errno, with the reason in `error`. */
int forwards_add(struct forwards *fs, enum flow_proto proto, const char *spec,
		 uint64_t *first_id, struct forward_error *error);

/* Makes the rules of a protocol those that the SPECs say; those that are there already stay as they
 * are.  All or nothing: where a new rule takes the place of an old one, that is closed first, and
 * opened again if the new one cannot be had.  0, or -errno as forwards_add(). */
int forwards_set(struct forwards *fs, enum flow_proto proto, const char *const *specs, size_t n,
		 struct forward_error *error);

/* Closes the sockets of a rule: no new clients, and the end of its UDP flows.  -ENOENT. */
int forwards_remove(struct forwards *fs, uint64_t id);

/* As forwards_remove(), for the rules that a SPEC makes: all of them or none.  How many; -ENOENT
 * when one of them is not there, -EINVAL for the text, with the reason in `error`. */
int forwards_remove_spec(struct forwards *fs, enum flow_proto proto, const char *spec,
			 struct forward_error *error);

/* Opens the sockets of rules with an interface anew where that has taken another's place. */
void forwards_network_changed(struct forwards *fs);

/* The port that could not be had last, whether or not the others of its rule were, and when
 * that was; NULL if there was none. */
const struct forward_error *forwards_last_error(const struct forwards *fs, uint64_t *at_nsp);

/* The rule with the smallest id larger than `id`; NULL if there is none. */
const struct forward *forwards_next(const struct forwards *fs, uint64_t id);

/* Whether there is a rule of this protocol. */
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
