/* Ed25519 (RFC 8032) by OpenSSL: 32-byte keys, 64-byte signatures over any message. Verifying and
 * signing are files of their own, so that enclaves, which only verify, import no more of OpenSSL (ADR
 * 19, which says why OpenSSL's rules of verification and not ZIP-215's, too). */
#ifndef CS_ED25519_H
#define CS_ED25519_H

#include "core/ct.h"

#define CS_ED25519_SIGNATURE_SIZE 64u

struct cs_ed25519_key {
	uint8_t b[32];
};

/* The public key of a private one. CRYPTO: OpenSSL failed, for want of memory for example. */
CS_NODISCARD enum cs_err cs_ed25519_public(struct cs_ed25519_key *key,
					   const struct cs_secret *secret);
CS_NODISCARD enum cs_err cs_ed25519_sign(uint8_t signature[CS_ED25519_SIGNATURE_SIZE],
					 const struct cs_secret *secret, struct cs_bytes message);
/* BAD_SIGNATURE: not 64 bytes, not of this key and message, s not below the order, a key that is no
 * point. */
CS_NODISCARD enum cs_err cs_ed25519_verify(const struct cs_ed25519_key *key,
					   struct cs_bytes message, struct cs_bytes signature);
/* Loads what the library loads lazily, for a process that will lose its right to open files (as
 * cs_aead_warm does): a published signature is verified. BAD_SIGNATURE, CRYPTO. */
CS_NODISCARD enum cs_err cs_ed25519_warm(void);

#endif
