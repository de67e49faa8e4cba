/* base/checksum.c: see RFC 1071; the main loop is left to the vectoriser, in a variant for
 * AVX2 and one for every processor, chosen when the program is loaded. */
#include "base/checksum.h"

#include <arpa/inet.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define VECTOR_CLONES __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define VECTOR_CLONES
#endif

#define LANES 8
#define BLOCK (LANES * sizeof(uint64_t))

/* Sums the 32-bit words of whole blocks: in 64-bit lanes, which cannot overflow below 16 GiB, so
 * many that none waits for the one before. */
VECTOR_CLONES static uint64_t sum_blocks(const uint8_t *p, size_t n_blocks)
{
	uint64_t lanes[LANES] = { 0 }, sum = 0;

	for (size_t i = 0; i < n_blocks; i++) {
		for (size_t k = 0; k < LANES; k++) {
			uint64_t w;

			memcpy(&w, p + i * BLOCK + k * sizeof(w), sizeof(w));
			lanes[k] += (w & UINT32_MAX) + (w >> 32);
		}
	}
	for (size_t k = 0; k < LANES; k++)
		sum += lanes[k];
	return sum;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data, *end = p + len;
	uint32_t w;

	if (len >= BLOCK) {
		sum += sum_blocks(p, len / BLOCK);
		p += len / BLOCK * BLOCK;
	}
	for (; end - p >= 4; p += 4) {
		memcpy(&w, p, 4);
		sum += w;
	}
	if (p < end) {
		uint8_t tail[4] = { 0 };

		memcpy(tail, p, (size_t)(end - p));
		memcpy(&w, tail, 4);
		sum += w;
	}
	return sum;
}

uint64_t checksum_add_pseudo(uint64_t sum, const struct addr *src, const struct addr *dst,
			     uint8_t proto, uint32_t l4_len)
{
	uint32_t tail[2] = { htonl(l4_len), htonl(proto) };

	if (addr_is_ip4(src)) {
		sum += src->w[3];
		sum += dst->w[3];
	} else {
		for (int i = 0; i < 4; i++) {
			sum += src->w[i];
			sum += dst->w[i];
		}
	}
	return sum + tail[0] + tail[1];
}

uint16_t checksum_finish(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~ntohs((uint16_t)sum);
}
