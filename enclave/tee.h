/* What a backend says about itself: evidence over report data, and which insecurities come with it.
 * One backend is linked; evidence is made by the backend and judged elsewhere (verify/attest). */
#ifndef ENCLAVE_TEE_H
#define ENCLAVE_TEE_H

#include "core/buf.h"
#include "wire/report.h"

#define TEE_REPORT_DATA_SIZE WIRE_REPORT_DATA_SIZE
#define TEE_EVIDENCE_SIZE_MAX 8192

const char *tee_backend(void);
/* Bits of insecure.def that this backend always has. */
uint64_t tee_insecure_flags(void);
/* Appends the evidence for report_data[TEE_REPORT_DATA_SIZE]. */
CS_NODISCARD enum cs_err tee_evidence(struct cs_buf *evidence, const uint8_t *report_data,
				      const struct cs_hash *measurement);

#endif
