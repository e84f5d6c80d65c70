/* The attestation key of a TPM's evidence, and why it is believed to be a TPM's: its certificate, the
 * endorsement key's certificate and an activation, or the report of the hardware below a virtual TPM. */
#ifndef TPM_KEY_H
#define TPM_KEY_H

#include "verify/attest/pool.h"
#include "verify/attest/tpm_credential.h"
#include "verify/attest/tpm_evidence.h"

/* Plain evidence: the key that all of its members agree about, and the checks "ak", "ak-attributes" and
 * "ak-certificate", or "ek-certificate" and "activation", or "ak-trust" (nothing vouches for it), and
 * "tpm-crl". *found: false when there is no key to go on with. Failures as attest_verify. */
CS_NODISCARD enum cs_err tpm_key_plain(struct x509_key *key, bool *found, struct attest_work *work,
				       const struct tpm_evidence *evidence);

struct tpm_admitted {
	struct x509_key ek;
	struct x509_key ak;
	uint8_t name[TPM_NAME_SIZE]; /* the attestation key's */
};

/* What is checked before a TPM is challenged (tpm_credential.h): the attestation key is one, and the endorsement
 * key's certificate leads to a root of TPMs and is not revoked; the checks "ak", "ak-attributes",
 * "ek-certificate", "tpm-crl", "ek-template". Of evidence only the forms of the key and ek_certificate are looked
 * at, not a quote. *out is for use where *good. MISSING_FIELD, and the failures of attest_verify. */
CS_NODISCARD enum cs_err tpm_key_admit(struct tpm_admitted *out, bool *good,
				       struct attest_work *work,
				       const struct tpm_evidence *evidence);

/* Azure's: verifies the hardware's evidence into the same result; the checks "hcl-report",
 * "runtime-data" (the hardware vouches for the claims), "paravisor" (SNP: at the most privileged level)
 * and "ak". */
CS_NODISCARD enum cs_err tpm_key_azure(struct x509_key *key, bool *found, struct attest_work *work,
				       const struct tpm_evidence *evidence);

#endif
