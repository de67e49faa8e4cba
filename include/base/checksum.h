/* base/checksum.h: the Internet checksum (RFC 1071) and its pseudo-headers.
 *
 * A running sum is an unfolded 64-bit one's complement sum of 16-bit words in
 * memory order; checksum_finish() turns it into the value for the header field,
 * to be stored with put_be16().
 */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Adds `len` bytes; all calls of one sum but the last must have an even length. */
uint64_t checksum_add(uint64_t sum, const void *data, size_t len);

/* Adds the pseudo-header of RFC 9293 3.1 (IPv4) or RFC 8200 8.1 (IPv6), chosen by the
 * family of `src`.  `l4_len` is the length of the transport header and payload. */
uint64_t checksum_add_pseudo(uint64_t sum, const struct addr *src, const struct addr *dst,
			     uint8_t proto, uint32_t l4_len);

/* The complement of the folded sum, host order. */
uint16_t checksum_finish(uint64_t sum);

#endif
