/* DHCPv4 messages from hostile bytes; what was read comes back from what is written of it. */
#include <stdlib.h>

#include "wire/dhcp4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Every option of `m` but those that the encoder makes itself. */
static unsigned list_options(const struct dhcp4_msg *m, struct dhcp4_option list[256])
{
	unsigned n = 0;

	for (unsigned code = 1; code < 255; code++) {
		size_t len;
		const uint8_t *p = dhcp4_get(&m->options, (uint8_t)code, &len);

		if (p && code != DHCP4_OPT_OVERLOAD)
			list[n++] = (struct dhcp4_option){ (uint8_t)code, (uint16_t)len, p };
	}
	return n;
}

/* Within `max` bytes: either it does not fit, or it says the same. */
static void check_encoded(const struct dhcp4_msg *m, size_t max, bool overload)
{
	static uint8_t buf[DHCP4_FIXED_LEN + 3 * DHCP4_OPTIONS_MAX];
	static struct dhcp4_msg back;
	struct dhcp4_option list[256];
	struct wr w = wr_init(buf, max);
	unsigned n = list_options(m, list);
	struct rd r;

	if (dhcp4_encode(&w, &m->hdr, list, n, overload)) {
		check(max < sizeof(buf));
		return;
	}
	r = rd_init(buf, wr_len(&w));
	check(!dhcp4_decode(&r, &back));
	check(back.type == m->type && back.hdr.xid == m->hdr.xid);
	for (unsigned i = 0; i < n; i++) {
		size_t len;
		const uint8_t *p = dhcp4_get(&back.options, list[i].code, &len);

		check(p && len == list[i].len && !memcmp(p, list[i].data, len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dhcp4_msg m;
	struct rd r = rd_init(data, size);
	struct dhcp4_fqdn fqdn;

	if (dhcp4_decode(&r, &m))
		return 0;
	if (dhcp4_get_fqdn(&m.options, &fqdn))
		check(strlen(fqdn.name) < sizeof(fqdn.name));
	check_encoded(&m, DHCP4_FIXED_LEN + 3 * DHCP4_OPTIONS_MAX, false);
	check_encoded(&m, DHCP4_MESSAGE_MIN + size % 256, true);
	check_encoded(&m, size > DHCP4_MESSAGE_MIN ? size : DHCP4_MESSAGE_MIN, true);
	return 0;
}
