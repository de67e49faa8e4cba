/* proto/udp_echo.c: knows our own datagrams to groups when they come back. */
#include "proto/udp_echo.h"

#include "base/timerq.h"

#define KEEP_NS NS_PER_SEC /* they come back at once, unless we are late */

void udp_echo_init(struct udp_echoes *e)
{
	*e = (struct udp_echoes){ .next = 0 };
	hash_key_random(&e->key);
}

static uint64_t hash_of(const struct udp_echoes *e, const struct endpoint *from, uint16_t port,
			const void *data, size_t len)
{
	struct {
		uint64_t payload;
		struct addr from;
		uint64_t ports;
	} all = { hash_bytes(&e->key, data, len), from->addr,
		  (uint64_t)from->port << 16 | port };

	return hash_bytes(&e->key, &all, sizeof(all));
}

void udp_echo_sent(struct udp_echoes *e, uint64_t now_ns, const struct endpoint *from,
		   uint16_t port, const void *data, size_t len)
{
	unsigned at = e->next++ % UDP_ECHOES;

	e->sent[at].hash = hash_of(e, from, port, data, len);
	e->sent[at].until_ns = now_ns + KEEP_NS;
}

bool udp_echo_came(struct udp_echoes *e, uint64_t now_ns, const struct endpoint *from,
		   uint16_t port, const void *data, size_t len)
{
	uint64_t hash = hash_of(e, from, port, data, len);

	for (unsigned i = 0; i < UDP_ECHOES; i++) {
		if (e->sent[i].hash != hash || e->sent[i].until_ns <= now_ns)
			continue;
		e->sent[i].until_ns = 0;
		return true;
	}
	return false;
}
