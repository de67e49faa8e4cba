/* lib/fake_flow.h: flows of no protocol, for what lists and closes them. */
#ifndef TESTS_LIB_FAKE_FLOW_H
#define TESTS_LIB_FAKE_FLOW_H

#include "proto/env.h"

/* Opens a TCP flow from guest port `port` to 198.51.100.1:80, by 192.0.2.9:`port`.  Its state
 * is ESTABLISHED, its timeout an hour; closing it frees it. */
struct flow *fake_flow_open(struct env *env, uint16_t port);

/* Likewise to any peer. */
struct flow *fake_flow_open_to(struct env *env, enum flow_proto proto, uint16_t port,
			       struct endpoint peer);

/* Closes all flows. */
void fake_flow_close_all(struct env *env);

#endif
