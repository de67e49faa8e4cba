/* base/hash.h: keyed hash for tables whose keys a guest or a network chooses. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k[2];
};

/* Fills the key from the kernel's random source; the process cannot go on without it, so a
 * failure ends it. */
void hash_key_random(struct hash_key *key);

/* SipHash-1-3 of `len` bytes under `key`. */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len);

#endif
