/* flow/flow.c: names, and ports to tell flows apart. */
#include "flow/flow.h"

#include <assert.h>

#define DYNAMIC_FIRST 49152u
#define DYNAMIC_N     16384u

static const char *const reasons[] = { "open",	     "finished",    "idle",	  "guest-reset",
				       "peer-reset", "refused",	    "unreachable", "timed-out",
				       "guest-left", "by-operator", "host-error", "preempted",
				       "shutdown",   "address-gone" };
static_assert(sizeof(reasons) / sizeof(reasons[0]) == N_FLOW_CLOSE_REASONS, "a name for each reason");

static const char *const protos[] = { "tcp", "udp", "icmp" };
static_assert(sizeof(protos) / sizeof(protos[0]) == N_FLOW_PROTOS, "a name for each protocol");

const char *flow_close_reason_name(enum flow_close_reason reason)
{
	return reasons[reason];
}

const char *flow_proto_name(enum flow_proto proto)
{
	return protos[proto];
}

const char *flow_dir_name(enum flow_dir dir)
{
	return dir == FLOW_OUT ? "out" : "in";
}

uint16_t flow_port_choice(uint16_t port, unsigned choice)
{
	return choice ? (uint16_t)(DYNAMIC_FIRST + (port + choice) % DYNAMIC_N) : port;
}
