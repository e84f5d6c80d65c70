/* The attestation key of a TPM's evidence, and why it is believed to be a TPM's: its certificate, the
 * endorsement key's certificate and an activation, or the report of the hardware below a virtual TPM. */
#ifndef TPM_KEY_H
#define TPM_KEY_H

#include "verify/attest/pool.h"
#include "verify/attest/tpm_evidence.h"

/* Plain evidence: the key that all of its members agree about, and the checks "ak", "ak-attributes" and
 * "ak-certificate", or "ek-certificate" and "activation", or "ak-trust" (nothing vouches for it), and
 * "tpm-crl". *found: false when there is no key to go on with. Failures as attest_verify. */
CS_NODISCARD enum cs_err tpm_key_plain(struct x509_key *key, bool *found, struct attest_work *work,
				       const struct tpm_evidence *evidence);

/* Azure's: verifies the hardware's evidence into the same result; the checks "hcl-report",
 * "runtime-data" (the hardware vouches for the claims), "paravisor" (SNP: at the most privileged level)
 * and "ak". */
CS_NODISCARD enum cs_err tpm_key_azure(struct x509_key *key, bool *found, struct attest_work *work,
				       const struct tpm_evidence *evidence);

#endif
