/* IGMP (first byte even) and MLD reports, from hostile bytes. */
#include "wire/membership.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct membership_report r;
	struct membership m;
	bool ip6 = size && data[0] & 1;

	if (!size)
		return 0;
	if (ip6 ? membership_decode_mld(data + 1, size - 1, &r)
		: membership_decode_igmp(data + 1, size - 1, &r))
		return 0;
	while (membership_next(&r, &m))
		if (!addr_is_multicast(&m.group) || addr_is_ip4(&m.group) == ip6)
			__builtin_trap();
	if (r.rest.error)
		__builtin_trap();
	return 0;
}
