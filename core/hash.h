/* Hash functions: Keccak-256 as Ethereum uses it (the original padding, not FIPS 202), SHA-256
 * (FIPS 180-4). */
#ifndef CS_HASH_H
#define CS_HASH_H

#include "core/bytes.h"

struct cs_hash cs_keccak256(struct cs_bytes bytes);
struct cs_hash cs_sha256(struct cs_bytes bytes);
/* Of the pieces in a row. */
struct cs_hash cs_sha256_join(const struct cs_bytes *pieces, size_t count);

/* Several pieces in a row, without joining them in memory first. */
struct cs_keccak {
	uint64_t state[25];
	uint8_t block[136];
	size_t n;
};
void cs_keccak_init(struct cs_keccak *keccak);
void cs_keccak_add(struct cs_keccak *keccak, struct cs_bytes bytes);
struct cs_hash cs_keccak_end(struct cs_keccak *keccak);

#endif
