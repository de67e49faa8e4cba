/* cli/top_model.h: what posternctl top shows: two samples of a daemon's flows and counters, the
 * rates between them, and the rows in their order.
 *
 * There is no terminal here and no socket.  Times are those of the daemon, so that a reply that
 * comes late does not bend a rate.  Texts of samples are escaped.
 */
#ifndef CLI_TOP_MODEL_H
#define CLI_TOP_MODEL_H

#include "cli/out_text.h"
#include "ctl/ctl_msg.h"

#define TOP_STATE_MAX	24
#define TOP_NAME_MAX	64  /* longer names are cut */
#define TOP_VERSION_MAX 32
#define TOP_HISTORY	60  /* samples whose highest rate fills a bar */

struct top_flow {
	uint64_t id;
	unsigned proto, dir; /* of ctl_proto_names, ctl_dir_names */
	bool closed;	     /* ended; `state` is why */
	char state[TOP_STATE_MAX];
	char name[TOP_NAME_MAX]; /* that the guest asked for; or empty */
	struct endpoint guest, peer;
	uint64_t bytes_in, bytes_out; /* payload to the guest, and from it */
	uint64_t age_ms, idle_ms;     /* of one that ended: how long it lasted, and since when */
	/* Bytes a second between the two samples, by top_model_take(). */
	bool has_rate;
	uint64_t rate_in, rate_out;
};

struct top_sample {
	char version[TOP_VERSION_MAX];
	uint64_t pid, uptime_ms;
	bool connected; /* the guest's client is on the link */
	char mac[MAC_STR_MAX], addr[ADDR_STR_MAX], addr6[ADDR_STR_MAX]; /* of the guest; or empty */
	struct ctl_flow_count count;
	uint64_t link_in, link_out; /* bytes of frames to the guest, and from it */
	uint64_t drops, dns_queries;
	struct top_flow *flows;
	size_t n_flows, cap_flows;
};

enum top_sort {
	TOP_SORT_RATE, /* both ways together */
	TOP_SORT_IN,
	TOP_SORT_OUT,
	TOP_SORT_TOTAL,
	TOP_SORT_AGE,
	TOP_SORT_IDLE,
	TOP_SORT_ID,
	TOP_N_SORTS
};
extern const char *const top_sort_names[]; /* NULL ends them */

/* Rates are of a second. */
struct top_totals {
	bool has_rates;
	uint64_t in, out, drops, dns_queries;
	uint64_t peak_in, peak_out; /* of the last TOP_HISTORY samples */
};

struct top_model {
	/* how it is looked at; top_model_arrange() follows changes */
	enum top_sort sort;
	bool reverse;	       /* the other way round than is usual for the key */
	bool by_proto, closed; /* only `proto`; those that ended, too */
	unsigned proto;

	bool has_sample;
	struct top_sample now;
	struct top_totals totals;
	uint64_t history_in[TOP_HISTORY], history_out[TOP_HISTORY];
	size_t n_history;

	const struct top_flow **rows; /* of `now` */
	size_t n_rows;
};

/* Adding replies to a sample that began as zeros.  -ENOMEM when there is no room for a flow. */
void top_sample_status(struct top_sample *s, const struct ctl_status *status);
void top_sample_counter(struct top_sample *s, const struct ctl_counter *c);
int top_sample_flow(struct top_sample *s, const struct ctl_flow *f);
void top_sample_free(struct top_sample *s);

/* Takes the next sample, which is empty afterwards: rates, totals and rows follow.  Of the first
 * sample, and of the first of another daemon, there are no rates.  -ENOMEM: nothing is shown. */
int top_model_take(struct top_model *m, struct top_sample *s);

/* Chooses and sorts the rows anew.  Rows with the same key stand by id, either way round.  -ENOMEM
 * leaves none. */
int top_model_arrange(struct top_model *m);

/* The row of a flow; -1 when it is not shown. */
int top_model_row(const struct top_model *m, uint64_t id);

void top_model_free(struct top_model *m);

/* "192.0.2.1:80"; of an echo session, which has no port there, the address.  With `names`, the
 * name stands for the peer's address. */
#define TOP_END_MAX (TOP_NAME_MAX + ENDPOINT_STR_MAX)
const char *top_guest_text(const struct top_flow *f, char buf[static TOP_END_MAX]);
const char *top_peer_text(const struct top_flow *f, bool names, char buf[static TOP_END_MAX]);

/* "1.5M", or "-" for a rate that is not known. */
const char *top_rate_text(bool known, uint64_t rate, char buf[static TEXT_MAX]);

#endif
