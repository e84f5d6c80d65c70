/* RSA (RFC 8017) by OpenSSL with public keys alone, of 2048 to 4096 bits: signatures are verified over a
 * digest, and the bare public operation is there for paddings that a protocol defines itself. */
#ifndef CS_RSA_H
#define CS_RSA_H

#include "core/digest.h"

enum cs_rsa_padding {
	CS_RSA_PKCS1, /* RSASSA-PKCS1-v1_5 */
	CS_RSA_PSS,   /* RSASSA-PSS: MGF1 of the same hash, salt as long as the digest */
};

#define CS_RSA_SIZE_MIN 256u
#define CS_RSA_SIZE_MAX 512u

/* Big-endian, without zeros at the front. */
struct cs_rsa_key {
	struct cs_bytes modulus;
	struct cs_bytes exponent; /* odd, 3 to 2^32 - 1 */
};

/* BAD_SIGNATURE: not of this key and digest, not as long as the modulus; WRONG_KEY: a modulus of another
 * size or even, another exponent; CRYPTO: OpenSSL failed. */
CS_NODISCARD enum cs_err cs_rsa_verify(const struct cs_rsa_key *key, enum cs_rsa_padding padding,
				       enum cs_digest_kind kind, const struct cs_digest *digest,
				       struct cs_bytes signature);

/* RSAEP (RFC 8017, 5.1.1): out = in^e mod n, each as long as the modulus. in is padded by the caller, who
 * knows why. WRONG_KEY as above; INVALID: another length, or not below the modulus. */
CS_NODISCARD enum cs_err cs_rsa_public(uint8_t *out, const struct cs_rsa_key *key,
				       struct cs_bytes in);

#endif
