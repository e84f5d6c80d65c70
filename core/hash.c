#include "core/hash.h"

#include <nettle/sha2.h>
#include <nettle/sha3.h>
#include <string.h>

/* Rate of Keccak with 256 bits of security: 1600 - 2 * 256 bits. */
#define RATE_SIZE 136u

_Static_assert(sizeof(struct sha3_state) == sizeof(((struct cs_keccak *)0)->state),
	       "nettle's state is 25 words");

struct cs_hash cs_sha256_join(const struct cs_bytes *pieces, size_t count)
{
	struct sha256_ctx context;
	struct cs_hash hash;
	sha256_init(&context);
	for (size_t i = 0; i < count; i++)
		sha256_update(&context, pieces[i].n, pieces[i].p);
	sha256_digest(&context, sizeof hash.b, hash.b);
	return hash;
}

struct cs_hash cs_sha256(struct cs_bytes bytes)
{
	return cs_sha256_join(&bytes, 1);
}

void cs_keccak_init(struct cs_keccak *keccak)
{
	memset(keccak, 0, sizeof *keccak);
}

/* nettle keeps the lanes in the machine's byte order on little-endian hosts, the only ones
 * supported. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lanes are read as little-endian");

static void absorb(struct cs_keccak *keccak, const uint8_t *block)
{
	struct sha3_state state;
	memcpy(&state, keccak->state, sizeof state);
	for (size_t i = 0; i < RATE_SIZE / 8; i++) {
		uint64_t lane;
		memcpy(&lane, block + 8 * i, sizeof lane);
		state.a[i] ^= lane;
	}
	sha3_permute(&state);
	memcpy(keccak->state, &state, sizeof state);
}

void cs_keccak_add(struct cs_keccak *keccak, struct cs_bytes bytes)
{
	while (bytes.n > 0) {
		if (keccak->n == 0 && bytes.n >= RATE_SIZE) {
			absorb(keccak, bytes.p);
			bytes = cs_bytes(bytes.p + RATE_SIZE, bytes.n - RATE_SIZE);
			continue;
		}
		size_t room = RATE_SIZE - keccak->n;
		size_t n = bytes.n < room ? bytes.n : room;
		memcpy(keccak->block + keccak->n, bytes.p, n);
		keccak->n += n;
		bytes = cs_bytes(bytes.p + n, bytes.n - n);
		if (keccak->n == RATE_SIZE) {
			absorb(keccak, keccak->block);
			keccak->n = 0;
		}
	}
}

struct cs_hash cs_keccak_end(struct cs_keccak *keccak)
{
	struct cs_hash hash;
	memset(keccak->block + keccak->n, 0, RATE_SIZE - keccak->n);
	keccak->block[keccak->n] = 0x01;
	keccak->block[RATE_SIZE - 1] |= 0x80;
	absorb(keccak, keccak->block);
	memcpy(hash.b, keccak->state, sizeof hash.b);
	return hash;
}

struct cs_hash cs_keccak256(struct cs_bytes bytes)
{
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, bytes);
	return cs_keccak_end(&keccak);
}
