/* Authenticated encryption (AES-256-GCM, NIST SP 800-38D, by OpenSSL) and key derivation
 * (HKDF-SHA-256, RFC 5869, by nettle). Nonces are arguments: the caller must never use one twice
 * under one key.
 *
 * OpenSSL reads its configuration file at its first use: a process that will lose its right to open
 * files calls OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) and cs_aead_warm before. */
#ifndef CS_AEAD_H
#define CS_AEAD_H

#include "core/ct.h"

#define CS_AEAD_NONCE_SIZE 12u
#define CS_AEAD_TAG_SIZE 16u
/* One call, far below the limit of GCM; the largest sealed state is 1 MiB. */
#define CS_AEAD_SIZE_MAX (16u * 1024 * 1024)
#define CS_HKDF_SIZE_MAX (255u * 32)

/* Loads what the library loads lazily. CRYPTO when it has no such cipher. */
CS_NODISCARD enum cs_err cs_aead_warm(void);
/* Writes plain.n + CS_AEAD_TAG_SIZE bytes, the tag last; out must not overlap plain. TOO_LARGE,
 * CRYPTO. */
CS_NODISCARD enum cs_err cs_aead_seal(uint8_t *out, const struct cs_secret *key,
				      const uint8_t nonce[CS_AEAD_NONCE_SIZE], struct cs_bytes aad,
				      struct cs_bytes plain);
/* Writes sealed.n - CS_AEAD_TAG_SIZE bytes; wiped again on failure. TRUNCATED when shorter than a
 * tag, SEAL_BROKEN when the tag is not the right one, TOO_LARGE, CRYPTO. */
CS_NODISCARD enum cs_err cs_aead_open(uint8_t *out, const struct cs_secret *key,
				      const uint8_t nonce[CS_AEAD_NONCE_SIZE], struct cs_bytes aad,
				      struct cs_bytes sealed);
/* Extract and expand; n at most CS_HKDF_SIZE_MAX, more is a bug. */
void cs_hkdf(uint8_t *out, size_t n, struct cs_bytes input_key, struct cs_bytes salt,
	     struct cs_bytes info);

#endif
