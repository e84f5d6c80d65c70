/* RA-TLS: a TLS key that is made here and never leaves, and a certificate in which the TEE says whose it is.
 * Who verifies it is verify/attest/ratls.c; nothing is judged here.
 *
 * "Interoperable RA-TLS" of the Confidential Computing Consortium: the TCG DICE extension 2.23.133.5.4.9 holds
 * CBOR tag 60000 over [evidence, claims], report data is SHA-256 of the claims, and the claim "pubkey-hash"
 * names the key. Gramine's legacy extension 1.2.840.113741.1337.6 holds a quote alone, whose report data is
 * SHA-256 of the key. RFC 5280, 5480 (P-256), 8949 (CBOR). */
#ifndef ENCLAVE_RATLS_H
#define ENCLAVE_RATLS_H

#include "core/buf.h"
#include "wire/report.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */

/* DER of SubjectPublicKeyInfo of P-256. */
#define RATLS_SPKI_SIZE 91u
/* Two pieces of evidence of 8 KiB, and the rest of a certificate. */
#define RATLS_CERTIFICATE_SIZE_MAX (20u * 1024)
#define RATLS_CLAIMS_SIZE_MAX 256u
#define RATLS_SERIAL_SIZE 16u

/* P-256, in OpenSSL's locked memory (CRYPTO_secure_malloc_init is the caller's), and its SPKI. The key is the
 * caller's to free. CRYPTO. */
CS_NODISCARD enum cs_err ratls_key_make(struct evp_pkey_st **key, uint8_t spki[RATLS_SPKI_SIZE]);
void ratls_key_free(struct evp_pkey_st *key);

/* Appends the claims, a CBOR map: "pubkey-hash", and "caisson-report", the hash of our report (wire/report.h),
 * which a verifier of others passes over. TOO_LARGE. */
CS_NODISCARD enum cs_err ratls_claims(struct cs_buf *out, struct cs_bytes spki,
				      const struct cs_hash *report);
/* Appends the content of TCG DICE's extension: CBOR tag 60000 over evidence and claims. TOO_LARGE. */
CS_NODISCARD enum cs_err ratls_tagged(struct cs_buf *out, struct cs_bytes evidence,
				      struct cs_bytes claims);
/* What the evidence over claims, or over a key, has as its report data: SHA-256 and zeros. */
void ratls_report_data(uint8_t report_data[WIRE_REPORT_DATA_SIZE], struct cs_bytes hashed);

struct ratls_content {
	struct evp_pkey_st *key;
	struct cs_bytes claims;
	struct cs_bytes evidence; /* over the claims */
	struct cs_bytes legacy;   /* over the key; empty: none */
	uint64_t not_before_s;    /* both inclusive */
	uint64_t not_after_s;
	uint8_t serial[RATLS_SERIAL_SIZE]; /* of random bytes; the first is taken as 0x40 to 0x7f */
};

/* Appends the certificate, DER, signed by its own key; memory is the arena's. TOO_LARGE, NO_MEMORY, CRYPTO,
 * INVALID (a time that has no form). */
CS_NODISCARD enum cs_err ratls_write(struct cs_buf *out, const struct ratls_content *content,
				     struct cs_arena *arena);

#endif
