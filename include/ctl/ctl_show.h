/* ctl/ctl_show.h: what replies and events have in common: the daemon's things as messages, and
 * the choice of flows.  Texts in a message are those of the thing shown. */
#ifndef CTL_CTL_SHOW_H
#define CTL_CTL_SHOW_H

#include "ctl/ctl_msg.h"
#include "proto/lease.h"

#define CTL_LEASE_ID_TEXT (LEASE_ID_MAX * 3 + 1)

/* Which flows are meant; each condition only where its flag is set. */
struct ctl_flow_filter {
	bool by_proto, by_dir, by_net, by_port;
	unsigned proto, dir; /* enum flow_proto, flow_dir */
	struct addr net;     /* an end in this prefix, */
	unsigned prefix_len;
	uint16_t port; /* and with this port: the same end */
};

/* Takes "192.0.2.1" or "192.0.2.0/24" as the condition on addresses; -EINVAL for anything else.
 */
int ctl_flow_filter_net(struct ctl_flow_filter *f, const char *text);

bool ctl_flow_filter_matches(const struct ctl_flow_filter *f, const struct flow_key *key,
			     enum flow_dir dir, const struct endpoint *host,
			     const struct endpoint *peer);

void ctl_show_flow(const struct flow *f, uint64_t now_ns, struct ctl_flow *c);
void ctl_show_closed_flow(const struct flow_closed *f, uint64_t now_ns, struct ctl_flow *c);

/* `id` takes the text of the client's identifier. */
void ctl_show_lease(const struct lease *l, uint64_t now_ns, char id[static CTL_LEASE_ID_TEXT],
		    struct ctl_lease *c);

/* `search` takes the list of search domains. */
void ctl_show_network(const struct net *net, const char *search[static CONF_SEARCH_MAX],
		      struct ctl_network *n);

#endif
