/* X25519 (RFC 7748) by OpenSSL, and base mode HPKE (RFC 9180) over it: DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, AES-256-GCM, one message a key. Randomness is an argument. */
#ifndef CS_X25519_H
#define CS_X25519_H

#include "core/aead.h"

struct cs_x25519_key {
	uint8_t b[32];
};

/* What cs_hpke_seal adds to a plaintext: the ephemeral key in front, the tag behind. */
#define CS_HPKE_OVERHEAD (32u + CS_AEAD_TAG_SIZE)
/* Of info. */
#define CS_HPKE_INFO_SIZE_MAX 256u

/* The public key of a private one (32 random bytes; clamped by the function itself). CRYPTO. */
CS_NODISCARD enum cs_err cs_x25519_public(struct cs_x25519_key *key,
					  const struct cs_secret *secret);
/* RFC 7748, section 6.1. WRONG_KEY: a key of low order, whose shared secret is zero; CRYPTO. */
CS_NODISCARD enum cs_err cs_x25519(struct cs_secret *shared, const struct cs_secret *secret,
				   const struct cs_x25519_key *key);
/* Writes plain.n + CS_HPKE_OVERHEAD bytes. ephemeral: a fresh private key, for this call alone. WRONG_KEY,
 * TOO_LARGE (info, plain), CRYPTO. */
CS_NODISCARD enum cs_err cs_hpke_seal(uint8_t *out, const struct cs_x25519_key *recipient,
				      const struct cs_secret *ephemeral, struct cs_bytes info,
				      struct cs_bytes aad, struct cs_bytes plain);
/* Writes sealed.n - CS_HPKE_OVERHEAD bytes, wiped again on failure. TRUNCATED, SEAL_BROKEN (another
 * recipient, info or aad; changed), WRONG_KEY, TOO_LARGE, CRYPTO. */
CS_NODISCARD enum cs_err cs_hpke_open(uint8_t *out, const struct cs_secret *secret,
				      struct cs_bytes info, struct cs_bytes aad,
				      struct cs_bytes sealed);

#endif
