/* lib/fake_flow.c: see lib/fake_flow.h. */
#include "lib/fake_flow.h"

#include <stdlib.h>

static const char *state(const struct flow *f)
{
	return "ESTABLISHED";
}

static uint64_t timeout(const struct env *env, const struct flow *f)
{
	return f->used_ns + 3600 * NS_PER_SEC - env->now_ns;
}

static void close_flow(struct env *env, struct flow *f, enum flow_close_reason reason)
{
	flow_table_remove(&env->flows, f, reason, env->now_ns);
	free(f);
}

static const struct flow_class fake_class = {
	.name = "fake", .state = state, .close = close_flow, .timeout = timeout
};

struct flow *fake_flow_open_to(struct env *env, enum flow_proto proto, uint16_t port,
			       struct endpoint peer)
{
	struct flow *f = calloc(1, sizeof(*f));

	f->class = &fake_class;
	f->key = (struct flow_key){ .guest = addr_ip4(0x0a00020f),
				    .peer = peer.addr,
				    .guest_port = port,
				    .peer_port = peer.port,
				    .proto = proto };
	f->host = (struct endpoint){ addr_ip4(0xc0000209), port };
	f->peer = peer;
	if (flow_table_insert(&env->flows, f, env->now_ns))
		abort(); /* no assertion of Check: fuzz targets come here too */
	return f;
}

struct flow *fake_flow_open(struct env *env, uint16_t port)
{
	return fake_flow_open_to(env, FLOW_TCP, port,
				 (struct endpoint){ addr_ip4(0xc6336401), 80 });
}

void fake_flow_close_all(struct env *env)
{
	struct flow *f;

	while ((f = flow_table_next(&env->flows, 0)))
		close_flow(env, f, FLOW_CLOSED_SHUTDOWN);
}
