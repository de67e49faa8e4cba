/* proto/forward_spec.h: which ports of the host are forwarded: rules, and the text they are
 * written in.
 *
 *	SPEC	:= "none" | [ [ADDRESS | "*"] ["%" INTERFACE] "/" ] ENTRY { "," ENTRY }
 *	ENTRY	:= RANGE [":" TARGET] | "all" [":" GUEST] | "~" RANGE
 *	TARGET	:= [GUEST "/"] RANGE | GUEST
 *	RANGE	:= PORT ["-" PORT]
 *
 * ADDRESS and INTERFACE are the host's, GUEST is an address in the guest's network, both of
 * either family and, if one likes, in brackets.  Without ADDRESS, or with "*", clients of both
 * families come in; 0.0.0.0 and :: are for one.  A link-local IPv6 ADDRESS needs INTERFACE.  "A:B/C"
 * is ADDRESS A:B where that can be read as one; brackets around GUEST settle it.
 *
 * What ~ excludes is taken out of the whole text; excludes alone mean "all" without them.  "all" is
 * each port that no other entry names, but for those that the kernel gives to outgoing
 * connections.  Port 0 of the host is one that the kernel picks; it needs a target port.
 */
#ifndef PROTO_FORWARD_SPEC_H
#define PROTO_FORWARD_SPEC_H

#include "flow/flow.h"

#define FORWARD_SPEC_MAX      8192 /* text of a SPEC, with its terminating zero */
#define FORWARD_RULES_MAX     256
#define FORWARD_ERROR_MAX     256
#define FORWARD_INTERFACE_MAX 16 /* IFNAMSIZ */
#define FORWARD_STR_MAX	      192

/* Consecutive ports of the host that lead to as many of the guest. */
struct forward_rule {
	enum flow_proto proto;
	struct addr addr;			/* of the host; unspecified: any of its family */
	bool both_families;			/* `addr` is ::, and 0.0.0.0 is meant too */
	char interface[FORWARD_INTERFACE_MAX];	/* clients come in here; "": anywhere */
	uint16_t first, last;			/* 0 and 0: the kernel picks one */
	struct addr target;			/* ::: whatever address the guest uses */
	uint16_t target_first;
	bool best_effort; /* a port that cannot be had is left out */
};

/* How the host deals out its ports. */
struct forward_ports {
	uint16_t local_first, local_last; /* net.ipv4.ip_local_port_range */
	uint16_t unprivileged_first;	  /* net.ipv4.ip_unprivileged_port_start */
};

static inline unsigned forward_rule_n_ports(const struct forward_rule *r)
{
	return (unsigned)(r->last - r->first) + 1;
}

/* Reads a SPEC.  How many rules it makes (none of them for "none"), those of "all" last, or
 * -EINVAL and the reason in `error`. */
int forward_spec_parse(const char *text, enum flow_proto proto,
		       const struct forward_ports *ports,
		       struct forward_rule rules[static FORWARD_RULES_MAX],
		       char error[static FORWARD_ERROR_MAX]);

/* "TCP 192.0.2.1%eth0:22-25", "TCP [::]:22", "TCP *:22": the host's side. */
const char *forward_rule_print_host(const struct forward_rule *r,
				    char buf[static FORWARD_STR_MAX]);

/* The SPEC that makes this rule, where the kernel picked a port that very one. */
const char *forward_rule_print_spec(const struct forward_rule *r, char buf[static FORWARD_STR_MAX]);

/* "TCP *:22-25 => 10.0.2.15:122-125 (best effort)". */
const char *forward_rule_print(const struct forward_rule *r, char buf[static FORWARD_STR_MAX]);

#endif
