/* Ed25519 (RFC 8032) by OpenSSL: 32-byte keys, 64-byte signatures over any message. In a file of
 * its own, so that only who links it imports OpenSSL's functions for it (ADR 19 says why OpenSSL's
 * rules of verification and not ZIP-215's). */
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

#endif
