/* proto/tcp/state.c: the states of RFC 9293 3.3.2 and what follows from them. */
#include <assert.h>

#include "base/log.h"
#include "proto/tcp/conn.h"

static const char *const names[] = { "CONNECTING", "SYN-SENT",	 "SYN-RECEIVED", "ESTABLISHED",
				     "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",	 "CLOSING",
				     "LAST-ACK",   "TIME-WAIT" };
static_assert(sizeof(names) / sizeof(names[0]) == N_TCP_STATES, "a name for each state");

const char *tcp_state_name(enum tcp_state s)
{
	return names[s];
}

void tcp_set_state(struct env *env, struct tcp_conn *c, enum tcp_state s)
{
	log_debug(TCP, "flow %llu: %s -> %s", (unsigned long long)c->flow.id, names[c->state],
		  names[s]);
	c->state = (uint8_t)s;
	c->flow.used_ns = env->now_ns;
	tcp_timer_update(env, c);
}

bool tcp_receives(const struct tcp_conn *c)
{
	return c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 ||
	       c->state == TCP_FIN_WAIT_2;
}

bool tcp_sends(const struct tcp_conn *c)
{
	return c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT;
}

static uint64_t state_timeout_ns(const struct conf_timeouts *t, const struct tcp_conn *c)
{
	switch ((enum tcp_state)c->state) {
	case TCP_CONNECTING:
		return t->tcp_connect * NS_PER_SEC;
	case TCP_SYN_SENT:
	case TCP_SYN_RECEIVED:
		return t->tcp_syn * NS_PER_SEC;
	case TCP_ESTABLISHED:
		return t->tcp_idle * NS_PER_SEC;
	case TCP_FIN_WAIT_1:
	case TCP_FIN_WAIT_2:
	case TCP_CLOSE_WAIT:
		return t->tcp_closing * NS_PER_SEC;
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return t->tcp_last_ack * NS_PER_SEC;
	case TCP_TIME_WAIT:
		return t->tcp_time_wait * NS_PER_SEC;
	case N_TCP_STATES:
		break;
	}
	assert(!"a TCP state");
	return 0;
}

uint64_t tcp_state_deadline(const struct env *env, const struct tcp_conn *c)
{
	uint64_t timeout = state_timeout_ns(&env->conf->timeouts, c);

	/* The host side has not got all of the guest's data yet: that alone may take long. */
	if (!tcp_recvq_empty(&c->recvq))
		timeout = env->conf->timeouts.tcp_idle * NS_PER_SEC;
	return timeout ? c->flow.used_ns + timeout : TIMERQ_NEVER;
}
