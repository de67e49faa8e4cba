/* The DHCPv4 server under a client that says anything at any time: messages, each behind
 * its length (16 bits) and the seconds that pass before it (16 bits). */
#include <stdlib.h>

#include "base/log.h"
#include "proto/dhcp4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t frame[1514];

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int reserve(void *link, bool bulk, size_t frame_max, int n, uint8_t *frames[])
{
	check(n == 1 && frame_max <= sizeof(frame)); /* one answer, in one piece */
	frames[0] = frame;
	return 1;
}

/* What goes out is a reply that we can read ourselves. */
static void commit(void *link, int n, size_t len)
{
	static struct dhcp4_msg m;
	struct pkt p;
	struct rd r;

	check(pkt_decode(frame, len, &p) == DROP_NONE && p.payload_len >= DHCP4_MESSAGE_MIN);
	r = rd_init(p.payload, p.payload_len);
	check(!dhcp4_decode(&r, &m) && m.hdr.op == DHCP4_BOOTREPLY);
}

static void discard(enum log_level level, enum log_unit unit, const char *line)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guest_ops ops = { reserve, commit };
	static const struct conf conf = { .timeouts.dhcp_lease = 3600 };
	struct net net = { .ip4 = { .on = true,
				  .guest = addr_ip4(0x0a00020f),
				  .prefix_len = 24,
				  .gateway = addr_ip4(0x0a000202) },
			   .mtu = 65520,
			   .tell_mtu = true,
			   .dns = { addr_ip4(0x0a000203) },
			   .n_dns = 1,
			   .search = { "eng.example.org", "example.org",
				       "a-long-name.example.net" },
			   .n_search = 3,
			   .hostname = "vm",
			   .fqdn = "vm.example.org" };
	struct env env = { .conf = &conf, .net = &net, .guest_ops = &ops };
	struct rd r = rd_init(data, size);

	log_set_sink(discard);
	env.dhcp4 = dhcp4_new(&env);
	while (rd_left(&r) > 4) {
		size_t len = rd_be16(&r);
		struct pkt p = { .src = addr_ip4(0) };

		env.now_ns += rd_be16(&r) * NS_PER_SEC;
		timerq_run(&env.timers, env.now_ns, 1, &env);
		p.payload_len = len < rd_left(&r) ? len : rd_left(&r);
		p.payload = rd_view(&r, p.payload_len);
		dhcp4_from_guest(&env, &p);
	}
	dhcp4_free(env.dhcp4);
	timerq_free(&env.timers);
	return 0;
}
