/* Structures of a TPM 2.0 (TPM Library part 2, Structures, revision 1.59): what it signs
 * (TPMS_ATTEST), how (TPMT_SIGNATURE) and the public area of its keys (TPMT_PUBLIC). Reads layouts,
 * big-endian; believes nothing yet. */
#ifndef TPM_ATTEST_H
#define TPM_ATTEST_H

#include "core/bytes.h"

/* TPM_ALG_ID. */
enum tpm_hash {
	TPM_SHA1 = 0x0004,
	TPM_SHA256 = 0x000b,
	TPM_SHA384 = 0x000c,
	TPM_SHA512 = 0x000d,
};
/* The digest's size; 0 for what is not in the enum. */
size_t tpm_hash_size(uint16_t hash);

/* A PC Client TPM has 24; selections are three bytes, or more that are zero. */
#define TPM_PCR_COUNT 24u
/* Banks of one selection: TPMs have two to four. */
#define TPM_SELECTIONS_MAX 4u
/* TPM2B_NAME and digests: an algorithm and SHA-512. */
#define TPM_NAME_SIZE_MAX 66u
/* What is asked to be signed: a hash, as report data of other kinds. A TPM would sign 66. */
#define TPM_EXTRA_DATA_SIZE_MAX 64u
/* RSA-4096; ECC coordinates are shorter. */
#define TPM_NUMBER_SIZE_MAX 512u

struct tpm_selection {
	uint16_t hash; /* of the bank; may be one that we do not know */
	uint32_t pcrs; /* bit i: PCR i */
};

/* TPMS_ATTEST of the type TPM_ST_ATTEST_QUOTE. Views lead into what was decoded. */
struct tpm_quote {
	struct cs_bytes signer; /* the qualified name of the key that signed */
	struct cs_bytes extra_data;
	uint64_t clock_ms;
	uint32_t reset_count;   /* rises with every start of the machine */
	uint32_t restart_count; /* rises with every resume, 0 after a start */
	bool safe;              /* the clock was not set back by a loss of power */
	uint64_t firmware_version;
	struct tpm_selection selections[TPM_SELECTIONS_MAX];
	size_t selection_count;
	struct cs_bytes pcr_digest;
};

/* MALFORMED: another magic (the bytes were not made by a TPM) or a selection of no bytes; UNSUPPORTED:
 * not a quote; TOO_LARGE, TRUNCATED (sizes above their bounds too), TRAILING. */
CS_NODISCARD enum cs_err tpm_quote_decode(struct tpm_quote *quote, struct cs_bytes bytes,
					  struct cs_why *why);

enum tpm_scheme {
	TPM_RSASSA = 0x0014, /* PKCS #1 v1.5 */
	TPM_RSAPSS = 0x0016,
	TPM_ECDSA = 0x0018,
};

struct tpm_signature {
	enum tpm_scheme scheme;
	uint16_t hash;
	struct cs_bytes rsa; /* RSASSA, RSAPSS */
	struct cs_bytes r;   /* ECDSA: big-endian, leading zeros may be missing */
	struct cs_bytes s;
};

/* A TPMT_SIGNATURE. UNSUPPORTED: another scheme; TRUNCATED, TRAILING. */
CS_NODISCARD enum cs_err tpm_signature_decode(struct tpm_signature *signature,
					      struct cs_bytes bytes, struct cs_why *why);

/* TPMA_OBJECT. */
#define TPM_FIXED_TPM ((uint32_t)1 << 1)
#define TPM_FIXED_PARENT ((uint32_t)1 << 4)
#define TPM_SENSITIVE_DATA_ORIGIN ((uint32_t)1 << 5)
#define TPM_RESTRICTED ((uint32_t)1 << 16)
#define TPM_DECRYPT ((uint32_t)1 << 17)
#define TPM_SIGN ((uint32_t)1 << 18)
/* What an attestation key has of these, all and no more: it signs what its TPM made, and only that. */
#define TPM_ATTESTATION_KEY \
	(TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_SENSITIVE_DATA_ORIGIN | TPM_RESTRICTED | TPM_SIGN)

enum tpm_key_type {
	TPM_RSA = 0x0001,
	TPM_ECC = 0x0023,
};

/* A key's TPMT_PUBLIC. Views lead into what was decoded. */
struct tpm_public {
	enum tpm_key_type type;
	uint16_t name_hash;
	uint32_t attributes; /* TPM_… */
	uint16_t scheme;     /* a tpm_scheme, or 0x0010: any */
	uint16_t scheme_hash;
	uint32_t exponent; /* RSA: 65537 where the TPM writes 0 */
	struct cs_bytes n; /* RSA: the modulus */
	uint16_t curve;    /* ECC: 3 is P-256, 4 is P-384 */
	struct cs_bytes x; /* ECC */
	struct cs_bytes y;
	struct cs_bytes area; /* all of it: its hash is the key's name */
};

/* A TPMT_PUBLIC, or a TPM2B_PUBLIC (its size before it). UNSUPPORTED: no key of RSA or ECC, or an
 * algorithm whose parameters are not known; TRUNCATED, TRAILING. */
CS_NODISCARD enum cs_err tpm_public_decode(struct tpm_public *public_area, struct cs_bytes bytes,
					   struct cs_why *why);

/* Only this TPM ever held the key and it signs nothing but what the TPM itself made: an attestation
 * key. */
bool tpm_public_is_attestation_key(const struct tpm_public *public_area);

#endif
