/* The DHCPv6 server under a client that says anything at any time: messages, each behind its
 * length (16 bits) and the seconds that pass before it (16 bits).  What it answers is read
 * back. */
#include <stdlib.h>

#include "base/log.h"
#include "proto/dhcp6.h"
#include "proto/dhcp6_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t frame[1514];
static uint32_t xid; /* of the message that is answered */

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int reserve(void *link, bool bulk, size_t frame_max, int n, uint8_t *frames[])
{
	check(n == 1 &&
	      frame_max <= ETH_HEADER_LEN + IP6_MTU_MIN); /* one answer, in one piece */
	frames[0] = frame;
	return 1;
}

/* Every IA has an address, or says why not. */
static void check_ias(const struct dhcp6_msg *m)
{
	struct rd options = m->options, value;
	struct dhcp6_ia ia;
	uint16_t code;
	struct addr a;

	while (dhcp6_ia_next(&options, &ia)) {
		struct rd addresses = ia.options;

		check(dhcp6_option_next(&ia.options, &code, &value));
		check(dhcp6_address_next(&addresses, &a) != (code == DHCP6_OPT_STATUS));
	}
}

/* What goes out is a reply that we can read ourselves. */
static void commit(void *link, int n, size_t len)
{
	struct dhcp6_msg m;
	struct pkt p;
	struct rd r;

	check(pkt_decode(frame, len, &p) == DROP_NONE && p.payload_len <= DHCP6_REPLY_MAX);
	r = rd_init(p.payload, p.payload_len);
	check(!dhcp6_decode(&r, &m) && m.xid == xid);
	check(m.type == DHCP6_ADVERTISE || m.type == DHCP6_REPLY);
	check(dhcp6_has(&m, DHCP6_OPT_SERVER_ID));
	check_ias(&m);
}

static void discard(enum log_level level, enum log_unit unit, const char *line)
{
}

/* The codec alone, and also for what no server would look at. */
static void read_message(const uint8_t *data, size_t len)
{
	struct rd r = rd_init(data, len), options, value;
	struct dhcp6_fqdn fqdn;
	struct dhcp6_msg m;
	struct dhcp6_ia ia;
	uint16_t code;
	size_t n = DHCP6_HEADER_LEN;

	if (dhcp6_decode(&r, &m))
		return;
	xid = m.xid;
	options = m.options;
	while (dhcp6_option_next(&options, &code, &value))
		n += DHCP6_OPTION_LEN + rd_left(&value);
	check(n == len && !options.error);
	options = m.options;
	while (dhcp6_ia_next(&options, &ia))
		check(!ia.options.error);
	if (dhcp6_get_fqdn(&m, &fqdn))
		check(strlen(fqdn.name) < sizeof(fqdn.name));
}

/* The first byte's upper bit, which no message type has, sends it to our own address. */
static void hand_in(struct env *env, uint8_t *data, size_t len)
{
	struct pkt p = { .src = { .b = { 0xfe, 0x80, [15] = 0x77 } }, .dst = DHCP6_SERVERS };

	if (len && data[0] & 0x80) {
		p.dst = env->net->ip6.gateway;
		data[0] &= 0x7f;
	}
	p.payload = data;
	p.payload_len = len;
	read_message(data, len);
	dhcp6_from_guest(env, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guest_ops ops = { reserve, commit };
	static const struct conf conf = { .timeouts.dhcp_lease = 3600 };
	struct net net = { .ip6 = { .on = true,
				    .guest = { .b = { 0xfd, [15] = 0x15 } },
				    .prefix_len = 64,
				    .gateway = { .b = { 0xfe, 0x80, [15] = 2 } } },
			   .mac = { { 0x9a, 0x55, 0x9a, 0x55, 0x9a, 0x55 } },
			   .mtu = 65520,
			   .dns = { { .b = { 0xfd, [15] = 3 } } },
			   .n_dns = 1,
			   .search = { "eng.example.org", "example.org" },
			   .n_search = 2,
			   .ntp = { { .b = { 0xfd, [15] = 4 } } },
			   .n_ntp = 1,
			   .hostname = "vm",
			   .fqdn = "vm.example.org" };
	struct env env = { .conf = &conf, .net = &net, .guest_ops = &ops };
	struct rd r = rd_init(data, size);

	log_set_sink(discard);
	env.dhcp6 = dhcp6_new(&env);
	while (rd_left(&r) > 4) {
		size_t len = rd_be16(&r);
		uint8_t *copy;

		env.now_ns += rd_be16(&r) * NS_PER_SEC;
		timerq_run(&env.timers, env.now_ns, 1, &env);
		len = len < rd_left(&r) ? len : rd_left(&r);
		copy = malloc(len +
			      !len); /* of just this size, so that a read past it is seen */
		rd_bytes(&r, copy, len);
		hand_in(&env, copy, len);
		free(copy);
	}
	dhcp6_free(env.dhcp6);
	timerq_free(&env.timers);
	return 0;
}
