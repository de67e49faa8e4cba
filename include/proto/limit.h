/* proto/limit.h: limits that traffic or clients can reach. */
#ifndef PROTO_LIMIT_H
#define PROTO_LIMIT_H

enum limit {
	LIMIT_FLOWS,
	LIMIT_OPEN_FILES,
	LIMIT_DNS_QUERIES,
	LIMIT_FRAGMENTS,
	LIMIT_TCP_MEMORY,
	LIMIT_CONTROL_CLIENTS,
	LIMIT_NEW_FLOWS,
	N_LIMITS
};

/* Stable name, for events and statistics. */
const char *limit_name(enum limit limit);

#endif
