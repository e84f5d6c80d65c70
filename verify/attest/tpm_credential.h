/* TPM2_MakeCredential as who challenges does it, without a TPM (TPM Library 1.59, part 1, clause 24 and
 * annex B.10.4): a secret that only the TPM with this endorsement key gives back, and only while it
 * holds the key of this name. For RSA endorsement keys of the default templates: SHA-256 and AES-128 in
 * CFB mode. Draws nothing: what is random comes from the caller. */
#ifndef TPM_CREDENTIAL_H
#define TPM_CREDENTIAL_H

#include "core/rsa.h"

#define TPM_SEED_SIZE 32u
#define TPM_SECRET_SIZE_MAX 32u
/* An algorithm and SHA-256: the only hash of names that is taken. */
#define TPM_NAME_SIZE 34u

struct tpm_credential {
	uint8_t blob[2 + 2 + 32 + 2 + TPM_SECRET_SIZE_MAX]; /* TPM2B_ID_OBJECT */
	size_t blob_size;
	uint8_t encrypted_secret[2 + CS_RSA_SIZE_MAX]; /* TPM2B_ENCRYPTED_SECRET */
	size_t encrypted_secret_size;
};

/* The name of a key by its TPMT_PUBLIC, whose nameAlg is SHA-256. */
void tpm_name(uint8_t name[TPM_NAME_SIZE], struct cs_bytes public_area);

/* secret: 16 to TPM_SECRET_SIZE_MAX bytes (less could be guessed); seed and padding: drawn anew for
 * every challenge. INVALID: another size; WRONG_KEY: no allowed RSA key; CRYPTO. */
CS_NODISCARD enum cs_err
tpm_credential_make(struct tpm_credential *out, const struct cs_rsa_key *ek,
		    const uint8_t name[TPM_NAME_SIZE], struct cs_bytes secret,
		    const uint8_t seed[TPM_SEED_SIZE], const uint8_t padding[TPM_SEED_SIZE]);

#endif
