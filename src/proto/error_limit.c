/* proto/error_limit.c: see proto/error_limit.h. */
#include "proto/error_limit.h"

#include "base/timerq.h"

#define BURST	    NS_PER_SEC /* full buckets hold the tokens of so long */
#define FLOW_TOKEN  (10 * NS_PER_MS)
#define TOKEN	    NS_PER_MS /* of all flows */
#define PORTS_LEN   4
#define FLOW_ID_LEN (2 * sizeof(struct addr) + 1 + PORTS_LEN)

/* Addresses, protocol and, where there are any, ports. */
static uint64_t hash_flow(const struct hash_key *key, const struct pkt *p)
{
	bool has_ports = (p->proto == IP_TCP || p->proto == IP_UDP) && !p->fragment_offset &&
			 p->ip_len >= p->ip_header_len + PORTS_LEN;
	uint8_t id[FLOW_ID_LEN];
	struct wr w = wr_init(id, sizeof(id));

	wr_bytes(&w, p->src.b, sizeof(p->src.b));
	wr_bytes(&w, p->dst.b, sizeof(p->dst.b));
	wr_u8(&w, p->proto);
	if (has_ports)
		wr_bytes(&w, p->ip + p->ip_header_len, PORTS_LEN);
	return hash_bytes(key, id, wr_len(&w));
}

static bool has_token(uint64_t *bucket_ns, uint64_t token_ns, uint64_t now_ns)
{
	if (*bucket_ns + BURST < now_ns)
		*bucket_ns = now_ns - BURST;
	return *bucket_ns + token_ns <= now_ns;
}

bool error_limit_take(struct error_limit *l, const struct hash_key *key, const struct pkt *about,
		      uint64_t now_ns)
{
	uint64_t *flow_ns = &l->flow_ns[hash_flow(key, about) & (ERROR_LIMIT_BUCKETS - 1)];

	if (!has_token(flow_ns, FLOW_TOKEN, now_ns) || !has_token(&l->all_ns, TOKEN, now_ns))
		return false;
	*flow_ns += FLOW_TOKEN;
	l->all_ns += TOKEN;
	return true;
}
