#include "enclave/insecure.h"
#include "enclave/tee.h"

/* Nobody signed it: whoever reads it learns what the process claims, and that it is only a claim. */
static enum cs_err evidence_put(const struct tee *tee, struct cs_buf *evidence,
				const uint8_t *report_data, const struct cs_hash *measurement,
				struct cs_why *why)
{
	(void)tee, (void)why;
	cs_put_text(evidence, "caisson/evidence/simulated/v1");
	cs_put_u8(evidence, 0);
	cs_put(evidence, CS_BYTES_OF(measurement->b));
	cs_put(evidence, cs_bytes(report_data, TEE_REPORT_DATA_SIZE));
	return cs_buf_end(evidence);
}

const struct tee tee_simulated = {
	.backend = "simulated",
	.insecure_flags = ENCLAVE_INSECURE_simulated_backend | ENCLAVE_INSECURE_simulated_seal_root,
	.fd = -1,
	.evidence = evidence_put,
};
