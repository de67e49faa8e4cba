/* Ethernet to transport header, from hostile bytes. */
#include "wire/arp.h"
#include "wire/pkt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt p, quoted;
	struct arp_msg arp;
	struct rd r;
	volatile uint8_t sink = 0;

	if (pkt_decode(data, size, &p) != DROP_NONE)
		return 0;
	for (size_t i = 0; i < p.l4_len; i++)
		sink ^= p.l4[i];
	(void)sink;
	r = rd_init(p.l4, p.l4_len);
	if (p.eth.type == ETHERTYPE_ARP)
		arp_decode(&r, &arp);
	if (pkt_decode_quote(p.l4, p.l4_len, &quoted) == DROP_NONE &&
	    (quoted.l4 < p.l4 || quoted.l4 + quoted.l4_len > p.l4 + p.l4_len))
		__builtin_trap();
	return 0;
}
