/* TPM2_MakeCredential as who challenges does it, without a TPM (TPM Library 1.59, part 1, clause 24 and
 * annexes B.10.4 and C.6.1): a secret that only the TPM with this endorsement key gives back, and only
 * while it holds the key of this name. For the endorsement keys of TCG's EK Credential Profile 2.5: RSA-2048
 * (template L-1) and P-256 (L-2) with SHA-256 and AES-128, RSA-3072 (H-6) and P-384 (H-3) with SHA-384 and
 * AES-256. Draws nothing: what is random comes from the caller. */
#ifndef TPM_CREDENTIAL_H
#define TPM_CREDENTIAL_H

#include "verify/attest/x509.h"

/* SHA-384's; a private key of P-384. */
#define TPM_SEED_SIZE_MAX 48u
#define TPM_SECRET_SIZE_MAX 32u
/* An algorithm and SHA-256: the only hash of attestation keys' names that is taken. */
#define TPM_NAME_SIZE 34u

/* Drawn anew for every challenge. */
struct tpm_drawn {
	struct cs_bytes secret;  /* 16 to TPM_SECRET_SIZE_MAX bytes: less could be guessed */
	struct cs_bytes seed;    /* RSA: what OAEP hides; ECC: an ephemeral private key */
	struct cs_bytes padding; /* RSA: OAEP's own seed; ECC: empty */
};

struct tpm_credential {
	uint8_t blob[2 + 2 + TPM_SEED_SIZE_MAX + 2 + TPM_SECRET_SIZE_MAX]; /* TPM2B_ID_OBJECT */
	size_t blob_size;
	uint8_t encrypted_secret[2 + CS_RSA_SIZE_MAX]; /* TPM2B_ENCRYPTED_SECRET */
	size_t encrypted_secret_size;
};

/* The name of a key by its TPMT_PUBLIC, whose nameAlg is SHA-256. */
void tpm_name(uint8_t name[TPM_NAME_SIZE], struct cs_bytes public_area);

/* Bytes of seed and padding for this endorsement key; false: of no template above. */
bool tpm_drawn_sizes(size_t *seed, size_t *padding, const struct x509_key *ek);

/* INVALID: sizes, or a seed that is no private key of the curve (one in 2^32 for P-256: draw again);
 * WRONG_KEY: no template's key, or none of its curve; CRYPTO. */
CS_NODISCARD enum cs_err tpm_credential_make(struct tpm_credential *out, const struct x509_key *ek,
					     const uint8_t name[TPM_NAME_SIZE],
					     const struct tpm_drawn *drawn);

#endif
