/* ctl/ctl_show.h: what replies and events have in common: the daemon's things as messages, and
 * the choice of flows.  Texts in a message are those of the thing shown. */
#ifndef CTL_CTL_SHOW_H
#define CTL_CTL_SHOW_H

#include "ctl/ctl_msg.h"
#include "flow/details.h"
#include "proto/lease.h"

#define CTL_LEASE_ID_TEXT (LEASE_ID_MAX * 3 + 1)

/* A condition on an end; each part only where its flag is set. */
struct ctl_end_filter {
	bool by_net, by_port;
	struct addr net; /* it lies in this prefix */
	unsigned prefix_len;
	uint16_t port;
};

/* Which flows are meant; likewise. */
struct ctl_flow_filter {
	bool by_proto, by_dir;
	unsigned proto, dir; /* enum flow_proto, flow_dir */
	struct ctl_end_filter any;	/* some end is such */
	struct ctl_end_filter src, dst; /* who opened it, and to whom */
	const char *state, *name;	/* NULL: any */
};

/* Takes "192.0.2.1" or "192.0.2.0/24" as the condition on addresses; -EINVAL for anything else.
 */
int ctl_end_filter_net(struct ctl_end_filter *f, const char *text);

/* Reads the conditions, whose texts it refers to.  -EINVAL, with the text of an error, where
 * one of them is none. */
int ctl_flow_filter_read(struct ctl_flow_filter *f, const struct ctl_flow_where *where,
			 char error[static CTL_ERROR_MAX]);

bool ctl_flow_filter_matches(const struct ctl_flow_filter *f, const struct flow *flow);
bool ctl_flow_filter_matches_closed(const struct ctl_flow_filter *f, const struct flow_closed *flow);

void ctl_show_flow(const struct env *env, const struct flow *f, struct ctl_flow *c);
void ctl_show_closed_flow(const struct flow_closed *f, uint64_t now_ns, struct ctl_flow *c);

/* Adds what has to be found out; `congestion` takes the text. */
void ctl_show_flow_info(const struct flow *f, char congestion[static FLOW_CONGESTION_MAX],
			struct ctl_flow *c);

/* `id` takes the text of the client's identifier. */
void ctl_show_lease(const struct lease *l, uint64_t now_ns, char id[static CTL_LEASE_ID_TEXT],
		    struct ctl_lease *c);

/* `addr` takes the text of a prefix. */
#define CTL_PREFIX_TEXT (ADDR_STR_MAX + 4)
struct capture_spec;
struct capture_status;
struct ctl_capture;
void ctl_show_capture(const struct capture_status *s, const struct capture_spec *spec,
		      uint64_t now_ns, char addr[static CTL_PREFIX_TEXT],
		      struct ctl_capture *c);

/* `port` is of that port alone. */
struct forward_rule;
void ctl_show_forward_port(const struct forward_rule *port, int error,
			   struct ctl_forward_port *c);

/* The lease of a server, 0 and up, while somebody holds it; else NULL. */
#define CTL_LEASE_SERVERS 2
const struct lease *ctl_lease_of(const struct env *env, uint64_t server);

/* `search` takes the list of search domains. */
void ctl_show_network(const struct net *net, const char *search[static CONF_SEARCH_MAX],
		      struct ctl_network *n);

#endif
